//! Jobs as they stand in the database: what was asked, how far it is, who works on it, what could not be moved.
//! Everything a run needs to go on after `kill -9` is here; a job is worked on while somebody holds its advisory lock.

use super::cells::Rows;
pub use super::parts::{Part, PartState};
use super::{DbError, Session};
use crate::core::ids::OrgId;
use jiff::Timestamp;
use uuid::Uuid;

/// What kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    Rotate,
    ReEncrypt,
    Revert,
}

impl JobKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            JobKind::Rotate => "rotate",
            JobKind::ReEncrypt => "re-encrypt",
            JobKind::Revert => "revert",
        }
    }

    fn parse(text: &str) -> JobKind {
        match text {
            "rotate" => JobKind::Rotate,
            "revert" => JobKind::Revert,
            _ => JobKind::ReEncrypt,
        }
    }
}

/// A job row.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: Uuid,
    pub kind: JobKind,
    /// running, done, cancelled, superseded, failed.
    pub state: String,
    pub scope: String,
    pub options: String,
    pub reason: String,
    pub actor: String,
    pub cancel_asked: bool,
    pub created_at: Timestamp,
    pub touched_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub runner: Option<String>,
    pub stop_reason: Option<String>,
    pub census: Option<String>,
    /// Somebody holds the job's lock now.
    pub alive: bool,
}

/// Names a chunk.
#[derive(Clone, Debug)]
pub struct ChunkKey {
    pub job: Uuid,
    pub organization: OrgId,
    pub chunk: i32,
}

/// A piece of the walk.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub key: ChunkKey,
    pub table: String,
    pub rows: Rows,
}

/// What a new job is.
pub struct NewJob<'a> {
    pub id: Uuid,
    pub kind: JobKind,
    pub scope: &'a str,
    pub options: &'a str,
    pub reason: &'a str,
    pub run_id: Uuid,
    pub actor: &'a str,
    pub organizations: &'a [(OrgId, i64)],
}

/// A cell that could not be moved.
#[derive(Clone, Debug)]
pub struct Quarantined {
    pub organization: String,
    pub table: String,
    pub column: String,
    pub row: String,
    pub reason: String,
    pub found_at: Timestamp,
}

const LOCK_CLASS: &str = "scrybe_keys.job";

pub(super) fn time(row: &postgres::Row, at: usize) -> Option<Timestamp> {
    row.get::<_, Option<i64>>(at).and_then(|micros| Timestamp::from_microsecond(micros).ok())
}

const JOB: &str = "SELECT job_id, kind, state, scope, options, reason, actor, cancel_asked,
    (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM touched_at) * 1000000)::bigint,
    (extract(epoch FROM ended_at) * 1000000)::bigint, runner, stop_reason, census,
    EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid = hashtext('scrybe_keys.job')::oid AND l.objid = hashtext(job_id::text)::oid)
    FROM scrybe_keys.job";

fn job(row: &postgres::Row) -> Job {
    Job {
        id: row.get(0),
        kind: JobKind::parse(row.get(1)),
        state: row.get(2),
        scope: row.get(3),
        options: row.get(4),
        reason: row.get(5),
        actor: row.get(6),
        cancel_asked: row.get(7),
        created_at: time(row, 8).unwrap_or_default(),
        touched_at: time(row, 9).unwrap_or_default(),
        ended_at: time(row, 10),
        runner: row.get(11),
        stop_reason: row.get(12),
        census: row.get(13),
        alive: row.get(14),
    }
}

impl Session {
    /// The unfinished job of a scope, if there is one.
    pub fn running_job(&mut self, scope: &str) -> Result<Option<Job>, DbError> {
        let row = self.client.query_opt(&format!("{JOB} WHERE scope = $1 AND state = 'running'"), &[&scope])?;
        Ok(row.as_ref().map(job))
    }

    /// A job by id.
    pub fn job(&mut self, id: Uuid) -> Result<Option<Job>, DbError> {
        Ok(self.client.query_opt(&format!("{JOB} WHERE job_id = $1"), &[&id])?.as_ref().map(job))
    }

    /// Jobs, newest first; `limit` at most.
    pub fn jobs(&mut self, limit: i64) -> Result<Vec<Job>, DbError> {
        let rows = self.client.query(&format!("{JOB} ORDER BY created_at DESC LIMIT $1"), &[&limit])?;
        Ok(rows.iter().map(job).collect())
    }

