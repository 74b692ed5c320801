//! Checks of the KMS contract: multi-Region keys, what they share and what not, and clients of other regions. `kms_contract` has the table.

use crate::support::kms_bench::{Bench, ELSEWHERE, REGION};
use crate::support::kms_verdict::{Verdict, ensure, new_alias, new_key, ok, refused, refused_as, tags};
use scrybe_keys::core::kms::{Context, KeyDescription, KeyState, Kms, KmsErrorKind as Kind, NewKey, NewReplica};
use serde_json::json;

pub fn a_replica_opens_what_its_primary_sealed(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    ensure!(primary.key_id == replica.key_id && primary.arn != replica.arn, "{} {}", primary.arn, replica.arn);
    ensure!(replica.arn == primary.arn.replace(REGION, ELSEWHERE), "{}", replica.arn);
    for (from, to, arn) in
        [(&bench.here, &bench.elsewhere, &replica.arn), (&bench.elsewhere, &bench.here, &primary.arn)]
    {
        let made = ok(from.generate_data_key(&primary.key_id, &context()))?;
        let opened = ok(to.decrypt(Some(arn), &made.wrapped, &context()))?;
        ensure!(opened.plaintext.as_slice() == made.dek.expose(), "opens to something else");
        ensure!(opened.key_arn == *arn, "opened under {}", opened.key_arn);
        refused(to.decrypt(None, &made.wrapped, &Context::new()), &[Kind::InvalidCiphertext])?;
    }
    Ok(())
}

pub fn relatives_are_described_on_every_one(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    let seen = [ok(bench.here.describe_key(&primary.key_id))?, ok(bench.elsewhere.describe_key(&primary.key_id))?];
    for (key, is_primary) in seen.iter().zip([true, false]) {
        let relatives = key.relatives.as_ref().ok_or("no relatives")?;
        ensure!(relatives.is_primary == is_primary, "{relatives:?}");
        ensure!(relatives.primary_arn == primary.arn, "{relatives:?}");
        ensure!(relatives.replica_arns == [replica.arn.clone()], "{relatives:?}");
    }
    ensure!(ok(bench.here.describe_key(&new_key(bench)?.key_id))?.relatives.is_none(), "a single-Region key has some");
    Ok(())
}

pub fn a_replica_has_the_material_of_its_primary(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    ensure!(primary.material_id.is_some() && primary.material_id == replica.material_id, "{:?}", replica.material_id);
    ok(bench.here.rotate_on_demand(&primary.key_id))?;
    let seen = [ok(bench.here.describe_key(&primary.arn))?, ok(bench.elsewhere.describe_key(&replica.arn))?];
    ensure!(seen[0].material_id == seen[1].material_id, "apart: {:?} {:?}", seen[0].material_id, seen[1].material_id);
    ensure!(seen[0].material_id != primary.material_id, "not rotated");
    let materials = ok(bench.elsewhere.key_materials(&replica.arn))?;
    ensure!(materials == ok(bench.here.key_materials(&primary.arn))?, "{materials:?}");
    refused(bench.elsewhere.rotate_on_demand(&replica.arn), &[Kind::Unsupported])
}

pub fn rotation_is_set_on_the_primary(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    ok(bench.here.enable_key_rotation(&primary.key_id, 120))?;
    let status = ok(bench.elsewhere.key_rotation_status(&replica.key_id))?;
    ensure!(status.enabled && status.period_days == Some(120), "{status:?}");
    refused(bench.elsewhere.enable_key_rotation(&replica.key_id, 90), &[Kind::Unsupported])?;
    refused(bench.elsewhere.disable_key_rotation(&replica.key_id), &[Kind::Unsupported])?;
    ok(bench.here.disable_key_rotation(&primary.key_id))?;
    ensure!(!ok(bench.elsewhere.key_rotation_status(&replica.key_id))?.enabled, "still on");
    Ok(())
}

