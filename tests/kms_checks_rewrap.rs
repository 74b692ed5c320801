//! Checks of the KMS contract: ReEncrypt, rehearsals (DryRun), materials and rotation on demand, last use. `kms_contract` has the table.

use crate::support::kms_bench::{Bench, REGION};
use crate::support::kms_verdict::{Verdict, ensure, new_alias, new_key, ok, refused, refused_as, state};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrybe_keys::core::kms::{Context, KeyDescription, KmsErrorKind as Kind, ReEncrypt, Rehearsal};
use serde_json::json;

pub fn a_rewrapped_key_opens_under_the_new_key(bench: &Bench) -> Verdict {
    let (old, new) = (new_key(bench)?, new_key(bench)?);
    let (before, after) = (context("a"), context("b"));
    let made = ok(bench.here.generate_data_key(&old.key_id, &before))?;
    for source in [None, Some(old.arn.as_str())] {
        let moved = ok(bench.here.re_encrypt(ReEncrypt {
            source,
            source_context: &before,
            target: &new.key_id,
            target_context: &after,
            wrapped: &made.wrapped,
        }))?;
        ensure!(moved.source_arn == old.arn, "moved from {}", moved.source_arn);
        ensure!(moved.key_arn == new.arn, "moved to {}", moved.key_arn);
        let opened = ok(bench.here.decrypt(Some(&new.arn), &moved.wrapped, &after))?;
        ensure!(opened.plaintext.as_slice() == made.dek.expose(), "opens to something else");
        refused(bench.here.decrypt(None, &moved.wrapped, &before), &[Kind::InvalidCiphertext])?;
    }
    ok(bench.here.decrypt(Some(&old.arn), &made.wrapped, &before))?;
    Ok(())
}

pub fn a_rewrap_goes_by_alias_too(bench: &Bench) -> Verdict {
    let (old, new) = (new_key(bench)?, new_key(bench)?);
    let (from, to) = (new_alias(), new_alias());
    ok(bench.here.create_alias(&from, &old.key_id))?;
    ok(bench.here.create_alias(&to, &new.key_id))?;
    let made = ok(bench.here.generate_data_key(&from, &Context::new()))?;
    let moved = ok(bench.here.re_encrypt(plain(Some(&from), &to, &made.wrapped)))?;
    ensure!(moved.key_arn == new.arn && moved.source_arn == old.arn, "{} to {}", moved.source_arn, moved.key_arn);
    Ok(())
}

pub fn a_rewrap_names_both_materials(bench: &Bench) -> Verdict {
    let (old, new) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&old.key_id, &Context::new()))?;
    let moved = ok(bench.here.re_encrypt(plain(None, &new.arn, &made.wrapped)))?;
    ensure!(moved.source_material_id.is_some(), "no source material");
    ensure!(moved.source_material_id == old.material_id, "source material {:?}", moved.source_material_id);
    ensure!(moved.material_id == new.material_id, "material {:?}", moved.material_id);
    Ok(())
}

pub fn a_rewrap_under_the_same_key_takes_its_newest_material(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    ok(bench.here.rotate_on_demand(&key.key_id))?;
    let newest = ok(bench.here.describe_key(&key.key_id))?.material_id;
    let moved = ok(bench.here.re_encrypt(plain(Some(&key.arn), &key.arn, &made.wrapped)))?;
    ensure!(moved.source_material_id == made.material_id, "source material {:?}", moved.source_material_id);
    ensure!(moved.material_id == newest && newest != made.material_id, "material {:?}", moved.material_id);
    let opened = ok(bench.here.decrypt(None, &moved.wrapped, &Context::new()))?;
    ensure!(opened.plaintext.as_slice() == made.dek.expose(), "opens to something else");
    ensure!(opened.material_id == newest, "opened with {:?}", opened.material_id);
    Ok(())
}

pub fn a_rewrap_pinned_to_another_source_is_refused(bench: &Bench) -> Verdict {
    let (old, other) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&old.key_id, &Context::new()))?;
    refused(bench.here.re_encrypt(plain(Some(&other.arn), &other.arn, &made.wrapped)), &[Kind::WrongKey])
}

pub fn a_rewrap_under_another_context_is_refused(bench: &Bench) -> Verdict {
    let (old, new) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&old.key_id, &context("a")))?;
    refused(bench.here.re_encrypt(plain(None, &new.arn, &made.wrapped)), &[Kind::InvalidCiphertext])?;
    let garbage = bench.here.re_encrypt(plain(None, &new.arn, &[0xA5; 40]));
    refused(garbage, &[Kind::InvalidCiphertext])
}

