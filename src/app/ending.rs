//! How a run ends: one answer on stdout, the failure on stderr, one exit code. Whoever ends it first ends it alone: a second
//! interrupt and the verb itself may get here at the same time.

use super::Outcome;
use super::command_line::without_passwords;
use crate::answer::{Context, JsonAnswer};
use crate::config::Flags;
use crate::error::Failure;
use crate::exit::Exit;
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
    result: Result<Outcome, Failure>,
) -> Exit {
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

/// Help and version are answers; everything else is a usage error, in JSON too where JSON was asked for.
pub(super) fn unparsed(
    error: &clap::Error,
    terminal: &Terminal,
    json: bool,
    no_color: bool,
    run_id: uuid::Uuid,
) -> Exit {
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
        let plain = without_passwords(&error.render().to_string());
        let (message, advice) = plain.split_once("\n\n").unwrap_or((&plain, ""));
        let message = message.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
        let tips = advice.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
        let failure = tips.fold(Failure::usage("usage", message), Failure::hint);
        let _ = ui.answer(&JsonAnswer::new("usage", Exit::Usage, run_id).with_failure(&failure).to_line());
    }
    ui.usage(&without_passwords(&text(true)));
    Exit::Usage
}
