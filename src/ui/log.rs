//! Tracing to stderr with -v and -vv. Of the SDK and TLS crates only from -vv on, and never at a level that shows bodies.

use super::Ui;
use super::terminal::Sink;
use std::io::Write;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

struct Lines {
    err: Sink,
    bars: indicatif::MultiProgress,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bars.suspend(|| {
            let _ = self.err.lock().write_all(bytes);
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Ui {
    /// Starts the process's log; nothing below `-v`. Once per process.
    pub fn start_log(&self, verbosity: u8) {
        let (ours, theirs) = match verbosity {
            0 => return,
            1 => (LevelFilter::DEBUG, LevelFilter::WARN),
            _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
        };
        // The SDK's own modules that print requests and responses, key material included, stay out at every level.
        let targets = Targets::new()
            .with_default(theirs)
            .with_target("scrybe_keys", ours)
            // Its warnings show a failed provider's whole response, which may hold credentials.
            .with_target("aws_config", LevelFilter::OFF)
            .with_target("default_credentials_chain", LevelFilter::OFF)
            .with_target("aws_smithy_runtime::client::orchestrator", LevelFilter::INFO.min(theirs))
            .with_target("aws_smithy_http_client", LevelFilter::INFO.min(theirs))
            .with_target("aws_smithy_runtime_api::client::interceptors", LevelFilter::INFO.min(theirs))
            .with_target("aws_sigv4", LevelFilter::OFF)
            .with_target("aws_runtime", LevelFilter::INFO.min(theirs))
            .with_target("hyper", LevelFilter::INFO.min(theirs))
            .with_target("h2", LevelFilter::OFF)
            .with_target("rustls", LevelFilter::INFO.min(theirs))
            .with_target("tokio_postgres", LevelFilter::INFO.min(theirs))
            .with_target("postgres", LevelFilter::INFO.min(theirs));
        let (err, bars) = (self.err.clone(), self.bars.clone());
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(self.err_color)
            .with_target(true)
            .with_writer(move || Lines { err: err.clone(), bars: bars.clone() })
            .with_filter(targets);
        let _ = tracing_subscriber::registry().with(lines).try_init();
    }
}
