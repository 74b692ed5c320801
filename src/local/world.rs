//! What the engine keeps: regions, keys, their material, aliases, and how far the virtual clock has been put forward.
//!
//! A plain value. Mutating calls work on a copy that replaces the original only after it is on disk. Time moves keys by
//! itself: `settle_at` deletes what is due (material and aliases with it) and rotates what is due.

use super::grants::Grant;
use super::refusal::Refusal;
use super::secret::Secret;
use crate::core::key_state::{self, Operation};
use crate::core::kms::KeyState;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Account of an engine that was not told another.
pub const DEFAULT_ACCOUNT: &str = "111122223333";

/// Everything on disk.
#[derive(Clone, Serialize, Deserialize)]
pub struct World {
    /// Of this layout; a newer one is refused.
    pub format: u32,
    pub account: String,
    /// Virtual clock minus real clock, seconds.
    pub clock_offset: i64,
    pub regions: BTreeMap<String, Region>,
}

/// Keys and aliases are regional, as in AWS.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Region {
    pub keys: BTreeMap<String, Key>,
    /// Alias name (with `alias/`) to key id.
    pub aliases: BTreeMap<String, Alias>,
}

/// Where an alias points.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    pub key_id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A KMS key and all its material, oldest first. Related multi-Region keys each have a copy of the material (`relatives`).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    pub id: String,
    pub arn: String,
    #[serde(with = "state_name")]
    pub state: KeyState,
    pub description: String,
    pub created_at: Timestamp,
    pub deletion_at: Option<Timestamp>,
    pub multi_region: bool,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub rotation: Option<Rotation>,
    pub materials: Vec<Material>,
    /// Where the primary of a multi-Region key is; `None` is here.
    #[serde(default)]
    pub primary_region: Option<String>,
    /// Asked for, in days, while the deletion waits for replicas.
    #[serde(default)]
    pub deletion_window: Option<u32>,
    /// By grant id.
    #[serde(default)]
    pub grants: BTreeMap<String, Grant>,
    /// An on-demand rotation that is not done yet. Only a stale view has one (`lag`).
    #[serde(skip)]
    pub rotating_since: Option<Timestamp>,
}

/// Automatic rotation, when it is on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub period_days: u32,
    pub next_at: Timestamp,
}

/// 256 bits that wrap; old ones stay for what they wrapped.
#[derive(Clone, Serialize, Deserialize)]
pub struct Material {
    /// 64 hexadecimal digits, as AWS writes it.
    pub id: String,
    pub bytes: Secret,
    pub created_at: Timestamp,
    /// `None` on material made before the engine told the kinds apart: the first one, or an automatic rotation's.
    #[serde(default)]
    pub made: Option<Made>,
}

/// Why material was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    WithKey,
    Automatic,
    OnDemand,
}

/// By id: it names the bytes, and nothing compares those.
impl PartialEq for Material {
    fn eq(&self, other: &Material) -> bool {
        self.id == other.id
    }
}

mod state_name {
    use crate::core::kms::KeyState;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(state: &KeyState, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(state.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyState, D::Error> {
        let text = String::deserialize(deserializer)?;
        KeyState::parse(&text).ok_or_else(|| serde::de::Error::custom("unknown key state"))
    }
}

/// Whether an alias may stand for the key. Calls that change a key take its id or ARN only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    IdOrArn,
    AliasToo,
}

impl World {
    /// The layout this build reads and writes.
    pub const FORMAT: u32 = 1;

    /// An empty account.
    pub fn new(account: String) -> World {
        World { format: World::FORMAT, account, clock_offset: 0, regions: BTreeMap::new() }
    }

    /// `arn:aws:kms:REGION:ACCOUNT:RESOURCE`.
    pub fn arn(&self, region: &str, resource: &str) -> String {
        format!("arn:aws:kms:{region}:{}:{resource}", self.account)
    }