    /// Unfinished jobs that have an organization in common with the given ones (none given: any).
    pub fn running_jobs_over(&mut self, organizations: &[OrgId]) -> Result<Vec<Job>, DbError> {
        let ids: Vec<&str> = organizations.iter().map(OrgId::as_str).collect();
        let sql = format!(
            "{JOB} WHERE state = 'running' AND EXISTS (SELECT FROM scrybe_keys.job_organization o
               WHERE o.job_id = job.job_id AND o.organization_id = ANY ($1) AND o.state IN ('pending', 'moving', 'moved'))
             ORDER BY created_at"
        );
        Ok(self.client.query(&sql, &[&ids])?.iter().map(job).collect())
    }

    /// Writes a job with its organizations, pending. A second running job of the same scope violates a unique index.
    pub fn create_job(&mut self, new: &NewJob<'_>) -> Result<(), DbError> {
        let mut transaction = self.client.transaction()?;
        transaction.execute(
            "INSERT INTO scrybe_keys.job (job_id, kind, state, scope, options, reason, run_id, actor)
             VALUES ($1, $2, 'running', $3, $4, $5, $6, $7)",
            &[&new.id, &new.kind.as_str(), &new.scope, &new.options, &new.reason, &new.run_id, &new.actor],
        )?;
        let insert = transaction.prepare(
            "INSERT INTO scrybe_keys.job_organization (job_id, organization_id, ordinal, state, rows_estimated)
             VALUES ($1, $2, $3, 'pending', $4)",
        )?;
        for (ordinal, (organization, rows)) in new.organizations.iter().enumerate() {
            transaction.execute(&insert, &[&new.id, &organization.as_str(), &(ordinal as i32), rows])?;
        }
        Ok(transaction.commit()?)
    }

    /// Takes the job's lock for this session. It is gone when the session is, however that ends.
    pub fn lock_job(&mut self, id: Uuid, runner: &str) -> Result<bool, DbError> {
        let sql = "SELECT pg_try_advisory_lock(hashtext($1), hashtext($2))";
        let got: bool = self.client.query_one(sql, &[&LOCK_CLASS, &id.to_string()])?.get(0);
        if got {
            self.client.execute(
                "UPDATE scrybe_keys.job SET runner = $2, touched_at = clock_timestamp(), stop_reason = NULL WHERE job_id = $1",
                &[&id, &runner],
            )?;
        }
        Ok(got)
    }

    /// Says that the job is being worked on and returns whether somebody asked to cancel it.
    pub fn touch_job(&mut self, id: Uuid) -> Result<bool, DbError> {
        let sql = "UPDATE scrybe_keys.job SET touched_at = clock_timestamp() WHERE job_id = $1 RETURNING cancel_asked";
        Ok(self.client.query_opt(sql, &[&id])?.is_some_and(|row| row.get(0)))
    }

    /// Ends a job, or (`state` running) notes why this run of it stopped.
    pub fn end_job(&mut self, id: Uuid, state: &str, stop_reason: Option<&str>) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job SET state = $2, stop_reason = $3, touched_at = clock_timestamp(),
                ended_at = CASE WHEN $2 = 'running' THEN NULL ELSE clock_timestamp() END WHERE job_id = $1",
            &[&id, &state, &stop_reason],
        )?;
        Ok(())
    }

    /// Keeps the closing census with the job.
    pub fn keep_census(&mut self, id: Uuid, census: &str) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET census = $2 WHERE job_id = $1", &[&id, &census])?;
        Ok(())
    }

    /// Asks whoever works on a job to stop after its batch and leave it.
    pub fn ask_cancel(&mut self, id: Uuid) -> Result<(), DbError> {
        self.client.execute("UPDATE scrybe_keys.job SET cancel_asked = true WHERE job_id = $1", &[&id])?;
        Ok(())
    }

    /// Chunks of an organization that are not done.
    pub fn open_chunks(&mut self, id: Uuid, organization: &OrgId) -> Result<Vec<Chunk>, DbError> {
        let rows = self.client.query(
            "SELECT chunk, table_name, lower_key, upper_key, by_block, from_block, to_block FROM scrybe_keys.job_chunk
             WHERE job_id = $1 AND organization_id = $2 AND NOT done AND NOT late ORDER BY chunk",
            &[&id, &organization.as_str()],
        )?;
        Ok(rows
            .iter()
            .map(|row| Chunk {
                key: ChunkKey { job: id, organization: organization.clone(), chunk: row.get(0) },
                table: row.get(1),
                rows: if row.get(4) {
                    Rows::Blocks { from: row.get::<_, Option<i64>>(5).unwrap_or(0), to: row.get(6) }
                } else {
                    Rows::Range { lower: row.get(2), upper: row.get(3) }
                },
            })
            .collect())
    }

    /// Adds a chunk to count what settling moves.
    pub fn add_late_chunk(
        &mut self,
        id: Uuid,
        organization: &OrgId,
        table: &str,
        rows: Rows,
    ) -> Result<Chunk, DbError> {
        let row = self.client.query_one(
            "INSERT INTO scrybe_keys.job_chunk (job_id, organization_id, chunk, table_name, late)
             SELECT $1, $2, coalesce(max(chunk), 0) + 1, $3, true FROM scrybe_keys.job_chunk WHERE job_id = $1 AND organization_id = $2
             RETURNING chunk",
            &[&id, &organization.as_str(), &table],
        )?;
        Ok(Chunk {
            key: ChunkKey { job: id, organization: organization.clone(), chunk: row.get(0) },
            table: table.to_owned(),
            rows,
        })
    }

    /// Cells a job could not move.
    pub fn quarantined(&mut self, id: Uuid, limit: i64) -> Result<Vec<Quarantined>, DbError> {
        let rows = self.client.query(
            "SELECT organization_id, table_name, column_name, row_id, reason, (extract(epoch FROM found_at) * 1000000)::bigint
             FROM scrybe_keys.quarantine WHERE job_id = $1 ORDER BY organization_id, table_name, row_id, column_name LIMIT $2",
            &[&id, &limit],
        )?;
        Ok(rows
            .iter()
            .map(|row| Quarantined {
                organization: row.get(0),
                table: row.get(1),
                column: row.get(2),
                row: row.get(3),
                reason: row.get(4),
                found_at: time(row, 5).unwrap_or_default(),
            })
            .collect())
    }

    /// Forgets cells of one table that were named before `before` and not again since.
    pub fn clear_quarantine(
        &mut self,
        id: Uuid,
        organization: &str,
        table: &str,
        before: Timestamp,
    ) -> Result<u64, DbError> {
        let sql = "DELETE FROM scrybe_keys.quarantine WHERE job_id = $1 AND organization_id = $2 AND table_name = $3
                     AND found_at < to_timestamp($4::bigint / 1000000.0)";
        Ok(self.client.execute(sql, &[&id, &organization, &table, &before.as_microsecond()])?)
    }

    /// The database's clock.
    pub fn database_now(&mut self) -> Result<Timestamp, DbError> {
        let row = self.client.query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &[])?;
        Ok(time(&row, 0).unwrap_or_default())
    }

    /// Keeps how long an organization's walk took, when it ran through.
    pub fn keep_walk_seconds(&mut self, id: Uuid, organization: &OrgId, seconds: f64) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_organization SET walk_seconds = $3 WHERE job_id = $1 AND organization_id = $2",
            &[&id, &organization.as_str(), &seconds],
        )?;
        Ok(())
    }

    /// Cells per second of the newest walks that ran through, `None` when there was none worth measuring.
    pub fn measured_rate(&mut self) -> Result<Option<f64>, DbError> {
        let row = self.client.query_opt(
            "SELECT (sum(cells) / nullif(sum(seconds), 0))::float8 FROM (
               SELECT (SELECT sum(c.cells_moved)::float8 FROM scrybe_keys.job_chunk c
                       WHERE c.job_id = o.job_id AND c.organization_id = o.organization_id AND NOT c.late) AS cells,
                      o.walk_seconds AS seconds
               FROM scrybe_keys.job_organization o WHERE o.walk_seconds IS NOT NULL ORDER BY o.moved_at DESC LIMIT 20) r
             HAVING sum(cells) >= 1000",
            &[],
        )?;
        Ok(row.and_then(|row| row.get(0)))
    }
}
