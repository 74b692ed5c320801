//! Saying once a second that a job is being run, from a thread of its own.
//!
//! A runner may be busy for long without a moment to say so: it reads every cell, cuts a large table, waits for KMS or for a lock. Helpers end the
//! session of a runner that is silent (`ops::join`), so silence must mean that the whole process stands still. The pulse says nothing for a job
//! that somebody else has begun to run, and nothing after its end.

use crate::app::App;
use crate::db::Session;
use crate::error::Failure;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(1);

/// Beats until it is dropped.
pub(super) struct Pulse {
    _until: Sender<()>,
}

impl Pulse {
    /// Begins to beat for `runner`, who holds the job's lock.
    pub(super) fn start(app: &App, job: Uuid, runner: String) -> Result<Pulse, Failure> {
        let (until, ended) = channel();
        let strict = app.settings.is_production();
        let Some(url) = app.settings.database.as_ref().map(|database| database.value.clone()) else {
            return Err(Failure::internal("a job without a database"));
        };
        let mut session = Some(app.connect()?);
        std::thread::spawn(move || {
            while matches!(ended.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout)) {
                session = match session {
                    Some(mut session) => session.still_running(job, &runner).is_ok().then_some(session),
                    None => Session::open(&url, strict).ok(),
                };
            }
        });
        Ok(Pulse { _until: until })
    }
}
