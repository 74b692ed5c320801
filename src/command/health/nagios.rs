//! The answer of a Nagios plugin: one line with status, summary and perfdata, then a line for each problem.
//!
//! | status | when |
//! |---|---|
//! | CRITICAL | a check or a problem is critical |
//! | WARNING | one is a warning, unless `--fail-on critical` |
//! | UNKNOWN | a check that was asked for could not be made, or the answer could not be written where it was to be |
//! | OK | every check that was asked for was made and is well; the others are counted |

use crate::core::problem::Severity;
use crate::error::Failure;
use crate::exit::Nagios;
use crate::ops::health::{Report, Verdict};

/// Status and text. `threshold` as `--fail-on` gives it; `dek_days` is the policy's age of a DEK; `failed` is what went wrong beside the checks.
pub(super) fn answer(
    report: &Report,
    threshold: Severity,
    dek_days: u32,
    failed: Option<&Failure>,
) -> (Nagios, String) {
    let checks = |is: &dyn Fn(Verdict) -> bool| report.checks.iter().filter(|c| is(c.verdict)).count();
    let problems = |severity| report.problems.iter().filter(|p| p.severity == severity).count();
    let not_asked = report.checks.iter().filter(|check| check.was_not_asked()).count();
    let not_made = checks(&|v| v == Verdict::Unknown) - not_asked;
    let critical = problems(Severity::Critical).max(checks(&|v| v == Verdict::Critical));
    let warnings = problems(Severity::Warning).max(checks(&|v| v == Verdict::Warning));
    let unmade = not_made.max(problems(Severity::Unknown));
    let status = if critical > 0 {
        Nagios::Critical
    } else if warnings > 0 && threshold <= Severity::Warning {
        Nagios::Warning
    } else if unmade > 0 || failed.is_some() {
        Nagios::Unknown
    } else {
        Nagios::Ok
    };
    let ok = checks(&|v| v == Verdict::Ok);
    let mut summary = vec![format!("{ok} of {} checks ok", report.checks.len())];
    for (count, what) in [
        (critical, "critical"),
        (warnings, "warning"),
        (not_made, "could not be made"),
        (not_asked, "not asked for (--deep)"),
    ] {
        if count > 0 {
            summary.push(format!("{count} {what}"));
        }
    }
    if let Some(failure) = failed {
        summary.push(failure.message.clone());
    }
    // The first problem is the worst: it is what a pager shows.
    if let Some(first) = report.problems.first().filter(|_| status != Nagios::Ok) {
        summary.push(format!("{} ({})", first.message, first.subject));
    }
    let mut text = format!(
        "{} - {} | {}\n",
        status.word(),
        plain(&summary.join(", ")),
        perfdata(report, critical, warnings, unmade, dek_days)
    );
    for problem in &report.problems {
        let severity = super::word(problem.severity);
        let line =
            format!("{severity}: {} ({}): {} - next: {}", problem.code, problem.subject, problem.message, problem.hint);
        text.push_str(&plain(&line));
        text.push('\n');
    }
    for check in report.checks.iter().filter(|c| c.verdict == Verdict::Unknown && !c.was_not_asked()) {
        text.push_str(&plain(&format!("not made: {}: {}", check.name, check.text)));
        text.push('\n');
    }
    (status, text)
}

/// One line without the sign that begins perfdata.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/")
}

/// `label=value;warn;crit;min`, as far as somebody looked.
fn perfdata(report: &Report, critical: usize, warnings: usize, unmade: usize, dek_days: u32) -> String {
    let mut all =
        vec![format!("critical={critical};;0;0"), format!("warning={warnings};0;;0"), format!("unknown={unmade};;;0")];
    if let Some(deks) = &report.deks {
        if let Some(days) = deks.oldest_active_days {
            all.push(format!("dek_oldest_days={days};{dek_days};;0"));
        }
        all.push(format!("deks_over_age={};0;;0", deks.over_age));
    }
    if let Some(records) = &report.records {
        all.push(format!("jobs_unfinished={};;;0", records.unfinished_jobs.len()));
        all.push(format!("dark_organizations={};;0;0", records.dark_organizations.len()));
    }
    all.join(" ")
}
