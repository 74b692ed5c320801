//! The KMS port: what this tool asks of a key management service, in plain sync types.
//!
//! Two adapters stand behind it: `aws` (the SDK, also against any AWS-compatible endpoint) and `local` (the embedded
//! engine, in process). Errors are in the operator's terms. Every answer keeps the request id, which is also CloudTrail's.
//! Only `dek::Dek` carries plaintext keys out of here. An encryption context holds opaque ids: KMS logs it in clear.

mod error;

pub use error::{KmsError, KmsErrorKind};

use super::dek::Dek;
use std::collections::BTreeMap;
use std::fmt;

/// Encryption context: bound to a ciphertext, compared exactly, logged in clear.
pub type Context = BTreeMap<String, String>;

/// An answer and the request id it came with.
#[derive(Clone, Debug)]
pub struct Traced<T> {
    pub value: T,
    /// `x-amzn-requestid`; equals the CloudTrail record's `requestID`.
    pub request_id: Option<String>,
}

impl<T> Traced<T> {
    /// Another value that came with the same request id.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Traced<U> {
        Traced { value: change(self.value), request_id: self.request_id }
    }
}

/// Life of a KMS key, in life order (AWS: KeyState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    Creating,
    PendingImport,
    Enabled,
    Updating,
    Disabled,
    Unavailable,
    PendingReplicaDeletion,
    PendingDeletion,
}

impl KeyState {
    /// AWS's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Creating => "Creating",
            KeyState::PendingImport => "PendingImport",
            KeyState::Enabled => "Enabled",
            KeyState::Updating => "Updating",
            KeyState::Disabled => "Disabled",
            KeyState::Unavailable => "Unavailable",
            KeyState::PendingReplicaDeletion => "PendingReplicaDeletion",
            KeyState::PendingDeletion => "PendingDeletion",
        }
    }

    /// The state AWS spells so, if there is one.
    pub fn parse(text: &str) -> Option<KeyState> {
        [
            KeyState::Creating,
            KeyState::PendingImport,
            KeyState::Enabled,
            KeyState::Updating,
            KeyState::Disabled,
            KeyState::Unavailable,
            KeyState::PendingReplicaDeletion,
            KeyState::PendingDeletion,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What KMS says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    pub arn: String,
    pub key_id: String,
    pub state: KeyState,
    pub description: String,
    /// `CUSTOMER` or `AWS`.
    pub manager: String,
    /// e.g. `SYMMETRIC_DEFAULT`.
    pub spec: String,
    /// e.g. `ENCRYPT_DECRYPT`.
    pub usage: String,
    pub multi_region: bool,
    /// Of a multi-Region key, where the service tells it.
    pub relatives: Option<MultiRegion>,
    pub created_at: Option<jiff::Timestamp>,
    /// When a pending deletion becomes final.
    pub deletion_at: Option<jiff::Timestamp>,
    /// Newest key material; absent where the service does not say.
    pub material_id: Option<String>,
}

/// What to create. The only kind this tool makes is symmetric, for encryption.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    pub description: String,
    pub tags: BTreeMap<String, String>,
    /// Key policy as JSON; `None` takes the service's default.
    pub policy: Option<String>,
    pub multi_region: bool,
}

/// An alias and the key it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// With its `alias/` prefix.
    pub name: String,
    pub target_key_id: Option<String>,
}

/// Automatic rotation of a key's material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationStatus {
    pub enabled: bool,
    /// Days, 90..=2560; absent where the service does not say.
    pub period_days: Option<u32>,
    pub next_at: Option<jiff::Timestamp>,
    /// When an on-demand rotation began that is still running; absent once its material is current.
    pub on_demand_since: Option<jiff::Timestamp>,
}

/// A fresh DEK, bare and wrapped. The caller owns the secret.
pub struct DataKey {
    pub dek: Dek,
    pub wrapped: Vec<u8>,
    pub key_arn: String,
    pub material_id: Option<String>,
}

