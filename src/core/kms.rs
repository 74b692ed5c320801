//! The KMS port: what this tool asks of a key management service, in plain sync types.
//!
//! Two adapters stand behind it: `aws` (the SDK, also against any AWS-compatible endpoint) and `local` (the embedded
//! engine, in process). Errors are in the operator's terms. Every answer keeps the request id, which is also CloudTrail's.
//! Only `dek::Dek` carries plaintext keys out of here. An encryption context holds opaque ids: KMS logs it in clear.

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

/// Who the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

/// What an operator can do about a KMS error decides its kind; the service's own code is kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KmsErrorKind {
    Denied,
    NoCredentials,
    ExpiredCredentials,
    NotFound,
    /// Disabled, pending deletion or otherwise not usable (DisabledException and KMSInvalidStateException are one class).
    KeyUnusable,
    /// The ciphertext names another key (IncorrectKeyException).
    WrongKey,
    /// Not made by this KMS, altered, or under another encryption context.
    InvalidCiphertext,
    AlreadyExists,
    /// A hard limit; never retried.
    LimitExceeded,
    Unsupported,
    /// The service says the request itself is wrong (ValidationException, InvalidArnException, …).
    Invalid,
    Throttled,
    /// Connection, TLS, timeout or a 5xx: the outcome of a mutation is unknown.
    Unreachable,
    Unknown,
    /// Embedded engine: another process owns its file.
    StoreInUse,
    /// Embedded engine: its file does not open under this LOCAL_KEK, or is damaged.
    StoreBroken,
}

/// AWS's error codes (KMS JSON and STS query) and what an operator can do about each. The SDK models only some of them, so
/// both doors of the embedded engine and the AWS adapter go by the code on the wire, through this one table.
const CODES: &[(&str, KmsErrorKind)] = &[
    ("AccessDeniedException", KmsErrorKind::Denied),
    ("AccessDenied", KmsErrorKind::Denied),
    ("UnauthorizedOperation", KmsErrorKind::Denied),
    ("NotAuthorizedException", KmsErrorKind::Denied),
    ("OptInRequired", KmsErrorKind::Denied),
    ("UnrecognizedClientException", KmsErrorKind::NoCredentials),
    ("InvalidClientTokenId", KmsErrorKind::NoCredentials),
    ("InvalidSignatureException", KmsErrorKind::NoCredentials),
    ("SignatureDoesNotMatch", KmsErrorKind::NoCredentials),
    ("IncompleteSignature", KmsErrorKind::NoCredentials),
    ("IncompleteSignatureException", KmsErrorKind::NoCredentials),
    ("MissingAuthenticationToken", KmsErrorKind::NoCredentials),
    ("MissingAuthenticationTokenException", KmsErrorKind::NoCredentials),
    ("ExpiredTokenException", KmsErrorKind::ExpiredCredentials),
    ("ExpiredToken", KmsErrorKind::ExpiredCredentials),
    ("RequestExpired", KmsErrorKind::ExpiredCredentials),
    ("NotFoundException", KmsErrorKind::NotFound),
    ("DisabledException", KmsErrorKind::KeyUnusable),
    ("KMSInvalidStateException", KmsErrorKind::KeyUnusable),
    ("IncorrectKeyException", KmsErrorKind::WrongKey),
    ("InvalidCiphertextException", KmsErrorKind::InvalidCiphertext),
    ("AlreadyExistsException", KmsErrorKind::AlreadyExists),
    ("LimitExceededException", KmsErrorKind::LimitExceeded),
    ("UnsupportedOperationException", KmsErrorKind::Unsupported),
    ("UnknownOperationException", KmsErrorKind::Unsupported),
    ("InvalidAction", KmsErrorKind::Unsupported),
    ("ValidationException", KmsErrorKind::Invalid),
    ("ValidationError", KmsErrorKind::Invalid),
    ("SerializationException", KmsErrorKind::Invalid),
    ("InvalidArnException", KmsErrorKind::Invalid),
    ("InvalidAliasNameException", KmsErrorKind::Invalid),
    ("InvalidMarkerException", KmsErrorKind::Invalid),
    ("InvalidKeyUsageException", KmsErrorKind::Invalid),
    ("InvalidGrantTokenException", KmsErrorKind::Invalid),
    ("MalformedPolicyDocumentException", KmsErrorKind::Invalid),
    ("TagException", KmsErrorKind::Invalid),
    ("ThrottlingException", KmsErrorKind::Throttled),
    ("Throttling", KmsErrorKind::Throttled),
    ("ThrottledException", KmsErrorKind::Throttled),
    ("RequestLimitExceeded", KmsErrorKind::Throttled),
    ("RequestThrottled", KmsErrorKind::Throttled),
    ("TooManyRequestsException", KmsErrorKind::Throttled),
    ("SlowDown", KmsErrorKind::Throttled),
    ("KMSInternalException", KmsErrorKind::Unreachable),
    ("DependencyTimeoutException", KmsErrorKind::Unreachable),
    ("KeyUnavailableException", KmsErrorKind::Unreachable),
    ("InternalFailure", KmsErrorKind::Unreachable),
    ("InternalError", KmsErrorKind::Unreachable),
    ("InternalServerError", KmsErrorKind::Unreachable),
    ("ServiceUnavailable", KmsErrorKind::Unreachable),
    ("ServiceUnavailableException", KmsErrorKind::Unreachable),
];

impl KmsErrorKind {
    /// What an operator can do about a code on the wire. `status` (HTTP) decides only for a code nobody has met yet.
    pub fn of_code(code: &str, status: u16) -> KmsErrorKind {
        match CODES.iter().find(|(known, _)| *known == code) {
            Some((_, kind)) => *kind,
            None if status >= 500 => KmsErrorKind::Unreachable,
            None if status == 429 => KmsErrorKind::Throttled,
            None if status == 401 || status == 403 => KmsErrorKind::Denied,
            None => KmsErrorKind::Unknown,
        }
    }
}

/// A KMS call that failed. Holds ids and the service's words, never a request body.
#[derive(Clone, Debug)]
pub struct KmsError {
    pub kind: KmsErrorKind,
    /// e.g. `Decrypt`.
    pub operation: &'static str,
    /// The service's own code, e.g. `DisabledException`.
    pub code: Option<String>,
    /// The service's message, or what the transport said.
    pub message: String,
    pub request_id: Option<String>,
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kms {}", self.operation)?;
        match &self.code {
            Some(code) => write!(f, " answered {code}")?,
            None => write!(f, " failed")?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for KmsError {}

impl KmsError {
    /// A failure that no service answered: no code, no request id.
    pub fn new(kind: KmsErrorKind, operation: &'static str, message: impl Into<String>) -> KmsError {
        KmsError { kind, operation, code: None, message: message.into(), request_id: None }
    }

    /// True when nobody can tell whether a mutation took place: look before trying again.
    pub fn is_ambiguous(&self) -> bool {
        self.kind == KmsErrorKind::Unreachable
    }
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
}
