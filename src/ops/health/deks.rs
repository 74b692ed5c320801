//! The DEKs: what the application's table says about versions, activity, age and wrapping, and (deep) whether they unwrap.

use super::{Findings, NOT_ASKED, Verdict, count, names};
use crate::app::App;
use crate::config::Environment;
use crate::core::data_map::Opens;
use crate::core::ids::{DekId, OrgId};
use crate::core::problem::Severity;
use crate::db::{Binding, DekFacts, DekRow, SchemaState, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::keys::age_days_at;
use crate::ops::material::in_region_of;
use crate::ops::wrapping::Vault;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Counts over the DEK table.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DekHealth {
    pub organizations: usize,
    pub versions: usize,
    pub duplicate_versions: usize,
    pub several_active: usize,
    pub none_active: usize,
    pub over_age: usize,
    pub oldest_active_days: Option<i64>,
    pub dev: usize,
    /// Organizations with older versions and no closing census under the active one.
    pub unproven: usize,
    /// Active DEKs that unwrapped; absent without `--deep`.
    pub opened: Option<usize>,
    pub refused: Option<usize>,
}

type ByOrganization<'r> = BTreeMap<&'r OrgId, Vec<&'r DekRow>>;

pub(super) fn examine(
    app: &App,
    session: &mut Session,
    bound: &Binding,
    deep: bool,
    findings: &mut Findings,
) -> Option<DekHealth> {
    let map = &app.settings.map.value;
    let rows = findings.asked("dek versions", session.all_dek_rows(map))?;
    let mut by_org: ByOrganization<'_> = BTreeMap::new();
    for row in &rows {
        by_org.entry(&row.organization).or_default().push(row);
    }
    let mut health = DekHealth { organizations: by_org.len(), versions: rows.len(), ..DekHealth::default() };
    versions(&by_org, &mut health, findings);
    ages(app, session, &by_org, &mut health, findings);
    wrapping(&rows, bound, &mut health, findings);
    proofs(session, map.opens, &by_org, &mut health, findings);
    if deep {
        openings(app, session, bound, &by_org, &mut health, findings);
    } else {
        findings.check("deks open", Verdict::Unknown, NOT_ASKED);
    }
    Some(health)
}

fn versions(by_org: &ByOrganization<'_>, health: &mut DekHealth, findings: &mut Findings) {
    let mut worst = Verdict::Ok;
    for (org, rows) in by_org {
        let distinct: BTreeSet<_> = rows.iter().map(|r| r.version).collect();
        let active = rows.iter().filter(|r| r.active).count();
        let look = format!("scrybe-keys keys show {org}");
        let mut found = |code: &str, text: String| {
            worst = Verdict::Critical;
            findings.problem(Severity::Critical, code, org.as_str(), text, &look);
        };
        if distinct.len() < rows.len() {
            health.duplicate_versions += 1;
            found("duplicate-dek-versions", "two DEK rows have the same version: rotation is refused".into());
        }
        match active {
            0 => {
                health.none_active += 1;
                found("no-active-dek", "no DEK is active: the application can neither seal nor open".into());
            }
            1 => {}
            n => {
                health.several_active += 1;
                found("several-active-deks", format!("{n} DEK rows are active: rotation is refused"));
            }
        }
    }
    let text = match worst {
        Verdict::Ok => format!(
            "{}, {}, one active each",
            count(health.organizations, "organization"),
            count(health.versions, "version")
        ),
        _ => format!(
            "{} with duplicate versions, {} with several active, {} with none",
            health.duplicate_versions, health.several_active, health.none_active
        ),
    };
    findings.check("dek versions", worst, text);
}

fn ages(
    app: &App,
    session: &mut Session,
    by_org: &ByOrganization<'_>,
    health: &mut DekHealth,
    findings: &mut Findings,
) {
    let Some(now) = findings.asked("dek age", session.database_now()) else { return };
    let limit = i64::from(app.settings.policy.dek_max_age_days);
    let mut ages: Vec<(i64, &OrgId)> = Vec::new();
    let mut undated = 0;
    for (org, rows) in by_org {
        match rows.iter().find(|r| r.active).map(|r| r.created_at) {
            Some(Some(made)) => ages.push((age_days_at(made, now), org)),
            Some(None) => undated += 1,
            None => {}
        }
    }
    ages.sort_by(|a, b| b.cmp(a));
    health.oldest_active_days = ages.first().map(|(days, _)| *days);
    health.over_age = ages.iter().filter(|(days, _)| *days > limit).count();
    for (days, org) in ages.iter().filter(|(days, _)| *days > limit) {
        let text = format!("the active DEK is {days} days old, policy says {limit}");
        let hint = format!("scrybe-keys rotate --org {org} --reason \"key age\"");
        findings.problem(Severity::Warning, "dek-over-age", org.as_str(), text, &hint);
    }
    match (health.over_age, undated, health.oldest_active_days) {
        (0, 0, Some(oldest)) => findings.check("dek age", Verdict::Ok, format!("oldest {oldest} of {limit} days")),
        (0, 0, None) => findings.check("dek age", Verdict::Ok, "no active DEK"),
        (0, n, _) => findings.check("dek age", Verdict::Unknown, format!("{} without a date", count(n, "DEK"))),
        (n, _, _) => findings.check("dek age", Verdict::Warning, format!("{} over {limit} days old", count(n, "DEK"))),
    }
}

fn wrapping(rows: &[DekRow], bound: &Binding, health: &mut DekHealth, findings: &mut Findings) {
    let dev: Vec<String> = rows.iter().filter(|r| r.is_dev()).map(|r| r.id.to_string()).collect();
    health.dev = dev.len();
    if dev.is_empty() {
        return findings.check("dek wrapping", Verdict::Ok, "every DEK is wrapped by a KMS");
    }
    let text = format!("{} bare dev: {}", dev.len(), if dev.len() == 1 { "key" } else { "keys" });
    if bound.environment == Environment::Development {
        return findings.check("dek wrapping", Verdict::Ok, format!("{text}, as development may have"));
    }
    findings.check("dek wrapping", Verdict::Critical, text);
    for row in rows.iter().filter(|r| r.is_dev()) {
        let text = format!(
            "DEK row {} (version {}) is a bare key: whoever reads the table reads the data",
            row.id, row.version
        );
        let hint = format!("give the application its KMS, then scrybe-keys keys show {}", row.organization);
        findings.problem(Severity::Critical, "dev-dek", row.organization.as_str(), text, &hint);
    }
}

/// Whether cells may lie under an older version, and so be dark: told by our records, since only a census can count them.
fn proofs(
    session: &mut Session,
    opens: Opens,
    by_org: &ByOrganization<'_>,
    health: &mut DekHealth,
    findings: &mut Findings,
) {
    if opens == Opens::AnyVersion {
        return findings.check("older versions", Verdict::Ok, "the application opens with any version");
    }
    let settled = match session.schema_state() {
        Ok(SchemaState::Current(_)) => session.settled_deks().unwrap_or_default(),
        _ => Default::default(),
    };
    let unproven: Vec<String> = by_org
        .iter()
        .filter(|(_, rows)| rows.len() > 1)
        .filter(|(_, rows)| !rows.iter().any(|r| r.active && settled.contains(&r.id)))
        .map(|(org, _)| org.to_string())
        .collect();
    health.unproven = unproven.len();
    if unproven.is_empty() {
        let older = by_org.values().any(|rows| rows.len() > 1);
        let text = if older { "closing censuses found nothing under one" } else { "no organization has one" };
        return findings.check("older versions", Verdict::Ok, text);
    }
    let text = format!("{} without a closing census", count(unproven.len(), "organization"));
    findings.check("older versions", Verdict::Warning, text);
    let message = format!(
        "older DEK versions and no closing census under the active one; cells may be dark: {}",
        names(&unproven)
    );
    findings.problem(Severity::Warning, "unproven-version", &unproven[0], message, "scrybe-keys census");
}

fn openings(
    app: &App,
    session: &mut Session,
    bound: &Binding,
    by_org: &ByOrganization<'_>,
    health: &mut DekHealth,
    findings: &mut Findings,
) {
    let vault = match Vault::of(app) {
        Ok(vault) => vault,
        Err(failure) => return findings.unanswered("deks open", &failure),
    };
    let active: Vec<&DekRow> = by_org.values().flatten().copied().filter(|r| r.active).collect();
    let progress = app.ui.progress("unwrapping DEKs");
    progress.total(active.len() as u64);
    let (mut opened, mut refused, mut elsewhere) = (0, 0, 0);
    let mut others: Option<OtherKeys> = None;
    let mut silent = None;
    for (done, row) in active.iter().enumerate() {
        if app.interrupt.asked() {
            break;
        }
        match vault.unwrap(row) {
            Ok(_) => opened += 1,
            // It says nothing of this DEK, and the next one would wait as long for the same answer.
            Err(failure) if is_about_the_service(&failure) => {
                silent = Some(failure);
                break;
            }
            Err(failure) => {
                let keys = others.get_or_insert_with(|| OtherKeys::of(session, bound));
                let key = if failure.code == "kms-wrong-key" { keys.opening(app, row) } else { None };
                if let Some(key) = key {
                    elsewhere += 1;
                    let text = format!(
                        "DEK row {} (version {}) is under {key}, another key than the database is bound to",
                        row.id, row.version
                    );
                    let subject = row.organization.as_str();
                    findings.problem(
                        Severity::Warning,
                        "dek-under-another-key",
                        subject,
                        text,
                        &keys.next_command(row, &key),
                    );
                } else {
                    refused += 1;
                    let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str);
                    let subject = row.organization.as_str();
                    findings.problem(Severity::Critical, "dek-does-not-open", subject, failure.message.clone(), hint);
                }
            }
        }
        progress.at(done as u64 + 1, 0, 0);
    }
    progress.done();
    (health.opened, health.refused) = (Some(opened), Some(refused + elsewhere));
    let untried = active.len() - opened - refused - elsewhere;
    if refused > 0 {
        if let Some(failure) = silent {
            let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str);
            findings.problem(Severity::Warning, failure.code, "deks open", failure.message.clone(), hint);
        }
        let text = format!("{refused} of {} do not unwrap", active.len());
        return findings.check("deks open", Verdict::Critical, text);
    }
    match (silent, elsewhere, untried) {
        (Some(failure), _, _) => findings.unanswered("deks open", &failure),
        (None, 0, 0) => findings.check("deks open", Verdict::Ok, format!("all {opened} active DEKs unwrap")),
        (None, 0, n) => findings.check("deks open", Verdict::Unknown, format!("{opened} unwrap, {n} were not tried")),
        (None, n, _) => {
            let text = format!("{n} of {} are under another key than the database is bound to", active.len());
            findings.check("deks open", Verdict::Warning, text)
        }
    }
}

