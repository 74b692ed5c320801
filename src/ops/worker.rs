//! One worker of a walk: a thread with its own connection, its own judge, and the batches it writes.
//!
//! What is safe to try again is tried again here: lock waits, deadlocks, a lost connection. A row somebody sits on is stepped over and left to
//! settling; a row the database refuses is found by halving its batch and named. Key material is only borrowed. Next: `ops::walk`.

use super::batches::{cut, striped};
use super::crash;
use super::walk::Shared;
use crate::core::cell::{Class, Judge};
use crate::db::catalog::LiveTable;
use crate::db::cells::{BatchCount, BatchStatements, Lookup, NewRow, Place, Rows, TargetState};
use crate::db::jobs::{Chunk, ChunkKey};
use crate::db::{DbError, DbErrorKind, Session};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

const LOCK_TRIES: u32 = 20;
/// Tries before locked rows are stepped over.
const PATIENT_TRIES: u32 = 4;
const CONNECT_TRIES: u32 = 6;

enum Attempt {
    Committed,
    Superseded,
}

pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    session: Session,
    statements: HashMap<String, BatchStatements>,
    judge: Judge<'a>,
    /// How the chunk at hand finds its rows, and how a batch does now.
    usual: Lookup,
    lookup: Lookup,
}

impl<'a> Worker<'a> {
    pub(super) fn open(shared: &'a Shared<'a>) -> Result<Worker<'a>, Failure> {
        let mut session = shared.walk.app.connect()?;
        session.limit_lock_waits()?;
        Ok(Worker {
            shared,
            session,
            statements: HashMap::new(),
            judge: Judge::new(shared.walk.keyring),
            usual: Lookup::Place,
            lookup: Lookup::Place,
        })
    }

    pub(super) fn run(&mut self) -> Result<(), Failure> {
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
        let by_block = matches!(chunk.rows, Rows::Blocks { .. });
        self.usual = if by_block { Lookup::Key } else { Lookup::Place };
        let order = if by_block { striped(&window) } else { window.iter().collect() };
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
        let mut count = BatchCount { rows: places.len() as i64, done: last, ..BatchCount::default() };
        let mut new_rows: Vec<NewRow> = Vec::new();
        let mut cells_of: Vec<(i64, i64)> = Vec::new();
        let mut bad = Vec::new();
        for row in batch.read(statements, places, self.lookup)? {
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
        // After the read: a cell that does not open may be under a key younger than this keyring, and then the target is not current. Before
        // the write: the lock keeps a flip out until commit. No sooner: a transaction that holds an id keeps dead rows from being pruned.
        if batch.target(statements, walk.target_id())? == TargetState::Superseded {
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

fn jittered(base: Duration) -> Duration {
    let mut byte = [0u8; 1];
    let _ = getrandom::fill(&mut byte);
    base / 2 + base * u32::from(byte[0]) / 256
}
