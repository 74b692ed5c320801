//! `rewrap` replaces nothing that is not proven, loses to whoever writes meanwhile, and says what KMS would refuse before it begins.

use crate::support::between;
use crate::support::cli;
use crate::support::foreign::Seed;
use crate::support::plain::{Plain, run_in};
use crate::support::world::World;
use crate::support::wrappings::{another_key, calls, direct, direct_plain, kept, opened, stored};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres::Client;
use scrybe_keys::core::kms::{Context, Kms, NewKey, NewReplica, ReEncrypt};
use scrybe_keys::local::{Fault, FaultKind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn to<'a>(key: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["rewrap", "--all", "--to", key, "--reason", "test", "--application-can-use", key, "--yes"];
    all.extend(more);
    all
}

#[test]
fn rewrap_does_not_believe_a_kms_that_wraps_another_key() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (kms, mut sql) = (direct_plain(&plain), plain.sql());
    let next = another_key(&kms);
    let other = STANDARD.encode(kms.generate_data_key_without_plaintext(&next, &Context::new()).unwrap().value.wrapped);
    let under = another_key(&kms);
    for lie in ["CiphertextBlob", "KeyId"] {
        let (other, under) = (other.clone(), under.clone());
        let liar = between::serve(
            &plain.kms.as_ref().unwrap().url,
            Arc::new(move |operation, body| {
                let Ok(mut answer) = serde_json::from_str::<Value>(&body) else { return body };
                if operation != "ReEncrypt" || answer.get("CiphertextBlob").is_none() {
                    return body;
                }
                answer[lie] = json!(if lie == "KeyId" { &under } else { &other });
                answer.to_string()
            }),
        );
        let before = stored(&mut sql);
        let ran = plain.run_with("AWS_ENDPOINT_URL", &liar, &to(&next, &["--json"])).expect(9);
        assert_eq!(ran.problem_codes(), ["unproven-wrapping"], "{lie}");
        assert_eq!(stored(&mut sql), before, "{lie}: a wrapping was replaced without proof");
        assert!(kept(&mut sql).is_empty());
    }
    plain.run(&to(&next, &[])).expect(0);
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn rewrap_escalates_when_a_dek_is_not_the_one_on_record() {
    let plain = Plain::with_kms().bound();
    let (swapped, _) = (plain.add_organization("acme"), plain.add_organization("zenith"));
    plain.run(&["rewrap", "--all", "--reason", "learn"]).expect(0);
    let (kms, mut sql) = (direct_plain(&plain), plain.sql());
    // Somebody with write access puts a wrapping of a key of theirs into the row: it opens, under the right CMK.
    let theirs =
        kms.generate_data_key_without_plaintext(plain.key_arn.as_deref().unwrap(), &Context::new()).unwrap().value;
    sql.execute(
        "UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $2 WHERE id = $1",
        &[&swapped, &STANDARD.encode(theirs.wrapped)],
    )
    .unwrap();
    let before = stored(&mut sql);
    let next = another_key(&kms);
    let ran = plain.run(&to(&next, &["--json"])).expect(9);
    assert_eq!(ran.problem_codes(), ["unproven-wrapping"]);
    assert_eq!(ran.json()["data"]["counts"]["rewrapped"], 1, "the other one is moved all the same");
    assert_eq!(stored(&mut sql)[&swapped], before[&swapped]);
}

#[test]
fn rewrap_refuses_an_organization_whose_cells_open_under_none_of_its_deks() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 30, ..Seed::default() }) else { return };
    let (kms, mut sql) = (direct(&world), world.sql());
    let next = another_key(&kms);
    let theirs = kms
        .generate_data_key_without_plaintext(world.seeded.key_arn.as_deref().unwrap(), &Context::new())
        .unwrap()
        .value;
    let org = world.org().to_owned();
    sql.execute(
        "UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $2 WHERE \"organizationId\" = $1",
        &[&org, &STANDARD.encode(theirs.wrapped)],
    )
    .unwrap();
    let before = stored(&mut sql);
    let ran = world.run(&to(&next, &["--json"])).expect(9);
    assert_eq!(ran.problem_codes(), ["no-live-cell-opens"]);
    let changed: Vec<bool> = stored(&mut sql).iter().map(|(id, text)| *text != before[id]).collect();
    assert_eq!(changed.iter().filter(|c| **c).count(), 1, "only the organization whose cells open was moved");
}

