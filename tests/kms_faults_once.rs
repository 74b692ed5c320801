//! Lost answers to what must not be sent twice: a rotation on demand, a replica, a revoked grant. Looked up, never sent again.

use crate::kms_faults::World;
use crate::support::kms_wire::kms_request;
use scrybe_keys::core::kms::{KeyState, Kms, KmsErrorKind as Kind, NewKey, NewReplica};
use scrybe_keys::local::FaultKind;

#[test]
fn kms_faults_a_lost_answer_to_a_rotation_is_looked_up_and_never_sent_again() {
    let world = World::new();
    world.fail("RotateKeyOnDemand", 1, FaultKind::ReplyLost);
    world.kms.rotate_on_demand(&world.key).unwrap();
    assert_eq!(world.sent("RotateKeyOnDemand"), 1);
    assert_eq!(world.kms.key_materials(&world.key).unwrap().value.len(), 2);

    // The same while it still runs: the status alone shows it.
    world.fail("RotateKeyOnDemand", 1, FaultKind::ReplyLost);
    world.engine.set_lag(2);
    world.kms.rotate_on_demand(&world.key).unwrap();
    world.engine.set_lag(0);
    assert_eq!(world.sent("RotateKeyOnDemand"), 2);

    for fault in [FaultKind::ServerError, FaultKind::Timeout, FaultKind::Throttled] {
        let before = world.sent("RotateKeyOnDemand");
        world.fail("RotateKeyOnDemand", 1, fault);
        let error = world.kms.rotate_on_demand(&world.key).unwrap_err();
        assert_eq!(error.is_ambiguous(), fault != FaultKind::Throttled, "{error}");
        assert_eq!(world.sent("RotateKeyOnDemand"), before + 1, "{fault:?}");
    }
    assert_eq!(world.kms.key_materials(&world.key).unwrap().value.len(), 3, "nothing was done, nothing is claimed");
}

#[test]
fn kms_faults_a_rotation_that_ran_before_is_no_success_of_ours() {
    let world = World::new();
    world.kms.rotate_on_demand(&world.key).unwrap();
    world.fail("RotateKeyOnDemand", 1, FaultKind::ServerError);
    let error = world.kms.rotate_on_demand(&world.key).unwrap_err();
    assert!(error.is_ambiguous() && error.message.contains("materials"), "{error}");
    // Without a look before, the rotation is made all the same, and a lost answer stays open.
    world.fail("ListKeyRotations", 1, FaultKind::Denied);
    world.kms.rotate_on_demand(&world.key).unwrap();
    world.fail("ListKeyRotations", 1, FaultKind::Denied);
    world.fail("RotateKeyOnDemand", 1, FaultKind::ReplyLost);
    assert!(world.kms.rotate_on_demand(&world.key).unwrap_err().is_ambiguous());
}

#[test]
fn kms_faults_the_last_rotation_of_a_key_is_its_last() {
    let world = World::new();
    for _ in 0..25 {
        world.kms.rotate_on_demand(&world.key).unwrap();
    }
    let error = world.kms.rotate_on_demand(&world.key).unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::LimitExceeded, Some("LimitExceededException")));
    assert_eq!(world.sent("RotateKeyOnDemand"), 26, "a hard limit is not tried again");
}

#[test]
fn kms_faults_a_lost_answer_to_a_replica_finds_that_replica_and_makes_no_second() {
    let world = World::new();
    let primary = world.kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value;
    let replica = |region: &str| NewReplica {
        region: region.to_owned(),
        description: region.to_owned(),
        ..NewReplica::default()
    };
    world.fail("ReplicateKey", 1, FaultKind::ReplyLost);
    let made = world.kms.replicate_key(&primary.arn, &replica("eu-central-1")).unwrap().value;
    assert!(made.arn.contains("eu-central-1") && made.description == "eu-central-1", "{made:?}");
    assert_eq!(world.sent("ReplicateKey"), 1);

    world.fail("ReplicateKey", 1, FaultKind::ServerError);
    let error = world.kms.replicate_key(&primary.arn, &replica("ap-south-1")).unwrap_err();
    assert!(error.is_ambiguous() && error.message.contains("scrybe-keys:request"), "{error}");
    assert_eq!(world.sent("ReplicateKey"), 2);
    // One that somebody else made is not taken for ours.
    world.fail("ReplicateKey", 1, FaultKind::ServerError);
    assert!(world.kms.replicate_key(&primary.arn, &replica("eu-central-1")).unwrap_err().is_ambiguous());
    let refused = world.kms.replicate_key(&primary.arn, &replica("eu-central-1")).unwrap_err();
    assert_eq!(refused.kind, Kind::AlreadyExists);
}

#[test]
fn kms_faults_a_lost_answer_to_a_revocation_is_looked_up_and_never_sent_again() {
    let world = World::new();
    let grant = || {
        let body = format!(
            r#"{{"KeyId":"{}","GranteePrincipal":"arn:aws:iam::111122223333:role/r","Operations":["Decrypt"]}}"#,
            world.key
        );
        kms_request(&world.serving, "CreateGrant", &body).1["GrantId"].as_str().unwrap().to_owned()
    };
    let (gone, kept) = (grant(), grant());
    world.fail("RevokeGrant", 1, FaultKind::ReplyLost);
    world.kms.revoke_grant(&world.key, &gone).unwrap();
    assert_eq!(world.sent("RevokeGrant"), 1);
    world.fail("RevokeGrant", 1, FaultKind::ServerError);
    assert!(world.kms.revoke_grant(&world.key, &kept).unwrap_err().is_ambiguous());
    assert_eq!(world.sent("RevokeGrant"), 2);
}

#[test]
fn kms_faults_a_deletion_that_waits_for_replicas_is_found_too() {
    let world = World::new();
    let primary = world.kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value;
    let replica = NewReplica { region: "eu-central-1".to_owned(), ..NewReplica::default() };
    world.kms.replicate_key(&primary.arn, &replica).unwrap();
    world.fail("ScheduleKeyDeletion", 1, FaultKind::ReplyLost);
    let pending = world.kms.schedule_key_deletion(&primary.key_id, 7).unwrap().value;
    assert_eq!(pending.state, KeyState::PendingReplicaDeletion);
    assert_eq!(world.sent("ScheduleKeyDeletion"), 1);
}
