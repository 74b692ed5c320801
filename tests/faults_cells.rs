//! Cells that are not as they should be: each is named, counted, left as it is, and everything else moves.

use crate::support::cli::Ran;
use crate::support::foreign::{Check, Seed};
use crate::support::world::World;

fn clinic_with(flaw: &'static str) -> Option<World> {
    World::ready(Seed { orgs: 1, flaws: vec![flaw], ..Seed::default() })
}

/// The answer names the row and never shows what is in it.
#[track_caller]
fn names_the_cell(world: &World, ran: &Ran, flaw: &str) {
    let row = world.seeded.flawed_row(flaw);
    let failures = world.run(&["jobs", "failures", "latest", "--json"]);
    let said = format!("{}{}", ran.stdout, failures.stdout);
    assert!(said.contains(row), "{row} is not named in {ran:?} nor in {failures:?}");
    assert!(!said.contains("enc:v1:"), "an envelope is shown: {said}");
}

fn is_quarantined(flaw: &'static str) {
    let Some(world) = clinic_with(flaw) else { return };
    let ran = world.rotate_all().expect(3);
    assert_eq!(ran.json()["status"], "findings");
    assert!(!ran.problem_codes().is_empty(), "{ran:?}");
    names_the_cell(&world, &ran, flaw);
    world.check(Check::version(2));
    let census = world.run(&["census", "--list-unopenable", "--json"]).expect(3);
    assert!(census.stdout.contains(world.seeded.flawed_row(flaw)), "{census:?}");
    // The same again: found again, nothing new.
    let again = world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(3);
    assert_eq!(again.json()["changed"], false, "{again:?}");
    world.check(Check::version(2));
}

#[test]
fn faults_a_corrupted_cell_is_quarantined_and_the_rest_moves() {
    is_quarantined("corrupted");
}

#[test]
fn faults_a_cell_under_a_foreign_key_is_quarantined_and_the_rest_moves() {
    is_quarantined("foreign-key");
}

#[test]
fn faults_a_quarantined_cell_that_was_repaired_moves_on_retry() {
    let Some(world) = clinic_with("corrupted") else { return };
    let (mut sql, row) = (world.sql(), world.seeded.flawed_row("corrupted").to_owned());
    let broken: String = sql.query_one("SELECT content FROM \"Note\" WHERE id = $1", &[&row]).unwrap().get(0);
    // Any other note's envelope is a repair as far as the key is concerned.
    let good: String = sql
        .query_one("SELECT content FROM \"Note\" WHERE content LIKE 'enc:v1:%' AND id <> $1 LIMIT 1", &[&row])
        .unwrap()
        .get(0);
    world.rotate_all().expect(3);
    sql.execute("UPDATE \"Note\" SET content = $1 WHERE id = $2", &[&good, &row]).unwrap();
    world.run(&["jobs", "retry-failed", "latest", "--yes", "--json"]).expect(0);
    world.run(&["census", "--json"]).expect(0);
    sql.execute("UPDATE \"Note\" SET content = $1 WHERE id = $2", &[&broken, &row]).unwrap();
    world.check(Check::version(2));
}

#[test]
fn faults_plaintext_is_reported_and_left() {
    let Some(world) = clinic_with("plaintext") else { return };
    let ran = world.rotate_all();
    assert!([0, 3].contains(&ran.code()), "{ran:?}");
    assert!(ran.problem_codes().iter().any(|c| c.contains("plaintext")), "{ran:?}");
    assert!(!ran.stdout.contains("left by a bulk write"), "plaintext is shown: {ran:?}");
    world.check(Check::version(2));
    let census = world.run(&["census", "--json"]).expect(3);
    assert!(census.problem_codes().iter().any(|c| c.contains("plaintext")), "{census:?}");
}

#[test]
fn faults_plaintext_is_sealed_when_asked_for() {
    let Some(world) = clinic_with("plaintext") else { return };
    world.rotate_all();
    world.run(&["re-encrypt", "--all", "--include-plaintext", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check { plaintext_sealed: true, ..Check::version(2) });
    world.run(&["census", "--json"]).expect(0);
}

#[test]
fn faults_a_nested_envelope_is_counted_and_peeled_when_asked_for() {
    let Some(world) = clinic_with("nested") else { return };
    let ran = world.rotate_all();
    assert!([0, 3].contains(&ran.code()), "{ran:?}");
    world.check(Check::version(2));
    let census = world.run(&["census", "--json"]).expect(3);
    assert!(census.problem_codes().iter().any(|c| c.contains("nested")), "{census:?}");
    world.run(&["re-encrypt", "--all", "--unwrap-nested", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check { unwrapped: true, ..Check::version(2) });
    world.run(&["census", "--json"]).expect(0);
}

#[test]
fn faults_an_orphan_row_is_a_finding_and_left() {
    let Some(world) = clinic_with("orphan") else { return };
    // The rotation did all it was asked for; what it could not know is a finding beside it.
    let ran = world.rotate_all().expect(3);
    assert!(ran.problem_codes().iter().any(|c| c == "ownerless-cells"), "{ran:?}");
    world.check(Check::version(2));
    let census = world.run(&["census", "--json"]).expect(3);
    assert!(census.problem_codes().iter().any(|c| c.contains("owner")), "{census:?}");
}

#[test]
fn faults_an_envelope_in_a_column_nobody_mapped_is_a_finding() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    let mut sql = world.sql();
    sql.batch_execute(
        "UPDATE \"Client\" SET \"internalId\" = (SELECT content FROM \"Note\" WHERE content LIKE 'enc:v1:%' LIMIT 1)",
    )
    .unwrap();
    let census = world.run(&["census", "--json"]).expect(3);
    assert!(census.stdout.contains("internalId"), "{census:?}");
}