pub fn a_replica_has_its_own_names_and_policy(bench: &Bench) -> Verdict {
    let new = NewKey { multi_region: true, tags: tags(&[("owner", "primary")]), ..NewKey::default() };
    let primary = ok(bench.here.create_key(&new))?;
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &primary.key_id))?;
    let replica = NewReplica {
        region: ELSEWHERE.to_owned(),
        description: "the copy".to_owned(),
        policy: None,
        tags: tags(&[("owner", "replica")]),
    };
    let replica = settled(bench, &ok(bench.here.replicate_key(&primary.key_id, &replica))?)?;
    ensure!(replica.description == "the copy", "description `{}`", replica.description);
    let owner = |kms: &dyn Kms| Ok::<_, String>(ok(kms.key_tags(&primary.key_id))?.remove("owner"));
    ensure!(owner(&*bench.elsewhere)?.as_deref() == Some("replica"), "{:?}", owner(&*bench.elsewhere)?);
    ensure!(owner(&*bench.here)?.as_deref() == Some("primary"), "{:?}", owner(&*bench.here)?);
    refused(bench.elsewhere.describe_key(&alias), &[Kind::NotFound])?;
    let policy = ok(bench.elsewhere.key_policy(&replica.arn))?;
    ensure!(policy.contains(":root") && policy.contains("kms:*"), "not the default policy: {policy}");
    Ok(())
}

pub fn disabling_a_primary_disables_no_replica(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    let made = ok(bench.here.generate_data_key(&primary.arn, &context()))?;
    ok(bench.here.disable_key(&primary.key_id))?;
    refused(bench.here.decrypt(None, &made.wrapped, &context()), &[Kind::KeyUnusable])?;
    ensure!(ok(bench.elsewhere.describe_key(&replica.arn))?.state == KeyState::Enabled, "the replica went with it");
    ok(bench.elsewhere.decrypt(None, &made.wrapped, &context()))?;
    ok(bench.elsewhere.disable_key(&replica.arn))?;
    refused(bench.elsewhere.decrypt(None, &made.wrapped, &context()), &[Kind::KeyUnusable])
}

pub fn a_region_has_one_of_each_key(bench: &Bench) -> Verdict {
    let (primary, _) = pair(bench)?;
    refused(bench.here.replicate_key(&primary.key_id, &to(ELSEWHERE)), &[Kind::AlreadyExists])
}

pub fn only_a_multi_region_primary_is_replicated(bench: &Bench) -> Verdict {
    let single = new_key(bench)?;
    refused(bench.here.replicate_key(&single.key_id, &to(ELSEWHERE)), &[Kind::Unsupported])?;
    let (_, replica) = pair(bench)?;
    refused(bench.elsewhere.replicate_key(&replica.key_id, &to("ap-south-1")), &[Kind::Unsupported])?;
    let disabled = ok(bench.here.create_key(&NewKey { multi_region: true, ..NewKey::default() }))?;
    ok(bench.here.disable_key(&disabled.key_id))?;
    refused(bench.here.replicate_key(&disabled.key_id, &to(ELSEWHERE)), &[Kind::KeyUnusable])
}

pub fn a_region_that_is_none_is_refused(bench: &Bench) -> Verdict {
    let primary = ok(bench.here.create_key(&NewKey { multi_region: true, ..NewKey::default() }))?;
    for region in ["", "nowhere", "eu central 1", "EU-CENTRAL-1"] {
        refused(bench.here.replicate_key(&primary.key_id, &to(region)), &[Kind::Invalid])
            .map_err(|why| format!("`{region}`: {why}"))?;
    }
    Ok(())
}

