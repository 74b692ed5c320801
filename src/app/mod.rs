//! One run: settings and ports made, the verb called, its outcome printed, its exit code returned.
//!
//! `run` is what `main` and the capability tests call. Whatever happens ends here as one answer on stdout and one exit code.
//! Process-wide matters (signals, limits, panic hook, log) are set up only for the real terminal.

mod command_line;
mod ending;
mod manner;
mod print_iam;

use crate::answer::Context;
use crate::aws;
use crate::command::{Cli, health};
use crate::config::{Env, Provider, Settings};
use crate::core::kms::Kms;
use crate::core::problem::Problem;
use crate::core::surroundings::Surroundings;
use crate::db;
use crate::error::Failure;
use crate::exit::{Ended, Exit, Nagios};
use crate::local;
use crate::ops::allowed::{Allowed, Undeclared};
use crate::ops::kms_guard::{Guarded, Pace};
use crate::ops::signal::{self, Interrupt, Urgency};
use crate::ops::{crash, ended};
use crate::ui::{Terminal, Ui};
use manner::Manner;
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What every verb gets: who and where it is, how it may talk, when to stop.
pub struct App {
    pub settings: Settings,
    /// The environment as it was at the start, for the few verbs that hand it on (`sandbox exec`).
    pub env: Env,
    pub ui: Ui,
    pub interrupt: Interrupt,
    /// Names this run in the audit chain, jobs and JSON.
    pub run_id: uuid::Uuid,
    /// The command line without secrets, for records.
    pub command_line: String,
    /// The verb's words joined by `-`: its row in `core::permissions`.
    pub verb: String,
    /// The first AWS call that the row does not name.
    pub undeclared: Undeclared,
    kms: OnceLock<Arc<dyn Kms>>,
    surroundings: OnceLock<Arc<dyn Surroundings>>,
    delivery: OnceLock<ended::Delivery>,
}

/// What a verb hands back. Printed by `run`; nothing else prints an answer.
pub struct Outcome {
    pub exit: Exit,
    /// True when anything outside this process was changed.
    pub changed: bool,
    /// `data` of the JSON answer.
    pub data: serde_json::Value,
    pub problems: Vec<Problem>,
    /// The answer for a person, ready for stdout.
    pub text: String,
    /// Who reads `text`.
    pub reader: Reader,
    /// For verbs whose failure still has data to show: printed as the error after the answer.
    pub failure: Option<Failure>,
}

/// Who reads the text of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Person,
    /// It is said with --quiet too.
    Program,
    /// And the process ends with this code.
    Nagios(Nagios),
}

impl Outcome {
    /// A finished outcome from a report: exit 0, nothing changed, no problems.
    pub fn done(data: impl serde::Serialize, text: impl Into<String>) -> Result<Outcome, Failure> {
        let data = serde_json::to_value(data)
            .map_err(|e| Failure::internal("a report could not be written as JSON").caused_by(e))?;
        let (problems, text) = (Vec::new(), text.into());
        Ok(Outcome { exit: Exit::Done, changed: false, data, problems, text, reader: Reader::Person, failure: None })
    }
}

impl App {
    /// A new connection to the configured database with session limits set.
    pub fn connect(&self) -> Result<db::Session, Failure> {
        let Some(database) = &self.settings.database else {
            return Err(Failure::usage("no-database", "no database is named")
                .hint("set DATABASE_URL, or give --database-url-file"));
        };
        let url = &database.value;
        let session = db::Session::open(url, self.settings.is_production()).map_err(|error| {
            Failure::from(error).during(format_args!("connecting to {} ({})", url.shown(), database.origin))
        })?;
        self.interrupt.covers(session.cancel_token());
        Ok(session)
    }

    /// A finished job: marked so once its report has been written, so that a run killed before that reports again.
    pub fn delivers(&self, delivery: Option<ended::Delivery>) {
        if let Some(delivery) = delivery {
            let _ = self.delivery.set(delivery);
        }
    }

    /// The configured KMS, made on first use. Refuses provider `dev`, which has none: see `ops::wrapping`.
    pub fn kms(&self) -> Result<Arc<dyn Kms>, Failure> {
        if let Some(kms) = self.kms.get() {
            return Ok(kms.clone());
        }
        let (ui, interrupt) = (self.ui.clone(), self.interrupt.clone());
        let pace = Pace::real(move |text| ui.say(text), move || interrupt.asked());
        let kms: Arc<dyn Kms> = {
            let allowed = Allowed::new(self.open_kms()?, &self.verb, self.undeclared.clone());
            Arc::new(Guarded::new(Arc::new(allowed), pace))
        };
        Ok(self.kms.get_or_init(|| kms).clone())
    }

