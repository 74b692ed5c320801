//! Cells that appear under the old key behind the walk: sweeps find each of them, before the closing census would.
//!
//! A sweep opens only what changed since its basis, so each way of writing that could slip past that test is tried: the process is killed right
//! before the closing census, and by then every late cell must have been moved. Afterwards the job is finished and proven as ever.

use crate::support::cli::{Running, binary, start};
use crate::support::cluster::own_cluster;
use crate::support::crowd::wait_for;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use std::io::{Read, Write};

const ROTATE: [&str; 8] = ["rotate", "--all", "--reason", "test", "--settle", "4s", "--yes", "--json"];
/// A copy of note $1 under another id, with the content it had before the flip.
const COPY: &str = "SELECT (jsonb_populate_record(n, jsonb_build_object('id', $2::text, 'content', $3::text))).* FROM \"Note\" n WHERE n.id = $1";

/// Notes with the content they have under version 1, to be written again when that is the old one.
struct Old(Vec<(String, String)>);

impl Old {
    fn of(world: &World) -> Old {
        let sql = "SELECT id, content FROM \"Note\" WHERE content LIKE 'enc:v1:%' AND id NOT LIKE 'copy-%' ORDER BY id LIMIT 8";
        Old(world.sql().query(sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Writes the nth one late, as a row of its own.
    fn insert(&self, sql: &mut impl postgres::GenericClient, nth: usize) {
        let (id, content) = &self.0[nth];
        let written = sql.execute(&format!("INSERT INTO \"Note\" {COPY}"), &[id, &late(id), content]);
        assert_eq!(written.unwrap(), 1);
    }

    /// Puts what became of the late rows in the place of those they copied, where the manifest says what they must hold.
    fn put_in_place(&self, world: &World, written: usize) {
        let mut sql = world.sql();
        for (id, content) in &self.0[..written] {
            let row = sql.query_one("DELETE FROM \"Note\" WHERE id = $1 RETURNING content", &[&late(id)]).unwrap();
            let moved: String = row.get(0);
            assert_ne!(moved, *content, "{id} is as it was written");
            sql.execute("UPDATE \"Note\" SET content = $1 WHERE id = $2", &[&moved, id]).unwrap();
        }
    }
}

fn late(id: &str) -> String {
    format!("late-{id}")
}

/// A rotation that will die when all its sweeps are done.
fn dies_before_the_census(world: &World, more: &[&'static str]) -> Running {
    let mut command = binary(&[&ROTATE[..], more].concat(), &world.environment);
    command.env("SCRYBE_KEYS_CRASH_AT", "before-census");
    start(command)
}

/// The first sweep is over, another will come when cached keys have run out.
fn waits_for_caches(world: &World) {
    let waits = "SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: % until cached keys%'";
    wait_for("it waits for cached keys", || world.number(waits) > 0);
}

#[track_caller]
fn was_swept(world: &World, run: Running) {
    let ran = run.finish();
    assert!(ran.was_killed(), "{ran:?}");
    assert_eq!(
        world.number("SELECT coalesce(sum(rows_skipped), 0) FROM scrybe_keys.job_chunk"),
        0,
        "it read everything"
    );
    assert!(
        world.number("SELECT coalesce(sum(cells_moved), 0) FROM scrybe_keys.job_chunk WHERE late") > 0,
        "nothing was found late"
    );
}

#[track_caller]
fn ends_whole(world: &World) {
    world.check(Check::version(2));
    world.run(&ROTATE).expect(0);
    world.run(&["census", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn faults_late_writes_of_every_kind_are_swept_up() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 200, ..Seed::default() }) else { return };
    let old = Old::of(&world);
    // Begun before the flip, with a savepoint; it commits when the walk is long over.
    let mut slow = world.sql();
    let mut transaction = slow.transaction().unwrap();
    old.insert(&mut transaction, 0);
    let mut savepoint = transaction.savepoint("inside").unwrap();
    old.insert(&mut savepoint, 1);
    savepoint.commit().unwrap();
    let run = dies_before_the_census(&world, &[]);
    waits_for_caches(&world);
    transaction.commit().unwrap();
    let mut sql = world.sql();
    old.insert(&mut sql, 2);
    // By COPY, with the row frozen as it is read in and without.
    let (id, content) = &old.0[3];
    sql.batch_execute("CREATE TEMP TABLE one (LIKE \"Note\")").unwrap();
    sql.execute(&format!("INSERT INTO one {COPY}"), &[id, &late(id), content]).unwrap();
    let mut text = Vec::new();
    sql.copy_out("COPY one TO STDOUT").unwrap().read_to_end(&mut text).unwrap();
    let mut copy = sql.copy_in("COPY \"Note\" FROM STDIN").unwrap();
    copy.write_all(&text).unwrap();
    assert_eq!(copy.finish().unwrap(), 1);
    // Rewritten and frozen after it was written.
    old.insert(&mut sql, 4);
    sql.batch_execute("VACUUM FULL \"Note\"").unwrap();
    old.insert(&mut sql, 5);
    sql.batch_execute("VACUUM FREEZE \"Note\"").unwrap();
    was_swept(&world, run);
    old.put_in_place(&world, 6);
    ends_whole(&world);
}

#[test]
fn faults_a_prepared_transaction_that_commits_late_is_waited_for_and_swept_up() {
    let (_dir, cluster) = own_cluster(vec!["max_prepared_transactions = 5".to_owned()]);
    let Some(world) = World::on(&cluster, Seed { orgs: 1, ..Seed::default() }) else { return };
    let (old, mut sql) = (Old::of(&world), world.sql());
    sql.batch_execute("BEGIN").unwrap();
    old.insert(&mut sql, 0);
    sql.batch_execute("PREPARE TRANSACTION 'late'").unwrap();
    let run = dies_before_the_census(&world, &[]);
    let waits = "SELECT count(*) FROM scrybe_keys.job_process WHERE doing LIKE 'settling: waiting for 1 transactions begun before'";
    wait_for("it waits for the prepared transaction", || world.number(waits) > 0);
    sql.batch_execute("COMMIT PREPARED 'late'").unwrap();
    was_swept(&world, run);
    old.put_in_place(&world, 1);
    ends_whole(&world);
    drop(world);
    drop(cluster);
}

#[test]
fn faults_rows_that_an_update_moved_behind_a_walk_by_blocks_are_swept_up() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 200, note_bytes: 4000, ..Seed::default() }) else { return };
    // Long values on the pages themselves: a large heap of few rows, where an edited row does not stay on its page.
    world.sql().batch_execute("ALTER TABLE \"Note\" SET (toast_tuple_target = 8160)").unwrap();
    world.grow(140);
    world.sql().batch_execute("VACUUM ANALYZE \"Note\"").unwrap();
    let mut run = dies_before_the_census(&world, &["--max-rate", "9000"]);
    world.wait_until_moving(&mut run);
    assert!(
        world.number("SELECT count(*) FROM scrybe_keys.job_chunk WHERE by_block") > 2,
        "the table is too small to be walked by blocks"
    );
    world.run(&["jobs", "pause", "latest", "--while-dark", "--json"]).expect(0);
    wait_for("it is paused", || {
        world.number("SELECT count(*) FROM scrybe_keys.job_process WHERE slowed_by = 'paused'") > 0
    });
    // An edit of every row that still lies where the walk has not been: its new version lies behind it, or past its end.
    let edited = world.sql().execute(
        "UPDATE \"Note\" SET \"updatedAt\" = \"updatedAt\" WHERE (ctid::text::point)[0]::bigint >=
           (SELECT max(from_block) FROM scrybe_keys.job_chunk WHERE by_block AND NOT done AND lease_process IS NULL)",
        &[],
    );
    let edited = edited.unwrap();
    world.run(&["jobs", "tune", "latest", "--max-rate", "0", "--json"]).expect(0);
    world.run(&["jobs", "unpause", "latest", "--json"]).expect(0);
    assert!(edited > 100, "{edited} rows were edited: the walk was over too soon");
    was_swept(&world, run);
    assert!(
        world.number("SELECT sum(cells_moved) FROM scrybe_keys.job_chunk WHERE late") > 50,
        "few were behind the walk"
    );
    let left = world.text("SELECT count(*) FROM \"Note\" n WHERE n.id LIKE 'copy-%'");
    assert_ne!(left, "0");
    world.shrink();
    ends_whole(&world);
}
