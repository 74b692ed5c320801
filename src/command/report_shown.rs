//! How the end of a move is shown: what became of each organization, what the closing census said, what needs attention.

use super::movement::{bytes, grouped, problems_text, seconds};
use crate::app::{App, Outcome};
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::db::jobs::{Part, PartState};
use crate::error::Failure;
use crate::ops::ended::{self, Ended};
use serde_json::{Value, json};

/// The outcome of a job that was run or helped.
pub(super) fn outcome(app: &App, ended: Ended) -> Result<Outcome, Failure> {
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
            "Closing census, taken by another run: {} cells read.\n",
            grouped(kept["cells"].as_i64().unwrap_or(0))
        ));
    }
    text.push_str(&weights_text(&ended));
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
    let data = json_of(&ended);
    let mut outcome = Outcome::done(data, text)?;
    outcome.changed = ended.parts.iter().any(|p| p.flipped || p.cells_moved + p.cells_late > 0);
    outcome.exit = ended.exit;
    outcome.problems = problems;
    outcome.failure = ended.stopped;
    Ok(outcome)
}

/// Tables that grew, or hold room for vacuum to give back.
fn weights_text(ended: &Ended) -> String {
    let mut text = String::new();
    for weight in ended.weights.iter().filter(|w| w.hot_share().is_some()) {
        let (before, after) = (weight.before.bytes, weight.bytes_after());
        if after - before < 1 << 20 {
            continue;
        }
        text.push_str(&format!(
            "{} is {} now, {} before; {} old row versions wait for vacuum.\n",
            weight.relation,
            bytes(after),
            bytes(before),
            grouped(weight.after.dead_rows)
        ));
    }
    text
}

fn json_of(ended: &Ended) -> Value {
    let rotations: Vec<Value> = ended.parts.iter().map(|p| rotation_json(ended, p)).collect();
    json!({"job": ended.job.id.to_string(), "kind": ended.job.kind.as_str(), "scope": ended.job.scope,
        "finished": ended.stopped.is_none(), "stopReason": ended.stopped.as_ref().map(ended::stop_reason),
        "rotations": rotations,
        "tables": ended.weights.iter().map(|w| json!({"table": w.relation, "bytesBefore": w.before.bytes, "bytesAfter": w.bytes_after(),
            "deadRows": w.after.dead_rows, "hotShare": w.hot_share()})).collect::<Vec<_>>(), "census": ended.census.as_ref().map(crate::ops::census::to_json).or_else(|| kept_census(ended))})
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

/// A refused organization as a problem.
pub(super) fn refusal(organization: &OrgId, failure: &Failure) -> Problem {
    let hint = failure.hints.first().cloned().unwrap_or_default();
    Problem::new(Severity::Critical, failure.code, organization.as_str(), failure.message.clone(), hint)
}
