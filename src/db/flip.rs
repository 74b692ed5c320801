//! The flip: the one short transaction that makes another DEK the active one.
//!
//! Order of locks: the organization's advisory lock (two of us), then the DEK table `IN SHARE ROW EXCLUSIVE MODE` (the application
//! rotates too). Under them the rows are read again and must be those the plan saw. New key, old keys, the organization's
//! marker, the tool's metadata, the job's part and its chunks commit together or not at all; no KMS call happens inside.

use super::catalog::LiveTable;
use super::cells::{Batch, Rows};
use super::deks::{DekRow, dek_rows_in, wrapping_digest};
use super::{DbError, DbErrorKind, Session, ident, table};
use crate::core::data_map::DataMap;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use postgres::Transaction;
use uuid::Uuid;

/// A walk's chunk before it has a number: relation, and which of its rows.
pub type PlannedChunk = (String, Rows);

/// What becomes active.
pub enum Successor<'a> {
    /// A new row.
    New {
        id: DekId,
        version: KeyVersion,
        wrapped: &'a str,
        key_arn: Option<&'a str>,
        material_id: Option<&'a str>,
        fingerprint: &'a str,
    },
    /// A row that is there already (`--revert`).
    Old { id: DekId, version: KeyVersion },
}

/// One organization's flip.
pub struct Flip<'a> {
    pub organization: &'a OrgId,
    pub successor: Successor<'a>,
    /// The rows as the plan saw them, newest first.
    pub expected: &'a [DekRow],
    pub job: Uuid,
    pub run_id: Uuid,
    pub chunks: &'a [PlannedChunk],
    /// Oldest transaction that was open before the chunks were cut.
    pub walk_basis: i64,
}

/// A flip in progress; dropped without `commit` it never happened.
pub struct OpenFlip<'s> {
    transaction: Transaction<'s>,
}

