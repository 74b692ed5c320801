//! The arrows of the house, read from the source: who may know whom, who may print, who may read the environment, where SQL lives.
//! Text is enough here: a rule that needs a compiler to be broken by accident is not a rule one trips over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A source file without its comments, by its path under the crate.
struct Source {
    path: String,
    text: String,
    code: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let all: Vec<Source> = files(&root().join("src"), ".rs")
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().map(|line| line.split("// ").next().unwrap_or("").trim_end().to_owned());
            let code =
                code.map(|line| if line.trim_start().starts_with("//") { String::new() } else { line }).collect();
            Source { path: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text, code }
        })
        .collect();
    assert!(all.len() > 40, "the source was not found");
    all
}

/// Lines in `rooms` (path prefixes; none means everywhere) but not in `except` that hold one of `words`.
fn offences(rooms: &[&str], except: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources() {
        let within = |prefixes: &[&str]| prefixes.iter().any(|prefix| source.path.starts_with(prefix));
        if (!rooms.is_empty() && !within(rooms)) || within(except) {
            continue;
        }
        for (number, line) in source.code.iter().enumerate() {
            if let Some(word) = words.iter().find(|word| holds(line, word)) {
                found.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    found
}

/// True when `line` holds `word` and not as the end of a longer name (`my_print!(` does not hold `print!(`).
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The line an offence names.
fn line_at(offence: &str) -> String {
    let mut parts = offence.split(':');
    let (path, number) = (parts.next().unwrap(), parts.next().unwrap().parse::<usize>().unwrap());
    std::fs::read_to_string(root().join(path)).unwrap().lines().nth(number - 1).unwrap().to_owned()
}

fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}\n  {}", offences.join("\n  "));
}

#[test]
fn core_is_pure_and_knows_nobody() {
    let outside = [
        "clap",
        "tokio",
        "postgres::",
        "aws_sdk",
        "aws_config",
        "std::env",
        "std::fs",
        "net::Tcp",
        "net::Udp",
        "ToSocketAddrs",
        "std::process",
        "std::thread",
        "SystemTime::now",
        "Timestamp::now",
        "Instant::now",
        "println!",
        "eprintln!",
        "print!(",
        "async ",
        ".await",
        "crate::app",
        "crate::aws",
        "crate::command",
        "crate::config",
        "crate::db",
        "crate::local",
        "crate::ops",
        "crate::ui",
        "crate::error",
    ];
    assert_none("core has no I/O, clock, terminal or neighbours", &offences(&["src/core/"], &[], &outside));
}

#[test]
fn only_ui_prints() {
    let printing = ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!(", "io::stdout()", "io::stderr()"];
    assert_none("printing belongs to src/ui", &offences(&[], &["src/ui/"], &printing));
}

#[test]
fn only_config_reads_the_environment() {
    assert_none(
        "std::env belongs to src/config",
        &offences(&[], &["src/config/", "src/main.rs"], &["std::env", "env::var"]),
    );
}

#[test]
fn async_stays_in_its_rooms() {
    let words = ["async fn", "async move", ".await", "tokio::", "block_on("];
    assert_none(
        "async belongs to src/aws and the endpoint",
        &offences(&[], &["src/aws/", "src/local/endpoint"], &words),
    );
}

#[test]
fn sql_lives_in_db() {
    let calls = [
        "postgres::",
        "postgres_types",
        ".query(\"",
        ".query_one(",
        ".query_opt(",
        ".batch_execute(",
        ".copy_in(",
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE ",
        "\"CREATE ",
        "\"ALTER ",
        "\"DROP ",
        "\"LOCK ",
        "\"BEGIN",
        "\"COMMIT",
    ];
    // A hint may show the operator a statement to run.
    let found = offences(&[], &["src/db/"], &calls);
    let found: Vec<_> = found.into_iter().filter(|offence| !line_at(offence).contains(".hint(")).collect();
    assert_none("SQL belongs to src/db", &found);
}

#[test]
fn arrows_point_inward() {
    assert_none(
        "aws may not know db: the sync client panics inside a runtime",
        &offences(&["src/aws/", "src/local/"], &[], &["crate::db", "postgres"]),
    );
    assert_none(
        "aws and local know only core",
        &offences(&["src/aws/", "src/local/"], &[], &["crate::app", "crate::command", "crate::ops", "crate::ui"]),
    );
    assert_none(
        "db knows neither verbs nor terminal",
        &offences(
            &["src/db/"],
            &[],
            &["crate::app", "crate::command", "crate::ops", "crate::ui", "crate::aws", "crate::local"],
        ),
    );
    assert_none(
        "ui knows nothing of keys and databases",
        &offences(
            &["src/ui/"],
            &[],
            &["crate::db", "crate::aws", "crate::local", "crate::ops", "crate::command", "crate::app"],
        ),
    );
    assert_none(
        "config reads, it does not act",
        &offences(
            &["src/config/"],
            &[],
            &["crate::db", "crate::aws", "crate::local", "crate::ops", "crate::ui", "crate::command", "crate::app"],
        ),
    );
    assert_none("what the tool does knows no verb", &offences(&["src/ops/"], &[], &["crate::command"]));
}

#[test]
fn no_secret_type_can_be_printed() {
    let derived = sources().into_iter().flat_map(|source| {
        let lines = source.code.clone();
        (1..lines.len())
            .filter(move |at| lines[*at].contains("pub struct Dek(") || lines[*at].contains("pub struct Kek("))
            .map(move |at| (source.path.clone(), source.code[at - 1].clone()))
            .collect::<Vec<_>>()
    });
    let mut seen = 0;
    for (path, attribute) in derived {
        seen += 1;
        assert!(
            !attribute.contains("Debug") && !attribute.contains("Serialize"),
            "{path}: a key must not be printable"
        );
    }
    assert!(seen >= 2, "the key types were not found");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .iter()
        .filter(|s| !s.text.trim().is_empty() && !s.text.starts_with("//!"))
        .map(|s| s.path.clone())
        .collect();
    assert_none("a file opens with //!", &silent);
}

#[test]
fn there_are_no_attics() {
    let attics = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "handler"];
    let named: Vec<_> = sources()
        .iter()
        .filter(|s| {
            Path::new(&s.path)
                .components()
                .any(|c| attics.contains(&c.as_os_str().to_string_lossy().trim_end_matches(".rs")))
        })
        .map(|s| s.path.clone())
        .collect();
    assert_none("a file is named for what is in it", &named);
    let long: Vec<_> = sources()
        .iter()
        .filter(|s| s.text.lines().count() > 600)
        .map(|s| format!("{}: {} lines", s.path, s.text.lines().count()))
        .collect();
    assert_none("a file aims for 400 lines, and well over that it is split by noun", &long);
}

#[test]
fn nothing_is_left_to_do() {
    assert_none("a stub is not done", &offences(&[], &[], &["todo!(", "unimplemented!(", "#[ignore"]));
    let accessors: Vec<_> = offences(&[], &[], &["fn get_"]);
    assert_none("accessors are named for what they give", &accessors);
}

#[test]
fn exit_codes_are_written_once() {
    for (exit, meaning) in scrybe_keys::exit::TABLE {
        let twins: Vec<_> = sources()
            .iter()
            .filter(|s| s.path != "src/exit.rs" && s.text.contains(meaning))
            .map(|s| s.path.clone())
            .collect();
        assert_none(&format!("exit code {} is explained in src/exit.rs alone", exit.code()), &twins);
    }
    let numbers: BTreeMap<u8, &str> =
        scrybe_keys::exit::TABLE.iter().map(|(exit, meaning)| (exit.code(), *meaning)).collect();
    assert_eq!(numbers.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
}

#[test]
fn every_test_file_is_listed() {
    let list = std::fs::read_to_string(root().join("tests/all.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_module = path.extension().is_some_and(|e| e == "rs") && name != "all" || path.join("mod.rs").exists();
        assert!(
            !is_module || list.lines().any(|line| line.trim() == format!("mod {name};")),
            "tests/{name} is not listed in tests/all.rs"
        );
    }
}
