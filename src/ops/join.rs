//! Helping a job that another process runs: claim chunks of whatever organization is being moved, until the job has ended.
//!
//! A helper flips nothing and proves nothing. It unwraps the DEKs through its own KMS access and takes its orders from the job's row, like the
//! runner. When the runner is gone, or has given no sign of life for a lease and more, the helper says so to its caller, who runs the job on.

use super::audit::Journal;
use super::control::{Control, Order};
use super::crew::{Crew, Tally};
use super::ended::Ended;
use super::job::{light, register, runner_name};
use super::keyrings;
use super::request::Request;
use super::walk::{Source, WalkEnd};
use super::wrapping::Vault;
use crate::app::App;
use crate::core::ids::OrgId;
use crate::core::keyring::Keyring;
use crate::core::problem::Problem;
use crate::db::Session;
use crate::db::catalog::Catalog;
use crate::db::jobs::{Job, Part, PartState};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::Progress;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a helper waits between two looks at a job that has nothing for it to do.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long a runner may take to mark a job whose parts have all ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How helping ended.
pub enum Joined {
    /// The job has ended.
    Ended(Box<Helped>),
    /// Nobody runs the job any more: somebody has to run it on.
    Orphaned,
}

/// How the job ended, and what this process did for it.
pub struct Helped {
    pub ended: Ended,
    /// Rows this process visited and cells it moved.
    pub rows: u64,
    pub cells: u64,
}

struct Helper<'a> {
    app: &'a App,
    vault: &'a Vault,
    request: &'a Request,
    session: Session,
    job: Uuid,
    crew: &'a Crew<'a>,
    control: Control<'a>,
    progress: Box<dyn Progress>,
    problems: Vec<Problem>,
}

/// Helps a job until it has ended or is orphaned. A failure leaves the job to the others.
pub fn help(app: &App, vault: &Vault, job: &Job, workers: Option<usize>) -> Result<Joined, Failure> {
    let request = Request::of_job(job)?;
    let crew = Crew::of(app, workers);
    let mut session = app.connect()?;
    register(&mut session, &crew, job.id)?;
    let mut helper = Helper {
        app,
        vault,
        control: Control::of(&crew, job.id, false, request.rules.clone()),
        request: &request,
        session,
        job: job.id,
        crew: &crew,
        progress: app.ui.progress("joined"),
        problems: Vec::new(),
    };
    let ended = helper.run();
    helper.progress.done();
    // Best effort: a process that does not say goodbye is seen to be gone all the same.
    let _ = helper.session.leave_job(crew.process);
    ended
}

