//! The scripts of `tests/foreign`, called from Rust: what to seed, what to check, a live application to run beside.

use serde_json::Value;
use std::process::Command;

/// What `seed.py` fills a database with.
#[derive(Clone)]
pub struct Seed {
    pub orgs: u32,
    /// Per organization; the other tables follow from it.
    pub notes: u32,
    /// Longest note, in bytes or so.
    pub note_bytes: u32,
    /// DEK versions so far.
    pub versions: u32,
    /// `corrupted`, `foreign-key`, `plaintext`, `nested`, `orphan`.
    pub flaws: Vec<&'static str>,
    /// DEKs as the application makes them without KMS.
    pub dev: bool,
    /// Encryption context of the DEKs, as JSON.
    pub context: Option<&'static str>,
}

impl Default for Seed {
    fn default() -> Seed {
        Seed { orgs: 2, notes: 60, note_bytes: 2000, versions: 1, flaws: Vec::new(), dev: false, context: None }
    }
}

/// What `seed.py` says it made.
pub struct Seeded {
    /// Absent with DEKs made without KMS.
    pub key_arn: Option<String>,
    pub organizations: Vec<String>,
    /// Cells that open.
    pub sealed: u64,
    /// Name of a flaw -> where it is.
    pub flawed: Value,
}

impl Seeded {
    /// Row id of the first cell with this flaw.
    pub fn flawed_row(&self, flaw: &str) -> &str {
        self.flawed[flaw][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("nothing was seeded with the flaw {flaw}: {}", self.flawed))
    }
}

/// What `check.py` is to expect.
#[derive(Clone, Default)]
pub struct Check {
    /// Active version of every organization.
    pub version: u32,
    /// Another one for some.
    pub other: Vec<(String, u32)>,
    /// DEK rows of every organization, when not as many as the version says.
    pub rows: Option<u32>,
    /// Half-way through: a cell may open under any of its organization's keys.
    pub any_version: bool,
    /// Plaintext cells must be sealed now.
    pub plaintext_sealed: bool,
    /// Nested cells must hold their inner plaintext now.
    pub unwrapped: bool,
    /// Count the writes of `writer.py`.
    pub with_journal: bool,
}

impl Check {
    /// Every organization at this version, nothing else changed.
    pub fn version(version: u32) -> Check {
        Check { version, ..Check::default() }
    }

    /// Nothing lost so far, wherever a job stands.
    pub fn half_way() -> Check {
        Check { version: 1, any_version: true, ..Check::default() }
    }

    pub(super) fn apply(&self, command: &mut Command) {
        command.args(["--version", &self.version.to_string()]);
        for (org, version) in &self.other {
            command.args(["--org-version", &format!("{org}={version}")]);
        }
        if let Some(rows) = self.rows {
            command.args(["--rows", &rows.to_string()]);
        }
        if self.any_version {
            command.arg("--any-version");
        }
        if self.plaintext_sealed {
            command.arg("--plaintext-sealed");
        }
        if self.unwrapped {
            command.arg("--unwrapped");
        }
    }
}

/// Runs a script to its end; its JSON answer, or what went wrong.
pub fn answer(command: &mut Command) -> Result<Value, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("{}: {stdout}{stderr}", output.status));
    }
    serde_json::from_str(&stdout).map_err(|e| format!("{e}: {stdout}{stderr}"))
}
