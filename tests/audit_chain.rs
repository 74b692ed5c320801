//! The audit chain in a real database: what is changed is found, appends never fork, and only the owner can write past the function.

use crate::support::plain::Plain;
use postgres::{Client, NoTls};
use uuid::Uuid;

fn append(client: &mut Client, phase: &str, intent: Option<Uuid>, subject: &str) -> Result<i64, postgres::Error> {
    let sql =
        "SELECT seq FROM scrybe_keys.audit_append('KEY_ROTATION_INITIATED', $1, $2, $3, 'os:test', $4, '{\"a\":1}')";
    Ok(client.query_one(sql, &[&phase, &intent, &Uuid::new_v4(), &subject])?.get(0))
}

fn world_with_records(n: usize) -> (Plain, Client) {
    let plain = Plain::without_kms().bound();
    let mut sql = plain.sql();
    for i in 0..n {
        append(&mut sql, "note", None, &format!("org-{i}")).unwrap();
    }
    (plain, sql)
}

#[test]
fn whatever_is_edited_deleted_or_reordered_is_found_and_named() {
    let (plain, mut sql) = world_with_records(6);
    sql.batch_execute(
        "CREATE TABLE kept AS TABLE scrybe_keys.audit; CREATE TABLE kept_head AS TABLE scrybe_keys.audit_head",
    )
    .unwrap();
    let tampering = [
        (5, "UPDATE scrybe_keys.audit SET body = '{\"a\":2}' WHERE seq = 5"),
        (5, "UPDATE scrybe_keys.audit SET at = at + interval '1 microsecond' WHERE seq = 5"),
        (5, "UPDATE scrybe_keys.audit SET db_user = 'somebody' WHERE seq = 5"),
        (5, "UPDATE scrybe_keys.audit SET subject = 'org-9' WHERE seq = 5"),
        (5, "UPDATE scrybe_keys.audit SET intent_id = gen_random_uuid() WHERE seq = 5"),
        (5, "DELETE FROM scrybe_keys.audit WHERE seq = 5"),
        (1, "DELETE FROM scrybe_keys.audit WHERE seq = 1"),
        (9, "DELETE FROM scrybe_keys.audit WHERE seq = 9"),
        (1, "DELETE FROM scrybe_keys.audit"),
        (
            5,
            "UPDATE scrybe_keys.audit SET seq = -5 WHERE seq = 5; UPDATE scrybe_keys.audit SET seq = 5 WHERE seq = 6; UPDATE scrybe_keys.audit SET seq = 6 WHERE seq = -5",
        ),
        (9, "UPDATE scrybe_keys.audit_head SET hash = repeat('1', 64)"),
        (9, "UPDATE scrybe_keys.audit_head SET seq = 8"),
        (10, "UPDATE scrybe_keys.audit_head SET seq = 10"),
        (1, "DELETE FROM scrybe_keys.audit_head"),
    ];
    for (seq, tamper) in tampering {
        sql.batch_execute(tamper).unwrap();
        let verdict = plain.run(&["audit", "verify", "--json"]).expect(9).json();
        let head_is_gone = tamper.ends_with("DELETE FROM scrybe_keys.audit_head");
        if !head_is_gone {
            assert_eq!(verdict["data"]["brokenSeq"], seq, "{tamper}");
        }
        assert_eq!(verdict["problems"][0]["code"], "audit-broken", "{tamper}");
        sql.batch_execute("TRUNCATE scrybe_keys.audit, scrybe_keys.audit_head; INSERT INTO scrybe_keys.audit TABLE kept; INSERT INTO scrybe_keys.audit_head TABLE kept_head").unwrap();
    }
    plain.run(&["audit", "verify"]).expect(0).says("9 records");
}

