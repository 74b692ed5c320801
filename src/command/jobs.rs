//! `jobs`: what is moving, what stopped, what could not be moved.

use super::movement::{grouped, seconds};
use super::steer;
use crate::app::{App, Outcome};
use crate::db::Session;
use crate::db::jobs::{Job, Part, PartState};
use crate::db::leases::Process;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::pace::Tuning;
use crate::ops::permit::{Consent, Danger, Permit};
use crate::ops::{retry, rotation};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// See, follow, slow down and stop jobs that move cells
///
/// A job is one rotate or re-encrypt. Its progress is in the database: it can be followed and steered from any terminal, and is gone on with by
/// the command that began it. Whoever works on a job hears orders within two seconds.
///
/// Example: scrybe-keys jobs tune latest --max-rate 2000
///
/// pause, unpause, tune, cancel and retry-failed change something, the others only read. A cancelled job's cells are moved by re-encrypt. Exit codes: 0; 2;
/// 3 (failures: there are some); 4; 5 (no such job, or another world); 6; 7 (attach: the job stopped unfinished); 8; 130 (attach was left).
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub what: What,
}

#[derive(clap::Subcommand)]
pub enum What {
    /// List jobs, newest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Show one job by organization
    Status {
        /// Job id, or latest
        #[arg(default_value = "latest")]
        job: String,
    },
    /// Follow a job until it ends
    Attach {
        /// Job id, or latest
        #[arg(default_value = "latest")]
        job: String,
    },
    /// Hold a job before its next organization; one whose cells are dark is finished first
    Pause {
        /// Job id, or latest
        job: String,
        /// Hold at once, although cells stay dark until unpause
        #[arg(long, help_heading = "Safety")]
        while_dark: bool,
    },
    /// Let a held job go on
    Unpause {
        /// Job id, or latest
        job: String,
    },
    /// Change the speed of a running job
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["workers", "max_rate", "batch_rows", "batch_time"]))]
    Tune {
        /// Job id, or latest
        job: String,
        /// Worker threads of each process
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
        workers: Option<u16>,
        /// Rows per second at most, over all processes; 0 lifts the limit
        #[arg(long, value_name = "ROWS")]
        max_rate: Option<u64>,
        /// Rows of a batch at most
        #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        batch_rows: Option<u32>,
        /// How long a batch should take at most, e.g. 100ms
        #[arg(long, value_name = "DURATION", value_parser = crate::core::duration::parse)]
        batch_time: Option<Duration>,
    },
    /// Stop a job after its batch and give it up; what was moved stays moved
    Cancel {
        /// Job id, or latest
        job: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the cells a job could not move: table, column, row id, reason
    Failures {
        /// Job id, or latest
        #[arg(default_value = "latest")]
        job: String,
        /// How many at most
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
    },
    /// Try those cells again
    RetryFailed {
        /// Job id, or latest
        job: String,
        #[command(flatten)]
        consent: Consent,
    },
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let mut session = app.connect()?;
        session.require_schema()?;
        let mutating =
            !matches!(self.what, What::List { .. } | What::Status { .. } | What::Attach { .. } | What::Failures { .. });
        let binding = crate::ops::binding::check(app, &mut session, mutating)?;
        if mutating {
            app.ui.say(&crate::ops::binding::context_line(&app.settings, &binding));
        }
        match self.what {
            What::List { limit } => list(app, &mut session, limit),
            What::Status { job } => status(app, &mut session, &job),
            What::Attach { job } => attach(app, &mut session, &job),
            What::Pause { job, while_dark } => steer::pause(app, &mut session, &job, while_dark),
            What::Unpause { job } => steer::unpause(app, &mut session, &job),
            What::Tune { job, workers, max_rate, batch_rows, batch_time } => {
                let tuning = Tuning {
                    workers: workers.map(usize::from),
                    batch_rows: batch_rows.map(|rows| rows as usize),
                    batch_millis: batch_time.map(|time| time.as_millis() as u64),
                    max_rate,
                };
                steer::tune(app, &mut session, &job, &tuning)
            }
            What::Cancel { job, consent } => steer::cancel(app, &mut session, &job, &consent),
            What::Failures { job, limit } => failures(app, &mut session, &job, limit),
            What::RetryFailed { job, consent } => retry_failed(app, &mut session, &job, &consent),
        }
    }
}

