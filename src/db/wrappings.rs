//! Replacing a DEK's wrapping: the old one kept, the row changed by compare-and-set, the tool's record, all in one transaction.
//!
//! Only the wrapped column of one row is written, and only while it still holds the text that was proven; whoever wrote in between wins. What
//! is kept is ciphertext: the table's own check refuses a bare key. No KMS call happens inside a transaction here.

use super::deks::{DekRow, dek_row, select, wrapping_digest};
use super::{DbError, Session, ident, table};
use crate::core::data_map::DataMap;
use crate::core::ids::{DekId, OrgId};
use postgres::{GenericClient, Transaction};
use uuid::Uuid;

/// A new wrapping for a row, proven to hold the same DEK.
pub struct Replacement<'a> {
    /// The row as it was read: what it must still hold.
    pub row: &'a DekRow,
    /// The new stored text.
    pub wrapped: &'a str,
    /// What KMS said the old one was of.
    pub previous_arn: Option<&'a str>,
    pub previous_material: Option<&'a str>,
    pub key_arn: &'a str,
    pub material_id: Option<&'a str>,
    pub fingerprint: &'a str,
    pub reason: &'a str,
    pub run_id: Uuid,
    /// Refuse while a job is unfinished: it opens DEKs under the key that the database is bound to, and this is another.
    pub no_job_beside: bool,
}

/// How far an attempt to replace a wrapping came.
pub enum Replaced<'s> {
    /// Everything is done but the commit.
    Open(OpenReplacement<'s>),
    /// The row does not hold the old text any more: nothing was written.
    RowChanged,
    /// This job began meanwhile: nothing was written.
    JobRunning(Uuid),
}

/// A replacement in progress; dropped without `commit` it never happened.
pub struct OpenReplacement<'s> {
    transaction: Transaction<'s>,
}

/// The binding's key, changed once every DEK is under the new one.
pub struct Rebinding<'a> {
    pub from: Option<&'a str>,
    pub to: &'a str,
    pub account: Option<&'a str>,
    pub region: Option<&'a str>,
    pub bound_by: &'a str,
    /// Every DEK row as it was proven: id and wrapping.
    pub proven: &'a [(DekId, Option<String>)],
}

/// Why the binding was left as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unbound {
    /// A DEK row appeared or changed since it was looked at.
    RowsChanged,
    /// A job that may still make a DEK under the old key.
    JobRunning(Uuid),
    /// Somebody else changed the binding.
    BindingChanged,
}

const LOCK: &str = "scrybe_keys.rewrap";

impl Session {
    /// Takes the one right to rewrap in this database, held until this session ends. False when somebody else has it.
    pub fn lock_rewrapping(&mut self) -> Result<bool, DbError> {
        Ok(self.client.query_one("SELECT pg_try_advisory_lock(hashtext($1), 0)", &[&LOCK])?.get(0))
    }

    /// One DEK row as it stands; `None` when it is gone.
    pub fn dek_row(&mut self, map: &DataMap, id: &DekId) -> Result<Option<DekRow>, DbError> {
        let sql = format!("{} WHERE {}::text = $1", select(map), ident(&map.deks.id));
        self.client.query_opt(&sql, &[&id.as_str()])?.as_ref().map(dek_row).transpose()
    }

    /// A job that is not finished, dead or alive: the oldest.
    pub fn unfinished_job(&mut self) -> Result<Option<Uuid>, DbError> {
        unfinished_job(&mut self.client)
    }

    /// Every key that a DEK here is or was known to be under, by ARN. Kept wrappings count where this role may read them.
    pub fn known_keys(&mut self) -> Result<Vec<String>, DbError> {
        let may = "SELECT has_table_privilege('scrybe_keys.dek_wrapping', 'SELECT')";
        let kept = match self.client.query_one(may, &[])?.get(0) {
            true => {
                "UNION SELECT key_arn FROM scrybe_keys.dek_wrapping UNION SELECT next_key_arn FROM scrybe_keys.dek_wrapping"
            }
            false => "",
        };
        let sql = format!(
            "SELECT k.arn FROM (SELECT key_arn AS arn FROM scrybe_keys.dek {kept}) k WHERE k.arn IS NOT NULL ORDER BY 1"
        );
        Ok(self.client.query(&sql, &[])?.iter().map(|row| row.get(0)).collect())
    }

    /// Does everything but commit.
    pub fn replace_wrapping<'s>(&'s mut self, map: &DataMap, new: &Replacement<'_>) -> Result<Replaced<'s>, DbError> {
        let (d, row) = (&map.deks, new.row);
        let mut t = self.client.transaction()?;
        t.batch_execute("SET LOCAL lock_timeout = '2s'; SET LOCAL synchronous_commit = on")?;
        let org = row.organization.as_str();
        t.execute("SELECT pg_advisory_xact_lock(hashtext('scrybe_keys.organization'), hashtext($1))", &[&org])?;
        t.execute(
            "INSERT INTO scrybe_keys.dek_wrapping
                (dek_id, organization_id, key_version, wrapped, key_arn, material_id, next_key_arn, next_material, reason, run_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                &row.id.as_str(),
                &org,
                &row.version.0,
                &row.wrapped.as_str(),
                &new.previous_arn,
                &new.previous_material,
                &new.key_arn,
                &new.material_id,
                &new.reason,
                &new.run_id,
            ],
        )?;
        let sql = format!(
            "UPDATE {} SET {wrapped} = $2 WHERE {}::text = $1 AND {wrapped}::text = $3",
            table(&map.schema, &d.table),
            ident(&d.id),
            wrapped = ident(&d.wrapped),
        );
        if t.execute(&sql, &[&row.id.as_str(), &new.wrapped, &row.wrapped.as_str()])? != 1 {
            t.rollback()?;
            return Ok(Replaced::RowChanged);
        }
        let learned = Learned {
            row,
            stored: new.wrapped,
            key_arn: new.key_arn,
            material_id: new.material_id,
            fingerprint: new.fingerprint,
        };
        learned.record(&mut t)?;
        // Last, so that hardly a job begins unseen. One that does goes on with the DEKs it has opened; to resume it they are moved back.
        if new.no_job_beside
            && let Some(job) = unfinished_job(&mut t)?
        {
            t.rollback()?;
            return Ok(Replaced::JobRunning(job));
        }
        Ok(Replaced::Open(OpenReplacement { transaction: t }))
    }

