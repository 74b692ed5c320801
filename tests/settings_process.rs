//! What the process does besides its work: signals, deadlines, closed streams, core files. With the real binary, against a database
//! that takes the connection and never says a word.

use crate::support::cli::{Running, binary, start};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A server that accepts and stays silent.
struct Silent {
    _listener: TcpListener,
    url: String,
}

impl Silent {
    fn new() -> Silent {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url =
            format!("postgresql://app@{}/clinic?sslmode=disable&connect_timeout=60", listener.local_addr().unwrap());
        Silent { _listener: listener, url }
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let environment = BTreeMap::from([
            ("DATABASE_URL".to_owned(), self.url.clone()),
            ("SCRYBE_KMS".to_owned(), "dev".to_owned()),
        ]);
        let running = start(binary(arguments, &environment));
        // Long enough to be waiting for the server; a test that signals too early would fail, not pass.
        std::thread::sleep(Duration::from_millis(700));
        running
    }
}

#[test]
fn an_interrupt_ends_what_only_reads_at_once() {
    let silent = Silent::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = silent.start(&["context", "--json"]);
        let asked = Instant::now();
        running.signal(signal);
        let ran = running.finish().expect(130);
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert_eq!(ran.json()["exitCode"], 130);
        assert_eq!(ran.problem_codes(), ["interrupted"]);
    }
}

#[test]
fn a_deadline_ends_a_run_that_hangs() {
    let silent = Silent::new();
    let ran = silent.start(&["context", "--timeout", "1s", "--json"]).finish().expect(8);
    assert_eq!(ran.problem_codes(), ["timed-out"]);
    ran.says("not done within --timeout 1s");
}

#[test]
fn a_lost_terminal_does_not_stop_the_work_and_no_core_file_is_left() {
    let silent = Silent::new();
    let mut running = silent.start(&["context"]);
    running.signal(Signal::SIGHUP);
    running.signal(Signal::SIGPIPE);
    std::thread::sleep(Duration::from_millis(300));
    assert!(running.is_running());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.child.id())).unwrap();
    let core: Vec<&str> =
        limits.lines().find(|l| l.starts_with("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
    running.signal(Signal::SIGINT);
    running.finish().expect(130);
}

fn shell(script: &str) -> i32 {
    let script = script.replace("$BIN", env!("CARGO_BIN_EXE_scrybe-keys"));
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .env("SCRYBE_KMS", "dev")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().code().unwrap()
}

#[test]
fn closed_streams_are_no_reason_to_stop() {
    assert_eq!(shell("$BIN context 2>&-"), 0);
    assert_eq!(shell("$BIN context >&-"), 0);
    assert_eq!(shell("$BIN context >&- 2>&- <&-"), 0);
}

#[test]
fn an_answer_that_cannot_be_written_is_a_fault() {
    assert_eq!(shell("$BIN context >/dev/full"), 1);
}

#[test]
fn a_reader_that_went_away_is_no_fault() {
    // The writer's own exit code, taken after its reader has closed the pipe.
    let mut child = Command::new(env!("CARGO_BIN_EXE_scrybe-keys"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}
