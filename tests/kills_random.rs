//! SIGKILL at random moments over one job, at least thirty of them, then the plain command once more.
//!
//! Moments are drawn so that some fall into the start, some into the flip and most between and inside batches. The seed is printed:
//! a failure can be looked at again, though never repeated exactly.

use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::{Duration, Instant};

const KILLS: usize = 30;

/// xorshift: the tests want no dependency for thirty numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

#[test]
fn kills_random_moments_over_one_job_lose_nothing() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 1000, note_bytes: 600, ..Seed::default() }) else { return };
    world.grow(20);
    let rotate = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut dice = Dice(now.as_nanos() as u64 | 1);
    eprintln!("seed {}", dice.0);
    let mut sql = world.sql();
    let sum = "SELECT coalesce(sum(cells_moved), 0)::bigint FROM scrybe_keys.job_chunk";
    let mut cells_moved = || -> i64 { sql.query_one(sum, &[]).unwrap().get(0) };

    let (mut kills, mut while_moving) = (0, 0);
    while kills < KILLS {
        let (moved, began) = (cells_moved(), Instant::now());
        let mut run = world.start(&rotate);
        if kills % 2 == 0 {
            std::thread::sleep(Duration::from_millis(dice.below(300)));
        } else {
            // Wait until this run has moved something, then a little longer.
            while run.is_running() && cells_moved() == moved && began.elapsed() < Duration::from_secs(30) {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_micros(dice.below(20_000)));
        }
        let running = run.is_running();
        run.kill();
        let ran = run.finish();
        assert!(
            running,
            "the job ended after {kills} kills, before the {KILLS} it is to survive: give it more rows; {ran:?}"
        );
        kills += 1;
        while_moving += usize::from(cells_moved() > moved);
        for org in &world.seeded.organizations {
            let versions = world.versions(org);
            assert!(versions.len() <= 2 && versions.iter().filter(|(_, active)| *active).count() == 1, "{versions:?}");
        }
    }
    assert!(while_moving >= KILLS / 3, "only {while_moving} of {kills} kills fell into the move");
    world.run(&rotate).expect(0);
    world.run(&["census", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
    let jobs: i64 = world.sql().query_one("SELECT count(*) FROM scrybe_keys.job", &[]).unwrap().get(0);
    assert_eq!(jobs, 1, "every run joined the same job");
    world.run(&["audit", "verify", "--json"]).expect(0);
}
