//! Budgets: when the time is up no further organization is begun, by nobody; what was begun is moved, settled and proved.
//!
//! Exit 7, `stopReason` budget, the command that goes on; and it does go on.

use crate::support::crowd::{JOIN, wait_for};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;

fn rotate(more: &[&'static str]) -> Vec<&'static str> {
    [&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"], more].concat()
}

fn clinic(orgs: u32) -> Option<World> {
    World::ready(Seed { orgs, notes: 200, note_bytes: 400, ..Seed::default() })
}

fn states(world: &World) -> String {
    world.text("SELECT string_agg(state, ' ' ORDER BY ordinal) FROM scrybe_keys.job_organization")
}

#[test]
fn control_budget_of_nothing_begins_nothing_and_says_how_to_go_on() {
    let Some(world) = clinic(2) else { return };
    let before = world.digest();
    let ran = world.run(&rotate(&["--max-time", "0s"])).expect(7);
    assert_eq!(ran.json()["data"]["stopReason"], "budget", "{ran:?}");
    assert_eq!(world.digest(), before);
    assert_eq!(states(&world), "pending pending");
    let hints = ran.json()["problems"].to_string();
    assert!(hints.contains("scrybe-keys rotate --all"), "{ran:?}");
    let listed = world.run(&["jobs", "list"]).expect(0);
    assert!(listed.stdout.contains("go on: scrybe-keys rotate --all"), "{listed:?}");
    world.run(&rotate(&[])).expect(0);
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.job"), 1, "the same job is gone on with");
    world.check(Check::version(2));
}

#[test]
fn control_budget_finishes_and_proves_what_was_begun() {
    let Some(world) = clinic(3) else { return };
    // The first organization takes longer than the time given, at this rate.
    let ran = world.run(&rotate(&["--max-time", "3s", "--max-rate", "100"])).expect(7);
    let json = ran.json();
    assert_eq!(json["data"]["stopReason"], "budget", "{ran:?}");
    assert_eq!(states(&world), "settled pending pending", "{ran:?}");
    assert_eq!(json["data"]["rotations"][0]["success"], true, "{ran:?}");
    let others: Vec<(String, u32)> = world.seeded.organizations[1..].iter().map(|o| (o.clone(), 1)).collect();
    world.check(Check { other: others, ..Check::version(2) });
    world.run(&rotate(&[])).expect(0);
    assert_eq!(states(&world), "settled settled settled");
    world.check(Check::version(2));
}

#[test]
fn control_budget_holds_for_helpers_too() {
    let Some(world) = clinic(3) else { return };
    let mut runner = world.start(&rotate(&["--max-time", "3s", "--max-rate", "100"]));
    world.wait_until_moving(&mut runner);
    let helper = world.start(&JOIN);
    let pid = helper.child.id();
    wait_for("it has joined", || {
        world.number(&format!("SELECT count(*) FROM scrybe_keys.job_process WHERE pid = {pid}")) == 1
    });
    for ran in [runner.finish(), helper.finish()] {
        assert_eq!(ran.code(), 7, "{ran:?}");
        assert_eq!(ran.json()["data"]["stopReason"], "budget", "{ran:?}");
    }
    assert_eq!(states(&world), "settled pending pending", "a helper began more after the time was up");
    world.run(&rotate(&[])).expect(0);
    world.check(Check::version(2));
}
