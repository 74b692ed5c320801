//! One worker of a walk: a thread with a connection, its own judge, the chunk it has claimed and the batches it writes.
//!
//! What is safe to try again is tried again here: lock waits, deadlocks, a lost connection. A row somebody sits on is stepped over and left to
//! settling; a row the database refuses is found by halving its batch and named. A chunk that somebody else has claimed meanwhile is dropped
//! where it stands. Key material is only borrowed. Next: `ops::walk`.

use super::batches::{Batches, striped};
use super::crash;
use super::crew::Hand;
use super::cutting;
use super::resealing::reseal;
use super::walk::Shared;
use crate::core::cell::Judge;
use crate::db::catalog::LiveTable;
use crate::db::cells::{BatchCount, Lookup, Place, Rows, TargetState};
use crate::db::jobs::{Chunk, ChunkKey};
use crate::db::leases::Claim;
use crate::db::{DbError, DbErrorKind};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const LOCK_TRIES: u32 = 20;
/// Tries before locked rows are stepped over.
const PATIENT_TRIES: u32 = 4;
const CONNECT_TRIES: u32 = 6;
/// How long a worker waits for chunks that other processes walk before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

enum Attempt {
    Committed,
    Superseded,
    /// Somebody else has claimed the chunk.
    Lost,
}

/// How a worker left a chunk.
enum Left {
    Walked,
    Unfinished,
    Lost,
}

pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    /// Number among the workers of this walk: those beyond the number wanted leave.
    slot: usize,
    hand: Hand,
    judge: Judge<'a>,
    /// How the chunk at hand finds its rows, and how a batch does now.
    usual: Lookup,
    lookup: Lookup,
    /// Rows of the next batch.
    batch_rows: usize,
    /// When the lease of the chunk at hand was last renewed.
    renewed: Instant,
}

