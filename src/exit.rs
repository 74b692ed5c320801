//! Every exit code, once. `--help`, the README and a test repeat this table; nothing else decides a code.
//! `health --format nagios` alone ends with the codes of `Nagios`, below the table: what reads them knows no others.

use std::process::ExitCode;

/// How a run ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing was needed.
    Done = 0,
    /// A fault of the tool itself.
    Internal = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Looked and found problems; everything movable moved but cells are quarantined.
    Findings = 3,
    /// A gate was not passed: confirmation, MFA, approval, no terminal to ask on.
    Gate = 4,
    /// The world is not as the request assumes: binding, stale plan, wrong state, superseded, lease held.
    Conflict = 5,
    /// AWS or PostgreSQL refused.
    Denied = 6,
    /// Not finished, and the same command goes on where it stopped.
    Incomplete = 7,
    /// A dependency cannot be reached or did not answer in time.
    Unreachable = 8,
    /// A tag, chain or signature does not verify: escalate.
    Integrity = 9,
    /// Interrupted with nothing to resume.
    Interrupted = 130,
}

/// Code, name in JSON, meaning: the table that help and README print.
pub const TABLE: &[(Exit, &str)] = &[
    (Exit::Done, "done, or nothing was needed"),
    (Exit::Internal, "a fault of the tool itself"),
    (Exit::Usage, "the command line or the configuration is wrong"),
    (Exit::Findings, "looked and found problems (health, census, drift, quarantined cells)"),
    (Exit::Gate, "a gate was not passed (confirmation, MFA, approval, no terminal)"),
    (Exit::Conflict, "conflict (binding, stale plan, wrong state, superseded, lease held)"),
    (Exit::Denied, "denied by AWS or PostgreSQL"),
    (Exit::Incomplete, "incomplete; the same command goes on where it stopped"),
    (Exit::Unreachable, "a dependency is unreachable or timed out"),
    (Exit::Integrity, "integrity failure (tag, chain, signature): escalate"),
    (Exit::Interrupted, "interrupted, with nothing to resume"),
];

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One code for mixed results: the first present of 9, 6, 8, 7, 3; other failures come before all.
    pub fn worst(all: impl IntoIterator<Item = Exit>) -> Exit {
        let rank = |e: &Exit| match e {
            Exit::Internal => 0,
            Exit::Integrity => 1,
            Exit::Denied => 2,
            Exit::Unreachable => 3,
            Exit::Incomplete => 4,
            Exit::Conflict => 5,
            Exit::Gate => 6,
            Exit::Usage => 7,
            Exit::Interrupted => 8,
            Exit::Findings => 9,
            Exit::Done => 10,
        };
        all.into_iter().min_by_key(rank).unwrap_or(Exit::Done)
    }

    /// The `status` word of the JSON envelope.
    pub fn status(self) -> &'static str {
        match self {
            Exit::Done => "ok",
            Exit::Findings => "findings",
            Exit::Incomplete | Exit::Interrupted => "incomplete",
            Exit::Usage | Exit::Gate | Exit::Conflict | Exit::Denied => "refused",
            Exit::Internal | Exit::Unreachable | Exit::Integrity => "failed",
        }
    }
}

/// The codes of a Nagios plugin (Nagios Plugins Development Guidelines, "Plugin Return Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Nagios {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

/// Nagios's codes and what `health` means by each.
pub const NAGIOS: &[(Nagios, &str)] = &[
    (Nagios::Ok, "every check that was asked for was made and is well"),
    (Nagios::Warning, "something needs attention soon"),
    (Nagios::Critical, "data, access or proof is at risk now"),
    (Nagios::Unknown, "a check could not be made, or the run itself failed"),
];

impl Nagios {
    /// The word that begins the answer.
    pub fn word(self) -> &'static str {
        match self {
            Nagios::Ok => "OK",
            Nagios::Warning => "WARNING",
            Nagios::Critical => "CRITICAL",
            Nagios::Unknown => "UNKNOWN",
        }
    }
}

/// What the process ends with: how the run ended, and Nagios's code where the answer was written for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub exit: Exit,
    pub nagios: Option<Nagios>,
}

impl Ended {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        self.nagios.map_or(self.exit.code(), |nagios| nagios as u8)
    }
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Self {
        Ended { exit, nagios: None }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        ExitCode::from(ended.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_results_end_with_the_first_of_9_6_8_7_3() {
        assert_eq!(Exit::worst([Exit::Done, Exit::Findings]), Exit::Findings);
        assert_eq!(Exit::worst([Exit::Findings, Exit::Incomplete]), Exit::Incomplete);
        assert_eq!(Exit::worst([Exit::Incomplete, Exit::Unreachable]), Exit::Unreachable);
        assert_eq!(Exit::worst([Exit::Unreachable, Exit::Denied]), Exit::Denied);
        assert_eq!(Exit::worst([Exit::Denied, Exit::Integrity]), Exit::Integrity);
        assert_eq!(Exit::worst([]), Exit::Done);
    }
}
