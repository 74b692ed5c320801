//! A run that is asked to stop, loses its terminal or is watched from another one.
//!
//! The first INT or TERM finishes the batch and says how to go on; HUP and a closed stderr do not stop what keeps cells dark.

use crate::support::cli::{Running, binary, start};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use nix::sys::signal::Signal;
use std::process::Stdio;
use std::time::{Duration, Instant};

const ROTATE: [&str; 8] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"];

/// Enough rows for some seconds of moving.
fn large_clinic() -> Option<World> {
    let world = World::ready(Seed { orgs: 1, notes: 200, note_bytes: 900, ..Seed::default() })?;
    world.grow(200);
    Some(world)
}

fn moving(world: &World) -> Running {
    let mut run = world.start(&ROTATE);
    world.wait_until_moving(&mut run);
    run
}

fn goes_on_to_the_end(world: &World) {
    world.run(&ROTATE).expect(0);
    world.run(&["census", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn rotation_interrupted_finishes_its_batch_and_says_how_to_go_on() {
    let Some(world) = large_clinic() else { return };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (run, asked) = (moving(&world), Instant::now());
        run.signal(signal);
        let ran = run.finish().expect(7);
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
        let json = ran.json();
        assert_eq!((&json["status"], &json["changed"]), (&"incomplete".into(), &true.into()), "{json:#}");
        assert_eq!(json["data"]["stopReason"], "interrupt", "{json:#}");
        assert_eq!(world.versions(world.org()), [(1, false), (2, true)]);
    }
    let status = world.run(&["jobs", "status", "latest", "--json"]);
    assert!(status.stdout.contains("stopped") || status.stdout.contains("moving"), "{status:?}");
    goes_on_to_the_end(&world);
}

#[test]
fn rotation_interrupted_before_its_flip_has_changed_nothing() {
    let Some(world) = large_clinic() else { return };
    // Somebody holds the DEK table: the flip waits, and the run is interrupted there.
    let mut holder = world.sql();
    let mut transaction = holder.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE \"EncryptionKey\" IN ROW EXCLUSIVE MODE").unwrap();
    let run = world.start(&ROTATE);
    std::thread::sleep(Duration::from_millis(1500));
    run.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    run.signal(Signal::SIGINT);
    let ran = run.finish();
    assert!([7, 130].contains(&ran.code()), "{ran:?}");
    transaction.rollback().unwrap();
    assert_eq!(world.versions(world.org()), [(1, true)], "{ran:?}");
    goes_on_to_the_end(&world);
}

#[test]
fn rotation_outlives_its_terminal() {
    let Some(world) = large_clinic() else { return };
    let run = moving(&world);
    run.signal(Signal::SIGHUP);
    run.finish().expect(0);
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn rotation_does_not_mind_a_closed_stderr() {
    let Some(world) = large_clinic() else { return };
    let arguments = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--progress", "plain", "-v"];
    let mut command = binary(&arguments, &world.environment);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn rotation_out_of_time_is_incomplete_and_goes_on() {
    let Some(world) = large_clinic() else { return };
    // Somewhere in its start, its plan, its flip or its move: the code says whether there is something to go on with.
    for milliseconds in ["50ms", "400ms", "1200ms"] {
        let ran = world.run(&[&ROTATE[..], &["--timeout", milliseconds]].concat());
        let flipped = world.versions(world.org()).len() > 1;
        assert!([7, 8].contains(&ran.code()) || (flipped && ran.code() == 0), "{ran:?}");
    }
    goes_on_to_the_end(&world);
}

#[test]
fn rotation_is_watched_and_cancelled_from_another_terminal() {
    let Some(world) = large_clinic() else { return };
    let mut run = world.start(&[&ROTATE[..], &["--max-rate", "4000"]].concat());
    world.wait_until_moving(&mut run);
    let listed = world.run(&["jobs", "list", "--json"]).expect(0);
    assert!(listed.stdout.contains("running"), "{listed:?}");
    // The same command again is no second job: it helps.
    let helper = world.start(&ROTATE);
    let helped =
        || world.run(&["jobs", "status", "latest", "--json"]).json()["data"]["processes"].as_array().unwrap().len();
    let began = Instant::now();
    while helped() < 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody joined");
    }
    let watcher = start(binary(&["jobs", "attach", "latest", "--json"], &world.environment));
    let cancelled = world.run(&["jobs", "cancel", "latest", "--yes", "--json"]).expect(0);
    assert_eq!(cancelled.json()["changed"], true);
    for ran in [run.finish(), helper.finish()] {
        assert_eq!(ran.code(), 7, "{ran:?}");
    }
    assert!([0, 7].contains(&watcher.finish().code()));
    world.shrink();
    world.check(Check::half_way());
    // Given up: the cells left behind are re-encrypt's to move, and a new rotation is no continuation.
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn rotation_refuses_an_outage_longer_than_allowed() {
    let Some(world) = large_clinic() else { return };
    let before = world.digest();
    let ran = world.run(&[&ROTATE[..], &["--max-outage", "1s"]].concat()).expect(5);
    assert!(ran.problem_codes().iter().any(|c| c == "outage-too-long"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn rotation_needs_no_more_memory_for_more_rows() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 200, note_bytes: 900, ..Seed::default() }) else { return };
    let few = peak_memory(&world);
    world.grow(250);
    let many = peak_memory(&world);
    assert!(many < few + (24 << 10), "{few} kB for 300 rows, {many} kB for 50,000");
    world.shrink();
    world.check(Check::version(3));
}

/// Most memory one rotation held, in kB, as the kernel counted it.
fn peak_memory(world: &World) -> u64 {
    let mut run = world.start(&ROTATE);
    let status = format!("/proc/{}/status", run.child.id());
    let mut peak = 0;
    while run.is_running() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        peak = peak.max(line.trim().trim_end_matches(" kB").parse().unwrap());
        std::thread::sleep(Duration::from_millis(2));
    }
    run.finish().expect(0);
    assert!(peak > 1000, "nothing was measured");
    peak
}
