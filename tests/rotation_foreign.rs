//! The main job on a clinic that a foreign implementation filled and a foreign implementation checks.
//!
//! Every value identical byte for byte, under the one active key, nothing else touched: `tests/foreign/check.py` decides.

use crate::support::foreign::{Check, Seed};
use crate::support::world::World;
use scrybe_keys::core::data_map::DataMap;
use scrybe_keys::db::application::Shape;
use serde_json::Value;

/// Rows of tables that no rotation may touch at all.
fn untouchable(world: &World) -> String {
    let digest = world.digest();
    digest
        .lines()
        .filter(|l| {
            ["\"Organization\"", "\"AuditLog\"", "\"JobProgress\"", "\"User\""].iter().any(|t| l.starts_with(t))
        })
        .collect()
}

fn rotates_whole(shape: Shape) {
    let Some(world) = World::unbound(shape, Seed { orgs: 3, notes: 90, ..Seed::default() }) else { return };
    world.run(&["init"]).expect(0);
    let (before, cells) = (untouchable(&world), world.check(Check::version(1)));
    let json = world.rotate_all().expect(0).json();
    assert_eq!(json["schema"], "scrybe-keys/rotate/1");
    assert_eq!(
        (json["status"].as_str(), json["exitCode"].as_i64(), json["changed"].as_bool()),
        (Some("ok"), Some(0), Some(true)),
        "{json:#}"
    );
    let rotations = json["data"]["rotations"].as_array().unwrap();
    assert_eq!(rotations.len(), 3, "{json:#}");
    for rotation in rotations {
        assert!(world.seeded.organizations.iter().any(|o| rotation["organizationId"] == **o), "{rotation:#}");
        assert_eq!(
            (&rotation["success"], &rotation["previousVersion"], &rotation["newVersion"]),
            (&true.into(), &1.into(), &2.into()),
            "{rotation:#}"
        );
        assert!(rotation["darkSeconds"].as_f64().is_some_and(|s| (0.0..60.0).contains(&s)), "{rotation:#}");
        for text in ["rotatedAt", "rotatedBy"] {
            assert!(rotation[text].is_string(), "{text} in {rotation:#}");
        }
        assert_eq!(rotation["reEncryptionStatus"]["status"], "COMPLETED", "{rotation:#}");
        rotation["rotatedAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let after = world.check(Check::version(2));
    assert_eq!(after["opened"], cells["opened"]);
    assert_eq!(untouchable(&world), before);
    let census = world.run(&["census", "--json"]).expect(0);
    assert!(census.problem_codes().is_empty(), "{census:?}");
}

#[test]
fn rotation_of_a_foreign_clinic_keeps_every_value() {
    rotates_whole(Shape::Full);
}

#[test]
fn rotation_works_where_the_client_has_no_sealed_columns() {
    rotates_whole(Shape::WithoutClientTier2);
}

#[test]
fn rotation_after_rotation_counts_on() {
    let Some(world) = World::ready(Seed::default()) else { return };
    for version in 2..=4 {
        world.rotate_all().expect(0);
        world.check(Check::version(version));
    }
    assert_eq!(world.versions(world.org()), [(1, false), (2, false), (3, false), (4, true)]);
}

#[test]
fn re_encrypt_follows_the_applications_own_flip() {
    let Some(world) = World::ready(Seed::default()) else { return };
    world.application_flips("insert");
    world.application_flips("deactivate");
    assert!(world.try_check(&Check::version(2)).is_err(), "nothing has moved yet");
    let json = world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0).json();
    assert_eq!((&json["schema"], &json["changed"]), (&"scrybe-keys/re-encrypt/1".into(), &true.into()), "{json:#}");
    world.check(Check::version(2));
    let again = world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0).json();
    assert_eq!(again["changed"], false, "nothing was needed: {again:#}");
    world.check(Check::version(2));
}