    /// The id of the key that `text` names in this region.
    pub fn key_id(&self, region: &str, text: &str, naming: Naming) -> Result<String, Refusal> {
        let resource = match text.strip_prefix("arn:") {
            None => text,
            Some(_) => self.local_resource(region, text)?,
        };
        let here = self.regions.get(region);
        let id = if resource.starts_with("alias/") {
            if naming == Naming::IdOrArn {
                return Err(Refusal::not_found(format!("Invalid keyId '{text}'")));
            }
            match here.and_then(|r| r.aliases.get(resource)) {
                Some(alias) => alias.key_id.as_str(),
                None => return Err(Refusal::not_found(format!("Alias {} is not found.", self.arn(region, resource)))),
            }
        } else {
            resource.strip_prefix("key/").unwrap_or(resource)
        };
        match here.and_then(|r| r.keys.get(id)) {
            Some(key) => Ok(key.id.clone()),
            None => Err(Refusal::not_found(format!("Key '{}' does not exist", self.arn(region, &format!("key/{id}"))))),
        }
    }

    fn local_resource<'a>(&self, region: &str, arn: &'a str) -> Result<&'a str, Refusal> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (_, partition, service, arn_region, account, resource) = (next(), next(), next(), next(), next(), next());
        if partition.is_empty() || service != "kms" || !(resource.starts_with("key/") || resource.starts_with("alias/"))
        {
            return Err(Refusal::new("InvalidArnException", format!("ARN '{arn}' is not valid")));
        }
        if arn_region != region {
            return Err(Refusal::not_found(format!("Invalid arn {arn_region}")));
        }
        if account != self.account {
            return Err(Refusal::new("AccessDeniedException", format!("the account has no permission on {arn}")));
        }
        Ok(resource)
    }

    /// A key that `key_id` found.
    pub fn key(&self, region: &str, id: &str) -> Result<&Key, Refusal> {
        self.regions.get(region).and_then(|r| r.keys.get(id)).ok_or_else(|| Refusal::internal("a resolved key is gone"))
    }

    /// The same, to change it.
    pub fn key_mut(&mut self, region: &str, id: &str) -> Result<&mut Key, Refusal> {
        self.regions
            .get_mut(region)
            .and_then(|r| r.keys.get_mut(id))
            .ok_or_else(|| Refusal::internal("a resolved key is gone"))
    }

    /// True when `settle_at` would change something.
    pub fn is_due_at(&self, now: Timestamp) -> bool {
        self.regions
            .values()
            .flat_map(|r| r.keys.values())
            .any(|key| key.is_deletion_due_at(now) || key.is_rotation_due_at(now))
    }

    /// Lets time do its work: keys past their deletion date go with their aliases, enabled keys past a rotation date get new material.
    pub fn settle_at(&mut self, now: Timestamp) -> Result<(), Refusal> {
        // The end of the last replica starts its primary's clock, and that may have run out too by now.
        loop {
            let gone = self.remove_due_at(now);
            if gone.is_empty() {
                break;
            }
            for (id, at) in gone {
                self.start_waiting_deletion(&id, at)?;
            }
        }
        let due: Vec<(String, String)> = self
            .regions
            .iter()
            .flat_map(|(region, r)| r.keys.values().map(move |key| (region, key)))
            .filter(|(_, key)| key.is_rotation_due_at(now))
            .map(|(region, key)| (region.clone(), key.id.clone()))
            .collect();
        for (region, id) in due {
            let key = self.key_mut(&region, &id)?;
            while key.is_rotation_due_at(now) {
                let at = key.rotation.as_ref().map_or(now, |r| r.next_at);
                key.materials.push(Material::generate_at(at, Made::Automatic)?);
                if let Some(rotation) = &mut key.rotation {
                    rotation.next_at = days_after(at, rotation.period_days)?;
                }
            }
            self.share(&region, &id)?;
        }
        Ok(())
    }

    /// Keys that were deleted, each with its last deletion date.
    fn remove_due_at(&mut self, now: Timestamp) -> BTreeMap<String, Timestamp> {
        let mut gone = BTreeMap::new();
        for region in self.regions.values_mut() {
            region.keys.retain(|id, key| {
                let ended = key.deletion_at.filter(|_| key.is_deletion_due_at(now));
                if let Some(at) = ended {
                    let latest = gone.entry(id.clone()).or_insert(at);
                    *latest = at.max(*latest);
                }
                ended.is_none()
            });
            let keys = &region.keys;
            region.aliases.retain(|_, alias| keys.contains_key(&alias.key_id));
        }
        gone
    }
}

