//! `rewrap`: every DEK version gets a new wrapping and nothing else changes; the old one is kept; twice is nothing to do.

use crate::support::foreign::{Check, Seed};
use crate::support::plain::{Plain, run_in};
use crate::support::world::World;
use crate::support::wrappings::{another_key, calls, direct, direct_plain, everything_else, kept, opened, stored};
use scrybe_keys::core::kms::{Context, Kms};
use serde_json::{Value, json};

fn deks(answer: &Value) -> &Vec<Value> {
    answer["data"]["deks"].as_array().unwrap()
}

fn to<'a>(key: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["rewrap", "--all", "--to", key, "--reason", "another key", "--application-can-use", key];
    all.extend(more);
    all
}

#[test]
fn rewrap_puts_every_version_under_another_key_and_changes_nothing_else() {
    let Some(world) = World::ready(Seed { orgs: 2, versions: 2, notes: 40, ..Seed::default() }) else { return };
    let (kms, mut sql) = (direct(&world), world.sql());
    let next = another_key(&kms);
    let (before, rest) = (stored(&mut sql), everything_else(&mut sql));
    let cells = "SELECT md5(string_agg(content, '' ORDER BY id)) FROM \"Note\"";
    let notes: String = sql.query_one(cells, &[]).unwrap().get(0);
    let plan = world.run(&to(&next, &["--dry-run", "--json"])).expect(0).json();
    assert_eq!((&plan["changed"], &plan["data"]["counts"]["planned"]), (&json!(false), &json!(4)));
    assert!(plan["data"]["rehearsals"].as_array().unwrap().iter().all(|r| r["verdict"] == "allowed"), "{plan:#}");
    assert_eq!(stored(&mut sql), before, "a plan changes nothing");

    let answer = world.run(&to(&next, &["--yes", "--json"])).expect(0).json();
    assert_eq!((&answer["changed"], &answer["data"]["counts"]["rewrapped"]), (&json!(true), &json!(4)));
    let after = stored(&mut sql);
    for (id, text) in &after {
        assert_ne!(*text, before[id], "row {id} kept its wrapping");
        let (old, new) = (opened(&kms, &before[id], &Context::new()), opened(&kms, text, &Context::new()));
        assert_eq!(new.0, next);
        assert_eq!(old.1, new.1, "row {id} holds another DEK now");
    }
    assert_eq!(everything_else(&mut sql), rest);
    assert_eq!(sql.query_one(cells, &[]).unwrap().get::<_, String>(0), notes);
    let kept = kept(&mut sql);
    assert_eq!(kept.len(), 4);
    for (id, text, arn, reason) in kept {
        assert_eq!(
            (&text, arn.as_str(), reason.as_str()),
            (&before[&id], world.seeded.key_arn.as_deref().unwrap(), "another key")
        );
    }
    for dek in deks(&answer) {
        let active = dek["active"] == true;
        assert_eq!(dek["previousKeyArn"].as_str(), world.seeded.key_arn.as_deref());
        assert_eq!(dek["keyArn"].as_str(), Some(next.as_str()));
        assert!(!active || dek["liveCell"] == "opened", "no live cell was opened under the DEK in use: {dek}");
    }
    world.check(Check::version(2));

    let asked = world.kms.engine.requests(0).last().unwrap().number;
    let again = world.run(&to(&next, &["--json"])).expect(0).json();
    assert_eq!((&again["changed"], &again["data"]["counts"]["alreadyThere"]), (&json!(false), &json!(4)));
    let requests = world.kms.engine.requests(asked);
    assert_eq!((calls(&requests, "ReEncrypt"), calls(&requests, "Decrypt")), (0, 0), "the records tell: {requests:?}");
    let log = world.run(&["audit", "log", "--event", "DEK_REWRAPPED", "--json"]).expect(0).json();
    let records = log["data"]["records"].as_array().unwrap();
    assert_eq!(records.len(), 2, "one for each organization");
    assert!(records.iter().all(|r| r["details"]["rewrapped"] == 2 && r["phase"] == "outcome"), "{records:?}");
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn rewrap_moves_deks_from_old_material_and_keys_list_tells_which_they_are() {
    let plain = Plain::with_kms().bound();
    for org in ["acme", "zenith"] {
        plain.add_organization(org);
    }
    let old = |plain: &Plain| -> Vec<Value> {
        let list = plain.run(&["keys", "list", "--json"]).expect(0).json();
        list["data"]["keys"].as_array().unwrap().iter().map(|k| k["oldMaterial"].clone()).collect()
    };
    assert_eq!(old(&plain), [json!("unknown"), json!("unknown")], "nothing is on record yet");
    let rewrap = ["rewrap", "--old-material", "--reason", "new material", "--json"];
    let learned = plain.run(&rewrap).expect(0).json();
    assert_eq!(learned["data"]["counts"]["alreadyThere"], 2);
    assert_eq!(old(&plain), [json!(false), json!(false)], "what was learned is on record");
    let asked = plain.kms.as_ref().unwrap().engine.requests(0).last().unwrap().number;
    plain.run(&rewrap).expect(0).says("\"changed\":false");
    assert_eq!(calls(&plain.kms.as_ref().unwrap().engine.requests(asked), "Decrypt"), 0);

    plain.run(&["rotate-cmk", "--reason", "test", "--yes"]).expect(0).says("rewrap --old-material");
    assert_eq!(old(&plain), [json!(true), json!(true)]);
    plain.run(&["keys", "list"]).expect(0).says("(old)");
    plain.run(&["keys", "show", "acme"]).expect(0).says("(old: the CMK has newer)");
    let moved = plain.run(&["rewrap", "--org", "acme", "--reason", "new material", "--yes", "--json"]).expect(0).json();
    let dek = &deks(&moved)[0];
    assert_eq!((&dek["outcome"], &dek["keyArn"]), (&json!("rewrapped"), &dek["previousKeyArn"]));
    assert_ne!(dek["materialId"], dek["previousMaterialId"]);
    assert_eq!(old(&plain), [json!(false), json!(true)]);
    let rest = plain.run(&[&rewrap[..], &["--yes"]].concat()).expect(0).json();
    assert_eq!((&rest["data"]["counts"]["rewrapped"], &rest["data"]["counts"]["alreadyThere"]), (&json!(1), &json!(1)));
    plain.run(&rewrap[..rewrap.len() - 1]).expect(0).says("Nothing to do: 2 DEKs are under");
    plain.run(&["health", "--deep"]).expect(0);
    // Without a KMS to ask, nobody can tell.
    let nowhere =
        plain.run_with("AWS_ENDPOINT_URL", "http://127.0.0.1:9", &["keys", "list", "--json"]).expect(0).json();
    assert!(nowhere["data"]["keys"].as_array().unwrap().iter().all(|k| k["oldMaterial"] == "unknown"));
}

#[test]
fn rewrap_with_old_material_leaves_what_is_on_the_newest_of_its_own_key() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    plain.run(&["rotate-cmk", "--reason", "test", "--yes"]).expect(0);
    plain.add_organization("zenith");
    let next = another_key(&direct_plain(&plain));
    let only_old =
        ["rewrap", "--old-material", "--to", &next, "--application-can-use", &next, "--reason", "t", "--yes", "--json"];
    let answer = plain.run(&only_old).expect(0).json();
    let outcomes: Vec<_> =
        deks(&answer).iter().map(|d| (d["organizationId"].as_str().unwrap(), d["outcome"].as_str().unwrap())).collect();
    assert_eq!(outcomes, [("acme", "rewrapped"), ("zenith", "not-old")]);
}

