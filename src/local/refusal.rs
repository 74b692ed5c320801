//! How the engine says no: AWS's code, HTTP status and a message in AWS's words.

use crate::core::kms::{KmsError, KmsErrorKind};

/// An error reply. Ids only; never contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub status: u16,
    pub message: String,
}

impl Refusal {
    /// A refusal with status 400, as the JSON protocol has it.
    pub fn new(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { code, status: 400, message: message.into() }
    }

    /// `ValidationException`.
    pub fn validation(message: impl Into<String>) -> Refusal {
        Refusal::new("ValidationException", message)
    }

    /// `NotFoundException`.
    pub fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new("NotFoundException", message)
    }

    /// `InvalidCiphertextException`, with the empty message AWS gives.
    pub fn invalid_ciphertext() -> Refusal {
        Refusal::new("InvalidCiphertextException", "")
    }

    /// `KMSInternalException`, a fault of the service (500).
    pub fn internal(message: impl Into<String>) -> Refusal {
        Refusal { code: "KMSInternalException", status: 500, message: message.into() }
    }

    /// The same, as the port says it.
    pub fn into_kms_error(self, operation: &'static str, request_id: String) -> KmsError {
        KmsError {
            kind: KmsErrorKind::of_code(self.code, self.status),
            operation,
            code: Some(self.code.to_owned()),
            message: self.message,
            request_id: Some(request_id),
        }
    }
}
