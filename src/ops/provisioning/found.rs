//! What is there. Every part is read by itself: one that may not be read is unknown, and says why; it is never taken for absent.

use super::desired::{Desired, Key as WantedKey, LogKey, MANAGED_BY};
use crate::core::kms::{Alias, KeyDescription, KeyState, Kms, KmsError, KmsErrorKind, RotationStatus};
use crate::core::surroundings::{Alarm, AwsError, Bucket, Filter, LogGroup, Surroundings, Topic, Trail};
use crate::error::Failure;
use std::collections::{BTreeMap, HashSet};

/// What a part came to when it was read.
pub type Reading<T> = Result<T, AwsError>;

/// A key that is there.
pub struct Key {
    pub about: KeyDescription,
    pub tags: BTreeMap<String, String>,
    /// As JSON.
    pub policy: Reading<String>,
    /// `None` for a key whose material cannot be rotated (imported, custom key store, not symmetric).
    pub rotation: Reading<Option<RotationStatus>>,
    /// True when its tags say that this tool made it, for this environment and purpose.
    pub is_ours: bool,
}

/// Everything that is there of what is wanted.
pub struct Found {
    pub aliases: Vec<Alias>,
    pub master: Reading<Option<Key>>,
    /// True when the operator named the key with --key.
    pub named: bool,
    /// ARN of the key that settings beside --key name (AWS_KMS_KEY_ID, the file), and where.
    pub stated: Option<(String, String)>,
    /// ARN of a key of ours that waits for its deletion and that no alias names.
    pub dying: Option<String>,
    pub replicas: Vec<(String, Reading<Option<Replica>>)>,
    pub log_key: Reading<Option<Key>>,
    pub bucket: Reading<Option<Bucket>>,
    pub log_group: Reading<Option<LogGroup>>,
    pub topic: Reading<Option<Topic>>,
    pub trail: Reading<Option<Trail>>,
    pub filters: Reading<Vec<Filter>>,
    pub alarms: Reading<Vec<Alarm>>,
}

/// A copy of the key in another region.
pub struct Replica {
    pub about: KeyDescription,
    pub policy: Reading<String>,
    pub aliases: Vec<Alias>,
}

/// Looks at everything that `desired` names. `key`: what the operator named with --key. Fails only where nothing can be said at all.
pub fn look(
    kms: &dyn Kms,
    around: Option<&dyn Surroundings>,
    desired: &Desired,
    key: Option<&str>,
) -> Result<Found, Failure> {
    let aliases = kms.list_aliases()?.value;
    let mut dying = None;
    let master = match key {
        Some(named) => read_key(kms, named, &desired.master).map(Some),
        None => search(kms, &aliases, &desired.master, &mut dying)?,
    };
    let replicas = match &master {
        Ok(Some(key)) => {
            desired.replica_regions.iter().map(|region| (region.clone(), read_replica(kms, region, key))).collect()
        }
        _ => desired.replica_regions.iter().map(|region| (region.clone(), Ok(None))).collect(),
    };
    let log_key = match desired.audit.as_ref().map(|audit| &audit.key) {
        Some(LogKey::Own(wanted)) => search(kms, &aliases, wanted, &mut None)?,
        _ => Ok(None),
    };
    let (audit, alarms) = (desired.audit.as_ref(), desired.alarms.as_ref());
    let group = audit.and_then(|audit| audit.logs.as_ref());
    let ask = |wanted: bool| around.filter(|_| wanted);
    Ok(Found {
        aliases,
        master,
        named: key.is_some(),
        stated: None,
        dying,
        replicas,
        log_key,
        bucket: audit.and_then(|a| ask(true).map(|s| s.bucket(&a.bucket))).unwrap_or(Ok(None)),
        log_group: group.and_then(|g| ask(true).map(|s| s.log_group(&g.name))).unwrap_or(Ok(None)),
        topic: alarms.and_then(|a| ask(true).map(|s| s.topic(&a.topic_arn))).unwrap_or(Ok(None)),
        trail: audit.and_then(|a| ask(true).map(|s| s.trail(&a.trail))).unwrap_or(Ok(None)),
        filters: group.and_then(|g| ask(alarms.is_some()).map(|s| s.filters(&g.name))).unwrap_or(Ok(Vec::new())),
        alarms: alarms.and_then(|a| ask(true).map(|s| s.alarms(&a.prefix))).unwrap_or(Ok(Vec::new())),
    })
}

