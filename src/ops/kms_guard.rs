//! One limiter and one circuit breaker for each region in front of every KMS call of a run (DESIGN §5).
//!
//! State-changing calls are paced below the five per second that AWS allows an account and region (KMS quotas); the others at a rate no quota is near.
//! After five failures in a row (throttled or unreachable; a refusal is an answer) nothing is sent for 30 seconds and a
//! little more at random, then one call tries for all. Waiting is told to the operator, never silent, and ends when a stop is asked for.

mod calls;

use crate::core::kms::{Kms, KmsError, KmsErrorKind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open, and the most that chance adds.
const OPEN: Duration = Duration::from_secs(30);
const JITTER_MS: u64 = 5_000;
/// A probe that has not come back after this is forgotten.
const PROBE: Duration = Duration::from_secs(60);
/// How often a waiting call looks whether it should stop.
const SLICE: Duration = Duration::from_millis(200);
/// Calls that may go at once before the pace counts.
const BURST: u32 = 4;

/// Time, voice and stop flag of a guard.
pub struct Pace {
    /// Time since some fixed moment; never runs backwards.
    pub now: Box<dyn Fn() -> Duration + Send + Sync>,
    pub sleep: Box<dyn Fn(Duration) + Send + Sync>,
    /// A sentence for the operator.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
    /// True once the run should end.
    pub stop: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Pace {
    /// The real clock.
    pub fn real(say: impl Fn(&str) + Send + Sync + 'static, stop: impl Fn() -> bool + Send + Sync + 'static) -> Pace {
        let start = Instant::now();
        Pace {
            now: Box::new(move || start.elapsed()),
            sleep: Box::new(std::thread::sleep),
            say: Box::new(say),
            stop: Box::new(stop),
        }
    }
}

/// A KMS behind the limiter and the breaker. Share it between threads, or it guards nothing.
pub struct Guarded {
    inner: Arc<dyn Kms>,
    pace: Arc<Pace>,
    gates: Arc<Mutex<Gates>>,
}

/// One per region: AWS counts by account and region.
type Gates = BTreeMap<String, Gate>;

#[derive(Default)]
struct Gate {
    breaker: Breaker,
    /// When the next call of each class may go.
    changes: Duration,
    reads: Duration,
}

enum Breaker {
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
    },
    /// One call is trying.
    HalfOpen {
        since: Duration,
    },
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker::Closed { failures: 0 }
    }
}

#[derive(Clone, Copy)]
enum Class {
    Read,
    Change,
}

impl Class {
    /// Time between two calls.
    fn interval(self) -> Duration {
        match self {
            Class::Read => Duration::from_millis(10),
            Class::Change => Duration::from_millis(250),
        }
    }
}

impl Guarded {
    /// Puts the guard in front of `inner`.
    pub fn new(inner: Arc<dyn Kms>, pace: Pace) -> Guarded {
        Guarded { inner, pace: Arc::new(pace), gates: Arc::default() }
    }

    fn call<T>(
        &self,
        operation: &'static str,
        class: Class,
        send: impl FnOnce() -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        self.admit(operation, class)?;
        let answer = send();
        let failed = matches!(&answer, Err(e) if matches!(e.kind, KmsErrorKind::Throttled | KmsErrorKind::Unreachable));
        self.record(failed);
        answer
    }

    /// Returns when the call may be sent.
    fn admit(&self, operation: &'static str, class: Class) -> Result<(), KmsError> {
        let mut told = false;
        loop {
            let now = (self.pace.now)();
            let mut gates = self.gates();
            let gate = gates.entry(self.inner.region()).or_default();
            let pause = match gate.breaker {
                Breaker::Closed { .. } => {
                    let wait = gate.reserve(class, now);
                    drop(gates);
                    return self.wait(operation, wait);
                }
                Breaker::Open { until } if now < until => until - now,
                Breaker::HalfOpen { since } if now < since + PROBE => SLICE,
                Breaker::Open { .. } | Breaker::HalfOpen { .. } => {
                    gate.breaker = Breaker::HalfOpen { since: now };
                    return Ok(());
                }
            };
            drop(gates);
            if !told && pause > SLICE {
                told = true;
                (self.pace.say)(&format!(
                    "KMS failed {FAILURES} times in a row: waiting {} s before it is tried again.",
                    pause.as_secs()
                ));
            }
            self.wait(operation, pause.min(SLICE))?;
        }
    }

