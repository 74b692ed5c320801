//! `rewrap`: DEKs get a new wrapping; DEKs and cells stay what they are.

use super::{movement, rewrap_shown};
use crate::app::{App, Outcome};
use crate::db::Session;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::Journal;
use crate::ops::permit::{Consent, Danger, Permit};
use crate::ops::rewrapping::{self, Plan, Request, RowReport, Scope};

/// Wrap DEKs anew, under another master key or the newest material of the same one
///
/// KMS rewraps inside itself (ReEncrypt): a DEK, its version and the cells under it do not change, and the application goes on meanwhile. A
/// wrapping is replaced only when the new one is proven: KMS opens both to the same key, and live cells of the organization open under its
/// DEKs. The old one is kept in the tool's schema. Rows that are under the target already are left alone, so the same command goes on after any death.
///
/// To another key the application must be allowed to use it first: nobody can try that for another role, so it is asked for by name.
/// --bind binds the database to the target once every DEK is under it. Nothing is moved to another key while a job is unfinished: jobs open DEKs
/// under the bound key alone. A DEK that is found under an old key later is moved by the same command.
///
/// Example: scrybe-keys rewrap --old-material --reason "after rotate-cmk"
///
/// Changes the wrapped column of the DEK table and the tool's own schema. To undo: the same with --to the old key. Exit codes: 0; 2; 3 some
/// could not be rewrapped and stay as they were; 4 not agreed to; 5; 6 denied; 7 not finished, run it again; 8; 9 a proof failed: escalate.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).multiple(true).args(["orgs", "all", "old_material"]))]
pub struct Args {
    /// The key that wraps from now on: id, ARN or alias [default: the configured key, its newest material]
    #[arg(long, value_name = "KEY")]
    pub to: Option<String>,
    /// Only DEKs of this organization; repeat for more
    #[arg(long = "org", value_name = "ID", conflicts_with = "all")]
    pub orgs: Vec<String>,
    /// DEKs of every organization
    #[arg(long)]
    pub all: bool,
    /// Only DEKs that are not on the newest material of the key they are under
    #[arg(long)]
    pub old_material: bool,
    /// Why; kept in the audit chain and beside the old wrapping
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// KMS calls a second; three or so for each DEK
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_rate: Option<u32>,
    /// Bind the database to the target once every DEK is under it
    #[arg(long, requires = "to", conflicts_with = "orgs")]
    pub bind: bool,
    /// Say that the application's role may Decrypt under the target: its ARN, in full
    #[arg(long, value_name = "ARN", help_heading = "Safety")]
    pub application_can_use: Option<String>,
    /// Show the plan and stop
    #[arg(long, help_heading = "Safety")]
    pub dry_run: bool,
    #[command(flatten)]
    pub consent: Consent,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        movement::require_reason(&self.reason)?;
        let request = Request {
            scope: if self.orgs.is_empty() {
                Scope::All
            } else {
                Scope::Organizations(movement::organizations(&self.orgs)?)
            },
            target: self.to.clone(),
            old_material: self.old_material,
            bind: self.bind,
            reason: self.reason.clone(),
            max_rate: self.max_rate,
        };
        let mut session = app.connect()?;
        if self.dry_run {
            let plan = rewrapping::plan(app, &mut session, request)?;
            let mut outcome = Outcome::done(rewrap_shown::plan_json(&plan), rewrap_shown::plan_text(app, &plan))?;
            outcome.exit = rewrapping::refused(&plan);
            outcome.problems = plan.problems;
            return Ok(outcome);
        }
        // A database without our schema has nothing to lock.
        session.require_schema()?;
        rewrapping::lock(&mut session)?;
        let plan = rewrapping::plan(app, &mut session, request)?;
        let mut journal = Journal::open(app)?;
        let closed = rewrapping::close_interrupted(&mut session, &mut journal)?;
        if closed > 0 {
            app.ui.say("An earlier run was interrupted: its outcome is recorded now, and this one goes on.");
        }
        if !plan.has_work() {
            return nothing_to_do(app, &mut session, &plan, closed > 0);
        }
        app.ui.say(rewrap_shown::plan_text(app, &plan).trim_end());
        self.application_can_use_it(app, &plan)?;
        let permit = Permit::ask(&app.ui, Danger::Moderate, &self.consent, &plan.digest, "Rewrap?", plan.target.arn())?;
        let rehearsals = plan.rehearsals.clone();
        let shown = rewrap_shown::Frame::of(&plan);
        let report = rewrapping::apply(app, &mut session, &mut journal, plan, &permit)?;
        rewrap_shown::outcome(app, &shown, &rehearsals, report)
    }

    /// The application's rights are asked for by name: KMS judges only the caller's.
    fn application_can_use_it(&self, app: &App, plan: &Plan) -> Result<(), Failure> {
        if !plan.needs_access() {
            return Ok(());
        }
        let arn = plan.target.arn();
        let said = match &self.application_can_use {
            Some(said) => said.clone(),
            None if app.ui.is_attended() => {
                app.ui.warn(
                    "an application that may not Decrypt under the target loses its DEKs when its caches run out",
                );
                app.ui.ask_text(&format!("The application's role may Decrypt under the target. Type {arn} to go on"))?
            }
            None => {
                let message =
                    format!("nobody has said that the application may Decrypt under {arn}; nothing was changed");
                return Err(Failure::new(Exit::Gate, "application-access-unconfirmed", message)
                    .hint("see to it in the key policy of the target, and try it as the application")
                    .hint(format!("then say so: --application-can-use {arn}")));
            }
        };
        if said.trim() == arn {
            return Ok(());
        }
        let message = format!("the target is {arn}, another key than was confirmed; nothing was changed");
        Err(Failure::new(Exit::Gate, "application-access-unconfirmed", message)
            .hint(format!("--application-can-use {arn}, once the application may Decrypt under it")))
    }
}

/// What was learned is written down all the same: the next look at these rows needs no KMS.
fn nothing_to_do(app: &App, session: &mut Session, plan: &Plan, closed: bool) -> Result<Outcome, Failure> {
    let recorded = rewrapping::remember(session, plan)?;
    let mut text = if plan.deks().any(|dek| RowReport::planned(dek).outcome == rewrapping::Outcome::Refused) {
        app.ui.say(rewrap_shown::plan_text(app, plan).trim_end());
        "Nothing was rewrapped.\n".to_owned()
    } else {
        format!("Nothing to do: {}.\n", rewrap_shown::standing(plan))
    };
    text.push_str(&movement::problems_text(&plan.problems));
    let mut outcome = Outcome::done(rewrap_shown::plan_json(plan), text)?;
    outcome.changed = recorded > 0 || closed;
    outcome.exit = rewrapping::refused(plan);
    outcome.problems = plan.problems.clone();
    Ok(outcome)
}
