//! Consistency lag: what a caller of the embedded engine sees just after a change, on both doors, and that it ends.

use crate::support::kms_bench::{ELSEWHERE, REGION, client, open, serve};
use crate::support::kms_wire::http;
use scrybe_keys::core::kms::{Context, KeyState, Kms, KmsErrorKind as Kind, NewKey, NewReplica, Rehearsal};
use scrybe_keys::local::endpoint::Serving;
use scrybe_keys::local::{Engine, InProcess};
use std::collections::BTreeMap;

struct World {
    engine: Engine,
    /// In process, and through the SDK.
    doors: [Box<dyn Kms>; 2],
    serving: Serving,
    _dir: tempfile::TempDir,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let serving = serve(engine.clone());
    let doors: [Box<dyn Kms>; 2] =
        [Box::new(InProcess::new(engine.clone(), REGION)), Box::new(client(&serving.url(), REGION))];
    World { engine, doors, serving, _dir: dir }
}

fn tags(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("owner".to_owned(), value.to_owned())])
}

#[test]
fn kms_lag_a_new_key_is_not_found_for_a_while() {
    let world = world();
    world.engine.set_lag(3);
    for kms in &world.doors {
        let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
        assert_eq!(kms.describe_key(&key).unwrap_err().kind, Kind::NotFound);
        // A change that the old view refuses is refused, and not made.
        assert_eq!(kms.create_alias("alias/early", &key).unwrap_err().kind, Kind::NotFound);
        assert_eq!(kms.generate_data_key(&key, &Context::new()).err().unwrap().kind, Kind::NotFound);
        assert_eq!(kms.describe_key(&key).unwrap().value.state, KeyState::Enabled);
        assert!(kms.list_aliases().unwrap().value.is_empty());
    }
}

#[test]
fn kms_lag_is_per_key_and_counts_only_calls_about_it() {
    let world = world();
    let kms = &world.doors[0];
    let settled = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    world.engine.set_lag(2);
    let fresh = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    for _ in 0..5 {
        kms.describe_key(&settled).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(kms.describe_key(&fresh).unwrap_err().kind, Kind::NotFound);
    }
    kms.describe_key(&fresh).unwrap();
    // A list is about every key.
    let third = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    assert!(!kms.list_keys().unwrap().value.contains(&third));
    assert!(!kms.list_keys().unwrap().value.contains(&third));
    assert!(kms.list_keys().unwrap().value.contains(&third));
}

#[test]
fn kms_lag_states_tags_and_policies_are_seen_as_they_were() {
    let world = world();
    for kms in &world.doors {
        world.engine.set_lag(0);
        let key = kms.create_key(&NewKey { tags: tags("before"), ..NewKey::default() }).unwrap().value.key_id;
        let made = kms.generate_data_key(&key, &Context::new()).unwrap().value;
        world.engine.set_lag(2);
        let owner = || kms.key_tags(&key).unwrap().value.remove("owner").unwrap();
        kms.tag_key(&key, &tags("after")).unwrap();
        assert_eq!([owner(), owner(), owner()], ["before", "before", "after"]);
        // A revoked key still opens what it sealed, for as long as the change spreads.
        kms.disable_key(&key).unwrap();
        kms.decrypt(None, &made.wrapped, &Context::new()).unwrap();
        kms.decrypt(Some(&key), &made.wrapped, &Context::new()).unwrap();
        assert_eq!(kms.decrypt(None, &made.wrapped, &Context::new()).err().unwrap().kind, Kind::KeyUnusable);
    }
}

#[test]
fn kms_lag_an_alias_points_where_it_pointed() {
    let world = world();
    let kms = &world.doors[1];
    let (old, new) =
        (kms.create_key(&NewKey::default()).unwrap().value, kms.create_key(&NewKey::default()).unwrap().value);
    kms.create_alias("alias/scrybe", &old.key_id).unwrap();
    world.engine.set_lag(2);
    kms.update_alias("alias/scrybe", &new.key_id).unwrap();
    assert_eq!(kms.describe_key("alias/scrybe").unwrap().value.arn, old.arn);
    let target = || kms.list_aliases().unwrap().value.remove(0).target_key_id.unwrap();
    assert_eq!(target(), old.key_id);
    assert_eq!(target(), new.key_id);
    assert_eq!(kms.generate_data_key("alias/scrybe", &Context::new()).unwrap().value.key_arn, new.arn);
    kms.delete_alias("alias/scrybe").unwrap();
    assert_eq!(kms.describe_key("alias/scrybe").unwrap().value.arn, new.arn);
    // The name is not free yet, then it is.
    assert_eq!(kms.create_alias("alias/scrybe", &old.key_id).unwrap_err().kind, Kind::AlreadyExists);
    kms.create_alias("alias/scrybe", &old.key_id).unwrap();
}

