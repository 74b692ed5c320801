//! What the engine answers, in AWS's member names. One type for both doors: the endpoint serializes it, the in-process door reads it.

use super::call::{GrantConstraints, Tag};
use super::secret::{Blob, Secret};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// An answer to a call that was allowed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
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
    ReEncrypted(ReEncrypted),
    PolicyNames(PolicyNames),
    LastUsage(LastUsage),
    Rotated(Rotated),
    Materials(Materials),
    Replicated(Replicated),
    Granted(Granted),
    Grants(Grants),
}

impl Answer {
    /// ARNs of the keys that a cryptographic operation used.
    pub fn keys_used(&self) -> Vec<&str> {
        match self {
            Answer::Sealed(sealed) => vec![&sealed.key_id],
            Answer::Opened(opened) => vec![&opened.key_id],
            Answer::ReEncrypted(moved) => vec![&moved.source_key_id, &moved.key_id],
            _ => Vec::new(),
        }
    }
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
    /// Only while the deletion waits for replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_deletion_window_in_days: Option<u32>,
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

/// All related keys, the described one among them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MultiRegionConfiguration {
    pub multi_region_key_type: &'static str,
    pub primary_key: RegionalKey,
    pub replica_keys: Vec<RegionalKey>,
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
    /// Absent while it waits for replicas.
    #[serde(serialize_with = "epoch_if_any", skip_serializing_if = "Option::is_none")]
    pub deletion_date: Option<Timestamp>,
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
    /// Only while an on-demand rotation runs.
    #[serde(serialize_with = "epoch_if_any", skip_serializing_if = "Option::is_none")]
    pub on_demand_rotation_start_date: Option<Timestamp>,
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

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReEncrypted {
    pub ciphertext_blob: Blob,
    pub source_key_id: String,
    pub key_id: String,
    pub source_encryption_algorithm: &'static str,
    pub destination_encryption_algorithm: &'static str,
    pub source_key_material_id: String,
    pub destination_key_material_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyNames {
    pub policy_names: [&'static str; 1],
    pub truncated: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LastUsage {
    pub key_id: String,
    pub key_last_usage: KeyUsage,
    #[serde(serialize_with = "epoch")]
    pub tracking_start_date: Timestamp,
    #[serde(serialize_with = "epoch")]
    pub key_creation_date: Timestamp,
}

/// Empty when the key was not used since tracking began.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyUsage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    #[serde(serialize_with = "epoch_if_any", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_trail_event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_request_id: Option<String>,
}

/// Of RotateKeyOnDemand.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rotated {
    pub key_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Materials {
    pub rotations: Vec<MaterialEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    pub truncated: bool,
}

/// The first material has neither date nor type.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MaterialEntry {
    pub key_id: String,
    pub key_material_id: String,
    pub key_material_state: &'static str,
    #[serde(serialize_with = "epoch_if_any", skip_serializing_if = "Option::is_none")]
    pub rotation_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Replicated {
    pub replica_key_metadata: KeyMetadata,
    pub replica_policy: String,
    pub replica_tags: Vec<Tag>,
}

/// Of CreateGrant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Granted {
    pub grant_token: String,
    pub grant_id: String,
}

/// Of ListGrants and ListRetirableGrants.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Grants {
    pub grants: Vec<GrantEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    pub truncated: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GrantEntry {
    pub key_id: String,
    pub grant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(serialize_with = "epoch")]
    pub creation_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantee_principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantee_service_principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retiring_principal: Option<String>,
    pub issuing_account: String,
    pub operations: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraints: Option<GrantConstraints>,
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
