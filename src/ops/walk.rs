//! Moving cells: workers take chunks, read windows, reseal batches, write them by id and `xmin`.
//!
//! A worker is a thread with its own connection and its own judge; the keyring is borrowed. Each batch is one transaction that begins by
//! locking the target's DEK row and checking that it is still current, and ends with the chunk's counters: `kill -9` loses that transaction
//! and nothing else. Whatever somebody else changed meanwhile is left to settling. Memory is one window of ids and one batch per worker.

use super::worker::Worker;
use crate::app::App;
use crate::core::cell::Wishes;
use crate::core::ids::DekId;
use crate::core::keyring::Keyring;
use crate::db::catalog::Catalog;
use crate::db::jobs::Chunk;
use crate::error::Failure;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Rows of one chunk: the unit of work lost to nobody and repeated at most once.
pub const CHUNK_ROWS: i64 = 5000;
/// Heap blocks of one chunk, where a table is walked by blocks. So many that a page is come back to after two batches, not one: the
/// other workers' transactions have ended by then, and the page can be pruned.
pub const BLOCKS_PER_CHUNK: i64 = 2000;
/// Share of a table's rows from which an organization's are walked by blocks.
pub const HEAP_SHARE: f64 = 0.3;

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

pub(super) struct Shared<'a> {
    pub walk: &'a Walk<'a>,
    pub queue: Mutex<VecDeque<Chunk>>,
    pub tally: &'a Tally,
    pub stop: AtomicBool,
    pub superseded: AtomicBool,
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
                std::thread::sleep(Duration::from_millis(10));
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

    pub(super) fn movable(&self, position: usize) -> bool {
        position != self.target && self.only.as_ref().is_none_or(|only| only.contains(&position))
    }

    pub(super) fn target_id(&self) -> &DekId {
        &self.keyring.entries()[self.target].id
    }
}
