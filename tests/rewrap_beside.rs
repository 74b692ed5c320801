//! `rewrap` beside jobs, and beside DEKs that are under another key than the database is bound to: nothing becomes immovable.

use crate::support::cli;
use crate::support::foreign::{Check, Seed};
use crate::support::plain::Plain;
use crate::support::world::World;
use crate::support::wrappings::{another_key, calls, direct, direct_plain, kept, opened, stored};
use postgres::Client;
use scrybe_keys::core::kms::{Context, Kms};
use scrybe_keys::local::{Fault, FaultKind};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn to<'a>(key: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["rewrap", "--all", "--to", key, "--reason", "test", "--application-can-use", key, "--yes"];
    all.extend(more);
    all
}

/// A job as a run leaves it that died at its beginning.
fn begin_job(sql: &mut Client) {
    sql.batch_execute(
        "INSERT INTO scrybe_keys.job (job_id, kind, state, scope, options, reason, run_id, actor)
         VALUES (gen_random_uuid(), 'rotate', 'running', 'test', '{}', 'test', gen_random_uuid(), 'test')",
    )
    .unwrap();
}

fn end_jobs(sql: &mut Client) {
    sql.batch_execute("UPDATE scrybe_keys.job SET state = 'cancelled'").unwrap();
}

#[test]
fn rewrap_to_another_key_waits_for_a_rotation_that_was_killed() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 40, ..Seed::default() }) else { return };
    let rotate = ["rotate", "--all", "--reason", "t", "--settle", "0s", "--yes"];
    assert!(world.run_with("SCRYBE_KEYS_CRASH_AT", "flip-after-commit", &rotate).was_killed());
    let (kms, mut sql) = (direct(&world), world.sql());
    let (next, before) = (another_key(&kms), stored(&mut sql));
    let ran = world.run(&to(&next, &["--bind", "--json"])).expect(5).says("unfinished-job").says("jobs status");
    assert_eq!(ran.json()["changed"], false);
    assert_eq!(stored(&mut sql), before, "a wrapping was moved away from under a job");
    world.run(&rotate).expect(0);
    world.run(&to(&next, &["--bind"])).expect(0).says("is bound to the target now");
    world.check(Check::version(2));
}

#[test]
fn rewrap_goes_on_beside_a_job_where_the_job_opens_what_it_makes() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (bound, next, mut sql) = (plain.key_arn.clone().unwrap(), another_key(&direct_plain(&plain)), plain.sql());
    plain.run(&["rotate-cmk", "--reason", "t", "--yes"]).expect(0);
    begin_job(&mut sql);
    plain.run(&["rewrap", "--old-material", "--reason", "t", "--yes"]).expect(0).says("1 wrapping replaced");
    plain.run(&to(&next, &["--dry-run"])).expect(5).says("jobs cancel");
    end_jobs(&mut sql);
    plain.run(&to(&next, &[])).expect(0).says("1 wrapping replaced");
    // The way back to the key that jobs use is open beside them.
    begin_job(&mut sql);
    plain.run(&["rewrap", "--all", "--to", &bound, "--reason", "back", "--yes"]).expect(0).says("1 wrapping replaced");
    let text = stored(&mut sql).into_values().next().unwrap();
    assert_eq!(opened(&direct_plain(&plain), &text, &Context::new()).0, bound);
}

#[test]
fn rewrap_looks_for_jobs_again_when_it_replaces() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    plain.add_organization("zenith");
    let (next, mut sql, mut watcher) = (another_key(&direct_plain(&plain)), plain.sql(), plain.sql());
    let before = stored(&mut watcher);
    // The plan is made and agreed to; the transaction waits for the organization.
    let mut holder = sql.transaction().unwrap();
    holder
        .execute("SELECT pg_advisory_xact_lock(hashtext('scrybe_keys.organization'), hashtext('acme'))", &[])
        .unwrap();
    let run = cli::start(cli::binary(&to(&next, &["--json"]), &plain.environment));
    let began = Instant::now();
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                   WHERE a.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
    while watcher.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never got to replacing");
        std::thread::sleep(Duration::from_millis(5));
    }
    begin_job(&mut watcher);
    holder.commit().unwrap();
    let answer = run.finish().expect(5).says("unfinished-job").json();
    assert_eq!((&answer["changed"], &answer["data"]["counts"]["notReached"]), (&json!(false), &json!(2)), "{answer:#}");
    assert_eq!(stored(&mut watcher), before);
    assert!(kept(&mut watcher).is_empty());
    end_jobs(&mut watcher);
    plain.run(&to(&next, &[])).expect(0);
    plain.run(&["audit", "verify"]).expect(0);
}

/// A database bound to a new key, with one DEK that the application made under the old one afterwards. The environment names the new key.
fn left_behind() -> (Plain, String) {
    let mut plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let next = another_key(&direct_plain(&plain));
    plain.run(&to(&next, &["--bind"])).expect(0);
    plain.environment.insert("AWS_KMS_KEY_ID".into(), next.clone());
    plain.add_organization("young");
    (plain, next)
}

#[test]
fn rewrap_moves_a_dek_that_was_made_under_the_old_key_after_the_move() {
    let (plain, next) = left_behind();
    let answer = plain.run(&["rewrap", "--org", "young", "--reason", "t", "--yes", "--json"]).expect(0).json();
    let dek = &answer["data"]["deks"][0];
    assert_eq!(
        (dek["outcome"].as_str(), dek["previousKeyArn"].as_str(), dek["keyArn"].as_str()),
        (Some("rewrapped"), plain.key_arn.as_deref(), Some(next.as_str()))
    );
    plain.run(&["health", "--deep", "--json"]).says("all 2 active DEKs unwrap");
}