#[test]
fn rewrap_is_agreed_to_and_the_applications_access_is_said_by_name() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let (next, mut sql) = (another_key(&direct_plain(&plain)), plain.sql());
    let before = stored(&mut sql);
    let rewrap = ["rewrap", "--all", "--to", &next, "--reason", "t"];
    let with = |more: &[&'static str]| [&rewrap[..], more].concat();
    plain.run(&with(&["--yes"])).expect(4).says("--application-can-use").says(&next);
    let other = plain.key_arn.clone().unwrap();
    plain.run(&[&rewrap[..], &["--yes", "--application-can-use", &other]].concat()).expect(4).says(&next);
    let said = ["--application-can-use", next.as_str()];
    plain.run(&[&rewrap[..], &said].concat()).expect(4).says("--yes");
    plain
        .run(&[&rewrap[..], &said, &["--confirm", "0123456789abcdef"]].concat())
        .expect(5)
        .says("not the one that --confirm agrees to");
    for missing in [
        &["rewrap", "--all"][..],
        &["rewrap", "--reason", "t"],
        &["rewrap", "--org", "acme", "--reason", "t", "--bind", "--to", "x"],
    ] {
        plain.run(missing).expect(2);
    }
    plain.run(&["rewrap", "--all", "--reason", " "]).expect(2).says("--reason is empty");
    plain.run(&["rewrap", "--org", "nobody", "--reason", "t", "--yes"]).expect(5).says("nobody");
    assert_eq!(stored(&mut sql), before);
    let plan = plain.run(&[&rewrap[..], &["--dry-run", "--json"]].concat()).expect(0).json();
    let digest = plan["data"]["digest"].as_str().unwrap();
    plain.run(&[&rewrap[..], &said, &["--confirm", digest]].concat()).expect(0);
    assert_ne!(stored(&mut sql), before);
}

