//! The process dies at every step of a rotation and at every batch boundary; the plain command is given again.
//!
//! `SCRYBE_KEYS_CRASH_AT=<point>[:n]` makes the product abort itself at the n-th passage of a named point: no destructor runs,
//! as with SIGKILL. Afterwards: the same result as without a death, and never two versions where one was asked for.

use crate::support::cli::Ran;
use crate::support::cluster::Database;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;

const CRASH: &str = "SCRYBE_KEYS_CRASH_AT";
const ROTATE: [&str; 8] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"];

fn clinic(orgs: u32, notes: u32) -> Option<(World, Database)> {
    let world = World::ready(Seed { orgs, notes, ..Seed::default() })?;
    let saved = world.saved();
    Some((world, saved))
}

/// Dies at the point, then goes on; panics when the point is never passed.
fn dies_and_goes_on(world: &World, saved: &Database, point: &str) {
    world.database.restore(saved);
    let died = world.run_with(CRASH, point, &ROTATE);
    assert!(died.was_killed(), "nothing died at {point}: {died:?}");
    finishes(world, point);
}

fn finishes(world: &World, point: &str) {
    let ran = world.run(&ROTATE);
    assert_eq!(ran.status.code(), Some(0), "after a death at {point}: {ran:?}");
    if let Err(trouble) = world.try_check(&Check::version(2)) {
        panic!("after a death at {point}: {trouble}\n{ran:?}");
    }
}

/// The product's own view agrees: a clean census, and a whole audit chain in which no intent is left open.
fn proves(world: &World) {
    world.run(&["census", "--json"]).expect(0);
    world.run(&["audit", "verify", "--json"]).expect(0);
}

#[test]
fn kills_at_every_step_of_the_flip_of_each_organization() {
    let Some((world, saved)) = clinic(2, 40) else { return };
    for step in ["flip-before-intent", "flip-after-intent", "flip-before-commit", "flip-after-commit"] {
        for organization in [1, 2] {
            dies_and_goes_on(&world, &saved, &format!("{step}:{organization}"));
        }
        proves(&world);
    }
}

#[test]
fn kills_at_the_end_of_a_rotation() {
    let Some((world, saved)) = clinic(2, 40) else { return };
    for step in ["before-census", "before-outcome"] {
        dies_and_goes_on(&world, &saved, step);
        proves(&world);
    }
}

/// Every passage of a point until the whole job runs through without meeting it.
fn every_passage(orgs: u32, notes: u32, point: &str) {
    let Some((world, saved)) = clinic(orgs, notes) else { return };
    let mut passages = 0;
    loop {
        world.database.restore(&saved);
        let here = format!("{point}:{}", passages + 1);
        let ran: Ran = world.run_with(CRASH, &here, &ROTATE);
        if !ran.was_killed() {
            assert_eq!(ran.status.code(), Some(0), "{ran:?}");
            break;
        }
        passages += 1;
        finishes(&world, &here);
        if passages == 1 {
            proves(&world);
        }
        assert!(passages < 200, "{point} is passed without end");
    }
    // Six tables have cells; more rows than a batch holds are several batches.
    let least = if notes > 1000 { 7 } else { 5 * orgs };
    assert!(passages >= least, "{point} was passed {passages} times only");
}

#[test]
fn kills_before_every_batch_is_written() {
    every_passage(1, 40, "batch-before-write");
}

#[test]
fn kills_before_every_batch_is_committed() {
    every_passage(2, 40, "batch-before-commit");
}

#[test]
fn kills_after_every_batch_is_committed() {
    every_passage(1, 1200, "batch-after-commit");
}

#[test]
fn kills_after_every_chunk() {
    every_passage(1, 40, "chunk-done");
}

#[test]
fn kills_of_every_attempt_in_turn_still_end_in_one_version() {
    let Some((world, _)) = clinic(2, 40) else { return };
    for point in [
        "flip-after-intent",
        "flip-before-commit",
        "flip-after-commit",
        "batch-before-commit",
        "batch-after-commit:2",
        "chunk-done",
        "before-census",
    ] {
        let died = world.run_with(CRASH, point, &ROTATE);
        assert!(died.was_killed(), "nothing died at {point}: {died:?}");
        for org in &world.seeded.organizations {
            assert!(world.versions(org).len() <= 2, "{point}: {:?}", world.versions(org));
        }
    }
    finishes(&world, "all of them in turn");
    proves(&world);
}

#[test]
fn kills_during_re_encrypt_are_resumed_by_the_plain_command() {
    let Some((world, _)) = clinic(2, 40) else { return };
    world.application_flips("both");
    let re_encrypt = ["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"];
    for point in ["batch-before-commit:2", "batch-after-commit", "chunk-done:2", "before-census", "before-outcome"] {
        let died = world.run_with(CRASH, point, &re_encrypt);
        assert!(died.was_killed(), "nothing died at {point}: {died:?}");
    }
    world.run(&re_encrypt).expect(0);
    world.check(Check::version(2));
}

#[test]
fn kills_during_a_revert_are_resumed_by_the_plain_command() {
    let Some((world, _)) = clinic(2, 40) else { return };
    world.run(&ROTATE).expect(0);
    let revert = ["rotate", "--revert", "--org", world.org(), "--reason", "test", "--settle", "0s", "--yes", "--json"];
    for point in [
        "flip-before-intent",
        "flip-after-intent",
        "flip-before-commit",
        "flip-after-commit",
        "batch-before-write",
        "batch-before-commit",
        "batch-after-commit",
        "chunk-done",
        "before-census",
        "before-outcome",
        "before-delivered",
    ] {
        let died = world.run_with(CRASH, point, &revert);
        assert!(died.was_killed(), "nothing died at {point}: {died:?}");
        let active: Vec<i32> = world.versions(world.org()).iter().filter(|(_, a)| *a).map(|(v, _)| *v).collect();
        assert_eq!(active.len(), 1, "{point}: {active:?}");
    }
    let ran = world.run(&revert).expect(0);
    assert_eq!(ran.json()["data"]["rotations"][0]["newVersion"], 1, "{ran:?}");
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.job WHERE kind = 'revert'"), 1, "it is one job");
    proves(&world);
    assert_eq!(world.versions(world.org()), [(1, true), (2, false)]);
    world.check(Check { other: vec![(world.org().to_owned(), 1)], rows: Some(2), ..Check::version(2) });
}
