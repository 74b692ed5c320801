//! What the capability tests stand on: a shared PostgreSQL, a KMS endpoint and a database per test, the real binary.
//!
//! Start with `world::World::seeded`: a clinic filled by the foreign implementation in `tests/foreign`, bound and ready.
//! Nothing here imitates a part of the product, and nothing here decides whether data is right: `tests/foreign/check.py` does.

// Each test file uses the part it needs.
#![allow(dead_code)]

pub mod account;
pub mod between;
pub mod cli;
pub mod cluster;
pub mod crowd;
pub mod emulators;
pub mod endpoint;
pub mod foreign;
pub mod golden;
pub mod kms_bench;
pub mod kms_verdict;
pub mod kms_wire;
pub mod plain;
pub mod python;
pub mod reshaped;
pub mod wire;
pub mod world;
pub mod wrappings;
