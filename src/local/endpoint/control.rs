//! `/_scrybe/…`: what tests and drills need and AWS does not have. Nothing secret goes in or out.
//!
//! | path | GET | POST | DELETE |
//! | --- | --- | --- | --- |
//! | `health` | status, pid, account, virtual time | | |
//! | `clock` | virtual time | `{"advanceSeconds": N}` puts it forward | |
//! | `faults` | those still to come | `{"operation", "nth", "times", "fault"}` adds one | forgets all |
//! | `lag` | calls that see the old state after a change | `{"reads": N}` sets it; 0 is none | |
//! | `requests?after=N` | the log from number N on | | |
//!
//! POST and DELETE need the header `x-scrybe-control`, which no web page can send here unasked.

use super::super::engine::Engine;
use super::super::fault::Fault;
use super::{Reply, reply};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const MARK: &str = "x-scrybe-control";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lag {
    reads: u32,
}

/// One control request.
pub fn answer(engine: &Engine, path: &str, head: &Parts, body: &[u8]) -> Reply {
    if head.method != Method::GET && !head.headers.contains_key(MARK) {
        return refused(StatusCode::FORBIDDEN, &format!("a change needs the header {MARK}"));
    }
    match (head.method.as_str(), path) {
        ("GET", "health") => {
            let health = json!({
                "status": "ok",
                "pid": std::process::id(),
                "account": engine.account(),
                "now": engine.now(),
            });
            written(&health)
        }
        ("GET", "clock") => written(&json!({"now": engine.now()})),
        ("POST", "clock") => match serde_json::from_slice::<Advance>(body) {
            Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
            Ok(by) => match engine.advance(Duration::from_secs(by.advance_seconds)) {
                Ok(now) => written(&json!({"now": now})),
                Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
            },
        },
        ("GET", "faults") => written(&json!({"faults": engine.faults()})),
        ("POST", "faults") => match serde_json::from_slice::<Fault>(body) {
            Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
            Ok(fault) => {
                engine.add_fault(fault);
                written(&json!({"faults": engine.faults()}))
            }
        },
        ("DELETE", "faults") => {
            engine.clear_faults();
            written(&json!({"faults": []}))
        }
        ("GET", "lag") => written(&json!({"reads": engine.lag()})),
        ("POST", "lag") => match serde_json::from_slice::<Lag>(body) {
            Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
            Ok(lag) => {
                engine.set_lag(lag.reads);
                written(&json!({"reads": engine.lag()}))
            }
        },
        ("GET", "requests") => match after(head) {
            Some(after) => written(&json!({"requests": engine.requests(after)})),
            None => refused(StatusCode::BAD_REQUEST, "after is a number"),
        },
        _ => refused(StatusCode::NOT_FOUND, "no such control path"),
    }
}

fn after(head: &Parts) -> Option<u64> {
    let query = head.uri.query().unwrap_or_default();
    match url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after") {
        None => Some(0),
        Some((_, value)) => value.parse().ok(),
    }
}

fn written(value: &Value) -> Reply {
    reply(StatusCode::OK, "application/json", format!("{value}\n").into_bytes())
}

fn refused(status: StatusCode, message: &str) -> Reply {
    reply(status, "application/json", format!("{}\n", json!({"error": message})).into_bytes())
}