/// The job an id or `latest` means.
pub(super) fn find(session: &mut Session, name: &str) -> Result<Job, Failure> {
    let hint = "`scrybe-keys jobs list` shows the jobs of this database";
    let found = if name == "latest" {
        session.jobs(1)?.pop()
    } else {
        let id =
            Uuid::parse_str(name).map_err(|_| Failure::usage("bad-job", format!("{name} is no job id")).hint(hint))?;
        session.job(id)?
    };
    found.ok_or_else(|| Failure::conflict("no-job", format!("there is no job {name}")).hint(hint))
}

/// The word for a job's state: a running one that nobody works on is stopped, one that is held is paused.
fn state(job: &Job) -> &str {
    match job.state.as_str() {
        "running" if !job.alive => "stopped",
        "running" if job.pause == "now" => "paused",
        state => state,
    }
}

fn list(app: &App, session: &mut Session, limit: i64) -> Result<Outcome, Failure> {
    let jobs = session.jobs(limit)?;
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|j| vec![j.id.to_string(), state(j).to_owned(), format!("{:.0}", j.created_at), j.scope.clone()])
        .collect();
    let mut text = app.ui.table(&["job", "state", "begun", "what"], &rows, &[]);
    if jobs.is_empty() {
        text = "No jobs yet.\n".to_owned();
    }
    for job in jobs.iter().filter(|j| state(j) == "stopped") {
        if let Some(command) = rotation::command_of(job) {
            text.push_str(&format!("stopped: {}\n  go on: {command}\n", job.id));
        }
    }
    Outcome::done(json!({"jobs": jobs.iter().map(job_json).collect::<Vec<_>>()}), text)
}

fn status(app: &App, session: &mut Session, name: &str) -> Result<Outcome, Failure> {
    let job = find(session, name)?;
    let parts = session.job_parts(job.id)?;
    let mut text = head(&job);
    let rows: Vec<Vec<String>> = parts
        .iter()
        .map(|p| {
            vec![
                p.organization.to_string(),
                p.target.as_ref().map_or("-".to_owned(), |(_, v)| v.to_string()),
                p.state.as_str().to_owned(),
                done(p),
                grouped(p.cells_moved + p.cells_late),
                p.dark_seconds().map_or("-".to_owned(), seconds),
            ]
        })
        .collect();
    text.push_str(&app.ui.table(&["organization", "version", "state", "done", "moved", "dark"], &rows, &[3, 4]));
    let processes = session.processes(job.id)?;
    if job.state == "running" && processes.iter().any(|p| p.alive) {
        text.push_str(&processes_text(app, &processes));
    }
    for part in parts.iter().filter(|p| p.problem.is_some()) {
        let (_, problem) = part.problem.clone().expect("filtered");
        text.push_str(&format!("{}: {problem}\n", part.organization));
    }
    let quarantined: i64 = parts.iter().map(|p| p.quarantined).sum();
    if quarantined > 0 {
        text.push_str(&format!(
            "{quarantined} cells could not be moved\n  next: scrybe-keys jobs failures {}\n",
            job.id
        ));
    }
    let mut data = job_json(&job);
    data["organizations"] = parts.iter().map(part_json).collect();
    data["processes"] = processes.iter().map(process_json).collect();
    Outcome::done(data, text)
}

/// Who is at work: one line a process.
fn processes_text(app: &App, processes: &[Process]) -> String {
    let rows: Vec<Vec<String>> = processes
        .iter()
        .filter(|p| p.alive)
        .map(|p| {
            let doing = match &p.slowed_by {
                Some(why) => format!("{} ({why})", p.doing),
                None => p.doing.clone(),
            };
            let rate = grouped(p.rate.round() as i64);
            vec![p.host.clone(), p.pid.to_string(), p.workers.to_string(), grouped(p.rows_visited), rate, doing]
        })
        .collect();
    app.ui.table(&["host", "pid", "workers", "rows", "rows/s", "doing"], &rows, &[1, 2, 3, 4])
}

