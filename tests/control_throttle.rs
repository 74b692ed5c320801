//! Throttle inputs: each slows a dark organization down to the floor, holds the next one back, and says why in `jobs status`.
//!
//! A reading that cannot be taken counts as the slowest setting. When the reason is gone the job goes on by itself.

use crate::support::crowd::wait_for;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

const FLOOR: &str = "throttle:\n  floor-rate: 40\n";

fn rotate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"], more].concat()
}

fn clinic(orgs: u32) -> Option<World> {
    Some(World::ready(Seed { orgs, notes: 300, note_bytes: 400, ..Seed::default() })?.configured(FLOOR))
}

/// What a process at work says slows it down, or what it waits for.
fn reason(world: &World) -> String {
    world.text(
        "SELECT concat_ws(' / ', slowed_by, doing) FROM scrybe_keys.job_process WHERE ended_at IS NULL ORDER BY started_at LIMIT 1",
    )
}

fn visited(world: &World) -> i64 {
    world.number("SELECT coalesce(sum(rows_visited), 0) FROM scrybe_keys.job_chunk")
}

/// Rows a second over two seconds.
fn rate(world: &World) -> f64 {
    let (before, since) = (visited(world), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    (visited(world) - before) as f64 / since.elapsed().as_secs_f64()
}

#[test]
fn control_throttle_file_holds_between_and_slows_in_the_dark() {
    let Some(world) = clinic(2) else { return };
    let flag = world.path("slow-down");
    let path = flag.to_str().unwrap();
    std::fs::write(&flag, "").unwrap();
    let mut run = world.start(&rotate(&["--throttle-file", path, "--max-rate", "250"]));
    wait_for("it waits for the file to go", || reason(&world).contains("slow-down exists"));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.versions(world.org()), [(1, true)], "it was to begin nothing");
    std::fs::remove_file(&flag).unwrap();
    world.wait_until_moving(&mut run);
    std::fs::write(&flag, "").unwrap();
    wait_for("it is slowed down", || reason(&world).contains("exists; 40 rows/s while cells are dark"));
    let status = world.job_status();
    assert!(status["processes"][0]["slowedBy"].as_str().unwrap().contains("slow-down exists"), "{status:#}");
    std::thread::sleep(Duration::from_millis(500));
    let slow = rate(&world);
    assert!((10.0..90.0).contains(&slow), "{slow} rows/s at a floor of 40: slow, but never standing still in the dark");
    std::fs::remove_file(&flag).unwrap();
    world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]).expect(0);
    run.finish().expect(0);
    world.check(Check::version(2));
}

#[test]
fn control_throttle_query_that_fails_counts_as_the_slowest_setting_and_is_said() {
    let Some(world) = clinic(1) else { return };
    world
        .sql()
        .batch_execute("CREATE TABLE public.brake (on_now boolean); INSERT INTO public.brake VALUES (false)")
        .unwrap();
    let mut run = world.start(&rotate(&["--throttle-query", "SELECT on_now FROM public.brake", "--max-rate", "150"]));
    world.wait_until_moving(&mut run);
    world.sql().batch_execute("UPDATE public.brake SET on_now = true").unwrap();
    wait_for("the query slows it down", || reason(&world).contains("the throttle query says so"));
    world.sql().batch_execute("DROP TABLE public.brake").unwrap();
    wait_for("the failure is said", || reason(&world).contains("the throttle query fails"));
    std::thread::sleep(Duration::from_millis(500));
    let slow = rate(&world);
    assert!((10.0..90.0).contains(&slow), "{slow} rows/s at a floor of 40");
    world.sql().batch_execute("CREATE TABLE public.brake (on_now boolean)").unwrap();
    wait_for("it goes on", || !reason(&world).contains("throttle query"));
    run.finish().expect(0);
    world.check(Check::version(2));
}

#[test]
fn control_throttle_by_active_sessions_and_hours() {
    let Some(world) = clinic(1) else { return };
    let sleeps: Vec<_> = (0..3)
        .map(|_| {
            let mut sql = world.sql();
            let cancel = sql.cancel_token();
            (cancel, std::thread::spawn(move || sql.batch_execute("SELECT pg_sleep(60)").is_err()))
        })
        .collect();
    let run = world.start(&rotate(&["--max-active-sessions", "2"]));
    wait_for("too many sessions are active", || reason(&world).contains("sessions are active, allowed 2"));
    assert_eq!(world.versions(world.org()), [(1, true)], "it was to begin nothing");
    for (cancel, sleep) in sleeps {
        cancel.cancel_query(postgres::NoTls).unwrap();
        assert!(sleep.join().unwrap());
    }
    run.finish().expect(0);
    world.check(Check::version(2));
    // Two hours from now, for an hour: not now. The world's time zone is UTC.
    let now = jiff::Timestamp::now().as_second() / 3600 % 24;
    let hours = format!("{:02}:00-{:02}:00", (now + 2) % 24, (now + 3) % 24);
    let run = world.start(&rotate(&["--hours", &hours]));
    wait_for("it waits for its hours", || reason(&world).contains(&format!("organizations are begun at {hours} only")));
    run.signal(Signal::SIGINT);
    run.finish().expect(7);
    assert_eq!(world.versions(world.org()), [(1, false), (2, true)], "it was to begin nothing");
}
