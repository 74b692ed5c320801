//! Proof that a plan was shown and agreed to. Private fields, one constructor: an ungated action does not compile.

use crate::error::Failure;
use crate::ui::Ui;

/// How much harm a plan could do (DESIGN §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    Mild,
    Moderate,
    Severe,
}

/// What the command line already agreed to.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Consent {
    /// Agree to the plan without being asked
    #[arg(long, help_heading = "Safety")]
    pub yes: bool,
    /// Agree to exactly the plan with this digest, as --dry-run --json returned it
    #[arg(long, value_name = "DIGEST", help_heading = "Safety")]
    pub confirm: Option<String>,
}

/// Permission to apply exactly one plan.
pub struct Permit {
    digest: String,
}

impl Permit {
    /// Asks, or takes the consent given on the command line. The plan has been shown by now.
    /// `typed` is the text to type for a severe plan.
    pub fn ask(
        _ui: &Ui,
        _danger: Danger,
        _consent: &Consent,
        _digest: &str,
        _question: &str,
        _typed: &str,
    ) -> Result<Permit, Failure> {
        todo!()
    }

    /// Refuses a plan other than the one agreed to.
    pub fn covers(&self, digest: &str) -> Result<(), Failure> {
        if self.digest == digest {
            return Ok(());
        }
        Err(Failure::conflict("stale-plan", "the plan changed after it was agreed to")
            .hint("run the command again and look at the new plan"))
    }
}
