//! How fast the workers of one process may go now: how many, how large their batches, how many rows a second, or not at all.
//!
//! The watcher of a walk sets it from what the operator tuned and what the throttle read (`ops::throttle`); workers ask before every batch.
//! Batches adapt to a time: one that took longer halves the next, quick ones grow back to the cap. Nothing here knows the database.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows of a batch at most, unless tuned.
pub const BATCH_ROWS: usize = 1000;
/// Fewest rows a slow batch shrinks to.
const SMALLEST_BATCH: usize = 20;
/// How long a batch should take at most.
const BATCH_TIME: Duration = Duration::from_millis(250);

/// What an operator may change while a job runs. Absent: as the plan said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tuning {
    /// Worker threads of each process.
    pub workers: Option<usize>,
    /// Rows of a batch at most.
    pub batch_rows: Option<usize>,
    /// Milliseconds a batch should take at most.
    pub batch_millis: Option<u64>,
    /// Rows per second over all processes; 0 lifts the limit.
    pub max_rate: Option<u64>,
}

impl Tuning {
    /// What is kept with a job; text that is none counts as nothing asked.
    pub fn parse(text: &str) -> Tuning {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain numbers")
    }

    /// This, with everything that `newer` says put in its place.
    pub fn with(&self, newer: &Tuning) -> Tuning {
        Tuning {
            workers: newer.workers.or(self.workers),
            batch_rows: newer.batch_rows.or(self.batch_rows),
            batch_millis: newer.batch_millis.or(self.batch_millis),
            max_rate: newer.max_rate.or(self.max_rate),
        }
    }
}

/// Shared by the workers of one process and their watcher.
pub struct Pace {
    workers: AtomicUsize,
    batch_rows: AtomicUsize,
    batch_millis: AtomicU64,
    /// Rows per second of this process; 0: no limit.
    rate: AtomicU64,
    held: AtomicBool,
    /// When the next batch may begin under the rate.
    next: Mutex<Instant>,
}

impl Pace {
    /// So many workers, no limits.
    pub fn new(workers: usize) -> Pace {
        Pace {
            workers: AtomicUsize::new(workers.max(1)),
            batch_rows: AtomicUsize::new(BATCH_ROWS),
            batch_millis: AtomicU64::new(BATCH_TIME.as_millis() as u64),
            rate: AtomicU64::new(0),
            held: AtomicBool::new(false),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Takes over what was tuned; `workers` where nothing was.
    pub fn tune(&self, tuning: &Tuning, workers: usize) {
        self.workers.store(tuning.workers.unwrap_or(workers).clamp(1, 64), Ordering::Relaxed);
        self.batch_rows.store(tuning.batch_rows.unwrap_or(BATCH_ROWS).max(1), Ordering::Relaxed);
        let millis = tuning.batch_millis.unwrap_or(BATCH_TIME.as_millis() as u64).max(1);
        self.batch_millis.store(millis, Ordering::Relaxed);
    }

    /// At most so many rows a second, over this process; `None`: no limit.
    pub fn limit(&self, rows_per_second: Option<u64>) {
        let rate = rows_per_second.map_or(0, |rate| rate.max(1));
        if self.rate.swap(rate, Ordering::Relaxed) != rate {
            // What was reserved under the old limit is not waited for.
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Holds all workers before their next batch, or lets them go on.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// True while workers are held.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Worker threads wanted now.
    pub fn workers(&self) -> usize {
        self.workers.load(Ordering::Relaxed)
    }

    /// Rows of a batch at most.
    pub fn batch_rows(&self) -> usize {
        match self.rate.load(Ordering::Relaxed) {
            0 => self.batch_rows.load(Ordering::Relaxed),
            // A limited walk takes short steps, so that it is even and not a burst a second.
            rate => self.batch_rows.load(Ordering::Relaxed).min((rate / 4).max(1) as usize),
        }
    }

    /// Rows of the next batch, after one for which `limit` rows were allowed, `rows` were taken, and `took` went by.
    pub fn next_batch(&self, limit: usize, rows: usize, took: Duration) -> usize {
        let (cap, wanted) = (self.batch_rows(), Duration::from_millis(self.batch_millis.load(Ordering::Relaxed)));
        if took > wanted {
            return (rows.min(limit) / 2).clamp(SMALLEST_BATCH.min(cap), cap);
        }
        if took * 2 < wanted { (limit + limit / 2 + 1).min(cap) } else { limit.min(cap) }
    }

    /// Waits until a batch of `rows` rows may begin. `alive` is called meanwhile, several times a second; when it returns false the wait is over.
    pub fn wait(&self, rows: usize, mut alive: impl FnMut() -> bool) {
        const STEP: Duration = Duration::from_millis(50);
        while self.is_held() && alive() {
            std::thread::sleep(STEP);
        }
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return;
        }
        let due = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let due = (*next).max(Instant::now());
            *next = due + Duration::from_secs_f64(rows as f64 / rate as f64);
            due
        };
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            && alive()
        {
            // A limit that was changed meanwhile is not waited for.
            if self.rate.load(Ordering::Relaxed) != rate {
                return;
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_when_slow_and_grow_back_to_the_cap() {
        let pace = Pace::new(2);
        assert_eq!(pace.next_batch(1000, 1000, Duration::from_millis(600)), 500);
        assert_eq!(pace.next_batch(1000, 90, Duration::from_millis(600)), 45);
        assert_eq!(pace.next_batch(30, 30, Duration::from_secs(9)), SMALLEST_BATCH);
        assert_eq!(pace.next_batch(500, 500, Duration::from_millis(200)), 500);
        assert_eq!(pace.next_batch(500, 500, Duration::from_millis(20)), 751);
        assert_eq!(pace.next_batch(900, 4, Duration::from_millis(20)), BATCH_ROWS);
        pace.tune(&Tuning { batch_rows: Some(10), ..Tuning::default() }, 2);
        assert_eq!(pace.next_batch(1000, 1000, Duration::from_secs(9)), 10);
    }

    #[test]
    fn what_is_tuned_later_wins_and_the_rest_stays() {
        let first = Tuning { workers: Some(4), max_rate: Some(100), ..Tuning::default() };
        let both = first.with(&Tuning { max_rate: Some(0), batch_rows: Some(7), ..Tuning::default() });
        assert_eq!(both, Tuning { workers: Some(4), batch_rows: Some(7), batch_millis: None, max_rate: Some(0) });
        assert_eq!(Tuning::parse(&both.to_text()), both);
        assert_eq!(Tuning::parse("nonsense"), Tuning::default());
    }

    #[test]
    fn a_limited_walk_takes_short_steps_and_a_held_one_none() {
        let pace = Pace::new(1);
        pace.limit(Some(400));
        assert_eq!(pace.batch_rows(), 100);
        pace.limit(None);
        assert_eq!(pace.batch_rows(), BATCH_ROWS);
        pace.hold(true);
        let mut asked = 0;
        pace.wait(1, || {
            asked += 1;
            asked < 3
        });
        assert_eq!(asked, 3);
    }
}
