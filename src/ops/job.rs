//! Running a job: organization by organization — flip, move, next — then settle all, prove, report.
//!
//! Everything needed to go on after `kill -9` is in the job's rows before it matters: the intent in the audit chain before the flip, the part's
//! state and chunks in the flip's own transaction, every batch with its counters. An organization that fails before its flip is refused and the
//! others go on; one that was flipped is never left for the next one. One process runs a job, by its advisory lock: it flips, settles and proves;
//! any number of others walk beside it (`ops::join`).

use super::audit::Journal;
use super::control::{Control, Light, Order};
use super::crew::Crew;
use super::ended::Ended;
use super::permit::Permit;
use super::pulse::Pulse;
use super::rotation::{Plan, Planned, Request};
use super::wrapping::Vault;
use super::{crash, keyrings, weight};
use crate::app::App;
use crate::core::data_map::Opens;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::keyring::Keyring;
use crate::core::problem::Problem;
use crate::db::catalog::Catalog;
use crate::db::jobs::{Job, NewJob, Part, PartState};
use crate::db::{DekRow, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::Progress;
use serde_json::json;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

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
    pub crew: &'a Crew<'a>,
    pub control: Control<'a>,
    pub progress: Box<dyn Progress>,
    pub problems: Vec<Problem>,
    pub refused: Vec<(OrgId, Failure)>,
    /// What the plan said, by organization.
    pub planned: HashMap<OrgId, Planned>,
    /// The basis of the plan's census, where one was taken.
    pub basis: Option<i64>,
    /// Rows and cells of the organizations that are done.
    pub before: (u64, u64),
    /// When the last organization was done with.
    last_moved: Option<Instant>,
    /// When the last flip of this run was found committed.
    pub last_flip: Option<Instant>,
    pub last_sweep: Instant,
    /// From which transaction on each organization's next sweep looks.
    pub bases: HashMap<OrgId, i64>,
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
    if !session.lock_job(job, &runner_name(&journal))? {
        return Err(taken(job));
    }
    let now = session.job(job)?.ok_or_else(|| Failure::internal("the job's row is gone"))?;
    if now.state == "running" && now.cancel_asked {
        // Whoever asked for it died before it was carried out, and nobody else runs it: we hold its lock.
        session.end_job(job, "cancelled", Some("interrupt"))?;
    }
    if now.state != "running" || now.cancel_asked {
        return Err(Failure::conflict("stale-plan", format!("job {job} was ended by somebody else since the plan"))
            .hint("run the command again and look at the new plan"));
    }
    if plan.job.is_some() {
        // Whoever joins from now on keeps to what this run was asked for.
        let mut options: serde_json::Value = serde_json::from_str(&now.options).unwrap_or_default();
        options["request"] = plan.request.to_kept();
        session.keep_options(job, &options.to_string())?;
    }
    let _pulse = Pulse::start(app, job, runner_name(&journal))?;
    let crew = Crew::of(app, plan.request.workers);
    register(&mut session, &crew, job)?;
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
        control: Control::of(&crew, job, true, plan.request.rules.clone()),
        crew: &crew,
        progress: app.ui.progress(title),
        problems: plan.problems.clone(),
        refused: Vec::new(),
        planned: plan.organizations.iter().map(|p| (p.organization.clone(), p.clone())).collect(),
        basis: plan.read.as_ref().map(|read| read.census.basis),
        before: (0, 0),
        last_moved: None,
        last_flip: None,
        last_sweep: Instant::now(),
        bases: HashMap::new(),
    };
    for (organization, failure) in plan.refused {
        runner.refuse(&organization, PartState::Refused, failure)?;
    }
    let subject = job.to_string();
    // We hold the job's lock, so whoever began this before us has died without saying so.
    runner.journal.close_interrupted(job, &subject, "RE_ENCRYPTION_STARTED", "RE_ENCRYPTION_FAILED")?;
    let details = json!({"job": subject, "scope": plan.scope, "reason": plan.request.reason, "planDigest": plan.digest, "resumed": plan.job.is_some()});
    let intent = runner.journal.intent("RE_ENCRYPTION_STARTED", &subject, details)?;
    let walked = match runner.all_parts() {
        // No further organization is begun; those that were are settled and proved all the same.
        Err(failure) if failure.code == "budget" => runner.settle_all().and(Err(failure)),
        parts => parts.and_then(|()| runner.settle_all()),
    };
    runner.progress.done();
    let (census, stopped) = match walked {
        Ok(census) => (census, None),
        // The second INT cancels the running statement: that is our own doing, and the job can go on.
        Err(failure) if failure.code == "db-cancelled" && app.interrupt.insisted() => (None, Some(runner.stopped())),
        Err(failure) => (None, Some(failure)),
    };
    crash::point("before-outcome");
    // Best effort: a process that does not say goodbye is seen to be gone all the same.
    let _ = runner.session.leave_job(crew.process);
    runner.end(&intent, census, stopped)
}

/// Puts this process among those at work on a job.
pub(super) fn register(session: &mut Session, crew: &Crew<'_>, job: Uuid) -> Result<(), Failure> {
    let host = nix::unistd::gethostname().map_or_else(|_| "unknown".to_owned(), |h| h.to_string_lossy().into_owned());
    Ok(session.register_process(crew.process, job, &host, std::process::id() as i32)?)
}

pub(super) fn runner_name(journal: &Journal) -> String {
    // The run tells apart what host and pid do not: containers on one node.
    let run = journal.run_id().simple().to_string();
    format!("{} pid {} run {}", journal.actor(), std::process::id(), &run[..8])
}

