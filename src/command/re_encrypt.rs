//! `re-encrypt`: cells that an earlier flip left behind, moved to the version that is active now.

use super::movement::{self, MoveOptions};
use crate::app::{App, Outcome};
use crate::core::ids::KeyVersion;
use crate::db::jobs::JobKind;
use crate::error::Failure;
use crate::ops::rotation::{Request, Scope};

/// Move cells to the active DEK version, wherever a flip left them behind
///
/// For flips that the application made itself, that --dek-only made, or that a superseded rotation lost. Makes no DEK and flips nothing.
/// Values that open under no DEK are named and left; the rest goes on. Killed or interrupted, the same command goes on.
///
/// Example: scrybe-keys re-encrypt --all --dry-run
///
/// Changes sealed columns and the tool's own schema, nothing else of a row; plaintexts stay the same, so there is nothing to undo.
/// Exit codes: 0; 2; 3 some cells cannot be opened and were left; 4 not agreed to; 5 superseded, refused or wrong binding; 6 denied;
/// 7 not finished, run it again; 8, 9.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["orgs", "all", "join"]))]
pub struct Args {
    /// Move this organization's cells; repeat for more
    #[arg(long = "org", value_name = "ID")]
    pub orgs: Vec<String>,
    /// Move every organization's cells
    #[arg(long)]
    pub all: bool,
    /// Only this table of the data map; repeat for more
    #[arg(long = "model", value_name = "TABLE")]
    pub models: Vec<String>,
    /// Only cells under this version
    #[arg(long, value_name = "VERSION")]
    pub from_version: Option<i32>,
    /// Must be the active version: any other is refused
    #[arg(long, value_name = "VERSION", hide = true)]
    pub to_version: Option<i32>,
    /// Why; kept in the audit chain
    #[arg(long, value_name = "TEXT", default_value = "move cells to the active version")]
    pub reason: String,
    #[command(flatten)]
    pub options: MoveOptions,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        if let Some(job) = &self.options.join {
            return movement::join(app, job, &self.options);
        }
        let scope = if self.all { Scope::All } else { Scope::Organizations(movement::organizations(&self.orgs)?) };
        if let Some(wanted) = self.to_version {
            self.refuse_other_target(app, &scope, wanted)?;
        }
        let request = Request {
            models: self.models,
            from_version: self.from_version.map(KeyVersion),
            ..self.options.request(app, JobKind::ReEncrypt, scope, self.reason)?
        };
        movement::run(app, request, &self.options)
    }

    fn refuse_other_target(&self, app: &App, scope: &Scope, wanted: i32) -> Result<(), Failure> {
        let mut session = app.connect()?;
        for row in session.all_dek_rows(&app.settings.map.value)?.into_iter().filter(|r| r.active) {
            let meant = match scope {
                Scope::Organizations(list) => list.contains(&row.organization),
                _ => true,
            };
            if meant && row.version.0 != wanted {
                return Err(Failure::conflict(
                    "not-the-active-version",
                    format!("the active version of {} is {}, not {wanted}", row.organization, row.version),
                )
                .hint("leave --to-version out: cells move to the active version")
                .hint(format!(
                    "to go back to an earlier version: `scrybe-keys rotate --revert --org {} --reason …`",
                    row.organization
                )));
            }
        }
        Ok(())
    }
}
