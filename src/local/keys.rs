//! Keys come, are looked at, switched off and on, and go: CreateKey to ScheduleKeyDeletion.

use super::answer::{Answer, Cancelled, Deletion, KeyAnswer, KeyEntry, KeyMetadata, Keys};
use super::call::{CreateKey, KeyOnly, ListPage, ScheduleKeyDeletion, Tag, UpdateKeyDescription};
use super::policy;
use super::refusal::Refusal;
use super::relatives;
use super::tags;
use super::world::{Key, Made, Material, Naming, World, days_after};
use crate::core::key_state::{self, Operation};
use crate::core::kms::KeyState;
use jiff::Timestamp;
use std::collections::BTreeMap;

const MAX_DESCRIPTION: usize = 8192;
/// ScheduleKeyDeletion without a window.
const DEFAULT_WINDOW: i64 = 30;

pub fn create(world: &mut World, region: &str, call: &CreateKey, now: Timestamp) -> Result<Answer, Refusal> {
    let spec = call.key_spec.as_deref().or(call.customer_master_key_spec.as_deref());
    let usual = |given: Option<&str>, only: &str| given.is_none_or(|g| g == only);
    if !usual(spec, "SYMMETRIC_DEFAULT")
        || !usual(call.key_usage.as_deref(), "ENCRYPT_DECRYPT")
        || !usual(call.origin.as_deref(), "AWS_KMS")
    {
        return Err(Refusal::new(
            "UnsupportedOperationException",
            "this KMS makes symmetric encryption keys of its own material only",
        ));
    }
    let description = call.description.clone().unwrap_or_default();
    check_description(&description)?;
    let tags = tags::checked(&call.tags, Default::default())?;
    let multi_region = call.multi_region.unwrap_or(false);
    let id = match uuid::Uuid::new_v4() {
        id if multi_region => format!("mrk-{}", id.simple()),
        id => id.to_string(),
    };
    let arn = world.arn(region, &format!("key/{id}"));
    if let Some(text) = &call.policy {
        policy::check(text, &world.account, &arn, call.bypass_policy_lockout_safety_check)?;
    }
    let key = Key {
        arn,
        state: KeyState::Enabled,
        description,
        created_at: now,
        deletion_at: None,
        multi_region,
        policy: call.policy.clone(),
        tags,
        rotation: None,
        materials: vec![Material::generate_at(now, Made::WithKey)?],
        primary_region: multi_region.then(|| region.to_owned()),
        deletion_window: None,
        grants: BTreeMap::new(),
        rotating_since: None,
        id,
    };
    let answer = Answer::Key(KeyAnswer { key_metadata: metadata(world, &key) });
    world.regions.entry(region.to_owned()).or_default().keys.insert(key.id.clone(), key);
    Ok(answer)
}

pub fn describe(world: &World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
    let id = world.key_id(region, &call.key_id, Naming::AliasToo)?;
    Ok(Answer::Key(KeyAnswer { key_metadata: metadata(world, world.key(region, &id)?) }))
}

/// What DescribeKey, CreateKey and ReplicateKey say of a key.
pub fn metadata(world: &World, key: &Key) -> KeyMetadata {
    KeyMetadata {
        account: world.account.clone(),
        key_id: key.id.clone(),
        arn: key.arn.clone(),
        creation_date: key.created_at,
        enabled: key.state == KeyState::Enabled,
        description: key.description.clone(),
        key_usage: "ENCRYPT_DECRYPT",
        key_state: key.state.as_str(),
        deletion_date: key.deletion_at,
        pending_deletion_window_in_days: key.deletion_window,
        origin: "AWS_KMS",
        key_manager: "CUSTOMER",
        key_spec: "SYMMETRIC_DEFAULT",
        customer_master_key_spec: "SYMMETRIC_DEFAULT",
        encryption_algorithms: ["SYMMETRIC_DEFAULT"],
        multi_region: key.multi_region,
        multi_region_configuration: relatives::configuration(world, key),
        current_key_material_id: key.current().id.clone(),
    }
}

/// As answers have them.
pub fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

pub fn list(world: &World, region: &str, call: &ListPage) -> Result<Answer, Refusal> {
    let all =
        world.regions.get(region).map(|r| r.keys.values().map(|k| (k.id.clone(), k)).collect()).unwrap_or_default();
    let page = page(all, call.limit, 100, 1000, call.marker.as_deref())?;
    Ok(Answer::Keys(Keys {
        keys: page.items.into_iter().map(|k| KeyEntry { key_id: k.id.clone(), key_arn: k.arn.clone() }).collect(),
        truncated: page.next.is_some(),
        next_marker: page.next,
    }))
}