    fn wait(&self, operation: &'static str, mut left: Duration) -> Result<(), KmsError> {
        if left > Duration::from_secs(1) {
            (self.pace.say)(&format!("KMS calls are paced: {operation} waits {} s.", left.as_secs()));
        }
        while !left.is_zero() {
            if (self.pace.stop)() {
                // Nothing was sent: not one of the kinds that leave the outcome open.
                return Err(KmsError::new(KmsErrorKind::Throttled, operation, "stopped while waiting to send it"));
            }
            let slice = left.min(SLICE);
            (self.pace.sleep)(slice);
            left -= slice;
        }
        Ok(())
    }

    fn record(&self, failed: bool) {
        let now = (self.pace.now)();
        let mut gates = self.gates();
        let gate = gates.entry(self.inner.region()).or_default();
        let again = match (&gate.breaker, failed) {
            (Breaker::Closed { failures }, true) if failures + 1 < FAILURES => {
                Breaker::Closed { failures: failures + 1 }
            }
            // A straggler that was sent before the breaker opened says nothing new.
            (Breaker::Open { until }, true) => Breaker::Open { until: *until },
            (_, true) => Breaker::Open { until: now + OPEN + jitter() },
            (_, false) => Breaker::Closed { failures: 0 },
        };
        let was_closed = matches!(gate.breaker, Breaker::Closed { .. });
        let closes = matches!(again, Breaker::Closed { .. });
        gate.breaker = again;
        drop(gates);
        if closes && !was_closed {
            (self.pace.say)("KMS answers again.");
        }
    }

