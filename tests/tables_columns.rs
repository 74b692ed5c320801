//! What hangs on a table beside its rows: generated columns, rules, publications, replication slots. Refused, said in the plan, or harmless.

use crate::support::cli::Ran;
use crate::support::cluster::own_cluster;
use crate::support::foreign::{Check, Seed};
use crate::support::reshaped::{PARTITIONED, catalog, count, session, use_map};
use crate::support::world::World;
use serde_json::Value;

const ROTATE: [&str; 7] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];
const PLAN: [&str; 8] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--dry-run", "--json"];

fn clinic() -> Option<World> {
    World::ready(Seed { orgs: 1, ..Seed::default() })
}

/// The problem with this code, of which there must be one.
#[track_caller]
fn problem(ran: &Ran, code: &str) -> Value {
    let answer = ran.json();
    let found: Vec<&Value> = answer["problems"].as_array().unwrap().iter().filter(|p| p["code"] == code).collect();
    assert_eq!(found.len(), 1, "{code} in {ran:?}");
    found[0].clone()
}

#[test]
fn tables_a_generated_column_is_not_mapped() {
    let Some(mut world) = clinic() else { return };
    let generated = "ALTER TABLE \"Note\" ADD COLUMN copied text GENERATED ALWAYS AS (content) STORED";
    world.sql().batch_execute(generated).unwrap();
    use_map(&mut world, |map| map.tables[1].columns[0].column = "copied".to_owned());
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("column Note.copied is generated"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn tables_columns_generated_from_sealed_ones_are_a_note_in_the_plan() {
    let Some(world) = clinic() else { return };
    let generated = "ALTER TABLE \"Note\" ADD COLUMN copied text GENERATED ALWAYS AS (content) STORED,
         ADD COLUMN size integer GENERATED ALWAYS AS (length(content)) STORED,
         ADD COLUMN loud text GENERATED ALWAYS AS (upper(status)) STORED";
    world.sql().batch_execute(generated).unwrap();
    let ran = world.rotate_all().expect(0);
    let note = problem(&ran, "generated-from-sealed");
    assert_eq!((note["severity"].as_str(), note["subject"].as_str()), (Some("info"), Some("Note")));
    let said = note["message"].as_str().unwrap();
    assert!(said.contains("copied, size") && !said.contains("loud"), "{said}");
    assert_eq!(ran.problem_codes().len(), 1, "a copy that PostgreSQL keeps needs no mapping: {ran:?}");
    let kept = "SELECT count(*) FROM \"Note\" WHERE copied IS DISTINCT FROM content OR size <> length(content)";
    assert_eq!(count(&mut world.sql(), kept), 0);
    world.sql().batch_execute("ALTER TABLE \"Note\" DROP COLUMN copied, DROP COLUMN size, DROP COLUMN loud").unwrap();
    world.check(Check::version(2));
}

#[test]
fn tables_a_rule_on_update_is_refused_as_a_trigger_is() {
    let Some(world) = clinic() else { return };
    world.sql().batch_execute("CREATE RULE keep_it AS ON UPDATE TO \"Note\" DO INSTEAD NOTHING").unwrap();
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("Note has triggers that fire on UPDATE (rule keep_it)"), "{ran:?}");
    // Allowed, it is PostgreSQL that says no.
    let ran = world.run(&[&ROTATE[..], &["--allow-triggers"]].concat()).expect(5);
    assert!(ran.stderr.contains("PostgreSQL refuses to update table Note"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn tables_published_without_a_replica_identity_are_refused_before_the_flip() {
    let Some(world) = clinic() else { return };
    let published = "CREATE PUBLICATION warehouse FOR TABLE \"Note\"; ALTER TABLE \"Note\" REPLICA IDENTITY NOTHING";
    world.sql().batch_execute(published).unwrap();
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(5);
    assert!(
        ran.stderr.contains("PostgreSQL refuses to update table Note") && ran.stderr.contains("REPLICA IDENTITY"),
        "{ran:?}"
    );
    assert_eq!(world.digest(), before);
    // Where updates are not published, none is needed.
    world.sql().batch_execute("ALTER PUBLICATION warehouse SET (publish = 'insert')").unwrap();
    let ran = world.rotate_all().expect(0);
    assert!(ran.problem_codes().is_empty(), "{ran:?}");
    world.check(Check::version(2));
}

#[test]
fn tables_replica_identity_full_costs_nothing_without_logical_replication() {
    let Some(world) = clinic() else { return };
    world.sql().batch_execute("ALTER TABLE \"Note\" REPLICA IDENTITY FULL").unwrap();
    let ran = world.run(&PLAN).expect(0);
    let note = problem(&ran, "replica-identity-full");
    assert_eq!(note["severity"], "info", "{note}");
    assert_eq!(ran.problem_codes().len(), 1, "{ran:?}");
}

#[test]
fn tables_that_others_read_by_logical_replication_are_warned_about() {
    let (_dir, cluster) = own_cluster(vec!["wal_level = logical".to_owned()]);
    let Some(mut world) = World::on(&cluster, Seed { orgs: 1, notes: 150, ..Seed::default() }) else { return };
    let mut sql = world.sql();
    sql.batch_execute(PARTITIONED).unwrap();
    sql.batch_execute(
        "ALTER TABLE \"Note_2026\" REPLICA IDENTITY FULL; CREATE PUBLICATION warehouse FOR TABLE \"Note\", \"Message\"",
    )
    .unwrap();
    sql.query("SELECT pg_create_logical_replication_slot('warehouse_slot', 'pgoutput')", &[]).unwrap();
    let map = use_map(&mut world, |_| {});
    let published: Vec<(String, bool)> = catalog(&world, &map)
        .tables
        .iter()
        .map(|live| (live.relation.clone(), live.publications == ["warehouse"]))
        .collect();
    for (relation, wanted) in [("Note_2025_a", true), ("Note_2026", true), ("Message", true), ("Call", false)] {
        assert!(published.contains(&(relation.to_owned(), wanted)), "{relation}: {published:?}");
    }
    let plan = world.run(&PLAN).expect(0);
    let full = problem(&plan, "replica-identity-full");
    assert_eq!((full["severity"].as_str(), full["subject"].as_str()), (Some("warning"), Some("Note")));
    assert!(full["hint"].as_str().unwrap().contains("ALTER TABLE \"public\".\"Note_2026\" REPLICA IDENTITY DEFAULT"));
    let answer = plan.json();
    let published = answer["problems"].as_array().unwrap().iter().filter(|p| p["code"] == "published-table");
    let subjects: Vec<&str> = published.map(|p| p["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["Message", "Note"], "{plan:?}");
    let slot = problem(&plan, "logical-slot");
    assert_eq!((slot["severity"].as_str(), slot["subject"].as_str()), (Some("warning"), Some("warehouse_slot")));
    assert!(slot["message"].as_str().unwrap().contains("read by nobody"), "{slot}");
    let lag = || session(&world).logical_replication().unwrap().slots[0].lag_bytes;
    let before = lag();
    world.rotate_all().expect(0);
    assert!(lag() > before, "nobody has read it: {before} bytes before, {} after", lag());
    world.check(Check::version(2));
}

#[test]
fn tables_that_were_rewritten_are_in_another_file() {
    let Some(mut world) = clinic() else { return };
    let map = use_map(&mut world, |_| {});
    let (mut session, found) = (session(&world), catalog(&world, &map));
    let notes = found.table("Note").unwrap();
    let file = session.file_of(notes).unwrap();
    assert_eq!(notes.file, file);
    world.sql().batch_execute("VACUUM ANALYZE \"Note\"").unwrap();
    assert_eq!(session.file_of(notes).unwrap(), file);
    for rewrite in ["VACUUM FULL \"Note\"", "CLUSTER \"Note\" USING \"Note_pkey\"", "TRUNCATE \"Note\""] {
        let before = session.file_of(notes).unwrap();
        world.sql().batch_execute(rewrite).unwrap();
        assert_ne!(session.file_of(notes).unwrap(), before, "{rewrite}");
    }
}

#[test]
fn tables_are_weighed_before_and_after() {
    let Some(mut world) = clinic() else { return };
    world.grow(20);
    let map = use_map(&mut world, |_| {});
    let (mut session, found) = (session(&world), catalog(&world, &map));
    let notes = found.table("Note").unwrap();
    let before = session.sizes(notes).unwrap();
    let bytes = count(&mut world.sql(), "SELECT pg_relation_size('\"Note\"') + pg_indexes_size('\"Note\"')");
    assert_eq!(before.heap_bytes + before.index_bytes, bytes);
    let rows = count(&mut world.sql(), "SELECT count(*) FROM \"Note\"");
    assert_eq!(notes.rows, rows);
    assert_eq!(notes.bytes, before.heap_bytes + before.toast_bytes);
    world.rotate_all().expect(0);
    let moved = count(&mut world.sql(), "SELECT count(*) FROM \"Note\" WHERE content <> ''");
    // The statistics are a moment behind.
    let since = std::time::Instant::now();
    loop {
        let after = session.sizes(notes).unwrap();
        if after.updated_rows - before.updated_rows >= moved {
            assert!(after.heap_bytes >= before.heap_bytes && after.hot_updated_rows <= after.updated_rows, "{after:?}");
            break;
        }
        assert!(since.elapsed().as_secs() < 10, "{moved} rows moved, {after:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
