//! What `rotate` and `re-encrypt` share: the options of a move, how its plan is shown, how its end is reported.
//! Not a verb. Nothing here decides anything; `ops::rotation` plans and `ops::job` runs.

use super::speed::SpeedOptions;
use super::{plan_shown, report_shown};
use crate::app::{App, Outcome};
use crate::core::cell::Wishes;
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::db::Session;
use crate::db::jobs::{Job, JobKind};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::ended::Ended;
use crate::ops::job;
use crate::ops::join::{self, Joined};
use crate::ops::permit::{Consent, Danger, Permit};
use crate::ops::rotation::{self, Cutover, Plan, Request, Scope};
use crate::ops::wrapping::Vault;
use serde_json::json;
use std::time::{Duration, Instant};

/// Options of everything that moves cells.
#[derive(Clone, Debug, clap::Args)]
pub struct MoveOptions {
    /// Also seal values that were never sealed
    #[arg(long)]
    pub include_plaintext: bool,
    /// Peel envelopes whose whole content is another envelope
    #[arg(long)]
    pub unwrap_nested: bool,
    /// How long an application may go on using a cached key; 0s says that none does [default: the data map's, 5m]
    #[arg(long, value_name = "DURATION", value_parser = crate::core::duration::parse)]
    pub settle: Option<Duration>,
    /// Move cells although UPDATE triggers will fire
    #[arg(long, help_heading = "Safety")]
    pub allow_triggers: bool,
    /// Show the plan and stop
    #[arg(long, help_heading = "Safety")]
    pub dry_run: bool,
    /// Help a job that another process runs, here or on another machine: its id, or latest
    #[arg(long, value_name = "JOB")]
    pub join: Option<String>,
    /// How long --join waits for a job to begin
    #[arg(long, value_name = "DURATION", default_value = "0s", requires = "join", value_parser = crate::core::duration::parse)]
    pub join_wait: Duration,
    /// Do this once: a job that was begun under this name is gone on with, or, when it is done, only reported
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub once: Option<String>,
    #[command(flatten)]
    pub speed: SpeedOptions,
    #[command(flatten)]
    pub consent: Consent,
}

impl MoveOptions {
    /// What these options ask for, over everything the map has, online; a verb adds its own.
    pub fn request(&self, app: &App, kind: JobKind, scope: Scope, reason: String) -> Result<Request, Failure> {
        Ok(Request {
            kind,
            scope,
            reason,
            models: Vec::new(),
            from_version: None,
            wishes: Wishes { include_plaintext: self.include_plaintext, unwrap_nested: self.unwrap_nested },
            settle: self.settle,
            max_outage: None,
            dek_only: false,
            allow_triggers: self.allow_triggers,
            cutover: Cutover::Online,
            max_cutover: Duration::ZERO,
            after_commit: None,
            max_dark: Some(self.speed.max_dark),
            pause_between: self.speed.pause_between,
            rules: self.speed.rules(app),
            budget: self.speed.budget()?,
            once: self.once.clone(),
            workers: self.speed.workers.map(usize::from),
        })
    }
}

/// Refuses an empty reason.
pub fn require_reason(reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::usage("no-reason", "--reason is empty: say why, it is kept in the audit chain"));
    }
    Ok(())
}

/// Organization ids from the command line.
pub fn organizations(ids: &[String]) -> Result<Vec<OrgId>, Failure> {
    let mut all = Vec::new();
    for id in ids {
        let id = OrgId::parse(id).map_err(|e| Failure::usage("bad-organization", format!("--org: {e}")))?;
        if !all.contains(&id) {
            all.push(id);
        }
    }
    Ok(all)
}

