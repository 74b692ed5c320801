//! scrybe-keys: the operator's tool for the whole life of the keys that protect patient data.
//!
//! # Words
//! - **CMK**: a KMS master key. It wraps DEKs and never leaves KMS.
//! - **DEK**: a data encryption key, one active version per organization; stored wrapped by the CMK.
//! - **cell**: one sealed value in one column of one row. Its stored text is an **envelope**.
//! - **dark**: a cell that its application cannot open right now.
//! - **keyring**: the unwrapped DEKs of one organization, by DEK row, newest first.
//! - **plan, permit, report**: every mutation is planned, permitted (bound to the plan's digest), applied, reported.
//! - **chunk, batch, settle, census**: how cells are moved, and how it is proved that all were.
//!
//! # Rooms (arrows point inward; `tests/architecture.rs` enforces them)
//! ```text
//! main.rs   argv in, exit code out              command/  one verb per file
//! app/      one run, from argv to exit code     ops/      what the tool does: plan, permit, apply
//! config/   the only reader of the environment  db/       every line of SQL
//! ui/       the only printing                   answer.rs the object that --json prints
//! error.rs  Failure: kind, source, hints        exit.rs   every exit code
//! core/     pure: no I/O, clock, terminal, async
//! aws/      adapters over the SDK: the only async room with local/endpoint
//! local/    the embedded KMS: one engine, two doors
//! ```

pub mod answer;
pub mod app;
pub mod aws;
pub mod command;
pub mod config;
pub mod core;
pub mod db;
pub mod error;
pub mod exit;
pub mod local;
pub mod ops;
pub mod ui;

pub use app::run;
