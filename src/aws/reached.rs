//! Calls that must not be sent twice: after an answer that nobody saw, look whether the goal is reached, and never send again.
//!
//! ScheduleKeyDeletion, CancelKeyDeletion, CreateAlias, DeleteAlias and RevokeGrant refuse a second time what they did the first time; CreateKey would make a
//! second key, so every key (and replica) carries a tag with a fresh id by which it can be found; RotateKeyOnDemand would use up another rotation of the key's few.

use crate::core::kms::{KeyDescription, KeyState, Kms, KmsError, MaterialRotation, Traced};
use std::time::Duration;

/// Pauses before each look for what a call without an answer did: KMS shows it late, sometimes.
pub const LOOKS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1)];

/// Tag of the request that made a key. In clear in every log; the value is random.
pub const REQUEST_TAG: &str = "scrybe-keys:request";

/// The key, if its deletion is running in spite of `error`; else `error`. Its `deletion_at` says until when.
pub fn deletion_pending(kms: &dyn Kms, key_id: &str, error: KmsError) -> Result<Traced<KeyDescription>, KmsError> {
    match key_after(kms, key_id, &error) {
        Some(key) if matches!(key.value.state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => Ok(key),
        _ => Err(error),
    }
}

/// Done, if the key is Disabled in spite of `error`: that is what a cancelled deletion leaves.
pub fn deletion_cancelled(kms: &dyn Kms, key_id: &str, error: KmsError) -> Result<Traced<()>, KmsError> {
    match key_after(kms, key_id, &error) {
        Some(key) if key.value.state == KeyState::Disabled => Ok(Traced { value: (), request_id: key.request_id }),
        _ => Err(error),
    }
}

/// Done, if the alias points at the key (or, for `None`, is gone) in spite of `error`.
pub fn alias_points(kms: &dyn Kms, alias: &str, key_id: Option<&str>, error: KmsError) -> Result<Traced<()>, KmsError> {
    if !error.is_ambiguous() {
        return Err(error);
    }
    let Ok(all) = kms.list_aliases() else { return Err(error) };
    let target = all.value.iter().find(|a| a.name == alias).map(|a| a.target_key_id.as_deref().unwrap_or_default());
    // A key ARN ends with the key's id.
    let same = match (target, key_id) {
        (None, None) => true,
        (Some(target), Some(wanted)) => !target.is_empty() && wanted.rsplit('/').next() == Some(target),
        _ => false,
    };
    if same { Ok(Traced { value: (), request_id: all.request_id }) } else { Err(error) }
}

/// Done, if the grant is gone in spite of `error`.
pub fn grant_gone(kms: &dyn Kms, key_id: &str, grant_id: &str, error: KmsError) -> Result<Traced<()>, KmsError> {
    if !error.is_ambiguous() {
        return Err(error);
    }
    match kms.list_grants(key_id) {
        Ok(all) if all.value.iter().all(|grant| grant.id != grant_id) => Ok(all.map(drop)),
        _ => Err(error),
    }
}

/// Begun, if an on-demand rotation runs or there is one more than `before`, in spite of `error`.
pub fn rotation_begun(
    kms: &dyn Kms,
    key_id: &str,
    before: Option<Traced<Vec<MaterialRotation>>>,
    mut error: KmsError,
) -> Result<Traced<()>, KmsError> {
    if !error.is_ambiguous() {
        return Err(error);
    }
    let on_demand =
        |all: &[MaterialRotation]| all.iter().filter(|one| one.kind.as_deref() == Some("ON_DEMAND")).count();
    for pause in LOOKS {
        std::thread::sleep(pause);
        match kms.key_rotation_status(key_id) {
            Ok(status) if status.value.on_demand_since.is_some() => return Ok(status.map(drop)),
            _ => {}
        }
        let Some(before) = &before else { continue };
        match kms.key_materials(key_id) {
            Ok(now) if on_demand(&now.value) > on_demand(&before.value) => return Ok(now.map(drop)),
            _ => {}
        }
    }
    error.message.push_str("; if a rotation began, the list of the key's materials will show it");
    Err(error)
}

/// The replica that carries our request's tag, in spite of `error`. `there` is KMS in the replica's region.
pub fn replica_made(
    there: &dyn Kms,
    key_id: &str,
    request: &str,
    mut error: KmsError,
) -> Result<Traced<KeyDescription>, KmsError> {
    if !error.is_ambiguous() {
        return Err(error);
    }
    // Related keys have one id; the ARN that was given is the primary's.
    let id = key_id.rsplit('/').next().unwrap_or(key_id);
    for pause in LOOKS {
        std::thread::sleep(pause);
        let Ok(tags) = there.key_tags(id) else { continue };
        if tags.value.get(REQUEST_TAG).is_some_and(|value| value == request) {
            return there.describe_key(id);
        }
    }
    error.message.push_str(&format!("; if a replica was made, its tag {REQUEST_TAG} is {request}"));
    Err(error)
}

fn key_after(kms: &dyn Kms, key_id: &str, error: &KmsError) -> Option<Traced<KeyDescription>> {
    if error.is_ambiguous() { kms.describe_key(key_id).ok() } else { None }
}
