//! Running a job: organization by organization — flip, move, next — then settle all, prove, report.
//!
//! Everything needed to go on after `kill -9` is in the job's rows before it matters: the intent in the audit chain before the flip, the part's
//! state and chunks in the flip's own transaction, every batch with its counters. An organization that fails before its flip is refused and the
//! others go on; one that was flipped is never left for the next one. The job's advisory lock says that somebody is at work.

use super::audit::{IntentId, Journal};
use super::census::Census;
use super::permit::Permit;
use super::rotation::{Plan, Planned, Request};
use super::walk::{Tally, Walk, WalkEnd};
use super::wrapping::Vault;
use super::{crash, keyrings};
use crate::app::App;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::keyring::Keyring;
use crate::core::problem::Problem;
use crate::db::catalog::Catalog;
use crate::db::jobs::{Chunk, Job, NewJob, Part, PartState};
use crate::db::{DekRow, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::Progress;
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How a run of a job ended.
pub struct Ended {
    pub job: Job,
    pub parts: Vec<Part>,
    /// The closing census, when it was reached.
    pub census: Option<Census>,
    pub problems: Vec<Problem>,
    /// Organizations refused or superseded in this run, with the failure.
    pub refused: Vec<(OrgId, Failure)>,
    /// Why it is not finished; `None` when it is.
    pub stopped: Option<Failure>,
    pub exit: Exit,
}

/// One job being run. The session holds its lock.
pub(super) struct Runner<'a> {
    pub app: &'a App,
    pub vault: &'a Vault,
    pub request: &'a Request,
    pub catalog: &'a Catalog,
    pub settle: Duration,
    pub session: Session,
    pub journal: Journal,
    pub job: Uuid,
    pub progress: Box<dyn Progress>,
    pub problems: Vec<Problem>,
    pub refused: Vec<(OrgId, Failure)>,
    last_touch: Instant,
    /// What the plan said, by organization.
    pub planned: HashMap<OrgId, Planned>,
    /// Rows and cells of the organizations that are done.
    before: (u64, u64),
}

/// Applies a permitted plan: creates its job or goes on with the unfinished one.
pub fn run(app: &App, vault: &Vault, plan: Plan, permit: &Permit) -> Result<Ended, Failure> {
    permit.covers(&plan.digest)?;
    let journal = Journal::open(app)?;
    let mut session = app.connect()?;
    let job = match &plan.job {
        Some(job) => job.id,
        None => create(app, &mut session, &plan, journal.actor())?,
    };
    if !session.lock_job(job, &format!("{} pid {}", journal.actor(), std::process::id()))? {
        return Err(Failure::conflict("job-running", format!("job {job} is being worked on by another process"))
            .hint(format!("watch it: `scrybe-keys jobs attach {job}`")));
    }
    let now = session.job(job)?.ok_or_else(|| Failure::internal("the job's row is gone"))?;
    if now.state != "running" || now.cancel_asked {
        return Err(Failure::conflict("stale-plan", format!("job {job} was ended by somebody else since the plan"))
            .hint("run the command again and look at the new plan"));
    }
    let title = plan.request.kind.as_str();
    let mut runner = Runner {
        app,
        vault,
        request: &plan.request,
        catalog: &plan.catalog,
        settle: plan.settle,
        session,
        journal,
        job,
        progress: app.ui.progress(title),
        problems: plan.problems.clone(),
        refused: Vec::new(),
        last_touch: Instant::now(),
        planned: plan.organizations.iter().map(|p| (p.organization.clone(), p.clone())).collect(),
        before: (0, 0),
    };
    for (organization, failure) in plan.refused {
        runner.refuse(&organization, PartState::Refused, failure)?;
    }
    let subject = job.to_string();
    // We hold the job's lock, so whoever began this before us has died without saying so.
    runner.journal.close_interrupted(job, &subject, "RE_ENCRYPTION_STARTED", "RE_ENCRYPTION_FAILED")?;
    let details = json!({"job": subject, "scope": plan.scope, "reason": plan.request.reason, "planDigest": plan.digest, "resumed": plan.job.is_some()});
    let intent = runner.journal.intent("RE_ENCRYPTION_STARTED", &subject, details)?;
    let walked = runner.all_parts().and_then(|()| runner.settle_all());
    runner.progress.done();
    let (census, stopped) = match walked {
        Ok(census) => (census, None),
        // The second INT cancels the running statement: that is our own doing, and the job can go on.
        Err(failure) if failure.code == "db-cancelled" && app.interrupt.insisted() => (None, Some(runner.stopped())),
        Err(failure) => (None, Some(failure)),
    };
    crash::point("before-outcome");
    runner.end(&intent, census, stopped)
}

