//! Tables that are rewritten, emptied or replaced while a job walks them: every row is in another place, and none may be forgotten.

use crate::support::foreign::{Check, Seed};
use crate::support::reshaped::{PARTITIONED, count};
use crate::support::world::World;

/// One organization whose notes fill enough blocks to be walked by them.
fn large() -> Option<World> {
    let world = World::ready(Seed { orgs: 1, notes: 150, ..Seed::default() })?;
    // Pages mostly empty: many blocks for few rows.
    world.sql().batch_execute("ALTER TABLE \"Note\" SET (fillfactor = 20)").unwrap();
    world.grow(150);
    let blocks = count(&mut world.sql(), "SELECT pg_relation_size('\"Note\"') / 8192");
    assert!(blocks > 4500, "{blocks} blocks are too few");
    Some(world)
}

/// Rewrites the notes while blocks of them are being walked; everything is moved all the same, and the walk was planned anew.
fn survives(rewrite: &str) {
    let Some(world) = large() else { return };
    let mut run =
        world.start(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json", "--workers", "2"]);
    world.wait_until_moving(&mut run);
    let walked = "SELECT count(*) FROM scrybe_keys.job_chunk WHERE by_block AND NOT late";
    assert!(count(&mut world.sql(), walked) > 0, "the notes are not walked by blocks");
    world.sql().batch_execute(rewrite).unwrap();
    assert!(run.is_running(), "it was over before the table was rewritten");
    run.finish().expect(0);
    let files = "SELECT count(DISTINCT file) FROM scrybe_keys.job_chunk WHERE by_block AND NOT late";
    assert_eq!(count(&mut world.sql(), files), 2, "the rest was planned anew, in the new file");
    world.run(&["census", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn tables_rewritten_by_vacuum_full_are_walked_anew() {
    survives("VACUUM FULL \"Note\"");
}

#[test]
fn tables_rewritten_by_cluster_are_walked_anew() {
    survives("CLUSTER \"Note\" USING \"Note_pkey\"");
}

#[test]
fn tables_rewritten_by_alter_table_are_walked_anew() {
    survives("ALTER TABLE \"Note\" SET UNLOGGED");
}

#[test]
fn tables_rewritten_leaf_by_leaf_are_moved_whole() {
    let Some(world) = World::ready(Seed { orgs: 1, notes: 150, ..Seed::default() }) else { return };
    world.grow(120);
    world.sql().batch_execute(PARTITIONED).unwrap();
    let mut run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"]);
    world.wait_until_moving(&mut run);
    for leaf in ["Note_2025_a", "Note_2025_b", "Note_2026"] {
        world.sql().batch_execute(&format!("VACUUM FULL \"{leaf}\"")).unwrap();
    }
    assert!(run.is_running(), "it was over before the leaves were rewritten");
    run.finish().expect(0);
    world.run(&["census", "--json"]).expect(0);
    world.shrink();
    world.check(Check::version(2));
}

#[test]
fn tables_emptied_by_truncate_leave_nothing_to_move() {
    let Some(world) = large() else { return };
    let mut run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"]);
    world.wait_until_moving(&mut run);
    world.sql().batch_execute("TRUNCATE \"Note\"").unwrap();
    run.finish().expect(0);
    let census = world.run(&["census", "--json"]).expect(0).json();
    assert!(census["data"]["cells"].as_u64().unwrap() > 0, "the other tables are there: {census}");
}
