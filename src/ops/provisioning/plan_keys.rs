//! The keys' part of the plan: the master key with its aliases and replicas, and the key that seals the log.

use super::desired::{Audit, Desired, Key as Wanted, LogKey};
use super::found::{Found, Key, Reading, Replica};
use super::plan::{Allow, Item, Step, Which, policy_differences, shortly};
use crate::core::kms::{Alias, KeyState};

/// The key that seals the log, if it is to be one of its own.
pub fn log_key(audit: &Audit, found: &Found) -> Vec<Item> {
    match &audit.key {
        LogKey::Own(wanted) => {
            let mut item = key("log key", Which::Log, wanted, &found.log_key, &[]);
            let there = found.log_key.as_ref().ok().and_then(Option::as_ref);
            aliases(&mut item, Which::Log, wanted, there, &found.aliases);
            vec![item]
        }
        LogKey::Other(arn) => {
            let mut item = Item::new("log key", arn);
            if is_master(found, arn) {
                item.critical = true;
                item.stuck(
                    "the log would be sealed by the key it watches: disabling that key would stop and hide it",
                    "set audit.key to own in the provision section",
                );
            }
            vec![item]
        }
        LogKey::Service => Vec::new(),
    }
}

/// True for the ARN of the master key that was found.
pub fn is_master(found: &Found, arn: &str) -> bool {
    matches!(&found.master, Ok(Some(master)) if master.about.arn == arn || master.about.key_id == arn)
}

/// The master key, its replicas, and last the aliases by which it is found.
pub fn master(desired: &Desired, found: &Found, allowed: &[Allow]) -> Vec<Item> {
    let wanted = &desired.master;
    let allowed = if found.named { &[][..] } else { allowed };
    let mut all = vec![key("master key", Which::Master, wanted, &found.master, allowed)];
    let mut there = found.master.as_ref().ok().and_then(Option::as_ref);
    if there.is_some_and(|key| makes_anew(key, allowed)) {
        there = None;
    }
    if let (Some(arn), true) = (&found.dying, there.is_none()) {
        let mut item = Item { critical: true, ..Item::new("dying key", arn) };
        let next =
            format!("if a DEK is under it (`scrybe-keys keys list`): aws kms cancel-key-deletion --key-id {arn}");
        item.stuck("it is tagged as this environment's master key and waits for its deletion", next);
        all.push(item);
    }
    all.extend(there.and_then(|key| strange_copies(key, &desired.replica_regions)));
    for (region, replica) in &found.replicas {
        all.push(self::replica(wanted, region, replica));
    }
    let of_key = format!("of the master key ({})", wanted.aliases.len());
    if let Err(why) = &found.master {
        all.push(Item::unread("aliases", of_key, why));
        return all;
    }
    let mut names = Item::new("aliases", of_key);
    if let (Some(key), Some((stated, origin))) = (there, &found.stated)
        && *stated != key.about.arn
    {
        let what = format!("{origin} says {stated}, the aliases and tags lead to {}", key.about.arn);
        let next = "say which one is meant: --key ARN --allow alias (adopt, policy), or change the setting";
        names.critical = true;
        names.stuck(what, next);
    }
    aliases(&mut names, Which::Master, wanted, there, &found.aliases);
    all.push(names);
    all
}

/// Copies of a multi-Region key that nobody configured: each has a policy of its own.
fn strange_copies(key: &Key, configured: &[String]) -> Option<Item> {
    let relatives = key.about.relatives.as_ref()?;
    let region = |arn: &String| arn.split(':').nth(3).unwrap_or_default().to_owned();
    let strange: Vec<String> = relatives.replica_arns.iter().map(region).filter(|r| !configured.contains(r)).collect();
    if strange.is_empty() {
        return None;
    }
    let mut item = Item { critical: true, ..Item::new("replica", format!("in {}", strange.join(", "))) };
    let next = "add the region to key.replica-regions, or find out who made it and delete it there";
    item.stuck("a copy of the key that is not configured, with a policy of its own", next);
    Some(item)
}

