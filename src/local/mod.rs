//! The embedded KMS: one engine, two doors (in process, and an AWS-compatible endpoint on loopback).
