//! `init`: makes a database ready for the tool, once.

use crate::app::{App, Outcome, Reader};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::binding;
use crate::ops::installation::{self, Survey};
use crate::ops::permit::{Consent, Danger, Permit};
use serde_json::{Value, json};

/// Bind this database to its environment and install the tool's own schema
///
/// Makes the schema scrybe_keys (or upgrades it), binds the database to environment, provider and master key, and
/// writes a commented configuration file where there is none. Does only what is missing; the application's tables are not touched.
///
/// Example: scrybe-keys init --check --environment staging
///
/// To undo: DROP SCHEMA scrybe_keys CASCADE (this loses the audit chain). Exit codes: 0, 2, 3 (--check found something missing),
/// 4, 5 (bound to another world, or a newer schema), 6, 8.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing; print what is missing, privileges as the GRANTs to run
    #[arg(long)]
    pub check: bool,
    /// Mark the database as a sandbox: every plan says so
    #[arg(long, hide = true)]
    pub sandbox: bool,
    #[command(flatten)]
    pub consent: Consent,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let mut session = app.connect()?;
        let survey = installation::survey(app, &mut session, self.sandbox)?;
        if self.check {
            return Ok(checked(&survey));
        }
        if !survey.has_work() {
            let binding = survey.bound.as_ref().expect("a survey without work found a binding");
            return outcome(
                app,
                "Nothing was needed.",
                binding,
                json!({"schemaVersion": crate::db::known_version()}),
                false,
            );
        }
        let line = match survey.wanted {
            Ok(ref wanted) => binding::context_line(&app.settings, wanted),
            Err(why) => return Err(why),
        };
        app.ui.say(&line);
        survey.plan().iter().for_each(|step| app.ui.say(&format!("  {step}")));
        let permit = Permit::ask(&app.ui, Danger::Mild, &self.consent, &survey.digest(), "Go on?", "")?;
        let report = installation::apply(app, &mut session, survey, &permit)?;
        let data = json!({
            "schemaVersion": crate::db::known_version(),
            "schemaFrom": report.installed.and_then(|i| i.from),
            "schemaInstalled": report.installed.is_some(),
            "boundNow": report.bound_now,
            "configWritten": report.config_written.as_ref().map(|p| p.display().to_string()),
        });
        let mut text = "This database is ready.".to_owned();
        if let Some(path) = &report.config_written {
            text.push_str(&format!("\nSettings were written to {}", path.display()));
        }
        outcome(app, &text, &report.binding, data, true)
    }
}

fn outcome(
    app: &App,
    text: &str,
    bound: &crate::db::Binding,
    mut data: Value,
    changed: bool,
) -> Result<Outcome, Failure> {
    data["binding"] = json!({
        "environment": bound.environment.as_str(), "provider": bound.provider.as_str(), "account": bound.account,
        "region": bound.region, "keyArn": bound.key_arn, "sandbox": bound.sandbox, "boundAt": bound.bound_at,
    });
    let text = format!("{}\n{text}\nNext: scrybe-keys health", binding::context_line(&app.settings, bound));
    Ok(Outcome { changed, ..Outcome::done(data, text)? })
}

fn checked(survey: &Survey) -> Outcome {
    let problems = survey.problems();
    let (exit, mut text) = match problems.len() {
        0 => (Exit::Done, "Nothing is missing.".to_owned()),
        _ => (Exit::Findings, String::new()),
    };
    let (grants, others): (Vec<_>, Vec<_>) = problems.iter().partition(|p| p.code == "missing-privilege");
    for problem in others {
        text.push_str(&format!("{}\n  next: {}\n", problem.message, problem.hint));
    }
    if !grants.is_empty() {
        text.push_str("This role lacks privileges. An owner of the database runs:\n");
        grants.iter().for_each(|grant| text.push_str(&format!("  {}\n", grant.hint)));
    }
    let data = json!({
        "plan": survey.plan(),
        "missingPrivileges": grants.iter().map(|g| json!({"sql": g.hint, "why": g.message})).collect::<Vec<_>>(),
    });
    Outcome { exit, changed: false, data, problems, text, failure: None, reader: Reader::Person }
}
