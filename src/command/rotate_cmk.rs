//! `rotate-cmk`: new material for the master key, on demand.

use super::movement;
use super::movement::problems_text;
use crate::app::{App, Outcome};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::Journal;
use crate::ops::binding;
use crate::ops::material::{self, ON_DEMAND_LIMIT, Plan, Rotated};
use crate::ops::permit::{Consent, Danger, Permit};
use serde_json::{Value, json};
use std::time::Duration;

/// Give the master key new material now (KMS on-demand rotation)
///
/// From then on KMS wraps with the new material. What is wrapped already stays under the old one, which unwraps for ever: DEKs and cells do
/// not change, and `scrybe-keys rewrap --old-material` moves the DEKs. A key has 25 of these in its life, so the call is sent once: when KMS
/// does not answer, the list of materials tells what became of it, in this run or the next.
///
/// Example: scrybe-keys rotate-cmk --reason "quarterly rotation"
///
/// Changes the key in KMS. It cannot be undone. Exit codes: 0; 2; 4 not agreed to, or no database to record it in; 5 another rotation is under
/// way, or none is left; 6 denied; 8 the outcome is not known yet: the same command looks before it sends anything.
#[derive(clap::Args)]
pub struct Args {
    /// Why; kept in the audit chain
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// How long to wait until the new material is in use
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = crate::core::duration::parse)]
    pub wait: Duration,
    /// Rotate although no database is named to record it in
    #[arg(long, help_heading = "Safety")]
    pub no_record: bool,
    /// Show the plan and stop
    #[arg(long, help_heading = "Safety")]
    pub dry_run: bool,
    #[command(flatten)]
    pub consent: Consent,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        movement::require_reason(&self.reason)?;
        let recorded = app.settings.database.is_some();
        if recorded && self.no_record {
            return Err(Failure::usage(
                "recorded-anyway",
                "--no-record is for where no database is named; here one is",
            )
            .hint("leave --no-record out: the rotation is recorded in its audit chain"));
        }
        let (context_line, mut journal) = self.world(app)?;
        let now = jiff::Timestamp::now();
        let mut plan = material::plan(app, journal.as_mut(), context_line, self.reason.clone(), now)?;
        if self.dry_run {
            let mut outcome = Outcome::done(as_json(&plan, None, recorded), plan_text(app, &plan, recorded))?;
            outcome.problems = plan.problems;
            return Ok(outcome);
        }
        if let Some(journal) = &mut journal
            && let Some(earlier) = material::settle_earlier(&mut plan, journal, now)?
        {
            let text = format!(
                "An earlier rotation was found done: its outcome is recorded now, and nothing was sent.\n{}",
                rotated_text(&earlier)
            );
            let mut outcome = Outcome::done(as_json(&plan, Some(&earlier), recorded), text)?;
            outcome.changed = true;
            return Ok(outcome);
        }
        material::refuse_a_second(&plan)?;
        app.ui.say(plan_text(app, &plan, recorded).trim_end());
        if !recorded && !self.no_record {
            return Err(Failure::new(
                Exit::Gate,
                "unrecorded",
                "no database is named: nothing would be recorded; nothing was changed",
            )
            .hint("name the database, so that it is in the audit chain")
            .hint("or, where there is none yet: --no-record"));
        }
        let question = match plan.left() {
            Some(left) => format!("Rotate it? {left} of {ON_DEMAND_LIMIT} are left in its life."),
            None => "Rotate it? How many are left in its life is not known.".to_owned(),
        };
        let permit = Permit::ask(&app.ui, Danger::Moderate, &self.consent, &plan.digest, &question, &plan.key.arn)?;
        let before = as_json(&plan, None, recorded);
        let problems = plan.problems.clone();
        let rotated = material::rotate(app, plan, &permit, journal, self.wait)?;
        let mut text = rotated_text(&rotated);
        if !recorded {
            text.push_str("Nothing was recorded: no database is named.\n");
        }
        let mut outcome = Outcome::done(with_rotation(before, &rotated), text)?;
        outcome.changed = true;
        outcome.problems = problems;
        Ok(outcome)
    }

    /// Where this is, and where it is recorded. Without a database there is only what the settings say.
    fn world(&self, app: &App) -> Result<(String, Option<Journal>), Failure> {
        if app.settings.database.is_none() {
            let assumed = binding::assumed(&app.settings);
            return Ok((binding::context_line(&app.settings, &assumed), None));
        }
        let mut session = app.connect()?;
        session.require_schema()?;
        let bound = binding::check(app, &mut session, true)?;
        Ok((binding::context_line(&app.settings, &bound), Some(Journal::open(app)?)))
    }
}

