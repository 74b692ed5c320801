//! Checks of the KMS contract: keys, their states, names, tags and rotation. `kms_contract` has the table.

use crate::support::kms_bench::{Bench, ELSEWHERE, REGION};
use crate::support::kms_verdict::{Verdict, ensure, new_alias, new_key, ok, refused, state, tags};
use scrybe_keys::core::kms::{Context, KeyState, KmsErrorKind as Kind, NewKey};

pub fn caller_names_its_account(bench: &Bench) -> Verdict {
    let caller = ok(bench.here.caller())?;
    ensure!(caller.account.len() == 12, "account `{}`", caller.account);
    ensure!(caller.arn.contains(&caller.account), "arn `{}`", caller.arn);
    ensure!(bench.here.region() == REGION, "region `{}`", bench.here.region());
    Ok(())
}

pub fn a_new_key_is_enabled_and_described(bench: &Bench) -> Verdict {
    let made = new_key(bench)?;
    let seen = ok(bench.here.describe_key(&made.key_id))?;
    ensure!(seen == made, "described as {seen:?}, made as {made:?}");
    ensure!(seen.state == KeyState::Enabled, "state {}", seen.state);
    ensure!(seen.description == "contract", "description `{}`", seen.description);
    ensure!(seen.arn.starts_with(&format!("arn:aws:kms:{REGION}:")), "arn {}", seen.arn);
    ensure!(seen.arn.ends_with(&format!(":key/{}", seen.key_id)), "arn {}", seen.arn);
    let kind = (seen.manager.as_str(), seen.spec.as_str(), seen.usage.as_str(), seen.multi_region);
    ensure!(kind == ("CUSTOMER", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", false), "{kind:?}");
    ensure!(seen.created_at.is_some(), "no creation date");
    ensure!(seen.deletion_at.is_none(), "deletion at {:?}", seen.deletion_at);
    Ok(())
}

pub fn a_key_names_its_material(bench: &Bench) -> Verdict {
    let id = new_key(bench)?.material_id.unwrap_or_default();
    ensure!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "material id `{id}`");
    Ok(())
}

pub fn a_key_is_found_by_every_name(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &key.key_id))?;
    let alias_arn = key.arn.replace(&format!("key/{}", key.key_id), &alias);
    for name in [&key.key_id, &key.arn, &alias, &alias_arn] {
        let found = ok(bench.here.describe_key(name))?;
        ensure!(found.arn == key.arn, "`{name}` found {}", found.arn);
    }
    Ok(())
}

pub fn what_does_not_exist_is_not_found(bench: &Bench) -> Verdict {
    let nobody = uuid::Uuid::new_v4().to_string();
    refused(bench.here.describe_key(&nobody), &[Kind::NotFound])?;
    refused(bench.here.describe_key("alias/nobody"), &[Kind::NotFound])?;
    refused(bench.here.generate_data_key(&nobody, &Context::new()), &[Kind::NotFound])?;
    refused(bench.here.disable_key(&nobody), &[Kind::NotFound])?;
    refused(bench.here.delete_alias("alias/nobody"), &[Kind::NotFound])
}

pub fn an_arn_of_another_region_is_not_found(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let foreign = key.arn.replace(REGION, ELSEWHERE);
    refused(bench.here.describe_key(&foreign), &[Kind::NotFound])
}

pub fn every_answer_has_a_request_id(bench: &Bench) -> Verdict {
    let answer = bench.here.list_aliases().map_err(|e| e.to_string())?;
    ensure!(answer.request_id.as_deref().is_some_and(|id| !id.is_empty()), "none on success");
    let error = bench.here.describe_key("alias/nobody").err().ok_or("an unknown alias was found")?;
    ensure!(error.request_id.as_deref().is_some_and(|id| !id.is_empty()), "none on failure: {error}");
    ensure!(error.request_id != answer.request_id, "the same twice");
    Ok(())
}

