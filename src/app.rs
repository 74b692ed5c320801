//! One run: settings and ports made, the verb called, its outcome printed, its exit code returned.
//!
//! `run` is what `main` and the capability tests call. Whatever happens ends here as one answer on stdout and one exit code.
//! Process-wide matters (signals, limits, panic hook, log) are set up only for the real terminal.

use crate::aws;
use crate::command::{Cli, Verb};
use crate::config::{Env, Flags, Origin, Provider, Settings};
use crate::core::kms::Kms;
use crate::core::problem::Problem;
use crate::db;
use crate::envelope::{Context, Envelope};
use crate::error::Failure;
use crate::exit::Exit;
use crate::local;
use crate::ops::signal::{self, Interrupt};
use crate::ops::{crash, job};
use crate::ui::{Terminal, Ui};
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use std::ffi::OsString;
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
    delivery: OnceLock<job::Delivery>,
}

/// What a verb hands back. Printed by `run`; nothing else prints an answer.
pub struct Outcome {
    pub exit: Exit,
    /// True when anything outside this process was changed.
    pub changed: bool,
    /// `data` of the JSON envelope.
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
        db::Session::open(url, self.settings.is_production()).map_err(|error| {
            Failure::from(error).during(format_args!("connecting to {} ({})", url.shown(), database.origin))
        })
    }

    /// A finished job: marked so once its report has been written, so that a run killed before that reports again.
    pub fn delivers(&self, delivery: Option<job::Delivery>) {
        if let Some(delivery) = delivery {
            let _ = self.delivery.set(delivery);
        }
    }

    /// The configured KMS, made on first use. Refuses provider `dev`, which has none: see `ops::wrapping`.
    pub fn kms(&self) -> Result<Arc<dyn Kms>, Failure> {
        if let Some(kms) = self.kms.get() {
            return Ok(kms.clone());
        }
        let kms = self.open_kms()?;
        Ok(self.kms.get_or_init(|| kms).clone())
    }

    fn open_kms(&self) -> Result<Arc<dyn Kms>, Failure> {
        match self.settings.provider.as_ref().map(|p| p.value) {
            None => Err(Failure::usage("no-kms", "no KMS is chosen").hint("give --kms aws")),
            Some(Provider::Dev) => Err(Failure::conflict("no-kms-in-dev", "provider dev has no KMS")),
            Some(Provider::Local) => self.open_local(),
            Some(Provider::Aws) => {
                let general = Origin::Variable("AWS_ENDPOINT_URL".to_owned());
                let mut options = aws::Options::new(self.settings.region.value.clone());
                // An override of one service alone is left to the SDK, which reads it itself.
                options.endpoint =
                    self.settings.endpoint.as_ref().filter(|e| e.origin == general).map(|e| e.value.clone());
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
    let (cli, verb_path) = match parse(&argv, &terminal, no_color) {
        Ok(parsed) => parsed,
        Err(error) => return unparsed(&error, &terminal, json, no_color, run_id),
    };
    let ui = Ui::new(&terminal, &cli.flags, no_color);
    if terminal.is_process() {
        ui.start_log(cli.flags.verbose);
    }
    let Cli { flags, verb } = cli;
    let settings = if verb.needs_settings() { Settings::load(&flags, &env) } else { Ok(Settings::bare(&flags)) };
    match settings {
        Ok(settings) => {
            let app = App {
                settings,
                env,
                ui,
                interrupt: Interrupt::default(),
                run_id,
                command_line: command_line(&argv),
                kms: OnceLock::new(),
                delivery: OnceLock::new(),
            };
            if let Some(point) = app.env.var("SCRYBE_KEYS_CRASH_AT") {
                crash::arm(point);
            }
            if terminal.is_process() {
                signal::listen(&app.interrupt, flags.timeout);
            }
            app.settings.notes.iter().for_each(|note| app.ui.warn(note));
            let result = verb.run(&app);
            let exit = finish(&app.ui, &verb_path, run_id, Some(Context::of(&app.settings)), result);
            if let Some(delivery) = app.delivery.get().filter(|_| exit != Exit::Internal) {
                crash::point("before-delivered");
                if let Err(failure) = job::deliver(&app, *delivery) {
                    app.ui.warn(&format!(
                        "the job could not be marked as done: {failure}; the same command reports it again"
                    ));
                }
            }
            exit
        }
        Err(failure) => finish(&ui, &verb_path, run_id, None, Err(failure)),
    }
}

/// Prints the outcome, once, and says the exit code.
fn finish(ui: &Ui, verb: &str, run_id: uuid::Uuid, context: Option<Context>, result: Result<Outcome, Failure>) -> Exit {
    let (outcome, failure) = match result {
        Ok(mut outcome) => {
            let failure = outcome.failure.take();
            (Some(outcome), failure)
        }
        Err(failure) => (None, Some(failure)),
    };
    let exit = outcome
        .as_ref()
        .map(|o| o.exit)
        .filter(|e| *e != Exit::Done)
        .or(failure.as_ref().map(|f| f.exit))
        .unwrap_or(Exit::Done);
    let written = if ui.is_json() {
        let mut envelope = Envelope::new(verb, exit, run_id);
        envelope.context = context;
        if let Some(outcome) = outcome {
            (envelope.changed, envelope.data, envelope.problems) = (outcome.changed, outcome.data, outcome.problems);
        }
        if let Some(failure) = &failure {
            envelope = envelope.with_failure(failure);
        }
        ui.answer(&envelope.to_line())
    } else {
        outcome.filter(|o| !o.text.is_empty()).map_or(Ok(()), |o| ui.answer(&o.text))
    };
    if let Some(failure) = &failure {
        ui.fail(failure);
    }
    match written {
        Ok(()) => exit,
        Err(error) => {
            let lost = Failure::internal("the answer could not be written to stdout").caused_by(error);
            ui.fail(&lost);
            if exit == Exit::Done { lost.exit } else { exit }
        }
    }
}

/// The command line understood, and the verb's words joined by `-` (`jobs-list`).
fn parse(argv: &[OsString], terminal: &Terminal, no_color: bool) -> Result<(Cli, String), clap::Error> {
    let mut command = Cli::command().color(if no_color { ColorChoice::Never } else { ColorChoice::Auto });
    if let Some(columns) = terminal.columns() {
        command = command.term_width(columns.clamp(60, 100));
    } else {
        command = command.term_width(100);
    }
    let matches = command.try_get_matches_from_mut(argv)?;
    let mut path = Vec::new();
    let mut level = matches.subcommand();
    while let Some((name, inner)) = level {
        path.push(name.to_owned());
        level = inner.subcommand();
    }
    Ok((Cli::from_arg_matches(&matches)?, path.join("-")))
}

/// Help and version are answers; everything else is a usage error, in JSON too where JSON was asked for.
fn unparsed(error: &clap::Error, terminal: &Terminal, json: bool, no_color: bool, run_id: uuid::Uuid) -> Exit {
    let ui = Ui::new(terminal, &Flags { json, ..Flags::default() }, no_color);
    let colored = |stderr| terminal.shows_color(stderr) && !no_color;
    let text = |stderr| if colored(stderr) { error.render().ansi().to_string() } else { error.render().to_string() };
    if !error.use_stderr() {
        return match ui.answer(&text(false)) {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Internal,
        };
    }
    if json {
        let plain = error.render().to_string();
        let mut lines = plain.lines().map(str::trim).filter(|line| !line.is_empty());
        let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let failure =
            lines.filter_map(|line| line.strip_prefix("tip: ")).fold(Failure::usage("usage", message), Failure::hint);
        let envelope = Envelope::new("usage", Exit::Usage, run_id).with_failure(&failure);
        let _ = ui.answer(&envelope.to_line());
    }
    ui.usage(&text(true));
    Exit::Usage
}

/// The command line for records: the password of an address is masked wherever it stands.
fn command_line(argv: &[OsString]) -> String {
    let words = argv.iter().skip(1).map(|arg| quoted(&without_password(&arg.to_string_lossy())));
    std::iter::once("scrybe-keys".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell takes it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn without_password(arg: &str) -> String {
    let Some((before, rest)) = arg.split_once("://") else { return arg.to_owned() };
    let query = rest.find('?').map_or("", |_| "?…");
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{before}://…@{}{query}", place.split('?').next().unwrap_or_default()),
        None => format!("{before}://{}{query}", rest.split('?').next().unwrap_or_default()),
    }
}

impl Verb {
    /// Every verb that help lists.
    pub fn names() -> Vec<String> {
        Cli::command().get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_hold_no_password() {
        let masked = |text: &str| without_password(text);
        assert_eq!(
            masked("--database-url=postgresql://app:pw@h:5/d?password=x"),
            "--database-url=postgresql://…@h:5/d?…"
        );
        assert_eq!(masked("postgresql:///d?user=a&password=x"), "postgresql:///d?…");
        assert_eq!(masked("postgresql://app:p@w@h/d"), "postgresql://…@h/d");
        assert_eq!(masked("--org"), "--org");
    }
}
