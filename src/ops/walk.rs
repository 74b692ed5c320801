//! Moving cells: workers take chunks, read windows, reseal batches, write them by id and `xmin`.
//!
//! A worker is a thread with its own connection and its own judge; the keyring is borrowed. Each batch is one transaction that begins by
//! locking the target's DEK row and checking that it is still current, and ends with the chunk's counters: `kill -9` loses that transaction
//! and nothing else. Whatever somebody else changed meanwhile is left to settling. Memory is one window of ids and one batch per worker.

use super::crash;
use crate::app::App;
use crate::core::cell::{Class, Judge, Wishes};
use crate::core::ids::DekId;
use crate::core::keyring::Keyring;
use crate::db::catalog::{Catalog, LiveTable};
use crate::db::cells::{BatchCount, BatchStatements, Locked, NewRow, Place, Rows, TargetState};
use crate::db::jobs::{Chunk, ChunkKey};
use crate::db::{DbError, DbErrorKind, Session};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Rows of one chunk: the unit of work lost to nobody and repeated at most once.
pub const CHUNK_ROWS: i64 = 5000;
/// Heap blocks of one chunk, where a table is walked by blocks.
pub const BLOCKS_PER_CHUNK: i64 = 1000;
/// Share of a table's rows from which an organization's are walked by blocks.
pub const HEAP_SHARE: f64 = 0.3;
const BATCH_ROWS: usize = 1000;
const BATCH_BYTES: i64 = 3 << 20;
const LOCK_TRIES: u32 = 20;
/// Tries before locked rows are stepped over.
const PATIENT_TRIES: u32 = 4;
const CONNECT_TRIES: u32 = 6;

/// How a walk ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// Every chunk was walked.
    Done,
    /// Somebody asked to stop; the rest is for the next run.
    Stopped,
    /// The target is not current any more.
    Superseded,
}

/// One organization's walk.
pub struct Walk<'a> {
    pub app: &'a App,
    pub catalog: &'a Catalog,
    pub keyring: &'a Keyring,
    /// Keyring position cells move to.
    pub target: usize,
    /// Only cells under these positions move; `None`: under all but the target.
    pub only: Option<Vec<usize>>,
    pub wishes: Wishes,
    pub workers: usize,
}

/// Numbers a watcher reads while workers work.
#[derive(Default)]
pub struct Tally {
    pub rows: AtomicU64,
    pub cells: AtomicU64,
}

struct Shared<'a> {
    walk: &'a Walk<'a>,
    queue: Mutex<VecDeque<Chunk>>,
    tally: &'a Tally,
    stop: AtomicBool,
    superseded: AtomicBool,
}

enum Attempt {
    Committed,
    Superseded,
}