fn process_json(p: &Process) -> Value {
    json!({"process": p.id.to_string(), "host": p.host, "pid": p.pid, "alive": p.alive, "workers": p.workers, "rowsVisited": p.rows_visited,
        "cellsMoved": p.cells_moved, "rowsPerSecond": p.rate, "doing": p.doing, "slowedBy": p.slowed_by,
        "startedAt": p.started_at.to_string(), "seenAt": p.seen_at.to_string(), "endedAt": p.ended_at.map(|t| t.to_string())})
}

/// Rows visited of those expected, e.g. `67%`. Kept short: ids stay whole at 80 columns.
fn done(part: &Part) -> String {
    match (part.state, part.rows_estimated) {
        (PartState::Moved | PartState::Settled, _) => "100%".to_owned(),
        (_, 0) => "-".to_owned(),
        (_, all) => format!("{}%", (100 * part.rows_visited / all).min(99)),
    }
}

pub(super) fn head(job: &Job) -> String {
    let mut text = format!("Job {}: {} ({})\n{}\nreason: {}\n", job.id, state(job), job.scope, begun(job), job.reason);
    match job.pause.as_str() {
        "now" if job.state == "running" => text.push_str("held: by `jobs pause --while-dark`\n"),
        "between" if job.state == "running" => text.push_str("held before the next organization: by `jobs pause`\n"),
        _ => {}
    }
    if state(job) == "stopped"
        && let Some(command) = rotation::command_of(job)
    {
        text.push_str(&format!("go on: {command}\n"));
    }
    text
}

fn begun(job: &Job) -> String {
    let ended = job.ended_at.map_or(String::new(), |at| format!(", ended {at:.0}"));
    let runner = if job.alive {
        job.runner.as_deref().map_or(String::new(), |r| format!(", worked on by {r}"))
    } else {
        String::new()
    };
    format!("begun {:.0} by {}{ended}{runner}", job.created_at, job.actor)
}

