//! How a rewrap is shown, before and after: a table and prose for a person, one shape of JSON for both. Nothing here decides anything.

use super::movement::problems_text;
use crate::app::{App, Outcome};
use crate::error::Failure;
use crate::ops::binding::arn_part;
use crate::ops::rewrapping::{self, Fate, Plan, Rebind, Rehearsed, Report, RowReport, Verdict};
use serde_json::{Value, json};

/// What plan and report have in common.
pub(super) struct Frame {
    digest: String,
    context_line: String,
    target: String,
    material: Option<String>,
    region: Option<String>,
    rebind: Rebind,
}

impl Frame {
    pub(super) fn of(plan: &Plan) -> Frame {
        Frame {
            digest: plan.digest.clone(),
            context_line: plan.context_line.clone(),
            target: plan.target.arn().to_owned(),
            material: plan.target.key.material_id.clone(),
            region: arn_part(plan.target.arn(), 3),
            rebind: plan.rebind.clone(),
        }
    }
}

/// The plan for a person.
pub(super) fn plan_text(app: &App, plan: &Plan) -> String {
    let frame = Frame::of(plan);
    let rows: Vec<RowReport> = plan.deks().map(RowReport::planned).collect();
    let mut text = format!("{}\n{}", frame.context_line, table(app, &frame, &rows));
    let count = plan.count(|fate| matches!(fate, Fate::Rewrap));
    if !plan.has_work() {
        text.push_str(&format!("Nothing to do: {}.\n", standing(plan)));
        text.push_str(&problems_text(&plan.problems));
        text.push_str(&format!("Plan {}\n", frame.digest));
        return text;
    }
    let many = if count == 1 { "1 DEK gets".to_owned() } else { format!("{count} DEKs get") };
    text.push_str(&format!("{many} a new wrapping under {}{}\n", frame.target, of_material(&frame.material)));
    let mut prose = "The DEKs, their versions and the cells do not change; what was wrapped before is kept in scrybe_keys.dek_wrapping. "
        .to_owned();
    prose.push_str(&rehearsed_text(&plan.rehearsals));
    if plan.needs_access() {
        prose.push_str(
            " It is another key than the database is bound to. The application must be allowed to Decrypt under it, and must not name the old \
             key when it does: what is not so shows when its cached keys run out. Its rights cannot be rehearsed by anybody else.",
        );
    }
    text.push_str(&app.ui.prose(&prose));
    text.push('\n');
    text.push_str(&binding_text(&frame, false));
    text.push_str(&problems_text(&plan.problems));
    text.push_str(&format!("Plan {}\n", frame.digest));
    text
}

/// How things stand when there is nothing to do.
pub(super) fn standing(plan: &Plan) -> String {
    let there = plan.count(|fate| matches!(fate, Fate::There));
    let all = if there == 1 { "1 DEK is".to_owned() } else { format!("{there} DEKs are") };
    let mut text = format!("{all} under {}{}", plan.target.arn(), of_material(&plan.target.key.material_id));
    for (count, what) in [
        (plan.count(|fate| matches!(fate, Fate::NotOld)), "on the newest material of another key"),
        (plan.count(|fate| matches!(fate, Fate::Bare)), "bare"),
        (plan.count(|fate| matches!(fate, Fate::Destroyed)), "destroyed"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

/// What KMS said to the rehearsals, the refused ones named.
fn rehearsed_text(all: &[Rehearsed]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let refused: Vec<String> = all
        .iter()
        .filter_map(|r| match &r.verdict {
            Verdict::Refused(why) => Some(format!("KMS would refuse {} under {}: {why}.", r.operation, r.source)),
            _ => None,
        })
        .collect();
    if !refused.is_empty() {
        return refused.join(" ");
    }
    if all.iter().all(|r| r.verdict == Verdict::Allowed) {
        return "KMS would allow it: ReEncrypt and Decrypt were rehearsed.".to_owned();
    }
    "This KMS endpoint does not judge rehearsals: whether it allows ReEncrypt and Decrypt shows when it is asked."
        .to_owned()
}

fn binding_text(frame: &Frame, rebound: bool) -> String {
    let target = &frame.target;
    match &frame.rebind {
        Rebind::Bound => String::new(),
        Rebind::Stays(from) => format!(
            "The database stays bound to {from}\n  new DEKs are made under that key, and other verbs open DEKs under that key alone\n  --bind binds the database to the target once every DEK is under it\n"
        ),
        Rebind::Asked(from) => {
            let when = if rebound {
                "The database is bound to the target now"
            } else {
                "The database is bound to the target once every DEK is under it"
            };
            let region = match (&frame.region, arn_part(from, 3)) {
                (Some(new), Some(old)) if *new != old => format!(" and AWS_REGION={new}"),
                _ => String::new(),
            };
            format!(
                "{when}: settings that name the old key are refused from then on\n  next: set AWS_KMS_KEY_ID={target}{region}, or `key:` in the configuration file; aliases of the old key stay: `scrybe-keys health` names those that should move\n"
            )
        }
    }
}

/// Narrow enough for eighty columns with ids that are UUIDs; --json has the rest.
fn table(app: &App, frame: &Frame, rows: &[RowReport]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let is_old = row.key_arn.as_ref() == Some(&frame.target)
                && frame.material.is_some()
                && row.material_id.is_some()
                && row.material_id != frame.material;
            let cmk = row.key_arn.as_deref().map_or("-", |arn| short(arn, 8));
            vec![
                row.organization.to_string(),
                row.version.to_string(),
                format!("{cmk}{}", if is_old { " (old)" } else { "" }),
                said(row.outcome).to_owned(),
            ]
        })
        .collect();
    app.ui.table(&["organization", "version", "cmk", "wrapping"], &rows, &[1])
}

fn said(outcome: rewrapping::Outcome) -> &'static str {
    use rewrapping::Outcome as O;
    match outcome {
        O::Planned => "to be replaced",
        O::Rewrapped => "replaced",
        O::There => "there already",
        O::NotOld => "not on old material",
        O::Bare => "bare key, skipped",
        O::Destroyed => "destroyed",
        O::Refused => "refused",
        O::NotReached => "not reached",
    }
}

