//! `rotate-cmk`: one call, never two; what became of it is read from the key's materials; nothing goes unrecorded by accident.

use crate::support::plain::Plain;
use crate::support::wrappings::{calls, direct_plain};
use scrybe_keys::core::kms::{Kms, NewKey, NewReplica};
use scrybe_keys::local::{Fault, FaultKind};
use serde_json::{Value, json};
use std::time::Duration;

const ROTATE: [&str; 5] = ["rotate-cmk", "--reason", "test", "--yes", "--json"];
const CALL: &str = "RotateKeyOnDemand";

fn plain() -> Plain {
    Plain::with_kms().bound()
}

/// How often the endpoint was asked to rotate.
fn sent(plain: &Plain) -> usize {
    calls(&plain.kms.as_ref().unwrap().engine.requests(0), CALL)
}

fn fault(plain: &Plain, fault: FaultKind, times: u32) {
    plain.kms.as_ref().unwrap().engine.add_fault(Fault { operation: CALL.into(), nth: 1, times, fault });
}

fn materials(plain: &Plain) -> usize {
    direct_plain(plain).key_materials(plain.key_arn.as_deref().unwrap()).unwrap().value.len()
}

fn events(plain: &Plain) -> Vec<(String, String)> {
    let log = plain.run(&["audit", "log", "--oldest-first", "--json"]).expect(0).json();
    let records = log["data"]["records"].as_array().unwrap().clone();
    let of = |r: &Value, name: &str| r[name].as_str().unwrap().to_owned();
    records.iter().map(|r| (of(r, "event"), of(r, "phase"))).filter(|(event, _)| event.starts_with("CMK_")).collect()
}

/// Makes the newest record eleven minutes older, its hash and the head with it.
fn backdate_the_last_record(plain: &Plain) {
    plain
        .sql()
        .batch_execute(
            "UPDATE scrybe_keys.audit SET at = at - interval '11 minutes' WHERE seq = (SELECT seq FROM scrybe_keys.audit_head);
             UPDATE scrybe_keys.audit SET hash = encode(sha256(convert_to(concat_ws(E'\\n', 'scrybe-keys audit v1', seq::text,
                 round(extract(epoch FROM at) * 1000000)::bigint::text, event, phase, coalesce(intent_id::text, '-'), run_id::text, db_user,
                 actor, subject, body, previous_hash), 'UTF8')), 'hex') WHERE seq = (SELECT seq FROM scrybe_keys.audit_head);
             UPDATE scrybe_keys.audit_head h SET hash = (SELECT hash FROM scrybe_keys.audit a WHERE a.seq = h.seq)",
        )
        .unwrap();
}

