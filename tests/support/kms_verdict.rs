//! What the checks of the KMS contract are written with: a verdict instead of a panic, so that one table serves gates and cross-checks.

use crate::support::kms_bench::Bench;
use scrybe_keys::core::kms::{KeyDescription, KeyState, KmsError, KmsErrorKind, NewKey, Traced};
use std::collections::BTreeMap;

/// What a check found.
pub type Verdict = Result<(), String>;

/// Ends a check with what it saw.
macro_rules! ensure {
    ($holds:expr, $($said:tt)+) => {
        if !$holds {
            return Err(format!($($said)+));
        }
    };
}
pub(crate) use ensure;

pub fn ok<T>(answer: Result<Traced<T>, KmsError>) -> Result<T, String> {
    answer.map(|traced| traced.value).map_err(|error| error.to_string())
}

pub fn refused<T>(answer: Result<Traced<T>, KmsError>, kinds: &[KmsErrorKind]) -> Verdict {
    match answer {
        Ok(_) => Err(format!("succeeded, expected one of {kinds:?}")),
        Err(error) if kinds.contains(&error.kind) => Ok(()),
        Err(error) => Err(format!("{:?} ({error}), expected one of {kinds:?}", error.kind)),
    }
}

/// A hand-made call that must end with this error code.
pub fn refused_as(answer: Result<serde_json::Value, String>, code: &str) -> Verdict {
    match answer {
        Ok(answer) => Err(format!("succeeded with {answer}, expected {code}")),
        Err(found) if found == code => Ok(()),
        Err(found) => Err(format!("{found}, expected {code}")),
    }
}

pub fn new_key(bench: &Bench) -> Result<KeyDescription, String> {
    ok(bench.here.create_key(&NewKey { description: "contract".to_owned(), ..NewKey::default() }))
}

pub fn state(bench: &Bench, key: &KeyDescription) -> Result<KeyState, String> {
    Ok(ok(bench.here.describe_key(&key.key_id))?.state)
}

pub fn new_alias() -> String {
    format!("alias/contract-{}", uuid::Uuid::new_v4())
}

pub fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
