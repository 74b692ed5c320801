//! One honest answer: what is well, what is not, and what nobody looked at.
//!
//! Reading alone, with SELECT alone; it works before `init`, on a replica, and when a part cannot be reached — that part is
//! then `unknown`, which is never green. `deep` adds the calls that need a key. Facts say who is their source: KMS, the
//! application's table, or our own records. Parts: `master` (the CMK), `posture` (what stands around it), `deks`, `records` (schema, binding, jobs, audit).

mod deks;
mod master;
mod posture;
mod records;

pub use deks::DekHealth;
pub use master::{KeyHealth, TriState};
pub use posture::PostureHealth;
pub use records::RecordHealth;

use crate::app::App;
use crate::core::problem::{Problem, Severity};
use crate::db::{Binding, DbError, DbErrorKind, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::binding;
use serde::Serialize;

/// What a check came to, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Not made, or could not be made.
    Unknown,
    Warning,
    Critical,
}

impl Verdict {
    /// As tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Warning => "warning",
            Verdict::Critical => "critical",
        }
    }
}

/// What is said of a check that only `deep` makes: it was not asked for.
pub const NOT_ASKED: &str = "not tried (--deep)";

/// One line of the answer.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub text: String,
}

impl Check {
    /// True when nobody asked for it; a check that was asked for and could not be made is another thing.
    pub fn was_not_asked(&self) -> bool {
        self.verdict == Verdict::Unknown && self.text == NOT_ASKED
    }
}

/// Checks and problems as they are found.
#[derive(Default)]
pub struct Findings {
    pub checks: Vec<Check>,
    pub problems: Vec<Problem>,
}

/// The whole answer.
pub struct Report {
    /// The binding that stands, or what is assumed without one.
    pub binding: Binding,
    pub checks: Vec<Check>,
    pub problems: Vec<Problem>,
    pub key: KeyHealth,
    pub posture: PostureHealth,
    pub deks: Option<DekHealth>,
    pub records: Option<RecordHealth>,
    /// The database could not be asked: why.
    pub unreachable: Option<Failure>,
}

impl Findings {
    fn check(&mut self, name: &'static str, verdict: Verdict, text: impl Into<String>) {
        self.checks.push(Check { name, verdict, text: text.into() });
    }

    fn problem(&mut self, severity: Severity, code: &str, subject: &str, message: impl Into<String>, hint: &str) {
        self.problems.push(Problem::new(severity, code, subject, message, hint));
    }

    /// A check that was tried and could not be made: unknown, and somebody should know why.
    fn unanswered(&mut self, name: &'static str, why: &Failure) {
        self.check(name, Verdict::Unknown, why.message.clone());
        let hint = why.hints.first().map_or("scrybe-keys context", String::as_str);
        self.problem(Severity::Warning, why.code, name, why.message.clone(), hint);
    }

    /// The answer of the database, or an unknown check.
    fn asked<T>(&mut self, name: &'static str, answer: Result<T, DbError>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(error) => {
                self.unanswered(name, &error.into());
                None
            }
        }
    }
}

/// Looks at everything. Fails only where the settings belong to another world than the database.
pub fn examine(app: &App, deep: bool) -> Result<Report, Failure> {
    let mut findings = Findings::default();
    let (mut deks, mut records, mut unreachable) = (None, None, None);
    let mut bound = binding::assumed(&app.settings);
    match app.connect() {
        Ok(mut session) => {
            bound = look_at_binding(app, &mut session, &mut findings)?;
            records = Some(records::examine(app, &mut session, &mut findings));
            deks = deks::examine(app, &mut session, &bound, deep, &mut findings);
        }
        Err(failure) => {
            findings.check("database", Verdict::Critical, failure.message.clone());
            let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str).to_owned();
            findings.problem(Severity::Critical, failure.code, "database", failure.message.clone(), &hint);
            for name in ["schema", "binding", "dek versions", "unfinished jobs", "audit chain"] {
                findings.check(name, Verdict::Unknown, "the database could not be asked");
            }
            unreachable = Some(failure);
        }
    }
    let mut master = Findings::default();
    let key = master::examine(app, &bound, deep, &mut master);
    let posture = posture::examine(app, &bound, &key, &mut master);
    // The master key comes first: everything else hangs on it.
    master.checks.append(&mut findings.checks);
    master.problems.append(&mut findings.problems);
    master.problems.sort_by_key(|p| std::cmp::Reverse(p.severity));
    let Findings { checks, problems } = master;
    Ok(Report { binding: bound, checks, problems, key, posture, deks, records, unreachable })
}

fn look_at_binding(app: &App, session: &mut Session, findings: &mut Findings) -> Result<Binding, Failure> {
    match session.server_facts() {
        Ok(facts) => {
            let role = if facts.in_recovery { "replica" } else { "primary" };
            let version = facts.version.split(' ').next().unwrap_or_default();
            findings.check("database", Verdict::Ok, format!("PostgreSQL {version}, {role}"));
        }
        Err(error) => findings.unanswered("database", &error.into()),
    }
    match binding::check(app, session, false) {
        Ok(bound) if bound.bound_at.is_some() => {
            let world = format!("{}, {}", bound.environment.as_str(), bound.provider.as_str());
            findings.check("binding", Verdict::Ok, world);
            Ok(bound)
        }
        Ok(assumed) => {
            findings.check("binding", Verdict::Unknown, "not bound yet");
            let text = "the database is not bound: nothing keeps a command for another world away from it";
            findings.problem(Severity::Warning, "not-bound", "binding", text, "scrybe-keys init");
            Ok(assumed)
        }
        Err(failure) if failure.code == "db-denied" => {
            findings.unanswered("binding", &failure);
            Ok(binding::assumed(&app.settings))
        }
        Err(failure) => Err(failure),
    }
}

impl Report {
    /// Exit code for findings at or above `threshold`; what could not be reached comes before, a broken chain before all.
    pub fn exit(&self, threshold: Severity) -> Exit {
        let findings = self.problems.iter().any(|p| p.severity >= threshold);
        let broken = self.problems.iter().any(|p| p.code == "audit-broken");
        Exit::worst([
            if findings { Exit::Findings } else { Exit::Done },
            if broken { Exit::Integrity } else { Exit::Done },
            self.unreachable.as_ref().map_or(Exit::Done, |f| f.exit),
        ])
    }

    /// The worst verdict of all checks.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|c| c.verdict).max().unwrap_or(Verdict::Unknown)
    }
}

/// True for an error that more privileges would cure.
fn is_denied(error: &DbError) -> bool {
    error.kind == DbErrorKind::Denied
}

/// `1 organization`, `2 organizations`.
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// At most three names, and how many more there are.
fn names(all: &[String]) -> String {
    match all {
        [] => String::new(),
        all if all.len() <= 3 => all.join(", "),
        all => format!("{} and {} more", all[..3].join(", "), all.len() - 3),
    }
}
