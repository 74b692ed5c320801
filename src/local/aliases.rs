//! Names that point at keys: CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

use super::answer::{AliasEntry, Aliases, Answer};
use super::call::{AliasAndKey, AliasOnly, ListAliases};
use super::keys::{named, page};
use super::refusal::Refusal;
use super::world::{Alias, Naming, World};
use crate::core::key_state::Operation;
use jiff::Timestamp;

/// Aliases one key may have (AWS quotas).
const MAX_PER_KEY: usize = 50;

pub fn create(world: &mut World, region: &str, call: &AliasAndKey, now: Timestamp) -> Result<Answer, Refusal> {
    check_name(&call.alias_name)?;
    let arn = world.arn(region, &call.alias_name);
    let id = named(world, region, &call.target_key_id, Operation::CreateAlias)?.id.clone();
    let aliases = &mut world.regions.entry(region.to_owned()).or_default().aliases;
    if aliases.contains_key(&call.alias_name) {
        return Err(Refusal::new("AlreadyExistsException", format!("An alias with the name {arn} already exists")));
    }
    check_count(aliases.values().filter(|a| a.key_id == id).count())?;
    aliases.insert(call.alias_name.clone(), Alias { key_id: id, created_at: now, updated_at: now });
    Ok(Answer::Nothing)
}

pub fn update(world: &mut World, region: &str, call: &AliasAndKey, now: Timestamp) -> Result<Answer, Refusal> {
    check_name(&call.alias_name)?;
    let arn = world.arn(region, &call.alias_name);
    let id = named(world, region, &call.target_key_id, Operation::UpdateAlias)?.id.clone();
    let aliases = &mut world.regions.entry(region.to_owned()).or_default().aliases;
    let others = aliases.iter().filter(|(name, a)| a.key_id == id && **name != call.alias_name).count();
    let alias =
        aliases.get_mut(&call.alias_name).ok_or_else(|| Refusal::not_found(format!("Alias {arn} is not found.")))?;
    check_count(others)?;
    alias.key_id = id;
    alias.updated_at = now;
    Ok(Answer::Nothing)
}

pub fn delete(world: &mut World, region: &str, call: &AliasOnly) -> Result<Answer, Refusal> {
    check_name(&call.alias_name)?;
    let arn = world.arn(region, &call.alias_name);
    match world.regions.get_mut(region).and_then(|r| r.aliases.remove(&call.alias_name)) {
        Some(_) => Ok(Answer::Nothing),
        None => Err(Refusal::not_found(format!("Alias {arn} is not found."))),
    }
}

pub fn list(world: &World, region: &str, call: &ListAliases) -> Result<Answer, Refusal> {
    let only = call.key_id.as_deref().map(|text| world.key_id(region, text, Naming::IdOrArn)).transpose()?;
    let all = match world.regions.get(region) {
        None => Vec::new(),
        Some(here) => here
            .aliases
            .iter()
            .filter(|(_, alias)| only.as_ref().is_none_or(|id| *id == alias.key_id))
            .map(|(name, alias)| {
                let entry = AliasEntry {
                    alias_name: name.clone(),
                    alias_arn: world.arn(region, name),
                    target_key_id: alias.key_id.clone(),
                    creation_date: alias.created_at,
                    last_updated_date: alias.updated_at,
                };
                (name.clone(), entry)
            })
            .collect(),
    };
    let page = page(all, call.limit, 50, 100, call.marker.as_deref())?;
    Ok(Answer::Aliases(Aliases { aliases: page.items, truncated: page.next.is_some(), next_marker: page.next }))
}

/// `alias/` and then letters, digits, `:/_-`; `alias/aws/` belongs to AWS (API: CreateAlias).
fn check_name(name: &str) -> Result<(), Refusal> {
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return Err(Refusal::new("InvalidAliasNameException", "an alias name begins with alias/ and goes on after it"));
    };
    if name.len() > 256 || !rest.chars().all(|c| c.is_ascii_alphanumeric() || ":/_-".contains(c)) {
        return Err(Refusal::validation(
            "Value at 'aliasName' failed to satisfy constraint: ^alias/[a-zA-Z0-9:/_-]+$, at most 256",
        ));
    }
    if rest.starts_with("aws/") {
        return Err(Refusal::new("NotAuthorizedException", "names under alias/aws/ are reserved for AWS"));
    }
    Ok(())
}

fn check_count(others: usize) -> Result<(), Refusal> {
    if others >= MAX_PER_KEY {
        return Err(Refusal::new("LimitExceededException", format!("a key has at most {MAX_PER_KEY} aliases")));
    }
    Ok(())
}
