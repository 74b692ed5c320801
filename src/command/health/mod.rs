//! `health`: one honest answer, as a table or in the form of the program that reads it.

mod nagios;
mod prometheus;
mod textfile;

pub use textfile::leave_word;

use crate::app::{App, Outcome, Reader};
use crate::core::problem::Severity;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::Journal;
use crate::ops::binding;
use crate::ops::health::{self, Report, Verdict};
use serde_json::{Value, json};
use std::path::PathBuf;

/// From which severity on a problem makes the exit code 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    Warning,
    Critical,
}

/// For whom the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a person
    Table,
    /// As --json
    Json,
    /// One line with a status word and perfdata; exit codes 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Nagios,
    /// Prometheus text exposition
    Prometheus,
}

/// Check master key, DEKs, jobs and records, and say what to do next
///
/// A check that was not made is unknown, never green. Writes nothing; needs SELECT, kms:DescribeKey and kms:GetKeyRotationStatus; works before
/// init and on a replica. A role that may not read policies, grants and last use either gets unknown for them, and each refusal is a denied KMS
/// call, which sets off an alarm on denied calls: give it what `scrybe-keys health --print-iam` prints.
///
/// Example: scrybe-keys health --deep
///
/// With --format nagios alone the exit codes are Nagios's: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. OK means that every check that was asked
/// for was made and is well; what only --deep makes is counted as not asked for. --textfile replaces its file whole or not at all, also when
/// the run fails: watch scrybe_keys_up and scrybe_keys_health_last_run_timestamp_seconds.
///
/// Exit codes: 0, 2, 3 (problems), 5 (settings of another world), 6, 8, 9 (the audit chain is broken).
#[derive(clap::Args)]
pub struct Args {
    /// Also use the keys: make a data key, encrypt and decrypt, unwrap every active DEK
    #[arg(long)]
    pub deep: bool,
    /// Record the result in the audit chain
    #[arg(long)]
    pub record: bool,
    /// Severity from which on the exit code is 3
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub fail_on: FailOn,
    /// For whom the answer is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub format: Format,
    /// Also write the Prometheus form to this file, for node_exporter's textfile collector; its name ends in .prom
    #[arg(long, value_name = "PATH")]
    pub textfile: Option<PathBuf>,
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        if app.ui.is_json() && matches!(self.format, Format::Nagios | Format::Prometheus) {
            return Err(Failure::usage("two-forms", "--json and --format name two forms of one answer")
                .hint("leave one of them out; --textfile may stand beside either"));
        }
        let report = health::examine(app, self.deep)?;
        let threshold = match self.fail_on {
            FailOn::Warning => Severity::Warning,
            FailOn::Critical => Severity::Critical,
        };
        let exit = report.exit(threshold);
        let exposition = prometheus::exposition_at(&report, jiff::Timestamp::now());
        let (mut failure, mut recorded) = (None, false);
        if let Some(path) = &self.textfile {
            failure = textfile::write(path, &exposition).err();
        }
        if self.record {
            match record(app, &report, self.deep) {
                Ok(()) => recorded = true,
                Err(why) => failure = failure.or(Some(why)),
            }
        }
        let (said, reader) = match self.format {
            Format::Table | Format::Json => (text(app, &report), Reader::Person),
            Format::Nagios => {
                let limit = app.settings.policy.dek_max_age_days;
                let failed = failure.as_ref().or(report.unreachable.as_ref());
                let (status, text) = nagios::answer(&report, threshold, limit, failed);
                (text, Reader::Nagios(status))
            }
            Format::Prometheus => (exposition, Reader::Program),
        };
        let mut outcome = Outcome::done(as_json(app, &report), said)?;
        (outcome.reader, outcome.changed) = (reader, recorded);
        outcome.exit = failure.as_ref().map_or(exit, |f| Exit::worst([f.exit, exit]));
        outcome.failure = failure.or(report.unreachable);
        outcome.problems = report.problems;
        Ok(outcome)
    }
}

fn record(app: &App, report: &Report, deep: bool) -> Result<(), Failure> {
    let count = |verdict: Verdict| report.checks.iter().filter(|c| c.verdict == verdict).count();
    let details = json!({
        "verdict": report.verdict(), "deep": deep, "ok": count(Verdict::Ok), "unknown": count(Verdict::Unknown),
        "warning": count(Verdict::Warning), "critical": count(Verdict::Critical),
        "problems": report.problems.iter().map(|p| &p.code).collect::<Vec<_>>(),
    });
    Journal::open(app)?.note("KEY_HEALTH_CHECK", "health", details)
}

fn as_json(app: &App, report: &Report) -> Value {
    let bound = &report.binding;
    json!({
        "verdict": report.verdict(),
        "kms": {
            "configured": bound.provider != crate::config::Provider::Dev,
            "provider": bound.provider.as_str(),
            "region": app.settings.region.value,
            "environment": bound.environment.as_str(),
        },
        "keyHealth": report.key,
        "rotation": {
            "enabled": report.key.rotation_enabled,
            "periodDays": report.key.rotation_period_days,
            "nextRotation": report.key.next_rotation,
        },
        "posture": report.posture,
        "deks": report.deks,
        "records": report.records,
        "checks": report.checks,
    })
}

fn text(app: &App, report: &Report) -> String {
    let rows: Vec<Vec<String>> =
        report.checks.iter().map(|c| vec![c.name.to_owned(), c.verdict.as_str().to_owned(), c.text.clone()]).collect();
    let line = binding::context_line(&app.settings, &report.binding);
    let mut text = format!("{line}\n\n{}", app.ui.table(&["check", "result", "what was found"], &rows, &[]));
    let unknown = report.checks.iter().filter(|c| c.verdict == Verdict::Unknown).count();
    if report.problems.is_empty() {
        text.push_str("\nNo problem was found");
        text.push_str(&if unknown > 0 { format!("; checks not made: {unknown}.\n") } else { ".\n".to_owned() });
        return text;
    }
    const SHOWN: usize = 20;
    let plural = if report.problems.len() == 1 { "problem" } else { "problems, the worst first" };
    text.push_str(&format!("\n{} {plural}:\n", report.problems.len()));
    for problem in report.problems.iter().take(SHOWN) {
        let severity = word(problem.severity);
        let said = format!(
            "{severity}: {} ({})\n  {}\n  next: {}\n",
            problem.code, problem.subject, problem.message, problem.hint
        );
        text.push_str(&crate::ui::escaped(&said));
    }
    if report.problems.len() > SHOWN {
        text.push_str(&format!("and {} more: --json lists them all\n", report.problems.len() - SHOWN));
    }
    text
}

/// How a severity is spelled, here and in every form.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Unknown => "unknown",
        Severity::Info => "info",
    }
}
