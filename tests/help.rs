//! What help, completions and schemas say: the same as the code, in the same words, in every verb.

use crate::support::cli::{binary, start};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use scrybe_keys::command::{Cli, completions};
use scrybe_keys::exit::TABLE;
use std::collections::BTreeMap;
use std::path::Path;

fn committed(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every command a person can type, with its path of words.
fn commands() -> Vec<(String, Command)> {
    fn walk(path: &str, command: &Command, all: &mut Vec<(String, Command)>) {
        for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            let path = format!("{path} {}", inner.get_name());
            walk(&path, inner, all);
            all.push((path, inner.clone()));
        }
    }
    let mut all = Vec::new();
    walk("scrybe-keys", &Cli::command(), &mut all);
    assert!(all.len() > 10);
    all
}

#[test]
fn every_verb_says_what_it_does_in_one_imperative_line() {
    for (path, command) in commands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && about.lines().count() == 1, "{path}: one line first, not {about:?}");
        assert!(!about.ends_with('.'), "{path}: no full stop after {about:?}");
        assert!(about.starts_with(char::is_uppercase), "{path}: {about:?}");
    }
}

#[test]
fn every_verbs_long_help_has_an_example_and_its_exit_codes() {
    for (path, command) in commands().into_iter().filter(|(path, _)| path.split(' ').count() == 2) {
        let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
        for part in ["scrybe-keys ", "Exit codes:"] {
            assert!(long.contains(part), "{path}: the long help has no {part:?}:\n{long}");
        }
    }
}

#[test]
fn every_flag_is_explained() {
    for (path, command) in commands() {
        for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{path}: {} has no help", argument.get_id());
            assert!(!help.ends_with('.'), "{path}: no full stop after the help of {}", argument.get_id());
        }
    }
}

#[test]
fn help_fits_its_terminal_and_shows_every_exit_code() {
    let ran = start(binary(&["--help"], &BTreeMap::new())).finish().expect(0);
    assert!(ran.stderr.is_empty());
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    for (exit, meaning) in TABLE {
        let row = format!("{:>5}  {meaning}", exit.code());
        assert!(ran.stdout.contains(&row), "{row}");
    }
}

#[test]
fn the_readme_shows_every_exit_code() {
    let readme = committed("README.md");
    for (exit, meaning) in TABLE {
        let code = exit.code().to_string();
        let row = readme.lines().find(|line| line.contains(meaning)).unwrap_or_else(|| panic!("{code}: {meaning}"));
        let words: Vec<&str> = row.split(|c: char| !c.is_ascii_digit()).collect();
        assert!(words.contains(&code.as_str()), "the README gives {row:?} for exit code {code}");
    }
}

#[test]
fn committed_completions_are_those_of_this_build() {
    for (shell, file) in
        [(Shell::Bash, "scrybe-keys.bash"), (Shell::Zsh, "_scrybe-keys"), (Shell::Fish, "scrybe-keys.fish")]
    {
        let same = committed(&format!("completions/{file}")) == completions::script(shell);
        assert!(same, "completions/{file} is stale: `scrybe-keys completions {shell} > completions/{file}`");
    }
}

#[test]
fn the_committed_answer_schema_is_that_of_this_build() {
    let schema = serde_json::to_value(schemars::schema_for!(scrybe_keys::answer::JsonAnswer)).unwrap();
    let committed: serde_json::Value = serde_json::from_str(&committed("schemas/answer.json")).unwrap();
    assert_eq!(
        committed,
        schema,
        "schemas/answer.json is stale; this build says:\n{}",
        serde_json::to_string_pretty(&schema).unwrap()
    );
}

#[test]
fn every_json_answer_has_one_shape_whatever_happens() {
    let schema: serde_json::Value = serde_json::from_str(&committed("schemas/answer.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (arguments, code) in [
        (vec!["completions", "bash", "--json"], 0),
        (vec!["--json", "context", "--kms", "dev"], 0),
        (vec!["--json"], 2),
        (vec!["frobnicate", "--json"], 2),
        (vec!["context", "--json", "--timeout", "5"], 2),
        (vec!["context", "--json", "--config", "/does/not/exist"], 2),
        (vec!["health", "--json"], 2),
    ] {
        let ran = start(binary(&arguments, &BTreeMap::new())).finish().expect(code);
        let answer = ran.json();
        let wrong: Vec<String> = validator.iter_errors(&answer).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{arguments:?}: {wrong:?} in {answer}");
        assert_eq!(answer["exitCode"], code);
        assert_eq!(ran.stdout.lines().count(), 1);
        assert_eq!(code == 0, answer["status"] == "ok");
        assert_eq!(code == 0, answer["problems"].as_array().unwrap().iter().all(|p| p["severity"] != "critical"));
    }
}

#[test]
fn the_manual_page_is_roff_and_names_every_verb() {
    let ran = start(binary(&["man"], &BTreeMap::new())).finish().expect(0);
    assert!(ran.stdout.contains(".TH scrybe-keys 1"));
    for (path, _) in commands().into_iter().filter(|(path, _)| path.split(' ').count() == 2) {
        let name = path.split(' ').next_back().unwrap().replace('-', "\\-");
        assert!(ran.stdout.contains(&name), "{name}");
    }
}
