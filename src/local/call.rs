//! The calls the engine understands, as AWS's JSON 1.1 protocol writes them.
//!
//! A member that nobody here knows is ignored, as AWS does; `DryRun` is not ignored, because running such a call for real would be the
//! worst way not to know it: every operation that AWS judges on request carries it (`parameters` has the members).

mod parameters;

pub use parameters::*;

use super::refusal::Refusal;
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
    GetKeyPolicy(KeyPolicy), ListKeyPolicies(KeyPage), PutKeyPolicy(PutKeyPolicy), GetKeyLastUsage(KeyOnly),
    EnableKey(KeyOnly), DisableKey(KeyOnly), ScheduleKeyDeletion(ScheduleKeyDeletion), CancelKeyDeletion(KeyOnly),
    EnableKeyRotation(EnableKeyRotation), DisableKeyRotation(KeyOnly), GetKeyRotationStatus(KeyOnly),
    RotateKeyOnDemand(KeyOnly), ListKeyRotations(ListKeyRotations),
    ReplicateKey(ReplicateKey), UpdatePrimaryRegion(UpdatePrimaryRegion),
    CreateAlias(AliasAndKey), UpdateAlias(AliasAndKey), DeleteAlias(AliasOnly), ListAliases(ListAliases),
    TagResource(TagResource), UntagResource(UntagResource), ListResourceTags(KeyPage),
    CreateGrant(CreateGrant), ListGrants(ListGrants), ListRetirableGrants(ListRetirableGrants),
    RevokeGrant(RevokeGrant), RetireGrant(RetireGrant),
    GenerateDataKey(GenerateDataKey), GenerateDataKeyWithoutPlaintext(GenerateDataKey), Encrypt(Encrypt), Decrypt(Decrypt),
    ReEncrypt(ReEncrypt),
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // Without serde's words: they quote the body, which may hold plaintext.
    serde_json::from_slice(body).map_err(|_| Refusal::new("SerializationException", "the request body cannot be read"))
}

impl Call {
    /// Keys and aliases as the caller named them; the first one is for the request log.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Call::DescribeKey(c)
            | Call::GetKeyLastUsage(c)
            | Call::EnableKey(c)
            | Call::DisableKey(c)
            | Call::CancelKeyDeletion(c)
            | Call::DisableKeyRotation(c)
            | Call::GetKeyRotationStatus(c)
            | Call::RotateKeyOnDemand(c) => vec![&c.key_id],
            Call::GetKeyPolicy(c) => vec![&c.key_id],
            Call::UpdateKeyDescription(c) => vec![&c.key_id],
            Call::PutKeyPolicy(c) => vec![&c.key_id],
            Call::ScheduleKeyDeletion(c) => vec![&c.key_id],
            Call::EnableKeyRotation(c) => vec![&c.key_id],
            Call::ListKeyRotations(c) => vec![&c.key_id],
            Call::ReplicateKey(c) => vec![&c.key_id],
            Call::UpdatePrimaryRegion(c) => vec![&c.key_id],
            Call::CreateAlias(c) | Call::UpdateAlias(c) => vec![&c.target_key_id, &c.alias_name],
            Call::DeleteAlias(c) => vec![&c.alias_name],
            Call::TagResource(c) => vec![&c.key_id],
            Call::UntagResource(c) => vec![&c.key_id],
            Call::ListResourceTags(c) | Call::ListKeyPolicies(c) => vec![&c.key_id],
            Call::CreateGrant(c) => vec![&c.key_id],
            Call::ListGrants(c) => vec![&c.key_id],
            Call::RevokeGrant(c) => vec![&c.key_id],
            Call::RetireGrant(c) => c.key_id.iter().map(String::as_str).collect(),
            Call::GenerateDataKey(c) | Call::GenerateDataKeyWithoutPlaintext(c) => vec![&c.key_id],
            Call::Encrypt(c) => vec![&c.key_id],
            Call::Decrypt(c) => c.key_id.iter().map(String::as_str).collect(),
            Call::ReEncrypt(c) => {
                std::iter::once(c.destination_key_id.as_str()).chain(c.source_key_id.as_deref()).collect()
            }
            Call::ListAliases(c) => c.key_id.iter().map(String::as_str).collect(),
            Call::GetCallerIdentity(_) | Call::CreateKey(_) | Call::ListKeys(_) | Call::ListRetirableGrants(_) => {
                Vec::new()
            }
        }
    }

    /// The encryption context (of ReEncrypt: the new one), for the request log: KMS logs it in clear too.
    pub fn encryption_context(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Call::GenerateDataKey(c) | Call::GenerateDataKeyWithoutPlaintext(c) => Some(&c.encryption_context),
            Call::Encrypt(c) => Some(&c.encryption_context),
            Call::Decrypt(c) => Some(&c.encryption_context),
            Call::ReEncrypt(c) => Some(&c.destination_encryption_context),
            _ => None,
        }
    }

    /// A ciphertext that names its key by itself.
    pub fn ciphertext(&self) -> Option<&[u8]> {
        match self {
            Call::Decrypt(c) => c.ciphertext_blob.as_ref().map(|blob| blob.0.as_slice()),
            Call::ReEncrypt(c) => c.ciphertext_blob.as_ref().map(|blob| blob.0.as_slice()),
            _ => None,
        }
    }

    /// True for a call to be judged and not made. AWS knows `DryRun` on these operations and on no other one of this engine's;
    /// elsewhere it is an unknown member, and ignored.
    pub fn is_rehearsal(&self) -> bool {
        let asked = match self {
            Call::GenerateDataKey(c) | Call::GenerateDataKeyWithoutPlaintext(c) => c.dry_run,
            Call::Encrypt(c) => c.dry_run,
            Call::Decrypt(c) => c.dry_run,
            Call::ReEncrypt(c) => c.dry_run,
            Call::CreateGrant(c) => c.dry_run,
            Call::RevokeGrant(c) => c.dry_run,
            Call::RetireGrant(c) => c.dry_run,
            _ => None,
        };
        asked == Some(true)
    }
}
