//! Questions, on stderr, to a person at a terminal. Ctrl-C at a question ends the run with nothing changed (130).

use super::Ui;
use crate::error::Failure;
use crate::exit::Exit;
use dialoguer::console::Term;
use dialoguer::{Confirm, Input};

/// What a person answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
}

impl Ui {
    /// A yes-or-no question; Enter means `default`.
    pub fn ask(&self, question: &str, default: Answer) -> Result<Answer, Failure> {
        let yes = self.bars.suspend(|| {
            Confirm::new()
                .with_prompt(question)
                .default(default == Answer::Yes)
                .wait_for_newline(true)
                .interact_on(&Term::stderr())
        });
        match yes {
            Ok(true) => Ok(Answer::Yes),
            Ok(false) => Ok(Answer::No),
            Err(error) => Err(unanswered(error)),
        }
    }

    /// A line of text, exactly as typed.
    pub fn ask_text(&self, question: &str) -> Result<String, Failure> {
        self.bars
            .suspend(|| {
                Input::<String>::new().with_prompt(question).allow_empty(true).interact_text_on(&Term::stderr())
            })
            .map_err(unanswered)
    }
}

fn unanswered(error: dialoguer::Error) -> Failure {
    let dialoguer::Error::IO(error) = error;
    // A question that is torn off leaves the cursor hidden and its line unfinished.
    let _ = Term::stderr().show_cursor();
    let _ = Term::stderr().write_line("");
    if error.kind() == std::io::ErrorKind::Interrupted {
        return Failure::new(Exit::Interrupted, "interrupted", "interrupted at the question; nothing was changed");
    }
    Failure::new(Exit::Gate, "no-answer", "the question could not be asked").caused_by(error)
}
