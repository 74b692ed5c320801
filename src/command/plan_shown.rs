//! How the plan of a move is shown: for a person as a table and prose, for a program as JSON. Nothing here decides anything.

use super::movement::{bytes, grouped, seconds};
use crate::app::App;
use crate::core::data_map::Opens;
use crate::db::jobs::{JobKind, PartState};
use crate::ops::cutting::Order;
use crate::ops::rotation::Plan;
use crate::ops::weight;
use serde_json::{Value, json};

/// The plan for a person.
pub(super) fn text(app: &App, plan: &Plan) -> String {
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
                _ if p.atomic => format!("none: {} at once", seconds(p.cutover_seconds)),
                _ if p.dark_seconds > 0.0 => format!("about {}", seconds(p.dark_seconds)),
                _ => "-".to_owned(),
            };
            vec![p.organization.to_string(), versions, grouped(p.rows), grouped(p.cells), dark]
        })
        .collect();
    text.push_str(&app.ui.table(&["organization", "version", "rows", "cells", "dark"], &rows, &[2, 3]));
    text.push_str(&order_text(plan));
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
    if plan.organizations.iter().any(|p| p.atomic) {
        prose.push_str(
            " At once: moved and flipped in one transaction. A writer that waits for one of its rows writes under the old key afterwards, and \
             processes with a cached key open nothing of it until their caches have run out: settling moves what they write.",
        );
    }
    let growth = weight::most_growth(&plan.catalog, plan.organizations.iter().flat_map(|p| &p.visits));
    if growth >= 1 << 20 {
        prose.push_str(&format!(" Old row versions: up to {} until they are pruned or vacuumed.", bytes(growth)));
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
        if !problem.hint.is_empty() {
            text.push_str(&format!("  {}\n", problem.hint));
        }
    }
    text.push_str(&format!("Plan {}\n", plan.digest));
    text
}

/// In which order tables are visited, where it is not by key for all.
fn order_text(plan: &Plan) -> String {
    let mut striped: Vec<&str> = Vec::new();
    for visit in plan.organizations.iter().flat_map(|p| &p.visits) {
        if visit.order == Order::Stripes && !striped.contains(&visit.relation.as_str()) {
            striped.push(&visit.relation);
        }
    }
    let walked = plan.organizations.iter().any(|p| p.named.is_none() && !p.visits.is_empty());
    match (striped.is_empty(), !walked) {
        (_, true) => String::new(),
        (true, _) => "Visited by key.\n".to_owned(),
        (false, _) => format!(
            "Visited by heap stripes where an organization has much of the table: {}; by key elsewhere.\n",
            striped.join(", ")
        ),
    }
}

/// The plan for a program.
pub(super) fn json_of(plan: &Plan) -> Value {
    let organizations: Vec<Value> = plan
        .organizations
        .iter()
        .map(|p| {
            json!({"organizationId": p.organization.as_str(), "previousVersion": p.from, "newVersion": p.to,
                "rows": p.rows, "cells": p.cells, "cutover": if p.atomic { "atomic" } else { "online" },
                "order": p.visits.iter().map(|v| json!({"table": v.relation, "rows": v.rows, "order": v.order.as_str()})).collect::<Vec<_>>(),
                "darkSecondsEstimate": p.dark_seconds, "state": p.state.as_str()})
        })
        .collect();
    json!({"plan": {"digest": plan.digest, "kind": plan.request.kind.as_str(), "scope": plan.scope, "context": plan.context_line,
        "job": plan.job.as_ref().map(|j| j.id.to_string()), "organizations": organizations,
        "cellsPerSecond": plan.rate.0, "rateMeasured": plan.rate.1, "mostGrowthBytes": weight::most_growth(&plan.catalog, plan.organizations.iter().flat_map(|p| &p.visits)),
        "settleSeconds": plan.settle.as_secs_f64()}})
}
