//! `health`: with everything well, with exactly one thing broken, and with parts that cannot be asked.

use crate::support::plain::{Plain, run_in};
use scrybe_keys::core::kms::Kms;
use serde_json::{Value, json};

fn verdict<'a>(answer: &'a Value, name: &str) -> &'a str {
    let checks = answer["data"]["checks"].as_array().unwrap();
    checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no check {name} in {answer:#}"))["verdict"]
        .as_str()
        .unwrap()
}

#[test]
fn a_well_world_is_green_only_where_someone_looked() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let shallow = plain.run(&["health", "--json"]).expect(0).json();
    assert_eq!(
        shallow["data"]["keyHealth"]["healthChecks"],
        json!({"keyExists": true, "keyEnabled": true, "rotationConfigured": true, "canGenerateDataKey": "unknown", "canEncryptDecrypt": "unknown"})
    );
    for name in ["canGenerateDataKey", "canEncryptDecrypt", "deks open"] {
        assert_eq!(verdict(&shallow, name), "unknown");
    }
    assert_eq!(shallow["data"]["verdict"], "unknown", "what nobody looked at is not green");
    let deep = plain.run(&["health", "--deep", "--json"]).expect(0).json();
    assert!(deep["data"]["keyHealth"]["healthChecks"].as_object().unwrap().values().all(|v| v == true));
    assert_eq!(deep["data"]["verdict"], "ok", "{deep:#}");
    assert_eq!(deep["data"]["rotation"]["periodDays"], 90);
    assert_eq!(deep["changed"], false);
}

#[test]
fn before_init_a_role_with_select_alone_gets_an_answer_and_nothing_is_written() {
    let plain = Plain::with_kms();
    plain.add_organization("acme");
    let (role, password) = plain.add_role();
    plain.sql().batch_execute(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).unwrap();
    let environment = plain.environment_as(&role, &password);
    let before = plain
        .sql()
        .query_one("SELECT sum(n_tup_ins + n_tup_upd)::text FROM pg_stat_user_tables", &[])
        .unwrap()
        .get::<_, String>(0);
    let answer = run_in(&environment, &["health", "--json"]).expect(3);
    assert_eq!(answer.problem_codes(), ["not-bound"]);
    let json = answer.json();
    for name in ["schema", "binding", "unfinished jobs", "dark cells", "audit chain"] {
        assert_eq!(verdict(&json, name), "unknown", "{name}");
    }
    assert_eq!(verdict(&json, "dek versions"), "ok");
    run_in(&environment, &["health", "--fail-on", "critical"]).expect(0);
    let after = plain
        .sql()
        .query_one("SELECT sum(n_tup_ins + n_tup_upd)::text FROM pg_stat_user_tables", &[])
        .unwrap()
        .get::<_, String>(0);
    assert_eq!(before, after);
    run_in(&environment, &["health", "--record"]).expect(5).says("not installed");
}

#[test]
fn one_thing_broken_is_one_problem() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let copy = "INSERT INTO \"EncryptionKey\" (id, \"organizationId\", \"encryptedDek\", \"keyVersion\", \"isActive\") SELECT 'copy', \"organizationId\", \"encryptedDek\"";
    let broken: [(&str, i32, &str, String); 5] = [
        ("duplicate-dek-versions", 3, "dek versions", format!("{copy}, 1, false FROM \"EncryptionKey\"")),
        ("several-active-deks", 3, "dek versions", format!("{copy}, 2, true FROM \"EncryptionKey\"")),
        ("no-active-dek", 3, "dek versions", "UPDATE \"EncryptionKey\" SET \"isActive\" = false".into()),
        ("dek-over-age", 3, "dek age", "UPDATE \"EncryptionKey\" SET \"createdAt\" = now() - interval '92 days'".into()),
        ("update-trigger", 3, "data map", "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER t BEFORE UPDATE ON \"Note\" FOR EACH ROW EXECUTE FUNCTION public.f()".into()),
    ];
    for (code, exit, check, sql) in broken {
        plain.sql().batch_execute(&sql).unwrap();
        let ran = plain.run(&["health", "--json"]).expect(exit);
        // A second version without a closing census is a warning of its own.
        let codes: Vec<String> = ran.problem_codes().into_iter().filter(|c| c != "unproven-version").collect();
        assert_eq!(codes, [code], "{ran:?}");
        assert!(["warning", "critical"].contains(&verdict(&ran.json(), check)), "{code}");
        let hint = ran.json()["problems"][0]["hint"].as_str().unwrap().to_owned();
        assert!(hint.starts_with("scrybe-keys ") || hint.starts_with("use "), "{code} names no next command: {hint}");
        plain.sql().batch_execute("DELETE FROM \"EncryptionKey\" WHERE id = 'copy'; UPDATE \"EncryptionKey\" SET \"isActive\" = true, \"createdAt\" = now(); DROP TRIGGER IF EXISTS t ON \"Note\"").unwrap();
    }
    plain.run(&["health"]).expect(0);
}

