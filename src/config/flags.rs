//! The global flags, as clap reads them. Every verb has them, before or after its name.
//! What they mean together with variables and the file is decided in `settings`; nothing is read here.

use super::{Environment, ProgressMode, Provider};
use crate::core::duration;
use std::path::PathBuf;
use std::time::Duration;

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

const WORLD: &str = "Where";
const TALK: &str = "How it talks";

/// The global flags of DESIGN's contract.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]
    #[arg(long, global = true, value_name = "FILE", help_heading = WORLD)]
    pub config: Option<PathBuf>,

    /// Which world this is [variables: SCRYBE_ENV, NODE_ENV]
    #[arg(long, global = true, value_name = "ENVIRONMENT", help_heading = WORLD)]
    pub environment: Option<Environment>,

    /// Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]
    #[arg(long, global = true, value_name = "URL", help_heading = WORLD)]
    pub database_url: Option<String>,

    /// File that holds the database address
    #[arg(long, global = true, value_name = "FILE", help_heading = WORLD, conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,

    /// Who wraps DEKs [variable: SCRYBE_KMS; default: aws]
    #[arg(long, global = true, value_name = "PROVIDER", help_heading = WORLD)]
    pub kms: Option<Provider>,

    /// AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]
    #[arg(long, global = true, value_name = "REGION", help_heading = WORLD)]
    pub region: Option<String>,

    /// CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment's alias]
    #[arg(long, global = true, value_name = "KEY", help_heading = WORLD)]
    pub key: Option<String>,

    /// Answer with one JSON object on stdout; never ask
    #[arg(long, global = true, help_heading = TALK)]
    pub json: bool,

    /// Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0
    #[arg(long, short, global = true, help_heading = TALK)]
    pub quiet: bool,

    /// Log to stderr: -v what is done, -vv also the SDK's own log (never bodies)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = TALK)]
    pub verbose: u8,

    /// Never ask; what needs an answer is refused instead
    #[arg(long, global = true, help_heading = TALK)]
    pub no_input: bool,

    /// Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments
    #[arg(long, global = true, help_heading = TALK)]
    pub print_iam: bool,

    /// Stop in good order after this long, e.g. 90s, 30m
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, help_heading = TALK)]
    pub timeout: Option<Duration>,

    /// How progress is shown
    #[arg(long, global = true, value_name = "MODE", help_heading = TALK)]
    pub progress: Option<ProgressMode>,

    /// When output is coloured [variable: NO_COLOR]
    #[arg(long, global = true, value_name = "WHEN", help_heading = TALK)]
    pub color: Option<Color>,
}
