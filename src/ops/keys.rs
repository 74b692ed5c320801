//! DEK versions as they stand: what the application's table says, what our own records say, and (deep) whether each unwraps.
//! Reading alone; KMS is asked for the newest material of the CMKs that our records name, and, deep, to unwrap. No wrapping and no key is ever
//! part of the answer.

use crate::app::App;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::db::{DekFacts, DekRow, DekStatus, SchemaState, Session};
use crate::error::Failure;
use crate::ops::health::TriState;
use crate::ops::material::Newest;
use crate::ops::wrapping::Vault;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::HashMap;

/// Who wraps a DEK, by the form of its stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wrapping {
    Kms,
    /// A bare key.
    Dev,
}

/// One DEK row with everything known of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyReport {
    pub organization_id: OrgId,
    pub dek_id: DekId,
    pub version: KeyVersion,
    /// What the application's table says.
    pub active: bool,
    /// What our records say; absent for a DEK they do not know.
    pub status: Option<&'static str>,
    pub created_at: Option<Timestamp>,
    pub rotated_at: Option<Timestamp>,
    /// Whole days since it was made, by the database clock.
    pub age_days: Option<i64>,
    pub wrapping: Wrapping,
    pub key_arn: Option<String>,
    pub material_id: Option<String>,
    /// Whether its CMK has newer material than the one it is wrapped with, by our records and what KMS says of the CMK.
    pub old_material: TriState,
    pub fingerprint: Option<String>,
    /// Whether it unwraps: asked for with `deep` only.
    pub opens: Option<bool>,
    /// Why it does not.
    pub refusal: Option<String>,
}

/// DEKs of one organization, or of all, newest first.
pub fn list(app: &App, session: &mut Session, organization: Option<&OrgId>) -> Result<Vec<KeyReport>, Failure> {
    let mut reports = recorded(app, session, organization)?;
    mark_old_material(app, &mut reports);
    Ok(reports)
}

fn recorded(app: &App, session: &mut Session, organization: Option<&OrgId>) -> Result<Vec<KeyReport>, Failure> {
    let map = &app.settings.map.value;
    let rows = match organization {
        Some(organization) => session.dek_rows(map, organization)?,
        None => session.all_dek_rows(map)?,
    };
    let now = session.database_now()?;
    let facts = known_facts(session)?;
    Ok(rows.iter().map(|row| report(row, facts.get(&row.id), now)).collect())
}

/// One DescribeKey for each CMK that our records name; nothing is asked where they name none.
fn mark_old_material(app: &App, reports: &mut [KeyReport]) {
    let mut newest = Newest::of(app);
    for report in reports {
        let (Some(arn), Some(mine)) = (&report.key_arn, &report.material_id) else { continue };
        report.old_material = match newest.of_key(arn) {
            Ok(Some(newest)) if newest == *mine => TriState::No,
            Ok(Some(_)) => TriState::Yes,
            Ok(None) | Err(_) => TriState::Unknown,
        };
    }
    if let Some(why) = newest.unanswered() {
        app.ui.say(&format!("Whether DEKs are on old material is not known: {why}"));
    }
}

/// As `list`, and each DEK unwrapped: one KMS call a row. A refusal is a finding, not an end.
pub fn list_deep(app: &App, session: &mut Session, organization: Option<&OrgId>) -> Result<Vec<KeyReport>, Failure> {
    let map = &app.settings.map.value;
    let vault = Vault::of(app)?;
    let mut reports = recorded(app, session, organization)?;
    let rows = match organization {
        Some(organization) => session.dek_rows(map, organization)?,
        None => session.all_dek_rows(map)?,
    };
    let mut by_id: HashMap<&DekId, &DekRow> = rows.iter().map(|row| (&row.id, row)).collect();
    for report in &mut reports {
        let Some(row) = by_id.remove(&report.dek_id) else { continue };
        if app.interrupt.asked() {
            break;
        }
        match vault.unwrap(row) {
            Ok((dek, wrapped)) => {
                report.opens = Some(true);
                report.fingerprint = Some(dek.fingerprint());
                report.key_arn = wrapped.key_arn.or(report.key_arn.take());
                report.material_id = wrapped.material_id.or(report.material_id.take());
            }
            Err(why) => {
                report.opens = Some(false);
                report.refusal = Some(why.message);
            }
        }
    }
    mark_old_material(app, &mut reports);
    Ok(reports)
}

/// Our own records; none before `init`, and none from a schema that is not ours to read.
fn known_facts(session: &mut Session) -> Result<HashMap<DekId, DekFacts>, Failure> {
    match session.schema_state()? {
        SchemaState::Current(_) => Ok(session.dek_facts()?),
        _ => Ok(HashMap::new()),
    }
}

fn report(row: &DekRow, facts: Option<&DekFacts>, now: Timestamp) -> KeyReport {
    // What is known of a wrapping says nothing of another one that stands there now.
    let wrapping = facts.filter(|facts| facts.speaks_of(row));
    KeyReport {
        organization_id: row.organization.clone(),
        dek_id: row.id.clone(),
        version: row.version,
        active: row.active,
        status: facts.map(|f| f.status).map(DekStatus::as_str),
        created_at: row.created_at,
        rotated_at: row.rotated_at,
        age_days: row.created_at.map(|made| age_days_at(made, now)),
        wrapping: if row.is_dev() { Wrapping::Dev } else { Wrapping::Kms },
        key_arn: wrapping.and_then(|f| f.key_arn.clone()),
        material_id: wrapping.and_then(|f| f.material_id.clone()),
        old_material: TriState::Unknown,
        fingerprint: facts.and_then(|f| f.fingerprint.clone()),
        opens: None,
        refusal: None,
    }
}

/// Whole days from `made` to `now`; none when the row is from the future.
pub fn age_days_at(made: Timestamp, now: Timestamp) -> i64 {
    now.as_second().saturating_sub(made.as_second()).max(0) / 86_400
}
