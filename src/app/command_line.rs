//! The command line: understood by clap, and as it may stand in records: no password, and a shell takes it back.

use crate::command::Cli;
use crate::ui::Terminal;
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use std::ffi::OsString;

/// The command line understood, and the verb's words joined by `-` (`jobs-list`).
pub(super) fn parse(argv: &[OsString], terminal: &Terminal, no_color: bool) -> Result<(Cli, String), clap::Error> {
    let mut command = Cli::command().color(if no_color { ColorChoice::Never } else { ColorChoice::Auto });
    if let Some(columns) = terminal.columns() {
        command = command.term_width(columns.clamp(60, 100));
    } else {
        command = command.term_width(100);
    }
    let matches = command.try_get_matches_from_mut(argv)?;
    let mut path = Vec::new();
    let mut level = matches.subcommand();
    while let Some((name, inner)) = level {
        path.push(name.to_owned());
        level = inner.subcommand();
    }
    Ok((Cli::from_arg_matches(&matches)?, path.join("-")))
}

/// The command line for records: the password of an address is masked wherever it stands.
pub(super) fn for_records(argv: &[OsString]) -> String {
    let words = argv.iter().skip(1).map(|arg| quoted(&without_password(&arg.to_string_lossy())));
    std::iter::once("scrybe-keys".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell takes it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A word with everything behind an address's scheme left out: where its password ends cannot be told from one that is badly escaped.
fn without_password(arg: &str) -> String {
    let Some((before, rest)) = arg.split_once("://") else { return arg.to_owned() };
    if before.ends_with("postgresql") || before.ends_with("postgres") || rest.contains('@') {
        return format!("{before}://…");
    }
    arg.to_owned()
}

/// A text that repeats what was typed, with the password of every address in it masked.
pub(super) fn without_passwords(text: &str) -> String {
    let masked = |word: &str| {
        let end = word.trim_end().len();
        format!("{}{}", without_password(&word[..end]), &word[end..])
    };
    text.split_inclusive(char::is_whitespace).map(masked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_hold_no_password() {
        for secret in
            ["app:MARK@h:5/d", "/d?user=a&password=MARK", "app:MA@RK@h/d", "a:b?MARK@h", "a@h/d?password=x@MARK"]
        {
            for word in [format!("postgresql://{secret}"), format!("--database-url=postgres://{secret}")] {
                let shown = without_password(&word);
                assert!(!shown.contains("MARK") && !shown.contains("RK@"), "{shown}");
                let argv = ["bin", "context", &word].map(OsString::from);
                assert!(!for_records(&argv).contains("MARK"));
                assert!(!without_passwords(&format!("unexpected '{word}' found\n")).contains("MARK"));
            }
        }
        assert_eq!(
            for_records(&["x", "rotate", "--reason", "it's due"].map(OsString::from)),
            r"scrybe-keys rotate --reason 'it'\''s due'"
        );
        assert_eq!(without_password("--endpoint=http://127.0.0.1:1/x"), "--endpoint=http://127.0.0.1:1/x");
    }
}