/// A foreign key behind our alias is left alone and a key of our own made, where moving the alias is allowed and adopting is not.
pub fn makes_anew(key: &Key, allowed: &[Allow]) -> bool {
    !key.is_ours && allowed.contains(&Allow::Alias) && !allowed.contains(&Allow::Adopt)
}

fn key(part: &'static str, which: Which, wanted: &Wanted, found: &Reading<Option<Key>>, allowed: &[Allow]) -> Item {
    let key = match found {
        Err(why) => return Item::unread(part, &wanted.aliases[0], why),
        Ok(Some(key)) if !makes_anew(key, allowed) => key,
        Ok(_) => {
            let mut item = Item { absent: true, ..Item::new(part, &wanted.aliases[0]) };
            let kind = if wanted.multi_region { "a multi-Region key" } else { "a key" };
            item.step(Step::CreateKey(which), format!("make {kind} with its policy and tags"));
            item.step(Step::Rotate(which), format!("rotate its material every {} days", wanted.rotation_days));
            return item;
        }
    };
    let mut item = Item::new(part, &key.about.key_id);
    item.critical = which == Which::Master;
    let guard = (!key.is_ours).then_some(Allow::Adopt);
    let mut change = |step: Step, what: String, needs: Option<Allow>| {
        let needs: Vec<Allow> = needs.into_iter().chain(guard).collect();
        item.guarded(step, what, &needs);
    };
    if !key.is_ours {
        change(Step::TagKey(which), "this tool did not make it: take it over with its tags".to_owned(), None);
    } else if wanted.tags.iter().any(|(name, value)| key.tags.get(name) != Some(value)) {
        let named: Vec<&str> =
            wanted.tags.iter().filter(|(n, v)| key.tags.get(*n) != Some(v)).map(|(n, _)| n.as_str()).collect();
        change(Step::TagKey(which), format!("tags {} differ", named.join(", ")), None);
    }
    if key.about.description != wanted.description && key.is_ours {
        change(Step::DescribeAs(which), "its description differs".to_owned(), None);
    }
    match (&key.policy, &wanted.policy) {
        (Ok(there), Some(policy)) => {
            let differs = policy_differences(there, policy);
            if !differs.is_empty() {
                change(Step::PutKeyPolicy(which), shortly("its policy differs", &differs), Some(Allow::Policy));
            }
        }
        (Err(why), Some(_)) => return Item::unread(part, &key.about.key_id, why),
        (_, None) => {}
    }
    match &key.rotation {
        Ok(_) if is_unusable(key) => {}
        Ok(None) => {}
        Ok(Some(rotation)) => {
            let days = wanted.rotation_days;
            match (rotation.enabled, rotation.period_days) {
                (false, _) => change(Step::Rotate(which), "automatic rotation is off".to_owned(), None),
                (true, Some(period)) if period != days => {
                    change(Step::Rotate(which), format!("it rotates every {period} days, policy says {days}"), None);
                }
                (true, _) => {}
            }
        }
        Err(why) => return Item::unread(part, &key.about.key_id, why),
    }
    stuck(&mut item, key, wanted);
    item
}

fn is_unusable(key: &Key) -> bool {
    key.about.state != KeyState::Enabled
}