#[test]
fn bare_keys_are_critical_outside_development() {
    let mut plain = Plain::with_kms();
    plain.environment.insert("SCRYBE_ENV".into(), "staging".into());
    let plain = plain.bound();
    plain.add_organization("acme");
    plain
        .sql()
        .batch_execute(
            "UPDATE \"EncryptionKey\" SET \"encryptedDek\" = 'dev:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE='",
        )
        .unwrap();
    let ran = plain.run(&["health", "--fail-on", "critical", "--json"]).expect(3);
    assert_eq!(ran.problem_codes(), ["dev-dek"]);
    let deep = plain.run(&["health", "--deep", "--json"]).expect(3);
    assert_eq!(deep.problem_codes(), ["dev-dek", "dek-does-not-open"]);
    assert!(!deep.stdout.contains("MDEyMzQ1"), "the bare key is shown");
}

#[test]
fn what_kms_says_of_the_key_is_told_and_a_refused_dek_is_critical() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let kms = plain.kms.as_ref().unwrap().direct("us-west-2");
    let id = plain.key_arn.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
    kms.disable_key_rotation(&id).unwrap();
    assert_eq!(plain.run(&["health", "--json"]).expect(3).problem_codes(), ["rotation-off"]);
    kms.enable_key_rotation(&id, 365).unwrap();
    assert_eq!(plain.run(&["health", "--json"]).expect(3).problem_codes(), ["rotation-slow"]);
    kms.enable_key_rotation(&id, 90).unwrap();
    kms.disable_key(&id).unwrap();
    let disabled = plain.run(&["health", "--deep", "--json"]).expect(3);
    assert_eq!(disabled.problem_codes(), ["key-not-enabled", "dek-does-not-open"]);
    let checks = &disabled.json()["data"]["keyHealth"]["healthChecks"];
    assert_eq!((&checks["keyEnabled"], &checks["canGenerateDataKey"]), (&json!(false), &json!("unknown")));
    kms.enable_key(&id).unwrap();
    plain.run(&["health", "--deep"]).expect(0);
}

#[test]
fn a_part_that_cannot_be_asked_is_unknown_and_the_rest_is_told() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let nowhere = format!("http://127.0.0.1:{free}");
    let no_kms = plain.run_with("AWS_ENDPOINT_URL", &nowhere, &["health", "--json"]).expect(3).json();
    assert_eq!(verdict(&no_kms, "keyExists"), "unknown");
    assert_eq!(no_kms["data"]["keyHealth"]["healthChecks"]["keyEnabled"], "unknown");
    assert_eq!(verdict(&no_kms, "dek versions"), "ok");
    let address = format!("postgresql://a:b@127.0.0.1:{free}/c");
    let no_database = plain.run_with("DATABASE_URL", &address, &["health", "--json"]).expect(8).json();
    assert_eq!(verdict(&no_database, "keyEnabled"), "ok");
    assert_eq!(verdict(&no_database, "dek versions"), "unknown");
}

