//! What was asked of the engine, newest last: order, region, outcome. Never plaintext, ciphertext or a policy.
//! Bounded; kept in memory only.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Requests kept.
const KEPT: usize = 10_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Counts from 1.
    pub number: u64,
    /// By the virtual clock.
    pub at: Timestamp,
    pub request_id: String,
    pub region: String,
    pub operation: String,
    /// `ok`, or the error code.
    pub outcome: String,
    /// False when a scripted fault swallowed the answer.
    pub delivered: bool,
    /// As the caller named it.
    pub key: Option<String>,
    pub encryption_context: BTreeMap<String, String>,
    pub access_key: Option<String>,
    pub user_agent: Option<String>,
}

/// The last requests.
#[derive(Default)]
pub struct RequestLog {
    seen: u64,
    kept: VecDeque<Request>,
}

impl RequestLog {
    /// Numbers and keeps one.
    pub fn add(&mut self, mut request: Request) {
        self.seen += 1;
        request.number = self.seen;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(request);
    }

    /// Those numbered above `after`, oldest first.
    pub fn since(&self, after: u64) -> Vec<Request> {
        self.kept.iter().filter(|r| r.number > after).cloned().collect()
    }
}
