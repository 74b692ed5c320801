//! Automatic rotation of a key's material: on, off, when next. `World::settle_at` does the rotating.

use super::answer::{Answer, Rotation as RotationAnswer};
use super::call::{EnableKeyRotation, KeyOnly};
use super::keys::named;
use super::refusal::Refusal;
use super::world::{Naming, Rotation, World, days_after};
use crate::core::key_state::Operation;
use crate::core::kms::KeyState;
use jiff::Timestamp;

/// EnableKeyRotation without a period.
const DEFAULT_PERIOD: i64 = 365;

pub fn enable(world: &mut World, region: &str, call: &EnableKeyRotation, now: Timestamp) -> Result<Answer, Refusal> {
    let days = call.rotation_period_in_days.unwrap_or(DEFAULT_PERIOD);
    let period_days = u32::try_from(days)
        .ok()
        .filter(|days| (90..=2560).contains(days))
        .ok_or_else(|| Refusal::validation(format!("RotationPeriodInDays must be between 90 and 2560, not {days}")))?;
    let key = named(world, region, &call.key_id, Operation::EnableKeyRotation)?;
    key.rotation = Some(Rotation { period_days, next_at: days_after(now, period_days)? });
    Ok(Answer::Nothing)
}

pub fn disable(world: &mut World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
    named(world, region, &call.key_id, Operation::DisableKeyRotation)?.rotation = None;
    Ok(Answer::Nothing)
}

/// A key that is pending deletion reports `false`; the setting comes back when the deletion is cancelled (AWS API).
pub fn status(world: &World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    let key = world.key(region, &id)?;
    key.allow(Operation::GetKeyRotationStatus)?;
    let on = key.rotation.as_ref().filter(|_| key.state != KeyState::PendingDeletion);
    Ok(Answer::Rotation(RotationAnswer {
        key_id: key.arn.clone(),
        key_rotation_enabled: on.is_some(),
        rotation_period_in_days: on.map(|r| r.period_days),
        next_rotation_date: on.map(|r| r.next_at),
    }))
}
