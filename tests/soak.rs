//! The long version of the kill tests, for a night or an afternoon: rotation after rotation under a storm of kills, until the time is up.
//!
//! `make soak`, with `SOAK_MINUTES` (10 unless said). Without the variable it says so on stderr and returns; CI never sets it.

use crate::kills_joined::{Dice, storm};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::{Duration, Instant};

#[test]
fn soak_kills_over_joined_processes() {
    let Some(minutes) = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse::<u64>().ok()) else {
        eprintln!("SKIPPED: SOAK_MINUTES is not set; `make soak` sets it");
        return;
    };
    let (mut dice, began) = (Dice::cast(), Instant::now());
    let (mut rounds, mut kills, mut of_the_runner, mut of_a_walker) = (0, 0, 0, 0);
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        // A world for each round: its journal of writes is checked against what its own rotation left.
        let Some(world) = World::ready(Seed { orgs: 3, notes: 600, note_bytes: 500, ..Seed::default() }) else {
            return;
        };
        let world = world.configured("");
        world.grow(40 + dice.below(20) as i32);
        let most = 20 + dice.below(60) as usize;
        let round = storm(&world, &mut dice, 2, |storm| storm.kills >= most);
        assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.job"), 1, "every process joined the same job");
        world.shrink();
        world.check(Check { with_journal: true, ..Check::version(2) });
        rounds += 1;
        kills += round.kills;
        of_the_runner += round.of_the_runner;
        of_a_walker += round.of_a_walker;
        eprintln!(
            "round {rounds}, {:.0} s: {kills} kills so far, {of_the_runner} of a runner, {of_a_walker} of a process with a chunk; nothing lost",
            began.elapsed().as_secs_f64()
        );
    }
}
