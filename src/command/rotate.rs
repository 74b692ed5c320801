//! `rotate`: a new DEK version, and the data with it.

use super::movement::{self, MoveOptions};
use crate::app::{App, Outcome};
use crate::db::jobs::JobKind;
use crate::error::Failure;
use crate::ops::rotation::{Cutover, Request, Scope};
use std::time::Duration;

/// Give organizations a new DEK version and move their cells to it
///
/// Organization by organization: a new DEK is made and proven by KMS, made active in one short transaction, and every cell moved to it;
/// then, when cached keys have run out, a closing census proves that nothing is left. From an organization's flip until its last cell is
/// moved its application cannot open cells (dark); the plan says how many and for how long. Killed or interrupted, the same command goes on.
///
/// Example: scrybe-keys rotate --org 7d1c… --reason "quarterly rotation"
///
/// Changes the DEK table, the sealed columns and the tool's own schema. To undo: --revert. Exit codes: 0; 2; 3 some cells cannot be opened and
/// were left; 4 not agreed to; 5 superseded, refused or wrong binding; 6 denied; 7 not finished, run it again; 8, 9.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["orgs", "all", "due", "join"]))]
pub struct Args {
    /// Rotate this organization; repeat for more
    #[arg(long = "org", value_name = "ID")]
    pub orgs: Vec<String>,
    /// Rotate every organization that has a DEK
    #[arg(long)]
    pub all: bool,
    /// Rotate organizations whose DEK is older than the policy allows, oldest first
    #[arg(long)]
    pub due: bool,
    /// How many organizations --due may start
    #[arg(long, value_name = "N", requires = "due", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_orgs: Option<u32>,
    /// Why; kept in the audit chain
    #[arg(long, value_name = "TEXT", required_unless_present = "join")]
    pub reason: Option<String>,
    /// Go back: make the previous version active again and return the cells
    #[arg(long, requires = "orgs", conflicts_with_all = ["all", "due", "dek_only"])]
    pub revert: bool,
    /// Flip only and leave every cell dark until re-encrypt moves it
    #[arg(long, help_heading = "Safety")]
    pub dek_only: bool,
    /// Refuse an organization whose cells would be dark for longer
    #[arg(long, value_name = "DURATION", value_parser = crate::core::duration::parse, help_heading = "Safety")]
    pub max_outage: Option<Duration>,
    /// How cells get to the new version
    #[arg(long, value_name = "HOW", value_enum, default_value = "online", conflicts_with_all = ["revert", "dek_only"])]
    pub cutover: Cutover,
    /// Longest one-transaction cutover, by the estimate; larger organizations go online
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = crate::core::duration::parse)]
    pub max_cutover: Duration,
    /// Command that drops the application's cached keys or restarts it: run after each organization's commit.
    /// In production it comes from the configuration file
    #[arg(long, value_name = "COMMAND", conflicts_with = "dek_only")]
    pub after_commit: Option<String>,
    #[command(flatten)]
    pub options: MoveOptions,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        if let Some(job) = &self.options.join {
            return movement::join(app, job, &self.options);
        }
        let reason = self.reason.unwrap_or_default();
        movement::require_reason(&reason)?;
        let scope = if self.due {
            let at_most = self.max_orgs.or(app.settings.policy.max_orgs).ok_or_else(|| {
                Failure::usage("no-max-orgs", "--due does not say how many organizations it may start")
                    .hint("give --max-orgs N, or policy.max-orgs in the configuration file")
            })?;
            Scope::Due { at_most }
        } else if self.all {
            Scope::All
        } else {
            Scope::Organizations(movement::organizations(&self.orgs)?)
        };
        let kind = if self.revert { JobKind::Revert } else { JobKind::Rotate };
        let request = Request {
            max_outage: self.max_outage,
            dek_only: self.dek_only,
            cutover: self.cutover,
            max_cutover: self.max_cutover,
            after_commit: after_commit(app, self.after_commit)?,
            ..self.options.request(app, kind, scope, reason)?
        };
        movement::run(app, request, &self.options)
    }
}

/// What to run when the application may drop its cached keys. In production only what the configuration file says.
fn after_commit(app: &App, given: Option<String>) -> Result<Option<String>, Failure> {
    if given.is_some() && app.settings.is_production() {
        return Err(Failure::usage(
            "after-commit-in-production",
            "--after-commit is not taken from the command line in production",
        )
        .hint("put it into the configuration file: `after-commit: COMMAND`"));
    }
    Ok(given.or_else(|| app.settings.after_commit.as_ref().map(|command| command.value.clone())))
}