pub fn update_description(world: &mut World, region: &str, call: &UpdateKeyDescription) -> Result<Answer, Refusal> {
    check_description(&call.description)?;
    let key = named(world, region, &call.key_id, Operation::UpdateKeyDescription)?;
    key.description.clone_from(&call.description);
    Ok(Answer::Nothing)
}

/// EnableKey and DisableKey. An enabled key that is overdue for rotation rotates at once (AWS API: GetKeyRotationStatus).
pub fn switch(
    world: &mut World,
    region: &str,
    call: &KeyOnly,
    operation: Operation,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let key = named(world, region, &call.key_id, operation)?;
    key.state = key_state::after(operation, key.state);
    let is_primary = key.is_primary();
    if let (KeyState::Enabled, true, Some(rotation)) = (key.state, is_primary, &mut key.rotation)
        && rotation.next_at <= now
    {
        rotation.next_at = days_after(now, rotation.period_days)?;
        key.materials.push(Material::generate_at(now, Made::Automatic)?);
        let id = key.id.clone();
        world.share(region, &id)?;
    }
    Ok(Answer::Nothing)
}

pub fn schedule_deletion(
    world: &mut World,
    region: &str,
    call: &ScheduleKeyDeletion,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let days = call.pending_window_in_days.unwrap_or(DEFAULT_WINDOW);
    let days = u32::try_from(days)
        .ok()
        .filter(|days| (7..=30).contains(days))
        .ok_or_else(|| Refusal::validation(format!("PendingWindowInDays must be between 7 and 30, not {days}")))?;
    let id = named(world, region, &call.key_id, Operation::ScheduleKeyDeletion)?.id.clone();
    let waits = world.has_replicas(world.key(region, &id)?);
    let key = world.key_mut(region, &id)?;
    // The clock of a primary starts when its last replica is gone (AWS API: ScheduleKeyDeletion).
    if waits {
        key.state = KeyState::PendingReplicaDeletion;
        key.deletion_window = Some(days);
    } else {
        key.state = key_state::after(Operation::ScheduleKeyDeletion, key.state);
        key.deletion_at = Some(days_after(now, days)?);
    }
    Ok(Answer::Deletion(Deletion {
        key_id: key.arn.clone(),
        deletion_date: key.deletion_at,
        key_state: key.state.as_str(),
        pending_window_in_days: days,
    }))
}

pub fn cancel_deletion(world: &mut World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
    let key = named(world, region, &call.key_id, Operation::CancelKeyDeletion)?;
    key.state = key_state::after(Operation::CancelKeyDeletion, key.state);
    key.deletion_at = None;
    key.deletion_window = None;
    Ok(Answer::Cancelled(Cancelled { key_id: key.arn.clone() }))
}

/// The key a state-changing call names (id or ARN only), if its state allows the call.
pub fn named<'a>(world: &'a mut World, region: &str, text: &str, operation: Operation) -> Result<&'a mut Key, Refusal> {
    let id = world.key_id(region, text, Naming::IdOrArn)?;
    let key = world.key_mut(region, &id)?;
    key.allow(operation)?;
    Ok(key)
}

/// At most 8,192 characters (API: CreateKey).
pub fn check_description(text: &str) -> Result<(), Refusal> {
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(Refusal::validation(
            "Value at 'description' failed to satisfy constraint: at most 8192 characters",
        ));
    }
    Ok(())
}

/// Part of a list, and where the next part begins.
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Cuts one page out of a list sorted by name. The marker is the last name of the page before.
pub fn page<T>(
    all: Vec<(String, T)>,
    limit: Option<i64>,
    usual: usize,
    most: i64,
    marker: Option<&str>,
) -> Result<Page<T>, Refusal> {
    let limit = match limit {
        None => usual,
        Some(limit) if (1..=most).contains(&limit) => limit as usize,
        Some(_) => {
            return Err(Refusal::validation(format!("Value at 'limit' failed to satisfy constraint: 1 to {most}")));
        }
    };
    if marker.is_some_and(|m| m.is_empty() || !all.iter().any(|(name, _)| name == m)) {
        return Err(Refusal::new("InvalidMarkerException", "the marker is not one of this list"));
    }
    let mut rest = all.into_iter().filter(|(name, _)| marker.is_none_or(|m| name.as_str() > m)).peekable();
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < limit {
        let Some((name, item)) = rest.next() else { break };
        last = Some(name);
        items.push(item);
    }
    Ok(Page { items, next: rest.peek().and(last) })
}
