//! What `rotate` and `re-encrypt` share: the options of a move, how its plan is shown, how its end is reported.
//! Not a verb. Nothing here decides anything; `ops::rotation` plans and `ops::job` runs.

use crate::app::{App, Outcome};
use crate::core::cell::Wishes;
use crate::core::data_map::Opens;
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::db::jobs::{JobKind, Part, PartState};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::job::{self, Ended};
use crate::ops::permit::{Consent, Danger, Permit};
use crate::ops::rotation::{self, Plan, Request};
use crate::ops::wrapping::Vault;
use serde_json::{Value, json};
use std::time::Duration;

/// Options of everything that moves cells.
#[derive(Clone, Debug, clap::Args)]
pub struct MoveOptions {
    /// Also seal values that were never sealed
    #[arg(long)]
    pub include_plaintext: bool,
    /// Peel envelopes whose whole content is another envelope
    #[arg(long)]
    pub unwrap_nested: bool,
    /// How long an application may go on using a cached key; 0s says that none does [default: the data map's, 5m]
    #[arg(long, value_name = "DURATION", value_parser = crate::core::duration::parse)]
    pub settle: Option<Duration>,
    /// Move cells although UPDATE triggers will fire
    #[arg(long, help_heading = "Safety")]
    pub allow_triggers: bool,
    /// Show the plan and stop
    #[arg(long, help_heading = "Safety")]
    pub dry_run: bool,
    #[command(flatten)]
    pub consent: Consent,
}

impl MoveOptions {
    /// What to do beyond moving.
    pub fn wishes(&self) -> Wishes {
        Wishes { include_plaintext: self.include_plaintext, unwrap_nested: self.unwrap_nested }
    }
}

/// Organization ids from the command line.
pub fn organizations(ids: &[String]) -> Result<Vec<OrgId>, Failure> {
    let mut all = Vec::new();
    for id in ids {
        let id = OrgId::parse(id).map_err(|e| Failure::usage("bad-organization", format!("--org: {e}")))?;
        if !all.contains(&id) {
            all.push(id);
        }
    }
    Ok(all)
}

/// Plan, show, permit, apply, report.
pub fn run(app: &App, request: Request, options: &MoveOptions) -> Result<Outcome, Failure> {
    let mut session = app.connect()?;
    let vault = Vault::of(app)?;
    let plan = rotation::plan(app, &mut session, &vault, request)?;
    drop(session);
    let shown = plan_text(app, &plan);
    if options.dry_run {
        let mut outcome = Outcome::done(plan_json(&plan), shown)?;
        outcome.problems = plan.problems.clone();
        outcome.problems.extend(plan.refused.iter().map(|(o, f)| refusal(o, f)));
        outcome.exit = Exit::worst(plan.refused.iter().map(|(_, f)| f.exit));
        return Ok(outcome);
    }
    app.ui.say(shown.trim_end());
    if plan.organizations.is_empty() && plan.job.is_none() {
        if !plan.refused.is_empty() {
            let problems: Vec<Problem> = plan.refused.iter().map(|(o, f)| refusal(o, f)).collect();
            let text = format!("{}Nothing was changed.\n", problems_text(&problems));
            let mut outcome = Outcome::done(plan_json(&plan), text)?;
            outcome.problems = problems;
            outcome.exit = Exit::worst(plan.refused.iter().map(|(_, f)| f.exit));
            return Ok(outcome);
        }
        return Outcome::done(json!({"rotations": [], "job": null}), "Nothing to do.\n");
    }
    let (danger, question, typed) = question(&plan);
    let permit = Permit::ask(&app.ui, danger, &options.consent, &plan.digest, &question, &typed)?;
    let ended = job::run(app, &vault, plan, &permit)?;
    app.delivers(ended.delivery());
    report(app, ended)
}

fn question(plan: &Plan) -> (Danger, String, String) {
    let first = plan.organizations.first();
    let name = first.map_or("nothing", |p| p.organization.as_str()).to_owned();
    let cells = plan.organizations.iter().any(|p| p.from.is_some());
    match plan.request.kind {
        JobKind::Rotate if plan.request.dek_only && cells => {
            (Danger::Severe, "Cells stay dark until re-encrypt has moved them.".to_owned(), name)
        }
        JobKind::Rotate => (Danger::Moderate, "Rotate?".to_owned(), name),
        JobKind::Revert => (Danger::Moderate, "Go back?".to_owned(), name),
        JobKind::ReEncrypt => (Danger::Moderate, "Move the cells?".to_owned(), name),
    }
}

