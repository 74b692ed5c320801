//! Multi-Region keys: ReplicateKey, UpdatePrimaryRegion, and what related keys share.
//!
//! Related keys have one id, one set of material and one rotation, which the primary decides; each has its own state, policy, tags, aliases,
//! grants and description (AWS API: ReplicateKey). So disabling a primary disables no replica. A primary that is to be deleted waits for its replicas.

use super::answer::{Answer, MultiRegionConfiguration, RegionalKey, Replicated};
use super::call::{ReplicateKey, UpdatePrimaryRegion};
use super::keys::{check_description, metadata, named, tag_list};
use super::policy;
use super::refusal::Refusal;
use super::tags;
use super::world::{Key, World, days_after};
use crate::core::key_state::Operation;
use crate::core::kms::KeyState;
use jiff::Timestamp;
use std::collections::BTreeMap;

pub fn replicate(world: &mut World, region: &str, call: &ReplicateKey, now: Timestamp) -> Result<Answer, Refusal> {
    check_region(&call.replica_region)?;
    let description = call.description.clone().unwrap_or_default();
    check_description(&description)?;
    let tags = tags::checked(&call.tags, Default::default())?;
    let primary = named(world, region, &call.key_id, Operation::ReplicateKey)?.clone();
    primary.require_primary("ReplicateKey")?;
    let arn = world.arn(&call.replica_region, &format!("key/{}", primary.id));
    if let Some(text) = &call.policy {
        policy::check(text, &world.account, &arn, call.bypass_policy_lockout_safety_check)?;
    }
    let there = world.regions.entry(call.replica_region.clone()).or_default();
    if there.keys.contains_key(&primary.id) {
        return Err(Refusal::new("AlreadyExistsException", format!("{arn} already exists.")));
    }
    let replica = Key {
        arn,
        state: KeyState::Enabled,
        description,
        created_at: now,
        deletion_at: None,
        // The service's default, not the primary's.
        policy: call.policy.clone(),
        tags,
        primary_region: Some(region.to_owned()),
        deletion_window: None,
        grants: BTreeMap::new(),
        ..primary
    };
    let id = replica.id.clone();
    there.keys.insert(id.clone(), replica);
    let replica = world.key(&call.replica_region, &id)?;
    let mut replica_key_metadata = metadata(world, replica);
    // As AWS answers, always; whoever describes it in its region sees when that is over.
    replica_key_metadata.key_state = KeyState::Creating.as_str();
    replica_key_metadata.enabled = false;
    Ok(Answer::Replicated(Replicated {
        replica_key_metadata,
        replica_policy: replica.policy.clone().unwrap_or_else(|| policy::usual(&world.account)),
        replica_tags: tag_list(&replica.tags),
    }))
}

pub fn update_primary(world: &mut World, region: &str, call: &UpdatePrimaryRegion) -> Result<Answer, Refusal> {
    check_region(&call.primary_region)?;
    let primary = named(world, region, &call.key_id, Operation::UpdatePrimaryRegion)?;
    primary.require_primary("UpdatePrimaryRegion")?;
    let (id, arn) = (primary.id.clone(), primary.arn.clone());
    if call.primary_region == region {
        return Err(Refusal::new("UnsupportedOperationException", format!("{arn} is the primary key already.")));
    }
    let Some(replica) = world.regions.get(&call.primary_region).and_then(|there| there.keys.get(&id)) else {
        return Err(Refusal::not_found(format!("{arn} has no replica in {}.", call.primary_region)));
    };
    replica.allow(Operation::UpdatePrimaryRegion)?;
    for key in world.regions.values_mut().filter_map(|r| r.keys.get_mut(&id)) {
        key.primary_region = Some(call.primary_region.clone());
    }
    Ok(Answer::Nothing)
}

/// The relations as DescribeKey tells them of every related key alike; `None` for a single-Region key.
pub fn configuration(world: &World, key: &Key) -> Option<MultiRegionConfiguration> {
    if !key.multi_region {
        return None;
    }
    let primary = key.primary_region.as_deref().unwrap_or_else(|| key.region());
    let regional =
        |region: &str| RegionalKey { arn: world.arn(region, &format!("key/{}", key.id)), region: region.to_owned() };
    Some(MultiRegionConfiguration {
        multi_region_key_type: if key.is_primary() { "PRIMARY" } else { "REPLICA" },
        primary_key: regional(primary),
        replica_keys: world.regions_of(&key.id).filter(|region| *region != primary).map(regional).collect(),
    })
}

impl World {
    /// Every region that has this key.
    fn regions_of(&self, id: &str) -> impl Iterator<Item = &str> {
        self.regions.iter().filter(move |(_, r)| r.keys.contains_key(id)).map(|(region, _)| region.as_str())
    }

    /// True for a primary that cannot go before its replicas.
    pub fn has_replicas(&self, key: &Key) -> bool {
        key.multi_region && key.is_primary() && self.regions_of(&key.id).count() > 1
    }

    /// Gives the relatives of a primary its material and rotation.
    pub fn share(&mut self, region: &str, id: &str) -> Result<(), Refusal> {
        let key = self.key(region, id)?;
        if !self.has_replicas(key) {
            return Ok(());
        }
        let (materials, rotation) = (key.materials.clone(), key.rotation.clone());
        for replica in
            self.regions.iter_mut().filter(|(name, _)| *name != region).filter_map(|(_, r)| r.keys.get_mut(id))
        {
            replica.materials.clone_from(&materials);
            replica.rotation.clone_from(&rotation);
        }
        Ok(())
    }

    /// A relative was deleted at `at`: a primary that waited for this one alone begins to wait for itself.
    pub fn start_waiting_deletion(&mut self, id: &str, at: Timestamp) -> Result<(), Refusal> {
        if self.regions_of(id).count() != 1 {
            return Ok(());
        }
        for key in self.regions.values_mut().filter_map(|r| r.keys.get_mut(id)) {
            if let (KeyState::PendingReplicaDeletion, Some(days)) = (key.state, key.deletion_window.take()) {
                key.state = KeyState::PendingDeletion;
                key.deletion_at = Some(days_after(at, days)?);
            }
        }
        Ok(())
    }
}

impl Key {
    /// The region of its ARN.
    pub fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    /// True for every key that is not a replica.
    pub fn is_primary(&self) -> bool {
        self.primary_region.as_deref().is_none_or(|primary| primary == self.region())
    }

    /// Refuses what only a multi-Region primary can do.
    fn require_primary(&self, operation: &str) -> Result<(), Refusal> {
        match self.multi_region && self.is_primary() {
            true => Ok(()),
            false => Err(Refusal::new(
                "UnsupportedOperationException",
                format!("{} is not a multi-Region primary key, as {operation} needs.", self.arn),
            )),
        }
    }

    /// Refuses on a replica what is decided on its primary.
    pub fn refuse_replica(&self) -> Result<(), Refusal> {
        match self.is_primary() {
            true => Ok(()),
            false => Err(Refusal::new(
                "UnsupportedOperationException",
                format!("{} is a replica: rotation is decided on its primary key.", self.arn),
            )),
        }
    }
}

/// e.g. `eu-central-1` (API: RegionType).
fn check_region(region: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = region.split('-').collect();
    let (number, words) = parts.split_last().map_or(("", &[][..]), |(last, rest)| (*last, rest));
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    if words.len() < 2 || !words.iter().all(is_word) || number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(Refusal::validation(format!("'{region}' is not a Region")));
    }
    Ok(())
}