#[test]
fn rewrap_tries_the_next_key_after_one_that_it_may_not_use() {
    let (plain, next) = left_behind();
    let engine = &plain.kms.as_ref().unwrap().engine;
    let asked = engine.requests(0).last().unwrap().number;
    engine.add_fault(Fault { operation: "Decrypt".into(), nth: 1, times: 1, fault: FaultKind::Denied });
    plain.run(&["rewrap", "--org", "young", "--reason", "t", "--yes"]).expect(0).says("1 wrapping replaced");
    assert!(calls(&engine.requests(asked), "Decrypt") >= 4, "the key it may not use, the old one, and the proof");
    let kms = direct_plain(&plain);
    assert!(stored(&mut plain.sql()).values().all(|text| opened(&kms, text, &Context::new()).0 == next));
}

#[test]
fn rewrap_names_the_refusal_that_tells_most() {
    let (plain, _) = left_behind();
    let (kms, mut sql) = (direct_plain(&plain), plain.sql());
    // Denied under the key it is under, disowned by the other: what must be cured is the right.
    let engine = &plain.kms.as_ref().unwrap().engine;
    engine.add_fault(Fault { operation: "Decrypt".into(), nth: 2, times: 1, fault: FaultKind::Denied });
    plain.run(&["rewrap", "--org", "young", "--reason", "t", "--yes", "--json"]).expect(6).says("kms-denied");
    engine.clear_faults();
    let theirs = kms.generate_data_key_without_plaintext(&another_key(&kms), &Context::new()).unwrap().value.wrapped;
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, theirs);
    sql.execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $1 WHERE \"organizationId\" = 'young'", &[&text])
        .unwrap();
    plain
        .run(&["rewrap", "--org", "young", "--reason", "t", "--yes"])
        .expect(5)
        .says("none of the keys that are known here")
        .says("rewrap --org young --to KEY");
}

fn problem(answer: &Value, code: &str) -> Value {
    let all = answer["problems"].as_array().unwrap();
    all.iter().find(|p| p["code"] == code).unwrap_or_else(|| panic!("no {code}: {answer:#}")).clone()
}

#[test]
fn health_deep_names_the_key_and_the_command_for_a_dek_left_behind() {
    let (plain, _) = left_behind();
    let answer = plain.run(&["health", "--deep", "--json"]).expect(3).json();
    let found = problem(&answer, "dek-under-another-key");
    assert_eq!((&found["subject"], &found["severity"]), (&json!("young"), &json!("warning")));
    assert!(found["message"].as_str().unwrap().contains(plain.key_arn.as_deref().unwrap()), "{found}");
    let hint = found["hint"].as_str().unwrap();
    assert!(hint.starts_with("scrybe-keys rewrap --org young --reason"), "{hint}");
    // The command that it names is the one that cures it.
    plain.run(&["rewrap", "--org", "young", "--reason", "left under an old key", "--yes"]).expect(0);
    assert_eq!(plain.run(&["health", "--deep", "--json"]).json()["data"]["deks"]["opened"], 2);
}

#[test]
fn health_deep_names_the_end_of_a_move_that_was_begun_and_so_does_every_other_verb() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let next = another_key(&direct_plain(&plain));
    plain.run(&to(&next, &[])).expect(0).says("--bind binds the database");
    let answer = plain.run(&["health", "--deep", "--json"]).expect(3).json();
    let hint = problem(&answer, "dek-under-another-key")["hint"].as_str().unwrap().to_owned();
    assert!(hint.starts_with(&format!("scrybe-keys rewrap --all --to {next} --bind")), "{hint}");
    plain.run(&["rotate", "--all", "--reason", "t", "--yes"]).expect(5).says("rewrap --all --to KEY --bind");
}

#[test]
fn health_deep_says_unknown_when_kms_is_away_and_asks_once() {
    let plain = Plain::with_kms().bound();
    for org in ["acme", "north", "zenith"] {
        plain.add_organization(org);
    }
    let engine = &plain.kms.as_ref().unwrap().engine;
    for fault in [FaultKind::ServerError, FaultKind::Throttled] {
        engine.add_fault(Fault { operation: "Decrypt".into(), nth: 1, times: 1000, fault });
        let ran = plain.run(&["health", "--deep", "--json"]).expect(3);
        engine.clear_faults();
        let answer = ran.json();
        assert!(!ran.problem_codes().contains(&"dek-does-not-open".to_owned()), "{answer:#}");
        let checks = answer["data"]["checks"].as_array().unwrap();
        let check = checks.iter().find(|c| c["name"] == "deks open").unwrap();
        assert_eq!((&check["verdict"], &answer["data"]["deks"]["refused"]), (&json!("unknown"), &json!(0)), "{check}");
        let severities: Vec<_> = answer["problems"].as_array().unwrap().iter().map(|p| &p["severity"]).collect();
        assert!(severities.iter().all(|s| **s == "warning"), "{severities:?}");
    }
    // One that does not open is still critical, and the others are tried.
    plain
        .sql()
        .execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = 'QUJD' WHERE \"organizationId\" = 'acme'", &[])
        .unwrap();
    let answer = plain.run(&["health", "--deep", "--json"]).expect(3).json();
    assert_eq!(problem(&answer, "dek-does-not-open")["severity"], "critical");
    assert_eq!(answer["data"]["deks"]["opened"], 2);
}
