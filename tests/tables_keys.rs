//! Keys as they are found: text is what all other tests have; here are uuid, bigint and several columns, and what is no key at all.

use crate::support::foreign::{Check, Seed};
use crate::support::reshaped::{catalog, count, key_notes_by, meets_every_row_once, session};
use crate::support::world::World;

const ROTATE: [&str; 7] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];

/// Rotates with notes in this shape and key, looks at every way their rows are met, and has the foreign checker see them as they were.
fn rotates(shape: &str, id: &[&str], undo: &str) {
    let Some(mut world) = World::ready(Seed { notes: 150, ..Seed::default() }) else { return };
    world.sql().batch_execute(shape).unwrap();
    let map = key_notes_by(&mut world, id);
    let (mut session, found) = (session(&world), catalog(&world, &map));
    let notes = found.table("Note").unwrap();
    let met: usize = world.seeded.organizations.iter().map(|org| meets_every_row_once(&mut session, notes, org)).sum();
    assert_eq!(met as i64, count(&mut world.sql(), "SELECT count(*) FROM \"Note\""));
    world.rotate_all().expect(0);
    world.run(&["census", "--json"]).expect(0);
    world.sql().batch_execute(undo).unwrap();
    world.check(Check::version(2));
}

#[test]
fn tables_rows_are_found_by_a_uuid() {
    rotates(
        "ALTER TABLE \"Note\" ALTER COLUMN id TYPE uuid USING id::uuid",
        &["id"],
        "ALTER TABLE \"Note\" ALTER COLUMN id TYPE text USING id::text",
    );
}

#[test]
fn tables_rows_are_found_by_a_bigint_in_the_order_of_numbers() {
    rotates(
        "ALTER TABLE \"Note\" ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY (MINVALUE -40), DROP CONSTRAINT \"Note_pkey\",
             ADD PRIMARY KEY (number)",
        &["number"],
        "ALTER TABLE \"Note\" DROP COLUMN number, ADD PRIMARY KEY (id)",
    );
}

#[test]
fn tables_rows_are_found_by_padded_text() {
    rotates(
        "ALTER TABLE \"Note\" ALTER COLUMN id TYPE char(40)",
        &["id"],
        "ALTER TABLE \"Note\" ALTER COLUMN id TYPE text",
    );
}

/// Text with everything that a separator could be taken for, and numbers past those a JSON number keeps.
const SHELVES: &str = "CREATE SEQUENCE numbers START WITH 9007199254740993;
     ALTER TABLE \"Note\" ADD COLUMN shelf text NOT NULL DEFAULT '', ADD COLUMN number bigint NOT NULL DEFAULT nextval('numbers');
     UPDATE \"Note\" SET shelf = (ARRAY['', 'a,b', '[\"a\",\"b\"]', E'back\\\\slash \"quoted\"', E'line\\nbreak', 'Ж'])[1 + number % 6];
     ALTER TABLE \"Note\" DROP CONSTRAINT \"Note_pkey\", ADD PRIMARY KEY (shelf, number);";
const NO_SHELVES: &str =
    "ALTER TABLE \"Note\" DROP COLUMN shelf, DROP COLUMN number, ADD PRIMARY KEY (id); DROP SEQUENCE numbers";

#[test]
fn tables_rows_are_found_by_several_columns() {
    rotates(SHELVES, &["shelf", "number"], NO_SHELVES);
}

