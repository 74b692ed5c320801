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

fn without_password(arg: &str) -> String {
    let Some((before, rest)) = arg.split_once("://") else { return arg.to_owned() };
    let query = rest.find('?').map_or("", |_| "?…");
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{before}://…@{}{query}", place.split('?').next().unwrap_or_default()),
        None => format!("{before}://{}{query}", rest.split('?').next().unwrap_or_default()),
    }
}

/// A text that repeats what was typed, with the password of every address in it masked.
pub(super) fn without_passwords(text: &str) -> String {
    let masked =
        |word: &str| if word.contains("://") && word.contains('@') { without_password(word) } else { word.to_owned() };
    text.split_inclusive(char::is_whitespace).map(masked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_hold_no_password() {
        let masked = |text: &str| without_password(text);
        assert_eq!(
            masked("--database-url=postgresql://app:pw@h:5/d?password=x"),
            "--database-url=postgresql://…@h:5/d?…"
        );
        assert_eq!(masked("postgresql:///d?user=a&password=x"), "postgresql:///d?…");
        assert_eq!(masked("postgresql://app:p@w@h/d"), "postgresql://…@h/d");
        assert_eq!(masked("--org"), "--org");
    }
}
