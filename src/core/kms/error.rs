//! Why a KMS call failed, in the operator's terms.
//!
//! AWS's codes on the wire become kinds through one table; a kind exists only where an operator does something else about it.
//! Ids and the service's words only: never a request body, never plaintext.

use std::fmt;

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
    /// Something is under way that has to end first, e.g. an automatic rotation (ConflictException). Nothing was done.
    Busy,
    /// A hard limit; never retried.
    LimitExceeded,
    Unsupported,
    /// The service says the request itself is wrong (ValidationException, InvalidArnException, …).
    Invalid,
    Throttled,
    /// A rehearsal that went well (DryRunOperationException). `Kms::rehearse` makes it `Ok`: it is never an operator's failure.
    WouldSucceed,
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
    ("ConflictException", KmsErrorKind::Busy),
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
    ("InvalidGrantIdException", KmsErrorKind::Invalid),
    ("MalformedPolicyDocumentException", KmsErrorKind::Invalid),
    ("TagException", KmsErrorKind::Invalid),
    ("DryRunOperationException", KmsErrorKind::WouldSucceed),
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
