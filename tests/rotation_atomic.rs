//! `rotate --cutover atomic`: one transaction an organization; nothing is ever dark, whatever is killed or in the way.

use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::Duration;

const ATOMIC: [&str; 10] =
    ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json", "--cutover", "atomic"];

fn clinic(orgs: u32) -> Option<World> {
    World::ready(Seed { orgs, notes: 40, ..Seed::default() })
}

#[test]
fn rotation_at_once_moves_everything_and_leaves_nothing_dark() {
    let Some(world) = clinic(3) else { return };
    let ran = world.run(&ATOMIC).expect(0);
    for rotation in ran.json()["data"]["rotations"].as_array().unwrap() {
        assert_eq!((&rotation["darkSeconds"], &rotation["darkCellSeconds"]), (&0.0.into(), &0.0.into()), "{rotation}");
        assert!(rotation["cellsMoved"].as_i64().unwrap() > 0, "{rotation}");
    }
    world.check(Check::version(2));
    world.run(&["audit", "verify", "--json"]).expect(0);
}

#[test]
fn rotation_at_once_is_for_small_organizations_only() {
    let Some(world) = clinic(1) else { return };
    let plan = |flags: &[&str]| world.run(&[&ATOMIC[..], &["--dry-run"], flags].concat()).expect(0).json();
    assert_eq!(plan(&[])["data"]["plan"]["organizations"][0]["cutover"], "atomic");
    assert_eq!(plan(&["--max-cutover", "1ms"])["data"]["plan"]["organizations"][0]["cutover"], "online");
    world.run(&[&ATOMIC[..], &["--max-cutover", "1ms"]].concat()).expect(0);
    world.check(Check::version(2));
}

#[test]
fn rotation_at_once_killed_before_its_commit_never_happened() {
    let Some(world) = clinic(2) else { return };
    let before = world.digest();
    let ran = world.run_with("SCRYBE_KEYS_CRASH_AT", "flip-before-commit", &ATOMIC);
    assert!(ran.was_killed(), "{ran:?}");
    assert_eq!(world.digest(), before, "nothing of it is left");
    world.run(&ATOMIC).expect(0);
    world.check(Check::version(2));
    world.run(&["audit", "verify", "--json"]).expect(0);
}

#[test]
fn rotation_at_once_killed_after_its_commit_goes_on() {
    let Some(world) = clinic(2) else { return };
    let ran = world.run_with("SCRYBE_KEYS_CRASH_AT", "flip-after-commit", &ATOMIC);
    assert!(ran.was_killed(), "{ran:?}");
    world.run(&ATOMIC).expect(0);
    world.check(Check::version(2));
}

#[test]
fn rotation_at_once_gives_way_to_a_locked_row_and_goes_online() {
    let Some(world) = clinic(1) else { return };
    let mut other = world.sql();
    let mut lock = other.transaction().unwrap();
    lock.execute("SELECT FROM \"Note\" WHERE id = (SELECT min(id) FROM \"Note\") FOR UPDATE", &[]).unwrap();
    let mut run = world.start(&ATOMIC);
    // Online it steps over the row and waits for this transaction's end before the proof.
    world.wait_until_moving(&mut run);
    std::thread::sleep(Duration::from_millis(200));
    lock.rollback().unwrap();
    let ran = run.finish().expect(0);
    assert!(ran.stderr.contains("it goes online"), "{ran:?}");
    world.check(Check::version(2));
    world.run(&["audit", "verify", "--json"]).expect(0);
}

#[test]
fn rotation_at_once_settles_what_a_waiting_writer_wrote_over_it() {
    let Some(world) = clinic(1) else { return };
    // The application read this row's envelope under version 1 and writes it back, having waited for our row lock.
    let old: String = world
        .sql()
        .query_one("SELECT content FROM \"Note\" WHERE id = (SELECT max(id) FROM \"Note\")", &[])
        .unwrap()
        .get(0);
    let ran = world.run(&ATOMIC).expect(0);
    assert_eq!(ran.json()["data"]["rotations"][0]["cellsMovedLate"], 0);
    world.sql().execute("UPDATE \"Note\" SET content = $1 WHERE id = (SELECT max(id) FROM \"Note\")", &[&old]).unwrap();
    let ran = world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    assert_eq!(ran.json()["data"]["rotations"][0]["cellsMoved"], 1, "{ran:?}");
    world.check(Check::version(2));
    // And now there is nothing left: no job is made for that.
    let ran = world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    assert_eq!((&ran.json()["data"]["job"], &ran.json()["changed"]), (&serde_json::Value::Null, &false.into()));
}

#[test]
fn rotation_tells_the_application_after_each_commit() {
    for cutover in ["atomic", "online"] {
        let Some(world) = clinic(2) else { return };
        let told = world.path("told");
        let command = format!("echo \"$SCRYBE_ORGANIZATION $SCRYBE_KEY_VERSION\" >> {}", told.display());
        let mut arguments = ATOMIC.to_vec();
        arguments.truncate(8);
        arguments.extend(["--cutover", cutover, "--after-commit", &command]);
        world.run(&arguments).expect(0);
        let mut lines: Vec<String> = std::fs::read_to_string(&told).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        let mut wanted: Vec<String> = world.seeded.organizations.iter().map(|o| format!("{o} 2")).collect();
        wanted.sort();
        assert_eq!(lines, wanted);
        let last = arguments.len() - 1;
        arguments[last] = "exit 3";
        let ran = world.run(&arguments).expect(0);
        assert!(ran.problem_codes().iter().any(|code| code == "after-commit-failed"), "{ran:?}");
        world.check(Check::version(3));
    }
}