#[test]
fn rewrap_raises_no_alarm_where_the_cells_may_be_under_a_dek_that_it_cannot_open() {
    let Some(world) = World::ready(Seed { orgs: 1, versions: 2, notes: 30, ..Seed::default() }) else { return };
    let (kms, mut sql) = (direct(&world), world.sql());
    let (next, other, active) = (another_key(&kms), another_key(&kms), "\"isActive\"");
    let select = format!("SELECT id, \"encryptedDek\" FROM \"EncryptionKey\" WHERE {active}");
    let row = sql.query_one(&select, &[]).unwrap();
    let (in_use, text): (String, String) = (row.get(0), row.get(1));
    let mut put = |text: &str| {
        sql.execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $2 WHERE id = $1", &[&in_use, &text]).unwrap()
    };
    // Every cell is under a row whose wrapping nobody here opens: nothing is proven, nothing is known to be wrong, nothing is replaced.
    put(&STANDARD.encode(kms.generate_data_key_without_plaintext(&other, &Context::new()).unwrap().value.wrapped));
    let before = stored(&mut world.sql());
    let ran = world.run(&to(&next, &["--json"])).expect(3);
    let mut codes = ran.problem_codes();
    codes.sort();
    assert_eq!(codes, ["kms-wrong-key", "not-proven"]);
    assert_eq!(stored(&mut world.sql()), before);
    // The same key bare: it is read as the application reads it, the cells open, and the other version is moved.
    put(&format!("dev:{}", STANDARD.encode(opened(&kms, &text, &Context::new()).1)));
    let answer = world.run(&to(&next, &["--json"])).expect(0).json();
    let counts = &answer["data"]["counts"];
    assert_eq!((&counts["rewrapped"], &counts["bare"]), (&json!(1), &json!(1)), "{answer:#}");
}

/// Waits until somebody waits for a lock in this database.
fn until_somebody_waits(sql: &mut Client) {
    let began = Instant::now();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sql.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody ever waited for the row");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn rewrap_loses_to_a_writer_and_reads_the_row_again() {
    let plain = Plain::with_kms().bound();
    let id = plain.add_organization("acme");
    let (kms, mut sql, mut watcher) = (direct_plain(&plain), plain.sql(), plain.sql());
    let (context, next) = (Context::new(), another_key(&kms));
    let old = stored(&mut sql)[&id].clone();
    let arn = plain.key_arn.as_deref().unwrap();
    let wrapped = STANDARD.decode(&old).unwrap();
    let again = ReEncrypt {
        source: Some(arn),
        source_context: &context,
        target: arn,
        target_context: &context,
        wrapped: &wrapped,
    };
    let theirs = STANDARD.encode(kms.re_encrypt(again).unwrap().value.wrapped);
    let mut writer = sql.transaction().unwrap();
    writer.execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $2 WHERE id = $1", &[&id, &theirs]).unwrap();
    let run = cli::start(cli::binary(&to(&next, &["--json"]), &plain.environment));
    until_somebody_waits(&mut watcher);
    writer.commit().unwrap();
    let answer = run.finish().expect(0).json();
    assert_eq!(answer["data"]["counts"]["rewrapped"], 1);
    let kept = kept(&mut watcher);
    assert_eq!(kept.len(), 1, "the attempt that lost left nothing: {kept:?}");
    assert_eq!(kept[0].1, theirs, "what is kept is what was replaced");
    let now = stored(&mut watcher)[&id].clone();
    assert_eq!(opened(&kms, &now, &context), (next, opened(&kms, &old, &context).1));
}

#[test]
fn rewrap_says_so_when_a_row_goes_away_under_it() {
    let plain = Plain::with_kms().bound();
    let (id, _) = (plain.add_organization("acme"), plain.add_organization("zenith"));
    let (next, mut sql, mut watcher) = (another_key(&direct_plain(&plain)), plain.sql(), plain.sql());
    let mut writer = sql.transaction().unwrap();
    writer.execute("DELETE FROM \"EncryptionKey\" WHERE id = $1", &[&id]).unwrap();
    let run = cli::start(cli::binary(&to(&next, &["--json"]), &plain.environment));
    until_somebody_waits(&mut watcher);
    writer.commit().unwrap();
    let ran = run.finish().expect(3);
    assert_eq!(ran.problem_codes(), ["dek-row-changed"]);
    assert_eq!(kept(&mut watcher).len(), 1, "the other organization was moved");
    plain.run(&to(&next, &[])).expect(0).says("Nothing to do");
}