#[test]
fn re_encrypt_closes_several_versions_at_once() {
    let Some(world) = World::ready(Seed::default()) else { return };
    for _ in 0..3 {
        world.application_flips("both");
    }
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check::version(4));
}

#[test]
fn re_encrypt_of_one_model_moves_that_model_only() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    world.application_flips("both");
    let ran = world.run(&["re-encrypt", "--all", "--model", "Note", "--settle", "0s", "--yes", "--json"]);
    assert!([0, 3].contains(&ran.code()), "{ran:?}");
    let trouble = world.try_check(&Check::version(2)).unwrap_err();
    assert!(trouble.contains("\"Message\":") && !trouble.contains("\"Note\":"), "{trouble}");
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check::version(2));
}

#[test]
fn rotation_of_one_organization_leaves_the_others_alone() {
    let Some(world) = World::ready(Seed { orgs: 3, ..Seed::default() }) else { return };
    world.run(&["rotate", "--org", world.org(), "--reason", "test", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check { other: vec![(world.org().to_owned(), 2)], ..Check::version(1) });
}

#[test]
fn rotation_of_those_that_are_due_takes_the_oldest_and_stops_at_its_limit() {
    let Some(world) = World::ready(Seed { orgs: 3, ..Seed::default() }) else { return };
    let (mut sql, orgs) = (world.sql(), &world.seeded.organizations);
    let age = "UPDATE \"EncryptionKey\" SET \"createdAt\" = now() - $2::text::interval WHERE \"organizationId\" = $1";
    for (org, days) in [(&orgs[0], "100 days"), (&orgs[1], "200 days"), (&orgs[2], "5 days")] {
        sql.execute(age, &[org, &days]).unwrap();
    }
    let one = ["rotate", "--due", "--max-orgs", "1", "--reason", "test", "--settle", "0s", "--yes", "--json"];
    world.run(&one).expect(0);
    assert_eq!(world.versions(&orgs[1]).len(), 2, "the oldest goes first");
    world.run(&one).expect(0);
    assert_eq!(world.versions(&orgs[0]).len(), 2);
    let none = world.run(&one).expect(0).json();
    assert_eq!(none["changed"], false, "{none:#}");
    let without_limit = world.run(&["rotate", "--due", "--reason", "test", "--settle", "0s", "--yes", "--json"]);
    assert_eq!(without_limit.code(), 2, "{without_limit:?}");
    world.check(Check { other: vec![(orgs[2].clone(), 1)], ..Check::version(2) });
}

#[test]
fn rotation_dry_run_shows_the_plan_and_changes_nothing() {
    let Some(world) = World::ready(Seed::default()) else { return };
    let before = world.digest();
    let json = world.run(&["rotate", "--all", "--reason", "test", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(json["changed"], false, "{json:#}");
    let text = world.run(&["rotate", "--all", "--reason", "test", "--dry-run"]).expect(0);
    for org in &world.seeded.organizations {
        assert!(text.stdout.contains(org) || text.stderr.contains(org), "{text:?}");
    }
    assert_eq!(world.digest(), before);
    world.check(Check::version(1));
}

#[test]
fn rotation_reverted_is_back_at_the_old_version() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    world.rotate_all().expect(0);
    world
        .run(&[
            "rotate",
            "--revert",
            "--org",
            world.org(),
            "--reason",
            "went wrong",
            "--settle",
            "0s",
            "--yes",
            "--json",
        ])
        .expect(0);
    world.check(Check { rows: Some(2), ..Check::version(1) });
    assert_eq!(world.versions(world.org()), [(1, true), (2, false)]);
}

#[test]
fn rotation_of_the_dek_only_is_severe_and_leaves_a_move_to_do() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    let arguments = ["rotate", "--org", world.org(), "--dek-only", "--reason", "test", "--json"];
    let refused = world.run(&[&arguments[..], &["--yes"]].concat());
    assert!([2, 4].contains(&refused.code()), "--yes is not enough for a severe action: {refused:?}");
    world.check(Check::version(1));
    let plan = world.run(&[&arguments[..], &["--dry-run"]].concat()).expect(0).json();
    let digest = find_text(&plan, "digest").unwrap_or_else(|| panic!("no plan digest in {plan:#}"));
    let wrong = world.run(&[&arguments[..], &["--confirm", "0000"]].concat());
    assert!([4, 5].contains(&wrong.code()), "{wrong:?}");
    world.run(&[&arguments[..], &["--confirm", &digest]].concat()).expect(0);
    assert_eq!(world.versions(world.org()), [(1, false), (2, true)]);
    world.run(&["re-encrypt", "--all", "--settle", "0s", "--yes", "--json"]).expect(0);
    world.check(Check::version(2));
}

/// The first text under a key whose name contains `part`, in lower case.
fn find_text(json: &Value, part: &str) -> Option<String> {
    match json {
        Value::Object(map) => map.iter().find_map(|(k, v)| match v {
            Value::String(text) if k.to_lowercase().contains(part) => Some(text.clone()),
            _ => find_text(v, part),
        }),
        Value::Array(all) => all.iter().find_map(|v| find_text(v, part)),
        _ => None,
    }
}

#[test]
fn rotation_makes_an_organizations_first_dek() {
    let Some(world) = World::ready(Seed { orgs: 1, ..Seed::default() }) else { return };
    world.sql().batch_execute("INSERT INTO \"Organization\" (id, name) VALUES ('newcomer', 'New clinic')").unwrap();
    world.run(&["rotate", "--org", "newcomer", "--reason", "opening", "--settle", "0s", "--yes", "--json"]).expect(0);
    assert_eq!(world.versions("newcomer"), [(1, true)]);
    let marker: Option<String> = world
        .sql()
        .query_one("SELECT \"encryptionKeyId\" FROM \"Organization\" WHERE id = 'newcomer'", &[])
        .unwrap()
        .get(0);
    assert_eq!(marker.as_deref(), Some("newcomer"));
    world.check(Check::version(1));
}

#[test]
fn rotation_moves_cells_under_deks_made_without_kms() {
    let Some(world) = World::ready(Seed { orgs: 1, dev: true, ..Seed::default() }) else { return };
    world.rotate_all().expect(0);
    world.check(Check::version(2));
}

#[test]
fn rotation_follows_another_deployments_data_map() {
    let context = Some(r#"{"tenantId": "t-{organization}", "purpose": "phi"}"#);
    let Some(mut world) = World::unbound(Shape::Full, Seed { context, ..Seed::default() }) else { return };
    // There a note finds its organization through its client, and KMS is called with a context.
    let mut map = DataMap::clinic();
    let client = map.tables.iter().find(|t| t.table == "Call").unwrap().organization.clone();
    map.tables.iter_mut().find(|t| t.table == "Note").unwrap().organization = client;
    for (name, value) in [("tenantId", "t-{organization}"), ("purpose", "phi")] {
        map.encryption_context.insert(name.to_owned(), value.to_owned());
    }
    let file = world.path("deployment.yaml");
    std::fs::write(
        &file,
        format!("data-map:\n  {}", serde_yaml::to_string(&map).unwrap().trim_end().replace('\n', "\n  ")),
    )
    .unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    // Without it, KMS refuses: the context is part of the ciphertext.
    world.run(&["init"]).expect(0);
    let before = world.digest();
    let refused = world.rotate_all();
    assert_eq!(refused.code(), 5, "{refused:?}");
    assert_eq!(world.digest(), before);
    world.environment.insert("SCRYBE_KEYS_CONFIG".to_owned(), file.to_str().unwrap().to_owned());
    world.rotate_all().expect(0);
    world.check(Check::version(2));
    world.run(&["census", "--json"]).expect(0);
}
