//! Orders to a running job from another terminal: pause, unpause, tune, cancel. The verbs are `jobs`'; whoever works on the job hears them
//! within two seconds (`ops::control`). Who steered how stands in the audit chain.

use super::jobs::{find, head};
use super::movement::grouped;
use crate::app::{App, Outcome};
use crate::core::data_map::Opens;
use crate::db::Session;
use crate::db::jobs::{Job, PartState};
use crate::error::Failure;
use crate::ops::audit::Journal;
use crate::ops::pace::Tuning;
use crate::ops::permit::{Consent, Danger, Permit};
use crate::ops::rotation;
use serde_json::{Value, json};
use std::time::Duration;

/// A job that can be steered; one that has ended cannot.
fn unfinished(session: &mut Session, name: &str) -> Result<Job, Failure> {
    let job = find(session, name)?;
    if job.state != "running" {
        return Err(Failure::conflict("job-ended", format!("job {} has ended ({})", job.id, job.state))
            .hint("`scrybe-keys jobs list` shows what is running"));
    }
    Ok(job)
}

pub(super) fn pause(app: &App, session: &mut Session, name: &str, while_dark: bool) -> Result<Outcome, Failure> {
    let job = unfinished(session, name)?;
    let parts = session.job_parts(job.id)?;
    let moving = parts.iter().find(|p| p.state == PartState::Moving);
    let dark = moving.filter(|_| app.settings.map.value.opens == Opens::ActiveOnly);
    session.ask_pause(job.id, if while_dark { "now" } else { "between" })?;
    steered(app, &job, json!({"action": "pause", "whileDark": while_dark}))?;
    let text = match dark {
        _ if !job.alive => format!(
            "Nobody runs job {} now; whoever goes on with it is held.\n  next: scrybe-keys jobs unpause {}\n",
            job.id, job.id
        ),
        Some(part) if while_dark => format!(
            "Job {} is held, and cells of {} stay dark until it goes on.\n  next: scrybe-keys jobs unpause {}\n",
            job.id, part.organization, job.id
        ),
        Some(part) => format!(
            "Job {} is held as soon as {} is moved: its cells are dark until then. --while-dark holds at once.\n  next: scrybe-keys jobs unpause {}\n",
            job.id, part.organization, job.id
        ),
        None => format!("Job {} is held.\n  next: scrybe-keys jobs unpause {}\n", job.id, job.id),
    };
    let mut outcome =
        Outcome::done(json!({"job": job.id.to_string(), "pause": if while_dark { "now" } else { "between" }}), text)?;
    outcome.changed = true;
    Ok(outcome)
}

pub(super) fn unpause(app: &App, session: &mut Session, name: &str) -> Result<Outcome, Failure> {
    let job = unfinished(session, name)?;
    session.ask_pause(job.id, "no")?;
    steered(app, &job, json!({"action": "unpause"}))?;
    let text = match (job.pause.as_str(), job.alive) {
        ("no", true) => format!("Job {} was not held.\n", job.id),
        (_, true) => format!("Job {} goes on.\n", job.id),
        (_, false) => {
            let command = rotation::command_of(&job).unwrap_or_default();
            format!("Job {} is not held any more, but nobody runs it.\n  next: {command}\n", job.id)
        }
    };
    let mut outcome = Outcome::done(json!({"job": job.id.to_string(), "pause": "no"}), text)?;
    outcome.changed = job.pause != "no";
    Ok(outcome)
}

pub(super) fn tune(app: &App, session: &mut Session, name: &str, tuning: &Tuning) -> Result<Outcome, Failure> {
    let job = unfinished(session, name)?;
    let all = Tuning::parse(&job.tuning).with(tuning);
    session.ask_tuning(job.id, &all.to_text())?;
    steered(app, &job, json!({"action": "tune", "tuning": all}))?;
    let mut said: Vec<String> = Vec::new();
    said.extend(all.workers.map(|n| format!("{n} workers a process")));
    said.extend(all.batch_rows.map(|n| format!("batches of at most {n} rows")));
    said.extend(all.batch_millis.map(|n| format!("batches of at most {n} ms")));
    said.extend(
        all.max_rate
            .map(|n| if n == 0 { "no limit".to_owned() } else { format!("{} rows/s at most", grouped(n as i64)) }),
    );
    let text = format!("Job {}: {}.\n", job.id, said.join(", "));
    let mut outcome = Outcome::done(json!({"job": job.id.to_string(), "tuning": all}), text)?;
    outcome.changed = true;
    Ok(outcome)
}

/// Who steered a job how stands in the audit chain.
fn steered(app: &App, job: &Job, mut details: Value) -> Result<(), Failure> {
    details["job"] = json!(job.id.to_string());
    Journal::open(app)?.note("RE_ENCRYPTION_STARTED", &job.id.to_string(), details)
}

pub(super) fn cancel(app: &App, session: &mut Session, name: &str, consent: &Consent) -> Result<Outcome, Failure> {
    let job = find(session, name)?;
    if job.state != "running" {
        return Err(Failure::conflict("job-ended", format!("job {} has ended ({})", job.id, job.state)));
    }
    let parts = session.job_parts(job.id)?;
    let dark = parts.iter().filter(|p| p.state == PartState::Moving).count();
    app.ui.say(head(&job).trim_end());
    if dark > 0 {
        app.ui.warn(&format!(
            "organizations with cells that are not moved yet: {dark}; these cells stay dark until re-encrypt moves them"
        ));
    }
    let digest = format!("cancel {}", job.id);
    let permit = Permit::ask(&app.ui, Danger::Moderate, consent, &digest, "Give this job up?", &job.id.to_string())?;
    permit.covers(&digest)?;
    let mut journal = Journal::open(app)?;
    let details = json!({"job": job.id.to_string(), "action": "cancel", "alive": job.alive});
    let intent = journal.intent("RE_ENCRYPTION_FAILED", &job.id.to_string(), details.clone())?;
    session.ask_cancel(job.id)?;
    let deadline = std::time::Instant::now() + Duration::from_secs(15);
    let mut now = find(session, &job.id.to_string())?;
    while now.alive && std::time::Instant::now() < deadline && !app.interrupt.asked() {
        std::thread::sleep(Duration::from_millis(200));
        now = find(session, &job.id.to_string())?;
    }
    if !now.alive && now.state == "running" {
        session.end_job(job.id, "cancelled", Some("interrupt"))?;
        // Nobody is left to say how the dead run ended.
        journal.close_interrupted(job.id, &job.id.to_string(), "RE_ENCRYPTION_STARTED", "RE_ENCRYPTION_FAILED")?;
    }
    journal.outcome(&intent, "RE_ENCRYPTION_FAILED", &job.id.to_string(), details)?;
    let text = if now.alive {
        format!("Asked. {} ends the job after its batch.\n", now.runner.as_deref().unwrap_or("Its process"))
    } else {
        let next = if dark > 0 { "\n  next: scrybe-keys re-encrypt --all" } else { "" };
        format!("Job {} is cancelled; what was moved stays moved.{next}\n", job.id)
    };
    let mut outcome = Outcome::done(json!({"job": job.id.to_string(), "cancelled": !now.alive}), text)?;
    outcome.changed = true;
    Ok(outcome)
}
