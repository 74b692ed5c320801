//! Tables whose rows lie elsewhere: partitions on one and two levels, in another schema, attached while a job runs; inheritance children.
//! Rights, triggers and row security that count are those of what is written.

use crate::faults_database::as_operator;
use crate::support::foreign::{Check, Seed};
use crate::support::reshaped::{PARTITIONED, catalog, count, meets_every_row_once, session, use_map};
use crate::support::world::World;
use serde_json::Value;

const ROTATE: [&str; 7] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];

/// A clinic whose notes lie in three leaves. The map is the built-in one: it names the table and the id, as before.
fn partitioned(seed: Seed) -> Option<World> {
    let world = World::ready(Seed { notes: 150, ..seed })?;
    world.sql().batch_execute(PARTITIONED).unwrap();
    let leaves = "SELECT count(DISTINCT tableoid) FROM \"Note\"";
    assert_eq!(count(&mut world.sql(), leaves), 3, "the shape holds rows in every leaf");
    Some(world)
}

fn clinic() -> Option<World> {
    partitioned(Seed { orgs: 1, ..Seed::default() })
}

/// Counts of a census by column, as the report gives them.
fn cells_of(census: &Value, table: &str) -> u64 {
    let counts = census["data"]["counts"].as_array().unwrap();
    counts.iter().filter(|c| c["table"] == table).map(|c| c["cells"].as_u64().unwrap()).sum()
}

#[test]
fn tables_a_partitioned_table_is_rotated_leaf_by_leaf() {
    let Some(mut world) = partitioned(Seed::default()) else { return };
    let map = use_map(&mut world, |_| {});
    let (mut session, found) = (session(&world), catalog(&world, &map));
    let leaves: Vec<_> = found.tables.iter().filter(|t| t.name == "Note").collect();
    let relations: Vec<&str> = leaves.iter().map(|t| t.relation.as_str()).collect();
    assert_eq!(relations, ["Note_2025_a", "Note_2025_b", "Note_2026"]);
    let met: usize = leaves
        .iter()
        .flat_map(|leaf| world.seeded.organizations.iter().map(move |org| (leaf, org)))
        .map(|(leaf, org)| meets_every_row_once(&mut session, leaf, org))
        .sum();
    assert_eq!(met as i64, count(&mut world.sql(), "SELECT count(*) FROM \"Note\""));
    world.rotate_all().expect(0);
    world.check(Check::version(2));
    let census = world.run(&["census", "--json"]).expect(0).json();
    let values = "SELECT count(*) FROM \"Note\" WHERE content <> ''";
    assert_eq!(cells_of(&census, "Note"), count(&mut world.sql(), values) as u64, "{census}");
    let by_leaf = "SELECT count(DISTINCT table_name) FROM scrybe_keys.job_chunk WHERE table_name LIKE 'Note%'";
    assert_eq!(count(&mut world.sql(), by_leaf), 3);
}

#[test]
fn tables_a_partitioned_table_is_named_by_the_maps_name() {
    let Some(world) = partitioned(Seed { orgs: 1, flaws: vec!["corrupted"], ..Seed::default() }) else { return };
    let ran = world.run(&["re-encrypt", "--all", "--model", "Note_2026", "--yes"]).expect(2);
    assert!(ran.stderr.contains("only FormSubmission, Note, Call"), "every table is offered once: {ran:?}");
    world.rotate_all().expect(3);
    let failures = world.run(&["jobs", "failures", "latest", "--json"]).expect(3).json();
    let failed = &failures["data"]["failures"][0];
    assert_eq!(failed["table"], "Note", "{failures}");
    // The id alone is not unique in such a table: the name holds the column it is partitioned by.
    let name: Vec<String> = serde_json::from_str(failed["rowId"].as_str().unwrap()).unwrap();
    assert_eq!(name.len(), 2, "{failures}");
    assert_eq!(name[0], world.seeded.flawed_row("corrupted"), "{failures}");
    world.run(&["re-encrypt", "--all", "--model", "Note", "--settle", "0s", "--yes", "--json"]).expect(3);
    world.check(Check::version(2));
}

