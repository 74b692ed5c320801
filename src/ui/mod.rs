//! The only printing.
//!
//! Rules: the answer goes to stdout, everything else (narration, progress, warnings, hints, errors) to stderr. Colour and
//! bars only on a terminal that wants them. Status lines are sentences; an id someone will double-click is never followed by punctuation.
//! A closed stderr never stops the work.

/// The process's terminal, as `main` found it. Tests make their own with buffers.
pub struct Terminal {
    // Filled by the ui room.
}

impl Terminal {
    /// The real one.
    pub fn of_process() -> Terminal {
        Terminal {}
    }
}

/// How this run talks.
pub struct Ui {}

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
    /// Columns a table may use: the terminal's width, or 100 in a pipe.
    pub fn width(&self) -> usize {
        todo!()
    }
    /// Narration on stderr; nothing with --quiet or --json.
    pub fn say(&self, _text: &str) {
        todo!()
    }
    /// A warning on stderr, always.
    pub fn warn(&self, _text: &str) {
        todo!()
    }
    /// A progress display in the mode the settings ask for.
    pub fn progress(&self, _title: &str) -> Box<dyn Progress> {
        todo!()
    }
    /// A table for stdout, fitted to `width`. Cells are plain text; right-aligned columns by index.
    pub fn table(&self, _header: &[&str], _rows: &[Vec<String>], _right: &[usize]) -> String {
        todo!()
    }
}
