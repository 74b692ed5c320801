//! Tags of a key: TagResource, UntagResource, ListResourceTags. They are in clear in every log: opaque ids only.

use super::answer::{Answer, Tags};
use super::call::{KeyPage, Tag, TagResource, UntagResource};
use super::keys::{named, page};
use super::refusal::Refusal;
use super::world::{Naming, World};
use crate::core::key_state::Operation;
use std::collections::BTreeMap;

/// Tags one key may have (AWS quotas).
const MAX_PER_KEY: usize = 50;

pub fn tag(world: &mut World, region: &str, call: &TagResource) -> Result<Answer, Refusal> {
    let key = named(world, region, &call.key_id, Operation::TagResource)?;
    key.tags = checked(&call.tags, key.tags.clone())?;
    Ok(Answer::Nothing)
}

pub fn untag(world: &mut World, region: &str, call: &UntagResource) -> Result<Answer, Refusal> {
    let key = named(world, region, &call.key_id, Operation::UntagResource)?;
    key.tags.retain(|name, _| !call.tag_keys.contains(name));
    Ok(Answer::Nothing)
}

pub fn list(world: &World, region: &str, call: &KeyPage) -> Result<Answer, Refusal> {
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    let tags = &world.key(region, &id)?.tags;
    let all = tags.iter().map(|(key, value)| (key.clone(), Tag { key: key.clone(), value: value.clone() })).collect();
    let page = page(all, call.limit, 50, 50, call.marker.as_deref())?;
    Ok(Answer::Tags(Tags { tags: page.items, truncated: page.next.is_some(), next_marker: page.next }))
}

/// `before` with `new` laid over it, within AWS's limits (API: Tag).
pub fn checked(new: &[Tag], before: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut all = before;
    let mut seen = BTreeMap::new();
    for tag in new {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(Refusal::validation("a tag key has 1 to 128 characters and a tag value at most 256"));
        }
        if tag.key.to_lowercase().starts_with("aws:") {
            return Err(Refusal::new("TagException", "tag keys that begin with aws: are reserved"));
        }
        if seen.insert(&tag.key, ()).is_some() {
            return Err(Refusal::new("TagException", "a tag key stands twice"));
        }
        all.insert(tag.key.clone(), tag.value.clone());
    }
    if all.len() > MAX_PER_KEY {
        return Err(Refusal::new("LimitExceededException", format!("a key has at most {MAX_PER_KEY} tags")));
    }
    Ok(all)
}