#[test]
fn rewrap_trusts_a_record_only_of_the_text_it_was_made_of() {
    let plain = Plain::with_kms().bound();
    let id = plain.add_organization("acme");
    let (kms, mut sql) = (direct_plain(&plain), plain.sql());
    let (next, old) = (another_key(&kms), stored(&mut sql)[&id].clone());
    plain.run(&to(&next, &[])).expect(0);
    // A restore from a backup puts the old wrapping back; the record still says the new key.
    sql.execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $2 WHERE id = $1", &[&id, &old]).unwrap();
    let shown = plain.run(&["keys", "show", "acme", "--json"]).expect(0).json();
    assert_eq!(shown["data"]["keys"][0]["keyArn"], Value::Null, "the record says nothing of this text");
    plain.run(&to(&next, &[])).expect(0).says("1 wrapping replaced");
    assert_eq!(opened(&kms, &stored(&mut sql)[&id], &Context::new()).0, next);
}

#[test]
fn rewrap_learns_from_a_rehearsal_what_kms_would_refuse() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (next, mut sql) = (another_key(&direct_plain(&plain)), plain.sql());
    let (engine, before) = (&plain.kms.as_ref().unwrap().engine, stored(&mut sql));
    engine.add_fault(Fault { operation: "ReEncrypt".into(), nth: 1, times: 1, fault: FaultKind::Denied });
    plain.run(&to(&next, &["--json"])).expect(6).says("kms-denied");
    assert_eq!(calls(&engine.requests(0), "ReEncrypt"), 1, "only the rehearsal was sent");
    assert_eq!(stored(&mut sql), before);
    let log = plain.run(&["audit", "log", "--event", "DEK_REWRAP_STARTED", "--json"]).expect(0).json();
    assert!(log["data"]["records"].as_array().unwrap().is_empty(), "nothing was begun");
    // What is refused only when it is done for good ends the run, with the outcome on record.
    engine.add_fault(Fault { operation: "ReEncrypt".into(), nth: 2, times: 1, fault: FaultKind::Denied });
    plain.run(&to(&next, &[])).expect(6);
    engine.clear_faults();
    plain.run(&["audit", "verify"]).expect(0);
    plain.run(&to(&next, &[])).expect(0);
}

#[test]
fn rewrap_goes_on_after_kms_was_away() {
    let plain = Plain::with_kms().bound();
    for org in ["acme", "north", "zenith"] {
        plain.add_organization(org);
    }
    let (next, mut sql) = (another_key(&direct_plain(&plain)), plain.sql());
    let engine = &plain.kms.as_ref().unwrap().engine;
    // One rehearsal, one organization, then nothing any more.
    engine.add_fault(Fault { operation: "ReEncrypt".into(), nth: 3, times: 9, fault: FaultKind::ServerError });
    let ran = plain.run(&to(&next, &["--json"])).expect(8);
    let counts = ran.json()["data"]["counts"].clone();
    assert_eq!((&counts["rewrapped"], &counts["notReached"]), (&json!(1), &json!(2)), "{ran:?}");
    engine.clear_faults();
    let answer = plain.run(&to(&next, &["--json"])).expect(0).json();
    assert_eq!(answer["data"]["counts"]["rewrapped"], 2);
    assert_eq!(kept(&mut sql).len(), 3);
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn rewrap_refuses_keys_that_cannot_wrap_and_sources_that_cannot_open() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let kms = direct_plain(&plain);
    let next = another_key(&kms);
    kms.disable_key(&next).unwrap();
    plain.run(&to(&next, &[])).expect(5).says("Disabled");
    kms.enable_key(&next).unwrap();
    plain.run(&to("alias/nothing", &[])).expect(5).says("alias/nothing");
    kms.disable_key(plain.key_arn.as_deref().unwrap()).unwrap();
    plain.run(&to(&next, &[])).expect(5).says("enable that key");
    kms.enable_key(plain.key_arn.as_deref().unwrap()).unwrap();
    kms.create_alias("alias/next", next.rsplit('/').next().unwrap()).unwrap();
    let by_alias = ["rewrap", "--all", "--to", "alias/next", "--reason", "t", "--application-can-use", &next, "--yes"];
    plain.run(&by_alias).expect(0).says("1 wrapping replaced");
}

