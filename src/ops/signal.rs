//! When to stop: INT, TERM and `--timeout` seen by everything that loops.
//! The first asks to finish the batch; a second INT cancels the running statement. HUP is ignored on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Shared stop flag. Cheap to clone, cheap to ask.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// True once someone asked to stop: finish the batch, then return.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// True once someone asked twice: cancel the running statement.
    pub fn insisted(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }

    /// One more request to stop.
    pub fn ask(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_add(1)));
    }
}