/// True when every other DEK would be answered the same.
fn is_about_the_service(failure: &Failure) -> bool {
    failure.exit == Exit::Unreachable || matches!(failure.code, "kms-no-credentials" | "kms-expired-credentials")
}

/// Keys that DEKs here are or were known to be under, beside the one the database is bound to.
#[derive(Default)]
struct OtherKeys {
    facts: HashMap<DekId, DekFacts>,
    arns: Vec<String>,
}

impl OtherKeys {
    /// From our records; none where there are none, or they may not be read.
    fn of(session: &mut Session, bound: &Binding) -> OtherKeys {
        if !matches!(session.schema_state(), Ok(SchemaState::Current(_))) {
            return OtherKeys::default();
        }
        let mut arns = session.known_keys().unwrap_or_default();
        arns.retain(|arn| bound.key_arn.as_ref() != Some(arn));
        OtherKeys { facts: session.dek_facts().unwrap_or_default(), arns }
    }

    /// The first that opens it.
    fn opening(&self, app: &App, row: &DekRow) -> Option<String> {
        let recorded = self.facts.get(&row.id).and_then(|facts| facts.key_arn.as_ref());
        let home = app.kms().ok()?;
        let likeliest_first = recorded.into_iter().chain(self.arns.iter().filter(|arn| Some(*arn) != recorded));
        let mut asked = likeliest_first.filter(|arn| self.arns.contains(arn));
        asked
            .find(|arn| {
                let there = in_region_of(&home, arn).ok();
                there.is_some_and(|kms| Vault::of_kms(kms, arn, app.settings.map.value.clone()).unwrap(row).is_ok())
            })
            .cloned()
    }

    /// A DEK that was moved on purpose waits for the others and the binding; one that was not is moved.
    fn next_command(&self, row: &DekRow, key: &str) -> String {
        if self.facts.get(&row.id).is_some_and(|facts| facts.speaks_of(row) && facts.key_arn.as_deref() == Some(key)) {
            return format!("scrybe-keys rewrap --all --to {key} --bind --reason \"end the move\"");
        }
        format!("scrybe-keys rewrap --org {} --reason \"left under an old key\"", row.organization)
    }
}
