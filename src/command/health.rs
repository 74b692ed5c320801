//! `health`: one honest answer.

use crate::app::{App, Outcome};
use crate::core::problem::Severity;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::Journal;
use crate::ops::binding;
use crate::ops::health::{self, Report, Verdict};
use serde_json::{Value, json};

/// From which severity on a problem makes the exit code 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    Warning,
    Critical,
}

/// Check master key, DEKs, jobs and records, and say what to do next
///
/// A check that was not made is unknown, never green. Writes nothing; needs SELECT, kms:DescribeKey and kms:GetKeyRotationStatus (without them
/// those checks are unknown); works before init and on a replica.
///
/// Example: scrybe-keys health --deep
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
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let report = health::examine(app, self.deep)?;
        let threshold = match self.fail_on {
            FailOn::Warning => Severity::Warning,
            FailOn::Critical => Severity::Critical,
        };
        let exit = report.exit(threshold);
        let (mut outcome, mut failure) = (Outcome::done(as_json(app, &report), text(app, &report))?, None);
        if self.record {
            match record(app, &report, self.deep) {
                Ok(()) => outcome.changed = true,
                Err(why) => failure = Some(why),
            }
        }
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
        let severity = match problem.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Unknown => "unknown",
            Severity::Info => "info",
        };
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
