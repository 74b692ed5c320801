//! The journal: who is about to do what, committed before it is done, and how it ended, committed after.
//!
//! It has its own connection: nothing in it waits for a caller's transaction or is undone by one. No record, no mutation:
//! an intent that cannot be written stops the verb. Bodies hold ids, counts and reasons — never a key, a cell or a password.
//! The chain's format is in `core::chain`.

use crate::app::App;
use crate::config::Provider;
use crate::core::chain::{Break, Record, Verifier};
use crate::core::database_url::DatabaseUrl;
use crate::db::{DbError, DbErrorKind, Entry, Session};
use crate::error::Failure;
use crate::exit::Exit;
use serde_json::{Value, json};
use uuid::Uuid;

/// An intent that was written; its outcome is still owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntentId(Uuid);

impl IntentId {
    /// Its id, as jobs keep it.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// An intent of an earlier run, found again in the chain or in a job.
    pub fn of(id: Uuid) -> IntentId {
        IntentId(id)
    }
}

/// How often a record waits a whole `lock_timeout` for the chain's head.
const HEAD_PATIENCE: usize = 6;

/// Writes records of one run.
pub struct Journal {
    session: Session,
    url: DatabaseUrl,
    strict: bool,
    run_id: Uuid,
    actor: String,
    command_line: String,
}

impl Journal {
    /// Connects. Refuses where the tool's schema is not the one this binary knows.
    pub fn open(app: &App) -> Result<Journal, Failure> {
        let Some(database) = &app.settings.database else {
            return Err(Failure::usage("no-database", "no database is named").hint("set DATABASE_URL"));
        };
        let mut session = app.connect()?;
        session.require_schema()?;
        session.commit_durably()?;
        Ok(Journal {
            session,
            url: database.value.clone(),
            strict: app.settings.is_production(),
            run_id: app.run_id,
            actor: actor(app),
            command_line: app.command_line.clone(),
        })
    }

    /// Who this run says it is: OS user, host, AWS caller when known. The database user stands beside it in the chain.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Names this run.
    pub fn run_id(&self) -> Uuid {
        self.run_id
    }

    /// Says what is about to be done. Committed when this returns; the caller may act only then.
    pub fn intent(&mut self, event: &str, subject: &str, details: Value) -> Result<IntentId, Failure> {
        let id = IntentId(Uuid::new_v4());
        self.append(event, "intent", Some(id), subject, details)?;
        Ok(id)
    }

    /// Says how it ended, with the AWS request id among the details where there is one.
    pub fn outcome(&mut self, intent: &IntentId, event: &str, subject: &str, details: Value) -> Result<(), Failure> {
        self.append(event, "outcome", Some(*intent), subject, details)
    }

    /// Gives every intent `begun` on this subject for this job that has no outcome the outcome `ended`, derived: whoever wrote it is
    /// dead. The caller must hold the job's lock. Returns how many there were.
    pub fn close_interrupted(&mut self, job: Uuid, subject: &str, begun: &str, ended: &str) -> Result<usize, Failure> {
        let job = job.to_string();
        let mut open = self.open_intents(begun)?;
        open.retain(|r| r.subject == subject && r.body.contains(&job));
        self.derive_outcomes(&open, ended)
    }

    /// Intents `begun` by other runs that have no outcome, oldest first. The caller knows whether they are dead.
    pub fn open_intents(&mut self, begun: &str) -> Result<Vec<Record>, Failure> {
        let mut open = match self.session.open_intents() {
            // Idle for as long as an organization was walked, or longer.
            Err(error) if error.kind == DbErrorKind::Unreachable => {
                self.session = Session::open(&self.url, self.strict)?;
                self.session.commit_durably()?;
                self.session.open_intents()?
            }
            open => open?,
        };
        open.retain(|r| r.event == begun && r.run_id != self.run_id);
        Ok(open)
    }

    /// The same for runs that have no job: every intent `begun` on this subject that is still open was written by a run that is dead.
    pub fn close_dead(&mut self, subject: &str, begun: &str) -> Result<usize, Failure> {
        let mut open = self.open_intents(begun)?;
        open.retain(|r| r.subject == subject);
        self.derive_outcomes(&open, begun)
    }

    /// Gives each of these intents the outcome that its dead run did not write.
    fn derive_outcomes(&mut self, open: &[Record], ended: &str) -> Result<usize, Failure> {
        for record in open {
            let Some(intent) = record.intent_id else { continue };
            let details = json!({"derived": true, "stopReason": "interrupted", "interruptedRun": record.run_id});
            self.outcome(&IntentId(intent), ended, &record.subject, details)?;
        }
        Ok(open.len())
    }

