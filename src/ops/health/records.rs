//! The tool's own records: schema, privileges, the data map against the database, unfinished jobs, the head of the audit chain.

use super::{Findings, Verdict, count, is_denied, names};
use crate::app::App;
use crate::core::data_map::Opens;
use crate::core::problem::Severity;
use crate::db::jobs::PartState;
use crate::db::{Filter, Need, SchemaState, Session};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What our own records say.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordHealth {
    pub schema_version: Option<i32>,
    pub unfinished_jobs: Vec<UnfinishedJob>,
    /// Organizations whose move is under way or broken off: their unmoved cells are dark.
    pub dark_organizations: Vec<String>,
    /// Rows those moves have not visited yet, by estimate.
    pub dark_rows_estimated: i64,
    pub audit_records: Option<i64>,
    pub audit_head: Option<String>,
    pub open_intents: Option<usize>,
}

/// A job that has not ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnfinishedJob {
    pub job_id: Uuid,
    pub kind: &'static str,
    /// Somebody works on it now. Absent on a replica, which cannot tell.
    pub alive: Option<bool>,
    pub touched_at: jiff::Timestamp,
}

pub(super) fn examine(app: &App, session: &mut Session, findings: &mut Findings) -> RecordHealth {
    let mut health = RecordHealth::default();
    privileges(app, session, findings);
    data_map(app, session, findings);
    if schema(session, &mut health, findings) {
        jobs(app, session, &mut health, findings);
        audit(session, &mut health, findings);
    } else {
        for name in ["unfinished jobs", "dark cells", "audit chain"] {
            findings.check(name, Verdict::Unknown, "no records of ours are readable here");
        }
    }
    health
}

fn schema(session: &mut Session, health: &mut RecordHealth, findings: &mut Findings) -> bool {
    let state = match session.schema_state() {
        Ok(state) => state,
        Err(error) => {
            if !is_denied(&error) {
                findings.unanswered("schema", &error.into());
            } else {
                findings.check("schema", Verdict::Unknown, "this role may not read it");
            }
            return false;
        }
    };
    let mut say = |verdict, text: String, code: &str, hint: &str| {
        findings.check("schema", verdict, text.clone());
        findings.problem(Severity::Warning, code, "scrybe_keys", text, hint);
        false
    };
    match state {
        SchemaState::Current(version) => {
            health.schema_version = Some(version);
            findings.check("schema", Verdict::Ok, format!("version {version}"));
            true
        }
        // The unbound database is a problem already; this is the same one.
        SchemaState::Absent => {
            findings.check("schema", Verdict::Unknown, "not installed yet");
            false
        }
        SchemaState::Older { found, known } => {
            health.schema_version = Some(found);
            say(
                Verdict::Warning,
                format!("version {found}, this binary needs {known}"),
                "schema-older",
                "scrybe-keys init",
            )
        }
        SchemaState::Divergent(version) => {
            let text = format!("version {version} was made by another build than this binary");
            say(Verdict::Warning, text, "schema-divergent", "use the scrybe-keys that installed it")
        }
        SchemaState::Newer { found, known } => {
            health.schema_version = Some(found);
            let hint = "use the newer scrybe-keys that upgraded this database";
            say(Verdict::Warning, format!("version {found}, this binary knows only {known}"), "schema-newer", hint)
        }
    }
}

fn privileges(app: &App, session: &mut Session, findings: &mut Findings) {
    let asked = session.missing_privileges(&app.settings.map.value, Need::Read);
    let Some(missing) = findings.asked("privileges", asked) else { return };
    if missing.is_empty() {
        return findings.check("privileges", Verdict::Ok, "this role may read what it has to");
    }
    findings.check("privileges", Verdict::Warning, format!("{} missing", count(missing.len(), "grant")));
    for grant in missing {
        findings.problem(
            Severity::Warning,
            "missing-privilege",
            "role",
            format!("missing for {}", grant.why),
            &grant.sql,
        );
    }
}

fn data_map(app: &App, session: &mut Session, findings: &mut Findings) {
    let catalog = match session.catalog(&app.settings.map.value) {
        Ok(catalog) => catalog,
        Err(error) => {
            let failure: crate::error::Failure = error.into();
            findings.check("data map", Verdict::Critical, failure.message.clone());
            let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str);
            return findings.problem(Severity::Critical, failure.code, "data map", failure.message.clone(), hint);
        }
    };
    let mut verdict = Verdict::Ok;
    for table in &catalog.tables {
        if !table.update_triggers.is_empty() {
            verdict = Verdict::Warning;
            let text = format!(
                "{} has UPDATE triggers ({}): moving its cells is refused",
                table.relation,
                names(&table.update_triggers)
            );
            findings.problem(
                Severity::Warning,
                "update-trigger",
                &table.relation,
                text,
                "scrybe-keys rotate --all --reason check --dry-run",
            );
        }
        if table.row_security {
            verdict = Verdict::Warning;
            let text =
                format!("row security hides rows of {} from this role: a census would be incomplete", table.relation);
            findings.problem(Severity::Warning, "row-security", &table.relation, text, "use a role with BYPASSRLS");
        }
    }
    let by_name: BTreeMap<&str, usize> = catalog.tables.iter().map(|t| (t.name.as_str(), t.columns.len())).collect();
    let text = format!("{}, {}", count(by_name.len(), "table"), count(by_name.values().sum(), "sealed column"));
    findings.check("data map", verdict, text);
}

