//! One run: settings and ports made, the verb called, its outcome printed, its exit code returned.
//!
//! `run` is what `main` and the capability tests call. Whatever happens ends here as one answer on stdout and one exit code.
//! Process-wide matters (signals, limits, panic hook, log) are set up only for the real terminal.

mod command_line;
mod ending;

use crate::answer::Context;
use crate::aws;
use crate::command::Cli;
use crate::config::{Env, Origin, Provider, Settings};
use crate::core::kms::Kms;
use crate::core::problem::Problem;
use crate::db;
use crate::error::Failure;
use crate::exit::Exit;
use crate::local;
use crate::ops::kms_guard::{Guarded, Pace};
use crate::ops::signal::{self, Interrupt, Urgency};
use crate::ops::{crash, ended};
use crate::ui::{Terminal, Ui};
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
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
    kms: OnceLock<Arc<dyn Kms>>,
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
    /// For verbs whose failure still has data to show: printed as the error after the answer.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// A finished outcome from a report: exit 0, nothing changed, no problems.
    pub fn done(data: impl serde::Serialize, text: impl Into<String>) -> Result<Outcome, Failure> {
        let data = serde_json::to_value(data)
            .map_err(|e| Failure::internal("a report could not be written as JSON").caused_by(e))?;
        Ok(Outcome { exit: Exit::Done, changed: false, data, problems: Vec::new(), text: text.into(), failure: None })
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
        let kms: Arc<dyn Kms> = Arc::new(Guarded::new(self.open_kms()?, pace));
        Ok(self.kms.get_or_init(|| kms).clone())
    }

    fn open_kms(&self) -> Result<Arc<dyn Kms>, Failure> {
        match self.settings.provider.as_ref().map(|p| p.value) {
            None => Err(Failure::usage("no-kms", "no KMS is chosen").hint("give --kms aws")),
            Some(Provider::Dev) => Err(Failure::conflict("no-kms-in-dev", "provider dev has no KMS")),
            Some(Provider::Local) => self.open_local(),
            Some(Provider::Aws) => {
                let mut options = aws::Options::new(self.settings.region.value.clone());
                if let Some(endpoint) = &self.settings.endpoint {
                    let kms_alone = endpoint.origin == Origin::Variable("AWS_ENDPOINT_URL_KMS".to_owned());
                    let which = if kms_alone { &mut options.kms_endpoint } else { &mut options.endpoint };
                    *which = Some(endpoint.value.clone());
                }
                Ok(Arc::new(aws::AwsKms::connect(&options)?))
            }
        }
    }
}

impl App {
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

/// Runs one command line and says how it ended.
pub fn run(argv: Vec<OsString>, env: Env, terminal: Terminal) -> Exit {
    if terminal.is_process() {
        signal::guard_process();
    }
    let run_id = uuid::Uuid::new_v4();
    let ours = || argv.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--");
    // Before clap has spoken only the words themselves can be asked.
    let json = ours().any(|a| a == "--json");
    let no_color = env.var("NO_COLOR").is_some();
    let (cli, verb_path) = match command_line::parse(&argv, &terminal, no_color) {
        Ok(parsed) => parsed,
        Err(error) => return ending::unparsed(&error, &terminal, json, no_color, run_id),
    };
    let ui = Ui::new(&terminal, &cli.flags, no_color);
    if terminal.is_process() {
        ui.start_log(cli.flags.verbose);
    }
    let Cli { flags, verb } = cli;
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
                kms: OnceLock::new(),
                delivery: OnceLock::new(),
            };
            if let Some(point) = app.env.var("SCRYBE_KEYS_CRASH_AT") {
                crash::arm(point);
            }
            if terminal.is_process() {
                let (ui, verb, last_word) =
                    (Ui::new(&terminal, &flags, no_color), verb_path.clone(), last_word.clone());
                signal::listen(&app.interrupt, urgency, flags.timeout, move |failure| {
                    last_word.take();
                    ending::finish(&ui, &verb, run_id, None, Err(failure))
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
            if let Ok(outcome) = &mut result
                && silent
                && outcome.exit == Exit::Done
                && outcome.failure.is_none()
            {
                outcome.text.clear();
            }
            last_word.take();
            let exit = ending::finish(&app.ui, &verb_path, run_id, Some(Context::of(&app.settings)), result);
            if let Some(delivery) = app.delivery.get().filter(|_| exit != Exit::Internal) {
                crash::point("before-delivered");
                if let Err(failure) = ended::deliver(&app, *delivery) {
                    app.ui.warn(&format!(
                        "the job could not be marked as done: {failure}; the same command reports it again"
                    ));
                }
            }
            exit
        }
        Err(failure) => ending::finish(&ui, &verb_path, run_id, None, Err(failure)),
    }
}
