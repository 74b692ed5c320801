//! One verb per file: `Args` (its doc comment is the help) and one consuming `run(self, &App) -> Result<Outcome, Failure>`.
//!
//! A new verb is one `pub mod` line and one line of `verbs!`, in the order of DESIGN's contract: help lists them so.
//! A verb prints nothing: it narrates through `app.ui` and hands its answer back.

pub mod audit;
pub mod census;
pub mod completions;
pub mod context;
pub mod create_cmk;
pub mod health;
pub mod init;
pub mod jobs;
pub mod keys;
pub mod man;
pub mod movement;
mod plan_shown;
pub mod re_encrypt;
mod report_shown;
pub mod rewrap;
mod rewrap_shown;
pub mod rotate;
pub mod rotate_cmk;
pub mod sandbox;
pub mod speed;
mod steer;

use crate::app::{App, Outcome};
use crate::config::Flags;
use crate::error::Failure;

macro_rules! verbs {
    ($($(#[$attribute:meta])* $Verb:ident($module:ident) $name:literal;)*) => {
        /// What to do.
        #[derive(clap::Subcommand)]
        pub enum Verb {
            $($(#[$attribute])* #[command(name = $name)] $Verb($module::Args),)*
        }

        impl Verb {
            /// As typed, and as the JSON answer's schema names it.
            pub fn name(&self) -> &'static str {
                match self { $(Verb::$Verb(_) => $name,)* }
            }

            /// Does it.
            pub fn run(self, app: &App) -> Result<Outcome, Failure> {
                match self { $(Verb::$Verb(args) => args.run(app),)* }
            }
        }
    };
}

verbs! {
    Context(context) "context";
    Init(init) "init";
    CreateCmk(create_cmk) "create-cmk";
    Rotate(rotate) "rotate";
    RotateCmk(rotate_cmk) "rotate-cmk";
    ReEncrypt(re_encrypt) "re-encrypt";
    Jobs(jobs) "jobs";
    Keys(keys) "keys";
    Census(census) "census";
    Rewrap(rewrap) "rewrap";
    Audit(audit) "audit";
    Health(health) "health";
    Sandbox(sandbox) "sandbox";
    Completions(completions) "completions";
    Man(man) "man";
}

impl Verb {
    /// True for verbs that can be ended anywhere: they change nothing worth finishing.
    pub fn only_reads(&self) -> bool {
        if let Verb::CreateCmk(args) = self {
            return args.only_reads();
        }
        matches!(
            self,
            Verb::Context(_)
                | Verb::Keys(_)
                | Verb::Census(_)
                | Verb::Audit(_)
                | Verb::Health(_)
                | Verb::Completions(_)
                | Verb::Man(_)
        )
    }

    /// True for verbs whose report may be left out with --quiet when all is well. A question is always answered.
    pub fn may_be_silent(&self) -> bool {
        if let Verb::CreateCmk(args) = self {
            return !args.only_reads();
        }
        matches!(
            self,
            Verb::Init(_)
                | Verb::Rotate(_)
                | Verb::RotateCmk(_)
                | Verb::ReEncrypt(_)
                | Verb::Rewrap(_)
                | Verb::Health(_)
        )
    }

    /// A file that somebody watches, and that must not grow old in silence when the run fails.
    pub fn watched_file(&self) -> Option<std::path::PathBuf> {
        match self {
            Verb::Health(args) => args.textfile.clone(),
            _ => None,
        }
    }

    /// False for verbs that only print something built in: no file is read and no setting can be wrong for them.
    pub fn needs_settings(&self) -> bool {
        match self {
            Verb::Completions(_) | Verb::Man(_) => false,
            Verb::CreateCmk(args) => args.needs_settings(),
            Verb::Sandbox(args) => args.needs_settings(),
            _ => true,
        }
    }
}

/// Rotate, move, count and prove the keys that protect patient data
///
/// CMK: the KMS master key. DEK: an organization's data encryption key, wrapped by the CMK. Cell: one sealed value in one row.
/// Dark: a cell its application cannot open right now. Nothing is changed without a plan that you have seen.
///
/// Start with what only reads: `scrybe-keys context`
#[derive(clap::Parser)]
#[command(name = "scrybe-keys", version, propagate_version = true, disable_help_subcommand = true, after_long_help = exit_codes(), after_help = exit_codes())]
pub struct Cli {
    #[command(flatten)]
    pub flags: Flags,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The exit-code table of help, README and man page.
pub fn exit_codes() -> String {
    let rows = crate::exit::TABLE.iter().map(|(exit, meaning)| format!("{:>5}  {meaning}", exit.code()));
    format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
}