    fn open_kms(&self) -> Result<Arc<dyn Kms>, Failure> {
        match self.settings.provider.as_ref().map(|p| p.value) {
            None => Err(Failure::usage("no-kms", "no KMS is chosen").hint("give --kms aws")),
            Some(Provider::Dev) => Err(Failure::conflict("no-kms-in-dev", "provider dev has no KMS")),
            Some(Provider::Local) => self.open_local(),
            Some(Provider::Aws) => Ok(Arc::new(aws::AwsKms::connect(&self.aws_options())?)),
        }
    }
}

impl App {
    /// What stands around the KMS of `account`, the caller's: S3, CloudTrail, logs, alarms, topics. Made on first use. Provider `aws` only.
    pub fn surroundings(&self, account: &str) -> Result<Arc<dyn Surroundings>, Failure> {
        if let Some(surroundings) = self.surroundings.get() {
            return Ok(surroundings.clone());
        }
        let (verb, undeclared) = (self.verb.clone(), self.undeclared.clone());
        let may = Box::new(move |service, operation| undeclared.check(&verb, service, operation));
        let made: Arc<dyn Surroundings> = Arc::new(aws::AwsSurroundings::connect(&self.aws_options(), account, may)?);
        Ok(self.surroundings.get_or_init(|| made).clone())
    }

    fn aws_options(&self) -> aws::Options {
        let endpoints = &self.settings.endpoints;
        aws::Options {
            endpoint: endpoints.all.as_ref().map(|e| e.value.clone()),
            endpoints: endpoints.of.iter().map(|(service, e)| (*service, e.value.clone())).collect(),
            ..aws::Options::new(self.settings.region.value.clone())
        }
    }

    /// The embedded KMS, in process. Its directory and the KEK that seals it must both be named: nothing falls into it by accident.
    fn open_local(&self) -> Result<Arc<dyn Kms>, Failure> {
        let Some(store) = &self.settings.local_store else {
            return Err(Failure::usage("no-local-store", "the embedded KMS has no directory")
                .hint("set SCRYBE_LOCAL_KMS, or give local-kms.store in the configuration file"));
        };
        let Some(kek) = &self.settings.local_kek else {
            return Err(Failure::usage("no-local-kek", "the embedded KMS is sealed by LOCAL_KEK, which is not set")
                .hint("set LOCAL_KEK to the base64 of 32 bytes, e.g. from `openssl rand -base64 32`"));
        };
        let kek = local::Kek::parse(&kek.value)
            .map_err(|error| Failure::usage("bad-local-kek", format!("{}: {error}", kek.origin)))?;
        let engine = local::Engine::open(&store.value, kek)?;
        Ok(Arc::new(local::InProcess::new(engine, self.settings.region.value.clone())))
    }
}

/// A call that the verb's row does not name was refused and is a fault, whatever the verb made of the refusal.
fn held_to_its_row(result: Result<Outcome, Failure>, undeclared: &Undeclared) -> Result<Outcome, Failure> {
    let Some(call) = undeclared.first() else { return result };
    let fault = Failure::internal(format!("not sent, since core::permissions does not name it: {call}"))
        .hint("report this: the call or the table is wrong");
    match result {
        Ok(mut outcome) => {
            outcome.exit = fault.exit;
            outcome.failure = Some(fault);
            Ok(outcome)
        }
        Err(failure) => Err(fault.caused_by(std::io::Error::other(failure.to_string()))),
    }
}

