//! The calls the engine understands, as AWS's JSON 1.1 protocol writes them.
//!
//! A member that nobody here knows is ignored, as AWS does; `DryRun` is not ignored, because running such a call for real would be the
//! worst way not to know it.

use super::refusal::Refusal;
use super::secret::{Blob, Secret};
use serde::Deserialize;
use std::collections::BTreeMap;

macro_rules! calls {
    ($($name:ident($body:ty)),+ $(,)?) => {
        /// One call with its parameters.
        #[derive(Clone, Debug)]
        pub enum Call { $($name($body)),+ }

        impl Call {
            /// Reads the body of `TrentService.OPERATION`.
            pub fn parse(operation: &str, body: &[u8]) -> Result<Call, Refusal> {
                let body = if body.is_empty() { b"{}" } else { body };
                match operation {
                    $(stringify!($name) => Ok(Call::$name(read(body)?)),)+
                    _ => Err(Refusal::new("UnknownOperationException", "")),
                }
            }

            /// AWS's name of the operation.
            pub fn operation(&self) -> &'static str {
                match self { $(Call::$name(_) => stringify!($name)),+ }
            }
        }
    };
}

calls! {
    GetCallerIdentity(Nothing),
    CreateKey(CreateKey), DescribeKey(KeyOnly), ListKeys(ListPage), UpdateKeyDescription(UpdateKeyDescription),
    GetKeyPolicy(KeyOnly), PutKeyPolicy(PutKeyPolicy),
    EnableKey(KeyOnly), DisableKey(KeyOnly), ScheduleKeyDeletion(ScheduleKeyDeletion), CancelKeyDeletion(KeyOnly),
    EnableKeyRotation(EnableKeyRotation), DisableKeyRotation(KeyOnly), GetKeyRotationStatus(KeyOnly),
    CreateAlias(AliasAndKey), UpdateAlias(AliasAndKey), DeleteAlias(AliasOnly), ListAliases(ListAliases),
    TagResource(TagResource), UntagResource(UntagResource), ListResourceTags(KeyPage),
    GenerateDataKey(GenerateDataKey), GenerateDataKeyWithoutPlaintext(GenerateDataKey), Encrypt(Encrypt), Decrypt(Decrypt),
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // Without serde's words: they quote the body, which may hold plaintext.
    serde_json::from_slice(body).map_err(|_| Refusal::new("SerializationException", "the request body cannot be read"))
}

/// No parameters.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Nothing {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateKey {
    pub description: Option<String>,
    pub key_spec: Option<String>,
    pub customer_master_key_spec: Option<String>,
    pub key_usage: Option<String>,
    pub origin: Option<String>,
    pub multi_region: Option<bool>,
    pub policy: Option<String>,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, Deserialize, serde::Serialize, PartialEq, Eq)]
pub struct Tag {
    #[serde(rename = "TagKey")]
    pub key: String,
    #[serde(rename = "TagValue")]
    pub value: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyOnly {
    pub key_id: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateKeyDescription {
    pub key_id: String,
    pub description: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutKeyPolicy {
    pub key_id: String,
    pub policy: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScheduleKeyDeletion {
    pub key_id: String,
    #[serde(default)]
    pub pending_window_in_days: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EnableKeyRotation {
    pub key_id: String,
    #[serde(default)]
    pub rotation_period_in_days: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasAndKey {
    pub alias_name: String,
    pub target_key_id: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasOnly {
    pub alias_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListAliases {
    pub key_id: Option<String>,
    pub limit: Option<i64>,
    pub marker: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListPage {
    pub limit: Option<i64>,
    pub marker: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyPage {
    pub key_id: String,
    #[serde(default)]
    pub limit: Option<i64>,
    #[serde(default)]
    pub marker: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResource {
    pub key_id: String,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResource {
    pub key_id: String,
    pub tag_keys: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GenerateDataKey {
    pub key_id: String,
    pub key_spec: Option<String>,
    pub number_of_bytes: Option<i64>,
    pub encryption_context: BTreeMap<String, String>,
    pub dry_run: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Encrypt {
    pub key_id: String,
    pub plaintext: Secret,
    #[serde(default)]
    pub encryption_context: BTreeMap<String, String>,
    #[serde(default)]
    pub encryption_algorithm: Option<String>,
    #[serde(default)]
    pub dry_run: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Decrypt {
    #[serde(default)]
    pub key_id: Option<String>,
    pub ciphertext_blob: Blob,
    #[serde(default)]
    pub encryption_context: BTreeMap<String, String>,
    #[serde(default)]
    pub encryption_algorithm: Option<String>,
    #[serde(default)]
    pub dry_run: Option<bool>,
}

impl Call {
    /// The key as the caller named it, for the request log.
    pub fn named_key(&self) -> Option<&str> {
        match self {
            Call::DescribeKey(c)
            | Call::GetKeyPolicy(c)
            | Call::EnableKey(c)
            | Call::DisableKey(c)
            | Call::CancelKeyDeletion(c)
            | Call::DisableKeyRotation(c)
            | Call::GetKeyRotationStatus(c) => Some(&c.key_id),
            Call::UpdateKeyDescription(c) => Some(&c.key_id),
            Call::PutKeyPolicy(c) => Some(&c.key_id),
            Call::ScheduleKeyDeletion(c) => Some(&c.key_id),
            Call::EnableKeyRotation(c) => Some(&c.key_id),
            Call::CreateAlias(c) | Call::UpdateAlias(c) => Some(&c.target_key_id),
            Call::DeleteAlias(c) => Some(&c.alias_name),
            Call::TagResource(c) => Some(&c.key_id),
            Call::UntagResource(c) => Some(&c.key_id),
            Call::ListResourceTags(c) => Some(&c.key_id),
            Call::GenerateDataKey(c) | Call::GenerateDataKeyWithoutPlaintext(c) => Some(&c.key_id),
            Call::Encrypt(c) => Some(&c.key_id),
            Call::Decrypt(c) => c.key_id.as_deref(),
            Call::ListAliases(c) => c.key_id.as_deref(),
            Call::GetCallerIdentity(_) | Call::CreateKey(_) | Call::ListKeys(_) => None,
        }
    }

    /// The encryption context, for the request log: KMS logs it in clear too.
    pub fn encryption_context(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Call::GenerateDataKey(c) | Call::GenerateDataKeyWithoutPlaintext(c) => Some(&c.encryption_context),
            Call::Encrypt(c) => Some(&c.encryption_context),
            Call::Decrypt(c) => Some(&c.encryption_context),
            _ => None,
        }
    }
}
