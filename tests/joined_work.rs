//! Several processes over one job, as several terminals or machines start them: by the same command, by `--join`, before it or during it.
//!
//! Whoever ends, is killed or comes late: every cell is moved once, the job is ended once, and each process says how it ended.

use crate::support::crowd::{JOIN, wait_for};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::{Duration, Instant};

const ROTATE: [&str; 10] =
    ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json", "--max-rate", "4000"];

#[test]
fn joined_processes_share_the_work_and_end_alike() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 300, note_bytes: 400, ..Seed::default() }) else { return };
    let world = world.configured("  workers: 1\n");
    // Five chunks of one table: there is something for everybody.
    world.grow(70);
    let cells = world.sealed_cells();
    let early = world.start(&JOIN);
    let rotate = [&ROTATE[..8], &["--max-rate", "2000"]].concat();
    let mut runner = world.start(&rotate);
    world.wait_until_moving(&mut runner);
    let same = world.start(&rotate);
    let id = world.text("SELECT job_id FROM scrybe_keys.job");
    let by_id = world.start(&["re-encrypt", "--join", &id, "--yes", "--json"]);
    let mut status = world.job_status();
    wait_for("four processes are at work", || {
        status = world.job_status();
        let all = status["processes"].as_array().unwrap();
        let at_work = |p: &&serde_json::Value| p["alive"] == true && p["rowsVisited"].as_i64() > Some(0);
        let fast = |p: &&serde_json::Value| p["rowsPerSecond"].as_f64() > Some(0.0);
        all.iter().filter(at_work).count() == 4 && all.iter().filter(fast).count() >= 3
    });
    let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
    wait_for("four processes are at work", || {
        status = world.job_status();
        let all = status["processes"].as_array().unwrap();
        all.iter().filter(|p| p["alive"] == true && p["rowsPerSecond"].as_f64().unwrap() > 0.0).count() == 4
    });
    for run in [&early, &runner, &same, &by_id] {
        let all = status["processes"].as_array().unwrap();
        let own = all.iter().find(|p| p["pid"] == run.child.id()).unwrap_or_else(|| panic!("{status:#}"));
        assert_eq!(own["host"], host.as_str(), "{status:#}");
        assert!(own["workers"].as_i64().unwrap() >= 1 && !own["doing"].as_str().unwrap().is_empty(), "{status:#}");
    }
    let shown = world.run(&["jobs", "status"]).expect(0);
    for run in [&early, &runner, &same, &by_id] {
        let (host, pid) = (format!("{host} "), run.child.id().to_string());
        let own = |line: &&str| line.starts_with(&host) && line.split_whitespace().nth(1) == Some(&pid);
        assert_eq!(shown.stdout.lines().filter(own).count(), 1, "{shown:?}");
    }
    world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]).expect(0);
    for run in [early, runner, same, by_id] {
        let ran = run.finish().expect(0);
        let json = ran.json();
        assert_eq!((&json["data"]["job"], &json["data"]["finished"]), (&id.clone().into(), &true.into()), "{ran:?}");
    }
    assert_eq!(world.cells_moved(), cells, "every cell is moved once");
    let helped = world.number("SELECT count(*) FROM scrybe_keys.job_process WHERE cells_moved > 0");
    assert!(helped >= 3, "{helped} of four processes moved something: {:#}", world.job_status());
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.job"), 1);
    world.run(&["census", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn joined_workers_that_are_killed_are_taken_over_at_once() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 300, note_bytes: 600, ..Seed::default() }) else { return };
    // The lease's twenty seconds are not waited for: whoever is dead holds nothing.
    world.grow(60);
    let cells = world.sealed_cells();
    let mut runner = world.start(&[&ROTATE[..8], &["--max-rate", "3000", "--workers", "1"]].concat());
    world.wait_until_moving(&mut runner);
    for _ in 0..2 {
        let mut helper = world.start(&JOIN);
        world.wait_until_it_walks(&mut helper);
        helper.kill();
        assert!(helper.finish().was_killed());
    }
    let began = Instant::now();
    runner.finish().expect(0);
    assert!(began.elapsed() < Duration::from_secs(15), "a dead helper's chunk was waited for: {:?}", began.elapsed());
    assert!(world.number("SELECT max(fence) FROM scrybe_keys.job_chunk") > 1, "nothing was taken over");
    assert_eq!(world.cells_moved(), cells, "every cell is moved once");
    let status = world.job_status();
    assert!(status["processes"].as_array().unwrap().iter().all(|p| p["alive"] == false), "{status:#}");
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn joined_helpers_run_the_job_on_when_its_runner_is_killed() {
    let Some(world) = World::ready(Seed { orgs: 3, notes: 200, note_bytes: 600, ..Seed::default() }) else { return };
    let world = world.configured("");
    let cells = world.sealed_cells();
    let slow = [&ROTATE[..8], &["--max-rate", "400"]].concat();
    let mut runner = world.start(&slow);
    world.wait_until_moving(&mut runner);
    let helpers = [world.start(&JOIN), world.start(&JOIN)];
    for helper in &helpers {
        let pid = helper.child.id();
        wait_for("it has joined", || {
            world.number(&format!("SELECT count(*) FROM scrybe_keys.job_process WHERE pid = {pid}")) == 1
        });
    }
    runner.kill();
    assert!(runner.finish().was_killed());
    assert!(
        world.number("SELECT count(*) FROM scrybe_keys.job_organization WHERE state = 'pending'") > 0,
        "it came too late"
    );
    for helper in helpers {
        let ran = helper.finish().expect(0);
        let json = ran.json();
        let rotations = json["data"]["rotations"].as_array().unwrap();
        assert_eq!(rotations.len(), 3, "{ran:?}");
        for rotation in rotations {
            assert_eq!((&rotation["success"], &rotation["newVersion"]), (&true.into(), &2.into()), "{ran:?}");
        }
        assert_eq!(json["data"]["finished"], true, "{ran:?}");
        let counts = json["data"]["census"]["counts"].as_array().unwrap();
        assert!(!counts.is_empty() && counts.iter().all(|c| c["protection"] != "stale"), "{ran:?}");
    }
    assert_eq!(world.cells_moved(), cells, "every cell is moved once");
    assert_eq!(world.text("SELECT string_agg(state, ',') FROM scrybe_keys.job"), "done");
    assert_eq!(world.audited("RE_ENCRYPTION_COMPLETED", "outcome"), 1);
    world.run(&["census", "--json"]).expect(0);
    world.run(&["audit", "verify", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn joined_helpers_run_the_job_on_wherever_its_runner_died() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 40, ..Seed::default() }) else { return };
    let world = world.configured("");
    let saved = world.saved();
    let rotate = &ROTATE[..8];
    for point in ["flip-before-commit:2", "batch-before-commit:3", "before-census", "before-delivered"] {
        world.database.restore(&saved);
        let helper = world.start(&JOIN);
        let died = world.run_with("SCRYBE_KEYS_CRASH_AT", point, rotate);
        assert!(died.was_killed(), "nothing died at {point}: {died:?}");
        let ran = helper.finish();
        assert_eq!(ran.code(), 0, "after a death at {point}: {ran:?}");
        assert_eq!(
            world.text("SELECT string_agg(state, ',') FROM scrybe_keys.job"),
            "done",
            "after a death at {point}"
        );
        if let Err(trouble) = world.try_check(&Check::version(2)) {
            panic!("after a death at {point}: {trouble}\n{ran:?}");
        }
        world.run(&["audit", "verify", "--json"]).expect(0);
    }
}