fn attach(app: &App, session: &mut Session, name: &str) -> Result<Outcome, Failure> {
    let job = find(session, name)?;
    let progress = app.ui.progress(job.kind.as_str());
    let mut shown = String::new();
    loop {
        let job = find(session, &job.id.to_string())?;
        let parts = session.job_parts(job.id)?;
        let rows = parts.iter().map(|p| p.rows_visited.max(0) as u64).sum();
        let total: u64 = parts.iter().map(|p| p.rows_estimated.max(0) as u64).sum();
        let cells = parts.iter().map(|p| (p.cells_moved + p.cells_late).max(0) as u64).sum();
        progress.total(total);
        progress.at(rows, cells, total.saturating_sub(rows));
        let alive: Vec<Process> = session.processes(job.id)?.into_iter().filter(|p| p.alive).collect();
        let doing = attached(&job, &alive);
        if doing != shown {
            progress.phase(&doing);
            shown = doing;
        }
        if job.state != "running" || !job.alive || app.interrupt.asked() {
            progress.done();
            let mut outcome = status(app, session, &job.id.to_string())?;
            outcome.exit = match state(&job) {
                "stopped" => Exit::Incomplete,
                "running" | "paused" => Exit::Interrupted,
                "superseded" => Exit::Conflict,
                _ => Exit::Done,
            };
            return Ok(outcome);
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// What is going on, in a line: the runner's doing, how many processes, and what slows them down.
fn attached(job: &Job, alive: &[Process]) -> String {
    let runner = alive.iter().find(|p| p.slowed_by.is_some()).or(alive.first());
    let Some(first) = runner else { return job.kind.as_str().to_owned() };
    let mut text = first.doing.clone();
    if alive.len() > 1 {
        let rate: f64 = alive.iter().map(|p| p.rate).sum();
        text.push_str(&format!(", {} processes, {} rows/s", alive.len(), grouped(rate.round() as i64)));
    }
    if let Some(why) = &first.slowed_by {
        text.push_str(&format!(" ({why})"));
    }
    text
}

fn failures(app: &App, session: &mut Session, name: &str, limit: i64) -> Result<Outcome, Failure> {
    let job = find(session, name)?;
    let cells = session.quarantined(job.id, limit)?;
    let rows: Vec<Vec<String>> = cells
        .iter()
        .map(|c| vec![c.organization.clone(), format!("{}.{}", c.table, c.column), c.row.clone(), c.reason.clone()])
        .collect();
    let text = if rows.is_empty() {
        "Every cell could be moved.\n".to_owned()
    } else {
        let mut text = app.ui.table(&["organization", "column", "row", "reason"], &rows, &[]);
        text.push_str(&format!(
            "{} cells were left as they are.\n  when they are mended: scrybe-keys jobs retry-failed {}\n",
            rows.len(),
            job.id
        ));
        text
    };
    let all: Vec<Value> = cells
        .iter()
        .map(|c| json!({"organizationId": c.organization, "table": c.table, "column": c.column, "rowId": c.row, "reason": c.reason, "foundAt": c.found_at.to_string()}))
        .collect();
    let mut outcome = Outcome::done(json!({"job": job.id.to_string(), "failures": all}), text)?;
    if !rows.is_empty() {
        outcome.exit = Exit::Findings;
    }
    Ok(outcome)
}

fn retry_failed(app: &App, session: &mut Session, name: &str, consent: &Consent) -> Result<Outcome, Failure> {
    let job = find(session, name)?;
    let cells = session.quarantined(job.id, i64::MAX)?;
    if cells.is_empty() {
        return Outcome::done(json!({"job": job.id.to_string(), "moved": 0, "left": 0}), "Nothing to try again.\n");
    }
    app.ui.say(&format!(
        "{} cells of job {} will be tried again, toward the version that is active now.",
        cells.len(),
        job.id
    ));
    let digest = format!("retry {}", job.id);
    let permit = Permit::ask(&app.ui, Danger::Moderate, consent, &digest, "Try them?", &job.id.to_string())?;
    permit.covers(&digest)?;
    let tried = retry::run(app, session, &job, &cells)?;
    let text = format!("{} cells moved, {} still do not open.\n", tried.moved, tried.left);
    let mut outcome =
        Outcome::done(json!({"job": job.id.to_string(), "moved": tried.moved, "left": tried.left}), text)?;
    outcome.changed = tried.moved > 0;
    if tried.left > 0 {
        outcome.exit = Exit::Findings;
    }
    Ok(outcome)
}

fn job_json(job: &Job) -> Value {
    json!({"job": job.id.to_string(), "kind": job.kind.as_str(), "state": state(job), "scope": job.scope, "reason": job.reason,
        "actor": job.actor, "runner": job.runner, "alive": job.alive, "pause": job.pause, "tuning": Tuning::parse(&job.tuning), "createdAt": job.created_at.to_string(),
        "touchedAt": job.touched_at.to_string(), "endedAt": job.ended_at.map(|t| t.to_string()), "stopReason": job.stop_reason,
        "command": rotation::command_of(job),
        "census": job.census.as_ref().and_then(|c| serde_json::from_str::<Value>(c).ok())})
}

fn part_json(part: &Part) -> Value {
    json!({"organizationId": part.organization.as_str(), "state": part.state.as_str(),
        "previousVersion": part.previous.as_ref().map(|(_, v)| *v), "newVersion": part.target.as_ref().map(|(_, v)| *v),
        "rowsEstimated": part.rows_estimated, "rowsVisited": part.rows_visited, "cellsMoved": part.cells_moved,
        "cellsMovedLate": part.cells_late, "bytesMoved": part.bytes_moved, "quarantined": part.quarantined,
        "darkSeconds": part.dark_seconds(), "darkCellSeconds": part.dark_cell_seconds,
        "problem": part.problem.as_ref().map(|(code, message)| json!({"code": code, "message": message}))})
}
