//! What the engine answers, in AWS's member names. One type for both doors: the endpoint serializes it, the in-process door reads it.

use super::call::Tag;
use super::secret::{Blob, Secret};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// An answer to a call that was allowed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "one answer lives at a time, and not for long")]
pub enum Answer {
    /// An empty body.
    Nothing,
    Caller(Caller),
    Key(KeyAnswer),
    Keys(Keys),
    Policy(Policy),
    Deletion(Deletion),
    Cancelled(Cancelled),
    Rotation(Rotation),
    Aliases(Aliases),
    Tags(Tags),
    Sealed(Sealed),
    Opened(Opened),
}

/// STS GetCallerIdentity; the endpoint writes it as XML.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Caller {
    pub account: String,
    pub arn: String,
    pub user_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyAnswer {
    pub key_metadata: KeyMetadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyMetadata {
    #[serde(rename = "AWSAccountId")]
    pub account: String,
    pub key_id: String,
    pub arn: String,
    #[serde(serialize_with = "epoch")]
    pub creation_date: Timestamp,
    pub enabled: bool,
    pub description: String,
    pub key_usage: &'static str,
    pub key_state: &'static str,
    #[serde(serialize_with = "epoch_if_any", skip_serializing_if = "Option::is_none")]
    pub deletion_date: Option<Timestamp>,
    pub origin: &'static str,
    pub key_manager: &'static str,
    pub key_spec: &'static str,
    pub customer_master_key_spec: &'static str,
    pub encryption_algorithms: [&'static str; 1],
    pub multi_region: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_region_configuration: Option<MultiRegionConfiguration>,
    pub current_key_material_id: String,
}

/// A primary without replicas: this engine makes none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MultiRegionConfiguration {
    pub multi_region_key_type: &'static str,
    pub primary_key: RegionalKey,
    pub replica_keys: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegionalKey {
    pub arn: String,
    pub region: String,
}

/// One page; `next_marker` and `truncated` go together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Keys {
    pub keys: Vec<KeyEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    pub truncated: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyEntry {
    pub key_id: String,
    pub key_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    pub policy: String,
    pub policy_name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Deletion {
    pub key_id: String,
    #[serde(serialize_with = "epoch")]
    pub deletion_date: Timestamp,
    pub key_state: &'static str,
    pub pending_window_in_days: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cancelled {
    pub key_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rotation {
    pub key_id: String,
    pub key_rotation_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_period_in_days: Option<u32>,
    #[serde(serialize_with = "epoch_if_any", skip_serializing_if = "Option::is_none")]
    pub next_rotation_date: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Aliases {
    pub aliases: Vec<AliasEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    pub truncated: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasEntry {
    pub alias_name: String,
    pub alias_arn: String,
    pub target_key_id: String,
    #[serde(serialize_with = "epoch")]
    pub creation_date: Timestamp,
    #[serde(serialize_with = "epoch")]
    pub last_updated_date: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tags {
    pub tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    pub truncated: bool,
}

/// Of Encrypt and both GenerateDataKey calls.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sealed {
    pub ciphertext_blob: Blob,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<Secret>,
    pub key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_material_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_algorithm: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Opened {
    pub plaintext: Secret,
    pub key_id: String,
    pub key_material_id: String,
    pub encryption_algorithm: &'static str,
}

/// AWS's JSON writes times as seconds since 1970 with a fraction.
fn epoch<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_millisecond() as f64 / 1000.0)
}

fn epoch_if_any<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => epoch(at, serializer),
        None => serializer.serialize_none(),
    }
}