#[test]
fn tables_what_was_left_in_a_leaf_is_found_and_moved_by_name() {
    let Some(world) = clinic() else { return };
    let old = "SELECT id, \"createdAt\", content FROM \"Note\" WHERE content LIKE 'enc:%'";
    world.sql().batch_execute(&format!("CREATE TABLE scrybe_keys.before AS {old}")).unwrap();
    world.rotate_all().expect(0);
    // Values written late, under the old key, in every leaf: too few to walk the leaf again.
    world
        .sql()
        .batch_execute(
            "UPDATE \"Note\" n SET content = b.content FROM scrybe_keys.before b WHERE n.id = b.id AND n.id > '8'",
        )
        .unwrap();
    let census = world.run(&["census", "--json"]).expect(3);
    assert!(census.problem_codes().iter().any(|code| code == "stale-cells"), "{census:?}");
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn tables_a_partition_in_another_schema_is_met() {
    let Some(world) = clinic() else { return };
    let elsewhere = "CREATE SCHEMA archive; ALTER TABLE \"Note_2026\" SET SCHEMA archive;
                     ALTER TABLE archive.\"Note_2026\" RENAME TO \"Old notes\"";
    world.sql().batch_execute(elsewhere).unwrap();
    world.rotate_all().expect(0);
    let walked =
        "SELECT count(*) FROM scrybe_keys.job_chunk WHERE table_name = '\"archive\".\"Old notes\"' AND cells_moved > 0";
    assert!(count(&mut world.sql(), walked) > 0);
    world.check(Check::version(2));
}

#[test]
fn tables_a_partition_attached_before_the_closing_census_is_met_by_it() {
    let Some(world) = clinic() else { return };
    world.sql().batch_execute("ALTER TABLE \"Note\" DETACH PARTITION \"Note_2026\"").unwrap();
    let mut run = world.start(&["rotate", "--all", "--reason", "test", "--settle", "6s", "--yes", "--json"]);
    let moved = "SELECT count(*) FROM scrybe_keys.job_organization WHERE state = 'moved'";
    let since = std::time::Instant::now();
    while count(&mut world.sql(), moved) == 0 {
        assert!(run.is_running() && since.elapsed().as_secs() < 60, "it never got to settling");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    world
        .sql()
        .batch_execute(
            "ALTER TABLE \"Note\" ATTACH PARTITION \"Note_2026\" FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)",
        )
        .unwrap();
    run.finish().expect(0);
    world.check(Check::version(2));
}

#[test]
fn tables_a_partition_is_not_mapped_by_itself() {
    let Some(mut world) = clinic() else { return };
    use_map(&mut world, |map| map.tables[1].table = "Note_2026".to_owned());
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("Note_2026 is a partition of public.\"Note\""), "{ran:?}");
    assert!(ran.stderr.contains("name the partitioned table"), "{ran:?}");
}

#[test]
fn tables_a_partition_in_another_server_is_refused() {
    let Some(world) = clinic() else { return };
    let foreign = "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;
         ALTER TABLE \"Note\" DETACH PARTITION \"Note_2026\"; ALTER TABLE \"Note\" DROP CONSTRAINT \"Note_pkey1\";
         CREATE UNIQUE INDEX ON \"Note_2025_a\" (id); CREATE UNIQUE INDEX ON \"Note_2025_b\" (id);
         CREATE FOREIGN TABLE \"Note_far\" PARTITION OF \"Note\" FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) SERVER far";
    world.sql().batch_execute(foreign).unwrap();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("partition Note_far of table Note is a foreign table"), "{ran:?}");
}

#[test]
fn tables_a_leaf_without_a_key_is_refused() {
    let Some(world) = clinic() else { return };
    world.sql().batch_execute("ALTER TABLE \"Note\" DROP CONSTRAINT \"Note_pkey1\"").unwrap();
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("Note_2025_a has no primary key or unique index on id"), "{ran:?}");
    assert_eq!(world.digest(), before);
    // A leaf's own index counts: the table as a whole has none.
    let own = "CREATE UNIQUE INDEX ON \"Note_2025_a\" (id); CREATE UNIQUE INDEX ON \"Note_2025_b\" (id); CREATE UNIQUE INDEX ON \"Note_2026\" (id)";
    world.sql().batch_execute(own).unwrap();
    world.rotate_all().expect(0);
    world.check(Check::version(2));
}

#[test]
fn tables_a_right_on_the_parent_is_none_on_its_leaves() {
    let Some(mut world) = clinic() else { return };
    let role = as_operator(
        &mut world,
        "REVOKE ALL ON \"Note_2025\", \"Note_2025_a\", \"Note_2025_b\", \"Note_2026\" FROM {role};",
    );
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(6);
    assert_eq!(world.digest(), before);
    let grants: Vec<&str> = ran
        .stderr
        .lines()
        .filter_map(|line| line.find("GRANT ").map(|at| line[at..].split(" -- ").next().unwrap()))
        .collect();
    for wanted in
        ["GRANT SELECT ON \"public\".\"Note_2026\"", "GRANT UPDATE (\"content\") ON \"public\".\"Note_2025_a\""]
    {
        assert!(grants.iter().any(|grant| grant.starts_with(wanted) && grant.contains(&role)), "{wanted}: {ran:?}");
    }
    assert!(!ran.stderr.contains("\"Note_2025\" "), "the level between holds no row: {ran:?}");
    // The advice is right, and all there is to it.
    world.sql().batch_execute(&grants.join("\n")).unwrap();
    world.rotate_all().expect(0);
    world.check(Check::version(2));
}

