//! Rotation beside a live application: another process saves, inserts, moves rows and rotates by itself.
//!
//! `tests/foreign/writer.py` is that application: it keeps a DEK in memory for a while after the flip and goes on writing
//! under it. No write may be lost, and the closing census is clean or the run says that it was superseded.

use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// The application, running.
struct Application {
    child: Child,
    answer: BufReader<std::process::ChildStdout>,
}

impl Application {
    /// Starts it and waits until it has its DEKs in memory.
    fn start(mut command: Command) -> Application {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut answer = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Application { child, answer }
    }

    /// Ends it and takes its counts.
    fn stop(mut self) -> serde_json::Value {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), nix::sys::signal::Signal::SIGTERM)
            .unwrap();
        let mut text = String::new();
        self.answer.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn rotation_beside_an_application_that_writes_late_loses_no_write() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 400, ..Seed::default() }) else { return };
    let mut writer = world.writer();
    writer.args(["--cache-seconds", "2", "--seconds", "100"]);
    let application = Application::start(writer);
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "4s", "--yes", "--json"]);
    let counts = application.stop();
    assert_eq!(ran.status.code(), Some(0), "{counts} {ran:?}");
    for kind in ["edited", "moved", "inserted", "late"] {
        assert!(counts[kind].as_u64().unwrap() > 0, "the application never {kind}: {counts}");
    }
    world.check(Check { with_journal: true, ..Check::version(2) });
    world.run(&["census", "--json"]).expect(0);
}

#[test]
fn rotation_beside_an_application_that_rotates_itself_says_superseded() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 400, ..Seed::default() }) else { return };
    let mut writer = world.writer();
    writer.args([
        "--cache-seconds",
        "2",
        "--seconds",
        "100",
        "--pause",
        "0.01",
        "--rotate",
        world.org(),
        "--rotate-on-version",
        "2",
    ]);
    let application = Application::start(writer);
    let ran = world.run(&["rotate", "--all", "--reason", "test", "--settle", "3s", "--yes", "--json"]);
    let counts = application.stop();
    assert_eq!(counts["rotated"], true, "{counts}");
    assert_eq!(ran.status.code(), Some(5), "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("superseded"), "{ran:?}");
    assert_eq!(world.versions(world.org()), [(1, false), (2, false), (3, true)]);
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check { with_journal: true, ..Check::version(3) });
    world.run(&["census", "--json"]).expect(0);
}

#[test]
fn rotation_beside_a_second_rotation_makes_one_version() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 300, ..Seed::default() }) else { return };
    let rotate = ["rotate", "--all", "--reason", "test", "--settle", "1s", "--yes", "--json"];
    let runs = [world.start(&rotate), world.start(&rotate), world.start(&rotate)].map(|run| run.finish());
    for ran in &runs {
        assert!([0, 5].contains(&ran.code()), "{ran:?}");
    }
    assert!(runs.iter().any(|r| r.code() == 0), "{runs:?}");
    world.run(&["census", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn rotation_beside_an_open_transaction_waits_and_finds_what_it_wrote() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    // The application began before the flip, wrote under the version it had, and commits late.
    let (mut late, mut sql) = (world.sql(), world.sql());
    let note: (String, String) = sql
        .query_one("SELECT id, content FROM \"Note\" WHERE content LIKE 'enc:v1:%' ORDER BY id LIMIT 1", &[])
        .map(|r| (r.get(0), r.get(1)))
        .unwrap();
    let mut transaction = late.transaction().unwrap();
    let copy = "INSERT INTO \"Note\" SELECT (jsonb_populate_record(n, '{\"id\": \"written-late\"}')).* FROM \"Note\" n WHERE id = $1";
    transaction.execute(copy, &[&note.0]).unwrap();
    let run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"]);
    let flipped = "SELECT count(*) FROM \"EncryptionKey\" WHERE \"keyVersion\" = 2";
    while sql.query_one(flipped, &[]).unwrap().get::<_, i64>(0) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(1500));
    transaction.commit().unwrap();
    run.finish().expect(0);
    world.run(&["census", "--json"]).expect(0);
    // What was written late takes the place of the note it copied: the manifest then says what it must hold.
    let moved = sql
        .query_one("DELETE FROM \"Note\" WHERE id = 'written-late' RETURNING content", &[])
        .unwrap()
        .get::<_, String>(0);
    assert_ne!(moved, note.1);
    sql.execute("UPDATE \"Note\" SET content = $1 WHERE id = $2", &[&moved, &note.0]).unwrap();
    world.check(Check::version(2));
}