impl Walk<'_> {
    /// Walks chunks to the end. `watch` is called a few times a second on the calling thread; returning true stops the workers after
    /// their batch. On an error the other workers stop, everything committed stays.
    pub fn run(
        &self,
        chunks: Vec<Chunk>,
        tally: &Tally,
        mut watch: impl FnMut(&Tally) -> Result<bool, Failure>,
    ) -> Result<WalkEnd, Failure> {
        let workers = self.workers.clamp(1, chunks.len().max(1));
        let shared = Shared {
            walk: self,
            queue: Mutex::new(chunks.into()),
            tally,
            stop: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
        };
        let result = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .map(|_| {
                    scope.spawn(|| {
                        let end = Worker::open(&shared).and_then(|mut worker| worker.run());
                        if end.is_err() {
                            shared.stop.store(true, Ordering::SeqCst);
                        }
                        end
                    })
                })
                .collect();
            let mut watched = Ok(());
            while threads.iter().any(|t| !t.is_finished()) {
                std::thread::sleep(Duration::from_millis(50));
                match watch(tally) {
                    Ok(stop) => {
                        if stop || self.app.interrupt.asked() {
                            shared.stop.store(true, Ordering::SeqCst);
                        }
                    }
                    Err(failure) => {
                        shared.stop.store(true, Ordering::SeqCst);
                        watched = Err(failure);
                    }
                }
            }
            let mut result = Ok(());
            for thread in threads {
                let end = thread.join().unwrap_or_else(|_| Err(Failure::internal("a worker thread panicked")));
                result = result.and(end);
            }
            result.and(watched)
        });
        if shared.superseded.load(Ordering::SeqCst) {
            return Ok(WalkEnd::Superseded);
        }
        if self.app.interrupt.asked() && result.as_ref().is_err_and(|f| f.code == "statement-cancelled") {
            return Ok(WalkEnd::Stopped);
        }
        result?;
        let left = !shared.queue.into_inner().expect("no worker panics with the lock").is_empty();
        Ok(if left || shared.stop.load(Ordering::SeqCst) { WalkEnd::Stopped } else { WalkEnd::Done })
    }

    fn movable(&self, position: usize) -> bool {
        position != self.target && self.only.as_ref().is_none_or(|only| only.contains(&position))
    }

    fn target_id(&self) -> &DekId {
        &self.keyring.entries()[self.target].id
    }
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    session: Session,
    statements: HashMap<String, BatchStatements>,
    judge: Judge<'a>,
    locked: Locked,
}

impl<'a> Worker<'a> {
    fn open(shared: &'a Shared<'a>) -> Result<Worker<'a>, Failure> {
        let mut session = shared.walk.app.connect()?;
        session.limit_lock_waits()?;
        Ok(Worker {
            shared,
            session,
            statements: HashMap::new(),
            judge: Judge::new(shared.walk.keyring),
            locked: Locked::Wait,
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        loop {
            if self.stopping() {
                return Ok(());
            }
            let Some(chunk) = self.shared.queue.lock().expect("no worker panics with the lock").pop_front() else {
                return Ok(());
            };
            if !self.chunk(&chunk)? {
                // Unfinished: shown to the caller as left over.
                self.shared.queue.lock().expect("no worker panics with the lock").push_front(chunk);
                return Ok(());
            }
            crash::point("chunk-done");
        }
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::SeqCst) || self.shared.walk.app.interrupt.asked()
    }

