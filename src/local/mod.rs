//! The embedded KMS: one engine, two doors (in process, and an AWS-compatible endpoint on loopback).
//!
//! It refuses exactly when AWS refuses (`core::key_state`), keeps its keys on disk sealed by `LOCAL_KEK` under one exclusive
//! lock, runs on a virtual clock, and lags and fails on demand. It has no IAM: policies and grants are kept, not evaluated. It is for
//! sandboxes, drills and tests: whoever holds the KEK and the directory holds every key in it. Both doors go through `Engine::call`, so
//! that they cannot drift apart.
//! Start at `engine` and `dispatch`; `call` and `answer` are the vocabulary; `endpoint` is the only async file of this room.

mod aliases;
mod answer;
mod call;
mod ciphertext;
mod crypto;
mod dispatch;
pub mod endpoint;
mod engine;
mod fault;
mod grants;
mod in_process;
mod kek;
mod keys;
mod lag;
mod policy;
mod re_encrypt;
mod refusal;
mod relatives;
mod request_log;
mod rotation;
mod sealing;
mod secret;
mod store;
mod tags;
mod uses;
mod world;

pub use engine::{Clock, Engine, Options, Origin};
pub use fault::{Fault, FaultKind};
pub use in_process::InProcess;
pub use kek::{BadKek, Kek};
pub use request_log::Request;
