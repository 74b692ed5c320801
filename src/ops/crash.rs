//! Places where a drill may kill the process, to prove that nothing is lost there.
//!
//! `SCRYBE_KEYS_CRASH_AT=point` or `point:n` (the n-th time it is reached) sends SIGKILL to this process: no destructor, no flush.
//! Without the variable a point costs one atomic load. There is nothing else in here and nothing else may be added.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Armed {
    point: String,
    left: AtomicU32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Takes the variable's text at the start of the run.
pub fn arm(text: &str) {
    let (point, nth) = text.split_once(':').unwrap_or((text, "1"));
    let left = AtomicU32::new(nth.parse().unwrap_or(1).max(1));
    let _ = ARMED.set(Armed { point: point.to_owned(), left });
}

/// Dies here when armed for this point.
pub fn point(name: &str) {
    if let Some(armed) = ARMED.get()
        && armed.point == name
        && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        std::process::abort();
    }
}
