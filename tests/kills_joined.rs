//! SIGKILL at random over three processes of one job, beside a live application; each that dies is started again by the same command.
//!
//! Now and then one is made to stand still instead. Runner or helper, in a flip, a batch or between: whoever is left goes on. Afterwards nothing is lost, there is one new version for each
//! organization, and no cell is quarantined. `soak` runs the same for as long as it is told to.

use crate::support::cli::Running;
use crate::support::crowd::{Application, Stopped};
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::time::{Duration, Instant};

const ROTATE: [&str; 10] =
    ["rotate", "--all", "--reason", "test", "--settle", "4s", "--yes", "--json", "--max-rate", "1500"];

/// xorshift: the tests want no dependency for some random numbers.
pub struct Dice(u64);

impl Dice {
    /// Seeded by the clock; the seed is said, so that a failure can be looked at again.
    pub fn cast() -> Dice {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = now.as_nanos() as u64 | 1;
        eprintln!("seed {seed}");
        Dice(seed)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// What a storm of kills came to.
#[derive(Default, Debug)]
pub struct Storm {
    /// Of processes that were at work.
    pub kills: usize,
    /// Kills of the process that ran the job.
    pub of_the_runner: usize,
    /// Kills while a chunk was in its hands.
    pub of_a_walker: usize,
    /// Times a process was made to stand still for longer or shorter than its lease, and woke up again or was killed asleep.
    pub stalls: usize,
}

/// Kills one of three processes again and again, until `enough` says so or the job has ended. The job is then finished and checked.
pub fn storm(world: &World, dice: &mut Dice, version: u32, mut enough: impl FnMut(&Storm) -> bool) -> Storm {
    let mut writer = world.writer();
    writer.args(["--cache-seconds", "2", "--seconds", "3000", "--pause", "0.01"]);
    let application = Application::start(writer);
    let mut storm = Storm::default();
    let mut crowd: Vec<Running> = (0..3).map(|_| world.start(&ROTATE)).collect();
    let mut asleep: Vec<(usize, Stopped, Instant)> = Vec::new();
    let mut sql = world.sql();
    let ended = format!(
        "SELECT count(*) FROM scrybe_keys.job WHERE state = 'done' AND scope = 'rotate all' AND created_at > to_timestamp({})",
        began()
    );
    while !enough(&storm) && sql.query_one(&ended, &[]).unwrap().get::<_, i64>(0) == 0 {
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        let at = dice.below(3) as usize;
        asleep.retain(|(_, _, until)| *until > Instant::now());
        if dice.below(8) == 0 && asleep.is_empty() {
            let until = Instant::now() + Duration::from_millis(500 + dice.below(5500));
            asleep.push((at, Stopped::at_once(&crowd[at]), until));
            storm.stalls += 1;
            continue;
        }
        if asleep.iter().any(|(who, ..)| *who == at) && dice.below(3) > 0 {
            continue;
        }
        if !crowd[at].is_running() {
            // It lost a race of three beginners, or its runner's connection: it is a new process that comes next.
            let ran = std::mem::replace(&mut crowd[at], world.start(&ROTATE)).finish();
            assert!([0, 5, 7, 8].contains(&ran.code()), "{ran:?}");
            continue;
        }
        let pid = crowd[at].child.id();
        let runs =
            format!("SELECT count(*) FROM scrybe_keys.job WHERE runner LIKE '% pid {pid} run %' AND state = 'running'");
        let walks = format!(
            "SELECT count(*) FROM scrybe_keys.job_chunk c JOIN scrybe_keys.job_process p ON p.process_id = c.lease_process WHERE p.pid = {pid} AND NOT c.done"
        );
        let (runs, walks) = (world.number(&runs), world.number(&walks));
        crowd[at].kill();
        let ran = std::mem::replace(&mut crowd[at], world.start(&ROTATE)).finish();
        assert!(ran.was_killed() || ran.code() == 0, "{ran:?}");
        storm.kills += usize::from(ran.was_killed());
        storm.of_the_runner += usize::from(runs > 0 && ran.was_killed());
        storm.of_a_walker += usize::from(walks > 0 && ran.was_killed());
        for org in &world.seeded.organizations {
            let versions = world.versions(org);
            let active = versions.iter().filter(|(_, active)| *active).count();
            assert!(versions.len() <= version as usize && active == 1, "{versions:?} after {storm:?}");
        }
    }
    asleep.clear();
    let _ = world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]);
    let ends: Vec<_> = crowd.into_iter().map(Running::finish).collect();
    let counts = application.stop();
    // A process started at the very end may have found the job done and begun to plan another: that one is refused or does nothing more.
    assert!(
        ends.iter().any(|ran| ran.code() == 0) && ends.iter().all(|ran| [0, 5, 7, 8].contains(&ran.code())),
        "{ends:?}"
    );
    assert!(counts["late"].as_u64().unwrap() > 0, "the application never wrote late: {counts}");
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.quarantine"), 0, "{storm:?}");
    world.run(&["census", "--json"]).expect(0);
    world.run(&["audit", "verify", "--json"]).expect(0);
    storm
}

fn began() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs_f64() - 0.001
}

#[test]
fn kills_joined_processes_beside_a_live_application_lose_nothing() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 600, note_bytes: 500, ..Seed::default() }) else { return };
    let world = world.configured("");
    world.grow(30);
    let (mut dice, since) = (Dice::cast(), Instant::now());
    let storm = storm(&world, &mut dice, 2, |storm| storm.kills >= 30);
    eprintln!("{storm:?} in {:?}", since.elapsed());
    assert!(storm.kills >= 30, "the job ended too soon: {storm:?}");
    assert!(storm.of_the_runner >= 3 && storm.of_a_walker >= 8, "too few kills hit anything: {storm:?}");
    assert_eq!(world.number("SELECT count(*) FROM scrybe_keys.job"), 1, "every process joined the same job");
    world.shrink();
    world.check(Check { with_journal: true, ..Check::version(2) });
}