#[test]
fn a_job_nobody_works_on_is_found_and_dark_cells_make_it_critical() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let mut sql = plain.sql();
    sql.batch_execute(
        "INSERT INTO scrybe_keys.job (job_id, kind, state, scope, options, reason, run_id, actor)
             VALUES ('11111111-1111-4111-8111-111111111111', 'rotate', 'running', 's', '{}', 'test', gen_random_uuid(), 'os:test');
         INSERT INTO scrybe_keys.job_organization (job_id, organization_id, ordinal, state, flipped, rows_estimated)
             VALUES ('11111111-1111-4111-8111-111111111111', 'acme', 1, 'pending', false, 40)",
    )
    .unwrap();
    let pending = plain.run(&["health", "--json"]).expect(3);
    assert_eq!(pending.problem_codes(), ["unfinished-job"]);
    assert_eq!(pending.json()["problems"][0]["severity"], "warning");
    sql.batch_execute("UPDATE scrybe_keys.job_organization SET state = 'moving', flipped = true, flipped_at = now()")
        .unwrap();
    let dark = plain.run(&["health", "--fail-on", "critical", "--json"]).expect(3).json();
    assert_eq!(verdict(&dark, "dark cells"), "critical");
    assert_eq!(dark["data"]["records"]["darkOrganizations"], json!(["acme"]));
    assert_eq!(dark["data"]["records"]["darkRowsEstimated"], 40);
}

#[test]
fn recorded_health_is_in_the_chain_and_a_broken_head_outranks_everything() {
    let plain = Plain::with_kms().bound();
    plain.run(&["health", "--record"]).expect(0);
    let log = plain.run(&["audit", "log", "--event", "KEY_HEALTH_CHECK", "--json"]).expect(0).json();
    assert_eq!(log["data"]["records"][0]["details"]["critical"], 0);
    plain.sql().batch_execute("UPDATE scrybe_keys.audit SET body = '{}' WHERE event = 'KEY_HEALTH_CHECK'").unwrap();
    let broken = plain.run(&["health", "--json"]).expect(9);
    assert_eq!(broken.problem_codes(), ["audit-broken"]);
}

#[test]
fn the_table_fits_eighty_columns() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("6853d589-f8be-46b8-b1e4-103a81fc9bfc");
    let text = plain.run(&["health", "--deep"]).expect(0).stdout;
    let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("CHECK")).collect();
    assert!(table.len() > 15, "{text}");
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_replica_answers_and_what_it_cannot_know_is_unknown() {
    use crate::support::cluster::own_cluster;
    use scrybe_keys::db::application::{Shape, schema};
    use scrybe_keys::ops::sandbox::cluster::{Cluster, Options};
    let (dir, cluster) = own_cluster(Vec::new());
    let mut plain = Plain::with_kms();
    plain.environment.insert("DATABASE_URL".into(), cluster.url("postgres"));
    let mut sql = postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls).unwrap();
    sql.batch_execute(&schema(Shape::Full)).unwrap();
    plain.run(&["init"]).expect(0);
    sql.batch_execute(
        "INSERT INTO scrybe_keys.job (job_id, kind, state, scope, options, reason, run_id, actor)
             VALUES (gen_random_uuid(), 'rotate', 'running', 's', '{}', 'test', gen_random_uuid(), 'os:test')",
    )
    .unwrap();
    drop(sql);
    // A standby without a primary is still a standby: it takes reads alone.
    let cluster = cluster.detach();
    cluster.stop().unwrap();
    std::fs::write(cluster.home().join("data/standby.signal"), "").unwrap();
    let standby =
        Cluster::ensure(&dir.path().join("cluster"), Options { durable: false, ..Options::default() }).unwrap();
    let ran = plain.run_with("DATABASE_URL", &standby.url("postgres"), &["health", "--json"]);
    let record = plain.run_with("DATABASE_URL", &standby.url("postgres"), &["health", "--record"]);
    standby.remove().unwrap();
    let answer = ran.expect(3).json();
    let database = answer["data"]["checks"].as_array().unwrap().iter().find(|c| c["name"] == "database").unwrap();
    assert!(database["text"].as_str().unwrap().ends_with("replica"), "{database}");
    assert_eq!(verdict(&answer, "unfinished jobs"), "unknown");
    assert_eq!(verdict(&answer, "audit chain"), "ok");
    assert!(answer["data"]["records"]["unfinishedJobs"][0]["alive"].is_null());
    record.expect(5).says("replica");
}
