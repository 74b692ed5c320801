//! When to stop: INT, TERM and `--timeout` seen by everything that loops.
//! The first asks to finish the batch; a second INT cancels the running statement. HUP is ignored on purpose: stopping a move
//! prolongs the outage, and progress is in the database. What the process itself needs (no core files, quiet panics) is set here too.

use crate::core::duration;
use crate::db::Cancel;
use crate::error::Failure;
use crate::exit::{Ended, Exit};
use nix::sys::resource::{Resource, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a run that was asked to stop by `--timeout` may take to stop in good order.
const GRACE: Duration = Duration::from_secs(30);

/// Shared stop flag. Cheap to clone, cheap to ask.
#[derive(Clone, Default)]
pub struct Interrupt {
    asked: Arc<AtomicU8>,
    out_of_time: Arc<AtomicBool>,
    sessions: Arc<Mutex<Vec<Cancel>>>,
}

impl Interrupt {
    /// True once someone asked to stop: finish the batch, then return.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) > 0
    }

    /// True once someone asked twice: cancel the running statement.
    pub fn insisted(&self) -> bool {
        self.asked.load(Ordering::Relaxed) > 1
    }

    /// True when `--timeout` asked, not a person.
    pub fn out_of_time(&self) -> bool {
        self.out_of_time.load(Ordering::Relaxed)
    }

    /// One more request to stop. From the second on, every session's running statement is cancelled.
    pub fn ask(&self) {
        let _ = self.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_add(1)));
        if self.insisted() {
            for session in self.sessions.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                // Best effort: the server may be what does not answer.
                let _ = session.cancel();
            }
        }
    }

    /// Cancels this session's statements too, once someone insists.
    pub fn covers(&self, session: Cancel) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}

/// No core files, and panics that say where but never what: a payload could hold a secret.
pub fn guard_process() {
    // Both limits: a child must not be able to raise it again.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        crate::ui::last_words(&format!(
            "internal fault{place}; no key material is shown, nothing half-done is lost: run the same command again"
        ));
    }));
}

/// How a run is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Finish what is begun; only a third INT ends it where it stands.
    InGoodOrder,
    /// It only reads: the first request ends it.
    AtOnce,
}

/// Starts listening: signals and, when given, the deadline. For the real process only, once. `end` says the last word and the exit code.
pub fn listen(
    interrupt: &Interrupt,
    urgency: Urgency,
    timeout: Option<Duration>,
    end: impl Fn(Failure) -> Ended + Send + Sync + 'static,
) {
    let end = Arc::new(end);
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGPIPE]) {
        let (interrupt, end) = (interrupt.clone(), end.clone());
        std::thread::spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGINT | SIGTERM if urgency == Urgency::AtOnce => leave(end(interrupted())),
                    SIGINT if interrupt.insisted() => leave(end(torn_off())),
                    SIGINT => interrupt.ask(),
                    // A second TERM does not insist: supervisors repeat themselves.
                    SIGTERM if !interrupt.asked() => interrupt.ask(),
                    _ => {}
                }
            }
        });
    }
    if let Some(timeout) = timeout {
        let interrupt = interrupt.clone();
        std::thread::spawn(move || {
            std::thread::sleep(timeout);
            if urgency == Urgency::InGoodOrder {
                interrupt.out_of_time.store(true, Ordering::Relaxed);
                interrupt.ask();
                std::thread::sleep(GRACE);
            }
            leave(end(timed_out(timeout)));
        });
    }
}

fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted", "interrupted; nothing was changed")
}

fn torn_off() -> Failure {
    Failure::new(Exit::Incomplete, "interrupted", "ended where it stood; what is committed is safe")
        .hint("the same command goes on where it stopped")
}

/// What `--timeout` ends a run with.
pub fn timed_out(timeout: Duration) -> Failure {
    let message = format!("not done within --timeout {}; what is committed is safe", duration::shown(timeout));
    Failure::new(Exit::Unreachable, "timed-out", message)
        .hint("run the same command again; `scrybe-keys context` shows what does not answer")
}

/// The end of a run that does not end by itself: whatever is committed is safe, whatever is not was never promised.
#[expect(clippy::disallowed_methods, reason = "nothing can be returned through when nothing moves")]
fn leave(exit: Ended) -> ! {
    std::process::exit(exit.code().into())
}
