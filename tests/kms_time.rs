//! What time and a restart do to related keys, rotations and grants of the embedded engine.

use crate::support::kms_bench::{ELSEWHERE, REGION, open, serve};
use crate::support::kms_wire::kms_request;
use scrybe_keys::core::kms::{Context, KeyState, Kms, KmsErrorKind as Kind, NewKey, NewReplica};
use scrybe_keys::local::{Engine, InProcess};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn in_process(engine: &Engine) -> InProcess {
    InProcess::new(engine.clone(), REGION)
}

#[test]
fn kms_time_a_primary_goes_when_its_last_replica_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let there = kms.in_region(ELSEWHERE).unwrap();
    let farther = kms.in_region("ap-south-1").unwrap();
    let key = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value.key_id;
    for region in [ELSEWHERE, "ap-south-1"] {
        kms.replicate_key(&key, &NewReplica { region: region.to_owned(), ..NewReplica::default() }).unwrap();
    }
    kms.schedule_key_deletion(&key, 10).unwrap();
    engine.advance(100 * DAY).unwrap();
    assert_eq!(kms.describe_key(&key).unwrap().value.state, KeyState::PendingReplicaDeletion, "it waits for ever");
    there.schedule_key_deletion(&key, 7).unwrap();
    engine.advance(8 * DAY).unwrap();
    assert_eq!(there.describe_key(&key).unwrap_err().kind, Kind::NotFound);
    assert_eq!(kms.describe_key(&key).unwrap().value.state, KeyState::PendingReplicaDeletion, "one replica is left");
    let last = farther.schedule_key_deletion(&key, 7).unwrap().value.deletion_at.unwrap();
    engine.advance(8 * DAY).unwrap();
    let pending = kms.describe_key(&key).unwrap().value;
    assert_eq!(pending.state, KeyState::PendingDeletion);
    // The window of its own begins where the last replica's ended.
    assert_eq!(pending.deletion_at.unwrap().duration_since(last).as_hours(), 10 * 24);
    engine.advance(10 * DAY).unwrap();
    assert_eq!(kms.describe_key(&key).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn kms_time_one_leap_of_the_clock_ends_replica_and_primary() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value.key_id;
    kms.replicate_key(&key, &NewReplica { region: ELSEWHERE.to_owned(), ..NewReplica::default() }).unwrap();
    kms.schedule_key_deletion(&key, 7).unwrap();
    kms.in_region(ELSEWHERE).unwrap().schedule_key_deletion(&key, 30).unwrap();
    engine.advance(30 * DAY + 6 * DAY).unwrap();
    assert_eq!(kms.describe_key(&key).unwrap().value.state, KeyState::PendingDeletion);
    engine.advance(DAY + Duration::from_secs(1)).unwrap();
    assert!(kms.list_keys().unwrap().value.is_empty());
}

#[test]
fn kms_time_relatives_rotate_together_and_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value.key_id;
    kms.replicate_key(&key, &NewReplica { region: ELSEWHERE.to_owned(), ..NewReplica::default() }).unwrap();
    kms.enable_key_rotation(&key, 90).unwrap();
    let there = kms.in_region(ELSEWHERE).unwrap();
    // A disabled replica is rotated with its primary all the same: the material is one.
    there.disable_key(&key).unwrap();
    engine.advance(91 * DAY).unwrap();
    kms.rotate_on_demand(&key).unwrap();
    there.enable_key(&key).unwrap();
    let made = kms.generate_data_key(&key, &Context::new()).unwrap().value;
    let materials = kms.key_materials(&key).unwrap().value;
    let kinds: Vec<_> = materials.iter().map(|m| m.kind.as_deref()).collect();
    assert_eq!(kinds, [None, Some("AUTOMATIC"), Some("ON_DEMAND")]);
    drop((kms, there, engine));

    let engine = open(dir.path());
    let there = InProcess::new(engine.clone(), ELSEWHERE);
    assert_eq!(there.key_materials(&key).unwrap().value, materials);
    let opened = there.decrypt(None, &made.wrapped, &Context::new()).unwrap().value;
    assert_eq!(opened.plaintext.as_slice(), made.dek.expose());
    assert!(!there.describe_key(&key).unwrap().value.relatives.unwrap().is_primary);
    // Uses are not kept, and the answer says since when they are.
    let last = in_process(&engine).key_last_use(&key).unwrap().value;
    assert!(last.used_at.is_none() && last.tracked_since > Some(materials[2].rotated_at.unwrap()), "{last:?}");
}

#[test]
fn kms_time_rotates_nothing_on_demand_close_to_an_automatic_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    kms.enable_key_rotation(&key, 90).unwrap();
    engine.advance(90 * DAY - Duration::from_secs(25 * 60)).unwrap();
    kms.rotate_on_demand(&key).unwrap();
    engine.advance(Duration::from_secs(10 * 60)).unwrap();
    let error = kms.rotate_on_demand(&key).unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Busy, Some("ConflictException")));
    engine.advance(Duration::from_secs(20 * 60)).unwrap();
    kms.rotate_on_demand(&key).unwrap();
    let kinds: Vec<_> = kms.key_materials(&key).unwrap().value.into_iter().filter_map(|m| m.kind).collect();
    assert_eq!(kinds, ["ON_DEMAND", "AUTOMATIC", "ON_DEMAND"]);
}

#[test]
fn kms_time_grants_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let key = in_process(&engine).create_key(&NewKey::default()).unwrap().value.key_id;
    let serving = serve(engine.clone());
    let body = format!(
        r#"{{"KeyId":"{key}","GranteePrincipal":"arn:aws:iam::111122223333:role/r","Operations":["Decrypt"],"Name":"kept"}}"#
    );
    let (_, made) = kms_request(&serving, "CreateGrant", &body);
    drop((serving, engine));
    let engine = open(dir.path());
    let listed = in_process(&engine).list_grants(&key).unwrap().value;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, made["GrantId"]);
    // The token of before still names it.
    let serving = serve(engine);
    let body = format!(r#"{{"GrantToken":{}}}"#, made["GrantToken"]);
    assert_eq!(kms_request(&serving, "RetireGrant", &body).0, 200);
}
