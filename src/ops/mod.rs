//! What the tool does: plan -> permit -> apply. No printing but through `ui`'s progress and narration, no SQL but through `db`.

pub mod audit;
pub mod batches;
pub mod binding;
pub mod census;
pub mod counting;
pub mod crash;
pub mod flipping;
pub mod health;
pub mod installation;
pub mod job;
pub mod keyrings;
pub mod keys;
pub mod kms_guard;
pub mod permit;
pub mod preflight;
pub mod retry;
pub mod rotation;
pub mod sandbox;
pub mod settle;
pub mod signal;
pub mod walk;
pub mod worker;
pub mod wrapping;