pub fn a_disabled_key_is_no_source_and_no_target(bench: &Bench) -> Verdict {
    let (old, new) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&old.key_id, &Context::new()))?;
    for disabled in [&old, &new] {
        ok(bench.here.disable_key(&disabled.key_id))?;
        let error = bench.here.re_encrypt(plain(Some(&old.arn), &new.arn, &made.wrapped)).err();
        let error = error.ok_or("a rewrap succeeded")?;
        ensure!(error.code.as_deref() == Some("DisabledException"), "{error}");
        ok(bench.here.enable_key(&disabled.key_id))?;
    }
    ok(bench.here.re_encrypt(plain(Some(&old.arn), &new.arn, &made.wrapped)))?;
    Ok(())
}

pub fn a_rewrap_to_nobody_is_not_found(bench: &Bench) -> Verdict {
    let old = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&old.key_id, &Context::new()))?;
    let nobody = uuid::Uuid::new_v4().to_string();
    refused(bench.here.re_encrypt(plain(None, &nobody, &made.wrapped)), &[Kind::NotFound])?;
    refused(bench.here.re_encrypt(plain(Some(&nobody), &old.arn, &made.wrapped)), &[Kind::NotFound])
}

pub fn what_would_succeed_is_rehearsed(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&key.key_id, &context("a")))?;
    let (none, given) = (Context::new(), context("a"));
    let moved = ReEncrypt {
        source: Some(&key.arn),
        source_context: &given,
        target: &other.arn,
        target_context: &none,
        wrapped: &made.wrapped,
    };
    for call in [
        Rehearsal::GenerateDataKey { key: &key.arn, context: &given },
        Rehearsal::Encrypt { key: &key.arn, context: &given },
        Rehearsal::Decrypt { key: &key.arn, wrapped: Some(&made.wrapped), context: &given },
        Rehearsal::ReEncrypt(moved),
        // Permission alone.
        Rehearsal::Decrypt { key: &key.arn, wrapped: None, context: &none },
        Rehearsal::ReEncrypt(ReEncrypt { wrapped: &[], ..moved }),
    ] {
        let judged = bench.here.rehearse(call).map_err(|e| e.to_string())?;
        ensure!(judged.request_id.is_some(), "no request id");
    }
    Ok(())
}

pub fn a_rehearsal_is_refused_as_the_call_would_be(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let made = ok(bench.here.generate_data_key(&key.key_id, &context("a")))?;
    let (none, given) = (Context::new(), context("a"));
    let nobody = uuid::Uuid::new_v4().to_string();
    let decrypt = |key, context| Rehearsal::Decrypt { key, wrapped: Some(&made.wrapped), context };
    let judge = |call| bench.here.rehearse(call);
    refused(judge(Rehearsal::GenerateDataKey { key: &nobody, context: &none }), &[Kind::NotFound])?;
    refused(judge(decrypt(&key.arn, &none)), &[Kind::InvalidCiphertext])?;
    refused(judge(decrypt(&other.arn, &given)), &[Kind::WrongKey])?;
    ok(bench.here.disable_key(&key.key_id))?;
    for call in [
        Rehearsal::GenerateDataKey { key: &key.arn, context: &given },
        Rehearsal::Encrypt { key: &key.arn, context: &given },
        decrypt(&key.arn, &given),
        Rehearsal::Decrypt { key: &key.arn, wrapped: None, context: &given },
        Rehearsal::ReEncrypt(plain(Some(&key.arn), &other.arn, &made.wrapped)),
        Rehearsal::ReEncrypt(plain(Some(&other.arn), &key.arn, &[])),
    ] {
        refused(judge(call), &[Kind::KeyUnusable])?;
    }
    Ok(())
}

pub fn no_rehearsal_gives_plaintext(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    let blob = STANDARD.encode(&made.wrapped);
    for (operation, body) in [
        ("GenerateDataKey", json!({"KeyId": key.key_id, "KeySpec": "AES_256", "DryRun": true})),
        ("GenerateDataKeyWithoutPlaintext", json!({"KeyId": key.key_id, "KeySpec": "AES_256", "DryRun": true})),
        ("Encrypt", json!({"KeyId": key.key_id, "Plaintext": "AAAA", "DryRun": true})),
        ("Decrypt", json!({"CiphertextBlob": blob, "DryRun": true})),
        ("Decrypt", json!({"KeyId": key.key_id, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]})),
    ] {
        refused_as(bench.raw(REGION, operation, &body), "DryRunOperationException")
            .map_err(|why| format!("{operation}: {why}"))?;
    }
    Ok(())
}

