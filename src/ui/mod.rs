//! The only printing.
//!
//! Rules: the answer goes to stdout, everything else (narration, progress, warnings, hints, errors) to stderr. Colour and
//! bars only on a terminal that wants them. Status lines are sentences; an id someone will double-click is never followed by punctuation.
//! A closed stderr never stops the work. Text that comes from outside is `escaped` before it can move a cursor.
//!
//! `terminal` is what main found, `table` and `progress` draw, `prompt` asks, `log` carries tracing.

mod log;
mod progress;
mod prompt;
mod table;
mod terminal;

pub use progress::Progress;
pub use prompt::Answer;
pub use terminal::{Captured, Terminal};

use crate::config::{Color, Flags, ProgressMode};
use crate::error::Failure;
use indicatif::MultiProgress;
use std::io::Write;
use terminal::Sink;

/// Columns of a pipe, where nobody has to fit a screen.
const PIPE_WIDTH: usize = 100;
/// Columns below which nothing is laid out any narrower.
const NARROWEST: usize = 40;

/// How this run talks. Shared between threads by reference; a clone talks to the same terminal.
#[derive(Clone)]
pub struct Ui {
    out: Sink,
    err: Sink,
    out_is_terminal: bool,
    err_is_terminal: bool,
    /// Someone is there to answer a question.
    attended: bool,
    width: Option<usize>,
    out_color: bool,
    err_color: bool,
    json: bool,
    quiet: bool,
    progress: ProgressMode,
    bars: MultiProgress,
}

impl Ui {
    /// A way of talking over `terminal` as the flags ask. `no_color` is the variable NO_COLOR.
    pub fn new(terminal: &Terminal, flags: &Flags, no_color: bool) -> Ui {
        let wants = |is_terminal: bool| match flags.color.unwrap_or_default() {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !no_color,
        };
        Ui {
            out: terminal.out.clone(),
            err: terminal.err.clone(),
            out_is_terminal: terminal.out_is_terminal,
            err_is_terminal: terminal.err_is_terminal,
            attended: terminal.in_is_terminal && terminal.err_is_terminal && !flags.no_input && !flags.json,
            width: terminal.width,
            out_color: wants(terminal.out_is_terminal),
            err_color: wants(terminal.err_is_terminal),
            json: flags.json,
            quiet: flags.quiet,
            progress: flags.progress.unwrap_or(ProgressMode::Auto),
            bars: MultiProgress::new(),
        }
    }

    /// Columns a table may use: the terminal's width, or 100 in a pipe.
    pub fn width(&self) -> usize {
        self.width.filter(|_| self.out_is_terminal).unwrap_or(PIPE_WIDTH).max(NARROWEST)
    }

    /// True when somebody can be asked: a terminal, and neither --no-input nor --json.
    pub fn is_attended(&self) -> bool {
        self.attended
    }