#[test]
fn concurrent_appends_never_fork() {
    const WRITERS: i64 = 8;
    const EACH: i64 = 25;
    let (plain, mut sql) = world_with_records(0);
    let before: i64 = sql.query_one("SELECT seq FROM scrybe_keys.audit_head", &[]).unwrap().get(0);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let mut client = Client::connect(&plain.database.url, NoTls).unwrap();
                for i in 0..EACH {
                    // Every fifth append is rolled back: it must leave neither record nor gap.
                    if i % 5 == 0 {
                        let mut transaction = client.transaction().unwrap();
                        transaction
                            .query(
                                "SELECT scrybe_keys.audit_append('X', 'note', NULL, gen_random_uuid(), 'a', 's', '{}')",
                                &[],
                            )
                            .unwrap();
                        transaction.rollback().unwrap();
                    } else {
                        append(&mut client, "note", None, "org").unwrap();
                    }
                }
            });
        }
    });
    let verdict = plain.run(&["audit", "verify", "--json"]).expect(0).json();
    assert_eq!(verdict["data"]["records"], before + WRITERS * EACH * 4 / 5);
}

#[test]
fn only_the_function_writes_and_only_when_granted() {
    let (plain, mut sql) = world_with_records(1);
    let (role, password) = plain.add_role();
    sql.batch_execute(&format!(
        "GRANT USAGE ON SCHEMA scrybe_keys TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA scrybe_keys TO {role}"
    ))
    .unwrap();
    let url = format!("postgresql://{role}:{password}@127.0.0.1:{}/{}", plain.database.port, plain.database.name);
    let mut other = Client::connect(&url, NoTls).unwrap();
    let refused = |client: &mut Client, statement: &str| {
        let error = client.batch_execute(statement).expect_err(statement);
        assert_eq!(error.code().map(|c| c.code()), Some("42501"), "{statement}: {error}");
    };
    assert_eq!(append(&mut other, "note", None, "org").unwrap_err().code().unwrap().code(), "42501");
    sql.batch_execute(&format!("GRANT EXECUTE ON FUNCTION scrybe_keys.audit_append TO {role}")).unwrap();
    let seq = append(&mut other, "note", None, "org").unwrap();
    for statement in [
        "INSERT INTO scrybe_keys.audit SELECT * FROM scrybe_keys.audit",
        "UPDATE scrybe_keys.audit SET body = '{}'",
        "DELETE FROM scrybe_keys.audit",
        "TRUNCATE scrybe_keys.audit",
        "UPDATE scrybe_keys.audit_head SET seq = 0",
        "DELETE FROM scrybe_keys.audit_head",
    ] {
        refused(&mut other, statement);
    }
    // The record names the session's role, not the function's owner, whatever the client says.
    let by: String = sql.query_one("SELECT db_user FROM scrybe_keys.audit WHERE seq = $1", &[&seq]).unwrap().get(0);
    assert_eq!(by, role);
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_field_with_a_line_break_is_refused() {
    let (plain, mut sql) = world_with_records(1);
    for subject in ["org\nforged", "org\rforged"] {
        assert!(append(&mut sql, "note", None, subject).is_err());
    }
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn an_intent_without_outcome_is_a_finding_until_it_has_one() {
    let (plain, mut sql) = world_with_records(0);
    let intent = Uuid::new_v4();
    append(&mut sql, "intent", Some(intent), "acme").unwrap();
    let open = plain.run(&["audit", "verify", "--json"]).expect(3);
    assert_eq!(open.problem_codes(), ["audit-open-intent"]);
    assert_eq!(open.json()["data"]["openIntents"][0]["intentId"], intent.to_string());
    append(&mut sql, "outcome", Some(intent), "acme").unwrap();
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn the_log_can_be_narrowed() {
    let (plain, mut sql) = world_with_records(3);
    sql.query("SELECT scrybe_keys.audit_append('KEY_ROTATION_COMPLETED', 'note', NULL, gen_random_uuid(), 'os:test', 'some-job', '{\"organization\":\"org-1\"}')", &[]).unwrap();
    let subjects = |arguments: &[&str]| -> Vec<String> {
        let answer = plain.run(&[&["audit", "log", "--json"], arguments].concat()).expect(0).json();
        answer["data"]["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["subject"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(subjects(&["--org", "org-1"]), ["some-job", "org-1"]);
    assert_eq!(subjects(&["--event", "KEY_ROTATION_COMPLETED"]), ["some-job"]);
    assert_eq!(subjects(&["--limit", "2"]), ["some-job", "org-2"]);
    assert_eq!(subjects(&["--limit", "1", "--oldest-first"]), ["scrybe_keys"]);
    plain.run(&["audit", "log", "--limit", "0"]).expect(2);
}

#[test]
fn a_killed_run_gets_a_derived_outcome_when_its_job_goes_on() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let rotate = ["rotate", "--org", "acme", "--reason", "test", "--settle", "0s", "--yes"];
    for point in ["flip-after-intent", "flip-after-commit", "before-census", "before-outcome"] {
        assert!(plain.run_with("SCRYBE_KEYS_CRASH_AT", point, &rotate).was_killed(), "{point}");
        plain.run(&["audit", "verify"]).expect(3).says("No outcome yet");
        plain.run(&rotate).expect(0);
        plain.run(&["audit", "verify"]).expect(0);
    }
    let log = plain.run(&["audit", "log", "--event", "RE_ENCRYPTION_FAILED", "--json"]).expect(0).json();
    let records = log["data"]["records"].as_array().unwrap();
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|r| r["details"]["derived"] == true && r["details"]["stopReason"] == "interrupted"));
}

#[test]
fn a_job_that_refused_an_organization_is_not_recorded_as_completed() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    plain.add_organization("zenith");
    let mut sql = plain.sql();
    sql.batch_execute("INSERT INTO \"EncryptionKey\" (id, \"organizationId\", \"encryptedDek\") SELECT 'copy', \"organizationId\", \"encryptedDek\" FROM \"EncryptionKey\" WHERE \"organizationId\" = 'zenith'").unwrap();
    let rotate = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];
    plain.run(&rotate).expect(5);
    let last = |plain: &Plain| -> (String, serde_json::Value) {
        let log = plain.run(&["audit", "log", "--limit", "1", "--json"]).expect(0).json();
        let record = &log["data"]["records"][0];
        (record["event"].as_str().unwrap().to_owned(), record["details"]["refused"].clone())
    };
    assert_eq!(last(&plain), ("RE_ENCRYPTION_FAILED".to_owned(), 1.into()));
    sql.batch_execute("DELETE FROM \"EncryptionKey\" WHERE id = 'copy'").unwrap();
    plain.run(&rotate).expect(0);
    assert_eq!(last(&plain), ("RE_ENCRYPTION_COMPLETED".to_owned(), 0.into()));
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_head_that_is_held_for_a_while_is_waited_for() {
    let (plain, _) = world_with_records(0);
    // A database whose default would make concurrent appends fail each other.
    let name = &plain.database.name;
    plain
        .sql()
        .batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"))
        .unwrap();
    let held = std::time::Duration::from_secs(7);
    std::thread::scope(|scope| {
        let mut holder = plain.sql();
        let mut transaction = holder.transaction().unwrap();
        append_in(&mut transaction);
        let recorded = scope.spawn(|| plain.run(&["health", "--record", "--fail-on", "critical"]));
        std::thread::sleep(held);
        assert!(!recorded.is_finished(), "the record did not wait for the head");
        transaction.commit().unwrap();
        recorded.join().unwrap().expect(0);
    });
    plain.run(&["audit", "verify"]).expect(0);
}

fn append_in(transaction: &mut postgres::Transaction<'_>) {
    let sql = "SELECT scrybe_keys.audit_append('X', 'note', NULL, gen_random_uuid(), 'a', 's', '{}')";
    transaction.query(sql, &[]).unwrap();
}