#[test]
fn rewrap_goes_to_another_region_only_with_a_relative() {
    let mut plain = Plain::with_kms();
    let kms = direct_plain(&plain);
    let primary = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value;
    plain.key_arn = Some(primary.arn.clone());
    plain.environment.insert("AWS_KMS_KEY_ID".into(), primary.arn.clone());
    let plain = plain.bound();
    plain.add_organization("acme");
    let new = NewReplica { region: "eu-west-1".into(), ..NewReplica::default() };
    kms.replicate_key(&primary.key_id, &new).unwrap();
    let there = plain.kms.as_ref().unwrap().direct("eu-west-1");
    let began = Instant::now();
    while there.describe_key(&primary.key_id).is_ok_and(|k| k.value.state.as_str() != "Enabled") {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(100));
    }
    let stranger = there.create_key(&NewKey::default()).unwrap().value;
    let replica = there.describe_key(&primary.key_id).unwrap().value.arn;
    let mut sql = plain.sql();
    let before = stored(&mut sql);
    plain.run(&to(&stranger.arn, &[])).expect(5).says("no relative of that key");
    assert_eq!(stored(&mut sql), before);
    let answer = plain.run(&to(&replica, &["--bind", "--json"])).expect(0).json();
    assert_eq!(answer["data"]["target"]["region"], "eu-west-1");
    assert_eq!(
        (&answer["data"]["counts"]["rewrapped"], &answer["data"]["binding"]["changed"]),
        (&json!(1), &json!(true))
    );
    plain.run(&["keys", "list"]).expect(5).says("bound to region eu-west-1").says(&replica);
    let mut environment = plain.environment.clone();
    environment.insert("AWS_KMS_KEY_ID".into(), replica.clone());
    environment.insert("AWS_REGION".into(), "eu-west-1".into());
    run_in(&environment, &["health", "--deep", "--json"]).says("all 1 active DEKs unwrap");
    run_in(&environment, &["rotate", "--all", "--reason", "t", "--settle", "0s", "--yes"]).expect(0);
}

#[test]
fn rewrap_is_done_by_one_process_at_a_time_and_no_faster_than_asked() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (next, mut sql) = (another_key(&direct_plain(&plain)), plain.sql());
    sql.batch_execute("SELECT pg_advisory_lock(hashtext('scrybe_keys.rewrap'), 0)").unwrap();
    plain.run(&to(&next, &[])).expect(5).says("another process rewraps");
    plain.run(&["rewrap", "--all", "--reason", "t", "--dry-run"]).expect(0);
    sql.batch_execute("SELECT pg_advisory_unlock(hashtext('scrybe_keys.rewrap'), 0)").unwrap();
    let began = Instant::now();
    plain.run(&to(&next, &["--max-rate", "4"])).expect(0);
    // A look, three rehearsals; ReEncrypt and two Decrypts: seven calls, the last six of them a quarter of a second apart in their two runs.
    assert!(began.elapsed() >= Duration::from_millis(1250), "{:?}", began.elapsed());
}

#[test]
fn the_grants_that_a_refused_rewrap_names_are_all_that_it_needs() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (role, password) = plain.add_role();
    let (environment, mut sql) = (plain.environment_as(&role, &password), plain.sql());
    let (next, kms) = (another_key(&direct_plain(&plain)), direct_plain(&plain));
    sql.batch_execute(&format!(
        "GRANT USAGE ON SCHEMA scrybe_keys TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA scrybe_keys TO {role}; REVOKE ALL ON scrybe_keys.dek_wrapping FROM {role}"
    ))
    .unwrap();
    for (arn, bind) in [(next.clone(), None), (another_key(&kms), Some("--bind"))] {
        let command: Vec<&str> = to(&arn, &["--json"]).into_iter().chain(bind).collect();
        for _ in 0..3 {
            let ran = run_in(&environment, &command);
            if ran.code() == 0 {
                break;
            }
            let hints = ran.expect(6).json()["problems"][0]["hint"].as_str().unwrap().to_owned();
            let grants: Vec<String> =
                hints.split("; ").filter_map(|h| h.split(" -- ").next()).map(str::to_owned).collect();
            for grant in grants.iter().filter(|g| g.starts_with("GRANT ")) {
                sql.batch_execute(grant).unwrap();
            }
        }
        run_in(&environment, &command).expect(0).says("already-there");
    }
    // Kept wrappings are for keeping.
    let held = format!("SELECT has_table_privilege('{role}', 'scrybe_keys.dek_wrapping', 'UPDATE, DELETE')");
    assert!(!sql.query_one(&held, &[]).unwrap().get::<_, bool>(0));
}