/// What no call of this verb mends.
fn stuck(item: &mut Item, key: &Key, wanted: &Wanted) {
    let about = &key.about;
    match about.state {
        KeyState::Enabled | KeyState::Updating | KeyState::Creating => {}
        KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {
            let when = about.deletion_at.map(|at| format!(" on {at}")).unwrap_or_default();
            let next = format!("aws kms cancel-key-deletion --key-id {}", about.arn);
            item.stuck(format!("it will be deleted{when}, and everything under it with it"), next);
        }
        state => {
            let next = format!("find out who did that and why; then aws kms enable-key --key-id {}", about.arn);
            item.stuck(format!("KMS says {state}: nothing under it opens"), next);
        }
    }
    if (about.spec.as_str(), about.usage.as_str()) != ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") {
        let what = format!("it is a {} key for {}: it cannot wrap DEKs", about.spec, about.usage);
        item.stuck(what, "--allow alias makes a new key and moves the alias");
    }
    if about.manager == "AWS" {
        item.stuck("AWS manages it: neither its policy nor its rotation can be set", "--allow alias makes a new key");
    }
    if matches!(key.rotation, Ok(None)) {
        let what = "its material cannot be rotated by KMS (imported, of a custom key store, or not symmetric)";
        item.stuck(what, "--allow alias makes a new key and moves the alias");
    }
    if wanted.multi_region && !about.multi_region {
        let what = "it is a single-Region key, and a key's kind is fixed when it is made";
        let next = "make a multi-Region key beside it (aws kms create-key --multi-region), move the DEKs with `scrybe-keys rewrap --to`, \
                    then `scrybe-keys create-cmk --key ITS-ARN --allow adopt,alias,policy`";
        item.stuck(what, next);
    }
}

fn aliases(item: &mut Item, which: Which, wanted: &Wanted, there: Option<&Key>, all: &[Alias]) {
    for name in &wanted.aliases {
        let found = all.iter().find(|alias| alias.name == *name);
        match (found.and_then(|alias| alias.target_key_id.as_deref()), there) {
            (None, _) if found.is_none() => {
                item.step(Step::CreateAlias(which, name.clone()), format!("{name} is missing"))
            }
            (Some(target), Some(key)) if target == key.about.key_id => {}
            (target, _) => {
                let target = target.unwrap_or("nothing");
                let what = format!("{name} points at {target}");
                item.guarded(Step::MoveAlias(which, name.clone()), what, &[Allow::Alias]);
            }
        }
    }
}

fn replica(wanted: &Wanted, region: &str, found: &Reading<Option<Replica>>) -> Item {
    let name = format!("in {region}");
    let there = match found {
        Err(why) => return Item::unread("replica", name, why),
        Ok(None) => {
            let mut item = Item { absent: true, ..Item::new("replica", name) };
            item.step(Step::Replicate(region.to_owned()), "copy the key with the same policy and tags".to_owned());
            for alias in &wanted.aliases {
                let step = Step::ReplicaAlias { region: region.to_owned(), alias: alias.clone(), moved: false };
                item.step(step, format!("{alias} is missing there"));
            }
            return item;
        }
        Ok(Some(there)) => there,
    };
    let mut item = Item::new("replica", name);
    match (&there.policy, &wanted.policy) {
        (Ok(policy), Some(wanted)) => {
            let differs = policy_differences(policy, wanted);
            if !differs.is_empty() {
                let what = shortly("its policy differs", &differs);
                item.guarded(Step::PutReplicaPolicy(region.to_owned()), what, &[Allow::Policy]);
            }
        }
        (Err(why), Some(_)) => return Item::unread("replica", item.name, why),
        (_, None) => {}
    }
    for alias in &wanted.aliases {
        let target = there.aliases.iter().find(|a| a.name == *alias).map(|a| a.target_key_id.as_deref());
        let step = |moved| Step::ReplicaAlias { region: region.to_owned(), alias: alias.clone(), moved };
        match target {
            None => item.step(step(false), format!("{alias} is missing there")),
            Some(Some(target)) if target == there.about.key_id => {}
            Some(_) => item.guarded(step(true), format!("{alias} points at another key there"), &[Allow::Alias]),
        }
    }
    if there.about.state != KeyState::Enabled && there.about.state != KeyState::Creating {
        let next = format!("aws kms enable-key --region {region} --key-id {}", there.about.key_id);
        item.stuck(format!("KMS says {} there", there.about.state), next);
    }
    item
}
