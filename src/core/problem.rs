//! A finding as data: what is wrong with what, how bad, and what to type next.

use serde::{Deserialize, Serialize};

/// How bad a finding is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; no action needed.
    Info,
    /// A check that could not be made; never counted as passed.
    Unknown,
    /// Needs attention soon.
    Warning,
    /// Data, access or proof is at risk now.
    Critical,
}

/// One finding. `subject` is an id (organization, DEK row, table.column), never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Stable kebab-case name.
    pub code: String,
    pub severity: Severity,
    pub subject: String,
    pub message: String,
    /// The next command to type.
    pub hint: String,
}

impl Problem {
    /// A finding with its next command.
    pub fn new(
        severity: Severity,
        code: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        Problem { code: code.to_owned(), severity, subject: subject.into(), message: message.into(), hint: hint.into() }
    }
}