impl Key {
    fn is_deletion_due_at(&self, now: Timestamp) -> bool {
        self.state == KeyState::PendingDeletion && self.deletion_at.is_some_and(|at| at <= now)
    }

    /// Replicas get what their primary got.
    fn is_rotation_due_at(&self, now: Timestamp) -> bool {
        self.state == KeyState::Enabled && self.is_primary() && self.rotation.as_ref().is_some_and(|r| r.next_at <= now)
    }

    /// Refuses by the state matrix.
    pub fn allow(&self, operation: Operation) -> Result<(), Refusal> {
        let said = match self.state {
            _ if operation == Operation::CancelKeyDeletion => "is not pending deletion.".to_owned(),
            KeyState::Disabled => "is disabled.".to_owned(),
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => "is pending deletion.".to_owned(),
            state => format!("is {state}."),
        };
        match key_state::verdict(operation, self.state).code() {
            None => Ok(()),
            Some(code) => Err(Refusal::new(code, format!("{} {said}", self.arn))),
        }
    }

    /// The newest material: what wraps from now on.
    pub fn current(&self) -> &Material {
        self.materials.last().expect("a key is made with material")
    }
}

impl Material {
    /// Fresh random material.
    pub fn generate_at(now: Timestamp, made: Made) -> Result<Material, Refusal> {
        let no_randomness = |_| Refusal::internal("the operating system gave no randomness");
        let mut bytes = Zeroizing::new(vec![0u8; 32]);
        let mut id = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(no_randomness)?;
        getrandom::fill(&mut id).map_err(no_randomness)?;
        let id = id.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Material { id, bytes: Secret(bytes), created_at: now, made: Some(made) })
    }

    /// The wrapping key.
    pub fn wrapping_key(&self) -> Result<&[u8; 32], Refusal> {
        self.bytes.0.as_slice().try_into().map_err(|_| Refusal::internal("key material is not 32 bytes"))
    }
}

/// `days` times 24 hours later.
pub fn days_after(from: Timestamp, days: u32) -> Result<Timestamp, Refusal> {
    from.checked_add(SignedDuration::from_hours(i64::from(days) * 24))
        .map_err(|_| Refusal::validation("the date is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As written before there were replicas, grants and rotations on demand.
    const OLD: &str = r#"{"format":1,"account":"111122223333","clock_offset":7,"regions":{"us-west-2":{"keys":{
        "mrk-1":{"id":"mrk-1","arn":"arn:aws:kms:us-west-2:111122223333:key/mrk-1","state":"Enabled","description":"",
        "created_at":"2026-01-01T00:00:00Z","deletion_at":null,"multi_region":true,"policy":null,"tags":{},"rotation":null,
        "materials":[{"id":"aa","bytes":"AAAA","created_at":"2026-01-01T00:00:00Z"}]}},"aliases":{}}}}"#;

    #[test]
    fn a_world_of_an_earlier_build_is_read() {
        let world: World = serde_json::from_str(OLD).unwrap();
        let key = world.key("us-west-2", "mrk-1").unwrap();
        assert!(key.is_primary() && key.grants.is_empty() && key.deletion_window.is_none());
        assert_eq!(key.current().made, None);
        assert_eq!(world.format, World::FORMAT);
    }
}
