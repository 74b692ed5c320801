//! Orders from another terminal: hold, go on, faster, slower, give up. What they do is looked for in the data, not in their answers.
//!
//! While cells are dark a plain `pause` waits for the organization's end; only `--while-dark` stands still in the dark.

use crate::support::cli::Running;
use crate::support::crowd::{JOIN, wait_for};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::{Duration, Instant};

fn rotate(more: &[&'static str]) -> Vec<&'static str> {
    [&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"], more].concat()
}

/// Rows enough for several chunks of one table.
fn large_clinic(orgs: u32, times: i32) -> Option<World> {
    let world = World::ready(Seed { orgs, notes: 200, note_bytes: 400, ..Seed::default() })?;
    world.grow(times);
    Some(world)
}

fn moving(world: &World, more: &[&'static str]) -> Running {
    let mut run = world.start(&rotate(more));
    world.wait_until_moving(&mut run);
    run
}

fn visited(world: &World) -> i64 {
    world.number("SELECT coalesce(sum(rows_visited), 0) FROM scrybe_keys.job_chunk")
}

fn states(world: &World) -> String {
    world.text("SELECT string_agg(state, ' ' ORDER BY ordinal) FROM scrybe_keys.job_organization")
}

/// True when a process at work says this of what slows it down or what it does.
fn says(world: &World, what: &str) -> bool {
    let status = world.job_status();
    let alive = |p: &&serde_json::Value| p["alive"] == true;
    status["processes"].as_array().unwrap().iter().filter(alive).any(|p| {
        p["slowedBy"].as_str().unwrap_or_default().contains(what) || p["doing"].as_str().unwrap().contains(what)
    })
}

/// Rows a second over about two seconds, once what was asked has had time to be heard.
fn rate(world: &World) -> f64 {
    std::thread::sleep(Duration::from_millis(1500));
    let (before, since) = (visited(world), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    (visited(world) - before) as f64 / since.elapsed().as_secs_f64()
}

#[track_caller]
fn ends_well(world: &World, runs: impl IntoIterator<Item = Running>) {
    for run in runs {
        run.finish().expect(0);
    }
    world.run(&["census", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn control_pause_waits_for_the_organizations_end_while_it_is_dark() {
    let Some(world) = large_clinic(2, 10) else { return };
    let run = moving(&world, &["--max-rate", "1500"]);
    world.run(&["jobs", "pause", "latest", "--json"]).expect(0);
    assert_eq!(states(&world), "moving pending", "it came too late to show anything");
    wait_for("the runner holds between two organizations", || says(&world, "waiting: paused"));
    assert_eq!(states(&world), "moved pending", "what was dark is finished, and no more is begun");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(states(&world), "moved pending");
    assert_eq!(world.versions(&world.seeded.organizations[1]), [(1, true)]);
    world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]).expect(0);
    world.run(&["jobs", "unpause", "latest", "--json"]).expect(0);
    ends_well(&world, [run]);
}

#[test]
fn control_pause_while_dark_holds_every_process_at_once() {
    let Some(world) = large_clinic(1, 60) else { return };
    let run = moving(&world, &["--max-rate", "2000", "--workers", "1"]);
    let mut helper = world.start(&JOIN);
    world.wait_until_it_walks(&mut helper);
    world.run(&["jobs", "pause", "latest", "--while-dark", "--json"]).expect(0);
    let paused = "SELECT count(*) FROM scrybe_keys.job_process WHERE slowed_by = 'paused'";
    wait_for("both processes are paused", || world.number(paused) == 2);
    assert_eq!(world.job_status()["state"], "paused");
    std::thread::sleep(Duration::from_millis(300));
    let before = visited(&world);
    // Longer than a batch takes, and than a held chunk's lease is renewed after.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(visited(&world), before, "rows were moved while paused");
    world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]).expect(0);
    world.run(&["jobs", "unpause", "latest", "--json"]).expect(0);
    ends_well(&world, [run, helper]);
}

#[test]
fn control_tune_limits_and_frees_the_rate_of_all_processes_together() {
    let Some(world) = large_clinic(1, 80) else { return };
    let run = moving(&world, &["--max-rate", "400", "--workers", "1"]);
    let mut helper = world.start(&JOIN);
    world.wait_until_it_walks(&mut helper);
    let slow = rate(&world);
    assert!((100.0..700.0).contains(&slow), "{slow} rows/s under a limit of 400");
    world.run(&["jobs", "tune", "latest", "--max-rate", "1600", "--json"]).expect(0);
    let faster = rate(&world);
    assert!((slow * 1.5..2600.0).contains(&faster), "{faster} rows/s under a limit of 1600, {slow} before");
    assert!(says(&world, "limited to 800 rows/s here"), "{:#}", world.job_status());
    world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]).expect(0);
    let since = Instant::now();
    ends_well(&world, [run, helper]);
    // At 1600 rows a second the rest would take eight seconds and more.
    assert!(since.elapsed() < Duration::from_secs(40), "the limit was not lifted: {:?}", since.elapsed());
}

#[test]
fn control_tune_changes_workers_and_batches_of_a_walk_under_way() {
    let Some(world) = large_clinic(1, 100) else { return };
    let run = moving(&world, &["--max-rate", "1000", "--workers", "1"]);
    let held = || {
        world.number("SELECT count(*) FROM scrybe_keys.job_chunk WHERE lease_process IS NOT NULL AND NOT done AND lease_until > clock_timestamp()")
    };
    let tune = |what: &str, value: &str| {
        world.run(&["jobs", "tune", "latest", what, value, "--json"]).expect(0);
    };
    assert_eq!(held(), 1);
    tune("--workers", "4");
    wait_for("four workers hold a chunk each", || held() == 4);
    tune("--workers", "1");
    wait_for("one worker is left", || held() == 1);
    // Down and up again before those too many have left: no more than were asked for.
    tune("--workers", "3");
    tune("--workers", "1");
    tune("--workers", "3");
    wait_for("three workers hold a chunk each", || held() == 3);
    for _ in 0..100 {
        assert!(held() <= 3, "{} chunks are held by three workers", held());
        std::thread::sleep(Duration::from_millis(10));
    }
    tune("--batch-rows", "20");
    std::thread::sleep(Duration::from_millis(1500));
    let batches = || world.number("SELECT count(*) FROM scrybe_keys.job_write");
    let (rows_before, batches_before) = (visited(&world), batches());
    std::thread::sleep(Duration::from_millis(1500));
    let (rows, count) = (visited(&world) - rows_before, batches() - batches_before);
    assert!(count > 0 && rows as f64 / count as f64 <= 25.0, "{rows} rows in {count} batches of at most 20");
    tune("--max-rate", "0");
    tune("--batch-rows", "1000");
    ends_well(&world, [run]);
}

#[test]
fn control_cancel_is_heard_by_everybody_while_cached_keys_run_out() {
    let Some(world) = large_clinic(1, 0) else { return };
    let run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "300s", "--yes", "--json"]);
    let helper = world.start(&JOIN);
    wait_for("it waits for cached keys", || {
        world.number("SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: % until cached%'") > 0
    });
    world.run(&["jobs", "cancel", "latest", "--yes", "--json"]).expect(0);
    for ran in [run.finish(), helper.finish()] {
        assert_eq!(ran.code(), 7, "{ran:?}");
        assert_eq!(ran.json()["data"]["stopReason"], "interrupt", "{ran:?}");
    }
    // An ended job takes no more orders.
    for order in [
        &["jobs", "pause", "latest"][..],
        &["jobs", "unpause", "latest"],
        &["jobs", "tune", "latest", "--workers", "2"],
    ] {
        world.run(order).expect(5).says("has ended");
    }
    world.check(Check::version(2));
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn control_cancel_is_heard_while_every_cell_is_read() {
    let Some(world) = large_clinic(1, 0) else { return };
    let run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "2s", "--yes", "--json"]);
    wait_for("it waits for cached keys", || {
        world.number("SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: % until cached%'") > 0
    });
    // The reading waits for a table, and not because a writer is waited for.
    let (mut slow, mut eye) = (world.sql(), world.sql());
    slow.batch_execute("SET application_name = 'scrybe-keys'").unwrap();
    let pid: i32 = slow.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let mut lock = slow.transaction().unwrap();
    lock.batch_execute("LOCK TABLE \"Note\" IN ACCESS EXCLUSIVE MODE").unwrap();
    let reads = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    wait_for("the reading waits", || eye.query_one(reads, &[&pid]).unwrap().get::<_, i64>(0) > 0);
    world.sql().batch_execute("UPDATE scrybe_keys.job SET cancel_asked = true").unwrap();
    std::thread::sleep(Duration::from_millis(2000));
    lock.rollback().unwrap();
    let ran = run.finish().expect(7);
    assert_eq!(world.text("SELECT state FROM scrybe_keys.job"), "cancelled", "{ran:?}");
    world.check(Check::version(2));
}

#[test]
fn control_cancel_whose_terminal_died_leaves_no_helper_spinning() {
    let Some(world) = large_clinic(1, 60) else { return };
    let world = world.configured("");
    let mut run = moving(&world, &["--max-rate", "1000"]);
    let mut helper = world.start(&JOIN);
    world.wait_until_it_walks(&mut helper);
    run.kill();
    // What a killed `jobs cancel` leaves behind: asked, and nobody there to hear it but helpers.
    world.sql().batch_execute("UPDATE scrybe_keys.job SET cancel_asked = true").unwrap();
    run.finish();
    let helped = helper.finish();
    assert_eq!(helped.code(), 7, "{helped:?}");
    assert_eq!(world.text("SELECT state FROM scrybe_keys.job"), "cancelled");
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
}
