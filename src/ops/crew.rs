//! The workers of one process over all its walks: who they are, how fast they may go, and their idle connections.
//!
//! A connection with its prepared statements is handed from walk to walk: with many small organizations connecting anew would be most of the
//! time their cells are dark. Only connections that ended in good order come back. No key material is kept here.

use super::pace::Pace;
use crate::app::App;
use crate::db::cells::BatchStatements;
use crate::db::{DbError, DbErrorKind, Session};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long an idle connection is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// One process's workers.
pub struct Crew<'a> {
    pub app: &'a App,
    /// Names this process in leases.
    pub process: Uuid,
    /// How long a chunk stays a worker's without a sign of life.
    pub lease: Duration,
    pub pace: Pace,
    /// Worker threads, unless tuned.
    pub workers: usize,
    /// What this process has done so far.
    pub done: Tally,
    /// With when they came back.
    idle: Mutex<Vec<(Instant, Hand)>>,
}

/// Numbers a watcher reads while workers work.
#[derive(Default)]
pub struct Tally {
    pub rows: AtomicU64,
    pub cells: AtomicU64,
}

/// A connection ready to move cells, with the statements prepared on it by table.
pub(super) struct Hand {
    pub session: Session,
    pub statements: HashMap<String, BatchStatements>,
}

impl<'a> Crew<'a> {
    /// So many workers, or the policy's number; none of them connected yet.
    pub fn of(app: &'a App, workers: Option<usize>) -> Crew<'a> {
        let policy = &app.settings.policy;
        let workers = workers.unwrap_or(policy.workers);
        Crew {
            app,
            process: Uuid::new_v4(),
            lease: policy.lease,
            pace: Pace::new(workers),
            workers,
            done: Tally::default(),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// An idle connection, or a new one.
    pub(super) fn hand(&self) -> Result<Hand, Failure> {
        loop {
            let Some((since, mut hand)) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else {
                return self.new_hand();
            };
            // One that was idle for a while may have lost its server meanwhile: nobody would have noticed.
            if since.elapsed() < FRESH || hand.session.is_alive() {
                return Ok(hand);
            }
        }
    }

    /// One small question on some connection, asked again on a new one while the server does not answer.
    pub(super) fn ask<T>(&self, mut question: impl FnMut(&mut Session) -> Result<T, DbError>) -> Result<T, Failure> {
        for attempt in 0u32.. {
            let asked = self.hand().map(|mut hand| {
                let answer = question(&mut hand.session);
                if answer.is_ok() {
                    self.give_back(hand);
                }
                answer
            });
            let failure = match asked {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if error.kind != DbErrorKind::Unreachable => return Err(error.into()),
                Ok(Err(error)) => Failure::from(error),
                Err(failure) => failure,
            };
            if attempt >= 5 || failure.exit != Exit::Unreachable || self.app.interrupt.asked() {
                return Err(failure);
            }
            std::thread::sleep(Duration::from_millis(200 << attempt));
        }
        unreachable!("the loop ends by returning")
    }

    /// A new connection.
    pub(super) fn new_hand(&self) -> Result<Hand, Failure> {
        let mut session = self.app.connect()?;
        session.begin_moving(self.lease)?;
        Ok(Hand { session, statements: HashMap::new() })
    }

    /// Takes a connection back that ended in good order.
    pub(super) fn give_back(&self, hand: Hand) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), hand));
    }
}
