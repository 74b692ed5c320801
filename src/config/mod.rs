//! Flags + environment + file -> one validated `Settings`. The only reader of the environment.
//! Each value keeps where it came from, so that `context` and every error can say it. Precedence: flag, environment, file, default.
//!
//! `flags` is what clap reads, `file` the YAML file, `settings` joins them; `database` and `aws` know their own variables.

mod aws;
mod database;
mod file;
mod flags;
mod settings;

pub use flags::{Color, Flags};

use crate::core::data_map::DataMap;
use crate::core::database_url::DatabaseUrl;
use crate::core::provision::Provision;
use crate::core::throttle::Rules;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The process environment, taken once. Tests make their own.
#[derive(Clone, Default)]
pub struct Env(pub BTreeMap<String, String>);

impl Env {
    /// The real one.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn of_process() -> Env {
        Env(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// A variable's value; an empty one counts as not set.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// This program's own file, for the few places that start it again.
pub fn own_program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// Where a setting was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Variable(String),
    File { path: PathBuf, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// A value and its origin.
    pub fn new(value: T, origin: Origin) -> Sourced<T> {
        Sourced { value, origin }
    }

    /// A value nobody set.
    pub fn default_of(value: T) -> Sourced<T> {
        Sourced { value, origin: Origin::Default }
    }
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
    /// AWS KMS
    Aws,
    /// The embedded KMS, in process: sandbox and drills
    Local,
    /// `dev:` DEKs, as the application makes them without KMS; never in production
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
    /// Bars on a terminal, nothing off it
    Auto,
    /// A line every few seconds
    Plain,
    /// One JSON object a line
    Json,
    None,
}

/// Where AWS is talked to instead of AWS: https, or http on loopback.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// For every service (`AWS_ENDPOINT_URL`).
    pub all: Option<Sourced<String>>,
    /// For one service; goes before `all`.
    pub of: BTreeMap<&'static str, Sourced<String>>,
}

impl Endpoints {
    /// Where KMS is talked to, unless it is AWS itself.
    pub fn kms(&self) -> Option<&Sourced<String>> {
        self.of.get("kms").or(self.all.as_ref())
    }
}

/// Everything a run needs to know, validated, with origins.
pub struct Settings {
    pub environment: Option<Sourced<Environment>>,
    pub database: Option<Sourced<DatabaseUrl>>,
    pub provider: Option<Sourced<Provider>>,
    pub region: Sourced<String>,
    /// Key id, ARN or alias; the environment's application alias when nothing names one.
    pub key: Option<Sourced<String>>,
    pub endpoints: Endpoints,
    /// LOCAL_KEK, base64 of 32 bytes, unparsed.
    pub local_kek: Option<Sourced<zeroize::Zeroizing<String>>>,
    /// Directory of the embedded KMS (`SCRYBE_LOCAL_KMS`).
    pub local_store: Option<Sourced<PathBuf>>,
    pub map: Sourced<DataMap>,
    /// What `create-cmk` is to make in this environment, where the file says it.
    pub provision: Option<Sourced<Provision>>,
    pub policy: Policy,
    /// What slows moves down, unless the command line says otherwise.
    pub throttle: Sourced<Rules>,
    /// Shell command after which the application holds no cached key any more.
    pub after_commit: Option<Sourced<String>>,
    /// Where the policy was learned.
    pub policy_origin: Origin,
    pub json: bool,
    pub quiet: bool,
    /// 0, 1 (`-v`), 2 (`-vv`).
    pub verbosity: u8,
    pub progress: ProgressMode,
    /// `--no-input` or `--json`: never ask.
    pub no_input: bool,
    /// Ends the run (exit 7 or 8) when it takes longer.
    pub timeout: Option<Duration>,
    /// The file that was read, if any.
    pub file: Option<Sourced<PathBuf>>,
    /// The sandbox this run was started in (`SCRYBE_SANDBOX`, set by `sandbox exec` and `env`); every plan says so.
    pub sandbox: Option<Sourced<String>>,
    /// Worth knowing at the start: address parameters left aside.
    pub notes: Vec<String>,
    /// Worth doing something about: a password in argv, a file that is not read.
    pub warnings: Vec<String>,
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
    /// How long a chunk stays a worker's that gives no sign of life.
    pub lease: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            dek_max_age_days: 90,
            cmk_rotation_days: 90,
            grace_days: 7,
            max_orgs: None,
            workers: 2,
            lease: Duration::from_secs(20),
        }
    }
}