fn plan_text(app: &App, plan: &Plan, recorded: bool) -> String {
    let mut text = format!("{}\nKey {}\n", plan.context_line, plan.key.arn);
    if let Ok(all) = &plan.materials {
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|m| {
                vec![
                    m.material_id.as_deref().map_or_else(|| "-".to_owned(), |id| id.get(..16).unwrap_or(id).to_owned()),
                    m.rotated_at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d").to_string()),
                    m.kind.as_deref().map_or_else(|| "first".to_owned(), |kind| kind.to_lowercase().replace('_', " ")),
                    if m.current { "wraps" } else { "unwraps" }.to_owned(),
                ]
            })
            .collect();
        text.push_str(&app.ui.table(&["material", "since", "made", "use"], &rows, &[]));
    }
    match plan.left() {
        Some(left) => {
            text.push_str(&format!("Rotations on demand left: {left} of {ON_DEMAND_LIMIT}, for the life of the key\n"))
        }
        None => text.push_str("Rotations on demand left: not known\n"),
    }
    match &plan.automatic {
        Some(status) if status.enabled => {
            let next = status.next_at.map_or_else(|| "not told".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
            text.push_str(&format!("Next automatic rotation: {next}\n"));
        }
        Some(_) => text.push_str("Automatic rotation is off\n"),
        None => text.push_str("Automatic rotation: not told\n"),
    }
    let prose =
        "DEKs and cells keep their wrapping: `scrybe-keys rewrap --old-material` moves the DEKs. It cannot be undone.";
    text.push_str(&app.ui.prose(prose));
    text.push('\n');
    if !recorded {
        text.push_str("No database is named: it would not be recorded.\n");
    }
    text.push_str(&problems_text(&plan.problems));
    text.push_str(&format!("Plan {}\n", plan.digest));
    text
}

fn rotated_text(rotated: &Rotated) -> String {
    let left = match rotated.left {
        Some(left) => format!("{left} of {ON_DEMAND_LIMIT} rotations on demand are left"),
        None => "how many rotations on demand are left is not known".to_owned(),
    };
    format!(
        "{} wraps with material {} now; {left}.\nDEKs are still under the old one.\n  next: scrybe-keys rewrap --old-material --reason …\n",
        rotated.key_arn, rotated.material
    )
}

fn as_json(plan: &Plan, rotated: Option<&Rotated>, recorded: bool) -> Value {
    let materials = plan.materials.as_ref().ok().map(|all| {
        all.iter()
            .map(|m| json!({"materialId": m.material_id, "rotatedAt": m.rotated_at, "kind": m.kind, "current": m.current}))
            .collect::<Vec<_>>()
    });
    let plan_json = json!({"digest": plan.digest, "context": plan.context_line, "keyArn": plan.key.arn,
        "materialId": plan.current(), "materials": materials, "onDemandUsed": plan.on_demand(), "onDemandLeft": plan.left(),
        "onDemandLimit": ON_DEMAND_LIMIT, "automaticRotation": plan.automatic.as_ref().map(|a| a.enabled),
        "nextAutomaticRotation": plan.automatic.as_ref().and_then(|a| a.next_at), "recorded": recorded, "rotation": null});
    match rotated {
        Some(rotated) => with_rotation(plan_json, rotated),
        None => plan_json,
    }
}

fn with_rotation(mut data: Value, rotated: &Rotated) -> Value {
    data["rotation"] = json!({"sent": rotated.sent, "previousMaterialId": rotated.previous, "materialId": rotated.material,
        "onDemandLeft": rotated.left, "requestId": rotated.request_id});
    data
}