fn taken(job: Uuid) -> Failure {
    Failure::conflict("job-running", format!("job {job} is being run by another process"))
        .hint(format!("watch it: `scrybe-keys jobs attach {job}`"))
        .hint("or help it: run the same command again")
}

fn create(app: &App, session: &mut Session, plan: &Plan, actor: &str) -> Result<Uuid, Failure> {
    let id = Uuid::new_v4();
    let sizes = weight::before(session, &plan.catalog)?;
    let options = json!({"command": app.command_line, "planDigest": plan.digest, "request": plan.request.to_kept(), "sizes": sizes});
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
        once: plan.request.once.as_deref(),
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
                    self.until_it_may_begin()?;
                    self.settle_dangling_intent(&part)?;
                    match self.start(&part) {
                        Ok(Some((keyring, target))) => self.walk(&part, &keyring, target)?,
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
                        self.walk(&part, &keyring, target)?;
                    }
                }
                PartState::Moved | PartState::Settled | PartState::Refused | PartState::Superseded => {}
            }
            self.last_moved = Some(Instant::now());
            self.before.0 += part.rows_estimated.max(0) as u64;
        }
        Ok(())
    }

    /// Before an organization is begun: ends the run when its time is up, waits while it is held back or for vacuum.
    fn until_it_may_begin(&mut self) -> Result<(), Failure> {
        let mut said = None;
        let rest = self.request.pause_between;
        loop {
            if let Some(until) = self.request.budget
                && jiff::Timestamp::now() >= until
            {
                return Err(Failure::new(
                    Exit::Incomplete,
                    "budget",
                    "the time given is up: no further organization is begun; what was begun is finished",
                )
                .hint(format!("go on: `{}`", self.app.command_line)));
            }
            self.stop_if_asked()?;
            self.sweep_now_and_then()?;
            let left = self.last_moved.map_or(Duration::ZERO, |at| rest.saturating_sub(at.elapsed()));
            let resting = (!left.is_zero()).then(|| "for vacuum to keep up".to_owned());
            let Some(why) = resting.or_else(|| self.control.holds_back()) else { return Ok(()) };
            if said.as_ref() != Some(&why) {
                self.app.ui.say(&format!("Waiting before the next organization: {why}."));
                self.control.phase(&*self.progress, &format!("waiting: {why}"));
                said = Some(why);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
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
        let unwrapped = keyrings::unwrap_for(self.vault, part, &deks)?;
        self.problems.extend(unwrapped.problems.into_iter().filter(|p| !self.problems.contains(p)).collect::<Vec<_>>());
        Ok(Some((unwrapped.keyring, unwrapped.current)))
    }

    /// A new connection that holds the job's lock; the server may need a moment to notice that the old one is gone.
    pub(super) fn reconnect(&mut self) -> Result<(), Failure> {
        for attempt in 0..6u64 {
            std::thread::sleep(Duration::from_millis(250 << attempt));
            if let Some(session) = locked_again(self.app, self.crew, self.job, &self.journal)? {
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

    /// Between two steps: hears orders, and ends the run when somebody asked for it.
    pub(super) fn stop_if_asked(&mut self) -> Result<(), Failure> {
        let order = self.control.tick(&mut self.session, &*self.progress, Light::Bright);
        if order == Order::Disconnected {
            self.reconnect()?;
        }
        if order == Order::Cancelled || self.app.interrupt.asked() {
            return Err(self.stopped());
        }
        Ok(())
    }

    pub(super) fn stopped(&mut self) -> Failure {
        if self.session.cancel_asked(self.job).unwrap_or(false) {
            return Failure::new(Exit::Incomplete, "cancelled", "the job was cancelled; what was moved stays moved")
                .hint("cells left behind are moved by `scrybe-keys re-encrypt --all`");
        }
        Failure::new(Exit::Incomplete, "interrupted", "stopped on request; what was moved stays moved")
            .hint(format!("go on: `{}`", self.app.command_line))
    }
}

/// One new connection with the job's lock and this process's own. `None`: not now. An error when another process runs the job meanwhile.
pub(super) fn locked_again(
    app: &App,
    crew: &Crew<'_>,
    job: Uuid,
    journal: &Journal,
) -> Result<Option<Session>, Failure> {
    let Ok(mut session) = app.connect() else { return Ok(None) };
    let Ok(locked) = session.lock_job_again(job, &runner_name(journal)) else { return Ok(None) };
    if !locked {
        // The server may not have noticed yet that our old connection is gone; a living runner says so within seconds.
        let ours = |j: Job| j.runner.as_deref() == Some(&runner_name(journal)) && j.state == "running";
        let theirs = !session.job(job)?.is_some_and(ours);
        return if theirs { Err(taken(job)) } else { Ok(None) };
    }
    register(&mut session, crew, job)?;
    Ok(Some(session))
}

/// Whether cells are dark while an organization is being moved.
pub(super) fn light(app: &App) -> Light {
    match app.settings.map.value.opens {
        Opens::ActiveOnly => Light::Dark,
        Opens::AnyVersion => Light::Bright,
    }
}

/// True for failures that another organization would meet as well.
pub(super) fn ends_the_job(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Unreachable | Exit::Incomplete | Exit::Internal | Exit::Interrupted)
        || matches!(
            failure.code,
            "kms-no-credentials" | "kms-expired-credentials" | "kms-denied" | "kms-key-unusable" | "kms-not-found"
        )
}
