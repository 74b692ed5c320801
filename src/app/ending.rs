//! How a run ends: one answer on stdout, the failure on stderr, one exit code. Whoever ends it first ends it alone: a second
//! interrupt and the verb itself may get here at the same time.

use super::command_line::without_passwords;
use super::manner::Manner;
use super::{Outcome, Reader};
use crate::answer::{Context, JsonAnswer};
use crate::config::Flags;
use crate::error::Failure;
use crate::exit::{Ended, Exit, Nagios};
use crate::ui::{Terminal, Ui};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The right to answer, given once.
#[derive(Clone, Default)]
pub(super) struct LastWord(Arc<AtomicBool>);

impl LastWord {
    /// Returns for the first to ask; anybody else waits for the process to end.
    pub(super) fn take(&self) {
        while self.0.swap(true, Ordering::AcqRel) {
            std::thread::park();
        }
    }
}

/// Prints the outcome, once, and says the exit code.
pub(super) fn finish(
    ui: &Ui,
    verb: &str,
    run_id: uuid::Uuid,
    context: Option<Context>,
    manner: Manner,
    result: Result<Outcome, Failure>,
) -> Ended {
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
    let nagios = (manner == Manner::Nagios).then(|| match outcome.as_ref().map(|o| o.reader) {
        Some(Reader::Nagios(said)) => said,
        _ => Nagios::Unknown,
    });
    let written = if ui.is_json() {
        let mut answer = JsonAnswer::new(verb, exit, run_id);
        answer.context = context;
        if let Some(outcome) = outcome {
            (answer.changed, answer.data, answer.problems) = (outcome.changed, outcome.data, outcome.problems);
        }
        if let Some(failure) = &failure {
            answer = answer.with_failure(failure);
        }
        ui.answer(&answer.to_line())
    } else {
        match (outcome.filter(|o| !o.text.is_empty()), &failure) {
            (Some(outcome), _) => ui.answer(&outcome.text),
            // A plugin always answers.
            (None, Some(failure)) if nagios.is_some() => ui.answer(&unknown(&failure.message)),
            _ => Ok(()),
        }
    };
    if let Some(failure) = &failure {
        ui.fail(failure);
    }
    match written {
        Ok(()) => Ended { exit, nagios },
        Err(error) => {
            let lost = Failure::internal("the answer could not be written to stdout").caused_by(error);
            ui.fail(&lost);
            let exit = if exit == Exit::Done { lost.exit } else { exit };
            Ended { exit, nagios: nagios.map(|_| Nagios::Unknown) }
        }
    }
}

/// The answer of a plugin that could not look.
fn unknown(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
    format!("{} - {line}\n", Nagios::Unknown.word())
}

/// Help and version are answers; everything else is a usage error, in JSON too where JSON was asked for.
pub(super) fn unparsed(
    error: &clap::Error,
    terminal: &Terminal,
    manner: Manner,
    no_color: bool,
    run_id: uuid::Uuid,
) -> Ended {
    let json = manner == Manner::Json;
    let ui = Ui::new(terminal, &Flags { json, ..Flags::default() }, no_color);
    let colored = |stderr| terminal.shows_color(stderr) && !no_color;
    let text = |stderr| if colored(stderr) { error.render().ansi().to_string() } else { error.render().to_string() };
    if !error.use_stderr() {
        return match ui.answer(&text(false)) {
            Ok(()) => Exit::Done.into(),
            Err(_) => Exit::Internal.into(),
        };
    }
    let nagios = (manner == Manner::Nagios).then_some(Nagios::Unknown);
    if nagios.is_some() {
        let _ = ui.answer(&unknown("the command line is not understood: its words are on stderr"));
    }
    if json {
        let plain = without_passwords(&error.render().to_string());
        let (message, advice) = plain.split_once("\n\n").unwrap_or((&plain, ""));
        let message = message.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
        let tips = advice.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
        let failure = tips.fold(Failure::usage("usage", message), Failure::hint);
        let _ = ui.answer(&JsonAnswer::new("usage", Exit::Usage, run_id).with_failure(&failure).to_line());
    }
    ui.usage(&without_passwords(&text(true)));
    Ended { exit: Exit::Usage, nagios }
}
