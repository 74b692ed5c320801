//! The atomic cutover: all cells of one organization are moved inside the flip's own transaction.
//!
//! Readers see the old world until it commits, and then the new one. It is for organizations small enough: one session does all the work, rows stay
//! locked until the end, and a transaction that takes far longer than was planned is rolled back and the organization goes online instead. A
//! writer that waited for one of our row locks writes its old-key value afterwards, and so does whoever holds a cached key: settling is as needed
//! as after a walk. `kill -9` before the commit leaves nothing behind.

use super::batches::Batches;
use super::job::Runner;
use super::pace::BATCH_ROWS;
use super::resealing::reseal;
use super::walk::Walk;
use crate::core::cell::Judge;
use crate::core::ids::OrgId;
use crate::core::keyring::Keyring;
use crate::db::catalog::LiveTable;
use crate::db::cells::{BatchCount, BatchStatements, Lookup, Place, Rows};
use crate::db::flip::{OpenFlip, PlannedChunk};
use crate::db::jobs::ChunkKey;
use crate::db::{DbError, DbErrorKind};
use crate::error::Failure;
use std::time::{Duration, Instant};

/// Tries of a batch whose rows are locked.
const LOCK_TRIES: u32 = 4;

/// One table's rows, seen before the transaction begins.
struct Part<'a> {
    live: &'a LiveTable,
    statements: BatchStatements,
    window: Vec<Place>,
}

/// Everything a cutover needs that can be had before its transaction.
pub(super) struct Cutover<'a> {
    parts: Vec<Part<'a>>,
    limit: Duration,
}

/// How the moving inside ended.
pub(super) enum Moved {
    All,
    /// Not within reason, and why: to be rolled back.
    GiveUp(String),
}

impl<'a> Runner<'a> {
    /// Looks up the rows of an organization and prepares what will write them.
    pub(super) fn prepare_cutover(&mut self, organization: &OrgId) -> Result<Cutover<'a>, Failure> {
        let map = &self.app.settings.map.value;
        let mut parts = Vec::new();
        for live in &self.catalog.tables {
            let all = Rows::Range { lower: None, upper: None };
            let window = self.session.window(live, organization, &all)?;
            if !window.is_empty() {
                parts.push(Part { live, statements: self.session.prepare_batches(map, live)?, window });
            }
        }
        Ok(Cutover { parts, limit: 2 * self.request.max_cutover + Duration::from_secs(1) })
    }
}

impl Cutover<'_> {
    /// The chunks that count what is moved, in the order of the tables.
    pub(super) fn chunks(&self) -> Vec<PlannedChunk> {
        let all = || Rows::Range { lower: None, upper: None };
        self.parts.iter().map(|part| (part.live.relation.clone(), all())).collect()
    }

    /// Moves everything inside the open flip.
    pub(super) fn run(
        &self,
        open: &mut OpenFlip<'_>,
        walk: &Walk<'_>,
        job: uuid::Uuid,
        organization: &OrgId,
        keyring: &Keyring,
    ) -> Result<Moved, CutoverError> {
        let began = Instant::now();
        let mut judge = Judge::new(keyring);
        for (number, part) in self.parts.iter().enumerate() {
            let key = ChunkKey { job, organization: organization.clone(), chunk: number as i32, fence: 0 };
            let mut batches = Batches::of(part.window.iter().collect());
            while let Some(places) = batches.next(BATCH_ROWS) {
                let mut tries = 0;
                loop {
                    if began.elapsed() > self.limit {
                        let limit = crate::core::duration::shown(self.limit);
                        return Ok(Moved::GiveUp(format!("it was not done within {limit}")));
                    }
                    match part.batch(open, &mut judge, walk, &key, &places, batches.is_empty()) {
                        Ok(()) => break,
                        Err(CutoverError::Db(error)) if error.kind == DbErrorKind::Retry && tries < LOCK_TRIES => {
                            tries += 1
                        }
                        Err(CutoverError::Db(error)) if error.kind == DbErrorKind::Retry => {
                            return Ok(Moved::GiveUp(format!(
                                "rows of {} stay locked by another session",
                                part.live.relation
                            )));
                        }
                        Err(CutoverError::Db(error)) if error.refuses_a_row() => {
                            let code = error.sqlstate.unwrap_or_default();
                            return Ok(Moved::GiveUp(format!(
                                "the database refuses a row of {}: SQLSTATE {code}",
                                part.live.relation
                            )));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(Moved::All)
    }
}

impl Part<'_> {
    /// One batch under a savepoint. Rows that somebody changed since they were read are read again and written once more; what changes
    /// after that is settling's.
    fn batch(
        &self,
        open: &mut OpenFlip<'_>,
        judge: &mut Judge<'_>,
        walk: &Walk<'_>,
        key: &ChunkKey,
        places: &[&Place],
        last: bool,
    ) -> Result<(), CutoverError> {
        let mut batch = open.batch(self.live)?;
        let mut count = BatchCount { rows: places.len() as i64, done: last, ..BatchCount::default() };
        let mut left: Vec<&Place> = places.to_vec();
        for _ in 0..2 {
            if left.is_empty() {
                break;
            }
            let rows = batch.read(&self.statements, &left, Lookup::Key)?;
            let resealed = reseal(judge, walk, self.live, rows)?;
            for (row, column, reason) in &resealed.unopenable {
                batch.quarantine(key, &self.live.columns[*column].name, row, reason, false)?;
            }
            let written = match resealed.rows.is_empty() {
                true => Vec::new(),
                false => batch.write(&self.statements, &resealed.rows)?,
            };
            for at in &written {
                count.cells += resealed.sizes[*at].0;
                count.bytes += resealed.sizes[*at].1;
            }
            let missed = |id: &str| {
                resealed.rows.iter().enumerate().any(|(at, row)| row.read.id == id && !written.contains(&at))
            };
            if written.len() == resealed.rows.len() {
                break;
            }
            left.retain(|place| missed(&place.id));
        }
        batch.count(&self.statements, key, count, walk.crew.lease)?;
        Ok(batch.commit()?)
    }
}

/// What ends a cutover's transaction.
pub(super) enum CutoverError {
    Db(DbError),
    Failure(Failure),
}

impl From<DbError> for CutoverError {
    fn from(error: DbError) -> CutoverError {
        CutoverError::Db(error)
    }
}

impl From<Failure> for CutoverError {
    fn from(failure: Failure) -> CutoverError {
        CutoverError::Failure(failure)
    }
}
