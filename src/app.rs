//! One run: settings and ports made, the verb called, its outcome printed, its exit code returned.

use crate::config::{Env, Settings};
use crate::core::kms::Kms;
use crate::core::problem::Problem;
use crate::db;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::signal::Interrupt;
use crate::ui::{Terminal, Ui};
use std::ffi::OsString;

/// What every verb gets: who and where it is, how it may talk, when to stop.
pub struct App {
    pub settings: Settings,
    pub ui: Ui,
    pub interrupt: Interrupt,
    /// Names this run in the audit chain, jobs and JSON.
    pub run_id: uuid::Uuid,
    /// The command line without secrets, for records.
    pub command_line: String,
}

/// What a verb hands back. Printed by `run`; nothing else prints an answer.
pub struct Outcome {
    pub exit: Exit,
    /// True when anything outside this process was changed.
    pub changed: bool,
    /// `data` of the JSON envelope.
    pub data: serde_json::Value,
    pub problems: Vec<Problem>,
    /// The answer for a person, ready for stdout.
    pub text: String,
    /// For verbs whose failure still has data to show: printed as the error after the answer.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// A finished outcome from a report: exit 0, nothing changed, no problems.
    pub fn done(data: impl serde::Serialize, text: impl Into<String>) -> Result<Outcome, Failure> {
        let data = serde_json::to_value(data)
            .map_err(|e| Failure::internal("a report could not be written as JSON").caused_by(e))?;
        Ok(Outcome { exit: Exit::Done, changed: false, data, problems: Vec::new(), text: text.into(), failure: None })
    }
}

impl App {
    /// A new connection to the configured database with session limits set.
    pub fn connect(&self) -> Result<db::Session, Failure> {
        todo!()
    }

    /// The configured KMS. Refuses provider `dev`, which has none: see `ops::wrapping`.
    pub fn kms(&self) -> Result<std::sync::Arc<dyn Kms>, Failure> {
        todo!()
    }
}

/// Runs one command line and says how it ended.
pub fn run(_argv: Vec<OsString>, _env: Env, _terminal: Terminal) -> Exit {
    todo!()
}
