//! The process dies at every step of a rewrap that also binds the database; the same command is given again, with the same settings.

use crate::support::cluster::Database;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use crate::support::wrappings::{another_key, direct, kept, opened, stored};
use scrybe_keys::core::kms::Context;
use serde_json::Value;
use std::collections::BTreeSet;

const CRASH: &str = "SCRYBE_KEYS_CRASH_AT";

fn command(next: &str) -> [&str; 11] {
    ["rewrap", "--all", "--to", next, "--bind", "--reason", "kill", "--application-can-use", next, "--yes", "--json"]
}

/// Everything is as if nobody had died.
fn all_is_done(world: &World, next: &str, point: &str) {
    let (kms, mut sql) = (direct(world), world.sql());
    let now = stored(&mut sql);
    for (id, text) in &now {
        assert_eq!(opened(&kms, text, &Context::new()).0, next, "{point}: row {id}");
    }
    let kept = kept(&mut sql);
    let rows: BTreeSet<&String> = kept.iter().map(|k| &k.0).collect();
    assert_eq!((kept.len(), rows.len()), (now.len(), now.len()), "{point}: each row was replaced once");
    let bound: String = sql.query_one("SELECT key_arn FROM scrybe_keys.binding", &[]).unwrap().get(0);
    assert_eq!(bound, next, "{point}");
    let open = "SELECT count(*) FROM scrybe_keys.audit i WHERE phase = 'intent' AND NOT EXISTS \
                (SELECT FROM scrybe_keys.audit o WHERE o.intent_id = i.intent_id AND o.phase = 'outcome')";
    assert_eq!(sql.query_one(open, &[]).unwrap().get::<_, i64>(0), 0, "{point}: an intent was left open");
    let rewrapped = "SELECT body FROM scrybe_keys.audit WHERE event IN ('DEK_REWRAPPED', 'DEK_REWRAP_FAILED') AND phase = 'outcome'";
    let told: i64 = sql
        .query(rewrapped, &[])
        .unwrap()
        .iter()
        .map(|row| serde_json::from_str::<Value>(row.get(0)).unwrap()["rewrapped"].as_i64().unwrap())
        .sum();
    assert_eq!(told, now.len() as i64, "{point}: the chain tells of every replacement, once");
}

fn clinic() -> Option<(World, Database, String)> {
    let world = World::ready(Seed { orgs: 2, versions: 2, notes: 20, ..Seed::default() })?;
    let next = another_key(&direct(&world));
    let saved = world.saved();
    Some((world, saved, next))
}

#[test]
fn rewrap_killed_at_every_step_is_finished_by_the_same_command() {
    let Some((world, saved, next)) = clinic() else { return };
    let mut deaths = 0;
    for point in [
        "rewrap-before-intent",
        "rewrap-after-intent",
        "rewrap-after-proof",
        "rewrap-before-commit",
        "rewrap-after-commit",
        "rewrap-before-outcome",
        "rebind-after-intent",
        "rebind-after-commit",
    ] {
        for nth in 1.. {
            world.database.restore(&saved);
            let here = format!("{point}:{nth}");
            let ran = world.run_with(CRASH, &here, &command(&next));
            if !ran.was_killed() {
                assert!(nth > 1, "nothing died at {here}: {ran:?}");
                break;
            }
            deaths += 1;
            let again = world.run(&command(&next));
            assert_eq!(again.status.code(), Some(0), "after a death at {here}: {again:?}");
            all_is_done(&world, &next, &here);
        }
    }
    // Two organizations, four rows, one binding.
    assert_eq!(deaths, 2 + 2 + 2 + 4 + 4 + 2 + 1 + 1);
    world.check(Check::version(2));
}

#[test]
fn rewrap_killed_at_every_attempt_in_turn_still_ends_well() {
    let Some((world, _, next)) = clinic() else { return };
    for point in [
        "rewrap-after-intent",
        "rewrap-before-commit",
        "rewrap-after-commit",
        "rewrap-after-commit:2",
        "rewrap-before-outcome",
        "rebind-after-intent",
        "rebind-after-commit",
    ] {
        let died = world.run_with(CRASH, point, &command(&next));
        assert!(died.was_killed(), "nothing died at {point}: {died:?}");
    }
    world.run(&command(&next)).expect(0);
    all_is_done(&world, &next, "all of them in turn");
}

#[test]
fn rewrap_asked_to_stop_finishes_the_row_and_goes_on_later() {
    let Some((world, _, next)) = clinic() else { return };
    let mut slow = command(&next).to_vec();
    slow.extend(["--max-rate", "4"]);
    let mut run = world.start(&slow);
    let began = std::time::Instant::now();
    while kept(&mut world.sql()).is_empty() {
        assert!(run.is_running() && began.elapsed().as_secs() < 60, "it never got to replacing");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    run.signal(nix::sys::signal::Signal::SIGINT);
    let stopped = run.finish().expect(7).json();
    assert!(stopped["data"]["counts"]["notReached"].as_i64().unwrap() > 0, "{stopped:#}");
    assert_eq!(stopped["status"], "incomplete");
    world.run(&command(&next)).expect(0);
    all_is_done(&world, &next, "an interrupt");
}
