//! Adapters over the AWS SDK: the only async room but the endpoint's server. One runtime, `block_on` only here. May not import `db`.
//!
//! `connect` makes the client (timeouts on every attempt and operation, an endpoint that is https or loopback or nothing), `kms` is the port,
//! `reached` looks before anything that is not idempotent could be done twice, `failure` turns SDK errors into the port's, `terms` its answers,
//! `surroundings` is what stands around the key: bucket, trail, logs, alarms, topic.

mod connect;
mod failure;
mod kms;
mod reached;
mod rehearsal;
mod surroundings;
mod terms;
mod transport;

pub use connect::{AccessKey, AwsKms, Options, Patience};
pub use surroundings::AwsSurroundings;