    /// Walks one chunk; false when it was left unfinished.
    fn chunk(&mut self, chunk: &Chunk) -> Result<bool, Failure> {
        let walk = self.shared.walk;
        let live = walk.catalog.table(&chunk.table).ok_or_else(|| {
            Failure::conflict(
                "table-gone",
                format!("table {} of this job is not in the data map any more", chunk.table),
            )
            .hint("bring the data map back, or `scrybe-keys jobs cancel` and start anew")
        })?;
        let window = self.with_retries(|w| Ok(w.session.window(live, &chunk.key.organization, &chunk.rows)?))?;
        let order = if matches!(chunk.rows, Rows::Blocks { .. }) { striped(&window) } else { window.iter().collect() };
        let mut batches = cut(&order);
        batches.reverse();
        while let Some(mut places) = batches.pop() {
            if self.stopping() {
                return Ok(false);
            }
            let last = batches.is_empty();
            match self.with_retries(|w| w.batch(live, &chunk.key, &places, last)) {
                Ok(Attempt::Committed) => {}
                Ok(Attempt::Superseded) => return Ok(self.superseded()),
                // One row that the database refuses must not keep the others dark: find it, name it, go on.
                Err(StepError::Db(error)) if refuses_a_row(&error) && places.len() > 1 => {
                    let rest = places.split_off(places.len() / 2);
                    batches.push(rest);
                    batches.push(places);
                }
                Err(StepError::Db(error)) if refuses_a_row(&error) => {
                    let reason =
                        format!("the database refuses the row: SQLSTATE {}", error.sqlstate.as_deref().unwrap_or("?"));
                    match self.with_retries(|w| w.set_aside(live, &chunk.key, places[0], &reason, last))? {
                        Attempt::Committed => {}
                        Attempt::Superseded => return Ok(self.superseded()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn superseded(&self) -> bool {
        self.shared.superseded.store(true, Ordering::SeqCst);
        self.shared.stop.store(true, Ordering::SeqCst);
        false
    }

    fn prepare(&mut self, live: &LiveTable) -> Result<(), StepError> {
        if !self.statements.contains_key(&live.name) {
            let prepared = self.session.prepare_batches(&self.shared.walk.app.settings.map.value, live)?;
            self.statements.insert(live.name.clone(), prepared);
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
        let statements = &self.statements[&live.name];
        let mut batch = self.session.batch(live)?;
        if batch.target(statements, self.shared.walk.target_id())? == TargetState::Superseded {
            return Ok(Attempt::Superseded);
        }
        for column in &live.columns {
            batch.quarantine(key, &column.name, &place.id, reason)?;
        }
        batch.count(statements, key, BatchCount { rows: 1, done: last, ..BatchCount::default() })?;
        batch.commit()?;
        Ok(Attempt::Committed)
    }

    fn batch(&mut self, live: &LiveTable, key: &ChunkKey, places: &[&Place], last: bool) -> Result<Attempt, StepError> {
        let walk = self.shared.walk;
        self.prepare(live)?;
        let statements = &self.statements[&live.name];
        let mut batch = self.session.batch(live)?;
        if batch.target(statements, walk.target_id())? == TargetState::Superseded {
            return Ok(Attempt::Superseded);
        }
        let mut count = BatchCount { rows: places.len() as i64, done: last, ..BatchCount::default() };
        let mut new_rows: Vec<NewRow> = Vec::new();
        let mut cells_of: Vec<(i64, i64)> = Vec::new();
        let mut bad = Vec::new();
        for row in batch.read(statements, places, self.locked)? {
            let mut envelopes = vec![None; live.columns.len()];
            let (mut cells, mut bytes) = (0, 0);
            for (n, column) in live.columns.iter().enumerate() {
                let Some(raw) = row.values[n].as_deref() else { continue };
                let class = self.judge.classify(column.kind, raw);
                if let Class::Unopenable(error) = class {
                    bad.push((row.id.clone(), n, error.to_string()));
                }
                let new = self
                    .judge
                    .rewrite(column.kind, raw, class, walk.target, |at| walk.movable(at), column.tier, walk.wishes)
                    .map_err(|e| Failure::internal("sealing stopped").caused_by(e))?;
                if let Some(new) = new {
                    cells += 1;
                    bytes += new.len() as i64;
                    envelopes[n] = Some(new.to_owned());
                }
            }
            if cells > 0 {
                new_rows.push(NewRow { read: row, envelopes });
                cells_of.push((cells, bytes));
            }
        }
        // A cell sealed under a key younger than this keyring does not open either: then the target is not current any more.
        if !bad.is_empty() && batch.target(statements, walk.target_id())? == TargetState::Superseded {
            return Ok(Attempt::Superseded);
        }
        for (row, column, reason) in &bad {
            batch.quarantine(key, &live.columns[*column].name, row, reason)?;
        }
        crash::point("batch-before-write");
        if !new_rows.is_empty() {
            for written in batch.write(statements, &new_rows)? {
                count.cells += cells_of[written].0;
                count.bytes += cells_of[written].1;
            }
        }
        batch.count(statements, key, count)?;
        crash::point("batch-before-commit");
        batch.commit()?;
        crash::point("batch-after-commit");
        self.shared.tally.rows.fetch_add(count.rows as u64, Ordering::Relaxed);
        self.shared.tally.cells.fetch_add(count.cells as u64, Ordering::Relaxed);
        Ok(Attempt::Committed)
    }

    /// Tries again what is safe to try again: lock waits, deadlocks, and (after connecting anew) a lost connection. A batch
    /// whose commit answer was lost is repeated; its cells are then found under the target.
    fn with_retries<T>(&mut self, mut step: impl FnMut(&mut Self) -> Result<T, StepError>) -> Result<T, StepError> {
        let (mut lock_tries, mut connect_tries) = (0, 0);
        self.locked = Locked::Wait;
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
                        self.locked = Locked::Skip;
                    }
                    std::thread::sleep(jittered(Duration::from_millis(40 * u64::from(lock_tries))));
                }
                DbErrorKind::Unreachable if connect_tries < CONNECT_TRIES && !self.stopping() => {
                    tracing::warn!(%error, "connection lost, connecting again");
                    self.reconnect(&mut connect_tries)?;
                }
                DbErrorKind::Cancelled if self.shared.walk.app.interrupt.asked() => {
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
            match Worker::open(self.shared) {
                Ok(fresh) => {
                    self.session = fresh.session;
                    self.statements.clear();
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

/// True when the server said no to a row's new value: a constraint, a limit, a trigger.
fn refuses_a_row(error: &DbError) -> bool {
    let classes = ["22", "23", "54", "P0"];
    error.sqlstate.as_deref().is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
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

/// A window of heap blocks in stripes: first the first row of every block, then the second of every block, and so on. By the time the
/// walk comes back to a page its earlier row versions are dead, and the server prunes them to fit the next one without touching an index.
fn striped(window: &[Place]) -> Vec<&Place> {
    let (mut block, mut rank) = (None, 0u32);
    let mut order: Vec<(u32, &Place)> = window
        .iter()
        .map(|place| {
            rank = if block == Some(place.block) { rank + 1 } else { 0 };
            block = Some(place.block);
            (rank, place)
        })
        .collect();
    order.sort_by_key(|(rank, place)| (*rank, place.block));
    order.into_iter().map(|(_, place)| place).collect()
}

/// Cuts a window into batches by rows and bytes; an empty window is one empty batch, so that its chunk is ended.
fn cut<'w>(window: &[&'w Place]) -> Vec<Vec<&'w Place>> {
    let mut batches: Vec<Vec<&Place>> = vec![Vec::new()];
    let mut bytes = 0;
    for place in window {
        let batch = batches.last_mut().expect("there is always one");
        if !batch.is_empty() && (batch.len() >= BATCH_ROWS || bytes + place.bytes > BATCH_BYTES) {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += place.bytes;
        batches.last_mut().expect("there is always one").push(place);
    }
    batches
}

fn jittered(base: Duration) -> Duration {
    let mut byte = [0u8; 1];
    let _ = getrandom::fill(&mut byte);
    base / 2 + base * u32::from(byte[0]) / 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stripes_visit_every_block_before_coming_back() {
        let place = |block, line| Place { id: format!("{block}-{line}"), block, line, bytes: 1 };
        let window = [place(1, 1), place(1, 4), place(2, 2), place(4, 1), place(4, 2), place(4, 3)];
        let ids: Vec<&str> = striped(&window).iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["1-1", "2-2", "4-1", "1-4", "4-2", "4-3"]);
    }

    proptest! {
        #[test]
        fn batches_cover_every_row_once_within_bounds(sizes in proptest::collection::vec(0i64..5_000_000, 0..3000)) {
            let window: Vec<Place> = sizes.iter().enumerate().map(|(n, bytes)| Place { id: n.to_string(), block: 0, line: 0, bytes: *bytes }).collect();
            let order: Vec<&Place> = window.iter().collect();
            let batches = cut(&order);
            prop_assert!(!batches.is_empty());
            let flat: Vec<&str> = batches.iter().flatten().map(|p| p.id.as_str()).collect();
            prop_assert_eq!(flat, window.iter().map(|p| p.id.as_str()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!(batch.len() <= BATCH_ROWS);
                let bytes: i64 = batch.iter().map(|p| p.bytes).sum();
                prop_assert!(batch.len() <= 1 || bytes <= BATCH_BYTES);
            }
        }
    }
}