pub fn a_malformed_policy_is_refused(bench: &Bench) -> Verdict {
    let new = NewKey { policy: Some("{not json".to_owned()), ..NewKey::default() };
    refused(bench.here.create_key(&new), &[Kind::Invalid])
}

pub fn a_key_is_switched_by_arn(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.disable_key(&key.arn))?;
    ensure!(state(bench, &key)? == KeyState::Disabled, "not disabled");
    ok(bench.here.enable_key(&key.arn))?;
    ensure!(state(bench, &key)? == KeyState::Enabled, "not enabled");
    Ok(())
}

pub fn switching_twice_is_no_error(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.enable_key(&key.key_id))?;
    ok(bench.here.disable_key(&key.key_id))?;
    ok(bench.here.disable_key(&key.key_id))?;
    ensure!(state(bench, &key)? == KeyState::Disabled, "not disabled");
    Ok(())
}

pub fn a_disabled_key_takes_no_rotation(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.disable_key(&key.key_id))?;
    refused(bench.here.enable_key_rotation(&key.key_id, 90), &[Kind::KeyUnusable])?;
    refused(bench.here.disable_key_rotation(&key.key_id), &[Kind::KeyUnusable])
}

pub fn deletion_waits_7_to_30_days(bench: &Bench) -> Verdict {
    for days in [7, 30] {
        let key = new_key(bench)?;
        let pending = ok(bench.here.schedule_key_deletion(&key.key_id, days))?;
        ensure!(pending.state == KeyState::PendingDeletion, "state {}", pending.state);
        let (from, until) = (key.created_at.ok_or("no creation date")?, pending.deletion_at.ok_or("no deletion date")?);
        let waits = until.duration_since(from).as_hours();
        ensure!(
            (i64::from(days) * 24 - 1..=i64::from(days) * 24 + 25).contains(&waits),
            "{waits} hours for {days} days"
        );
    }
    Ok(())
}

pub fn a_deletion_window_out_of_range_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    for days in [0, 6, 31, 366] {
        refused(bench.here.schedule_key_deletion(&key.key_id, days), &[Kind::Invalid])?;
    }
    ensure!(state(bench, &key)? == KeyState::Enabled, "the key's state changed");
    Ok(())
}

pub fn a_pending_key_is_not_switched(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    refused(bench.here.enable_key(&key.key_id), &[Kind::KeyUnusable])?;
    refused(bench.here.disable_key(&key.key_id), &[Kind::KeyUnusable])?;
    ensure!(state(bench, &key)? == KeyState::PendingDeletion, "no longer pending");
    Ok(())
}

pub fn a_running_deletion_is_not_scheduled_again(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let first = ok(bench.here.schedule_key_deletion(&key.key_id, 30))?;
    refused(bench.here.schedule_key_deletion(&key.key_id, 7), &[Kind::KeyUnusable])?;
    let now = ok(bench.here.describe_key(&key.key_id))?;
    ensure!(now.deletion_at == first.deletion_at, "the date moved to {:?}", now.deletion_at);
    Ok(())
}

pub fn a_pending_key_takes_no_tag(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    refused(bench.here.tag_key(&key.key_id, &tags(&[("a", "b")])), &[Kind::KeyUnusable])
}

pub fn a_pending_key_takes_no_alias(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &other.key_id))?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    refused(bench.here.create_alias(&new_alias(), &key.key_id), &[Kind::KeyUnusable])?;
    refused(bench.here.update_alias(&alias, &key.key_id), &[Kind::KeyUnusable])
}

pub fn a_cancelled_deletion_leaves_the_key_disabled(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let made = ok(bench.here.generate_data_key(&key.key_id, &Context::new()))?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    ok(bench.here.cancel_key_deletion(&key.key_id))?;
    let now = ok(bench.here.describe_key(&key.key_id))?;
    ensure!(now.state == KeyState::Disabled && now.deletion_at.is_none(), "{} {:?}", now.state, now.deletion_at);
    ok(bench.here.enable_key(&key.key_id))?;
    ok(bench.here.decrypt(Some(&key.key_id), &made.wrapped, &Context::new()))?;
    Ok(())
}

