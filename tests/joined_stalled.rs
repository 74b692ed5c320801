//! A process that stalls — stopped, swapped out, its host asleep — and wakes when others have gone on without it.
//!
//! Its lease runs out, or it is no longer seen to run the job; another finishes. Whatever it does when it wakes, it writes nothing over newer
//! work, changes no record of the job, and ends in good order: 0 as a helper, 5 or 7. A runner that is only busy is not taken for a stalled one.

use crate::faults_database::as_operator;
use crate::support::crowd::{JOIN, Stopped, wait_for};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use scrybe_keys::local::{Fault, FaultKind};
use std::time::{Duration, Instant};

const ROTATE: [&str; 10] =
    ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json", "--max-rate", "1500"];

fn clinic() -> Option<World> {
    Some(World::ready(Seed { orgs: 2, notes: 400, note_bytes: 600, ..Seed::default() })?.configured(""))
}

/// Everything moved once, proven once, by one job.
#[track_caller]
fn is_done(world: &World) {
    world.check(Check::version(2));
    assert_eq!(world.text("SELECT string_agg(state, ',') FROM scrybe_keys.job"), "done");
    assert_eq!(world.text("SELECT string_agg(DISTINCT state, ',') FROM scrybe_keys.job_organization"), "settled");
    assert_eq!(world.audited("KEY_ROTATION_INITIATED", "intent"), 2, "one flip for each organization");
    assert_eq!(world.audited("RE_ENCRYPTION_COMPLETED", "outcome"), 1, "the end is said once");
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.quarantine"), 0);
    world.run(&["census", "--json"]).expect(0);
    world.run(&["audit", "verify", "--json"]).expect(0);
}

#[test]
fn joined_helper_that_stalls_in_a_batch_writes_nothing_over_newer_work() {
    let Some(world) = clinic() else { return };
    let cells = world.sealed_cells();
    let mut runner = world.start(&ROTATE);
    let mut helper = world.start(&JOIN);
    world.wait_until_it_walks(&mut helper);
    let stopped = world.stop_in_a_batch(&mut helper);
    assert!(runner.is_running());
    runner.finish().expect(0);
    let (digest, records) = (world.digest(), world.job_records());
    stopped.goes_on();
    let woken = helper.finish();
    assert!([0, 5, 7].contains(&woken.code()), "{woken:?}");
    assert_eq!(world.digest(), digest, "it wrote when it woke: {woken:?}");
    assert_eq!(world.job_records(), records, "{woken:?}");
    assert_eq!(world.cells_moved(), cells, "every cell is moved once and counted once");
    assert!(world.number("SELECT max(fence) FROM scrybe_keys.job_chunk") > 1, "nothing was taken over");
    is_done(&world);
}

#[test]
fn joined_runner_that_stalls_and_wakes_after_the_end_changes_nothing() {
    let Some(world) = clinic() else { return };
    let mut runner = world.start(&ROTATE);
    let stopped = world.stop_in_a_batch(&mut runner);
    let helper = world.start(&JOIN);
    let ran = helper.finish().expect(0);
    assert_eq!(ran.json()["data"]["rotations"].as_array().unwrap().len(), 2, "{ran:?}");
    let (digest, records) = (world.digest(), world.job_records());
    stopped.goes_on();
    let woken = runner.finish();
    assert!([0, 5, 7].contains(&woken.code()), "{woken:?}");
    assert_eq!(world.digest(), digest, "it wrote when it woke: {woken:?}");
    assert_eq!(world.job_records(), records, "it changed the job when it woke: {woken:?}");
    is_done(&world);
}

#[test]
fn joined_runner_that_stalls_and_wakes_before_the_end_only_helps() {
    let Some(mut world) = clinic() else { return };
    // Whoever ends a silent runner's session need be no superuser.
    as_operator(&mut world, "");
    let mut runner = world.start(&ROTATE);
    let stopped = world.stop_in_a_batch(&mut runner);
    let helper = world.start(&JOIN);
    let pid = format!("pid {} ", helper.child.id());
    wait_for("the helper runs the job", || world.text("SELECT runner FROM scrybe_keys.job").contains(&pid));
    stopped.goes_on();
    let (woken, ran) = (runner.finish(), helper.finish());
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert!([0, 5, 7].contains(&woken.code()), "{woken:?}");
    assert!(world.text("SELECT runner FROM scrybe_keys.job").contains(&pid), "{woken:?}");
    is_done(&world);
}

