//! The answer as Prometheus text exposition (format version 0.0.4): gauges only, one HELP and TYPE a family, no timestamps.
//!
//! What nobody could tell is absent, never zero; a check that was not made is 3. No organization, DEK or key is named: what is counted is
//! bounded by what this program can say, not by the data.

use crate::core::problem::Severity;
use crate::ops::health::{Report, TriState, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Everything a run found out.
pub(super) fn exposition_at(report: &Report, now: Timestamp) -> String {
    let mut all = Families::default();
    all.run(report.unreachable.is_none(), now);
    let bound = &report.binding;
    let region = bound.region.as_deref().unwrap_or_default();
    all.family("health_info", "The world this is about.");
    let world =
        [("environment", bound.environment.as_str()), ("provider", bound.provider.as_str()), ("region", region)];
    all.sample(&world, 1);
    all.family("health_verdict", "The worst check: 0 ok, 1 warning, 2 critical, 3 not made.");
    all.sample(&[], number(report.verdict()));
    // Two checks of one name would be two samples of one series.
    let mut checks: BTreeMap<&str, Verdict> = BTreeMap::new();
    for check in &report.checks {
        let worst = checks.entry(check.name).or_insert(check.verdict);
        *worst = (*worst).max(check.verdict);
    }
    all.family("health_check", "Each check: 0 ok, 1 warning, 2 critical, 3 not made.");
    for (name, verdict) in checks {
        all.sample(&[("check", name)], number(verdict));
    }
    all.family("health_problems", "Problems by severity.");
    for severity in [Severity::Info, Severity::Unknown, Severity::Warning, Severity::Critical] {
        let count = report.problems.iter().filter(|p| p.severity == severity).count();
        all.sample(&[("severity", super::word(severity))], whole(count));
    }
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for problem in &report.problems {
        *codes.entry(&problem.code).or_default() += 1;
    }
    if !codes.is_empty() {
        all.family("health_problem", "Problems by code.");
        for (code, count) in codes {
            all.sample(&[("code", code)], whole(count));
        }
    }
    key(&mut all, report, now);
    counts(&mut all, report);
    all.text
}

/// What is left to say when a run failed before it found out anything.
pub(super) fn failed_at(now: Timestamp) -> String {
    let mut all = Families::default();
    all.run(false, now);
    all.text
}

fn key(all: &mut Families, report: &Report, now: Timestamp) {
    let key = &report.key;
    if let Some(state) = &key.key_state {
        all.family("cmk_state", "The state KMS gives the master key.");
        all.sample(&[("state", state)], 1);
    }
    all.tri("cmk_enabled", "Whether the master key can be used.", key.enabled);
    all.tri("cmk_rotation_enabled", "Whether the master key's material rotates by itself.", key.rotation_enabled);
    all.gauge(
        "cmk_rotation_period_days",
        "Days between two automatic rotations.",
        key.rotation_period_days.map(i64::from),
    );
    let next = key.next_rotation.map(Timestamp::as_second);
    all.gauge("cmk_next_rotation_timestamp_seconds", "When the next automatic rotation is due.", next);
    let deletion = key.deletion_at.map(Timestamp::as_second);
    all.gauge("cmk_deletion_timestamp_seconds", "When a pending deletion becomes final.", deletion);
    let days = deletion.map(|at| (at - now.as_second()).max(0) / 86_400);
    all.gauge("cmk_days_to_deletion", "Whole days until a pending deletion becomes final, as of the last run.", days);
}

fn counts(all: &mut Families, report: &Report) {
    if let Some(deks) = &report.deks {
        for (name, help, count) in [
            ("dek_organizations", "Organizations that have a DEK.", Some(deks.organizations)),
            ("dek_versions", "DEK versions in all.", Some(deks.versions)),
            ("dek_duplicate_versions", "Organizations with two DEKs of one version.", Some(deks.duplicate_versions)),
            ("dek_several_active", "Organizations with more than one active DEK.", Some(deks.several_active)),
            ("dek_none_active", "Organizations without an active DEK.", Some(deks.none_active)),
            ("dek_over_age", "Active DEKs older than the policy allows.", Some(deks.over_age)),
            ("dek_bare", "Bare keys that no KMS wraps.", Some(deks.dev)),
            (
                "dek_unproven_organizations",
                "Organizations with older versions and no closing census.",
                Some(deks.unproven),
            ),
            ("dek_opened", "Active DEKs that unwrapped.", deks.opened),
            ("dek_refused", "Active DEKs that did not unwrap.", deks.refused),
        ] {
            all.gauge(name, help, count.map(whole));
        }
        all.gauge("dek_oldest_active_days", "Age of the oldest active DEK.", deks.oldest_active_days);
    }
    if let Some(records) = &report.records {
        let abandoned = records.unfinished_jobs.iter().filter(|job| job.alive == Some(false)).count();
        for (name, help, count) in [
            ("jobs_unfinished", "Jobs that have not ended.", whole(records.unfinished_jobs.len())),
            ("jobs_abandoned", "Unfinished jobs that nobody works on.", whole(abandoned)),
            (
                "dark_organizations",
                "Organizations with cells that their application cannot open now.",
                whole(records.dark_organizations.len()),
            ),
            ("dark_rows", "Rows still to be moved there, by estimate.", records.dark_rows_estimated),
        ] {
            all.gauge(name, help, Some(count));
        }
        all.gauge("schema_version", "Version of the tool's own schema.", records.schema_version.map(i64::from));
        all.gauge("audit_records", "Records in the audit chain.", records.audit_records);
        all.gauge("audit_open_intents", "Intents without an outcome.", records.open_intents.map(whole));
    }
}

fn number(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Ok => 0,
        Verdict::Warning => 1,
        Verdict::Critical => 2,
        Verdict::Unknown => 3,
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Families under way: each is begun once, its samples follow.
#[derive(Default)]
struct Families {
    text: String,
    name: String,
}

impl Families {
    /// What every run says, whatever became of it.
    fn run(&mut self, up: bool, now: Timestamp) {
        self.gauge("up", "1 when the last run could look at the database; 0 when it failed.", Some(i64::from(up)));
        let help = "When the last run ended, whatever became of it.";
        self.gauge("health_last_run_timestamp_seconds", help, Some(now.as_second()));
        self.family("build_info", "The program that wrote this.");
        self.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    }

    fn family(&mut self, name: &str, help: &str) {
        self.name = format!("scrybe_keys_{name}");
        let escaped = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.text.push_str(&format!("# HELP {0} {escaped}\n# TYPE {0} gauge\n", self.name));
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: i64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.text.push_str(&format!("{}{labels} {value}\n", self.name));
    }

    /// A family of one sample; none at all when nobody could tell.
    fn gauge(&mut self, name: &str, help: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.family(name, help);
            self.sample(&[], value);
        }
    }

    fn tri(&mut self, name: &str, help: &str, value: TriState) {
        let value = match value {
            TriState::Yes => Some(1),
            TriState::No => Some(0),
            TriState::Unknown => None,
        };
        self.gauge(name, help, value);
    }
}

/// A label's value: the format knows three escapes, and nothing else may stand in for a control character.
fn escaped(value: &str) -> String {
    value.chars().fold(String::with_capacity(value.len()), |mut safe, c| {
        match c {
            '\\' => safe.push_str("\\\\"),
            '"' => safe.push_str("\\\""),
            '\n' => safe.push_str("\\n"),
            c if c.is_control() || crate::ui::escaped(&c.to_string()).len() > c.len_utf8() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
        safe
    })
}
