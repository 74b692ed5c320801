//! GetKeyLastUsage: the last successful cryptographic operation of each key, primaries and replicas apart.
//!
//! Kept in memory only: a durable note of every use would cost a write to disk for every call. Tracking starts when the engine is opened, and the answer
//! says so, as AWS's does for the time before it began to track.

use super::answer::{Answer, KeyUsage, LastUsage};
use super::call::KeyOnly;
use super::refusal::Refusal;
use super::world::{Naming, World};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Last uses, by key ARN.
pub struct Uses {
    since: Timestamp,
    last: BTreeMap<String, KeyUsage>,
}

impl Uses {
    /// Begins to track.
    pub fn since(now: Timestamp) -> Uses {
        Uses { since: now, last: BTreeMap::new() }
    }

    /// A successful operation used these keys.
    pub fn note_at(&mut self, keys: &[&str], operation: &'static str, request_id: &str, now: Timestamp) {
        for arn in keys {
            let usage = KeyUsage {
                operation: Some(operation),
                timestamp: Some(now),
                cloud_trail_event_id: Some(uuid::Uuid::new_v4().to_string()),
                kms_request_id: Some(request_id.to_owned()),
            };
            self.last.insert((*arn).to_owned(), usage);
        }
    }

    /// By key id or ARN, not by alias.
    pub fn of_key(&self, world: &World, region: &str, call: &KeyOnly) -> Result<Answer, Refusal> {
        let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
        let key = world.key(region, &id)?;
        Ok(Answer::LastUsage(LastUsage {
            key_last_usage: self.last.get(&key.arn).cloned().unwrap_or_default(),
            tracking_start_date: self.since.max(key.created_at),
            key_creation_date: key.created_at,
            key_id: id,
        }))
    }
}
