//! Rotation of a key's material: automatic (on, off, when next), on demand, and the list of materials. `World::settle_at` rotates what is due.
//!
//! In AWS an on-demand rotation runs for a while: GetKeyRotationStatus shows OnDemandRotationStartDate until the new material is current, and a second one is
//! a ConflictException. Here the material is new at once; only under consistency lag (`lag`) is it seen as running for the next reads.

use super::answer::{Answer, MaterialEntry, Materials, Rotated, Rotation as RotationAnswer};
use super::call::{EnableKeyRotation, KeyOnly, ListKeyRotations};
use super::keys::{named, page};
use super::refusal::Refusal;
use super::world::{Key, Made, Material, Naming, Rotation, World, days_after};
use crate::core::key_state::Operation;
use crate::core::kms::KeyState;
use jiff::{SignedDuration, Timestamp};

/// EnableKeyRotation without a period.
const DEFAULT_PERIOD: i64 = 365;
/// On-demand rotations of one key, ever (AWS quotas; not adjustable).
const MAX_ON_DEMAND: usize = 25;
/// So close to an automatic rotation none is made on demand (API: RotateKeyOnDemand, ConflictException).
const TOO_CLOSE: SignedDuration = SignedDuration::from_mins(20);

pub fn enable(world: &mut World, region: &str, call: &EnableKeyRotation, now: Timestamp) -> Result<Answer, Refusal> {
    let days = call.rotation_period_in_days.unwrap_or(DEFAULT_PERIOD);
    let period_days = u32::try_from(days)
        .ok()
        .filter(|days| (90..=2560).contains(days))
        .ok_or_else(|| Refusal::validation(format!("RotationPeriodInDays must be between 90 and 2560, not {days}")))?;
    let next_at = days_after(now, period_days)?;
    set(world, region, &call.key_id, Operation::EnableKeyRotation, Some(Rotation { period_days, next_at }))
}

pub fn disable(world: &mut World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
    set(world, region, &call.key_id, Operation::DisableKeyRotation, None)
}

fn set(
    world: &mut World,
    region: &str,
    text: &str,
    operation: Operation,
    rotation: Option<Rotation>,
) -> Result<Answer, Refusal> {
    let key = named(world, region, text, operation)?;
    key.refuse_replica()?;
    key.rotation = rotation;
    let id = key.id.clone();
    world.share(region, &id)?;
    Ok(Answer::Nothing)
}

/// A key that is pending deletion reports `false`; the setting comes back when the deletion is cancelled (AWS API).
pub fn status(world: &World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    let key = world.key(region, &id)?;
    key.allow(Operation::GetKeyRotationStatus)?;
    let is_going = matches!(key.state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion);
    let on = key.rotation.as_ref().filter(|_| !is_going);
    Ok(Answer::Rotation(RotationAnswer {
        key_id: key.arn.clone(),
        key_rotation_enabled: on.is_some(),
        rotation_period_in_days: on.map(|r| r.period_days),
        next_rotation_date: on.map(|r| r.next_at),
        on_demand_rotation_start_date: key.rotating_since,
    }))
}

/// The automatic schedule stays as it is.
pub fn on_demand(world: &mut World, region: &str, call: &KeyOnly, now: Timestamp) -> Result<Answer, Refusal> {
    let key = named(world, region, &call.key_id, Operation::RotateKeyOnDemand)?;
    key.refuse_replica()?;
    let is_due = key.rotation.as_ref().is_some_and(|r| r.next_at.duration_since(now) <= TOO_CLOSE);
    if is_due || key.rotating_since.is_some() {
        let message = format!("{} has a rotation that is in progress or scheduled within 20 minutes.", key.arn);
        return Err(Refusal::new("ConflictException", message));
    }
    if key.materials.iter().filter(|m| m.made == Some(Made::OnDemand)).count() >= MAX_ON_DEMAND {
        let message = format!("{} has been rotated on demand {MAX_ON_DEMAND} times, the most there is.", key.arn);
        return Err(Refusal::new("LimitExceededException", message));
    }
    key.materials.push(Material::generate_at(now, Made::OnDemand)?);
    let id = key.id.clone();
    world.share(region, &id)?;
    Ok(Answer::Rotated(Rotated { key_id: id }))
}

/// Oldest first. The first material only on request, without date and type.
pub fn materials(world: &World, region: &str, call: &ListKeyRotations) -> Result<Answer, Refusal> {
    let skipped = match call.include_key_material.as_deref() {
        None | Some("ROTATIONS_ONLY") => 1,
        Some("ALL_KEY_MATERIAL") => 0,
        Some(other) => {
            return Err(Refusal::validation(format!(
                "Value '{other}' at 'includeKeyMaterial' failed to satisfy constraint"
            )));
        }
    };
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    let key = world.key(region, &id)?;
    key.allow(Operation::ListKeyRotations)?;
    let all = (0..key.materials.len()).map(|at| (format!("{at:06}"), entry(key, at))).skip(skipped).collect();
    let page = page(all, call.limit, 100, 1000, call.marker.as_deref())?;
    Ok(Answer::Materials(Materials { rotations: page.items, truncated: page.next.is_some(), next_marker: page.next }))
}

fn entry(key: &Key, at: usize) -> MaterialEntry {
    let material = &key.materials[at];
    let rotated = (at > 0).then_some(material);
    MaterialEntry {
        key_id: key.id.clone(),
        key_material_id: material.id.clone(),
        key_material_state: if at + 1 == key.materials.len() { "CURRENT" } else { "NON_CURRENT" },
        rotation_date: rotated.map(|m| m.created_at),
        rotation_type: rotated.map(|m| if m.made == Some(Made::OnDemand) { "ON_DEMAND" } else { "AUTOMATIC" }),
    }
}
