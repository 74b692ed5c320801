//! Connections, servers, clocks and KMS that fail in the middle of a job that several processes share.
//!
//! Whoever can go on goes on; whoever cannot leaves in good order; the plain command finishes what is left, and nothing is lost.

use crate::support::cli::{binary, start};
use crate::support::cluster::own_cluster;
use crate::support::crowd::{JOIN, wait_for};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use scrybe_keys::local::{Fault, FaultKind};
use scrybe_keys::ops::sandbox::cluster::Cluster;

const ROTATE: [&str; 10] =
    ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json", "--max-rate", "400"];

fn clinic(orgs: u32) -> Option<World> {
    Some(World::ready(Seed { orgs, notes: 300, note_bytes: 500, ..Seed::default() })?.configured(""))
}

/// Ends the job, if it was left unfinished, and checks everything.
#[track_caller]
fn ends_whole(world: &World) {
    if world.text("SELECT state FROM scrybe_keys.job") == "running" {
        world.run(&ROTATE[..8]).expect(0);
    }
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.job"), 1);
    assert_eq!(world.text("SELECT state FROM scrybe_keys.job"), "done");
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.quarantine"), 0);
    world.run(&["census", "--json"]).expect(0);
    world.run(&["audit", "verify", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn faults_a_server_that_restarts_under_two_processes_loses_nothing() {
    let (dir, cluster) = own_cluster(Vec::new());
    let Some(world) = World::on(&cluster, Seed { orgs: 2, notes: 300, note_bytes: 500, ..Seed::default() }) else {
        return;
    };
    let world = world.configured("");
    let mut run = world.start(&ROTATE);
    let mut helper = world.start(&JOIN);
    world.wait_until_moving(&mut run);
    wait_for("both are there", || world.number("SELECT count(*) FROM scrybe_keys.job_process") == 2);
    assert!(run.is_running() && helper.is_running());
    let pid = nix::unistd::Pid::from_raw(cluster.pid().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT).unwrap();
    wait_for("the server is gone", || nix::sys::signal::kill(pid, None).is_err());
    let again = Cluster::ensure(&dir.path().join("cluster"), Default::default()).unwrap();
    let ends = [run.finish(), helper.finish()];
    for ran in &ends {
        assert!([0, 7, 8].contains(&ran.code()), "{ran:?}");
    }
    eprintln!("they ended with {:?}", ends.each_ref().map(|ran| ran.code()));
    ends_whole(&world);
    drop((world, again, cluster));
}

/// Terminates sessions of the tool so often, while the job runs; how often it hit one.
fn terminate(world: &World, run: &mut crate::support::cli::Running, which: &str, times: usize) -> usize {
    let (mut sql, mut hits) = (world.sql(), 0);
    let sql_text = format!(
        "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
         WHERE a.datname = current_database() AND a.application_name = 'scrybe-keys' AND {which}"
    );
    while hits < times && run.is_running() {
        let hit: i64 = sql.query_one(&sql_text, &[]).unwrap().get(0);
        hits += usize::from(hit > 0);
        std::thread::sleep(std::time::Duration::from_millis(if hit > 0 { 700 } else { 2 }));
    }
    hits
}

#[test]
fn faults_the_runners_own_session_is_ended_and_the_job_goes_on() {
    let Some(world) = clinic(2) else { return };
    let mut run = world.start(&ROTATE);
    world.wait_until_moving(&mut run);
    let helper = world.start(&JOIN);
    wait_for("both are there", || world.number("SELECT count(*) FROM scrybe_keys.job_process") == 2);
    let holds = "EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.classid = hashtext('scrybe_keys.job')::oid)";
    assert_eq!(terminate(&world, &mut run, holds, 2), 2);
    let ends = [run.finish(), helper.finish()];
    assert!(ends.iter().any(|ran| ran.code() == 0), "{ends:?}");
    for ran in &ends {
        assert!([0, 5, 7, 8].contains(&ran.code()), "{ran:?}");
    }
    ends_whole(&world);
}

#[test]
fn faults_workers_and_journal_lose_their_sessions_and_go_on() {
    let Some(world) = clinic(2) else { return };
    let mut run = world.start(&ROTATE);
    world.wait_until_moving(&mut run);
    let works = "a.query LIKE '%scrybe_keys.job_write%' OR a.query LIKE 'UPDATE%AS t SET%'";
    assert_eq!(terminate(&world, &mut run, &format!("({works})"), 2), 2);
    // Between two records: the next one, of the second organization's flip, is written all the same.
    assert_eq!(terminate(&world, &mut run, "a.query LIKE '%audit_append%' AND a.state = 'idle'", 1), 1);
    run.finish().expect(0);
    ends_whole(&world);
}

/// Ends every session of the tool but the one that holds the job's lock.
fn end_all_but_the_runners_own(world: &World) {
    let ended = world.number(
        "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a WHERE a.datname = current_database() AND a.application_name = 'scrybe-keys'
           AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.classid = hashtext('scrybe_keys.job')::oid)",
    );
    assert!(ended >= 3, "journal, pulse and idle workers were to be ended: {ended}");
}

#[test]
fn faults_idle_sessions_that_were_ended_meanwhile_are_made_anew() {
    let Some(world) = clinic(2) else { return };
    let rotate = ["rotate", "--all", "--reason", "test", "--settle", "3s", "--yes", "--json", "--max-rate", "400"];
    let mut run = world.start(&rotate);
    world.wait_until_moving(&mut run);
    world.run(&["jobs", "pause", "latest", "--json"]).expect(0);
    let said = |doing: &str| {
        world.number(&format!("SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE '{doing}'")) > 0
    };
    wait_for("it holds between two organizations", || said("waiting: paused"));
    end_all_but_the_runners_own(&world);
    world.run(&["jobs", "unpause", "latest", "--json"]).expect(0);
    wait_for("it waits for cached keys", || said("settling: % until cached keys%"));
    end_all_but_the_runners_own(&world);
    run.finish().expect(0);
    ends_whole(&world);
}

#[test]
fn faults_leases_of_a_clock_that_jumped_neither_lose_nor_hold_up_anything() {
    let Some(world) = clinic(2) else { return };
    let cells = world.sealed_cells();
    let mut run = world.start(&ROTATE);
    world.wait_until_moving(&mut run);
    let mut helper = world.start(&JOIN);
    // Ahead: every lease is over the moment it is given, and each takes over from the others all the time.
    let mut sql = world.sql();
    for _ in 0..60 {
        sql.execute(
            "UPDATE scrybe_keys.job_chunk SET lease_until = clock_timestamp() - interval '1 hour' WHERE NOT done",
            &[],
        )
        .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Back: a lease of tomorrow, in the hands of a process that dies.
    world.wait_until_it_walks(&mut helper);
    sql.execute("UPDATE scrybe_keys.job_chunk SET lease_until = clock_timestamp() + interval '1 day' WHERE NOT done AND lease_process IS NOT NULL", &[])
        .unwrap();
    helper.kill();
    helper.finish();
    run.finish().expect(0);
    assert!(world.number("SELECT max(fence) FROM scrybe_keys.job_chunk") > 2, "nothing was taken over");
    assert_eq!(world.cells_moved(), cells, "every cell is moved once, whoever thought it was his");
    ends_whole(&world);
}

#[test]
fn faults_a_flip_of_a_clock_that_jumped_back_is_waited_for() {
    let Some(world) = clinic(1) else { return };
    let run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "4s", "--yes", "--json"]);
    let waits = "SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: % until cached keys%'";
    wait_for("it waits for cached keys", || world.number(waits) > 0);
    // As if the server's clock had been an hour ahead at the flip: longer, never shorter.
    world
        .sql()
        .batch_execute("UPDATE scrybe_keys.job_organization SET flipped_at = flipped_at + interval '1 hour'")
        .unwrap();
    // The run keeps what it knew; the next one reads the later time.
    run.signal(nix::sys::signal::Signal::SIGINT);
    run.finish().expect(7);
    let again = world.start(&["rotate", "--all", "--reason", "test", "--settle", "4s", "--yes", "--json"]);
    let hour = "SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: 3%00 s until%' OR doing LIKE 'settling: 3%9_ s until%'";
    wait_for("it waits an hour", || world.number(hour) > 0);
    again.signal(nix::sys::signal::Signal::SIGINT);
    again.finish().expect(7);
    world
        .sql()
        .batch_execute("UPDATE scrybe_keys.job_organization SET flipped_at = flipped_at - interval '2 hours'")
        .unwrap();
    ends_whole(&world);
}

#[test]
fn faults_kms_out_of_a_helpers_reach_leaves_the_job_to_the_others() {
    let Some(world) = clinic(2) else { return };
    let mut run = world.start(&ROTATE);
    world.wait_until_moving(&mut run);
    let mut elsewhere = world.environment.clone();
    let closed = { std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap() };
    elsewhere.insert("AWS_ENDPOINT_URL".to_owned(), format!("http://{closed}"));
    let helper = start(binary(&JOIN, &elsewhere)).finish();
    assert_eq!(helper.code(), 8, "{helper:?}");
    assert!(run.is_running(), "the job was to outlast the helper's trouble");
    run.finish().expect(0);
    ends_whole(&world);
}

#[test]
fn faults_kms_out_of_reach_at_the_start_changes_nothing_and_between_two_organizations_keeps_the_first() {
    let Some(world) = clinic(2) else { return };
    let before = world.digest();
    let fail = |operation: &str, nth| {
        world.kms.engine.add_fault(Fault {
            operation: operation.to_owned(),
            nth,
            times: 100,
            fault: FaultKind::ServerError,
        });
    };
    fail("*", 1);
    world.run(&ROTATE[..8]).expect(8);
    assert_eq!(world.digest(), before);
    world.kms.engine.clear_faults();
    fail("GenerateDataKey", 2);
    let ran = world.run(&ROTATE[..8]);
    assert!([7, 8].contains(&ran.code()), "{ran:?}");
    assert_eq!(world.versions(&world.seeded.organizations[0]), [(1, false), (2, true)], "{ran:?}");
    assert_eq!(world.versions(&world.seeded.organizations[1]), [(1, true)], "{ran:?}");
    world.check(Check { other: vec![(world.seeded.organizations[1].clone(), 1)], ..Check::version(2) });
    world.kms.engine.clear_faults();
    world.run(&ROTATE[..8]).expect(0);
    ends_whole(&world);
}
