//! Moving cells: workers take chunks, read windows, reseal batches, write them by id and `xmin`.
//!
//! A worker is a thread with a connection and its own judge; the keyring is borrowed. Each batch is one transaction that locks the target's DEK row,
//! checks that it is still current, and counts itself under the chunk's fence: `kill -9` loses that transaction and nothing else, and a worker
//! whose chunk was taken over writes nothing. Chunks of a walk are claimed in the database, so any number of processes may walk together.
//! Whatever somebody else changed meanwhile is left to settling. Memory is one window of ids and one batch per worker.

use super::crew::{Crew, Tally};
use super::worker::Worker;
use crate::core::cell::Wishes;
use crate::core::ids::{DekId, OrgId};
use crate::core::keyring::Keyring;
use crate::db::catalog::Catalog;
use crate::db::jobs::Chunk;
use crate::error::Failure;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How a walk ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// Every chunk was walked, by this process or another.
    Done,
    /// Somebody asked to stop; the rest is for the next run.
    Stopped,
    /// The target is not current any more.
    Superseded,
}

/// Where chunks come from.
pub enum Source<'a> {
    /// The chunks of an organization's walk, claimed one by one, beside other processes.
    Leased { job: Uuid, organization: &'a OrgId },
    /// Chunks that only this process knows.
    Own(Vec<Chunk>),
}

/// One organization's walk.
pub struct Walk<'a> {
    pub crew: &'a Crew<'a>,
    pub catalog: &'a Catalog,
    pub keyring: &'a Keyring,
    /// Keyring position cells move to.
    pub target: usize,
    /// Only cells under these positions move; `None`: under all but the target.
    pub only: Option<Vec<usize>>,
    pub wishes: Wishes,
}

pub(super) struct Shared<'a> {
    pub walk: &'a Walk<'a>,
    /// Absent for `Source::Own`.
    pub leased: Option<(Uuid, &'a OrgId)>,
    pub queue: Mutex<VecDeque<Chunk>>,
    pub tally: &'a Tally,
    pub stop: AtomicBool,
    pub superseded: AtomicBool,
}

impl Walk<'_> {
    /// Walks chunks to the end. `watch` is called all the time on the calling thread; returning true stops the workers after
    /// their batch. On an error the other workers stop, everything committed stays.
    pub fn run(
        &self,
        source: Source<'_>,
        tally: &Tally,
        mut watch: impl FnMut(&Tally) -> Result<bool, Failure>,
    ) -> Result<WalkEnd, Failure> {
        let (leased, queue) = match source {
            Source::Leased { job, organization } => (Some((job, organization)), VecDeque::new()),
            Source::Own(chunks) => (None, chunks.into()),
        };
        let shared = Shared {
            walk: self,
            leased,
            queue: Mutex::new(queue),
            tally,
            stop: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
        };
        loop {
            let chunks = self.chunks_left(&shared)?;
            if chunks == 0 {
                return Ok(WalkEnd::Done);
            }
            let result = self.work(&shared, chunks, &mut watch);
            let app = self.crew.app;
            if shared.superseded.load(Ordering::SeqCst) {
                return Ok(WalkEnd::Superseded);
            }
            if app.interrupt.asked() && result.as_ref().is_err_and(|f| f.code == "statement-cancelled") {
                return Ok(WalkEnd::Stopped);
            }
            result?;
            if shared.stop.load(Ordering::SeqCst) || app.interrupt.asked() {
                return Ok(WalkEnd::Stopped);
            }
            // A claim whose answer was lost leaves a chunk in our name that nobody walks.
            if let Some((job, organization)) = leased {
                self.crew.ask(|session| session.release_chunks_of(job, organization, self.crew.process))?;
            }
        }
    }

    fn chunks_left(&self, shared: &Shared<'_>) -> Result<usize, Failure> {
        let Some((job, organization)) = shared.leased else {
            return Ok(shared.queue.lock().expect("no worker panics with the lock").len());
        };
        Ok(self.crew.ask(|session| session.chunks_left(job, organization))?.max(0) as usize)
    }

    /// One crowd of workers, until none of them finds a chunk any more.
    fn work(
        &self,
        shared: &Shared<'_>,
        chunks: usize,
        watch: &mut impl FnMut(&Tally) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        std::thread::scope(|scope| {
            let spawn = |slot: usize| {
                scope.spawn(move || {
                    let end = Worker::open(shared, slot).and_then(Worker::run);
                    if end.is_err() {
                        shared.stop.store(true, Ordering::SeqCst);
                    }
                    end
                })
            };
            let mut wanted = self.crew.pace.workers();
            let mut threads: Vec<_> = (0..wanted.clamp(1, chunks.max(1))).map(|slot| (slot, spawn(slot))).collect();
            let mut watched = Ok(());
            while threads.iter().any(|(_, t)| !t.is_finished()) {
                std::thread::sleep(Duration::from_millis(5));
                match watch(shared.tally) {
                    Ok(stop) => {
                        if stop || self.crew.app.interrupt.asked() {
                            shared.stop.store(true, Ordering::SeqCst);
                        }
                    }
                    Err(failure) => {
                        shared.stop.store(true, Ordering::SeqCst);
                        watched = Err(failure);
                    }
                }
                // More workers were asked for meanwhile; fewer leave by themselves.
                let now = self.crew.pace.workers();
                if now > wanted && !shared.stop.load(Ordering::SeqCst) {
                    for slot in wanted..now {
                        // One that was too many a moment ago and has not left yet stays.
                        if !threads.iter().any(|(at, t)| *at == slot && !t.is_finished()) {
                            threads.push((slot, spawn(slot)));
                        }
                    }
                }
                wanted = now;
            }
            let mut result = Ok(());
            for (_, thread) in threads {
                let end = thread.join().unwrap_or_else(|_| Err(Failure::internal("a worker thread panicked")));
                result = result.and(end);
            }
            result.and(watched)
        })
    }

    pub(super) fn movable(&self, position: usize) -> bool {
        position != self.target && self.only.as_ref().is_none_or(|only| only.contains(&position))
    }

    pub(super) fn target_id(&self) -> &DekId {
        &self.keyring.entries()[self.target].id
    }
}
