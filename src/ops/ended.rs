//! How a run of a job ends: the outcome in the audit chain, the exit code, and the mark that its report was delivered.
//!
//! A job is marked done only after its report was written: a run killed in between reports again instead of starting over.

use super::audit::IntentId;
use super::census::Census;
use super::job::Runner;
use super::weight::{self, Weight};
use crate::app::App;
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::db::jobs::{Job, Part, PartState};
use crate::error::Failure;
use crate::exit::Exit;
use serde_json::json;
use uuid::Uuid;

/// How a run of a job ended.
pub struct Ended {
    pub job: Job,
    pub parts: Vec<Part>,
    /// The closing census, when it was reached.
    pub census: Option<Census>,
    pub problems: Vec<Problem>,
    /// Sizes of the tables before and after.
    pub weights: Vec<Weight>,
    /// Organizations refused or superseded in this run, with the failure.
    pub refused: Vec<(OrgId, Failure)>,
    /// Why it is not finished; `None` when it is.
    pub stopped: Option<Failure>,
    pub exit: Exit,
}

impl Runner<'_> {
    pub(super) fn end(
        mut self,
        intent: &IntentId,
        census: Option<Census>,
        stopped: Option<Failure>,
    ) -> Result<Ended, Failure> {
        let parts = match self.session.job_parts(self.job) {
            Ok(parts) => parts,
            // The connection may be what was lost: say why we stopped on a new one, or say only that.
            Err(error) => match (self.reconnect(), stopped) {
                (Ok(()), stopped) => return self.end(intent, census, stopped),
                // Not ours to end any more, whatever stopped us.
                (Err(taken), _) if taken.code == "job-running" => return Err(taken),
                (Err(_), Some(failure)) => return Err(failure),
                (Err(_), None) => return Err(error.into()),
            },
        };
        let subject = self.job.to_string();
        let cells: i64 = parts.iter().map(|p| p.cells_moved + p.cells_late).sum();
        let left = parts.iter().filter(|p| matches!(p.state, PartState::Refused | PartState::Superseded)).count();
        let mut details = json!({"job": subject, "cellsMoved": cells, "organizations": parts.len(), "refused": left});
        // A record that says completed is a record of cells moved, not of a process that ended.
        let event = if left == 0 { "RE_ENCRYPTION_COMPLETED" } else { "RE_ENCRYPTION_FAILED" };
        match &stopped {
            None => self.journal.outcome(intent, event, &subject, details)?,
            Some(failure) => {
                details["code"] = json!(failure.code);
                details["reason"] = json!(failure.message);
                self.journal.outcome(intent, "RE_ENCRYPTION_FAILED", &subject, details)?;
                let state = if failure.code == "cancelled" { "cancelled" } else { "running" };
                self.session.end_job(self.job, state, Some(stop_reason(failure)))?;
            }
        }
        if census.is_none()
            && let Some(kept) = self.session.job(self.job)?.and_then(|job| job.census)
        {
            self.problems.extend(super::census::problems_of(&kept));
        }
        let exit = exit_of(&parts, &self.problems, &self.refused, stopped.as_ref());
        let job = self.session.job(self.job)?.ok_or_else(|| Failure::internal("the job's row is gone"))?;
        let weights = weight::after(&mut self.session, self.catalog, &job.options);
        let Runner { problems, refused, .. } = self;
        Ok(Ended { job, parts, census, problems, weights, refused, stopped, exit })
    }
}

/// One exit code for everything that came of a job.
fn exit_of(parts: &[Part], problems: &[Problem], refused: &[(OrgId, Failure)], stopped: Option<&Failure>) -> Exit {
    let mut exits: Vec<Exit> = refused.iter().map(|(_, f)| f.exit).collect();
    if refused.is_empty() && parts.iter().any(|p| matches!(p.state, PartState::Refused | PartState::Superseded)) {
        exits.push(Exit::Conflict);
    }
    exits.extend(stopped.map(|failure| failure.exit));
    let critical = |p: &Problem| p.severity == Severity::Critical;
    if parts.iter().any(|p| p.quarantined > 0) || problems.iter().any(critical) {
        exits.push(Exit::Findings);
    }
    Exit::worst(exits)
}

/// Why a run stopped, in the words of the contract.
pub fn stop_reason(failure: &Failure) -> &'static str {
    match failure.code {
        "cancelled" | "interrupted" | "statement-cancelled" => "interrupt",
        "timed-out" | "budget" => "budget",
        "kms-throttled" => "throttle",
        _ => "error",
    }
}

/// A finished job whose report is about to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    job: Uuid,
    state: &'static str,
}

impl Ended {
    /// How a job ended that another process ran.
    pub fn of_job(job: Job, parts: Vec<Part>, mut problems: Vec<Problem>) -> Ended {
        problems.extend(job.census.as_deref().map(super::census::problems_of).unwrap_or_default());
        let stopped = match (job.state.as_str(), job.stop_reason.as_deref()) {
            ("cancelled", _) => Some(
                Failure::new(Exit::Incomplete, "cancelled", "the job was cancelled; what was moved stays moved")
                    .hint("cells left behind are moved by `scrybe-keys re-encrypt --all`"),
            ),
            ("running", Some("budget")) => {
                let command = super::rotation::command_of(&job).unwrap_or_default();
                Some(
                    Failure::new(Exit::Incomplete, "budget", "the time given is up; what was begun is finished")
                        .hint(format!("go on: `{command}`")),
                )
            }
            _ => None,
        };
        let exit = exit_of(&parts, &problems, &[], stopped.as_ref());
        Ended { weights: Vec::new(), job, parts, census: None, problems, refused: Vec::new(), stopped, exit }
    }

    /// What to mark once the report is out; `None` while the job is not finished.
    pub fn delivery(&self) -> Option<Delivery> {
        if self.stopped.is_some() {
            return None;
        }
        let ended = |p: &Part| matches!(p.state, PartState::Refused | PartState::Superseded);
        let state = if !self.parts.is_empty() && self.parts.iter().all(ended) { "superseded" } else { "done" };
        Some(Delivery { job: self.job.id, state })
    }
}

/// Marks a finished job as done: called when its report has been printed, so that a run killed before that reports again
/// instead of starting over.
pub fn deliver(app: &App, delivery: Delivery) -> Result<(), Failure> {
    Ok(app.connect()?.end_job(delivery.job, delivery.state, None)?)
}