#[test]
fn kms_lag_a_replica_is_creating_and_then_enabled() {
    let world = world();
    let kms = &world.doors[1];
    let primary = kms.create_key(&NewKey { multi_region: true, ..NewKey::default() }).unwrap().value;
    let made = kms.generate_data_key(&primary.arn, &Context::new()).unwrap().value;
    world.engine.set_lag(2);
    let new = NewReplica { region: ELSEWHERE.to_owned(), ..NewReplica::default() };
    assert_eq!(kms.replicate_key(&primary.arn, &new).unwrap().value.state, KeyState::Creating);
    let there = kms.in_region(ELSEWHERE).unwrap();
    assert_eq!(there.describe_key(&primary.key_id).unwrap().value.state, KeyState::Creating);
    assert_eq!(there.decrypt(None, &made.wrapped, &Context::new()).err().unwrap().kind, Kind::KeyUnusable);
    assert_eq!(there.describe_key(&primary.key_id).unwrap().value.state, KeyState::Enabled);
    there.decrypt(None, &made.wrapped, &Context::new()).unwrap();
}

#[test]
fn kms_lag_a_rotation_on_demand_runs_and_then_is_done() {
    let world = world();
    for kms in &world.doors {
        world.engine.set_lag(0);
        let key = kms.create_key(&NewKey::default()).unwrap().value;
        // The adapter looks at the materials before it rotates.
        world.engine.set_lag(4);
        kms.rotate_on_demand(&key.key_id).unwrap();
        assert!(kms.key_rotation_status(&key.key_id).unwrap().value.on_demand_since.is_some());
        assert_eq!(kms.describe_key(&key.key_id).unwrap().value.material_id, key.material_id);
        assert_eq!(kms.key_materials(&key.key_id).unwrap().value.len(), 1);
        let made = kms.generate_data_key(&key.key_id, &Context::new()).unwrap().value;
        assert_eq!(made.material_id, key.material_id);
        let status = kms.key_rotation_status(&key.key_id).unwrap().value;
        assert!(status.on_demand_since.is_none(), "{status:?}");
        assert_ne!(kms.describe_key(&key.key_id).unwrap().value.material_id, key.material_id);
        assert_eq!(kms.key_materials(&key.key_id).unwrap().value.len(), 2);
    }
    // A second one while the first runs is refused, and uses up none.
    let kms = &world.doors[0];
    world.engine.set_lag(0);
    let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    world.engine.set_lag(1);
    kms.rotate_on_demand(&key).unwrap();
    let error = kms.rotate_on_demand(&key).unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Busy, Some("ConflictException")));
    assert_eq!(kms.key_materials(&key).unwrap().value.len(), 2);
}

#[test]
fn kms_lag_a_refused_or_rehearsed_change_leaves_nothing_behind() {
    let world = world();
    let kms = &world.doors[0];
    let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    world.engine.set_lag(5);
    assert_eq!(kms.schedule_key_deletion(&key, 3).unwrap_err().kind, Kind::Invalid);
    kms.rehearse(Rehearsal::Encrypt { key: &key, context: &Context::new() }).unwrap();
    kms.disable_key(&key).unwrap();
    assert_eq!(kms.describe_key(&key).unwrap().value.state, KeyState::Enabled);
    // Turned off, everything is seen as it is at once.
    world.engine.set_lag(0);
    assert_eq!(kms.describe_key(&key).unwrap().value.state, KeyState::Disabled);
}

#[test]
fn kms_lag_is_set_through_the_control_path_and_is_off_at_first() {
    let world = world();
    assert_eq!(world.engine.lag(), 0);
    assert_eq!(http(&world.serving, "POST", "/_scrybe/lag", &[], r#"{"reads":1}"#).0, 403);
    assert_eq!(world.engine.lag(), 0);
    let marked = [("x-scrybe-control", "1")];
    assert_eq!(http(&world.serving, "POST", "/_scrybe/lag", &marked, r#"{"reads":-1}"#).0, 400);
    let (status, said) = http(&world.serving, "POST", "/_scrybe/lag", &marked, r#"{"reads":1}"#);
    assert!(status == 200 && said.contains("\"reads\":1"), "{said}");
    assert!(http(&world.serving, "GET", "/_scrybe/lag", &[], "").1.contains("\"reads\":1"));
    let kms = &world.doors[1];
    let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    assert_eq!(kms.describe_key(&key).unwrap_err().kind, Kind::NotFound);
    kms.describe_key(&key).unwrap();
}