pub fn nothing_to_cancel_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    refused(bench.here.cancel_key_deletion(&key.key_id), &[Kind::KeyUnusable])?;
    ensure!(state(bench, &key)? == KeyState::Enabled, "the key's state changed");
    Ok(())
}

pub fn an_alias_is_made_moved_and_removed(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &key.key_id))?;
    ensure!(target(bench, &alias)? == Some(key.key_id.clone()), "not made");
    let made = ok(bench.here.generate_data_key(&alias, &Context::new()))?;
    ok(bench.here.update_alias(&alias, &other.key_id))?;
    ensure!(target(bench, &alias)? == Some(other.key_id), "not moved");
    ok(bench.here.decrypt(None, &made.wrapped, &Context::new()))?;
    ok(bench.here.delete_alias(&alias))?;
    ensure!(target(bench, &alias)?.is_none(), "not removed");
    refused(bench.here.update_alias(&alias, &key.key_id), &[Kind::NotFound])
}

pub fn an_alias_exists_once(bench: &Bench) -> Verdict {
    let (key, other) = (new_key(bench)?, new_key(bench)?);
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &key.key_id))?;
    refused(bench.here.create_alias(&alias, &other.key_id), &[Kind::AlreadyExists])?;
    ensure!(target(bench, &alias)? == Some(key.key_id), "the alias moved");
    Ok(())
}

pub fn a_malformed_alias_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    for name in ["no-prefix", "alias/white space", "alias/dollar$"] {
        refused(bench.here.create_alias(name, &key.key_id), &[Kind::Invalid])?;
    }
    Ok(())
}

pub fn reserved_aliases_are_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    refused(bench.here.create_alias("alias/aws/scrybe", &key.key_id), &[Kind::Denied, Kind::Invalid])
}

pub fn a_key_is_not_switched_by_alias(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    let alias = new_alias();
    ok(bench.here.create_alias(&alias, &key.key_id))?;
    refused(bench.here.disable_key(&alias), &[Kind::NotFound, Kind::Invalid])?;
    refused(bench.here.schedule_key_deletion(&alias, 7), &[Kind::NotFound, Kind::Invalid])?;
    ensure!(state(bench, &key)? == KeyState::Enabled, "the key's state changed");
    Ok(())
}

pub fn all_pages_of_aliases_arrive(bench: &Bench) -> Verdict {
    let mut made = Vec::new();
    for _ in 0..3 {
        let key = new_key(bench)?;
        for _ in 0..40 {
            let alias = new_alias();
            ok(bench.here.create_alias(&alias, &key.key_id))?;
            made.push(alias);
        }
    }
    let listed: Vec<String> = ok(bench.here.list_aliases())?.into_iter().map(|a| a.name).collect();
    let missing = made.iter().filter(|alias| listed.iter().filter(|l| l == alias).count() != 1).count();
    ensure!(missing == 0, "{missing} of {} aliases are missing or doubled", made.len());
    Ok(())
}

pub fn tags_are_kept_and_replaced(bench: &Bench) -> Verdict {
    let new = NewKey { tags: tags(&[("environment", "staging"), ("owner", "security")]), ..NewKey::default() };
    let key = ok(bench.here.create_key(&new))?;
    ok(bench.here.tag_key(&key.key_id, &tags(&[("owner", "platform"), ("incident", "")])))?;
    let found = ok(bench.here.key_tags(&key.key_id))?;
    for (name, value) in [("environment", "staging"), ("owner", "platform"), ("incident", "")] {
        ensure!(found.get(name).is_some_and(|v| v == value), "{name} is {:?}", found.get(name));
    }
    Ok(())
}