#[test]
fn rotate_cmk_gives_new_material_and_tells_what_is_left() {
    let plain = plain();
    let plan = plain.run(&["rotate-cmk", "--reason", "test", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(
        (&plan["changed"], &plan["data"]["onDemandLeft"], &plan["data"]["rotation"]),
        (&json!(false), &json!(25), &Value::Null)
    );
    plain
        .run(&["rotate-cmk", "--reason", "test"])
        .expect(4)
        .says("--yes")
        .says("25 of 25")
        .says("rewrap --old-material");
    assert_eq!((sent(&plain), materials(&plain)), (0, 1));
    let answer = plain.run(&ROTATE).expect(0).json();
    let rotation = &answer["data"]["rotation"];
    assert_eq!(
        (&rotation["sent"], &rotation["onDemandLeft"], &answer["changed"]),
        (&json!(true), &json!(24), &json!(true))
    );
    assert_eq!(rotation["previousMaterialId"], plan["data"]["materialId"]);
    assert_ne!(rotation["materialId"], plan["data"]["materialId"]);
    assert_eq!((sent(&plain), materials(&plain)), (1, 2));
    let intent_and_outcome = [("CMK_ROTATION_STARTED", "intent"), ("CMK_ROTATED", "outcome")];
    assert_eq!(events(&plain), intent_and_outcome.map(|(e, p)| (e.to_owned(), p.to_owned())));
    plain
        .run(&["rotate-cmk", "--reason", "test", "--dry-run"])
        .expect(0)
        .says("24 of 25")
        .says("on demand")
        .says("unwraps");
}

#[test]
fn rotate_cmk_never_sends_twice_when_the_answer_is_lost() {
    let plain = plain();
    fault(&plain, FaultKind::ReplyLost, 9);
    let answer = plain.run(&ROTATE).expect(0).json();
    assert_eq!(
        (&answer["data"]["rotation"]["sent"], &answer["data"]["rotation"]["onDemandLeft"]),
        (&json!(true), &json!(24))
    );
    assert_eq!((sent(&plain), materials(&plain)), (1, 2));
}

#[test]
fn rotate_cmk_whose_outcome_nobody_knows_is_looked_up_before_anything_is_sent() {
    let plain = plain();
    fault(&plain, FaultKind::ServerError, 9);
    let unseen = [&ROTATE[..], &["--wait", "1s"]].concat();
    let ran = plain.run(&unseen).expect(8);
    assert_eq!(ran.problem_codes(), ["rotation-unseen"]);
    plain.kms.as_ref().unwrap().engine.clear_faults();
    // It could still come true: nothing is sent.
    assert_eq!(plain.run(&ROTATE).expect(5).problem_codes(), ["rotation-under-way"]);
    assert_eq!(sent(&plain), 1);
    // And it does.
    direct_plain(&plain).rotate_on_demand(plain.key_arn.as_deref().unwrap()).unwrap();
    let found = plain.run(&ROTATE).expect(0).json();
    assert_eq!((&found["data"]["rotation"]["sent"], &found["changed"]), (&json!(false), &json!(true)));
    assert_eq!(sent(&plain), 2, "the second is the test's own");
    plain.run(&["audit", "verify"]).expect(0);
}

#[test]
fn rotate_cmk_killed_around_the_call_is_finished_by_the_same_command() {
    for (point, done) in
        [("rotate-cmk-before-call", false), ("rotate-cmk-after-call", true), ("rotate-cmk-before-outcome", true)]
    {
        let plain = plain();
        let died = plain.run_with("SCRYBE_KEYS_CRASH_AT", point, &ROTATE);
        assert!(died.was_killed(), "nothing died at {point}: {died:?}");
        if !done {
            // Nobody can tell it from one that is on its way.
            assert_eq!(plain.run(&ROTATE).expect(5).problem_codes(), ["rotation-under-way"]);
            assert_eq!((sent(&plain), materials(&plain)), (0, 1));
            // Eleven minutes later it cannot come true any more.
            backdate_the_last_record(&plain);
            assert_eq!(plain.run(&ROTATE).expect(0).json()["data"]["rotation"]["sent"], true);
            let names: Vec<String> = events(&plain).into_iter().map(|(event, _)| event).collect();
            let expected = ["CMK_ROTATION_STARTED", "CMK_ROTATION_FAILED", "CMK_ROTATION_STARTED", "CMK_ROTATED"];
            assert_eq!(names, expected);
            plain.run(&["audit", "verify"]).expect(0);
            continue;
        }
        let found = plain.run(&ROTATE).expect(0).json();
        assert_eq!(found["data"]["rotation"]["sent"], false, "{point}");
        assert_eq!((sent(&plain), materials(&plain)), (1, 2), "{point}");
        plain.run(&["audit", "verify"]).expect(0);
        assert_eq!(plain.run(&ROTATE).expect(0).json()["data"]["rotation"]["sent"], true, "the next one is a new one");
    }
}

#[test]
fn rotate_cmk_waits_until_kms_has_seen_it_everywhere() {
    let plain = plain();
    plain.kms.as_ref().unwrap().engine.set_lag(5);
    let answer = plain.run(&ROTATE).expect(0).json();
    assert_eq!(answer["data"]["rotation"]["onDemandLeft"], 24, "a stale list would still say 25");
    assert_eq!(sent(&plain), 1);
}

#[test]
fn rotate_cmk_refuses_when_none_is_left_or_another_is_due() {
    let plain = plain();
    let (kms, arn) = (direct_plain(&plain), plain.key_arn.clone().unwrap());
    let engine = &plain.kms.as_ref().unwrap().engine;
    for _ in 0..22 {
        kms.rotate_on_demand(&arn).unwrap();
        engine.advance(Duration::from_secs(3600)).unwrap();
    }
    let few = plain.run(&["rotate-cmk", "--reason", "test", "--dry-run", "--json"]).expect(0);
    assert_eq!(few.problem_codes(), ["few-rotations-left"]);
    for _ in 0..3 {
        kms.rotate_on_demand(&arn).unwrap();
        engine.advance(Duration::from_secs(3600)).unwrap();
    }
    let before = sent(&plain);
    assert_eq!(plain.run(&ROTATE).expect(5).problem_codes(), ["rotations-used-up"]);
    assert_eq!(sent(&plain), before, "it was known beforehand");

    let plain = self::plain();
    let (engine, arn) = (&plain.kms.as_ref().unwrap().engine, plain.key_arn.clone().unwrap());
    let next = direct_plain(&plain).key_rotation_status(&arn).unwrap().value.next_at.unwrap();
    let until = next.duration_since(engine.now()).unsigned_abs() - Duration::from_secs(600);
    engine.advance(until).unwrap();
    let ran = plain.run(&ROTATE).expect(5);
    assert!(ran.problem_codes().contains(&"rotation-due".to_owned()), "{ran:?}");
    assert_eq!((sent(&plain), materials(&plain)), (1, 1), "it was refused, and not asked again");
    let ended = ("CMK_ROTATION_FAILED".to_owned(), "outcome".to_owned());
    assert_eq!(events(&plain).last(), Some(&ended));
}

#[test]
fn rotate_cmk_without_a_database_says_that_nothing_is_recorded() {
    let mut plain = Plain::with_kms();
    plain.run(&[&ROTATE[..], &["--no-record"]].concat()).expect(2).says("a database is named".trim_start_matches("a "));
    plain.run(&ROTATE).expect(5);
    plain.environment.remove("DATABASE_URL");
    assert_eq!(plain.run(&ROTATE).expect(4).problem_codes(), ["unrecorded"]);
    assert_eq!(sent(&plain), 0);
    plain.run(&["rotate-cmk", "--reason", "test", "--yes", "--no-record"]).expect(0).says("Nothing was recorded");
    assert_eq!(materials(&plain), 2);
}

#[test]
fn rotate_cmk_refuses_what_has_no_material_of_its_own_to_rotate() {
    let mut plain = Plain::with_kms();
    plain.environment.remove("DATABASE_URL");
    let kms = direct_plain(&plain);
    let primary = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value;
    kms.replicate_key(&primary.key_id, &NewReplica { region: "eu-west-1".into(), ..NewReplica::default() }).unwrap();
    let replica = primary.arn.replace("us-west-2", "eu-west-1");
    let at = ["rotate-cmk", "--reason", "t", "--dry-run", "--region", "eu-west-1", "--key", &replica];
    plain.run(&at).expect(5).says("is a replica").says(&primary.arn);
    plain.run(&["rotate-cmk", "--reason", "t", "--dry-run", "--key", &primary.arn]).expect(0);
    kms.disable_key(&primary.key_id).unwrap();
    plain.run(&["rotate-cmk", "--reason", "t", "--dry-run", "--key", &primary.arn]).expect(5).says("Disabled");
    plain.run(&["rotate-cmk", "--reason", " ", "--dry-run"]).expect(2).says("--reason is empty");
    plain.run(&["rotate-cmk", "--reason", "t", "--kms", "dev"]).expect(5).says("provider dev");
    fault(&plain, FaultKind::Denied, 1);
    plain.run(&["rotate-cmk", "--reason", "t", "--yes", "--no-record"]).expect(6).says("AccessDenied");
}
