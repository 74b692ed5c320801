//! `create-cmk`: the master key and what must stand around it. `policy` and `iam` print and judge documents, and change nothing.

mod iam;
mod policy;
mod shown;

use crate::app::{App, Outcome};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::permit::{Consent, Danger, Permit};
use crate::ops::provisioning::{self, Allow, Asked, Outputs, Survey};
use crate::ops::{binding, installation};
use crate::ui::Answer;
use serde_json::json;
use std::path::PathBuf;

/// Provision the master key, its policy and aliases, and the trail, log bucket and alarms around it
///
/// Reads what exists, shows what differs from the `provision:` section of the configuration (`init` writes a commented example), and makes only
/// that. Everything is found again by name, alias or tag: a second run has nothing to do, and a run that was killed is finished by the next.
/// Without a section it makes a key with aliases and rotation, and says what is then missing around it. Needs no database; one that is named
/// must be of the same environment.
///
/// Example: scrybe-keys create-cmk --environment staging --dry-run
///
/// Changes the AWS account. To undo: nothing is deleted for you; aliases and policies are shown before they are overwritten. Exit codes: 0; 2;
/// 3 (--dry-run found a difference, or something cannot be changed); 4 not agreed to, or --allow is missing; 5; 6; 7 not settled, run it again; 8.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Show what would be made and change nothing; exit code 3 when something differs
    #[arg(long, visible_alias = "plan")]
    pub dry_run: bool,
    /// Agree to overwriting a policy, moving an alias, taking over a key (comma-separated)
    #[arg(long, value_name = "WHAT", value_delimiter = ',', help_heading = "Safety")]
    pub allow: Vec<Allow>,
    /// Make the key a multi-Region key; this is fixed when a key is made
    #[arg(long)]
    pub multi_region: bool,
    /// Copy the key into this region too; repeat for more
    #[arg(long = "replica-region", value_name = "REGION")]
    pub replica_regions: Vec<String>,
    /// Write the application's settings (AWS_KMS_KEY_ID and so on) into this file; one that holds anything else is refused
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    #[command(flatten)]
    pub consent: Consent,
}

#[derive(clap::Subcommand)]
enum What {
    /// Show or judge a key policy
    #[command(subcommand)]
    Policy(policy::What),
    /// Print the IAM roles around the key
    #[command(subcommand)]
    Iam(iam::What),
}

impl Args {
    /// The linter judges a file and nothing else: no setting can be wrong for it.
    pub fn needs_settings(&self) -> bool {
        !matches!(self.what, Some(What::Policy(policy::What::Lint(_))))
    }

    /// True for the documents: nothing is changed.
    pub fn only_reads(&self) -> bool {
        self.what.is_some()
    }

    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        match self.what {
            Some(What::Policy(what)) => return what.run(app),
            Some(What::Iam(what)) => return what.run(app),
            None => {}
        }
        refuse_other_world(app)?;
        if let Some(path) = &self.env_file {
            provisioning::check_env_file(path)?;
        }
        let asked = Asked { multi_region: self.multi_region, replica_regions: self.replica_regions.clone() };
        let survey = provisioning::survey(app, &asked, &self.allow)?;
        if self.dry_run {
            return dry(app, &survey);
        }
        if let Some(unread) = survey.unread().find_map(|item| item.unknown.clone()) {
            let mut outcome = shown::outcome(app, &survey, &[])?;
            let failure = Failure::from(unread).hint("nothing was changed: what cannot be read is not overwritten");
            outcome.exit = failure.exit;
            outcome.failure = Some(failure);
            return Ok(outcome);
        }
        provisioning::close_interrupted(app, &survey)?;
        if !survey.has_work() {
            let outcome = shown::outcome(app, &survey, &[])?;
            return self.finish(app, outcome, survey.outputs());
        }
        let findings = survey.lint();
        app.ui.say(&shown::plan(app, &survey, &findings));
        if survey.sends_key_policy() {
            shown::refuse_dangerous(&findings)?;
        }
        refuse_unallowed(&survey)?;
        let question = format!("Make these {} AWS calls?", shown::calls(&survey));
        let permit = Permit::ask(&app.ui, Danger::Moderate, &self.consent, &survey.digest(), &question, "")?;
        let before = shown::outcome(app, &survey, &[])?;
        let applied = survey.apply(app, &asked, &permit)?;
        let changed = !applied.done.is_empty();
        let now = match applied.ended {
            Ok(now) => now,
            Err(failure) => {
                let mut data = before.data;
                data["done"] = json!(applied.done);
                let text = format!("{} AWS calls were made.\n", applied.done.len());
                let exit = failure.exit;
                return Ok(Outcome { exit, changed, failure: Some(failure), ..Outcome::done(data, text)? });
            }
        };
        let mut outcome = shown::outcome(app, &now, &applied.done)?;
        outcome.changed = changed;
        let outputs = now.outputs();
        offer_to_bind(app, &mut outcome)?;
        self.finish(app, outcome, outputs)
    }

    fn finish(&self, app: &App, mut outcome: Outcome, outputs: Option<Outputs>) -> Result<Outcome, Failure> {
        if let (Some(path), Some(outputs)) = (&self.env_file, outputs) {
            provisioning::write_env_file(path, &outputs.environment_config)?;
            app.ui.say(&format!("wrote {}", path.display()));
        }
        // A part that cannot be read back is not known to be there.
        if outcome.exit == Exit::Done && !outcome.problems.is_empty() {
            outcome.exit = Exit::Findings;
        }
        Ok(outcome)
    }
}

