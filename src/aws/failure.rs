//! SDK errors in the port's terms. By code on the wire (`core::kms::KmsErrorKind::of_code`), since the SDK models only some of them.
//! Messages are the service's or the transport's own; a request body never gets in.

use super::transport::InsecureEndpoint;
use crate::core::kms::{KmsError, KmsErrorKind};
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use std::error::Error as StdError;

/// Why a call failed.
pub fn explain<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> KmsError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let request_id = error.request_id().map(str::to_owned);
    if chain(&error).any(|e| e.is::<InsecureEndpoint>()) {
        return KmsError::new(KmsErrorKind::Invalid, operation, innermost(&error));
    }
    match &error {
        SdkError::ServiceError(answered) => {
            let code = answered.err().code().unwrap_or_default();
            let status = answered.raw().status().as_u16();
            let message = match answered.err().message() {
                Some(message) => message.to_owned(),
                None if code.is_empty() && status < 300 => "the answer could not be understood".to_owned(),
                None if code.is_empty() => format!("status {status} without an error code"),
                None => String::new(),
            };
            let kind = match KmsErrorKind::of_code(code, status) {
                // Done, perhaps, but by whom? A mutation must be looked up.
                _ if code.is_empty() && status < 300 => KmsErrorKind::Unreachable,
                kind => kind,
            };
            KmsError { kind, operation, code: (!code.is_empty()).then(|| code.to_owned()), message, request_id }
        }
        SdkError::TimeoutError(_) => {
            KmsError::new(KmsErrorKind::Unreachable, operation, "no answer within the time limit")
        }
        // The identity of a later call: credentials that were there have run out and could not be renewed.
        SdkError::DispatchFailure(_) if format!("{error:?}").contains("CredentialsNotLoaded") => {
            no_credentials(operation, &error)
        }
        SdkError::DispatchFailure(_) => KmsError::new(KmsErrorKind::Unreachable, operation, said(&error)),
        SdkError::ResponseError(_) => {
            let message = "the answer could not be understood".to_owned();
            KmsError { kind: KmsErrorKind::Unreachable, operation, code: None, message, request_id }
        }
        _ => KmsError::new(KmsErrorKind::Invalid, operation, said(&error)),
    }
}

/// Credentials are missing, or ran out.
pub fn no_credentials(operation: &'static str, error: &(dyn StdError + 'static)) -> KmsError {
    let message = said(error);
    let kind = match message.to_lowercase().contains("expired") {
        true => KmsErrorKind::ExpiredCredentials,
        false => KmsErrorKind::NoCredentials,
    };
    KmsError::new(kind, operation, message)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| (*e).source())
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The chain's messages, outermost first, each once.
fn said(error: &(dyn StdError + 'static)) -> String {
    let mut all: Vec<String> = chain(error).map(ToString::to_string).collect();
    all.dedup();
    all.join(": ")
}