/// Plan, show, permit, apply, report.
pub fn run(app: &App, request: Request, options: &MoveOptions) -> Result<Outcome, Failure> {
    let mut session = app.connect()?;
    let vault = Vault::of(app)?;
    if let Some(once) = &options.once
        && let Some(outcome) = done_once(app, &mut session, once, &request)?
    {
        return Ok(outcome);
    }
    if !options.dry_run
        && let Some(job) = rotation::running(app, &mut session, &request)?
    {
        return help(app, &vault, &mut session, job, options, &Own::of(&request));
    }
    let plan = match rotation::plan(app, &mut session, &vault, request.clone()) {
        Err(failure) if failure.code == "job-running" && !options.dry_run => {
            return begun_elsewhere(app, &vault, &mut session, &request, options, failure);
        }
        planned => planned?,
    };
    let shown = plan_shown::text(app, &plan);
    if options.dry_run {
        let mut outcome = Outcome::done(plan_shown::json_of(&plan), shown)?;
        outcome.problems = plan.problems.clone();
        outcome.problems.extend(plan.refused.iter().map(|(o, f)| report_shown::refusal(o, f)));
        outcome.exit = Exit::worst(plan.refused.iter().map(|(_, f)| f.exit));
        return Ok(outcome);
    }
    app.ui.say(shown.trim_end());
    if plan.organizations.is_empty() && plan.job.is_none() {
        if !plan.refused.is_empty() {
            let problems: Vec<Problem> = plan.refused.iter().map(|(o, f)| report_shown::refusal(o, f)).collect();
            let text = format!("{}Nothing was changed.\n", problems_text(&problems));
            let mut outcome = Outcome::done(plan_shown::json_of(&plan), text)?;
            outcome.problems = problems;
            outcome.exit = Exit::worst(plan.refused.iter().map(|(_, f)| f.exit));
            return Ok(outcome);
        }
        return nothing_to_do(&plan);
    }
    let (danger, question, typed) = question(&plan);
    let permit = Permit::ask(&app.ui, danger, &options.consent, &plan.digest, &question, &typed)?;
    let request = plan.request.clone();
    match job::run(app, &vault, plan, &permit) {
        Err(failure) if failure.code == "job-running" => {
            begun_elsewhere(app, &vault, &mut session, &request, options, failure)
        }
        ended => {
            let ended = ended?;
            app.delivers(ended.delivery());
            report_shown::outcome(app, ended)
        }
    }
}