impl Session {
    /// Does everything but commit. Waits at most `lock_timeout` for the DEK table: `DbErrorKind::Retry` means try again.
    pub fn flip<'s>(&'s mut self, map: &DataMap, flip: &Flip<'_>) -> Result<Option<OpenFlip<'s>>, DbError> {
        let d = &map.deks;
        let deks = table(&map.schema, &d.table);
        let org = flip.organization.as_str();
        let mut t = self.client.transaction()?;
        t.batch_execute("SET LOCAL lock_timeout = '2s'")?;
        t.execute("SELECT pg_advisory_xact_lock(hashtext('scrybe_keys.organization'), hashtext($1))", &[&org])?;
        t.batch_execute(&format!("LOCK TABLE {deks} IN SHARE ROW EXCLUSIVE MODE"))?;
        let state = |rows: &[DekRow]| rows.iter().map(|r| (r.id.clone(), r.version, r.active)).collect::<Vec<_>>();
        if state(&dek_rows_in(&mut t, map, flip.organization)?) != state(flip.expected) {
            return Ok(None);
        }
        let types = column_types(&mut t, map)?;
        let (target, version) = match &flip.successor {
            Successor::New { id, version, wrapped, key_arn, material_id, fingerprint } => {
                t.execute(
                    &format!(
                        "INSERT INTO {deks} ({}, {}, {}, {}, {}, {}) VALUES (($1::text)::{}, ($2::text)::{}, $3, $4, true, {})",
                        ident(&d.id),
                        ident(&d.organization),
                        ident(&d.wrapped),
                        ident(&d.version),
                        ident(&d.active),
                        ident(&d.created_at),
                        types.id,
                        types.organization,
                        types.now(&types.created_at),
                    ),
                    &[&id.as_str(), &org, wrapped, &version.0],
                )?;
                t.execute(
                    "INSERT INTO scrybe_keys.dek
                        (dek_id, organization_id, key_version, status, key_arn, material_id, fingerprint, run_id, wrapping_digest)
                     VALUES ($1, $2, $3, 'ACTIVE', $4, $5, $6, $7, $8)",
                    &[
                        &id.as_str(),
                        &org,
                        &version.0,
                        key_arn,
                        material_id,
                        fingerprint,
                        &flip.run_id,
                        &wrapping_digest(wrapped),
                    ],
                )?;
                (id, version)
            }
            Successor::Old { id, version } => {
                t.execute(
                    &format!("UPDATE {deks} SET {} = true WHERE {}::text = $1", ident(&d.active), ident(&d.id)),
                    &[&id.as_str()],
                )?;
                let allowed = t.execute(
                    "INSERT INTO scrybe_keys.dek AS d (dek_id, organization_id, key_version, status) VALUES ($1, $2, $3, 'ACTIVE')
                     ON CONFLICT (dek_id) DO UPDATE SET status = 'ACTIVE', status_since = clock_timestamp()
                     WHERE d.status IN ('ACTIVE', 'RETIRED')",
                    &[&id.as_str(), &org, &version.0],
                )?;
                if allowed == 0 {
                    return Ok(None);
                }
                (id, version)
            }
        };
        add_chunks(&mut t, flip.job, flip.organization, flip.chunks, 0)?;
        t.execute(
            &format!(
                "UPDATE {deks} SET {active} = false, {} = {} WHERE {}::text = $1 AND {}::text <> $2 AND {active}",
                ident(&d.rotated_at),
                types.now(&types.rotated_at),
                ident(&d.organization),
                ident(&d.id),
                active = ident(&d.active),
            ),
            &[&org, &target.as_str()],
        )?;
        if let Some(o) = &map.organizations
            && let Some(marker) = &o.key_marker
        {
            let (name, id, marker) = (table(&map.schema, &o.table), ident(&o.id), ident(marker));
            t.execute(
                &format!("UPDATE {name} SET {marker} = {id} WHERE {id}::text = $1 AND {marker} IS NULL"),
                &[&org],
            )?;
        }
        let previous = flip.expected.iter().find(|r| r.active);
        t.execute(
            "UPDATE scrybe_keys.job_organization SET state = 'moving', target_dek = $3, target_version = $4, previous_dek = $5,
                previous_version = $6, flipped = true, flipped_at = clock_timestamp(), walk_basis = $7 WHERE job_id = $1 AND organization_id = $2",
            &[&flip.job, &org, &target.as_str(), &version.0, &previous.map(|p| p.id.as_str()), &previous.map(|p| p.version.0), &flip.walk_basis],
        )?;
        Ok(Some(OpenFlip { transaction: t }))
    }

    /// Starts an organization's walk toward the row that is active already, with its chunks, in one transaction.
    /// `since` is when that row became the active one, as far as the rows tell.
    pub fn start_walk(
        &mut self,
        job: Uuid,
        organization: &OrgId,
        target: &DekRow,
        chunks: &[PlannedChunk],
        since: Option<jiff::Timestamp>,
        walk_basis: Option<i64>,
    ) -> Result<(), DbError> {
        let mut t = self.client.transaction()?;
        let since = since.map(|at| at.as_microsecond());
        t.execute(
            "UPDATE scrybe_keys.job_organization SET state = 'moving', target_dek = $3, target_version = $4, flipped = false,
                flipped_at = least(clock_timestamp(), to_timestamp($5::bigint / 1000000.0)), walk_basis = $6
             WHERE job_id = $1 AND organization_id = $2",
            &[&job, &organization.as_str(), &target.id.as_str(), &target.version.0, &since, &walk_basis],
        )?;
        add_chunks(&mut t, job, organization, chunks, 0)?;
        Ok(t.commit()?)
    }

    /// After a clean proof: the target is ACTIVE, every older version of the organization RETIRED in the tool's metadata.
    pub fn record_retired(&mut self, map: &DataMap, organization: &OrgId, target: &DekId) -> Result<(), DbError> {
        let rows = self.dek_rows(map, organization)?;
        let mut t = self.client.transaction()?;
        for row in rows.iter().filter(|r| r.id == *target || !r.active) {
            let status = if row.id == *target { "ACTIVE" } else { "RETIRED" };
            t.execute(
                "INSERT INTO scrybe_keys.dek AS d (dek_id, organization_id, key_version, status) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (dek_id) DO UPDATE SET status = excluded.status, status_since = clock_timestamp()
                 WHERE d.status IN ('ACTIVE', 'RETIRED') AND d.status <> excluded.status",
                &[&row.id.as_str(), &organization.as_str(), &row.version.0, &status],
            )?;
        }
        Ok(t.commit()?)
    }
}