/// A fresh DEK nobody outside KMS has seen.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    pub wrapped: Vec<u8>,
    pub key_arn: String,
    pub material_id: Option<String>,
}

/// Opened ciphertext. The caller owns the secret.
pub struct Decrypted {
    pub plaintext: zeroize::Zeroizing<Vec<u8>>,
    pub key_arn: String,
    pub material_id: Option<String>,
}

/// What to rewrap: the plaintext never leaves KMS. `source` pins the CMK the ciphertext must be of.
#[derive(Clone, Copy)]
pub struct ReEncrypt<'a> {
    pub source: Option<&'a str>,
    pub source_context: &'a Context,
    /// Key id, ARN or alias; may be the source itself (its newest material).
    pub target: &'a str,
    pub target_context: &'a Context,
    pub wrapped: &'a [u8],
}

/// The same key under another wrapping.
#[derive(Clone, Debug)]
pub struct ReWrapped {
    pub wrapped: Vec<u8>,
    pub source_arn: String,
    pub source_material_id: Option<String>,
    pub key_arn: String,
    pub material_id: Option<String>,
}

/// A call to be judged and not made (AWS: DryRun). It is billed, counted and logged like a real one.
#[derive(Clone, Copy)]
pub enum Rehearsal<'a> {
    GenerateDataKey {
        key: &'a str,
        context: &'a Context,
    },
    Encrypt {
        key: &'a str,
        context: &'a Context,
    },
    /// Without a ciphertext only the permission is judged (`IGNORE_CIPHERTEXT`).
    Decrypt {
        key: &'a str,
        wrapped: Option<&'a [u8]>,
        context: &'a Context,
    },
    /// With an empty ciphertext only the permissions are judged; the source must be named then.
    ReEncrypt(ReEncrypt<'a>),
}

/// Who may use a key beside its policy. Survives every change of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub name: Option<String>,
    pub grantee: String,
    pub issuer: Option<String>,
    pub operations: Vec<String>,
    pub created_at: Option<jiff::Timestamp>,
}

/// The last successful cryptographic use of a key, where KMS tells it (AWS: GetKeyLastUsage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// `None`: not used since `tracked_since`.
    pub used_at: Option<jiff::Timestamp>,
    pub operation: Option<String>,
    pub tracked_since: Option<jiff::Timestamp>,
}

/// One material of a key, as ListKeyRotations tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialRotation {
    pub material_id: Option<String>,
    pub rotated_at: Option<jiff::Timestamp>,
    /// `AUTOMATIC` or `ON_DEMAND`; absent for the first material.
    pub kind: Option<String>,
    /// True for what wraps from now on.
    pub current: bool,
}

/// A copy of a multi-Region key to be made in another region.
#[derive(Clone, Debug, Default)]
pub struct NewReplica {
    pub region: String,
    pub description: String,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// Where a multi-Region key stands among its relatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiRegion {
    pub is_primary: bool,
    pub primary_arn: String,
    /// ARNs, without the primary's.
    pub replica_arns: Vec<String>,
}

/// Who the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

/// Every call of this tool to a KMS. `key` is a key id, key ARN, alias name or alias ARN where AWS takes them;
/// state-changing calls take id or ARN only, as AWS does.
pub trait Kms: Send + Sync {
    /// STS GetCallerIdentity, or the embedded account.
    fn caller(&self) -> Result<Traced<Caller>, KmsError>;
    /// Region this client talks to.
    fn region(&self) -> String;

    fn create_key(&self, new: &NewKey) -> Result<Traced<KeyDescription>, KmsError>;
    fn describe_key(&self, key: &str) -> Result<Traced<KeyDescription>, KmsError>;
    fn list_aliases(&self) -> Result<Traced<Vec<Alias>>, KmsError>;
    fn create_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError>;
    fn update_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError>;
    fn delete_alias(&self, alias: &str) -> Result<Traced<()>, KmsError>;
    fn tag_key(&self, key_id: &str, tags: &BTreeMap<String, String>) -> Result<Traced<()>, KmsError>;
    fn key_tags(&self, key_id: &str) -> Result<Traced<BTreeMap<String, String>>, KmsError>;