/// The same command was given elsewhere at the same moment: it is one job, and this process helps it.
fn begun_elsewhere(
    app: &App,
    vault: &Vault,
    session: &mut Session,
    request: &Request,
    options: &MoveOptions,
    failure: Failure,
) -> Result<Outcome, Failure> {
    // It may not hold its lock yet, or be done already.
    for _ in 0..20 {
        if let Some(job) = rotation::running(app, session, request)? {
            return help(app, vault, session, job, options, &Own::of(request));
        }
        if let Some(once) = &options.once
            && let Some(outcome) = done_once(app, session, once, request)?
        {
            return Ok(outcome);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Err(failure)
}

/// What is this process's own when it runs somebody else's job on: never what the job's records say.
struct Own {
    budget: Option<jiff::Timestamp>,
    after_commit: Option<String>,
    workers: Option<usize>,
}

impl Own {
    fn of(request: &Request) -> Own {
        Own { budget: request.budget, after_commit: request.after_commit.clone(), workers: request.workers }
    }
}

/// The answer where a job of this name has ended; `None` while it is to be begun or gone on with.
fn done_once(app: &App, session: &mut Session, once: &str, request: &Request) -> Result<Option<Outcome>, Failure> {
    session.require_schema()?;
    crate::ops::binding::check(app, session, true)?;
    let Some(job) = session.job_once(once)? else { return Ok(None) };
    match job.state.as_str() {
        "running" if job.scope == request.scope_text() => Ok(None),
        "done" => {
            let parts = session.job_parts(job.id)?;
            app.ui.say(&format!("`{once}` was done before: by job {}", job.id));
            let mut outcome = report_shown::outcome(app, Ended::of_job(job, parts, Vec::new()))?;
            outcome.changed = false;
            Ok(Some(outcome))
        }
        state => {
            let hint = "`scrybe-keys jobs status` shows it; give another attempt another name";
            Err(Failure::conflict(
                "once-taken",
                format!("job {} ({}, {state}) has the name `{once}`", job.id, job.scope),
            )
            .hint(hint))
        }
    }
}

/// Helps the job an id or `latest` means.
pub fn join(app: &App, which: &str, options: &MoveOptions) -> Result<Outcome, Failure> {
    let mut session = app.connect()?;
    session.require_schema()?;
    let vault = Vault::of(app)?;
    let own = Own {
        budget: options.speed.budget()?,
        after_commit: app.settings.after_commit.as_ref().map(|command| command.value.clone()),
        workers: options.speed.workers.map(usize::from),
    };
    let began = Instant::now();
    loop {
        let job = super::jobs::find(&mut session, which);
        match job {
            Ok(job) if job.state == "running" => return help(app, &vault, &mut session, job, options, &own),
            Ok(_) | Err(Failure { code: "no-job", .. }) if began.elapsed() < options.join_wait => {
                if app.interrupt.asked() {
                    return Err(Failure::new(Exit::Interrupted, "interrupted", "interrupted; nothing was changed"));
                }
                std::thread::sleep(Duration::from_millis(500));
            }
            Ok(job) => {
                return Err(Failure::conflict("job-ended", format!("job {} has ended ({})", job.id, job.state))
                    .hint("`scrybe-keys jobs list` shows the jobs; --join-wait waits for one to begin"));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Helps a running job; runs it on when whoever ran it is gone.
fn help(
    app: &App,
    vault: &Vault,
    session: &mut Session,
    job: Job,
    options: &MoveOptions,
    own: &Own,
) -> Result<Outcome, Failure> {
    let binding = crate::ops::binding::check(app, session, true)?;
    let runner = job.runner.as_deref().filter(|_| job.alive).unwrap_or("nobody now");
    app.ui.say(&format!(
        "{}\nJob {} ({}), begun {:.0}, run by {runner}\nThis process helps: it claims work that nobody has, and runs the job on when the others are gone.",
        crate::ops::binding::context_line(&app.settings, &binding),
        job.id,
        job.scope,
        job.created_at
    ));
    let digest = format!("join {}", job.id);
    let permit = Permit::ask(&app.ui, Danger::Mild, &options.consent, &digest, "Join it?", &job.id.to_string())?;
    permit.covers(&digest)?;
    loop {
        match join::help(app, vault, &job, own.workers)? {
            Joined::Ended(helped) => {
                let mut outcome = report_shown::outcome(app, helped.ended)?;
                let (rows, cells) = (grouped(helped.rows as i64), grouped(helped.cells as i64));
                outcome.text.push_str(&format!("This process visited {rows} rows and moved {cells} cells.\n"));
                return Ok(outcome);
            }
            Joined::Orphaned => {
                app.ui.say("Whoever ran this job is gone: it is run on from here.");
                let mut request = Request::of_job(&job)?;
                request.workers = own.workers;
                request.budget = own.budget;
                request.after_commit = own.after_commit.clone();
                let plan = match rotation::plan(app, session, vault, request) {
                    Err(failure) if failure.code == "job-running" => continue,
                    plan => plan?,
                };
                // Ended meanwhile: there is nothing to run on, and nothing new is begun.
                if plan.job.as_ref().is_none_or(|planned| planned.id != job.id) {
                    continue;
                }
                // Whoever agreed to help agreed to the job.
                let agreed = Consent { yes: true, confirm: None };
                let permit = Permit::ask(&app.ui, Danger::Mild, &agreed, &plan.digest, "Run it on?", "")?;
                match job::run(app, vault, plan, &permit) {
                    Err(failure) if matches!(failure.code, "job-running" | "stale-plan") => continue,
                    ended => {
                        let ended = ended?;
                        app.delivers(ended.delivery());
                        return report_shown::outcome(app, ended);
                    }
                }
            }
        }
    }
}

/// The answer where a plan has nothing in it. After a census that is proof, it says so.
fn nothing_to_do(plan: &Plan) -> Result<Outcome, Failure> {
    let Some(read) = plan.read.as_ref().filter(|_| plan.is_done()) else {
        return Outcome::done(json!({"rotations": [], "job": null, "census": null}), "Nothing to do.\n");
    };
    let problems = read.census.problems();
    let text = format!(
        "Nothing to move: {} cells read in {}, none is under an older version.\n{}",
        grouped(read.census.cells as i64),
        seconds(read.census.seconds),
        problems_text(&problems)
    );
    let census = crate::ops::census::to_json(&read.census);
    let mut outcome = Outcome::done(json!({"rotations": [], "job": null, "census": census}), text)?;
    if problems.iter().any(|p| p.severity == Severity::Critical) {
        outcome.exit = Exit::Findings;
    }
    outcome.problems = problems;
    Ok(outcome)
}

fn question(plan: &Plan) -> (Danger, String, String) {
    let first = plan.organizations.first();
    let name = first.map_or("nothing", |p| p.organization.as_str()).to_owned();
    let cells = plan.organizations.iter().any(|p| p.from.is_some());
    match plan.request.kind {
        JobKind::Rotate if plan.request.dek_only && cells => {
            (Danger::Severe, "Cells stay dark until re-encrypt has moved them.".to_owned(), name)
        }
        JobKind::Rotate => (Danger::Moderate, "Rotate?".to_owned(), name),
        JobKind::Revert => (Danger::Moderate, "Go back?".to_owned(), name),
        JobKind::ReEncrypt => (Danger::Moderate, "Move the cells?".to_owned(), name),
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// Seconds as a person reads them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Bytes as a person reads them: `870 kB`, `4.2 MB`, `12 GB`.
pub fn bytes(bytes: i64) -> String {
    let all = bytes as f64;
    match bytes.abs() {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", all / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", all / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0} MB", all / 1e6),
        _ => format!("{:.1} GB", all / 1e9),
    }
}

/// How a severity stands before a line.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Unknown => "unknown",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// Each problem with the next command.
pub fn problems_text(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push_str(&format!(
            "{}: {}: {}\n  next: {}\n",
            word(problem.severity),
            problem.subject,
            problem.message,
            problem.hint
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-1000), "-1,000");
        assert_eq!(seconds(0.44), "0.4 s");
        assert_eq!(seconds(59.4), "59 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(7500.0), "2 h 5 min");
        assert_eq!(
            [999, 870_000, 4_200_000, 12_000_000, 12_300_000_000].map(bytes),
            ["999 B", "870 kB", "4.2 MB", "12 MB", "12.3 GB"]
        );
    }
}
