//! The application's DEK table, read through the data map. Nothing here unwraps a key or writes a row.
//!
//! Every column is cast, so text and uuid ids, `timestamp` and `timestamptz` all read the same. A `timestamp` without zone is
//! UTC, as the application writes it. Versions are not unique in this table; a DEK is meant by its row id.

use super::error::{DbError, DbErrorKind};
use super::{Session, ident, table};
use crate::core::data_map::{DataMap, DekTable};
use crate::core::ids::{DekId, KeyVersion, OrgId};
use jiff::Timestamp;
use postgres::{GenericClient, Row};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// One row of the DEK table. No field shows the wrapping in Debug: a `dev:` one is the bare key.
#[derive(Clone, PartialEq, Eq)]
pub struct DekRow {
    pub id: DekId,
    pub organization: OrgId,
    /// Base64 of the KMS ciphertext, or `dev:` and base64 of the bare key. Wiped on drop.
    pub wrapped: Zeroizing<String>,
    pub version: KeyVersion,
    pub active: bool,
    pub created_at: Option<Timestamp>,
    pub rotated_at: Option<Timestamp>,
}

impl DekRow {
    /// True for a DEK that no KMS wraps.
    pub fn is_dev(&self) -> bool {
        self.wrapped.starts_with("dev:")
    }

    /// Names the wrapping without showing it; `None` for a bare key, of which nothing is derived.
    pub fn wrapping_digest(&self) -> Option<String> {
        wrapping_digest(&self.wrapped)
    }
}

/// hex sha256 of a stored wrapping; `None` for a bare key.
pub(super) fn wrapping_digest(stored: &str) -> Option<String> {
    let digest = || Sha256::digest(stored).iter().map(|b| format!("{b:02x}")).collect();
    (!stored.starts_with("dev:")).then(digest)
}

impl std::fmt::Debug for DekRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DekRow({} of {}, version {}, active {})", self.id, self.organization, self.version, self.active)
    }
}

impl Session {
    /// One organization's DEKs, newest first (version, then creation).
    pub fn dek_rows(&mut self, map: &DataMap, organization: &OrgId) -> Result<Vec<DekRow>, DbError> {
        dek_rows_in(&mut self.client, map, organization)
    }

    /// Every organization's DEKs, by organization and newest first.
    pub fn all_dek_rows(&mut self, map: &DataMap) -> Result<Vec<DekRow>, DbError> {
        let d = &map.deks;
        let sql = format!("{} ORDER BY {}::text, {}", select(map), ident(&d.organization), newest_first(d));
        self.client.query(&sql, &[])?.iter().map(dek_row).collect()
    }

    /// Every organization that the DEK table or the table of organizations names, in order of id.
    pub fn organizations(&mut self, map: &DataMap) -> Result<Vec<OrgId>, DbError> {
        let d = &map.deks;
        let mut sql = format!("SELECT {}::text FROM {}", ident(&d.organization), table(&map.schema, &d.table));
        if let Some(o) = &map.organizations {
            sql.push_str(&format!(" UNION SELECT {}::text FROM {}", ident(&o.id), table(&map.schema, &o.table)));
        }
        sql.push_str(" ORDER BY 1");
        self.client
            .query(&sql, &[])?
            .iter()
            .map(|row| organization_id(row.get::<_, Option<String>>(0), "the application's tables"))
            .collect()
    }
}

/// As `Session::dek_rows`, inside somebody's transaction.
pub(super) fn dek_rows_in(
    client: &mut impl GenericClient,
    map: &DataMap,
    organization: &OrgId,
) -> Result<Vec<DekRow>, DbError> {
    let d = &map.deks;
    let sql = format!("{} WHERE {}::text = $1 ORDER BY {}", select(map), ident(&d.organization), newest_first(d));
    client.query(&sql, &[&organization.as_str()])?.iter().map(dek_row).collect()
}

pub(super) fn select(map: &DataMap) -> String {
    let d = &map.deks;
    let micros = |column: &str| format!("(extract(epoch FROM {}) * 1000000)::bigint", ident(column));
    format!(
        "SELECT {}::text, {}::text, {}::text, {}::int4, {}::bool, {}, {} FROM {}",
        ident(&d.id),
        ident(&d.organization),
        ident(&d.wrapped),
        ident(&d.version),
        ident(&d.active),
        micros(&d.created_at),
        micros(&d.rotated_at),
        table(&map.schema, &d.table),
    )
}

fn newest_first(d: &DekTable) -> String {
    format!(
        "{} DESC NULLS LAST, {} DESC NULLS LAST, {}::text DESC",
        ident(&d.version),
        ident(&d.created_at),
        ident(&d.id)
    )
}

pub(super) fn dek_row(row: &Row) -> Result<DekRow, DbError> {
    let text = |i: usize| row.get::<_, Option<String>>(i);
    let id = text(0).unwrap_or_default();
    let time = |i: usize| row.get::<_, Option<i64>>(i).map(Timestamp::from_microsecond).transpose();
    Ok(DekRow {
        organization: organization_id(text(1), &format!("DEK row {id}"))?,
        wrapped: Zeroizing::new(text(2).unwrap_or_default()),
        version: KeyVersion(
            row.get::<_, Option<i32>>(3).ok_or_else(|| unreadable(format!("DEK row {id} has no version")))?,
        ),
        active: row.get::<_, Option<bool>>(4).unwrap_or(false),
        created_at: time(5).map_err(|_| unreadable(format!("DEK row {id} has a creation time out of range")))?,
        rotated_at: time(6).map_err(|_| unreadable(format!("DEK row {id} has a rotation time out of range")))?,
        id: DekId::parse(&id).map_err(|e| unreadable(format!("a DEK row cannot be named: {e}")))?,
    })
}

pub(super) fn organization_id(text: Option<String>, place: &str) -> Result<OrgId, DbError> {
    OrgId::parse(&text.unwrap_or_default()).map_err(|e| unreadable(format!("{place}: {e}")))
}

fn unreadable(message: String) -> DbError {
    DbError { kind: DbErrorKind::Other, sqlstate: None, message }
}