/// The beginning of a key's or a material's id: enough to tell them apart.
fn short(id: &str, digits: usize) -> &str {
    let id = id.rsplit('/').next().unwrap_or(id);
    let id = id.strip_prefix("mrk-").unwrap_or(id);
    id.get(..digits).unwrap_or(id)
}

fn of_material(material: &Option<String>) -> String {
    material.as_ref().map_or_else(String::new, |id| format!(" (material {})", short(id, 16)))
}

/// The outcome of a run.
pub(super) fn outcome(app: &App, frame: &Frame, rehearsals: &[Rehearsed], report: Report) -> Result<Outcome, Failure> {
    use rewrapping::Outcome as O;
    let mut text = table(app, frame, &report.rows);
    let replaced = report.count(O::Rewrapped);
    let counted = |count: usize| if count == 1 { "1 wrapping".to_owned() } else { format!("{count} wrappings") };
    text.push_str(&format!("{} replaced", counted(replaced)));
    for (outcome, what) in
        [(O::There, "there already"), (O::Bare, "bare"), (O::Refused, "refused"), (O::NotReached, "not reached")]
    {
        let count = report.count(outcome);
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push_str(".\n");
    if report.rebound || !matches!(frame.rebind, Rebind::Asked(_)) {
        text.push_str(&binding_text(frame, report.rebound));
    }
    let mut problems = report.problems.clone();
    problems.sort_by_key(|p| std::cmp::Reverse(p.severity));
    text.push_str(&problems_text(&problems));
    let mut outcome = Outcome::done(json_of(frame, rehearsals, &report.rows, report.rebound), text)?;
    outcome.changed = replaced > 0 || report.rebound || report.recorded > 0;
    outcome.exit =
        report.stopped.as_ref().map_or(report.exit, |failure| crate::exit::Exit::worst([failure.exit, report.exit]));
    outcome.problems = problems;
    outcome.failure = report.stopped;
    Ok(outcome)
}

/// The plan for a program.
pub(super) fn plan_json(plan: &Plan) -> Value {
    let rows: Vec<RowReport> = plan.deks().map(RowReport::planned).collect();
    json_of(&Frame::of(plan), &plan.rehearsals, &rows, false)
}

fn json_of(frame: &Frame, rehearsals: &[Rehearsed], rows: &[RowReport], rebound: bool) -> Value {
    let binding = match &frame.rebind {
        Rebind::Bound => json!({"keyArn": frame.target, "changes": false, "changed": false}),
        Rebind::Stays(from) => json!({"keyArn": from, "changes": false, "changed": false}),
        Rebind::Asked(_) if rebound => json!({"keyArn": frame.target, "changes": true, "changed": true}),
        Rebind::Asked(from) => json!({"keyArn": from, "changes": true, "changed": false}),
    };
    let rehearsed: Vec<Value> = rehearsals
        .iter()
        .map(|r| {
            let (verdict, message) = match &r.verdict {
                Verdict::Allowed => ("allowed", None),
                Verdict::NotJudged => ("not-judged", None),
                Verdict::Refused(why) => ("refused", Some(why)),
            };
            json!({"operation": r.operation, "keyArn": r.source, "verdict": verdict, "message": message})
        })
        .collect();
    let deks: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({"organizationId": row.organization.as_str(), "dekId": row.dek.as_str(), "version": row.version, "active": row.active,
                "outcome": row.outcome.as_str(), "keyArn": row.key_arn, "materialId": row.material_id,
                "previousKeyArn": row.previous_arn, "previousMaterialId": row.previous_material, "fingerprint": row.fingerprint,
                "liveCell": row.live_cell.as_str(), "reason": row.reason})
        })
        .collect();
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    use rewrapping::Outcome as O;
    json!({"digest": frame.digest, "context": frame.context_line,
        "target": {"keyArn": frame.target, "materialId": frame.material, "region": frame.region},
        "rehearsals": rehearsed, "deks": deks, "binding": binding,
        "counts": {"planned": count(O::Planned), "rewrapped": count(O::Rewrapped), "alreadyThere": count(O::There),
            "notOld": count(O::NotOld), "bare": count(O::Bare), "destroyed": count(O::Destroyed), "refused": count(O::Refused),
            "notReached": count(O::NotReached)}})
}