pub fn a_primary_waits_for_its_replicas_to_go(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    let made = ok(bench.here.generate_data_key(&primary.arn, &context()))?;
    let pending = ok(bench.here.schedule_key_deletion(&primary.key_id, 7))?;
    ensure!(pending.state == KeyState::PendingReplicaDeletion, "state {}", pending.state);
    ensure!(pending.deletion_at.is_none(), "a date: {:?}", pending.deletion_at);
    refused(bench.here.decrypt(None, &made.wrapped, &context()), &[Kind::KeyUnusable])?;
    ok(bench.elsewhere.decrypt(None, &made.wrapped, &context()))?;
    refused(bench.here.schedule_key_deletion(&primary.key_id, 30), &[Kind::KeyUnusable])?;
    ok(bench.here.cancel_key_deletion(&primary.key_id))?;
    ensure!(ok(bench.here.describe_key(&primary.key_id))?.state == KeyState::Disabled, "not disabled");
    let going = ok(bench.elsewhere.schedule_key_deletion(&replica.arn, 7))?;
    ensure!(going.state == KeyState::PendingDeletion && going.deletion_at.is_some(), "{going:?}");
    Ok(())
}

pub fn the_primary_moves(bench: &Bench) -> Verdict {
    let (primary, replica) = pair(bench)?;
    let body = json!({"KeyId": primary.key_id, "PrimaryRegion": ELSEWHERE});
    bench.raw(REGION, "UpdatePrimaryRegion", &body).map_err(|code| format!("UpdatePrimaryRegion answered {code}"))?;
    for (kms, is_primary) in [(&bench.here, false), (&bench.elsewhere, true)] {
        let relatives = ok(kms.describe_key(&primary.key_id))?.relatives.ok_or("no relatives")?;
        ensure!(relatives.is_primary == is_primary && relatives.primary_arn == replica.arn, "{relatives:?}");
        ensure!(relatives.replica_arns == [primary.arn.clone()], "{relatives:?}");
    }
    ok(bench.elsewhere.enable_key_rotation(&primary.key_id, 90))?;
    ensure!(ok(bench.here.key_rotation_status(&primary.key_id))?.enabled, "rotation does not show on the old primary");
    refused_as(bench.raw(REGION, "UpdatePrimaryRegion", &body), "UnsupportedOperationException")?;
    let nowhere = json!({"KeyId": primary.key_id, "PrimaryRegion": "ap-south-1"});
    refused_as(bench.raw(ELSEWHERE, "UpdatePrimaryRegion", &nowhere), "NotFoundException")
}

pub fn a_sibling_is_in_its_region(bench: &Bench) -> Verdict {
    let sibling = bench.here.in_region(ELSEWHERE).map_err(|e| e.to_string())?;
    ensure!(sibling.region() == ELSEWHERE, "{}", sibling.region());
    let key = ok(sibling.create_key(&NewKey::default()))?;
    ensure!(key.arn.contains(ELSEWHERE), "{}", key.arn);
    ok(bench.elsewhere.describe_key(&key.key_id))?;
    refused(bench.here.describe_key(&key.key_id), &[Kind::NotFound])?;
    ensure!(ok(sibling.caller())? == ok(bench.here.caller())?, "somebody else");
    ok(sibling.in_region(REGION).map_err(|e| e.to_string())?.describe_key(&new_key(bench)?.key_id))?;
    Ok(())
}

fn to(region: &str) -> NewReplica {
    NewReplica { region: region.to_owned(), ..NewReplica::default() }
}

/// A primary here and its replica elsewhere, both Enabled.
fn pair(bench: &Bench) -> Result<(KeyDescription, KeyDescription), String> {
    let primary = ok(bench.here.create_key(&NewKey { multi_region: true, ..NewKey::default() }))?;
    let made = ok(bench.here.replicate_key(&primary.key_id, &to(ELSEWHERE)))?;
    Ok((primary, settled(bench, &made)?))
}

/// A replica begins as Creating; in its own region it is Enabled soon.
fn settled(bench: &Bench, made: &KeyDescription) -> Result<KeyDescription, String> {
    ensure!(made.state == KeyState::Creating || made.state == KeyState::Enabled, "state {}", made.state);
    for _ in 0..50 {
        let seen = ok(bench.elsewhere.describe_key(&made.arn))?;
        if seen.state == KeyState::Enabled {
            return Ok(seen);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Err("the replica is not Enabled after five seconds".to_owned())
}

fn context() -> Context {
    Context::from([("tenantId".to_owned(), "a".to_owned())])
}
