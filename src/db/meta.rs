//! What the application's DEK table does not hold, by its row id: status, wrapping CMK, material, fingerprint.
//! A DEK made before the tool came has no row here; nothing may conclude anything from the absence.

use super::error::{DbError, DbErrorKind};
use super::{DekRow, Session};
use crate::core::ids::{DekId, KeyVersion, OrgId};
use jiff::Timestamp;
use postgres::Row;
use std::collections::{HashMap, HashSet};
use std::fmt;
use uuid::Uuid;

/// Life of a DEK, in life order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DekStatus {
    /// Cells may lie under it.
    Active,
    /// A clean closing census found nothing that needs it.
    Retired,
    /// Someone who must not have it may have it.
    Compromised,
    /// The wrapping is gone.
    Destroyed,
}

impl DekStatus {
    /// As it stands in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            DekStatus::Active => "ACTIVE",
            DekStatus::Retired => "RETIRED",
            DekStatus::Compromised => "COMPROMISED",
            DekStatus::Destroyed => "DESTROYED",
        }
    }

    /// The status spelled so, if there is one.
    pub fn parse(text: &str) -> Option<DekStatus> {
        [DekStatus::Active, DekStatus::Retired, DekStatus::Compromised, DekStatus::Destroyed]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

impl fmt::Display for DekStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The tool's record of one DEK row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DekFacts {
    pub id: DekId,
    pub organization: OrgId,
    pub version: KeyVersion,
    pub status: DekStatus,
    pub key_arn: Option<String>,
    pub material_id: Option<String>,
    pub fingerprint: Option<String>,
    /// Of the stored text that CMK and material were learned of.
    pub wrapping_digest: Option<String>,
    pub run_id: Option<Uuid>,
    /// When the status last changed, by the database clock.
    pub status_since: Option<Timestamp>,
}

impl DekFacts {
    /// True when CMK and material were learned of the wrapping that the row holds now. A row restored from a backup, or written by somebody
    /// else, holds another one.
    pub fn speaks_of(&self, row: &DekRow) -> bool {
        self.wrapping_digest.is_some() && self.wrapping_digest == row.wrapping_digest()
    }
}

impl Session {
    /// Every DEK the tool has a record of, by DEK row.
    pub fn dek_facts(&mut self) -> Result<HashMap<DekId, DekFacts>, DbError> {
        let sql = "SELECT dek_id, organization_id, key_version, status, key_arn, material_id, fingerprint, wrapping_digest, run_id, \
                   round(extract(epoch FROM status_since) * 1000000)::bigint FROM scrybe_keys.dek";
        self.client.query(sql, &[])?.iter().map(|row| facts(row).map(|f| (f.id.clone(), f))).collect()
    }

    /// DEK rows under which a closing census found every cell of their organization.
    pub fn settled_deks(&mut self) -> Result<HashSet<DekId>, DbError> {
        // A job that moved nothing, or only a part, proved nothing.
        let sql = "SELECT DISTINCT o.target_dek FROM scrybe_keys.job_organization o JOIN scrybe_keys.job j USING (job_id) \
                   WHERE o.state = 'settled' AND o.target_dek IS NOT NULL AND j.census IS NOT NULL \
                     AND j.scope !~ ' (dek-only|model=|from=)'";
        let rows = self.client.query(sql, &[])?;
        rows.iter().map(|row| DekId::parse(row.get(0)).map_err(|e| unreadable(e.to_string()))).collect()
    }
}

fn facts(row: &Row) -> Result<DekFacts, DbError> {
    let id = DekId::parse(row.get(0)).map_err(|e| unreadable(e.to_string()))?;
    Ok(DekFacts {
        organization: OrgId::parse(row.get(1)).map_err(|e| unreadable(format!("record of DEK row {id}: {e}")))?,
        version: KeyVersion(row.get(2)),
        status: DekStatus::parse(row.get(3))
            .ok_or_else(|| unreadable(format!("record of DEK row {id} has a status this binary does not know")))?,
        key_arn: row.get(4),
        material_id: row.get(5),
        fingerprint: row.get(6),
        wrapping_digest: row.get(7),
        run_id: row.get(8),
        status_since: Timestamp::from_microsecond(row.get(9)).ok(),
        id,
    })
}

fn unreadable(message: String) -> DbError {
    DbError { kind: DbErrorKind::Other, sqlstate: None, message }
}