fn dry(app: &App, survey: &Survey) -> Result<Outcome, Failure> {
    let findings = survey.lint();
    let mut outcome = shown::outcome(app, survey, &[])?;
    outcome.text = format!("{}{}", shown::plan(app, survey, &findings), outcome.text);
    outcome.problems.extend(findings);
    let unread = survey.unread().filter_map(|item| item.unknown.clone()).map(|error| Failure::from(error).exit);
    let drift = if survey.has_drift() { Exit::Findings } else { Exit::Done };
    outcome.exit = Exit::worst(unread.chain([drift]));
    Ok(outcome)
}

/// A database that is named belongs to the same world; one that cannot be asked is no reason to stop.
fn refuse_other_world(app: &App) -> Result<(), Failure> {
    provisioning::environment(app)?;
    if app.settings.database.is_none() {
        return Ok(());
    }
    match app.connect() {
        Ok(mut session) => binding::check(app, &mut session, false).map(drop),
        Err(failure) => {
            app.ui.warn(&format!("the database could not be asked which environment it belongs to: {failure}"));
            Ok(())
        }
    }
}

fn refuse_unallowed(survey: &Survey) -> Result<(), Failure> {
    let missing = survey.unallowed();
    let Some((_, first)) = missing.first() else { return Ok(()) };
    let all: Vec<&str> = missing.iter().map(|(allow, _)| allow.as_str()).collect();
    let text = format!("{first}: this is not done unasked; nothing was changed");
    let mut failure = Failure::new(Exit::Gate, "allow-needed", text);
    for (allow, what) in &missing {
        failure = failure.hint(match allow {
            Allow::Policy => format!("--allow policy overwrites it ({what})"),
            Allow::Alias => format!("--allow alias moves it ({what})"),
            Allow::Adopt => {
                format!("--allow adopt takes that key over; --allow alias makes a new key and moves the alias ({what})")
            }
        });
    }
    Err(failure.hint(format!("all together: --allow {}", all.join(","))))
}

/// The database, where one is at hand and nobody has bound it yet.
fn offer_to_bind(app: &App, outcome: &mut Outcome) -> Result<(), Failure> {
    let Some(Ok(mut session)) = app.settings.database.as_ref().map(|_| app.connect()) else { return Ok(()) };
    let Ok(survey) = installation::survey(app, &mut session, false) else { return Ok(()) };
    if !survey.has_work() {
        return Ok(());
    }
    let shown = app.settings.database.as_ref().map(|d| d.value.shown()).unwrap_or_default();
    let question = format!("Bind the database {shown} to this key now, as `scrybe-keys init` does?");
    if !app.ui.is_attended() || app.ui.ask(&question, Answer::No)? == Answer::No {
        outcome.text.push_str("Next: scrybe-keys init binds the database to this key\n");
        return Ok(());
    }
    let agreed = Consent { yes: true, confirm: None };
    let permit = Permit::ask(&app.ui, Danger::Mild, &agreed, &survey.digest(), &question, "")?;
    installation::apply(app, &mut session, survey, &permit)?;
    outcome.text.push_str("The database is bound to this key.\n");
    Ok(())
}
