//! One row's wrapping replaced, by compare-and-set in one transaction; a row that somebody else wrote meanwhile is read again once.
//!
//! A COMMIT whose answer was lost is asked about, never taken for undone: a new session that gets the one right to rewrap proves that the lost
//! one is gone, and what it kept tells. Where even that cannot be learned the intent stays open for the next run.

use super::applying::Run;
use super::ends_the_run;
use super::looking::Fate;
use super::plan::{PlannedDek, unfinished_job};
use super::proof::{LiveCells, Proven, prove};
use super::report::{Outcome, RowReport};
use crate::app::App;
use crate::db::{DbError, DbErrorKind, DekRow, Replaced, Replacement, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::crash;
use std::time::{Duration, Instant};

/// How often a transaction waits a whole `lock_timeout` for a rotation of the same organization.
const LOCK_PATIENCE: usize = 15;
/// How long a lost session may live on: the server's keepalives end it in less (db::connect).
const SESSION_PATIENCE: Duration = Duration::from_secs(45);
/// How long a server may be out of reach before the outcome stays open.
const SERVER_PATIENCE: Duration = Duration::from_secs(10);
/// The code of a failure after which nobody knows whether something was committed.
pub(super) const UNKNOWN: &str = "commit-unknown";

impl Run<'_> {
    /// Replaces one wrapping. The outer error ends the organization's part, the inner one refuses the row.
    pub(super) fn replace(
        &mut self,
        dek: &PlannedDek,
        proof: Proven,
        cells: &LiveCells,
    ) -> Result<Result<RowReport, Failure>, Failure> {
        if proof.is_there {
            let (material, arn) = (proof.material_id.as_deref(), &proof.key_arn);
            self.session.record_wrapping(&dek.row, arn, material, &proof.fingerprint)?;
            self.report.recorded += 1;
            return Ok(Ok(RowReport::of_proof(dek, &proof, Outcome::There)));
        }
        if self.write(&dek.row, &proof)? {
            return Ok(Ok(RowReport::of_proof(dek, &proof, Outcome::Rewrapped)));
        }
        // Somebody else wrote the row, and wins. It is looked at once more as it stands now.
        let map = &self.app.settings.map.value;
        let Some(row) = self.session.dek_row(map, &dek.row.id)? else {
            return Ok(Err(changed(&dek.row, "it is gone")));
        };
        self.app.ui.say(&format!("DEK row {} was written by somebody else: it is read again.", row.id));
        let (known, fate) = self.looker.look(&row)?;
        let again = PlannedDek { row, known, fate };
        match &again.fate {
            Fate::Rewrap => {}
            Fate::Refused(_) => {
                let Fate::Refused(failure) = again.fate else { return Err(Failure::internal("a fate changed")) };
                return Ok(Err(failure));
            }
            _ => {
                self.record(&again)?;
                return Ok(Ok(RowReport::planned(&again)));
            }
        }
        let proof = match prove(&self.looker, cells, &again) {
            Ok(proof) => proof,
            Err(failure) if ends_the_run(&failure) => return Err(failure),
            Err(failure) => return Ok(Err(failure)),
        };
        match self.write(&again.row, &proof)? {
            true => Ok(Ok(RowReport::of_proof(&again, &proof, Outcome::Rewrapped))),
            false => Ok(Err(changed(&again.row, "it was changed twice while its wrapping was proven"))),
        }
    }

    /// The transaction. False when the row does not hold the proven text any more.
    fn write(&mut self, row: &DekRow, proof: &Proven) -> Result<bool, Failure> {
        let map = &self.app.settings.map.value;
        let new = Replacement {
            row,
            wrapped: &proof.wrapped,
            previous_arn: Some(&proof.previous_arn),
            previous_material: proof.previous_material.as_deref(),
            key_arn: &proof.key_arn,
            material_id: proof.material_id.as_deref(),
            fingerprint: &proof.fingerprint,
            reason: self.reason,
            run_id: self.app.run_id,
            no_job_beside: self.no_job_beside,
        };
        for left in (0..LOCK_PATIENCE).rev() {
            let attempt = match self.session.replace_wrapping(map, &new) {
                Ok(Replaced::RowChanged) => return Ok(false),
                Ok(Replaced::JobRunning(job)) => return Err(unfinished_job(&job)),
                Ok(Replaced::Open(open)) => {
                    crash::point("rewrap-before-commit");
                    match open.commit() {
                        Err(error) if error.kind == DbErrorKind::Unreachable => Err((error, Commit::AnswerLost)),
                        answer => answer.map_err(|error| (error, Commit::NotDone)),
                    }
                }
                Err(error) => Err((error, Commit::NotDone)),
            };
            match attempt {
                Ok(()) => {
                    crash::point("rewrap-after-commit");
                    return Ok(true);
                }
                Err((error, Commit::AnswerLost)) => return self.after_lost_commit(row, error),
                Err((error, _)) if error.kind == DbErrorKind::Retry && left > 0 && !self.app.interrupt.asked() => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err((error, _)) => return Err(failed(row, error)),
            }
        }
        Ok(false)
    }

    /// True when the transaction was committed although nobody heard so.
    fn after_lost_commit(&mut self, row: &DekRow, error: DbError) -> Result<bool, Failure> {
        let lost = |error: DbError| unknown(format_args!("whether DEK row {} was rewrapped", row.id), error);
        if !reconnect(self.app, self.session) {
            return Err(lost(error));
        }
        match self.session.was_replaced(self.app.run_id, row) {
            Ok(true) => Ok(true),
            Ok(false) => Err(failed(row, error)),
            Err(again) => Err(lost(again)),
        }
    }
}

/// What is known of a commit that went wrong.
enum Commit {
    NotDone,
    AnswerLost,
}

/// Puts a new session in the place of a lost one. True when it has the one right to rewrap: the lost one is gone then, and its transaction decided.
pub(super) fn reconnect(app: &App, session: &mut Session) -> bool {
    let began = Instant::now();
    let mut heard = began;
    while !app.interrupt.asked() && began.elapsed() < SESSION_PATIENCE && heard.elapsed() < SERVER_PATIENCE {
        if let Ok(mut fresh) = app.connect() {
            heard = Instant::now();
            if fresh.lock_rewrapping().unwrap_or(false) {
                *session = fresh;
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

/// Said where nobody can tell what was committed. The intent stays open: the next run derives its outcome.
pub(super) fn unknown(what: std::fmt::Arguments<'_>, error: DbError) -> Failure {
    let message = format!("the answer to COMMIT was lost, and {what} could not be learned: {error}");
    Failure::new(Exit::Unreachable, UNKNOWN, message)
        .hint("run the same command again: it learns what was done, records it and goes on")
        .caused_by(error)
}

fn failed(row: &DekRow, error: DbError) -> Failure {
    Failure::from(error).during(format_args!("replacing the wrapping of DEK row {}", row.id))
}

fn changed(row: &DekRow, how: &str) -> Failure {
    Failure::conflict(
        "dek-row-changed",
        format!("DEK row {} of {}: {how}; nothing was replaced", row.id, row.organization),
    )
    .hint("run the same command again")
}