#[test]
fn rewrap_skips_bare_keys_by_name_and_refuses_what_does_not_open() {
    let plain = Plain::with_kms().bound();
    let (good, bare, broken, foreign) = (
        plain.add_organization("acme"),
        plain.add_organization("bare"),
        plain.add_organization("broken"),
        plain.add_organization("foreign"),
    );
    let (kms, mut sql) = (direct_plain(&plain), plain.sql());
    let (next, theirs) = (another_key(&kms), another_key(&kms));
    let secret = "dev:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let wrapped = kms.generate_data_key_without_plaintext(&theirs, &Context::new()).unwrap().value.wrapped;
    let foreign_text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, wrapped);
    for (id, text) in [(&bare, secret), (&broken, "not base64!"), (&foreign, &foreign_text)] {
        sql.execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = $2 WHERE id = $1", &[id, &text]).unwrap();
    }
    let before = stored(&mut sql);
    let ran = plain.run(&to(&next, &["--yes", "--json"])).expect(3);
    let mut codes = ran.problem_codes();
    codes.sort();
    assert_eq!(codes, ["dev-dek", "kms-wrong-key", "malformed-dek"]);
    let after = stored(&mut sql);
    assert!([&bare, &broken, &foreign].into_iter().all(|id| after[id] == before[id]), "a refused row was written");
    assert_ne!(after[&good], before[&good]);
    let kept = kept(&mut sql);
    assert_eq!(kept.iter().map(|k| &k.0).collect::<Vec<_>>(), [&good]);
    assert!(!ran.stdout.contains("MDEyMzQ1") && !ran.stderr.contains("MDEyMzQ1"), "the bare key is shown");
    // A bare key cannot get among the kept wrappings, whoever tries.
    for bare in [secret, secret.trim_start_matches("dev:")] {
        let insert = "INSERT INTO scrybe_keys.dek_wrapping (dek_id, organization_id, key_version, wrapped, next_key_arn, reason, run_id) \
                      VALUES ('x', 'x', 1, $1, 'x', 'x', gen_random_uuid())";
        assert!(sql.execute(insert, &[&bare]).is_err());
    }
    // Bare keys alone are no reason to fail.
    sql.batch_execute("DELETE FROM \"EncryptionKey\" WHERE \"organizationId\" IN ('broken', 'foreign')").unwrap();
    plain.run(&to(&next, &["--yes"])).expect(0).says("1 bare");
}

#[test]
fn rewrap_binds_the_database_once_every_dek_is_under_the_target() {
    let Some(world) = World::ready(Seed { orgs: 2, notes: 30, ..Seed::default() }) else { return };
    let next = another_key(&direct(&world));
    let org = world.org().to_owned();
    let one = ["rewrap", "--org", &org, "--to", &next, "--application-can-use", &next, "--reason", "t", "--yes"];
    world.run(&one).expect(0).says("stays bound");
    let bound = world.run(&to(&next, &["--bind", "--yes", "--json"])).expect(0).json();
    assert_eq!(bound["data"]["binding"], json!({"keyArn": next, "changes": true, "changed": true}));
    assert_eq!(bound["data"]["counts"]["alreadyThere"], 1);
    let rotate = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];
    world.run(&rotate).expect(5).says("bound to key").says(&next);
    let mut environment = world.environment.clone();
    environment.insert("AWS_KMS_KEY_ID".into(), next.clone());
    run_in(&environment, &rotate).expect(0);
    // Whoever goes by the alias would still seal under the old key.
    run_in(&environment, &["health", "--deep"]).expect(3).says("alias-elsewhere");
    direct(&world).update_alias("alias/scrybe-phi-master-key-dev", next.rsplit('/').next().unwrap()).unwrap();
    run_in(&environment, &["health", "--deep"]).expect(0);
    world.check(Check::version(2));
    // The command that bound it, given once more with the settings of then, finds everything done.
    let log = world.run(&["rewrap", "--all", "--to", &next, "--bind", "--reason", "t"]).expect(0);
    assert!(log.stdout.contains("Nothing to do: 4 DEKs are under"), "{log:?}");
    let rebound = run_in(&environment, &["audit", "log", "--event", "DATABASE_REBOUND", "--json"]).expect(0).json();
    let records = rebound["data"]["records"].as_array().unwrap();
    assert_eq!((records.len(), &records[0]["details"]["done"]), (2, &json!(true)));
    run_in(&environment, &["audit", "verify"]).expect(0);
}

#[test]
fn rewrap_does_not_bind_while_a_dek_is_elsewhere_or_a_job_may_make_one() {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme");
    let broken = plain.add_organization("broken");
    let (next, mut sql) = (another_key(&direct_plain(&plain)), plain.sql());
    sql.execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = 'QUJD' WHERE id = $1", &[&broken]).unwrap();
    let bind = to(&next, &["--bind", "--yes", "--json"]);
    let ran = plain.run(&bind).expect(3);
    assert!(ran.problem_codes().contains(&"not-all-under-target".to_owned()), "{ran:?}");
    assert_eq!(ran.json()["data"]["binding"]["changed"], false);
    sql.execute("DELETE FROM \"EncryptionKey\" WHERE id = $1", &[&broken]).unwrap();
    sql.batch_execute(
        "INSERT INTO scrybe_keys.job (job_id, kind, state, scope, options, reason, run_id, actor)
         VALUES ('11111111-1111-4111-8111-111111111111', 'rotate', 'running', 's', '{}', 'test', gen_random_uuid(), 'os:test')",
    )
    .unwrap();
    plain.run(&bind).expect(5).says("11111111-1111-4111-8111-111111111111");
    sql.batch_execute("UPDATE scrybe_keys.job SET state = 'done'").unwrap();
    assert_eq!(plain.run(&bind).expect(0).json()["data"]["binding"]["changed"], true);
}