/// Runs one command line and says how it ended.
pub fn run(argv: Vec<OsString>, env: Env, terminal: Terminal) -> Ended {
    if terminal.is_process() {
        signal::guard_process();
    }
    let run_id = uuid::Uuid::new_v4();
    // Before clap has spoken only the words themselves can be asked.
    let words: Vec<_> = argv.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--").collect();
    let manner = Manner::of(words.iter().map(AsRef::as_ref));
    let no_color = env.var("NO_COLOR").is_some();
    if let Some(asked) = print_iam::asked(&argv) {
        return asked.answer(&env, &terminal, manner, no_color, run_id);
    }
    let (Cli { mut flags, verb }, verb_path) = match command_line::parse(&argv, &terminal, no_color) {
        Ok(parsed) => parsed,
        Err(error) => return ending::unparsed(&error, &terminal, manner, no_color, run_id),
    };
    flags.json |= manner == Manner::Json;
    let ui = Ui::new(&terminal, &flags, no_color);
    if terminal.is_process() {
        ui.start_log(flags.verbose);
    }
    // Whoever watches a file learns of every end.
    let watched = verb.watched_file();
    let last_word = ending::LastWord::default();
    let urgency = if verb.only_reads() { Urgency::AtOnce } else { Urgency::InGoodOrder };
    let settings = if verb.needs_settings() { Settings::load(&flags, &env) } else { Ok(Settings::bare(&flags)) };
    match settings {
        Ok(settings) => {
            let app = App {
                settings,
                env,
                ui,
                interrupt: Interrupt::default(),
                run_id,
                command_line: command_line::for_records(&argv),
                verb: verb_path.clone(),
                undeclared: Undeclared::default(),
                kms: OnceLock::new(),
                surroundings: OnceLock::new(),
                delivery: OnceLock::new(),
            };
            if let Some(point) = app.env.var("SCRYBE_KEYS_CRASH_AT") {
                crash::arm(point);
            }
            if terminal.is_process() {
                let (ui, verb, last_word, watched) =
                    (Ui::new(&terminal, &flags, no_color), verb_path.clone(), last_word.clone(), watched.clone());
                signal::listen(&app.interrupt, urgency, flags.timeout, move |failure| {
                    last_word.take();
                    tell_watcher(&ui, watched.as_deref());
                    ending::finish(&ui, &verb, run_id, None, manner, Err(failure))
                });
            }
            app.settings.warnings.iter().for_each(|warning| app.ui.warn(warning));
            app.settings.notes.iter().for_each(|note| app.ui.say(note));
            tracing::debug!(%run_id, command = app.command_line, "begun");
            let silent = app.settings.quiet && verb.may_be_silent();
            let mut result = panic::catch_unwind(AssertUnwindSafe(|| verb.run(&app))).unwrap_or_else(|_| {
                Err(Failure::internal("this run ended in a fault of its own")
                    .hint("run the same command again: what is committed is safe; and report the line above"))
            });
            if let Err(failure) = &mut result
                && failure.code == "db-cancelled"
                && app.interrupt.insisted()
            {
                // It was us: the second INT cancels the statement that runs.
                failure.exit = Exit::Interrupted;
            }
            if let (Err(failure), Some(timeout)) = (&mut result, app.settings.timeout)
                && failure.exit == Exit::Interrupted
                && app.interrupt.out_of_time()
            {
                // Nobody interrupted it: its time was up.
                *failure = signal::timed_out(timeout);
            }
            result = held_to_its_row(result, &app.undeclared);
            if let Ok(outcome) = &mut result
                && silent
                && outcome.exit == Exit::Done
                && outcome.failure.is_none()
                && outcome.reader == Reader::Person
            {
                outcome.text.clear();
            }
            last_word.take();
            if result.is_err() {
                tell_watcher(&app.ui, watched.as_deref());
            }
            let ended = ending::finish(&app.ui, &verb_path, run_id, Some(Context::of(&app.settings)), manner, result);
            if let Some(delivery) = app.delivery.get().filter(|_| ended.exit != Exit::Internal) {
                crash::point("before-delivered");
                if let Err(failure) = ended::deliver(&app, *delivery) {
                    app.ui.warn(&format!(
                        "the job could not be marked as done: {failure}; the same command reports it again"
                    ));
                }
            }
            ended
        }
        Err(failure) => {
            tell_watcher(&ui, watched.as_deref());
            ending::finish(&ui, &verb_path, run_id, None, manner, Err(failure))
        }
    }
}

/// Says in a watched file that the run failed. A file that cannot be written grows old, which is watched for too.
fn tell_watcher(ui: &Ui, watched: Option<&Path>) {
    if let Some(path) = watched
        && let Err(failure) = health::leave_word(path)
    {
        ui.warn(&failure.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_outside_the_row_is_a_fault_whatever_became_of_it() {
        let result = |good: bool| {
            if good { Outcome::done((), "fine") } else { Err(Failure::usage("other", "something else")) }
        };
        let row = Undeclared::default();
        assert!(row.check("context", "kms", "DescribeKey").is_ok());
        assert_eq!(held_to_its_row(result(true), &row).map(|o| o.exit).ok(), Some(Exit::Done));
        assert!(row.check("context", "s3", "CreateBucket").is_err());
        let Ok(outcome) = held_to_its_row(result(true), &row) else { panic!("its report is kept") };
        assert_eq!((outcome.exit, outcome.text.as_str()), (Exit::Internal, "fine"));
        let failure = held_to_its_row(result(false), &row).err().expect("a failure");
        assert_eq!(failure.exit, Exit::Internal);
        assert!(failure.message.contains("s3:CreateBucket by context"));
        assert_eq!(failure.chain(), ["something else"]);
    }
}
