//! The DEKs: what the application's table says about versions, activity, age and wrapping, and (deep) whether they unwrap.

use super::{Findings, Verdict, count, names};
use crate::app::App;
use crate::config::Environment;
use crate::core::data_map::Opens;
use crate::core::ids::OrgId;
use crate::core::problem::Severity;
use crate::db::{Binding, DekRow, SchemaState, Session};
use crate::ops::keys::age_days_at;
use crate::ops::wrapping::Vault;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
        openings(app, &by_org, &mut health, findings);
    } else {
        findings.check("deks open", Verdict::Unknown, "not tried (--deep)");
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

fn openings(app: &App, by_org: &ByOrganization<'_>, health: &mut DekHealth, findings: &mut Findings) {
    let vault = match Vault::of(app) {
        Ok(vault) => vault,
        Err(failure) => return findings.unanswered("deks open", &failure),
    };
    let active: Vec<&DekRow> = by_org.values().flatten().copied().filter(|r| r.active).collect();
    let progress = app.ui.progress("unwrapping DEKs");
    progress.total(active.len() as u64);
    let (mut opened, mut refused) = (0, 0);
    for (done, row) in active.iter().enumerate() {
        if app.interrupt.asked() {
            break;
        }
        match vault.unwrap(row) {
            Ok(_) => opened += 1,
            Err(failure) => {
                refused += 1;
                let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str);
                findings.problem(
                    Severity::Critical,
                    "dek-does-not-open",
                    row.organization.as_str(),
                    failure.message.clone(),
                    hint,
                );
            }
        }
        progress.at(done as u64 + 1, 0, 0);
    }
    progress.done();
    (health.opened, health.refused) = (Some(opened), Some(refused));
    let untried = active.len() - opened - refused;
    match (refused, untried) {
        (0, 0) => findings.check("deks open", Verdict::Ok, format!("all {opened} active DEKs unwrap")),
        (0, n) => findings.check("deks open", Verdict::Unknown, format!("{opened} unwrap, {n} were not tried")),
        (n, _) => findings.check("deks open", Verdict::Critical, format!("{n} of {} do not unwrap", active.len())),
    }
}