fn plan_text(app: &App, plan: &Plan) -> String {
    let mut text = format!("{}\n", plan.context_line);
    if let Some(job) = &plan.job {
        text.push_str(&format!("Going on with job {} ({}), begun {:.0}\n", job.id, job.scope, job.created_at));
    }
    let rows: Vec<Vec<String>> = plan
        .organizations
        .iter()
        .map(|p| {
            let versions = match p.from {
                Some(from) if from == p.to => format!("{}", p.to),
                Some(from) => format!("{from} -> {}", p.to),
                None => format!("first: {}", p.to),
            };
            let dark = match p.state {
                PartState::Moving | PartState::Moved => "flipped already".to_owned(),
                _ if p.dark_seconds > 0.0 => format!("about {}", seconds(p.dark_seconds)),
                _ => "-".to_owned(),
            };
            vec![p.organization.to_string(), versions, grouped(p.rows), grouped(p.cells), dark]
        })
        .collect();
    text.push_str(&app.ui.table(&["organization", "version", "rows", "cells", "dark"], &rows, &[2, 3]));
    let total: i64 = plan.organizations.iter().map(|p| p.cells).sum();
    let basis = if plan.rate.1 { "measured here" } else { "assumed" };
    let mut prose = format!("{} cells in all, at {} cells/s ({basis}).", grouped(total), grouped(plan.rate.0 as i64));
    if app.settings.map.value.opens == Opens::ActiveOnly
        && plan.request.kind != JobKind::ReEncrypt
        && !plan.request.dek_only
    {
        prose.push_str(
            " The application cannot open an organization's cells from its flip until they are moved (dark).",
        );
    }
    if plan.settle.is_zero() {
        prose.push_str(" No waiting for cached keys (--settle 0s): no application may hold one.");
    } else {
        prose.push_str(&format!(
            " Afterwards {} until cached keys have run out, then the closing census.",
            seconds(plan.settle.as_secs_f64())
        ));
    }
    text.push_str(&app.ui.prose(&prose));
    text.push('\n');
    if plan.request.dek_only {
        text.push_str("DEK only: cells stay under the old version, dark, until `scrybe-keys re-encrypt` moves them.\n");
    }
    for (organization, failure) in &plan.refused {
        text.push_str(&format!("Refused: {organization}: {failure}\n"));
    }
    for problem in &plan.problems {
        text.push_str(&format!("Note: {}: {}\n", problem.subject, problem.message));
    }
    text.push_str(&format!("Plan {}\n", plan.digest));
    text
}

fn plan_json(plan: &Plan) -> Value {
    let organizations: Vec<Value> = plan
        .organizations
        .iter()
        .map(|p| {
            json!({"organizationId": p.organization.as_str(), "previousVersion": p.from, "newVersion": p.to,
                "rows": p.rows, "cells": p.cells, "darkSecondsEstimate": p.dark_seconds, "state": p.state.as_str()})
        })
        .collect();
    json!({"plan": {"digest": plan.digest, "kind": plan.request.kind.as_str(), "scope": plan.scope, "context": plan.context_line,
        "job": plan.job.as_ref().map(|j| j.id.to_string()), "organizations": organizations,
        "cellsPerSecond": plan.rate.0, "rateMeasured": plan.rate.1, "settleSeconds": plan.settle.as_secs_f64()}})
}

fn refusal(organization: &OrgId, failure: &Failure) -> Problem {
    let hint = failure.hints.first().cloned().unwrap_or_default();
    Problem::new(Severity::Critical, failure.code, organization.as_str(), failure.message.clone(), hint)
}