impl Helper<'_> {
    fn run(&mut self) -> Result<Joined, Failure> {
        let catalog = self.session.catalog(&self.app.settings.map.value)?.only(&self.request.models)?;
        let (mut all_ended, mut cancelled): (Option<Instant>, Option<Instant>) = (None, None);
        // The keyring of the organization helped last: the runner takes one after the other.
        let mut ring: Option<(OrgId, Keyring, usize)> = None;
        loop {
            self.hear()?;
            let job = self.session.job(self.job)?.ok_or_else(|| Failure::internal("the job's row is gone"))?;
            let parts = self.session.job_parts(self.job)?;
            if job.state != "running" {
                return Ok(Joined::Ended(Box::new(self.helped(job, parts))));
            }
            let open = |p: &Part| matches!(p.state, PartState::Pending | PartState::Moving | PartState::Moved);
            if parts.iter().any(open) {
                all_ended = None;
            } else if all_ended.get_or_insert_with(Instant::now).elapsed() < LAST_WORDS {
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            if !job.alive && job.cancel_asked {
                // Whoever cancels a job that nobody runs ends it, within a moment. If that terminal died, it is for us.
                if cancelled.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS {
                    self.end_cancelled()?;
                }
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            if !job.alive {
                let begun = |p: &Part| matches!(p.state, PartState::Moving | PartState::Moved);
                if job.stop_reason.as_deref() == Some("budget") && !parts.iter().any(begun) {
                    // Its time was up and what it had begun is finished: to begin more is for a new command, not for a helper.
                    return Ok(Joined::Ended(Box::new(self.helped(job, parts))));
                }
                return Ok(Joined::Orphaned);
            }
            let silence = self.crew.lease + self.crew.lease / 2;
            if let Err(error) = self.session.end_silent_runner(self.job, silence) {
                tracing::warn!(%error, "a runner that gives no sign of life cannot be ended by this role");
            }
            let moving = parts.iter().find(|p| p.state == PartState::Moving);
            let Some(part) = moving.filter(|_| !self.crew.pace.is_held()) else {
                self.control.phase(&*self.progress, "waiting for work");
                std::thread::sleep(LOOK_AGAIN);
                continue;
            };
            if self.session.chunks_left(self.job, &part.organization)? == 0 {
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            if ring.as_ref().is_none_or(|(organization, ..)| *organization != part.organization) {
                ring = self.keyring_of(part)?.map(|(keyring, at)| (part.organization.clone(), keyring, at));
            }
            match &ring {
                Some((_, keyring, target)) => self.walk(part, &catalog, keyring, *target, parts.as_slice())?,
                // Superseded: for the runner to say.
                None => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// Ends a job that was cancelled and that nobody runs.
    fn end_cancelled(&mut self) -> Result<(), Failure> {
        let mut journal = Journal::open(self.app)?;
        if self.session.lock_job(self.job, &runner_name(&journal))? {
            self.session.end_job(self.job, "cancelled", Some("interrupt"))?;
            journal.close_interrupted(
                self.job,
                &self.job.to_string(),
                "RE_ENCRYPTION_STARTED",
                "RE_ENCRYPTION_FAILED",
            )?;
        }
        Ok(())
    }

    fn helped(&mut self, job: Job, parts: Vec<Part>) -> Helped {
        Helped {
            ended: Ended::of_job(job, parts, std::mem::take(&mut self.problems)),
            rows: self.crew.done.rows.load(Ordering::Relaxed),
            cells: self.crew.done.cells.load(Ordering::Relaxed),
        }
    }

    /// Heartbeat and orders; an error when somebody asked this process to stop.
    fn hear(&mut self) -> Result<(), Failure> {
        let order = self.control.tick(&mut self.session, &*self.progress, light(self.app));
        if order == Order::Disconnected
            && let Some(session) = registered_again(self.app, self.crew, self.job)
        {
            self.session = session;
        }
        if self.app.interrupt.asked() {
            return Err(self.left());
        }
        Ok(())
    }

    fn left(&self) -> Failure {
        Failure::new(Exit::Incomplete, "interrupted", "left the job on request; the others go on with it")
            .hint(format!("watch it: `scrybe-keys jobs attach {}`", self.job))
    }

    fn keyring_of(&mut self, part: &Part) -> Result<Option<(Keyring, usize)>, Failure> {
        let Some((target, _)) = &part.target else { return Ok(None) };
        let deks = self.session.dek_rows(&self.app.settings.map.value, &part.organization)?;
        if keyrings::current(&part.organization, &deks).is_ok_and(|row| row.id != *target) {
            return Ok(None);
        }
        self.control.phase(&*self.progress, &format!("{}: unwrapping DEKs", part.organization));
        let unwrapped = keyrings::unwrap_for(self.vault, part, &deks)?;
        if !unwrapped.problems.is_empty() {
            // What this process cannot open another may: it would only name cells that are not lost.
            for problem in unwrapped.problems.into_iter().filter(|p| !self.problems.contains(p)).collect::<Vec<_>>() {
                self.app
                    .ui
                    .warn(&format!("{}: {}; this process does not help with it", problem.subject, problem.message));
                self.problems.push(problem);
            }
            return Ok(None);
        }
        Ok(Some((unwrapped.keyring, unwrapped.current)))
    }

    fn walk(
        &mut self,
        part: &Part,
        catalog: &Catalog,
        keyring: &Keyring,
        target: usize,
        parts: &[Part],
    ) -> Result<(), Failure> {
        self.control.phase(&*self.progress, &format!("{}: moving, with others", part.organization));
        self.control.at_once();
        self.progress.total(parts.iter().map(|p| p.rows_estimated.max(0) as u64).sum());
        let walk = self.request.walk(self.crew, catalog, keyring, target);
        let source = Source::Leased { job: self.job, organization: &part.organization };
        let Helper { app, session, control, progress, crew, job, .. } = self;
        let light = light(app);
        let end = walk.run(source, &Tally::default(), |_| {
            let (rows, cells) = (crew.done.rows.load(Ordering::Relaxed), crew.done.cells.load(Ordering::Relaxed));
            progress.at(rows, cells, 0);
            Ok(match control.tick(session, &**progress, light) {
                Order::GoOn => false,
                Order::Cancelled => true,
                Order::Disconnected => {
                    if let Some(again) = registered_again(app, crew, *job) {
                        *session = again;
                    }
                    false
                }
            })
        })?;
        match end {
            WalkEnd::Stopped if self.app.interrupt.asked() => Err(self.left()),
            // Cancelled or superseded: for the runner to say.
            WalkEnd::Done | WalkEnd::Stopped | WalkEnd::Superseded => Ok(()),
        }
    }
}

/// One new connection on which this process is registered; `None`: not now.
fn registered_again(app: &App, crew: &Crew<'_>, job: Uuid) -> Option<Session> {
    let mut session = app.connect().ok()?;
    register(&mut session, crew, job).ok()?;
    Some(session)
}
