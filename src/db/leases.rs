//! Who walks which chunk: leases with a heartbeat and a fence, for any number of processes on any number of machines.
//!
//! A chunk is claimed by raising its fence; a batch commits only while the chunk still has the fence it was claimed with (`db::cells`), so a
//! worker that stalled and comes back writes nothing over a newer lease's work. A lease ends when its time is up, when it is given back, or when
//! its process no longer holds its advisory lock. Each process registers here; `jobs status` shows them.

use super::cells::Rows;
use super::flip::add_chunks;
use super::jobs::{Chunk, ChunkKey, time};
use super::{DbError, Session};
use crate::core::ids::OrgId;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// What a worker that looks for work finds.
pub enum Claim {
    Chunk(Chunk),
    /// What is left is leased by other processes.
    Elsewhere,
    /// What is left is in the hands of this process's own workers, or nothing is.
    Nothing,
}

/// A process at work on a job, as it last said.
#[derive(Clone, Debug)]
pub struct Process {
    pub id: Uuid,
    pub host: String,
    pub pid: i32,
    pub workers: i32,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub rows_visited: i64,
    pub cells_moved: i64,
    /// Rows per second over the last moments.
    pub rate: f64,
    pub doing: String,
    pub slowed_by: Option<String>,
    /// It holds its lock now.
    pub alive: bool,
}

/// What a process says of itself once a second.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat {
    pub workers: i32,
    pub rows_visited: i64,
    pub cells_moved: i64,
    pub rate: f64,
    pub doing: String,
    pub slowed_by: Option<String>,
}

/// What other terminals ask of whoever works on a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub cancel: bool,
    /// no, between, now.
    pub pause: String,
    /// JSON.
    pub tuning: String,
    /// Processes alive on the job, this one among them.
    pub processes: i64,
}

/// True SQL where the process named by `$column` holds its lock.
fn alive(column: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND l.classid = hashtext('scrybe_keys.process')::oid AND l.objid = hashtext({column}::text)::oid)"
    )
}

impl Session {
    /// Registers a process and takes its lock for this session: the process counts as alive while this session lasts.
    pub fn register_process(&mut self, process: Uuid, job: Uuid, host: &str, pid: i32) -> Result<(), DbError> {
        self.client.execute(
            "SELECT pg_advisory_lock(hashtext('scrybe_keys.process'), hashtext($1))",
            &[&process.to_string()],
        )?;
        self.client.execute(
            "INSERT INTO scrybe_keys.job_process (process_id, job_id, host, pid) VALUES ($1, $2, $3, $4)
             ON CONFLICT (process_id) DO UPDATE SET seen_at = clock_timestamp(), ended_at = NULL",
            &[&process, &job, &host, &pid],
        )?;
        Ok(())
    }