#[test]
fn tables_a_range_of_several_columns_is_answered_by_their_index() {
    let Some(mut world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    world.sql().batch_execute(SHELVES).unwrap();
    let map = key_notes_by(&mut world, &["shelf", "number"]);
    let found = catalog(&world, &map);
    let key = &found.table("Note").unwrap().key;
    let sql = format!(
        "EXPLAIN SELECT * FROM \"Note\" t WHERE {} AND {}",
        key.compares(">", "($1::text)"),
        key.compares("<=", "($2::text)")
    );
    let mut plan = world.sql();
    plan.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").unwrap();
    let (from, to) = ("[\"a,b\",\"1\"]", "[\"a,b\",\"9007199254741100\"]");
    let lines: Vec<String> = plan.query(&sql, &[&from, &to]).unwrap().iter().map(|row| row.get(0)).collect();
    let condition = lines.iter().find(|line| line.contains("Index Cond")).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(condition.contains("ROW(shelf, number) >") && condition.contains("ROW(shelf, number) <="), "{lines:?}");
}

#[test]
fn tables_a_cell_of_a_row_with_several_key_columns_is_named_unmistakably() {
    let Some(mut world) = World::ready(Seed { orgs: 1, flaws: vec!["corrupted"], ..Seed::default() }) else { return };
    let mut sql = world.sql();
    sql.batch_execute(SHELVES).unwrap();
    key_notes_by(&mut world, &["shelf", "number"]);
    let row = world.seeded.flawed_row("corrupted").to_owned();
    sql.execute("UPDATE \"Note\" SET shelf = 'a\",\"b' WHERE id = $1", &[&row]).unwrap();
    let number: i64 = sql.query_one("SELECT number FROM \"Note\" WHERE id = $1", &[&row]).unwrap().get(0);
    let name = serde_json::json!(["a\",\"b", number.to_string()]);
    world.rotate_all().expect(3);
    let named = |rows: &serde_json::Value| {
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), 1, "{rows:?}");
        serde_json::from_str::<serde_json::Value>(rows[0]["rowId"].as_str().unwrap()).unwrap()
    };
    let failures = world.run(&["jobs", "failures", "latest", "--json"]).expect(3).json();
    assert_eq!(named(&failures["data"]["failures"]), name, "{failures}");
    let census = world.run(&["census", "--list-unopenable", "--json"]).expect(3).json();
    assert_eq!(named(&census["data"]["unopenable"]), name, "{census}");
    // Its name finds it again: repaired, it moves.
    let good = "UPDATE \"Note\" SET content = (SELECT content FROM \"Note\" WHERE content LIKE 'enc:v1:%' AND id <> $1 LIMIT 1) WHERE id = $1";
    sql.execute(good, &[&row]).unwrap();
    world.run(&["jobs", "retry-failed", "latest", "--yes", "--json"]).expect(0);
    world.run(&["census", "--json"]).expect(0);
}

/// Notes whose key was taken away and this put in its place are refused with the reason, before anything is changed.
#[track_caller]
fn is_refused(shape: &str, id: &[&str], reason: &str) {
    let Some(mut world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    let mut sql = world.sql();
    sql.batch_execute("ALTER TABLE \"Note\" DROP CONSTRAINT \"Note_pkey\"").unwrap();
    sql.batch_execute(shape).unwrap();
    key_notes_by(&mut world, id);
    let before = world.digest();
    let ran = world.run(&ROTATE).expect(5);
    assert!(ran.stderr.contains("Note has no primary key") && ran.stderr.contains(reason), "{ran:?}");
    assert!(ran.stderr.contains("hint"), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn tables_without_a_key_are_refused() {
    is_refused("CREATE INDEX ON \"Note\" (id)", &["id"], "unique index on id: rows cannot be named");
}

#[test]
fn tables_whose_key_holds_more_columns_than_the_map_says_are_refused() {
    is_refused(
        "ALTER TABLE \"Note\" ADD PRIMARY KEY (id, \"orgId\", \"createdAt\")",
        &["id", "orgId"],
        "unique index on (id, orgId): rows cannot be named",
    );
}

#[test]
fn tables_whose_unique_column_may_be_null_are_refused() {
    is_refused(
        "ALTER TABLE \"Note\" ALTER COLUMN id DROP NOT NULL; CREATE UNIQUE INDEX ON \"Note\" (id)",
        &["id"],
        "column id may be NULL",
    );
}

#[test]
fn tables_whose_unique_index_is_partial_are_refused() {
    is_refused(
        "CREATE UNIQUE INDEX one_each ON \"Note\" (id) WHERE status <> 'gone'",
        &["id"],
        "unique index one_each is partial",
    );
}

#[test]
fn tables_whose_unique_index_is_on_an_expression_are_refused() {
    is_refused(
        "CREATE UNIQUE INDEX one_each ON \"Note\" (id, lower(id))",
        &["id"],
        "unique index one_each is on an expression",
    );
}

#[test]
fn tables_whose_unique_constraint_is_deferrable_are_refused() {
    is_refused(
        "ALTER TABLE \"Note\" ADD CONSTRAINT one_each UNIQUE (id) DEFERRABLE",
        &["id"],
        "unique index one_each is deferrable",
    );
}

#[test]
fn tables_whose_unique_index_is_not_valid_are_refused() {
    is_refused(
        "CREATE UNIQUE INDEX one_each ON \"Note\" (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'one_each'::regclass",
        &["id"],
        "unique index one_each is not valid",
    );
}