pub fn rotation_on_demand_makes_new_material(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.enable_key_rotation(&key.key_id, 90))?;
    let schedule = ok(bench.here.key_rotation_status(&key.key_id))?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    let first = ok(bench.here.key_materials(&key.key_id))?;
    ensure!(first.len() == 1 && first[0].current, "{first:?}");
    ensure!(first[0].rotated_at.is_none() && first[0].kind.is_none(), "the first has no rotation: {first:?}");
    ensure!(first[0].material_id == key.material_id, "{first:?}");

    ok(bench.here.rotate_on_demand(&key.arn))?;
    let both = ok(bench.here.key_materials(&key.key_id))?;
    ensure!(both.len() == 2, "{both:?}");
    ensure!(both[0].material_id == first[0].material_id && !both[0].current, "{both:?}");
    ensure!(both[1].current && both[1].kind.as_deref() == Some("ON_DEMAND"), "{both:?}");
    ensure!(both[1].rotated_at.is_some(), "{both:?}");
    let now = ok(bench.here.describe_key(&key.key_id))?;
    ensure!(now.material_id == both[1].material_id, "described with {:?}", now.material_id);
    let status = ok(bench.here.key_rotation_status(&key.key_id))?;
    ensure!(status == schedule, "the schedule moved: {status:?}");
    let opened = ok(bench.here.decrypt(None, &made.wrapped, &Context::new()))?;
    ensure!(opened.plaintext.as_slice() == made.dek.expose(), "old wrappings open to something else");
    ensure!(opened.material_id == key.material_id, "opened with {:?}", opened.material_id);
    Ok(())
}

pub fn a_key_is_rotated_on_demand_25_times(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    for _ in 0..25 {
        ok(bench.here.rotate_on_demand(&key.key_id))?;
    }
    refused(bench.here.rotate_on_demand(&key.key_id), &[Kind::LimitExceeded])?;
    let all = ok(bench.here.key_materials(&key.key_id))?;
    ensure!(all.len() == 26, "{} materials", all.len());
    Ok(())
}

pub fn an_unusable_key_is_not_rotated_on_demand(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.disable_key(&key.key_id))?;
    refused(bench.here.rotate_on_demand(&key.key_id), &[Kind::KeyUnusable])?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    refused(bench.here.rotate_on_demand(&key.key_id), &[Kind::KeyUnusable])?;
    ensure!(ok(bench.here.key_materials(&key.key_id))?.len() == 1, "rotated all the same");
    Ok(())
}

pub fn the_last_use_of_a_key_is_told(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let last = |key: &KeyDescription| ok(bench.here.key_last_use(&key.arn));
    let fresh = last(&key)?;
    ensure!(fresh.used_at.is_none() && fresh.operation.is_none(), "{fresh:?}");
    ensure!(fresh.tracked_since >= key.created_at && fresh.tracked_since.is_some(), "{fresh:?}");
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    let used = last(&key)?;
    ensure!(used.operation.as_deref() == Some("GenerateDataKey"), "{used:?}");
    ensure!(used.used_at >= key.created_at, "{used:?}");
    ok(bench.here.decrypt(None, &made.wrapped, &Context::new()))?;
    ensure!(last(&key)?.operation.as_deref() == Some("Decrypt"), "{:?}", last(&key)?);
    ok(bench.here.re_encrypt(plain(None, &other.arn, &made.wrapped)))?;
    for key in [&key, &other] {
        ensure!(last(key)?.operation.as_deref() == Some("ReEncrypt"), "{:?}", last(key)?);
    }
    Ok(())
}

pub fn only_success_is_use(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    let before = ok(bench.here.key_last_use(&key.key_id))?;
    refused(bench.here.decrypt(None, &made.wrapped, &context("a")), &[Kind::InvalidCiphertext])?;
    ok(bench.here.rehearse(Rehearsal::Encrypt { key: &key.arn, context: &Context::new() }))?;
    ok(bench.here.disable_key(&key.key_id))?;
    refused(bench.here.decrypt(None, &made.wrapped, &Context::new()), &[Kind::KeyUnusable])?;
    let after = ok(bench.here.key_last_use(&key.key_id))?;
    ensure!(after == before, "{after:?}");
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &key.key_id))?;
    refused(bench.here.key_last_use(&alias), &[Kind::NotFound, Kind::Invalid])?;
    ensure!(state(bench, &key)?.as_str() == "Disabled", "the key's state changed");
    Ok(())
}

fn plain<'a>(source: Option<&'a str>, target: &'a str, wrapped: &'a [u8]) -> ReEncrypt<'a> {
    static NONE: Context = Context::new();
    ReEncrypt { source, source_context: &NONE, target, target_context: &NONE, wrapped }
}

fn context(tenant: &str) -> Context {
    Context::from([("tenantId".to_owned(), tenant.to_owned())])
}
