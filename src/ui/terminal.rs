//! Where output goes and what is known about it. `main` finds the real terminal; tests make one with buffers.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A place to write to, shared between threads.
#[derive(Clone)]
pub(super) struct Sink(Arc<Mutex<Box<dyn Write + Send>>>);

impl Sink {
    fn new(write: impl Write + Send + 'static) -> Sink {
        Sink(Arc::new(Mutex::new(Box::new(write))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was written to a test's terminal.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The process's terminal, as `main` found it. Tests make their own with buffers.
pub struct Terminal {
    pub(super) out: Sink,
    pub(super) err: Sink,
    pub(super) out_is_terminal: bool,
    pub(super) err_is_terminal: bool,
    pub(super) in_is_terminal: bool,
    /// Columns, where a terminal says so.
    pub(super) width: Option<usize>,
    /// True for the real one: signals, limits and the log belong to the process.
    is_process: bool,
}

impl Terminal {
    /// The real one.
    pub fn of_process() -> Terminal {
        let columns = || console_width().filter(|columns| *columns > 0);
        Terminal {
            out: Sink::new(std::io::stdout()),
            err: Sink::new(std::io::stderr()),
            out_is_terminal: std::io::stdout().is_terminal(),
            err_is_terminal: std::io::stderr().is_terminal(),
            in_is_terminal: std::io::stdin().is_terminal(),
            width: columns(),
            is_process: true,
        }
    }

    /// One with buffers for stdout and stderr: `width` columns, nobody to answer.
    pub fn for_test(width: usize) -> (Terminal, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let terminal = Terminal {
            out: Sink::new(out.clone()),
            err: Sink::new(err.clone()),
            out_is_terminal: width > 0,
            err_is_terminal: false,
            in_is_terminal: false,
            width: (width > 0).then_some(width),
            is_process: false,
        };
        (terminal, out, err)
    }

    /// True for the process's own terminal.
    pub fn is_process(&self) -> bool {
        self.is_process
    }

    /// Columns of the terminal behind stdout or stderr.
    pub fn columns(&self) -> Option<usize> {
        self.width
    }

    /// True when stdout is a terminal that would show colour.
    pub fn shows_color(&self, stderr: bool) -> bool {
        if stderr { self.err_is_terminal } else { self.out_is_terminal }
    }
}

fn console_width() -> Option<usize> {
    let term = dialoguer::console::Term::stdout();
    let size = term.size_checked().or_else(|| dialoguer::console::Term::stderr().size_checked());
    size.map(|(_, columns)| usize::from(columns))
}
