//! The JSON answer: with `--json` every run answers with exactly one of these on stdout, whatever happened.
//! Keys are camelCase, times RFC 3339 UTC, counts integers, durations seconds. `schemas/answer.json` is made from this type.

use crate::config::Settings;
use crate::core::problem::{Problem, Severity};
use crate::error::Failure;
use crate::exit::Exit;
use serde::Serialize;

/// One answer.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonAnswer {
    /// `scrybe-keys/<verb>/1`; a verb of several words is joined by `-`.
    pub schema: String,
    /// `ok`, `findings`, `incomplete`, `refused` or `failed`.
    pub status: &'static str,
    /// The process's exit code.
    pub exit_code: u8,
    /// True when anything outside this process was changed.
    pub changed: bool,
    /// Names this run in the audit chain and in jobs.
    #[schemars(with = "String")]
    pub run_id: uuid::Uuid,
    /// Where it acted; null when the command line was not understood.
    pub context: Option<Context>,
    /// The verb's own report.
    pub data: serde_json::Value,
    /// Findings and the failure, if any.
    pub problems: Vec<Problem>,
}

/// Where a run acted. No secret.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    pub environment: Option<&'static str>,
    pub kms: Option<&'static str>,
    pub region: String,
    pub key: Option<String>,
    /// `user@host:port/database`.
    pub database: Option<String>,
    pub sandbox: bool,
}

impl Context {
    /// The settings' part of where we are.
    pub fn of(settings: &Settings) -> Context {
        Context {
            environment: settings.environment.as_ref().map(|e| e.value.as_str()),
            kms: settings.provider.as_ref().map(|p| p.value.as_str()),
            region: settings.region.value.clone(),
            key: settings.key.as_ref().map(|k| k.value.clone()),
            database: settings.database.as_ref().map(|d| d.value.shown()),
            sandbox: settings.sandbox.is_some(),
        }
    }
}

impl JsonAnswer {
    /// An answer to `verb` that ends with `exit`.
    pub fn new(verb: &str, exit: Exit, run_id: uuid::Uuid) -> JsonAnswer {
        JsonAnswer {
            schema: format!("scrybe-keys/{verb}/1"),
            status: exit.status(),
            exit_code: exit.code(),
            changed: false,
            run_id,
            context: None,
            data: serde_json::Value::Null,
            problems: Vec::new(),
        }
    }

    /// Adds a failure as a problem, unless the report already names it.
    pub fn with_failure(mut self, failure: &Failure) -> JsonAnswer {
        if self.problems.iter().any(|problem| problem.code == failure.code && problem.message == failure.message) {
            return self;
        }
        let message = std::iter::once(failure.message.clone()).chain(failure.chain()).collect::<Vec<_>>().join(": ");
        self.problems.push(Problem::new(Severity::Critical, failure.code, "", message, failure.hints.join("; ")));
        self
    }

    /// One line of JSON. Control characters that JSON allows as they are (C1, direction marks) are written as `\u` all the same:
    /// they can only stand inside strings, and must not reach a terminal.
    pub fn to_line(&self) -> String {
        let line = serde_json::to_string(self).expect("an answer holds only text keys");
        line.chars().fold(String::with_capacity(line.len()), |mut safe, c| {
            match c {
                '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    safe.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                _ => safe.push(c),
            }
            safe
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_cannot_drive_a_terminal_and_still_says_the_same() {
        let mut answer = JsonAnswer::new("keys-list", Exit::Done, uuid::Uuid::nil());
        answer.data = serde_json::json!({ "name": "a\u{9b}31m\u{202e}\u{1b}[2J é" });
        let line = answer.to_line();
        assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["data"], answer.data);
        assert_eq!(read["schema"], "scrybe-keys/keys-list/1");
    }
}