    /// True when a run replaced this very wrapping: the kept one and the new one are written in one transaction.
    pub fn was_replaced(&mut self, run: Uuid, row: &DekRow) -> Result<bool, DbError> {
        let sql =
            "SELECT EXISTS (SELECT FROM scrybe_keys.dek_wrapping WHERE run_id = $1 AND dek_id = $2 AND wrapped = $3)";
        Ok(self.client.query_one(sql, &[&run, &row.id.as_str(), &row.wrapped.as_str()])?.get(0))
    }

    /// Writes down what KMS said of the wrapping that a row holds. An absent record becomes one of an ACTIVE DEK: cells may lie under it.
    pub fn record_wrapping(
        &mut self,
        row: &DekRow,
        key_arn: &str,
        material_id: Option<&str>,
        fingerprint: &str,
    ) -> Result<(), DbError> {
        Learned { row, stored: &row.wrapped, key_arn, material_id, fingerprint }.record(&mut self.client)
    }

    /// How many wrappings of an organization a run replaced.
    pub fn replaced_by(&mut self, run: Uuid, organization: &OrgId) -> Result<i64, DbError> {
        let sql = "SELECT count(*) FROM scrybe_keys.dek_wrapping WHERE run_id = $1 AND organization_id = $2";
        Ok(self.client.query_one(sql, &[&run, &organization.as_str()])?.get(0))
    }

    /// Binds the database to another key of the same provider and environment, while nobody can write the DEK table. An error whose kind is
    /// `Unreachable` leaves the outcome unknown: the binding tells.
    pub fn rebind(&mut self, map: &DataMap, new: &Rebinding<'_>) -> Result<Result<(), Unbound>, DbError> {
        let d = &map.deks;
        let mut t = self.client.transaction()?;
        t.batch_execute("SET LOCAL lock_timeout = '2s'; SET LOCAL synchronous_commit = on")?;
        t.batch_execute(&format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table(&map.schema, &d.table)))?;
        if let Some(job) = unfinished_job(&mut t)? {
            return Ok(Err(Unbound::JobRunning(job)));
        }
        let mut now: Vec<_> = t.query(&select(map), &[])?.iter().map(dek_row).collect::<Result<Vec<_>, _>>()?;
        now.sort_by(|a, b| a.id.cmp(&b.id));
        let mut proven: Vec<_> = new.proven.to_vec();
        proven.sort();
        if now.iter().map(|row| (row.id.clone(), row.wrapping_digest())).collect::<Vec<_>>() != proven {
            return Ok(Err(Unbound::RowsChanged));
        }
        let changed = t.execute(
            "UPDATE scrybe_keys.binding SET key_arn = $2, account = $3, region = $4, bound_by = $5, bound_at = clock_timestamp()
             WHERE key_arn IS NOT DISTINCT FROM $1",
            &[&new.from, &new.to, &new.account, &new.region, &new.bound_by],
        )?;
        if changed != 1 {
            return Ok(Err(Unbound::BindingChanged));
        }
        t.commit()?;
        Ok(Ok(()))
    }
}

impl OpenReplacement<'_> {
    /// Commits. An error whose kind is `Unreachable` leaves the outcome unknown: `was_replaced` tells.
    pub fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit()?)
    }
}

fn unfinished_job(client: &mut impl GenericClient) -> Result<Option<Uuid>, DbError> {
    let sql = "SELECT job_id FROM scrybe_keys.job WHERE state = 'running' ORDER BY created_at LIMIT 1";
    Ok(client.query_opt(sql, &[])?.map(|row| row.get(0)))
}

/// What is known of the wrapping `stored`.
struct Learned<'a> {
    row: &'a DekRow,
    stored: &'a str,
    key_arn: &'a str,
    material_id: Option<&'a str>,
    fingerprint: &'a str,
}

impl Learned<'_> {
    fn record(&self, client: &mut impl GenericClient) -> Result<(), DbError> {
        client.execute(
            "INSERT INTO scrybe_keys.dek AS d (dek_id, organization_id, key_version, status, key_arn, material_id, fingerprint, wrapping_digest)
             VALUES ($1, $2, $3, 'ACTIVE', $4, $5, $6, $7) ON CONFLICT (dek_id) DO UPDATE
             SET key_arn = excluded.key_arn, material_id = excluded.material_id, fingerprint = excluded.fingerprint,
                 wrapping_digest = excluded.wrapping_digest, recorded_at = clock_timestamp()",
            &[
                &self.row.id.as_str(),
                &self.row.organization.as_str(),
                &self.row.version.0,
                &self.key_arn,
                &self.material_id,
                &self.fingerprint,
                &wrapping_digest(self.stored),
            ],
        )?;
        Ok(())
    }
}