fn report(app: &App, ended: Ended) -> Result<Outcome, Failure> {
    let rows: Vec<Vec<String>> = ended
        .parts
        .iter()
        .map(|p| {
            vec![
                p.organization.to_string(),
                p.target.as_ref().map_or("-".to_owned(), |(_, v)| v.to_string()),
                grouped(p.cells_moved + p.cells_late),
                p.dark_seconds().map_or("-".to_owned(), seconds),
                if p.quarantined > 0 {
                    format!("{}, {} quarantined", p.state.as_str(), p.quarantined)
                } else {
                    p.state.as_str().to_owned()
                },
            ]
        })
        .collect();
    let mut text = app.ui.table(&["organization", "version", "cells moved", "dark", "state"], &rows, &[2]);
    let late: i64 = ended.parts.iter().map(|p| p.cells_late).sum();
    if late > 0 {
        text.push_str(&format!(
            "{} of these cells were written behind the walk and moved while settling.\n",
            grouped(late)
        ));
    }
    if let Some(census) = &ended.census {
        let stale = census.stale();
        let verdict =
            if stale == 0 { "none is left under an older version" } else { "some are left under an older version" };
        text.push_str(&format!(
            "Closing census: {} cells read in {}, {verdict}.\n",
            grouped(census.cells as i64),
            seconds(census.seconds)
        ));
    }
    if ended.census.is_none()
        && let Some(kept) = kept_census(&ended)
    {
        text.push_str(&format!(
            "Closing census, taken by an earlier run: {} cells read.\n",
            grouped(kept["cells"].as_i64().unwrap_or(0))
        ));
    }
    if ended.stopped.is_none() {
        text.push_str(&format!("Job {} is done.\n", ended.job.id));
    } else {
        text.push_str(&format!("Job {} is not finished.\n", ended.job.id));
    }
    let mut problems = ended.problems.clone();
    problems.extend(ended.refused.iter().map(|(o, f)| refusal(o, f)));
    for part in ended.parts.iter().filter(|p| p.quarantined > 0) {
        problems.push(Problem::new(
            Severity::Critical,
            "quarantined-cells",
            part.organization.as_str(),
            format!("cells that open under no DEK, left as they are: {}", part.quarantined),
            format!("scrybe-keys jobs failures {}", ended.job.id),
        ));
    }
    problems.sort_by_key(|p| std::cmp::Reverse(p.severity));
    text.push_str(&problems_text(&problems));
    let data = report_json(&ended);
    let mut outcome = Outcome::done(data, text)?;
    outcome.changed = ended.parts.iter().any(|p| p.flipped || p.cells_moved + p.cells_late > 0);
    outcome.exit = ended.exit;
    outcome.problems = problems;
    outcome.failure = ended.stopped;
    Ok(outcome)
}

/// Each problem with the next command.
pub fn problems_text(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push_str(&format!(
            "{}: {}: {}\n  next: {}\n",
            word(problem.severity),
            problem.subject,
            problem.message,
            problem.hint
        ));
    }
    text
}

fn report_json(ended: &Ended) -> Value {
    let rotations: Vec<Value> = ended.parts.iter().map(|p| rotation_json(ended, p)).collect();
    json!({"job": ended.job.id.to_string(), "kind": ended.job.kind.as_str(), "scope": ended.job.scope,
        "finished": ended.stopped.is_none(), "stopReason": ended.stopped.as_ref().map(job::stop_reason),
        "rotations": rotations, "census": ended.census.as_ref().map(crate::ops::census::to_json).or_else(|| kept_census(ended))})
}

/// The closing census that an earlier run of the same job took.
fn kept_census(ended: &Ended) -> Option<Value> {
    serde_json::from_str(ended.job.census.as_deref()?).ok()
}

fn rotation_json(ended: &Ended, part: &Part) -> Value {
    let requested = !ended.job.scope.contains(" dek-only");
    let status = match part.state {
        PartState::Settled if !requested => "NOT_REQUESTED",
        PartState::Settled => "COMPLETED",
        PartState::Moved | PartState::Moving => "IN_PROGRESS",
        PartState::Pending => "QUEUED",
        PartState::Refused | PartState::Superseded => "FAILED",
    };
    json!({"organizationId": part.organization.as_str(), "success": part.state == PartState::Settled,
        "previousVersion": part.previous.as_ref().map(|(_, v)| *v), "newVersion": part.target.as_ref().map(|(_, v)| *v),
        "dekId": part.target.as_ref().map(|(id, _)| id.as_str()),
        "rotatedAt": part.flipped.then_some(part.flipped_at).flatten().map(|t| t.to_string()), "rotatedBy": ended.job.actor,
        "reEncryptionStatus": {"requested": requested, "status": status}, "state": part.state.as_str(),
        "darkSeconds": part.dark_seconds(), "darkCellSeconds": if part.flipped { Some(part.dark_cell_seconds) } else { None },
        "rowsVisited": part.rows_visited, "cellsMoved": part.cells_moved, "cellsMovedLate": part.cells_late,
        "bytesMoved": part.bytes_moved, "quarantined": part.quarantined,
        "problem": part.problem.as_ref().map(|(code, message)| json!({"code": code, "message": message}))})
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// Seconds as a person reads them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// How a severity stands before a line.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Unknown => "unknown",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-1000), "-1,000");
        assert_eq!(seconds(0.44), "0.4 s");
        assert_eq!(seconds(59.4), "59 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(7500.0), "2 h 5 min");
    }
}
