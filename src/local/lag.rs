//! Consistency lag: AWS KMS is eventually consistent, and what a caller sees just after a change may be what was before it.
//!
//! Off by default. Set to N, every key and alias that a call changed is seen as it was by the next N calls that touch it: a new key is not found, a moved
//! alias points where it pointed, a new replica is Creating, an on-demand rotation runs. A change that the old view refuses is refused. Nothing of it is kept on disk.

use super::call::Call;
use super::ciphertext;
use super::world::{Alias, Key, Made, World};
use crate::core::kms::KeyState;
use std::collections::BTreeSet;

/// The setting, and what is still seen as it was.
#[derive(Default)]
pub struct Lag {
    reads: u32,
    stale: Vec<Stale>,
}

/// A key or alias of a region as it was.
pub struct Stale {
    region: String,
    left: u32,
    was: Was,
}

enum Was {
    Key { id: String, key: Option<Box<Key>> },
    Alias { name: String, alias: Option<Alias> },
}

impl Lag {
    /// Calls that still see the old state.
    pub fn reads(&self) -> u32 {
        self.reads
    }

    /// For changes from now on; 0 also ends what still lags.
    pub fn set(&mut self, reads: u32) {
        self.reads = reads;
        if reads == 0 {
            self.stale.clear();
        }
    }

    /// The world as this call sees it, where that is not as it is. Counts the call.
    pub fn view(&mut self, world: &World, region: &str, call: &Call) -> Option<World> {
        if !self.stale.iter().any(|stale| stale.region == region) {
            return None;
        }
        let (keys, aliases) = self.touched(world, region, call);
        let mut view = None;
        for stale in self.stale.iter_mut().filter(|stale| stale.region == region) {
            let is_touched = match &stale.was {
                Was::Key { id, .. } => keys.contains(id) || matches!(call, Call::ListKeys(_)),
                Was::Alias { name, .. } => aliases.contains(name) || matches!(call, Call::ListAliases(_)),
            };
            if is_touched {
                stale.left -= 1;
                stale.put_back(view.get_or_insert_with(|| world.clone()));
            }
        }
        self.stale.retain(|stale| stale.left > 0);
        view
    }

    /// Ids of keys and names of aliases that the call is about, through old and new aliases.
    fn touched(&self, world: &World, region: &str, call: &Call) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut keys, mut aliases) = (BTreeSet::new(), BTreeSet::new());
        for name in call.names() {
            let resource = if name.starts_with("arn:") { name.splitn(6, ':').nth(5).unwrap_or_default() } else { name };
            if !resource.starts_with("alias/") {
                keys.insert(resource.strip_prefix("key/").unwrap_or(resource).to_owned());
                continue;
            }
            aliases.insert(resource.to_owned());
            keys.extend(world.regions.get(region).and_then(|r| r.aliases.get(resource)).map(|a| a.key_id.clone()));
            keys.extend(self.stale.iter().filter_map(|stale| match &stale.was {
                Was::Alias { name, alias: Some(alias) } if name == resource => Some(alias.key_id.clone()),
                _ => None,
            }));
        }
        let parsed = call.ciphertext().and_then(|blob| ciphertext::parse(blob).ok());
        keys.extend(parsed.map(|blob| blob.key_id.to_owned()));
        (keys, aliases)
    }

    /// What will be seen as it was, if `after` becomes the world.
    pub fn changes(&self, before: &World, after: &World) -> Vec<Stale> {
        let mut all = Vec::new();
        if self.reads == 0 {
            return all;
        }
        let nowhere = Default::default();
        let regions: BTreeSet<&String> = before.regions.keys().chain(after.regions.keys()).collect();
        for region in regions {
            let old = before.regions.get(region).unwrap_or(&nowhere);
            let new = after.regions.get(region).unwrap_or(&nowhere);
            let stale = |was| Stale { region: region.clone(), left: self.reads, was };
            let ids: BTreeSet<&String> = old.keys.keys().chain(new.keys.keys()).collect();
            for id in ids.into_iter().filter(|id| old.keys.get(*id) != new.keys.get(*id)) {
                let key = seen_instead(old.keys.get(id), new.keys.get(id)).map(Box::new);
                all.push(stale(Was::Key { id: id.clone(), key }));
            }
            let names: BTreeSet<&String> = old.aliases.keys().chain(new.aliases.keys()).collect();
            for name in names.into_iter().filter(|name| old.aliases.get(*name) != new.aliases.get(*name)) {
                all.push(stale(Was::Alias { name: name.clone(), alias: old.aliases.get(name).cloned() }));
            }
        }
        all
    }

    /// They lag from now on, in place of what lagged of the same before.
    pub fn remember(&mut self, changes: Vec<Stale>) {
        for change in changes {
            self.stale.retain(|known| !known.is_about_the_same(&change));
            self.stale.push(change);
        }
    }
}

/// What a change looks like while it spreads.
fn seen_instead(old: Option<&Key>, new: Option<&Key>) -> Option<Key> {
    match (old, new) {
        (None, Some(new)) if !new.is_primary() => Some(Key { state: KeyState::Creating, ..new.clone() }),
        (Some(old), Some(new)) if old.primary_region != new.primary_region => {
            Some(Key { state: KeyState::Updating, ..old.clone() })
        }
        (Some(old), Some(new)) if new.materials.len() > old.materials.len() => {
            let begun = new.materials.last().filter(|m| m.made == Some(Made::OnDemand)).map(|m| m.created_at);
            Some(Key { rotating_since: begun, ..old.clone() })
        }
        (old, _) => old.cloned(),
    }
}

impl Stale {
    fn put_back(&self, view: &mut World) {
        let region = view.regions.entry(self.region.clone()).or_default();
        match &self.was {
            Was::Key { id, key: Some(key) } => drop(region.keys.insert(id.clone(), (**key).clone())),
            Was::Key { id, key: None } => drop(region.keys.remove(id)),
            Was::Alias { name, alias: Some(alias) } => drop(region.aliases.insert(name.clone(), alias.clone())),
            Was::Alias { name, alias: None } => drop(region.aliases.remove(name)),
        }
    }

    fn is_about_the_same(&self, other: &Stale) -> bool {
        self.region == other.region
            && match (&self.was, &other.was) {
                (Was::Key { id: a, .. }, Was::Key { id: b, .. }) => a == b,
                (Was::Alias { name: a, .. }, Was::Alias { name: b, .. }) => a == b,
                _ => false,
            }
    }
}