impl OpenFlip<'_> {
    /// Opens a batch inside the flip, under a savepoint of its own.
    pub fn batch<'b>(&'b mut self, table: &'b LiveTable) -> Result<Batch<'b>, DbError> {
        self.transaction.batch_execute("SET LOCAL lock_timeout = '500ms'")?;
        Batch::inside(&mut self.transaction, table)
    }

    /// Says that all cells were moved inside the flip: none of them was ever dark.
    pub fn moved(&mut self, job: Uuid, organization: &OrgId) -> Result<(), DbError> {
        let id = organization.as_str();
        self.transaction.execute(
            "UPDATE scrybe_keys.job_organization SET state = 'moved', flipped_at = moment.now, moved_at = moment.now
             FROM (SELECT clock_timestamp() AS now OFFSET 0) moment WHERE job_id = $1 AND organization_id = $2",
            &[&job, &id],
        )?;
        self.transaction.execute(
            "UPDATE scrybe_keys.job_chunk SET dark_cell_seconds = 0, done = true WHERE job_id = $1 AND organization_id = $2",
            &[&job, &id],
        )?;
        Ok(())
    }

    /// Commits. An error whose kind is `Unreachable` leaves the outcome unknown: the job's part, written in the same
    /// transaction, tells.
    pub fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit()?)
    }
}

/// Numbers chunks from `first` on and writes them.
pub(super) fn add_chunks(
    t: &mut Transaction<'_>,
    job: Uuid,
    organization: &OrgId,
    chunks: &[PlannedChunk],
    first: i32,
) -> Result<(), DbError> {
    let insert = t.prepare(
        "INSERT INTO scrybe_keys.job_chunk
            (job_id, organization_id, chunk, table_name, lower_key, upper_key, by_block, from_block, to_block, file)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )?;
    for (number, (table, rows)) in chunks.iter().enumerate() {
        let (lower, upper, blocks) = match rows {
            Rows::Range { lower, upper } => (lower.as_deref(), upper.as_deref(), None),
            Rows::Blocks { from, to, file } => (None, None, Some((*from, *to, *file))),
            // Only settling walks by id, in chunks of its own.
            Rows::Ids(_) => continue,
        };
        let (from, to, file) = (blocks.map(|b| b.0), blocks.and_then(|b| b.1), blocks.map(|b| b.2));
        t.execute(
            &insert,
            &[
                &job,
                &organization.as_str(),
                &(first + number as i32),
                table,
                &lower,
                &upper,
                &blocks.is_some(),
                &from,
                &to,
                &file,
            ],
        )?;
    }
    Ok(())
}

struct DekTypes {
    id: String,
    organization: String,
    created_at: String,
    rotated_at: String,
}

impl DekTypes {
    /// The database clock in the column's own type; a `timestamp` without zone is UTC.
    fn now(&self, type_name: &str) -> &'static str {
        if type_name.starts_with("timestamp without") {
            "clock_timestamp() AT TIME ZONE 'UTC'"
        } else {
            "clock_timestamp()"
        }
    }
}

fn column_types(t: &mut Transaction<'_>, map: &DataMap) -> Result<DekTypes, DbError> {
    let d = &map.deks;
    let mut of = |column: &str| -> Result<String, DbError> {
        let row = t.query_opt(
            "SELECT format_type(a.atttypid, -1) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3",
            &[&map.schema, &d.table, &column],
        )?;
        row.map(|row| row.get(0)).ok_or_else(|| DbError {
            kind: DbErrorKind::Missing,
            sqlstate: None,
            message: format!("the data map names column {}.{column}, which is not in the database", d.table),
        })
    };
    Ok(DekTypes {
        id: of(&d.id)?,
        organization: of(&d.organization)?,
        created_at: of(&d.created_at)?,
        rotated_at: of(&d.rotated_at)?,
    })
}
