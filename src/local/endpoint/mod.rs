//! The second door: an AWS-compatible endpoint on loopback, so that the real SDK talks to the engine.