    /// True with --json: the answer is one object and nobody reads along.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Narration on stderr; nothing with --quiet or --json. One or several lines, a table among them perhaps.
    pub fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            self.tell(&harmless(text));
        }
    }

    /// A warning on stderr, always.
    pub fn warn(&self, text: &str) {
        self.tell(&format!("{} {}", self.painted(YELLOW, "warning:"), escaped(text)));
    }

    /// Advice on stderr: the next command to type. Nothing with --quiet or --json.
    pub fn hint(&self, text: &str) {
        if !self.quiet && !self.json {
            self.tell(&format!("{} {}", self.painted(CYAN, "hint:"), escaped(text)));
        }
    }

    /// A failure on stderr: what, why (the chain), what to do next.
    pub fn fail(&self, failure: &Failure) {
        let mut text = format!("{} {}", self.painted(RED, "error:"), escaped(&failure.message));
        let mut above = failure.message.clone();
        for cause in failure.chain() {
            if !above.contains(&cause) {
                text.push_str(&format!("\n  caused by: {}", escaped(&cause)));
            }
            above = cause;
        }
        for hint in &failure.hints {
            text.push_str(&format!("\n  {} {}", self.painted(CYAN, "hint:"), escaped(hint)));
        }
        self.tell(&text);
    }

    /// What clap says of a command line it does not understand.
    pub fn usage(&self, text: &str) {
        self.tell(text.trim_end());
    }

    /// The answer on stdout, with a line feed. A reader that went away is no error; a full disk is.
    pub fn answer(&self, text: &str) -> std::io::Result<()> {
        let text = harmless(text);
        let text = if self.out_color { text } else { without_bold(&text) };
        let line = if text.ends_with('\n') { text } else { format!("{text}\n") };
        let written = self.bars.suspend(|| {
            let mut out = self.out.lock();
            out.write_all(line.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Sentences broken between words to fit the terminal; as they are in a pipe. For prose alone: a command that is broken cannot be
    /// copied, and no id is ever broken.
    pub fn prose(&self, text: &str) -> String {
        if !self.out_is_terminal {
            return text.to_owned();
        }
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let line = lines.last_mut().expect("there is always a line");
            let used = line.chars().count();
            match used {
                0 => line.push_str(word),
                _ if used + 1 + word.chars().count() <= self.width() => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.join("\n")
    }

    /// `text` emphasized where colour is shown. Not inside a table's cell.
    pub fn strong(&self, text: &str) -> String {
        if self.out_color || self.err_color { format!("{BOLD}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn painted(&self, color: &str, text: &str) -> String {
        if self.err_color { format!("{color}{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Lines to stderr, above any bar. Whether anybody can read them does not matter to the work.
    fn tell(&self, text: &str) {
        let text = if self.err_color { text.to_owned() } else { without_bold(text) };
        self.bars.suspend(|| {
            let mut err = self.err.lock();
            let _ = writeln!(err, "{text}");
            let _ = err.flush();
        });
    }
}

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[36m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// A finished text with everything escaped but our own emphasis, which can do no more than embolden.
fn harmless(text: &str) -> String {
    let clean = |part: &str| part.split(PLAIN).map(escaped).collect::<Vec<_>>().join(PLAIN);
    text.split(BOLD).map(clean).collect::<Vec<_>>().join(BOLD)
}

fn without_bold(text: &str) -> String {
    text.replace(BOLD, "").replace(PLAIN, "")
}

/// Text with every control character but line feed and tab written out (`\u{1b}`), so that data cannot drive a terminal.
/// Direction marks of Unicode count as control characters: they reorder what a person reads.
pub fn escaped(text: &str) -> String {
    let unsafe_here = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(unsafe_here) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 8), |mut clean, c| {
        if unsafe_here(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
        clean
    })
}

/// A last line on the process's stderr when there is no `Ui` any more: a panic, a run that does not stop.
pub fn last_words(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", escaped(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_drive_the_terminal() {
        assert_eq!(escaped("a\x1b[2Jb\r\u{9b}c\u{202e}"), "a\\u{1b}[2Jb\\u{d}\\u{9b}c\\u{202e}");
        assert_eq!(escaped("two\nlines\tünïcode"), "two\nlines\tünïcode");
    }

    #[test]
    fn emphasis_survives_and_nothing_else_does() {
        let shown = |color| {
            let (terminal, out, err) = Terminal::for_test(80);
            let ui = Ui::new(&terminal, &Flags { color: Some(color), ..Flags::default() }, false);
            ui.answer("\x1b[1mhead\x1b[0m \x1b[31mred\x07").unwrap();
            ui.say("\x1b[1mhead\x1b[0m \x1b[2J");
            (out.text(), err.text())
        };
        let (out, err) = shown(Color::Always);
        assert_eq!(out, "\x1b[1mhead\x1b[0m \\u{1b}[31mred\\u{7}\n");
        assert_eq!(err, "\x1b[1mhead\x1b[0m \\u{1b}[2J\n");
        let (out, err) = shown(Color::Never);
        assert_eq!((out.as_str(), err.as_str()), ("head \\u{1b}[31mred\\u{7}\n", "head \\u{1b}[2J\n"));
    }

    #[test]
    fn prose_is_broken_between_words_on_a_terminal_only() {
        let prose = |width| {
            let (terminal, _, _) = Terminal::for_test(width);
            Ui::new(&terminal, &Flags::default(), true).prose("one two three four five six seven eight nine ten eleven")
        };
        assert_eq!(prose(40), "one two three four five six seven eight\nnine ten eleven");
        assert_eq!(prose(0).lines().count(), 1);
    }

    #[test]
    fn a_failure_is_one_error_its_causes_and_its_hints() {
        let (terminal, _, err) = Terminal::for_test(80);
        let ui = Ui::new(&terminal, &Flags { color: Some(Color::Never), ..Flags::default() }, false);
        let cause = std::io::Error::other("disk \x07on fire");
        ui.fail(&Failure::internal("cannot go on").caused_by(cause).hint("call somebody"));
        assert_eq!(err.text(), "error: cannot go on\n  caused by: disk \\u{7}on fire\n  hint: call somebody\n");
    }

    #[test]
    fn json_silences_narration_but_not_warnings() {
        let (terminal, out, err) = Terminal::for_test(80);
        let ui = Ui::new(&terminal, &Flags { json: true, ..Flags::default() }, true);
        ui.say("moving");
        ui.hint("do this");
        ui.warn("careful");
        ui.answer("{}").unwrap();
        assert_eq!((err.text().as_str(), out.text().as_str()), ("warning: careful\n", "{}\n"));
        assert!(!ui.is_attended());
    }
}