#[test]
fn tables_row_security_on_a_leaf_is_an_error_and_not_a_filter() {
    let Some(mut world) = clinic() else { return };
    as_operator(
        &mut world,
        "ALTER TABLE \"Note_2026\" ENABLE ROW LEVEL SECURITY; CREATE POLICY some_rows ON \"Note_2026\" USING (id < '8');",
    );
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(6);
    assert!(ran.stderr.contains("row-level security on table Note_2026"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn tables_a_trigger_on_a_leaf_or_its_parent_is_refused_unless_allowed() {
    let Some(world) = clinic() else { return };
    let touch = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.\"updatedAt\" := now(); RETURN NEW; END'";
    world.sql().batch_execute(touch).unwrap();
    let before = world.digest();
    for (on, named) in [("Note_2026", "Note_2026"), ("Note", "Note_2025_a")] {
        let trigger =
            format!("CREATE TRIGGER touch_it BEFORE UPDATE ON \"{on}\" FOR EACH ROW EXECUTE FUNCTION touch()");
        world.sql().batch_execute(&trigger).unwrap();
        let ran = world.run(&ROTATE).expect(5);
        assert!(
            ran.stderr.contains(&format!("table {named} has triggers that fire on UPDATE (touch_it)")),
            "{on}: {ran:?}"
        );
        world.sql().batch_execute(&format!("DROP TRIGGER touch_it ON \"{on}\"")).unwrap();
    }
    assert_eq!(world.digest(), before);
    world.rotate_all().expect(0);
    world.check(Check::version(2));
}

/// Notes with a child table that has columns of its own, and keys that are unique in each of the two only.
const INHERITED: &str = r#"
    CREATE TABLE "Note_scanned" (page text, PRIMARY KEY (id)) INHERITS ("Note");
    WITH gone AS (DELETE FROM ONLY "Note" WHERE id > '8' RETURNING *) INSERT INTO "Note_scanned" SELECT *, 'p. 1' FROM gone;
    ANALYZE;"#;
const UNINHERITED: &str = r#"
    WITH gone AS (DELETE FROM "Note_scanned" RETURNING *)
        INSERT INTO "Note" SELECT (jsonb_populate_record(NULL::"Note", to_jsonb(gone) - 'page')).* FROM gone;
    DROP TABLE "Note_scanned";"#;

#[test]
fn tables_inheritance_children_are_met() {
    let Some(mut world) = World::ready(Seed { orgs: 1, notes: 150, ..Seed::default() }) else { return };
    world.sql().batch_execute(INHERITED).unwrap();
    let map = use_map(&mut world, |_| {});
    let found = catalog(&world, &map);
    let relations: Vec<&str> = found.tables.iter().filter(|t| t.name == "Note").map(|t| t.relation.as_str()).collect();
    assert_eq!(relations, ["Note", "Note_scanned"]);
    let (mut session, org) = (session(&world), world.org().to_owned());
    let mut met = |relation| meets_every_row_once(&mut session, found.table(relation).unwrap(), &org) as i64;
    let mut sql = world.sql();
    assert_eq!(met("Note"), count(&mut sql, "SELECT count(*) FROM ONLY \"Note\""), "the parent's own");
    assert_eq!(met("Note_scanned"), count(&mut sql, "SELECT count(*) FROM \"Note_scanned\""));
    let ran = world.rotate_all().expect(0);
    assert!(ran.problem_codes().is_empty(), "a child's sealed column is mapped: {ran:?}");
    let census = world.run(&["census", "--json"]).expect(0).json();
    let values = "SELECT count(*) FROM \"Note\" WHERE content <> ''";
    assert_eq!(cells_of(&census, "Note"), count(&mut sql, values) as u64, "each is counted once: {census}");
    // What a child has beside is looked at as well.
    sql.batch_execute("UPDATE \"Note_scanned\" SET page = content").unwrap();
    let census = world.run(&["census", "--json"]).expect(3);
    let unmapped = &census.json()["data"]["unmapped"];
    assert_eq!(unmapped[0]["table"], "Note_scanned", "{unmapped}");
    assert_eq!(unmapped[0]["column"], "page", "{unmapped}");
    sql.batch_execute(UNINHERITED).unwrap();
    world.check(Check::version(2));
}

#[test]
fn tables_an_inheritance_child_without_a_key_is_refused() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    world.sql().batch_execute("CREATE TABLE \"Note_scanned\" (page text) INHERITS (\"Note\")").unwrap();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("Note_scanned has no primary key or unique index on id"), "{ran:?}");
}

#[test]
fn tables_a_child_of_two_mapped_tables_is_refused() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    world.sql().batch_execute("CREATE TABLE both_of_them (PRIMARY KEY (id)) INHERITS (\"Note\", \"Message\")").unwrap();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("both_of_them belongs to two tables of the data map, Note and Message"), "{ran:?}");
}
