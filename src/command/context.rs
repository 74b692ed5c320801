//! `context`: where am I? Every setting with its origin, and what AWS and the database say when asked.

use crate::app::{App, Outcome};
use crate::error::Failure;

/// Show where a command would act: every setting and where it came from
///
/// Example: scrybe-keys context
///
/// Reads only. Changes nothing, needs no privilege, and works when a part cannot be reached: the row says so. Exit codes: 0, 2.
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let settings = &app.settings;
        let rows = vec![vec!["region".to_owned(), settings.region.value.clone(), settings.region.origin.to_string()]];
        Outcome::done(serde_json::json!({}), app.ui.table(&["setting", "value", "origin"], &rows, &[]))
    }
}