impl<'a> Worker<'a> {
    pub(super) fn open(shared: &'a Shared<'a>, slot: usize) -> Result<Worker<'a>, Failure> {
        Ok(Worker {
            shared,
            slot,
            hand: shared.walk.crew.hand()?,
            judge: Judge::new(shared.walk.keyring),
            usual: Lookup::Place,
            lookup: Lookup::Place,
            batch_rows: shared.walk.crew.pace.batch_rows(),
            renewed: Instant::now(),
        })
    }

    pub(super) fn run(mut self) -> Result<(), Failure> {
        let crew = self.shared.walk.crew;
        loop {
            if self.stopping() || self.is_one_too_many() {
                break;
            }
            let chunk = match self.claim()? {
                Claim::Chunk(chunk) => chunk,
                Claim::Elsewhere => {
                    std::thread::sleep(LOOK_AGAIN);
                    continue;
                }
                Claim::Nothing => break,
            };
            self.renewed = Instant::now();
            match self.chunk(&chunk)? {
                Left::Walked => crash::point("chunk-done"),
                Left::Lost => tracing::warn!(chunk = chunk.key.chunk, "another worker has taken this chunk over"),
                Left::Unfinished => {
                    match self.shared.leased {
                        Some(_) => self.hand.session.release_chunk(&chunk.key)?,
                        // Shown to the caller as left over.
                        None => self.shared.queue.lock().expect("no worker panics with the lock").push_front(chunk),
                    }
                    break;
                }
            }
        }
        crew.give_back(self.hand);
        Ok(())
    }

    fn claim(&mut self) -> Result<Claim, Failure> {
        let Some((job, organization)) = self.shared.leased else {
            let chunk = self.shared.queue.lock().expect("no worker panics with the lock").pop_front();
            return Ok(chunk.map_or(Claim::Nothing, Claim::Chunk));
        };
        let crew = self.shared.walk.crew;
        Ok(self
            .with_retries(None, |w| Ok(w.hand.session.claim_chunk(job, organization, crew.process, crew.lease)?))?)
    }

    /// True when fewer workers are wanted than when this one began. The first always stays.
    fn is_one_too_many(&self) -> bool {
        self.slot >= self.shared.walk.crew.pace.workers()
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::SeqCst) || self.shared.walk.crew.app.interrupt.asked()
    }

    /// Renews the lease of the chunk at hand when a third of it has gone by. False when the chunk is somebody else's now.
    fn still_ours(&mut self, key: &ChunkKey) -> Result<bool, Failure> {
        let lease = self.shared.walk.crew.lease;
        if self.renewed.elapsed() < lease / 3 {
            return Ok(true);
        }
        self.renewed = Instant::now();
        Ok(self.hand.session.renew_lease(key, lease).unwrap_or(true))
    }

    /// Walks one chunk.
    fn chunk(&mut self, chunk: &Chunk) -> Result<Left, Failure> {
        let walk = self.shared.walk;
        let key = &chunk.key;
        let live = walk.catalog.table(&chunk.table).ok_or_else(|| {
            Failure::conflict(
                "table-gone",
                format!("table {} of this job is not in the data map any more", chunk.table),
            )
            .hint("bring the data map back, or `scrybe-keys jobs cancel` and start anew")
        })?;
        let window =
            self.with_retries(Some(key), |w| Ok(w.hand.session.window(live, &key.organization, &chunk.rows)?))?;
        // After the window: a table rewritten since its chunks were cut has other rows in these blocks.
        if let Rows::Blocks { file, .. } = chunk.rows
            && self.with_retries(Some(key), |w| Ok(w.hand.session.file_of(live)?))? != file
        {
            return self.replan(live, key, file);
        }
        let by_block = matches!(chunk.rows, Rows::Blocks { .. });
        self.usual = if by_block { Lookup::Blocks } else { Lookup::Place };
        let mut batches = Batches::of(if by_block { striped(&window) } else { window.iter().collect() });
        while let Some(places) = batches.next(self.batch_rows) {
            if !self.waits_its_turn(key, places.len())? {
                return Ok(Left::Lost);
            }
            if self.stopping() || self.is_one_too_many() {
                return Ok(Left::Unfinished);
            }
            let last = batches.is_empty();
            let began = Instant::now();
            match self.with_retries(Some(key), |w| w.batch(live, key, &places, last)) {
                Ok(Attempt::Committed) => {
                    self.renewed = Instant::now();
                    self.batch_rows = walk.crew.pace.next_batch(self.batch_rows, places.len(), began.elapsed());
                }
                Ok(Attempt::Superseded) => return Ok(self.superseded()),
                Ok(Attempt::Lost) => return self.lost(),
                // One row that the database refuses must not keep the others dark: find it, name it, go on.
                Err(StepError::Db(error)) if error.refuses_a_row() && places.len() > 1 => batches.halve(places),
                Err(StepError::Db(error)) if error.refuses_a_row() => {
                    let reason =
                        format!("the database refuses the row: SQLSTATE {}", error.sqlstate.as_deref().unwrap_or("?"));
                    match self.with_retries(Some(key), |w| w.set_aside(live, key, places[0], &reason, last))? {
                        Attempt::Committed => {}
                        Attempt::Superseded => return Ok(self.superseded()),
                        Attempt::Lost => return self.lost(),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Left::Walked)
    }

    /// Cuts a rewritten table anew. Only the walk's own chunks are kept; settling cuts its own each time.
    fn replan(&mut self, live: &LiveTable, key: &ChunkKey, file: i64) -> Result<Left, Failure> {
        let Some((job, organization)) = self.shared.leased else {
            return Ok(Left::Lost);
        };
        tracing::warn!(relation = live.relation, "the table was rewritten; its part of the walk is planned anew");
        let pieces = cutting::cut(&mut self.hand.session, live, &key.organization)?;
        self.hand.session.replan_blocks(job, organization, &live.relation, file, pieces)?;
        Ok(Left::Lost)
    }

    /// Waits as the pace asks before a batch; the chunk is held meanwhile. False when it was taken over all the same.
    fn waits_its_turn(&mut self, key: &ChunkKey, rows: usize) -> Result<bool, Failure> {
        let shared = self.shared;
        let mut ours = Ok(true);
        shared.walk.crew.pace.wait(rows, || {
            ours = self.still_ours(key);
            matches!(ours, Ok(true)) && !self.stopping()
        });
        ours
    }

    fn lost(&self) -> Result<Left, Failure> {
        match self.shared.leased {
            Some(_) => Ok(Left::Lost),
            None => Err(Failure::conflict("job-gone", "this job's records were changed by somebody else")
                .hint("`scrybe-keys jobs list` shows what is there; then run the same command again")),
        }
    }

    fn superseded(&self) -> Left {
        self.shared.superseded.store(true, Ordering::SeqCst);
        self.shared.stop.store(true, Ordering::SeqCst);
        Left::Unfinished
    }

    fn prepare(&mut self, live: &LiveTable) -> Result<(), StepError> {
        if !self.hand.statements.contains_key(&live.relation) {
            let prepared = self.hand.session.prepare_batches(&self.shared.walk.crew.app.settings.map.value, live)?;
            self.hand.statements.insert(live.relation.clone(), prepared);
        }
        Ok(())
    }

    /// Names a row that cannot be written, in a transaction of its own.
    fn set_aside(
        &mut self,
        live: &LiveTable,
        key: &ChunkKey,
        place: &Place,
        reason: &str,
        last: bool,
    ) -> Result<Attempt, StepError> {
        self.prepare(live)?;
        let Hand { session, statements } = &mut self.hand;
        let statements = &statements[&live.relation];
        let mut batch = session.batch(live)?;
        if batch.target(statements, self.shared.walk.target_id())? == TargetState::Superseded {
            return Ok(Attempt::Superseded);
        }
        for column in &live.columns {
            batch.quarantine(key, &column.name, &place.id, reason, true)?;
        }
        let count = BatchCount { rows: 1, done: last, ..BatchCount::default() };
        if !batch.count(statements, key, count, self.shared.walk.crew.lease)? {
            return Ok(Attempt::Lost);
        }
        batch.commit()?;
        Ok(Attempt::Committed)
    }

    fn batch(&mut self, live: &LiveTable, key: &ChunkKey, places: &[&Place], last: bool) -> Result<Attempt, StepError> {
        let walk = self.shared.walk;
        self.prepare(live)?;
        let Hand { session, statements } = &mut self.hand;
        let statements = &statements[&live.relation];
        let mut batch = session.batch(live)?;
        let mut count = BatchCount { rows: places.len() as i64, done: last, ..BatchCount::default() };
        let mut rows = batch.read(statements, places, self.lookup)?;
        if rows.len() < places.len() {
            let found: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            let missing: Vec<&Place> = places.iter().filter(|p| !found.contains(p.id.as_str())).copied().collect();
            if matches!(self.lookup, Lookup::Place | Lookup::Blocks) {
                // Moved since the window was read, by an update or a rewrite of the whole table.
                rows.extend(batch.read(statements, &missing, Lookup::Key)?);
            }
            if self.lookup == Lookup::Unlocked {
                count.skipped = missing.len() as i64;
            }
        }
        let resealed = reseal(&mut self.judge, walk, live, rows)?;
        // After the read: a cell that does not open may be under a key younger than this keyring, and then the target is not current. Before
        // the write: the lock keeps a flip out until commit. No sooner: a transaction that holds an id keeps dead rows from being pruned.
        if batch.target(statements, walk.target_id())? == TargetState::Superseded {
            return Ok(Attempt::Superseded);
        }
        for (row, column, reason) in &resealed.unopenable {
            batch.quarantine(key, &live.columns[*column].name, row, reason, false)?;
        }
        crash::point("batch-before-write");
        if !resealed.rows.is_empty() {
            for written in batch.write(statements, &resealed.rows)? {
                count.cells += resealed.sizes[written].0;
                count.bytes += resealed.sizes[written].1;
            }
        }
        if !batch.count(statements, key, count, walk.crew.lease)? {
            return Ok(Attempt::Lost);
        }
        crash::point("batch-before-commit");
        batch.commit()?;
        crash::point("batch-after-commit");
        for tally in [self.shared.tally, &walk.crew.done] {
            tally.rows.fetch_add(count.rows as u64, Ordering::Relaxed);
            tally.cells.fetch_add(count.cells as u64, Ordering::Relaxed);
        }
        Ok(Attempt::Committed)
    }

    /// Tries again what is safe to try again: lock waits, deadlocks, and (after connecting anew) a lost connection. A batch
    /// whose commit answer was lost is repeated; its cells are then found under the target.
    fn with_retries<T>(
        &mut self,
        chunk: Option<&ChunkKey>,
        mut step: impl FnMut(&mut Self) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let (mut lock_tries, mut connect_tries) = (0, 0);
        self.lookup = self.usual;
        loop {
            let error = match step(self) {
                Err(StepError::Db(error)) => error,
                ended => return ended,
            };
            match error.kind {
                DbErrorKind::Retry if lock_tries < LOCK_TRIES && !self.stopping() => {
                    lock_tries += 1;
                    if lock_tries > PATIENT_TRIES {
                        // Somebody sits on a row: the others need not wait. Settling waits for that transaction's end.
                        self.lookup = Lookup::Unlocked;
                    }
                    std::thread::sleep(jittered(Duration::from_millis(40 * u64::from(lock_tries))));
                    if let Some(key) = chunk {
                        // Lost or not: the batch finds out under the fence.
                        self.still_ours(key)?;
                    }
                }
                DbErrorKind::Unreachable if connect_tries < CONNECT_TRIES && !self.stopping() => {
                    tracing::warn!(%error, "connection lost, connecting again");
                    self.reconnect(&mut connect_tries)?;
                }
                DbErrorKind::Cancelled if self.shared.walk.crew.app.interrupt.asked() => {
                    return Err(StepError::Failure(Failure::new(
                        Exit::Incomplete,
                        "statement-cancelled",
                        "the running statement was cancelled",
                    )));
                }
                _ => return Err(StepError::Db(error)),
            }
        }
    }

    fn reconnect(&mut self, tries: &mut u32) -> Result<(), Failure> {
        loop {
            *tries += 1;
            std::thread::sleep(jittered(Duration::from_millis(200 << (*tries).min(5))));
            match self.shared.walk.crew.new_hand() {
                Ok(fresh) => {
                    self.hand = fresh;
                    return Ok(());
                }
                Err(failure) if *tries >= CONNECT_TRIES || self.stopping() => {
                    return Err(Failure { exit: Exit::Incomplete, ..failure }
                        .during("the database connection was lost and did not come back")
                        .hint("run the same command again: it goes on where it stopped"));
                }
                Err(_) => {}
            }
        }
    }
}

/// A batch error that ends the walk: resumable, whatever it was.
fn stopped_by(error: DbError) -> Failure {
    let locked = error.kind == DbErrorKind::Retry;
    let failure = Failure::from(error);
    let failure = Failure { exit: Exit::Incomplete, ..failure };
    let failure = if locked { failure.during("rows stayed locked by another session") } else { failure };
    failure.hint("run the same command again when this is mended: it goes on where it stopped")
}

enum StepError {
    Db(DbError),
    Failure(Failure),
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Failure {
        match error {
            StepError::Db(error) => stopped_by(error),
            StepError::Failure(failure) => failure,
        }
    }
}

impl From<DbError> for StepError {
    fn from(error: DbError) -> StepError {
        StepError::Db(error)
    }
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> StepError {
        StepError::Failure(failure)
    }
}

fn jittered(base: Duration) -> Duration {
    let mut byte = [0u8; 1];
    let _ = getrandom::fill(&mut byte);
    base / 2 + base * u32::from(byte[0]) / 256
}