    fn gates(&self) -> MutexGuard<'_, Gates> {
        // Every change of a gate is one assignment: a panic elsewhere leaves it whole.
        self.gates.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Gate {
    /// Takes the next free moment of the class; the wait until then.
    fn reserve(&mut self, class: Class, now: Duration) -> Duration {
        let interval = class.interval();
        let next = match class {
            Class::Read => &mut self.reads,
            Class::Change => &mut self.changes,
        };
        let at = (*next).max(now.saturating_sub(interval * (BURST - 1)));
        *next = at + interval;
        at.saturating_sub(now)
    }
}

/// So that many processes that failed together do not come back together.
fn jitter() -> Duration {
    let chance = getrandom::u64().unwrap_or(JITTER_MS / 2);
    Duration::from_millis(chance % JITTER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::kms::NewKey;
    use crate::local::{Engine, Fault, FaultKind, InProcess, Kek};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The embedded engine behind a guard whose clock moves only by sleeping.
    struct World {
        engine: Engine,
        guarded: Guarded,
        clock: Arc<Mutex<Duration>>,
        said: Arc<Mutex<Vec<String>>>,
        stop: Arc<AtomicBool>,
        _dir: tempfile::TempDir,
    }

    impl World {
        fn new() -> World {
            let dir = tempfile::tempdir().unwrap();
            let kek = Kek::parse("c2NyeWJlLWtleXMtdGVzdC1rZWstMzItYnl0ZXMtLSE=").unwrap();
            let engine = Engine::open(&dir.path().join("kms"), kek).unwrap();
            let clock = Arc::new(Mutex::new(Duration::ZERO));
            let said = Arc::new(Mutex::new(Vec::new()));
            let stop = Arc::new(AtomicBool::new(false));
            let (reads, sleeps, voice, flag) = (clock.clone(), clock.clone(), said.clone(), stop.clone());
            let pace = Pace {
                now: Box::new(move || *reads.lock().unwrap()),
                sleep: Box::new(move |by| *sleeps.lock().unwrap() += by),
                say: Box::new(move |text| voice.lock().unwrap().push(text.to_owned())),
                stop: Box::new(move || flag.load(Ordering::Relaxed)),
            };
            let guarded = Guarded::new(Arc::new(InProcess::new(engine.clone(), "us-west-2")), pace);
            World { engine, guarded, clock, said, stop, _dir: dir }
        }

        fn fail(&self, times: u32, fault: FaultKind) {
            self.engine.add_fault(Fault { operation: "ListAliases".into(), nth: 1, times, fault });
        }

        fn list(&self) -> Result<(), KmsErrorKind> {
            self.guarded.list_aliases().map(drop).map_err(|e| e.kind)
        }

        fn now(&self) -> Duration {
            *self.clock.lock().unwrap()
        }

        fn sent(&self) -> usize {
            self.engine.requests(0).len()
        }
    }

    #[test]
    fn five_failures_in_a_row_stop_everything_for_half_a_minute_and_one_call_tries() {
        let world = World::new();
        world.fail(6, FaultKind::Throttled);
        for _ in 0..5 {
            assert_eq!(world.list(), Err(KmsErrorKind::Throttled));
        }
        assert!(world.now() < Duration::from_secs(1), "nothing waits before the fifth failure");
        assert!(world.said.lock().unwrap().is_empty());
        // The sixth waits, tries, fails: the breaker opens again for the seventh.
        assert_eq!(world.list(), Err(KmsErrorKind::Throttled));
        let first = world.now();
        assert!((OPEN..OPEN + Duration::from_millis(JITTER_MS + 1000)).contains(&first), "{first:?}");
        assert_eq!(world.list(), Ok(()));
        assert!(world.now() - first >= OPEN, "{:?}", world.now() - first);
        let before = world.now();
        assert_eq!(world.list(), Ok(()));
        assert!(world.now() - before < Duration::from_secs(1), "closed again");
        assert_eq!(world.sent(), 8);
        let said = world.said.lock().unwrap();
        assert_eq!(said.iter().filter(|s| s.contains("waiting 3")).count(), 2, "{said:?}");
        assert_eq!(said.last().map(String::as_str), Some("KMS answers again."));
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let world = World::new();
        world.fail(4, FaultKind::ServerError);
        for _ in 0..4 {
            assert_eq!(world.list(), Err(KmsErrorKind::Unreachable));
        }
        world.fail(20, FaultKind::Denied);
        for _ in 0..20 {
            assert_eq!(world.list(), Err(KmsErrorKind::Denied));
        }
        world.fail(4, FaultKind::ServerError);
        for _ in 0..4 {
            assert_eq!(world.list(), Err(KmsErrorKind::Unreachable));
        }
        assert_eq!(world.list(), Ok(()));
        assert!(world.now() < Duration::from_secs(1), "never opened: {:?}", world.now());
    }

    #[test]
    fn a_stop_ends_the_waiting_and_nothing_is_sent() {
        let world = World::new();
        world.fail(5, FaultKind::ServerError);
        for _ in 0..5 {
            let _ = world.list();
        }
        world.stop.store(true, Ordering::Relaxed);
        let error = world.guarded.list_aliases().unwrap_err();
        assert!(!error.is_ambiguous(), "{error}");
        assert_eq!(world.sent(), 5);
    }

    #[test]
    fn changes_stay_below_five_per_second() {
        let world = World::new();
        for _ in 0..24 {
            world.guarded.create_key(&NewKey::default()).unwrap();
        }
        assert!(world.now() >= Duration::from_secs(5), "{:?}", world.now());
        assert_eq!(world.sent(), 24);
    }

    #[test]
    fn every_region_has_a_limiter_and_a_breaker_of_its_own() {
        let world = World::new();
        let sibling = world.guarded.in_region("eu-central-1").unwrap();
        world.fail(5, FaultKind::ServerError);
        for _ in 0..5 {
            let _ = world.list();
        }
        sibling.list_aliases().unwrap();
        assert!(world.now() < Duration::from_secs(1), "another region's outage is not ours: {:?}", world.now());
        // Back in the first region the breaker is the one that is open, whoever asks.
        world.guarded.in_region("us-west-2").unwrap().list_aliases().unwrap();
        assert!(world.now() >= OPEN, "{:?}", world.now());
        assert_eq!(world.list(), Ok(()));
        assert!(world.now() < 2 * OPEN, "closed for all");
    }
}
