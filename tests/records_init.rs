//! `init`: once, by whom it may, in the right world, and never over a newer schema.

use crate::support::cli;
use crate::support::plain::{Plain, run_in};
use std::os::unix::fs::PermissionsExt;

#[test]
fn init_binds_once_and_then_finds_nothing_to_do() {
    let plain = Plain::with_kms();
    let first = plain.run(&["init", "--json"]).expect(0).json();
    assert_eq!(first["changed"], true);
    assert_eq!(first["data"]["binding"]["keyArn"].as_str(), plain.key_arn.as_deref());
    assert_eq!(first["data"]["binding"]["account"], "111122223333");
    let again = plain.run(&["init", "--json"]).expect(0).json();
    assert_eq!(again["changed"], false);
    assert_eq!(again["data"]["binding"], first["data"]["binding"]);
    plain.run(&["init", "--check"]).expect(0).says("Nothing is missing");
    let events = plain.run(&["audit", "log", "--oldest-first", "--json"]).expect(0).json();
    let said: Vec<(&str, &str)> = events["data"]["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["event"].as_str().unwrap(), r["phase"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("SCHEMA_INSTALLED", "note"), ("DATABASE_BOUND", "intent"), ("DATABASE_BOUND", "outcome")]);
}

#[test]
fn the_first_configuration_is_private_and_understood() {
    let mut plain = Plain::with_kms().bound();
    let path = plain.home().join(".config/scrybe-keys/config.yaml");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for variable in ["SCRYBE_ENV", "SCRYBE_KMS", "AWS_REGION", "AWS_KMS_KEY_ID"] {
        plain.environment.remove(variable);
    }
    // What init wrote is now all that says which world this is.
    let context = plain.run(&["keys", "list", "--json"]).expect(0).json();
    assert_eq!(context["context"]["environment"], "development");
    assert_eq!(context["context"]["key"].as_str(), plain.key_arn.as_deref());
    std::fs::write(&path, "environment: development\n").unwrap();
    plain.run(&["init", "--kms", "aws", "--key", plain.key_arn.as_deref().unwrap()]).expect(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "environment: development\n", "an existing file is left alone");
}

#[test]
fn several_inits_at_once_make_one_schema_and_one_binding() {
    let plain = Plain::without_kms();
    let all: Vec<_> = (0..4).map(|_| cli::start(cli::binary(&["init"], &plain.environment))).collect();
    for one in all {
        one.finish().expect(0);
    }
    let mut sql = plain.sql();
    let counts = sql
        .query_one(
            "SELECT (SELECT count(*) FROM scrybe_keys.binding), (SELECT count(*) FROM scrybe_keys.schema_history)",
            &[],
        )
        .unwrap();
    assert_eq!((counts.get::<_, i64>(0), counts.get::<_, i64>(1)), (1, 1));
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_newer_schema_is_refused_and_an_older_one_names_init() {
    let plain = Plain::without_kms().bound();
    let mut sql = plain.sql();
    sql.batch_execute("UPDATE scrybe_keys.schema_history SET version = 99").unwrap();
    for verb in [&["init"][..], &["init", "--check"], &["audit", "log"]] {
        plain.run(verb).expect(5).says("version 99").says("up to version 1");
    }
    sql.batch_execute("UPDATE scrybe_keys.schema_history SET version = 0").unwrap();
    plain.run(&["audit", "log"]).expect(5).says("version 0").says("scrybe-keys init");
    let check = plain.run(&["init", "--check", "--json"]).expect(3);
    assert_eq!(check.problem_codes(), ["schema-older"]);
}

#[test]
fn another_world_is_refused_with_both_values_and_the_origin() {
    let plain = Plain::with_kms().bound();
    for verb in [&["keys", "list"][..], &["health"], &["init"], &["audit", "verify"]] {
        plain
            .run_with("SCRYBE_ENV", "staging", verb)
            .expect(5)
            .says("bound to environment development, but SCRYBE_ENV says staging");
    }
    plain.run(&["keys", "list", "--kms", "dev"]).expect(5).says("bound to provider aws, but --kms says dev");
    let id = plain.key_arn.as_deref().unwrap().rsplit('/').next().unwrap();
    plain
        .run_with("AWS_KMS_KEY_ID", id, &["keys", "list", "--region", "eu-west-1"])
        .expect(5)
        .says("bound to region us-west-2, but --region says eu-west-1");
    let other = plain.key_arn.as_deref().unwrap().replace("key/", "key/0");
    plain.run(&["keys", "list", "--key", &other]).expect(5).says(&other).says(plain.key_arn.as_deref().unwrap());
}

#[test]
fn an_alias_that_leads_to_another_key_is_refused() {
    use scrybe_keys::core::kms::{Kms, NewKey};
    let plain = Plain::with_kms().bound();
    let kms = plain.kms.as_ref().unwrap().direct("us-west-2");
    let other = kms.create_key(&NewKey::default()).unwrap().value;
    kms.enable_key_rotation(&other.key_id, 90).unwrap();
    kms.create_alias("alias/other", &other.key_id).unwrap();
    let id = plain.key_arn.as_deref().unwrap().rsplit('/').next().unwrap();
    kms.create_alias("alias/same", id).unwrap();
    plain.run_with("AWS_KMS_KEY_ID", "alias/same", &["init"]).expect(0);
    plain.run_with("AWS_KMS_KEY_ID", "alias/other", &["init"]).expect(5).says(&other.arn);
    let health = plain.run_with("AWS_KMS_KEY_ID", "alias/other", &["health", "--json"]).expect(3);
    assert_eq!(health.problem_codes(), ["key-not-bound"]);
}

#[test]
fn production_takes_no_toys_and_silence_is_production() {
    let plain = Plain::without_kms();
    plain.run_with("SCRYBE_ENV", "production", &["init"]).expect(5).says("provider dev is refused in production");
    plain.run_with("SCRYBE_ENV", "", &["init"]).expect(2).says("--environment");
    plain.run_with("SCRYBE_ENV", "", &["keys", "list"]).expect(5).says("refused in production");
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'scrybe_keys'";
    assert_eq!(plain.sql().query_one(schema, &[]).unwrap().get::<_, i64>(0), 0);
}

#[test]
fn mutating_verbs_ask_for_a_binding_first() {
    let plain = Plain::without_kms();
    plain.add_organization("acme");
    plain.run(&["rotate", "--org", "acme", "--reason", "test", "--yes"]).expect(5).says("scrybe-keys init");
}

#[test]
fn the_grants_that_check_prints_are_all_that_a_rotation_needs() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (role, password) = plain.add_role();
    let environment = plain.environment_as(&role, &password);
    let rotate = ["rotate", "--org", "acme", "--reason", "test", "--settle", "0s", "--yes"];
    run_in(&environment, &rotate).expect(6);
    let mut sql = plain.sql();
    // Each round may show what the last one made visible; a few rounds must be enough.
    for _ in 0..3 {
        let check = run_in(&environment, &["init", "--check", "--json"]);
        if check.code() == 0 {
            break;
        }
        let answer = check.json();
        let missing = answer["data"]["missingPrivileges"].as_array().map(Vec::as_slice).unwrap_or_default();
        for grant in missing {
            sql.batch_execute(grant["sql"].as_str().unwrap()).unwrap();
        }
        if missing.is_empty() {
            // The role could not even read the binding: the error names the command that prints the grants.
            panic!("no grants in {check:?}");
        }
    }
    run_in(&environment, &["init", "--check"]).expect(0);
    run_in(&environment, &rotate).expect(0);
    run_in(&environment, &["audit", "verify"]).expect(0);
}

#[test]
fn a_schema_of_another_build_is_not_taken_for_ours() {
    let plain = Plain::without_kms().bound();
    plain.sql().batch_execute("UPDATE scrybe_keys.schema_history SET checksum = '1'").unwrap();
    for verb in [&["init"][..], &["audit", "verify"]] {
        plain.run(verb).expect(5).says("does not match this binary's migrations");
    }
    assert_eq!(plain.run(&["health", "--json"]).expect(3).problem_codes(), ["schema-divergent"]);
}