fn jobs(app: &App, session: &mut Session, health: &mut RecordHealth, findings: &mut Findings) {
    let Some(mut jobs) = findings.asked("unfinished jobs", session.jobs(1000)) else {
        return findings.check("dark cells", Verdict::Unknown, "jobs could not be read");
    };
    jobs.retain(|job| job.state == "running");
    // A replica does not see who holds locks on the primary.
    let replica = session.server_facts().map_or(true, |facts| facts.in_recovery);
    let opens = app.settings.map.value.opens;
    let (mut left, mut dark_left) = (Vec::new(), false);
    for job in &jobs {
        let alive = (!replica).then_some(job.alive);
        let kind = job.kind.as_str();
        health.unfinished_jobs.push(UnfinishedJob { job_id: job.id, kind, alive, touched_at: job.touched_at });
        let Some(parts) = findings.asked("unfinished jobs", session.job_parts(job.id)) else { continue };
        let dark: Vec<_> =
            parts.iter().filter(|p| p.state == PartState::Moving && opens == Opens::ActiveOnly).collect();
        for part in &dark {
            health.dark_organizations.push(part.organization.to_string());
            health.dark_rows_estimated += (part.rows_estimated - part.rows_visited).max(0);
        }
        if alive == Some(true) {
            continue;
        }
        left.push(job.id.to_string());
        dark_left |= !dark.is_empty() && alive == Some(false);
        let severity = if dark.is_empty() || alive.is_none() { Severity::Warning } else { Severity::Critical };
        let organizations: Vec<String> = dark.iter().map(|p| p.organization.to_string()).collect();
        let darkness =
            if dark.is_empty() { String::new() } else { format!(", cells are dark in {}", names(&organizations)) };
        let text = format!("{kind} job last worked on at {}{darkness}", job.touched_at);
        let hint = format!("the command that this names: scrybe-keys jobs status {}", job.id);
        findings.problem(severity, "unfinished-job", &job.id.to_string(), text, &hint);
    }
    match (jobs.len(), left.len()) {
        (0, _) => findings.check("unfinished jobs", Verdict::Ok, "none"),
        (n, 0) => findings.check("unfinished jobs", Verdict::Ok, format!("{} under way", count(n, "job"))),
        (_, n) if replica => {
            findings.check("unfinished jobs", Verdict::Unknown, format!("{n}; a replica cannot tell who works on them"))
        }
        (_, n) => findings.check("unfinished jobs", Verdict::Warning, format!("{} nobody works on", count(n, "job"))),
    }
    match (health.dark_organizations.len(), dark_left) {
        (0, _) => findings.check("dark cells", Verdict::Ok, "no move is under way"),
        (n, left) => {
            let verdict = if left { Verdict::Critical } else { Verdict::Warning };
            let text = format!("{}, about {} rows to go", count(n, "organization"), health.dark_rows_estimated);
            findings.check("dark cells", verdict, text);
        }
    }
}

/// The head and the last record only: `audit verify` recomputes them all.
fn audit(session: &mut Session, health: &mut RecordHealth, findings: &mut Findings) {
    const NAME: &str = "audit chain";
    let last = Filter { limit: 1, ..Filter::default() };
    let (head, last, open) = match (session.audit_head(), session.audit_log(&last), session.open_intents()) {
        (Ok(head), Ok(last), Ok(open)) => (head, last, open),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => return findings.unanswered(NAME, &error.into()),
    };
    health.audit_records = head.as_ref().map(|h| h.0);
    health.audit_head = head.as_ref().map(|h| h.1.clone());
    health.open_intents = Some(open.len());
    let matches = match (&head, last.first()) {
        (Some((seq, hash)), Some(record)) => {
            record.seq == *seq && record.hash == *hash && record.expected_hash() == *hash
        }
        (Some((seq, hash)), None) => *seq == 0 && hash == crate::core::chain::GENESIS,
        (None, _) => false,
    };
    if !matches {
        findings.check(NAME, Verdict::Critical, "the head does not match the last record");
        let text = "the audit chain's head does not match its last record";
        return findings.problem(Severity::Critical, "audit-broken", "audit", text, "scrybe-keys audit verify");
    }
    let working = health.unfinished_jobs.iter().any(|job| job.alive != Some(false));
    let records = health.audit_records.unwrap_or_default();
    if open.is_empty() || working {
        return findings.check(NAME, Verdict::Ok, format!("head {records}, its hash matches"));
    }
    findings.check(NAME, Verdict::Warning, format!("head {records}; {} without outcome", count(open.len(), "intent")));
    let subjects: Vec<String> = open.iter().map(|r| format!("{} on {}", r.event, r.subject)).collect();
    let text = format!("interrupted before the outcome was recorded: {}", names(&subjects));
    findings.problem(Severity::Warning, "audit-open-intent", "audit", text, "scrybe-keys audit verify");
}
