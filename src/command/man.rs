//! `man`: the manual page, generated from the same definition that parses the command line.

use crate::app::{App, Outcome};
use crate::command::Cli;
use crate::error::Failure;
use clap::CommandFactory;

/// Print the manual page
///
/// Example: scrybe-keys man | man -l -
///
/// Changes nothing. Exit codes: 0, 2.
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    pub fn run(self, _app: &App) -> Result<Outcome, Failure> {
        let page = page()?;
        Outcome::done(serde_json::json!({ "page": &page }), page)
    }
}

/// The page in roff, every verb with its own section.
fn page() -> Result<String, Failure> {
    let fault = |error| Failure::internal("the manual page could not be written").caused_by(error);
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(fault)?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let man = clap_mangen::Man::new(verb.clone());
        man.render_description_section(&mut page).map_err(fault)?;
        man.render_options_section(&mut page).map_err(fault)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
