//! Proof that a plan was shown and agreed to. Private fields, one constructor: an ungated action does not compile.
//!
//! Who may agree how depends on the danger: mild proceeds unattended, moderate needs y or --yes, severe needs the shown text typed,
//! or off a terminal the digest of exactly this plan. Without consent nothing happens (exit 4), and the flag to give is said.

use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::{Answer, Ui};

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
#[derive(Debug)]
pub struct Permit {
    digest: String,
}

impl Permit {
    /// Asks, or takes the consent given on the command line. The plan has been shown by now.
    /// `typed` is the text to type for a severe plan. A given digest must be this plan's at every level of danger.
    pub fn ask(
        ui: &Ui,
        danger: Danger,
        consent: &Consent,
        digest: &str,
        question: &str,
        typed: &str,
    ) -> Result<Permit, Failure> {
        let granted = || Ok(Permit { digest: digest.to_owned() });
        if let Some(confirmed) = &consent.confirm {
            if confirmed == digest {
                return granted();
            }
            return Err(Failure::conflict("stale-plan", "the plan is not the one that --confirm agrees to")
                .hint("look at the new plan with --dry-run --json, then give its digest"));
        }
        match danger {
            Danger::Mild if consent.yes || !ui.is_attended() => granted(),
            Danger::Mild => agreed(ui.ask(question, Answer::Yes)?).and_then(|()| granted()),
            Danger::Moderate if consent.yes => granted(),
            Danger::Moderate if ui.is_attended() => agreed(ui.ask(question, Answer::No)?).and_then(|()| granted()),
            Danger::Moderate => Err(unasked().hint("look at the plan with --dry-run, then give --yes")),
            Danger::Severe if ui.is_attended() => {
                let answer = ui.ask_text(&format!("{question} Type {typed} to go on"))?;
                agreed(if answer.trim() == typed { Answer::Yes } else { Answer::No }).and_then(|()| granted())
            }
            Danger::Severe => {
                Err(unasked().hint(format!("look at the plan with --dry-run --json, then give --confirm {digest}")))
            }
        }
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

fn agreed(answer: Answer) -> Result<(), Failure> {
    match answer {
        Answer::Yes => Ok(()),
        Answer::No => Err(Failure::new(Exit::Gate, "not-confirmed", "not confirmed; nothing was changed")),
    }
}

fn unasked() -> Failure {
    Failure::new(Exit::Gate, "consent-needed", "this needs consent and there is nobody to ask; nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;
    use crate::ui::Terminal;

    fn unattended(danger: Danger, consent: Consent) -> Result<Permit, Failure> {
        let (terminal, _, _) = Terminal::for_test(80);
        Permit::ask(&Ui::new(&terminal, &Flags::default(), true), danger, &consent, "d1", "Go on?", "acme")
    }

    #[test]
    fn unattended_consent_grows_with_the_danger() {
        let yes = || Consent { yes: true, confirm: None };
        let confirm = |digest: &str| Consent { yes: false, confirm: Some(digest.into()) };
        assert!(unattended(Danger::Mild, Consent::default()).is_ok());
        assert!(unattended(Danger::Moderate, yes()).is_ok());
        assert!(unattended(Danger::Severe, confirm("d1")).is_ok());
        for (danger, consent, flag) in
            [(Danger::Moderate, Consent::default(), "--yes"), (Danger::Severe, yes(), "--confirm d1")]
        {
            let failure = unattended(danger, consent).unwrap_err();
            assert_eq!(failure.exit, Exit::Gate);
            assert!(failure.hints[0].contains(flag));
        }
        for danger in [Danger::Mild, Danger::Moderate, Danger::Severe] {
            assert_eq!(unattended(danger, confirm("other")).unwrap_err().exit, Exit::Conflict);
        }
    }

    #[test]
    fn a_permit_covers_one_plan() {
        let permit = unattended(Danger::Mild, Consent::default()).unwrap();
        assert!(permit.covers("d1").is_ok());
        assert_eq!(permit.covers("d2").unwrap_err().exit, Exit::Conflict);
    }
}