    /// Records something that changes nothing by itself.
    pub fn note(&mut self, event: &str, subject: &str, details: Value) -> Result<(), Failure> {
        self.append(event, "note", None, subject, details)
    }

    fn append(
        &mut self,
        event: &str,
        phase: &str,
        intent: Option<IntentId>,
        subject: &str,
        details: Value,
    ) -> Result<(), Failure> {
        let body = self.body(details);
        let intent_id = intent.map(|i| i.0);
        let entry = |actor| Entry { event, phase, intent_id, run_id: self.run_id, actor, subject, body: &body };
        let mut first = self.session.audit_append(&entry(&self.actor));
        // Somebody holds the head for longer than a lock is waited for; nothing was written, so asking again is safe.
        for _ in 1..HEAD_PATIENCE {
            match &first {
                Err(error) if error.kind == DbErrorKind::Retry => {
                    first = self.session.audit_append(&entry(&self.actor))
                }
                _ => break,
            }
        }
        let again = match first {
            Err(error) if error.kind == DbErrorKind::Unreachable => error,
            other => return other.map(drop).map_err(|e| unrecorded(e, event)),
        };
        // The connection may have been idle for hours, and the record may be there although the answer is not.
        tracing::debug!("the journal's connection was lost ({again}); connecting again");
        let mut session = Session::open(&self.url, self.strict).map_err(|e| unrecorded(e, event))?;
        session.commit_durably().map_err(|e| unrecorded(e, event))?;
        let there = intent_id.map_or(Ok(false), |id| session.audit_has(id, phase)).map_err(|e| unrecorded(e, event))?;
        if !there {
            session.audit_append(&entry(&self.actor)).map_err(|e| unrecorded(e, event))?;
        }
        self.session = session;
        Ok(())
    }

    /// Compact JSON: the details and the command line. serde_json escapes line breaks.
    fn body(&self, details: Value) -> String {
        let mut body = match details {
            Value::Object(fields) => fields,
            Value::Null => serde_json::Map::new(),
            other => [("details".to_owned(), other)].into_iter().collect(),
        };
        body.insert("command".to_owned(), json!(self.command_line));
        Value::Object(body).to_string()
    }
}

/// OS user, host, AWS caller and database user, e.g. `os:ann@ops-1 aws:arn:aws:sts::111122223333:assumed-role/rotate/ann db:ops`.
pub fn actor(app: &App) -> String {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |u| u.name);
    let host = nix::unistd::gethostname().map_or_else(|_| "unknown".to_owned(), |h| h.to_string_lossy().into_owned());
    let mut actor = format!("os:{user}@{host}");
    if app.settings.provider.as_ref().is_some_and(|p| p.value != Provider::Dev)
        && let Ok(caller) = app.kms().and_then(|kms| Ok(kms.caller()?))
    {
        actor.push_str(&format!(" aws:{}", caller.value.arn));
    }
    if let Some(database) = &app.settings.database {
        actor.push_str(&format!(" db:{}", database.value.user));
    }
    actor.retain(|c| !c.is_control());
    actor
}

/// What checking the chain found.
pub struct Verified {
    /// Records that are proven, from the first on.
    pub records: i64,
    pub broken: Option<Break>,
    /// Number and hash of the head; `None` when it is gone.
    pub head: Option<(i64, String)>,
    /// Intents without an outcome.
    pub open: Vec<Record>,
}

/// Recomputes the whole chain in one snapshot. `seen` is told how many records were checked, now and then.
pub fn verify(session: &mut Session, mut seen: impl FnMut(i64)) -> Result<Verified, Failure> {
    let mut verifier = Verifier::default();
    let (mut records, mut broken) = (0, None);
    let head = session.audit_walk(|record| {
        match verifier.check(&record) {
            Ok(()) => records += 1,
            Err(found) => broken = Some(found),
        }
        if records % 1000 == 0 {
            seen(records);
        }
        broken.is_none()
    })?;
    if broken.is_none() {
        broken = match &head {
            Some((seq, hash)) => verifier.finish(*seq, hash).err(),
            None => Some(Break::Head { seq: records, head: 0 }),
        };
    }
    Ok(Verified { records, broken, head, open: session.open_intents()? })
}

fn unrecorded(error: DbError, event: &str) -> Failure {
    let failure = Failure::from(error).during(format_args!("recording {event} in the audit chain"));
    // A full disk or a lost server stays what it is; only the faults of the chain itself are ours to name.
    if failure.exit == Exit::Internal {
        return failure.hint("scrybe-keys audit verify");
    }
    failure
}