    fn generate_data_key(&self, key: &str, context: &Context) -> Result<Traced<DataKey>, KmsError>;
    fn generate_data_key_without_plaintext(&self, key: &str, context: &Context)
    -> Result<Traced<WrappedKey>, KmsError>;
    /// At most 4,096 bytes.
    fn encrypt(&self, key: &str, plaintext: &[u8], context: &Context) -> Result<Traced<WrappedKey>, KmsError>;
    /// `key` pins the CMK: a ciphertext of another one is refused. `None` lets the ciphertext name it.
    fn decrypt(&self, key: Option<&str>, ciphertext: &[u8], context: &Context) -> Result<Traced<Decrypted>, KmsError>;

    fn enable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError>;
    fn disable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError>;
    /// 7..=30 days. After an ambiguous answer the adapter describes the key and accepts a deletion that is pending.
    fn schedule_key_deletion(&self, key_id: &str, days: u32) -> Result<Traced<KeyDescription>, KmsError>;
    /// The key comes back Disabled, always.
    fn cancel_key_deletion(&self, key_id: &str) -> Result<Traced<()>, KmsError>;
    /// 90..=2560 days.
    fn enable_key_rotation(&self, key_id: &str, days: u32) -> Result<Traced<()>, KmsError>;
    fn disable_key_rotation(&self, key_id: &str) -> Result<Traced<()>, KmsError>;
    fn key_rotation_status(&self, key_id: &str) -> Result<Traced<RotationStatus>, KmsError>;

    /// Every key id of the region.
    fn list_keys(&self) -> Result<Traced<Vec<String>>, KmsError>;
    fn key_policy(&self, key_id: &str) -> Result<Traced<String>, KmsError>;
    /// Replaces the whole policy. KMS refuses one that would lock the caller out; that check is never bypassed.
    fn put_key_policy(&self, key_id: &str, policy: &str) -> Result<Traced<()>, KmsError>;
    fn untag_key(&self, key_id: &str, names: &[String]) -> Result<Traced<()>, KmsError>;
    fn describe_as(&self, key_id: &str, description: &str) -> Result<Traced<()>, KmsError>;
    fn re_encrypt(&self, what: ReEncrypt<'_>) -> Result<Traced<ReWrapped>, KmsError>;
    /// `Ok` when the call would succeed; its own refusal when it would not. `Unsupported` where the service makes such a call instead of
    /// judging it: what it gave is thrown away unseen.
    fn rehearse(&self, call: Rehearsal<'_>) -> Result<Traced<()>, KmsError>;
    fn list_grants(&self, key_id: &str) -> Result<Traced<Vec<Grant>>, KmsError>;
    /// `NotFound` for a grant that is not there (any more).
    fn revoke_grant(&self, key_id: &str, grant_id: &str) -> Result<Traced<()>, KmsError>;
    /// `Unsupported` where the service does not track it.
    fn key_last_use(&self, key_id: &str) -> Result<Traced<KeyUse>, KmsError>;
    /// Begins a rotation: the new material is current when `key_materials` says so. Never sent twice: a key has only so many of these in its
    /// life (AWS: 25; then `LimitExceeded`). `Busy` while another rotation runs or is due within 20 minutes.
    fn rotate_on_demand(&self, key_id: &str) -> Result<Traced<()>, KmsError>;
    /// Every material, the first one too; oldest first.
    fn key_materials(&self, key_id: &str) -> Result<Traced<Vec<MaterialRotation>>, KmsError>;
    /// The replica as it is at first: Creating, for some seconds, until its own region describes it as Enabled. An ambiguous answer is looked
    /// up, never sent again.
    fn replicate_key(&self, key_id: &str, new: &NewReplica) -> Result<Traced<KeyDescription>, KmsError>;
    /// The same account's KMS in another region: same credentials, same patience, same endpoint if one was given.
    fn in_region(&self, region: &str) -> Result<std::sync::Arc<dyn Kms>, KmsError>;
}
