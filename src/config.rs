//! Flags + environment + file -> one validated `Settings`. The only reader of the environment.
//! Each value keeps where it came from, so that `context` and every error can say it. Precedence: flag, environment, file, default.

use crate::core::data_map::DataMap;
use crate::core::database_url::DatabaseUrl;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The process environment, taken once. Tests make their own.
#[derive(Clone, Default)]
pub struct Env(pub BTreeMap<String, String>);

impl Env {
    /// The real one.
    pub fn of_process() -> Env {
        Env(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }
}

/// Where a setting was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Variable(String),
    File { path: PathBuf, line: usize },
    Default,
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: Origin,
}

/// Which world this is. Anything that does not say counts as production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Environment {
    Development,
    Staging,
    Production,
}

impl Environment {
    /// As written on the command line and in the binding.
    pub fn as_str(self) -> &'static str {
        match self {
            Environment::Development => "development",
            Environment::Staging => "staging",
            Environment::Production => "production",
        }
    }
}

/// Who wraps DEKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Provider {
    /// AWS KMS, through the SDK (also against a loopback endpoint).
    Aws,
    /// The embedded KMS, in process: sandbox and drills.
    Local,
    /// `dev:` DEKs, as the application makes them without KMS. Never in production.
    Dev,
}

impl Provider {
    /// As written on the command line and in the binding.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Aws => "aws",
            Provider::Local => "local",
            Provider::Dev => "dev",
        }
    }
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, nothing off it.
    Auto,
    Plain,
    Json,
    None,
}

/// Everything a run needs to know, validated, with origins.
pub struct Settings {
    pub environment: Option<Sourced<Environment>>,
    pub database: Option<Sourced<DatabaseUrl>>,
    pub provider: Option<Sourced<Provider>>,
    pub region: Sourced<String>,
    /// Key id, ARN or alias; the environment's application alias when nothing names one.
    pub key: Option<Sourced<String>>,
    /// AWS endpoint override, https or loopback only.
    pub endpoint: Option<Sourced<String>>,
    /// LOCAL_KEK, base64 of 32 bytes, unparsed.
    pub local_kek: Option<Sourced<zeroize::Zeroizing<String>>>,
    /// Directory of the embedded KMS (`SCRYBE_LOCAL_KMS`).
    pub local_store: Option<Sourced<PathBuf>>,
    pub map: Sourced<DataMap>,
    pub policy: Policy,
    pub json: bool,
    pub quiet: bool,
    /// 0, 1 (`-v`), 2 (`-vv`).
    pub verbosity: u8,
    pub progress: ProgressMode,
    /// `--no-input` or `--json`: never ask.
    pub no_input: bool,
    /// Ends the run (exit 7 or 8) when it takes longer.
    pub timeout: Option<Duration>,
    /// Things said at the start: ignored URL options, a password in argv.
    pub notes: Vec<String>,
}

/// Rotation policy: data per environment, with DESIGN's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Days an active DEK may be used for sealing.
    pub dek_max_age_days: u32,
    /// Days between material rotations of the CMK, 90..=2560.
    pub cmk_rotation_days: u32,
    /// Days a retired version is kept before it may be destroyed.
    pub grace_days: u32,
    /// Organizations one `rotate --due` may start.
    pub max_orgs: Option<u32>,
    /// Worker threads of a move.
    pub workers: usize,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { dek_max_age_days: 90, cmk_rotation_days: 90, grace_days: 7, max_orgs: None, workers: 2 }
    }
}
