//! Rehearsals: calls that KMS judges and does not make (DryRun). Success is an error there; a success here means that the endpoint made the call,
//! and whatever it gave, plaintext too, is wiped unseen.

use super::connect::AwsKms;
use super::terms::pairs;
use crate::core::kms::{KmsError, KmsErrorKind, ReEncrypt, Rehearsal, Traced};
use aws_sdk_kms::operation::re_encrypt::builders::ReEncryptFluentBuilder;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, DryRunModifierType};
use zeroize::Zeroizing;

impl AwsKms {
    /// The request of ReEncrypt, for real or to be judged.
    pub(super) fn re_encryption(&self, what: ReEncrypt<'_>) -> ReEncryptFluentBuilder {
        self.kms
            .re_encrypt()
            .set_source_key_id(what.source.map(str::to_owned))
            .set_source_encryption_context(pairs(what.source_context))
            .destination_key_id(what.target)
            .set_destination_encryption_context(pairs(what.target_context))
            .ciphertext_blob(Blob::new(what.wrapped))
    }

    pub(super) fn judge(&self, call: Rehearsal<'_>) -> Result<Traced<()>, KmsError> {
        let ignored = || Some(vec![DryRunModifierType::IgnoreCiphertext]);
        match call {
            Rehearsal::GenerateDataKey { key, context } => {
                let call = self.kms.generate_data_key().key_id(key).key_spec(DataKeySpec::Aes256).dry_run(true);
                let call = call.set_encryption_context(pairs(context));
                verdict(self.call("GenerateDataKey", call.send()), |made| wipe(made.plaintext))
            }
            Rehearsal::Encrypt { key, context } => {
                let call = self.kms.encrypt().key_id(key).plaintext(Blob::new([0])).dry_run(true);
                verdict(self.call("Encrypt", call.set_encryption_context(pairs(context)).send()), drop)
            }
            Rehearsal::Decrypt { key, wrapped, context } => {
                let call = self.kms.decrypt().key_id(key).dry_run(true).set_encryption_context(pairs(context));
                let call = match wrapped {
                    Some(wrapped) => call.ciphertext_blob(Blob::new(wrapped)),
                    None => call.set_dry_run_modifiers(ignored()),
                };
                verdict(self.call("Decrypt", call.send()), |opened| wipe(opened.plaintext))
            }
            Rehearsal::ReEncrypt(what) => {
                let call = self.re_encryption(what).dry_run(true);
                let call = match what.wrapped {
                    [] => call.set_ciphertext_blob(None).set_dry_run_modifiers(ignored()),
                    _ => call,
                };
                verdict(self.call("ReEncrypt", call.send()), drop)
            }
        }
    }
}

fn verdict<T>(answer: Result<Traced<T>, KmsError>, throw_away: impl FnOnce(T)) -> Result<Traced<()>, KmsError> {
    match answer {
        Err(error) if error.kind == KmsErrorKind::WouldSucceed => {
            Ok(Traced { value: (), request_id: error.request_id })
        }
        Err(error) => Err(error),
        Ok(made) => {
            throw_away(made.value);
            let message = "this endpoint made the call instead of judging it";
            Err(KmsError { request_id: made.request_id, ..KmsError::new(KmsErrorKind::Unsupported, "DryRun", message) })
        }
    }
}

fn wipe(plaintext: Option<Blob>) {
    drop(plaintext.map(|blob| Zeroizing::new(blob.into_inner())));
}
