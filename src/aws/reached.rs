//! Calls that must not be sent twice: after an answer that nobody saw, look whether the goal is reached, and never send again.
//!
//! ScheduleKeyDeletion, CancelKeyDeletion, CreateAlias and DeleteAlias refuse a second time what they did the first time; CreateKey would make a second key,
//! so every key carries a tag with a fresh id by which it can be found.

use crate::core::kms::{KeyDescription, KeyState, Kms, KmsError, Traced};

/// Tag of the request that made a key. In clear in every log; the value is random.
pub const REQUEST_TAG: &str = "scrybe-keys:request";

/// The key, if its deletion is running in spite of `error`; else `error`. Its `deletion_at` says until when.
pub fn deletion_pending(kms: &dyn Kms, key_id: &str, error: KmsError) -> Result<Traced<KeyDescription>, KmsError> {
    match key_after(kms, key_id, &error) {
        Some(key) if key.value.state == KeyState::PendingDeletion => Ok(key),
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

fn key_after(kms: &dyn Kms, key_id: &str, error: &KmsError) -> Option<Traced<KeyDescription>> {
    if error.is_ambiguous() { kms.describe_key(key_id).ok() } else { None }
}
