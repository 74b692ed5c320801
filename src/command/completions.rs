//! `completions`: shell completion scripts, generated from the same definition that parses the command line.

use crate::app::{App, Outcome};
use crate::command::Cli;
use crate::error::Failure;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell
///
/// Example: scrybe-keys completions bash > /etc/bash_completion.d/scrybe-keys
///
/// Changes nothing. Exit codes: 0, 2.
#[derive(clap::Args)]
pub struct Args {
    /// Shell to complete for
    shell: Shell,
}

impl Args {
    pub fn run(self, _app: &App) -> Result<Outcome, Failure> {
        let script = script(self.shell);
        Outcome::done(serde_json::json!({ "shell": self.shell.to_string(), "script": &script }), script)
    }
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "scrybe-keys", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
