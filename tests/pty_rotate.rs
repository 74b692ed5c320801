//! What only a terminal shows: the question of `rotate`, Ctrl-C at it, colour and its absence, a narrow screen.

use crate::support::cli::binary;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

const ROTATE: [&str; 6] = ["rotate", "--all", "--reason", "test", "--settle", "0s"];

fn clinic() -> Option<World> {
    World::ready(Seed { orgs: 1, notes: 30, ..Seed::default() })
}

/// The binary on a terminal of 80 columns.
fn on_terminal(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> PtySession {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "stty cols 80 rows 24; exec \"$0\" \"$@\""]);
    let command = binary(arguments, &world.environment);
    shell
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(&world.environment)
        .env("TERM", "xterm-256color")
        .envs(variables.iter().copied());
    spawn_command(shell, Some(60_000)).unwrap()
}

fn code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

/// Text as one sees it: no escape sequences.
fn seen(text: &str) -> String {
    // The session hands bytes on as characters.
    let text = String::from_utf8(text.chars().map(|c| c as u8).collect()).unwrap();
    let (mut out, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = rest[at + 1..]
            .trim_start_matches(['[', '?', ';'])
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.get(1..).unwrap_or("");
    }
    out + rest
}

#[test]
fn pty_rotate_asks_and_yes_does_it() {
    let Some(world) = clinic() else { return };
    let mut session = on_terminal(&world, &ROTATE, &[]);
    let before = session.exp_regex(r"(?i)\[?y/n\]?").unwrap().0;
    assert!(
        seen(&before).contains(world.org()) || seen(&before).contains("1 organization"),
        "the plan comes before the question: {before}"
    );
    assert_eq!(world.versions(world.org()), [(1, true)], "nothing is done before the answer");
    session.send("y").unwrap();
    session.send_line("").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(code(&session), 0);
    world.check(Check::version(2));
}

#[test]
fn pty_rotate_asks_and_enter_alone_is_no() {
    let Some(world) = clinic() else { return };
    let mut session = on_terminal(&world, &ROTATE, &[]);
    session.exp_regex(r"(?i)\[?y/n\]?").unwrap();
    session.send_line("").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(code(&session), 4);
    world.check(Check::version(1));
}

#[test]
fn pty_rotate_ctrl_c_at_the_question_is_130_and_changes_nothing() {
    let Some(world) = clinic() else { return };
    let before = world.digest();
    let mut session = on_terminal(&world, &ROTATE, &[]);
    session.exp_regex(r"(?i)\[?y/n\]?").unwrap();
    session.send_control('c').unwrap();
    let rest = session.exp_eof().unwrap();
    assert_eq!(code(&session), 130, "{rest}");
    assert!(!rest.contains("\u{1b}[?25l") || rest.contains("\u{1b}[?25h"), "the cursor stays hidden: {rest:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn pty_no_color_means_none_and_a_terminal_gets_some() {
    let Some(world) = clinic() else { return };
    let colour = |variables: &[(&str, &str)], more: &[&str]| {
        let mut session =
            on_terminal(&world, &[&["rotate", "--org", "nobody", "--reason", "x", "--yes"], more].concat(), variables);
        let text = session.exp_eof().unwrap();
        assert_eq!(code(&session), 5, "{text}");
        assert!(seen(&text).contains("nobody"), "{text}");
        text.contains("\u{1b}[3") || text.contains("\u{1b}[1;3") || text.contains("\u{1b}[1m")
    };
    assert!(colour(&[], &[]), "a terminal is shown no colour");
    assert!(!colour(&[("NO_COLOR", "1")], &[]), "NO_COLOR is not honoured");
    assert!(colour(&[("NO_COLOR", "1")], &["--color", "always"]), "a flag is stronger than the variable");
    assert!(!colour(&[], &["--color", "never"]));
}

#[test]
fn pty_tables_fit_80_columns() {
    let Some(world) = clinic() else { return };
    for arguments in [
        &["context"][..],
        &["census"],
        &["keys", "list"],
        &["jobs", "list"],
        &["health"],
        &["rotate", "--all", "--reason", "test", "--dry-run"],
    ] {
        let mut session = on_terminal(&world, arguments, &[]);
        let text = seen(&session.exp_eof().unwrap());
        for line in text.lines().map(|l| l.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("")) {
            // Ids are never cut: the line that says where one is, and a finding about a key's ARN, may be longer.
            let long = line.contains(" · ") || line.split_whitespace().any(|word| word.chars().count() > 60);
            let columns = line.chars().count();
            assert!(columns <= 80 || long, "{arguments:?}: {columns} columns: {line}");
        }
        let code = code(&session);
        assert!([0, 3].contains(&code), "{arguments:?} ended with {code}: {text}");
    }
}

#[test]
fn pty_severe_wants_the_shown_text_typed() {
    let Some(world) = clinic() else { return };
    let org = world.org().to_owned();
    let arguments = ["rotate", "--org", &org, "--dek-only", "--reason", "test"];
    for (typed, ends_with, versions) in [("yes", 4, vec![(1, true)]), (&org, 0, vec![(1, false), (2, true)])] {
        let mut session = on_terminal(&world, &arguments, &[]);
        session.exp_string(&format!("Type {org} to go on")).unwrap();
        session.send(typed).unwrap();
        session.send("\r").unwrap();
        session.flush().unwrap();
        session.exp_eof().unwrap();
        assert_eq!(code(&session), ends_with, "{typed}");
        let mut found = world.versions(&org);
        found.sort_unstable();
        assert_eq!(found, versions, "{typed}");
    }
}
