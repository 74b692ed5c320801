//! Progress of a move: bars on a terminal, plain lines or JSON lines for a log, nothing in a pipe.
//! The engine reports absolute numbers from any thread; drawing is limited here, never there.

use super::terminal::Sink;
use super::{Ui, escaped};
use crate::config::ProgressMode;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds between two lines of plain or JSON progress.
const EVERY: Duration = Duration::from_secs(3);

/// A move's progress, as the engine reports it: absolute numbers, any thread.
pub trait Progress: Send + Sync {
    /// Units in all, when known (rows).
    fn total(&self, rows: u64);
    /// Rows visited and cells moved so far, and how many cells are still dark.
    fn at(&self, rows: u64, cells: u64, dark: u64);
    /// What is going on, e.g. `acme: moving Note`.
    fn phase(&self, text: &str);
    /// Removes the bar.
    fn done(&self);
}

impl Ui {
    /// A progress display in the mode the settings ask for.
    pub fn progress(&self, title: &str) -> Box<dyn Progress> {
        let bars_wanted = self.err_is_terminal && !self.quiet && !self.json;
        match self.progress {
            ProgressMode::Auto if bars_wanted => Box::new(Bar::new(&self.bars, title)),
            ProgressMode::Plain => Box::new(Lines::new(self, title, Form::Plain)),
            ProgressMode::Json => Box::new(Lines::new(self, title, Form::Json)),
            ProgressMode::Auto | ProgressMode::None => Box::new(Silent),
        }
    }
}

struct Silent;

impl Progress for Silent {
    fn total(&self, _rows: u64) {}
    fn at(&self, _rows: u64, _cells: u64, _dark: u64) {}
    fn phase(&self, _text: &str) {}
    fn done(&self) {}
}

struct Bar(ProgressBar);

impl Bar {
    fn new(bars: &MultiProgress, title: &str) -> Bar {
        let bar = bars.add(ProgressBar::new(0));
        let style =
            ProgressStyle::with_template("{prefix}\n{wide_bar} {human_pos}/{human_len} rows  {rate}  ETA {eta}  {msg}")
                .expect("the template is fixed")
                .with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
                    let _ = write!(text, "{:.0} rows/s", state.per_sec());
                });
        bar.set_style(style);
        bar.set_prefix(escaped(title));
        bar.enable_steady_tick(Duration::from_millis(500));
        Bar(bar)
    }
}

impl Progress for Bar {
    fn total(&self, rows: u64) {
        self.0.set_length(rows);
    }
    fn at(&self, rows: u64, cells: u64, dark: u64) {
        self.0.set_position(rows);
        self.0.set_message(format!("{cells} cells, {dark} dark"));
    }
    fn phase(&self, text: &str) {
        self.0.set_prefix(escaped(text));
    }
    fn done(&self) {
        self.0.finish_and_clear();
    }
}

enum Form {
    Plain,
    Json,
}

struct Lines {
    err: Sink,
    form: Form,
    state: Mutex<State>,
}

struct State {
    title: String,
    total: Option<u64>,
    rows: u64,
    cells: u64,
    dark: u64,
    started: Instant,
    said: Option<Instant>,
}

impl Lines {
    fn new(ui: &Ui, title: &str, form: Form) -> Lines {
        let state = State {
            title: title.to_owned(),
            total: None,
            rows: 0,
            cells: 0,
            dark: 0,
            started: Instant::now(),
            said: None,
        };
        Lines { err: ui.err.clone(), form, state: Mutex::new(state) }
    }

    /// Changes the state and, when it is time, prints it.
    fn with(&self, now: bool, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if !now && state.said.is_some_and(|said| said.elapsed() < EVERY) {
            return;
        }
        state.said = Some(Instant::now());
        let line = state.line(&self.form);
        let _ = writeln!(self.err.lock(), "{line}");
    }
}

impl State {
    fn line(&self, form: &Form) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { self.rows as f64 / seconds } else { 0.0 };
        let left = self
            .total
            .filter(|_| rate > 0.0)
            .map(|total| (total.saturating_sub(self.rows) as f64 / rate).ceil() as u64);
        match form {
            Form::Json => serde_json::json!({
                "progress": self.title, "rows": self.rows, "totalRows": self.total, "cellsMoved": self.cells,
                "darkCells": self.dark, "rowsPerSecond": rate.round() as u64, "etaSeconds": left,
            })
            .to_string(),
            Form::Plain => {
                let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
                let eta = left.map(|left| format!(", {left} s left")).unwrap_or_default();
                format!(
                    "{}: {}{of} rows, {} cells moved, {} dark, {:.0} rows/s{eta}",
                    escaped(&self.title),
                    self.rows,
                    self.cells,
                    self.dark,
                    rate
                )
            }
        }
    }
}

impl Progress for Lines {
    fn total(&self, rows: u64) {
        self.with(false, |state| state.total = Some(rows));
    }
    fn at(&self, rows: u64, cells: u64, dark: u64) {
        self.with(false, |state| (state.rows, state.cells, state.dark) = (rows, cells, dark));
    }
    fn phase(&self, text: &str) {
        self.with(true, |state| text.clone_into(&mut state.title));
    }
    fn done(&self) {
        self.with(true, |_| {});
    }
}
