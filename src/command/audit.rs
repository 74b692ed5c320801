//! `audit`: what was done, by whom, and whether the record of it is whole.

use crate::app::{App, Outcome, Reader};
use crate::core::chain::Record;
use crate::core::problem::{Problem, Severity};
use crate::db::Filter;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::{audit, binding};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Read the audit chain, or prove that it is whole
///
/// Every mutation is one record before it (intent) and one after it (outcome). Each record's hash covers the one before.
///
/// Example: scrybe-keys audit log --org ORG --limit 20
///
/// Reads only. Exit codes: 0, 2, 3 (intents without outcome), 5, 6, 8, 9 (the chain is broken: escalate).
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Show records, newest first
    Log {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        /// Only records about this organization
        #[arg(long, value_name = "ID")]
        org: Option<String>,
        /// Only this event, e.g. KEY_ROTATION_COMPLETED
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
        /// From the first record on
        #[arg(long)]
        oldest_first: bool,
    },
    /// Recompute every hash and compare with the head
    Verify,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let mut session = app.connect()?;
        binding::check(app, &mut session, false)?;
        session.require_schema()?;
        match self.what {
            What::Log { limit, org, event, oldest_first } => {
                let records = session.audit_log(&Filter { limit, organization: org, event, oldest_first })?;
                let data = json!({"records": records.iter().map(as_json).collect::<Vec<_>>()});
                Outcome::done(data, log_table(app, &records))
            }
            What::Verify => {
                let progress = app.ui.progress("audit verify");
                let verified = audit::verify(&mut session, |records| progress.at(records.unsigned_abs(), 0, 0));
                progress.done();
                Ok(verdict(verified?))
            }
        }
    }
}

/// Columns that a record needs on one line.
const NARROW: usize = 100;

fn log_table(app: &App, records: &[Record]) -> String {
    if records.is_empty() {
        return "No records.\n".to_owned();
    }
    let time = |r: &Record| at(r).map_or_else(|| "-".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let by = |r: &Record| r.actor.split(' ').next().unwrap_or_default().trim_start_matches("os:").to_owned();
    if app.ui.width() < NARROW {
        // A wrapped id can be neither read nor copied, so a narrow terminal gets two lines a record.
        let lines = records.iter().map(|r| {
            let head = format!("{:>6}  {}  {} {}", r.seq, time(r), r.event, r.phase);
            crate::ui::escaped(&format!("{head}\n        {}  by {}\n", r.subject, by(r)))
        });
        return lines.collect();
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|r| vec![r.seq.to_string(), time(r), format!("{} {}", r.event, r.phase), r.subject.clone(), by(r)])
        .collect();
    app.ui.table(&["seq", "time (utc)", "event", "subject", "by"], &rows, &[0])
}

fn verdict(verified: audit::Verified) -> Outcome {
    let mut problems = Vec::new();
    let records = verified.records;
    let mut text = match &verified.broken {
        None => format!("The chain is whole: {records} records, every hash recomputed.\n"),
        Some(broken) => format!(
            "The chain is BROKEN at record {}: {broken}.\n{records} records before it are whole.\n",
            broken.seq()
        ),
    };
    if let Some((seq, hash)) = &verified.head {
        text.push_str(&format!("Head: {seq} {hash}\n"));
    }
    if let Some(broken) = &verified.broken {
        let subject = format!("record {}", broken.seq());
        let hint = "stop, keep the database as it is, and call whoever owns incidents; then compare with backups of scrybe_keys.audit";
        problems.push(Problem::new(Severity::Critical, "audit-broken", subject, broken.to_string(), hint));
    }
    for open in &verified.open {
        let id = open.intent_id.map_or_else(String::new, |id| id.to_string());
        let message = format!(
            "{} on {} (record {}) has no outcome: under way, or interrupted",
            open.event, open.subject, open.seq
        );
        text.push_str(&format!(
            "No outcome yet: record {}, {} on {}\n",
            open.seq,
            open.event,
            crate::ui::escaped(&open.subject)
        ));
        problems.push(Problem::new(Severity::Warning, "audit-open-intent", id, message, "scrybe-keys jobs list"));
    }
    let exit = match (&verified.broken, verified.open.is_empty()) {
        (Some(_), _) => Exit::Integrity,
        (None, false) => Exit::Findings,
        (None, true) => Exit::Done,
    };
    let data = json!({
        "records": records,
        "whole": verified.broken.is_none(),
        "brokenSeq": verified.broken.as_ref().map(|b| b.seq()),
        "headSeq": verified.head.as_ref().map(|h| h.0),
        "headHash": verified.head.as_ref().map(|h| &h.1),
        "openIntents": verified.open.iter().map(as_json).collect::<Vec<_>>(),
    });
    Outcome { exit, changed: false, data, problems, text, failure: None, reader: Reader::Person }
}

fn as_json(record: &Record) -> Value {
    json!({
        "seq": record.seq,
        "at": at(record),
        "event": record.event,
        "phase": record.phase,
        "intentId": record.intent_id,
        "runId": record.run_id,
        "databaseUser": record.db_user,
        "actor": record.actor,
        "subject": record.subject,
        // A body that is not JSON any more was edited: shown as it is.
        "details": serde_json::from_str::<Value>(&record.body).unwrap_or_else(|_| json!(record.body)),
        "hash": record.hash,
    })
}

fn at(record: &Record) -> Option<Timestamp> {
    Timestamp::from_microsecond(record.at_micros).ok()
}