pub fn tags_are_taken_off(bench: &Bench) -> Verdict {
    let new = NewKey { tags: tags(&[("keep", "1"), ("drop", "2"), ("lose", "3")]), ..NewKey::default() };
    let key = ok(bench.here.create_key(&new))?;
    ok(bench.here.untag_key(&key.key_id, &["drop".to_owned(), "lose".to_owned(), "never-there".to_owned()]))?;
    let found = ok(bench.here.key_tags(&key.key_id))?;
    ensure!(found.contains_key("keep") && !found.contains_key("drop") && !found.contains_key("lose"), "{found:?}");
    Ok(())
}

pub fn a_key_is_described_anew(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.describe_as(&key.key_id, "another"))?;
    ensure!(ok(bench.here.describe_key(&key.key_id))?.description == "another", "not described anew");
    refused(bench.here.describe_as(&key.key_id, &"x".repeat(8193)), &[Kind::Invalid])?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    refused(bench.here.describe_as(&key.key_id, "too late"), &[Kind::KeyUnusable])
}

pub fn all_pages_of_keys_arrive(bench: &Bench) -> Verdict {
    let mut made = Vec::new();
    for _ in 0..120 {
        made.push(new_key(bench)?.key_id);
    }
    let listed = ok(bench.here.list_keys())?;
    let missing = made.iter().filter(|id| listed.iter().filter(|l| l == id).count() != 1).count();
    ensure!(missing == 0, "{missing} of {} keys are missing or doubled", made.len());
    ensure!(ok(bench.elsewhere.list_keys())?.iter().all(|id| !made.contains(id)), "listed elsewhere too");
    Ok(())
}

pub fn rotation_is_on_off_and_says_when_next(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ensure!(!ok(bench.here.key_rotation_status(&key.key_id))?.enabled, "on from the start");
    ok(bench.here.enable_key_rotation(&key.key_id, 90))?;
    let on = ok(bench.here.key_rotation_status(&key.key_id))?;
    ensure!(on.enabled && on.period_days == Some(90), "{on:?}");
    let waits = on.next_at.ok_or("no next date")?.duration_since(key.created_at.ok_or("no creation date")?);
    ensure!((89 * 24..=91 * 24).contains(&waits.as_hours()), "{} hours", waits.as_hours());
    ok(bench.here.enable_key_rotation(&key.key_id, 2560))?;
    ensure!(ok(bench.here.key_rotation_status(&key.key_id))?.period_days == Some(2560), "the period stays");
    ok(bench.here.disable_key_rotation(&key.key_id))?;
    ensure!(!ok(bench.here.key_rotation_status(&key.key_id))?.enabled, "still on");
    Ok(())
}

pub fn a_rotation_period_out_of_range_is_refused(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    for days in [0, 89, 2561] {
        refused(bench.here.enable_key_rotation(&key.key_id, days), &[Kind::Invalid])?;
    }
    ensure!(!ok(bench.here.key_rotation_status(&key.key_id))?.enabled, "turned on all the same");
    Ok(())
}

pub fn a_pending_key_reports_no_rotation(bench: &Bench) -> Verdict {
    let key = new_key(bench)?;
    ok(bench.here.enable_key_rotation(&key.key_id, 365))?;
    ok(bench.here.schedule_key_deletion(&key.key_id, 7))?;
    ensure!(!ok(bench.here.key_rotation_status(&key.key_id))?.enabled, "on while pending deletion");
    ok(bench.here.cancel_key_deletion(&key.key_id))?;
    ensure!(ok(bench.here.key_rotation_status(&key.key_id))?.enabled, "lost by the cancelled deletion");
    Ok(())
}

fn target(bench: &Bench, alias: &str) -> Result<Option<String>, String> {
    Ok(ok(bench.here.list_aliases())?.into_iter().find(|a| a.name == alias).and_then(|a| a.target_key_id))
}