/// The key that the aliases name, else one with our tags; never one that is being deleted, unless an alias names it.
fn search(
    kms: &dyn Kms,
    aliases: &[Alias],
    wanted: &WantedKey,
    dying: &mut Option<String>,
) -> Result<Reading<Option<Key>>, Failure> {
    let mut named = Vec::new();
    let mut seen = HashSet::new();
    for name in &wanted.aliases {
        let target = aliases.iter().find(|alias| alias.name == *name).and_then(|alias| alias.target_key_id.as_deref());
        if let Some(target) = target.filter(|target| seen.insert((*target).to_owned())) {
            match read_key(kms, target, wanted) {
                Ok(key) if key.is_ours => return Ok(Ok(Some(key))),
                Ok(key) => named.push(key),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    // Made by a run that was ended before it could give the key its name.
    let mut unnamed = Vec::new();
    for id in tagged(kms, wanted)?.into_iter().filter(|id| !seen.contains(id)) {
        match read_key(kms, &id, wanted) {
            Ok(key) if is_going(&key) => *dying = Some(key.about.arn),
            Ok(key) => unnamed.push(key),
            Err(error) => return Ok(Err(error)),
        }
    }
    if unnamed.len() > 1 {
        let arns: Vec<&str> = unnamed.iter().map(|key| key.about.arn.as_str()).collect();
        let text = format!("more than one key is tagged as {}: {}", wanted.aliases[0], arns.join(", "));
        return Err(Failure::conflict("several-keys", text)
            .hint("say which one with --key ARN; take the tag ManagedBy off the others"));
    }
    Ok(Ok(unnamed.pop().or_else(|| (!named.is_empty()).then(|| named.swap_remove(0)))))
}

/// Ids of keys whose tags say that they are this one.
fn tagged(kms: &dyn Kms, wanted: &WantedKey) -> Result<Vec<String>, KmsError> {
    let mut ours = Vec::new();
    for id in kms.list_keys()?.value {
        match kms.key_tags(&id) {
            Ok(tags) if is_ours(&tags.value, wanted) => ours.push(id),
            Ok(_) => {}
            // A key whose tags may not be read is not one of ours; one whose tags could not be read may be.
            Err(error) if matches!(error.kind, KmsErrorKind::Denied | KmsErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ours)
}

/// ARN of a usable key of ours, named or not.
pub fn of_ours(kms: &dyn Kms, wanted: &WantedKey) -> Reading<Option<String>> {
    for id in tagged(kms, wanted)? {
        let key = read_key(kms, &id, wanted)?;
        if !is_going(&key) {
            return Ok(Some(key.about.arn));
        }
    }
    Ok(None)
}

fn is_going(key: &Key) -> bool {
    matches!(key.about.state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
}

fn is_ours(tags: &BTreeMap<String, String>, wanted: &WantedKey) -> bool {
    let same = |name: &str| tags.get(name).is_some() && tags.get(name) == wanted.tags.get(name);
    same(MANAGED_BY.0) && same("Environment") && same("Purpose")
}

fn read_key(kms: &dyn Kms, key: &str, wanted: &WantedKey) -> Reading<Key> {
    let about = kms.describe_key(key)?.value;
    let tags = kms.key_tags(&about.key_id)?.value;
    let going = matches!(about.state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion);
    Ok(Key {
        policy: kms.key_policy(&about.key_id).map(|answer| answer.value).map_err(AwsError::from),
        rotation: match going {
            // KMS reports `false` for it, which says nothing.
            true => {
                Ok(Some(RotationStatus { enabled: false, period_days: None, next_at: None, on_demand_since: None }))
            }
            false => match kms.key_rotation_status(&about.key_id) {
                Ok(answer) => Ok(Some(answer.value)),
                Err(error) if error.kind == KmsErrorKind::Unsupported => Ok(None),
                Err(error) => Err(error.into()),
            },
        },
        is_ours: is_ours(&tags, wanted),
        about,
        tags,
    })
}

fn read_replica(kms: &dyn Kms, region: &str, primary: &Key) -> Reading<Option<Replica>> {
    let there = kms.in_region(region)?;
    let about = match there.describe_key(&primary.about.key_id) {
        Ok(answer) => answer.value,
        Err(error) if error.kind == KmsErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let policy = there.key_policy(&about.key_id).map(|answer| answer.value).map_err(AwsError::from);
    let aliases = there.list_aliases()?.value;
    Ok(Some(Replica { about, policy, aliases }))
}
