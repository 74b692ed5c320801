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
use crate::db::cells::{BatchCount, BatchStatements, NewRow, Place, Rows, TargetState};
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
    /// Only cells under these positions move; empty: all but the target.
    pub only: Vec<usize>,
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
        position != self.target && (self.only.is_empty() || self.only.contains(&position))
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
}

impl<'a> Worker<'a> {
    fn open(shared: &'a Shared<'a>) -> Result<Worker<'a>, Failure> {
        let mut session = shared.walk.app.connect()?;
        session.limit_lock_waits()?;
        Ok(Worker { shared, session, statements: HashMap::new(), judge: Judge::new(shared.walk.keyring) })
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
        let mut window = self.with_retries(|w| Ok(w.session.window(live, &chunk.key.organization, &chunk.rows)?))?;
        if matches!(chunk.rows, Rows::Blocks { .. }) {
            stripe(&mut window);
        }
        let batches = cut(&window);
        for (number, ids) in batches.iter().enumerate() {
            if self.stopping() {
                return Ok(false);
            }
            let last = number + 1 == batches.len();
            match self.with_retries(|w| w.batch(live, &chunk.key, ids, last))? {
                Attempt::Committed => {}
                Attempt::Superseded => {
                    self.shared.superseded.store(true, Ordering::SeqCst);
                    self.shared.stop.store(true, Ordering::SeqCst);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn batch(&mut self, live: &LiveTable, key: &ChunkKey, ids: &[&str], last: bool) -> Result<Attempt, StepError> {
        let walk = self.shared.walk;
        if !self.statements.contains_key(&live.name) {
            let prepared = self.session.prepare_batches(&walk.app.settings.map.value, live)?;
            self.statements.insert(live.name.clone(), prepared);
        }
        let statements = &self.statements[&live.name];
        let mut batch = self.session.batch(live)?;
        if batch.target(statements, walk.target_id())? == TargetState::Superseded {
            return Ok(Attempt::Superseded);
        }
        let mut count = BatchCount { rows: ids.len() as i64, done: last, ..BatchCount::default() };
        let mut new_rows: Vec<NewRow> = Vec::new();
        let mut cells_of: Vec<(i64, i64)> = Vec::new();
        let mut bad = Vec::new();
        for row in batch.read(statements, ids)? {
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
    fn with_retries<T>(&mut self, mut step: impl FnMut(&mut Self) -> Result<T, StepError>) -> Result<T, Failure> {
        let (mut lock_tries, mut connect_tries) = (0, 0);
        loop {
            let error = match step(self) {
                Ok(value) => return Ok(value),
                Err(StepError::Failure(failure)) => return Err(failure),
                Err(StepError::Db(error)) => error,
            };
            match error.kind {
                DbErrorKind::Retry if lock_tries < LOCK_TRIES && !self.stopping() => {
                    lock_tries += 1;
                    std::thread::sleep(jittered(Duration::from_millis(40 * u64::from(lock_tries))));
                }
                DbErrorKind::Unreachable if connect_tries < CONNECT_TRIES && !self.stopping() => {
                    tracing::warn!(%error, "connection lost, connecting again");
                    self.reconnect(&mut connect_tries)?;
                }
                DbErrorKind::Cancelled if self.shared.walk.app.interrupt.asked() => {
                    return Err(Failure::new(
                        Exit::Incomplete,
                        "statement-cancelled",
                        "the running statement was cancelled",
                    ));
                }
                _ => return Err(stopped_by(error)),
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

/// Orders a window of heap blocks into stripes: first the first row of every block, then the second of every block, and so on. By the time the
/// walk comes back to a page its earlier row versions are dead, and the server prunes them to fit the next one without touching an index.
fn stripe(window: &mut [Place]) {
    let (mut block, mut rank) = (None, 0i32);
    for place in window.iter_mut() {
        rank = if block == Some(place.block) { rank + 1 } else { 0 };
        block = Some(place.block);
        place.line = rank;
    }
    window.sort_by_key(|p| (p.line, p.block));
}

/// Cuts a window into batches by rows and bytes; an empty window is one empty batch, so that its chunk is ended.
fn cut(window: &[Place]) -> Vec<Vec<&str>> {
    let mut batches: Vec<Vec<&str>> = vec![Vec::new()];
    let mut bytes = 0;
    for place in window {
        let batch = batches.last_mut().expect("there is always one");
        if !batch.is_empty() && (batch.len() >= BATCH_ROWS || bytes + place.bytes > BATCH_BYTES) {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += place.bytes;
        batches.last_mut().expect("there is always one").push(&place.id);
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
        let mut window = vec![place(1, 1), place(1, 4), place(2, 2), place(4, 1), place(4, 2), place(4, 3)];
        stripe(&mut window);
        let ids: Vec<&str> = window.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["1-1", "2-2", "4-1", "1-4", "4-2", "4-3"]);
    }

    proptest! {
        #[test]
        fn batches_cover_every_row_once_within_bounds(sizes in proptest::collection::vec(0i64..5_000_000, 0..3000)) {
            let window: Vec<Place> = sizes.iter().enumerate().map(|(n, bytes)| Place { id: n.to_string(), block: 0, line: 0, bytes: *bytes }).collect();
            let batches = cut(&window);
            prop_assert!(!batches.is_empty());
            let flat: Vec<&str> = batches.iter().flatten().copied().collect();
            prop_assert_eq!(flat, window.iter().map(|p| p.id.as_str()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!(batch.len() <= BATCH_ROWS);
                let bytes: i64 = batch.iter().map(|id| sizes[id.parse::<usize>().unwrap()]).sum();
                prop_assert!(batch.len() <= 1 || bytes <= BATCH_BYTES);
            }
        }
    }
}