    /// Says how this process fares and returns what is asked of it. With `runs`, also that somebody runs the job.
    pub fn heartbeat(&mut self, process: Uuid, job: Uuid, runs: bool, beat: &Heartbeat) -> Result<Asked, DbError> {
        let sql = format!(
            "WITH p AS (UPDATE scrybe_keys.job_process SET seen_at = clock_timestamp(), workers = $4, rows_visited = $5, cells_moved = $6,
                            rate = $7, doing = $8, slowed_by = $9 WHERE process_id = $1),
                  j AS (UPDATE scrybe_keys.job SET touched_at = clock_timestamp() WHERE job_id = $2 AND $3)
             SELECT cancel_asked, pause, tuning,
                (SELECT count(*) FROM scrybe_keys.job_process q WHERE q.job_id = $2 AND q.ended_at IS NULL AND {})
             FROM scrybe_keys.job WHERE job_id = $2",
            alive("q.process_id")
        );
        let row = self.client.query_opt(
            &sql,
            &[
                &process,
                &job,
                &runs,
                &beat.workers,
                &beat.rows_visited,
                &beat.cells_moved,
                &beat.rate,
                &beat.doing,
                &beat.slowed_by,
            ],
        )?;
        Ok(row.map_or_else(Asked::default, |row| Asked {
            cancel: row.get(0),
            pause: row.get(1),
            tuning: row.get(2),
            processes: row.get(3),
        }))
    }

    /// Says that a process has left a job.
    pub fn leave_job(&mut self, process: Uuid) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_process SET ended_at = clock_timestamp(), rate = 0, doing = '', slowed_by = NULL WHERE process_id = $1",
            &[&process],
        )?;
        Ok(())
    }

    /// Every process that works or worked on a job, in the order they came.
    pub fn processes(&mut self, job: Uuid) -> Result<Vec<Process>, DbError> {
        let micros = |column: &str| format!("(extract(epoch FROM p.{column}) * 1000000)::bigint");
        let sql = format!(
            "SELECT p.process_id, p.host, p.pid, p.workers, {}, {}, {}, p.rows_visited, p.cells_moved, p.rate, p.doing, p.slowed_by,
                    p.ended_at IS NULL AND {}
             FROM scrybe_keys.job_process p WHERE p.job_id = $1 ORDER BY p.started_at",
            micros("started_at"),
            micros("seen_at"),
            micros("ended_at"),
            alive("p.process_id")
        );
        let rows = self.client.query(&sql, &[&job])?;
        Ok(rows
            .iter()
            .map(|row| Process {
                id: row.get(0),
                host: row.get(1),
                pid: row.get(2),
                workers: row.get(3),
                started_at: time(row, 4).unwrap_or_default(),
                seen_at: time(row, 5).unwrap_or_default(),
                ended_at: time(row, 6),
                rows_visited: row.get(7),
                cells_moved: row.get(8),
                rate: row.get(9),
                doing: row.get(10),
                slowed_by: row.get(11),
                alive: row.get(12),
            })
            .collect())
    }

    /// Claims the next chunk of an organization's walk that nobody walks, for `lease`.
    pub fn claim_chunk(
        &mut self,
        job: Uuid,
        organization: &OrgId,
        process: Uuid,
        lease: Duration,
    ) -> Result<Claim, DbError> {
        let open = "k.job_id = $1 AND k.organization_id = $2 AND NOT k.done AND NOT k.late";
        let sql = format!(
            "WITH free AS MATERIALIZED (
               SELECT k.chunk FROM scrybe_keys.job_chunk k
               WHERE {open} AND (k.lease_process IS NULL OR k.lease_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => $4) OR NOT {})
               ORDER BY k.chunk LIMIT 1 FOR UPDATE SKIP LOCKED)
             UPDATE scrybe_keys.job_chunk c SET fence = c.fence + 1, lease_process = $3, lease_until = clock_timestamp() + make_interval(secs => $4)
             FROM free WHERE c.job_id = $1 AND c.organization_id = $2 AND c.chunk = free.chunk
             RETURNING c.chunk, c.fence, c.table_name, c.lower_key, c.upper_key, c.by_block, c.from_block, c.to_block, c.file",
            alive("k.lease_process")
        );
        let (id, seconds) = (organization.as_str(), lease.as_secs_f64());
        if let Some(row) = self.client.query_opt(&sql, &[&job, &id, &process, &seconds])? {
            let rows = if row.get(5) {
                let (from, file): (Option<i64>, Option<i64>) = (row.get(6), row.get(8));
                Rows::Blocks { from: from.unwrap_or(0), to: row.get(7), file: file.unwrap_or(0) }
            } else {
                Rows::Range { lower: row.get(3), upper: row.get(4) }
            };
            let key = ChunkKey { job, organization: organization.clone(), chunk: row.get(0), fence: row.get(1) };
            return Ok(Claim::Chunk(Chunk { key, table: row.get(2), rows }));
        }
        let sql = format!(
            "SELECT EXISTS (SELECT FROM scrybe_keys.job_chunk k WHERE {open} AND k.lease_process IS DISTINCT FROM $3)"
        );
        let elsewhere: bool = self.client.query_one(&sql, &[&job, &id, &process])?.get(0);
        Ok(if elsewhere { Claim::Elsewhere } else { Claim::Nothing })
    }

    /// Block chunks of a heap that was rewritten mean nothing any more: ends those of `file` that are not done, whoever walks them, and adds
    /// `pieces` in their place. Nothing happens when another worker has done so.
    pub fn replan_blocks(
        &mut self,
        job: Uuid,
        organization: &OrgId,
        relation: &str,
        file: i64,
        pieces: Vec<Rows>,
    ) -> Result<(), DbError> {
        let mut t = self.client.transaction()?;
        let id = organization.as_str();
        t.execute(
            "SELECT FROM scrybe_keys.job_organization WHERE job_id = $1 AND organization_id = $2 FOR UPDATE",
            &[&job, &id],
        )?;
        let ended = t.execute(
            "UPDATE scrybe_keys.job_chunk SET done = true, fence = fence + 1
             WHERE job_id = $1 AND organization_id = $2 AND table_name = $3 AND by_block AND file = $4 AND NOT done AND NOT late",
            &[&job, &id, &relation, &file],
        )?;
        if ended == 0 {
            return Ok(());
        }
        let row = t.query_one(
            "SELECT max(chunk) + 1 FROM scrybe_keys.job_chunk WHERE job_id = $1 AND organization_id = $2",
            &[&job, &id],
        )?;
        let pieces: Vec<_> = pieces.into_iter().map(|rows| (relation.to_owned(), rows)).collect();
        add_chunks(&mut t, job, organization, &pieces, row.get(0))?;
        Ok(t.commit()?)
    }

    /// Holds a chunk for `lease` more. False when somebody else has claimed it.
    pub fn renew_lease(&mut self, key: &ChunkKey, lease: Duration) -> Result<bool, DbError> {
        let sql = "UPDATE scrybe_keys.job_chunk SET lease_until = clock_timestamp() + make_interval(secs => $5)
                   WHERE job_id = $1 AND organization_id = $2 AND chunk = $3 AND fence = $4";
        let seconds = lease.as_secs_f64();
        Ok(self.client.execute(sql, &[&key.job, &key.organization.as_str(), &key.chunk, &key.fence, &seconds])? == 1)
    }

    /// Gives a chunk back unfinished; nothing happens when somebody else has claimed it.
    pub fn release_chunk(&mut self, key: &ChunkKey) -> Result<(), DbError> {
        let sql = "UPDATE scrybe_keys.job_chunk SET lease_process = NULL, lease_until = NULL
                   WHERE job_id = $1 AND organization_id = $2 AND chunk = $3 AND fence = $4";
        self.client.execute(sql, &[&key.job, &key.organization.as_str(), &key.chunk, &key.fence])?;
        Ok(())
    }

    /// Gives back whatever a process has claimed of an organization's walk: for when none of its workers is at work.
    pub fn release_chunks_of(&mut self, job: Uuid, organization: &OrgId, process: Uuid) -> Result<(), DbError> {
        self.client.execute(
            "UPDATE scrybe_keys.job_chunk SET lease_process = NULL, lease_until = NULL
             WHERE job_id = $1 AND organization_id = $2 AND lease_process = $3 AND NOT done",
            &[&job, &organization.as_str(), &process],
        )?;
        Ok(())
    }

    /// Chunks of an organization's walk that are not done.
    pub fn chunks_left(&mut self, job: Uuid, organization: &OrgId) -> Result<i64, DbError> {
        let sql = "SELECT count(*) FROM scrybe_keys.job_chunk WHERE job_id = $1 AND organization_id = $2 AND NOT done AND NOT late";
        Ok(self.client.query_one(sql, &[&job, &organization.as_str()])?.get(0))
    }

    /// Ends the session that holds a job's lock when nobody has said for `silence` that the job is being run: a process that was stopped, or a
    /// host that is gone, would hold it for ever. Whoever wakes up finds its session ended. True when a session was ended.
    pub fn end_silent_runner(&mut self, job: Uuid, silence: Duration) -> Result<bool, DbError> {
        let row = self.client.query_opt(
            "SELECT pg_terminate_backend(l.pid) FROM scrybe_keys.job j JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.classid = hashtext('scrybe_keys.job')::oid AND l.objid = hashtext(j.job_id::text)::oid
             WHERE j.job_id = $1 AND abs(extract(epoch FROM clock_timestamp() - j.touched_at)::float8) > $2",
            &[&job, &silence.as_secs_f64()],
        )?;
        Ok(row.is_some_and(|row| row.get(0)))
    }

    /// For sessions that move cells: short lock waits, and no transaction outlives its lease. Their commits do not wait for the disk or a standby:
    /// a server that crashes takes back the last batches with their counters, cells and progress alike, and the walk goes over them again. What
    /// says that an organization was moved is committed by another session, which waits, and with it for everything before.
    pub fn begin_moving(&mut self, lease: Duration) -> Result<(), DbError> {
        let limits = format!(
            "SET lock_timeout = '500ms'; SET synchronous_commit = off; SET idle_in_transaction_session_timeout = '{}ms'",
            lease.as_millis().clamp(1_000, 60_000)
        );
        Ok(self.client.batch_execute(&limits)?)
    }
}