#[test]
fn joined_runner_that_stalls_in_its_flip_flips_nothing_when_it_wakes() {
    let Some(world) = clinic() else { return };
    // Somebody writes DEKs: the flip waits for the table, and there the runner is stopped.
    let (mut holder, mut eye) = (world.sql(), world.sql());
    let pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let mut lock = holder.transaction().unwrap();
    lock.batch_execute("LOCK TABLE \"EncryptionKey\" IN ROW EXCLUSIVE MODE").unwrap();
    let runner = world.start(&ROTATE);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    wait_for("the flip waits", || eye.query_one(waits, &[&pid]).unwrap().get::<_, i64>(0) > 0);
    let stopped = Stopped::at_once(&runner);
    lock.rollback().unwrap();
    let ran = world.start(&JOIN).finish().expect(0);
    let (digest, records) = (world.digest(), world.job_records());
    stopped.goes_on();
    let woken = runner.finish();
    assert!([0, 5, 7].contains(&woken.code()), "{woken:?}");
    assert_eq!((world.digest(), world.job_records()), (digest, records), "{woken:?}");
    for org in &world.seeded.organizations {
        assert_eq!(world.versions(org), [(1, false), (2, true)], "{ran:?} {woken:?}");
    }
    world.check(Check::version(2));
    assert_eq!(world.audited("KEY_ROTATION_COMPLETED", "outcome"), 2, "two flips are said, no more");
    world.run(&["audit", "verify", "--json"]).expect(0);
}

#[test]
fn joined_runner_that_stalls_while_settling_proves_nothing_when_it_wakes() {
    let Some(world) = clinic() else { return };
    let run = ["rotate", "--all", "--reason", "test", "--settle", "5s", "--yes", "--json"];
    let runner = world.start(&run);
    let waits = "SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: % until cached keys%'";
    wait_for("the runner waits for cached keys", || world.number(waits) > 0);
    let stopped = Stopped::at_once(&runner);
    world.start(&JOIN).finish().expect(0);
    let (digest, records) = (world.digest(), world.job_records());
    stopped.goes_on();
    let woken = runner.finish();
    assert!([0, 5, 7].contains(&woken.code()), "{woken:?}");
    assert_eq!((world.digest(), world.job_records()), (digest, records), "{woken:?}");
    is_done(&world);
}

#[test]
fn joined_runner_that_reads_every_cell_is_not_taken_for_a_stalled_one() {
    let Some(world) = clinic() else { return };
    let runner = world.start(&["rotate", "--all", "--reason", "test", "--settle", "3s", "--yes", "--json"]);
    let helper = world.start(&JOIN);
    let waits = "SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: % until cached keys%'";
    wait_for("the runner waits for cached keys", || world.number(waits) > 0);
    // A reading that takes longer than a silent runner is allowed: it waits here for a table. Not as a writer that has to be waited for.
    let (mut slow, mut eye) = (world.sql(), world.sql());
    slow.batch_execute("SET application_name = 'scrybe-keys'").unwrap();
    let pid: i32 = slow.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let mut lock = slow.transaction().unwrap();
    lock.batch_execute("LOCK TABLE \"Note\" IN ACCESS EXCLUSIVE MODE").unwrap();
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    wait_for("the reading waits", || eye.query_one(blocked, &[&pid]).unwrap().get::<_, i64>(0) > 0);
    std::thread::sleep(Duration::from_millis(4300));
    lock.rollback().unwrap();
    let pid = format!("pid {} ", runner.child.id());
    let (ran, helped) = (runner.finish(), helper.finish());
    assert!(world.text("SELECT runner FROM scrybe_keys.job").contains(&pid), "the job was taken from it: {ran:?}");
    assert_eq!((ran.code(), helped.code()), (0, 0), "{ran:?}\n{helped:?}");
    assert_eq!(world.audited("RE_ENCRYPTION_STARTED", "intent"), 1, "{ran:?}");
    is_done(&world);
}

#[test]
fn joined_runner_that_waits_for_kms_is_not_taken_for_a_stalled_one() {
    let Some(world) = clinic() else { return };
    let mut runner = world.start(&ROTATE);
    let helper = world.start(&JOIN);
    world.wait_until_moving(&mut runner);
    // The second organization's new DEK: one call that is never answered, then tried again.
    let fault = FaultKind::Timeout;
    world.kms.engine.add_fault(Fault { operation: "GenerateDataKey".to_owned(), nth: 1, times: 1, fault });
    let began = Instant::now();
    let pid = format!("pid {} ", runner.child.id());
    let (ran, helped) = (runner.finish(), helper.finish());
    assert!(began.elapsed() > Duration::from_secs(3), "KMS answered too soon to prove anything");
    assert!(world.text("SELECT runner FROM scrybe_keys.job").contains(&pid), "the job was taken from it: {ran:?}");
    assert_eq!((ran.code(), helped.code()), (0, 0), "{ran:?}\n{helped:?}");
    is_done(&world);
}