fn create(app: &App, session: &mut Session, plan: &Plan, actor: &str) -> Result<Uuid, Failure> {
    let id = Uuid::new_v4();
    let options =
        json!({"command": app.command_line, "settleSeconds": plan.settle.as_secs(), "planDigest": plan.digest});
    let mut organizations: Vec<(OrgId, i64)> =
        plan.organizations.iter().map(|p| (p.organization.clone(), p.rows)).collect();
    organizations.extend(plan.refused.iter().map(|(o, _)| (o.clone(), 0)));
    let new = NewJob {
        id,
        kind: plan.request.kind,
        scope: &plan.scope,
        options: &options.to_string(),
        reason: &plan.request.reason,
        run_id: app.run_id,
        actor,
        organizations: &organizations,
    };
    session.create_job(&new).map_err(|error| {
        if error.sqlstate.as_deref() == Some("23505") {
            Failure::conflict("job-running", "the same job was started by somebody else a moment ago")
                .hint("run the command again: it joins that job or says who works on it")
        } else {
            Failure::from(error)
        }
    })?;
    Ok(id)
}

impl Runner<'_> {
    /// Flips and moves every organization that is not done, in the plan's order; those flipped already come first.
    fn all_parts(&mut self) -> Result<(), Failure> {
        let mut parts = self.session.job_parts(self.job)?;
        parts.sort_by_key(|p| p.state != PartState::Moving);
        let total: i64 = parts.iter().map(|p| p.rows_estimated).sum();
        self.progress.total(total.max(0) as u64);
        for part in parts {
            self.stop_if_asked()?;
            match part.state {
                PartState::Pending => {
                    self.settle_dangling_intent(&part)?;
                    match self.start(&part) {
                        Ok(Some((keyring, target, chunks))) => self.walk(&part, &keyring, target, chunks)?,
                        Ok(None) => {}
                        Err(failure) if ends_the_job(&failure) => return Err(failure),
                        Err(failure) if self.has_started(&part)? => {
                            return Err(Failure { exit: Exit::Incomplete, ..failure }
                                .hint("run the same command again: it goes on where it stopped"));
                        }
                        Err(failure) => self.refuse(&part.organization, PartState::Refused, failure)?,
                    }
                }
                PartState::Moving => {
                    self.settle_dangling_intent(&part)?;
                    if let Some((keyring, target)) = self.keyring_of(&part)? {
                        let chunks = self.session.open_chunks(self.job, &part.organization)?;
                        self.walk(&part, &keyring, target, chunks)?;
                    }
                }
                PartState::Moved | PartState::Settled | PartState::Refused | PartState::Superseded => {}
            }
            self.before.0 += part.rows_estimated.max(0) as u64;
        }
        Ok(())
    }

    /// True once the part was flipped: from then on it is finished, never refused.
    fn has_started(&mut self, part: &Part) -> Result<bool, Failure> {
        let parts = self.session.job_parts(self.job)?;
        Ok(parts.iter().any(|p| p.organization == part.organization && p.state != PartState::Pending))
    }

    /// The keyring of a part that has a target. `None` when the target is not current any more: the part is superseded.
    pub(super) fn keyring_of(&mut self, part: &Part) -> Result<Option<(Keyring, usize)>, Failure> {
        let (target, version) =
            part.target.as_ref().ok_or_else(|| Failure::internal("a started part names no target"))?;
        let deks = self.session.dek_rows(&self.app.settings.map.value, &part.organization)?;
        if !self.still_current(&part.organization, target, *version, &deks)? {
            return Ok(None);
        }
        let waiting = |failure: Failure| {
            let exit = if failure.exit == Exit::Unreachable { Exit::Unreachable } else { Exit::Incomplete };
            Failure { exit, ..failure }.during(format_args!("cells of {} are waiting to be moved", part.organization))
        };
        let unwrapped = keyrings::unwrap(self.vault, &part.organization, &deks).map_err(waiting)?;
        // Without the key they came from every cell would look unopenable: the walk waits for KMS instead.
        if let Some((previous, old)) = &part.previous
            && unwrapped.keyring.entry(previous).is_none()
        {
            let why = unwrapped.problems.into_iter().next().map_or(String::new(), |p| p.message);
            return Err(waiting(
                Failure::new(Exit::Incomplete, "dek-refused", format!("version {old} cannot be unwrapped: {why}"))
                    .hint("make KMS unwrap it again, then run the same command: it goes on where it stopped"),
            ));
        }
        self.problems.extend(unwrapped.problems.into_iter().filter(|p| !self.problems.contains(p)).collect::<Vec<_>>());
        Ok(Some((unwrapped.keyring, unwrapped.current)))
    }

    /// A new connection that holds the job's lock; the server may need a moment to notice that the old one is gone.
    pub(super) fn reconnect(&mut self) -> Result<(), Failure> {
        for attempt in 0..6u64 {
            std::thread::sleep(Duration::from_millis(250 << attempt));
            if let Ok(mut session) = self.app.connect()
                && session.lock_job(self.job, &format!("{} pid {}", self.journal.actor(), std::process::id()))?
            {
                self.session = session;
                return Ok(());
            }
            if self.app.interrupt.asked() {
                break;
            }
        }
        Err(Failure::new(Exit::Incomplete, "connection-lost", "the database connection was lost and did not come back")
            .hint("run the same command again: it goes on where it stopped"))
    }

    fn walk(&mut self, part: &Part, keyring: &Keyring, target: usize, chunks: Vec<Chunk>) -> Result<(), Failure> {
        if self.request.dek_only {
            self.session.set_part(self.job, &part.organization, PartState::Moved)?;
            return Ok(());
        }
        let walk = walk_of(self.app, self.catalog, self.request, keyring, target);
        let tally = Tally::default();
        let cells = self.planned.get(&part.organization).map_or(0, |p| p.cells.max(0) as u64);
        self.progress.phase(&format!("{}: moving", part.organization));
        let (session, job, progress, last) = (&mut self.session, self.job, &self.progress, &mut self.last_touch);
        let (rows_before, cells_before) = self.before;
        let started = Instant::now();
        let end = walk.run(chunks, &tally, |tally| {
            let moved = tally.cells.load(Ordering::Relaxed);
            let rows = rows_before + tally.rows.load(Ordering::Relaxed);
            progress.at(rows, cells_before + moved, cells.saturating_sub(moved));
            touch(session, job, last)
        })?;
        self.before.1 += tally.cells.load(Ordering::Relaxed);
        match end {
            WalkEnd::Done => {
                let mostly_moved = 2 * tally.cells.load(Ordering::Relaxed) >= tally.rows.load(Ordering::Relaxed);
                if part.rows_visited == 0 && mostly_moved {
                    self.session.keep_walk_seconds(self.job, &part.organization, started.elapsed().as_secs_f64())?;
                }
                self.session.set_part(self.job, &part.organization, PartState::Moved)?;
                Ok(())
            }
            WalkEnd::Stopped => Err(self.stopped()),
            WalkEnd::Superseded => {
                let version = keyring.entries()[target].version;
                self.supersede(&part.organization, version)
            }
        }
    }

    /// Moves some chunks of one organization outside its first walk.
    pub(super) fn walk_late(
        &mut self,
        keyring: &Keyring,
        target: usize,
        chunks: Vec<Chunk>,
    ) -> Result<WalkEnd, Failure> {
        let walk = walk_of(self.app, self.catalog, self.request, keyring, target);
        let (session, job, last) = (&mut self.session, self.job, &mut self.last_touch);
        walk.run(chunks, &Tally::default(), |_| touch(session, job, last))
    }

    /// True when the target is what the application seals with; else the part is superseded.
    pub(super) fn still_current(
        &mut self,
        organization: &OrgId,
        target: &DekId,
        version: KeyVersion,
        deks: &[DekRow],
    ) -> Result<bool, Failure> {
        match keyrings::current(organization, deks) {
            Ok(row) if row.id == *target => return Ok(true),
            Ok(_) => self.supersede(organization, version)?,
            Err(failure) => self.refuse(organization, PartState::Superseded, failure)?,
        }
        Ok(false)
    }

    pub(super) fn supersede(&mut self, organization: &OrgId, version: KeyVersion) -> Result<(), Failure> {
        let failure = Failure::conflict(
            "superseded",
            format!("version {version} of {organization} is not the active one any more: somebody else rotated"),
        )
        .hint(format!(
            "move everything to the version that is active now: `scrybe-keys re-encrypt --org {organization}`"
        ));
        self.refuse(organization, PartState::Superseded, failure)
    }

    pub(super) fn refuse(&mut self, organization: &OrgId, state: PartState, failure: Failure) -> Result<(), Failure> {
        self.session.refuse_part(self.job, organization, state, failure.code, &failure.message)?;
        self.app.ui.warn(&format!("{organization}: {}", failure.message));
        self.refused.push((organization.clone(), failure));
        Ok(())
    }

    pub(super) fn stop_if_asked(&mut self) -> Result<(), Failure> {
        if self.app.interrupt.asked() || touch(&mut self.session, self.job, &mut self.last_touch)? {
            return Err(self.stopped());
        }
        Ok(())
    }

    fn stopped(&mut self) -> Failure {
        let cancelled = self.session.touch_job(self.job).unwrap_or(false);
        if cancelled {
            return Failure::new(Exit::Incomplete, "cancelled", "the job was cancelled; what was moved stays moved")
                .hint("cells left behind are moved by `scrybe-keys re-encrypt --all`");
        }
        Failure::new(Exit::Incomplete, "interrupted", "stopped on request; what was moved stays moved")
            .hint(format!("go on: `{}`", self.app.command_line))
    }

    fn end(mut self, intent: &IntentId, census: Option<Census>, stopped: Option<Failure>) -> Result<Ended, Failure> {
        let parts = match self.session.job_parts(self.job) {
            Ok(parts) => parts,
            // The connection may be what was lost: say why we stopped on a new one, or say only that.
            Err(error) => match (self.reconnect(), stopped) {
                (Ok(()), stopped) => return self.end(intent, census, stopped),
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
        let mut exits: Vec<Exit> = self.refused.iter().map(|(_, f)| f.exit).collect();
        if self.refused.is_empty()
            && parts.iter().any(|p| matches!(p.state, PartState::Refused | PartState::Superseded))
        {
            exits.push(Exit::Conflict);
        }
        if let Some(failure) = &stopped {
            exits.push(failure.exit);
        }
        if census.is_none()
            && let Some(kept) = self.session.job(self.job)?.and_then(|job| job.census)
        {
            self.problems.extend(super::census::problems_of(&kept));
        }
        let critical = |p: &Problem| p.severity == crate::core::problem::Severity::Critical;
        if parts.iter().any(|p| p.quarantined > 0) || self.problems.iter().any(critical) {
            exits.push(Exit::Findings);
        }
        let job = self.session.job(self.job)?.ok_or_else(|| Failure::internal("the job's row is gone"))?;
        Ok(Ended {
            job,
            parts,
            census,
            problems: self.problems,
            refused: self.refused,
            stopped,
            exit: Exit::worst(exits),
        })
    }
}

/// Why a run stopped, in the words of the contract.
pub fn stop_reason(failure: &Failure) -> &'static str {
    match failure.code {
        "cancelled" | "interrupted" | "statement-cancelled" => "interrupt",
        "timed-out" => "budget",
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

/// A walk of one organization as the request wants it.
fn walk_of<'w>(app: &'w App, catalog: &'w Catalog, request: &Request, keyring: &'w Keyring, target: usize) -> Walk<'w> {
    let under = |version| (0..keyring.entries().len()).filter(|at| keyring.entries()[*at].version == version).collect();
    let only = request.from_version.map(under);
    Walk { app, catalog, keyring, target, only, wishes: request.wishes, workers: app.settings.policy.workers }
}

/// True for failures that another organization would meet as well.
pub(super) fn ends_the_job(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Unreachable | Exit::Incomplete | Exit::Internal | Exit::Interrupted)
        || matches!(
            failure.code,
            "kms-no-credentials" | "kms-expired-credentials" | "kms-denied" | "kms-key-unusable" | "kms-not-found"
        )
}

fn touch(session: &mut Session, job: Uuid, last: &mut Instant) -> Result<bool, Failure> {
    if last.elapsed() < Duration::from_secs(1) {
        return Ok(false);
    }
    *last = Instant::now();
    // A lost connection here does not stop the workers; they have their own and say so themselves.
    Ok(session.touch_job(job).unwrap_or(false))
}
