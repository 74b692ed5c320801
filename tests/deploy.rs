//! What stands under `deploy/` is what this build understands: every command line is parsed by its own parser.

use clap::Parser;
use scrybe_keys::command::Cli;
use serde_yaml::Value;
use std::path::{Path, PathBuf};

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
    let mut all: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|e| e == ending));
    assert!(!all.is_empty(), "{} holds no {ending}", folder.display());
    all
}

#[track_caller]
fn understood(path: &Path, words: &[String]) {
    let argv = std::iter::once("scrybe-keys".to_owned()).chain(words.iter().cloned());
    if let Err(error) = Cli::try_parse_from(argv) {
        panic!("{}: {error}", path.display());
    }
}

/// Every list under a key `args` in a YAML document.
fn args(value: &Value, all: &mut Vec<Vec<String>>) {
    match value {
        Value::Mapping(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    (Some("args"), Value::Sequence(list)) => {
                        all.push(list.iter().map(|word| word.as_str().expect("words are text").to_owned()).collect());
                    }
                    _ => args(inner, all),
                }
            }
        }
        Value::Sequence(list) => list.iter().for_each(|inner| args(inner, all)),
        _ => {}
    }
}

#[test]
fn deploy_kubernetes_runs_commands_of_this_build() {
    for path in files("kubernetes", "yaml") {
        let document: Value = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut commands = Vec::new();
        args(&document, &mut commands);
        assert_eq!(commands.len(), 1, "{}", path.display());
        understood(&path, &commands[0]);
    }
}

#[test]
fn deploy_systemd_runs_commands_of_this_build() {
    let mut found = 0;
    for path in files("systemd", "service") {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/scrybe-keys ")) {
            found += 1;
            // The only quotes there are around whole words.
            let words: Vec<String> = line
                .split('"')
                .enumerate()
                .flat_map(|(n, part)| match n % 2 {
                    1 => vec![part.to_owned()],
                    _ => part.split_whitespace().map(str::to_owned).collect(),
                })
                .collect();
            understood(&path, &words);
        }
    }
    assert_eq!(found, 3);
}
