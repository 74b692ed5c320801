//! A KMS that refuses what the running verb has not said it needs: `core::permissions` is the table, this is who holds the code to it.
//!
//! Nothing is sent for a call that is not in the verb's row. What was refused is kept, and ends the run as a fault of the tool, whatever the
//! code around the call made of the refusal: otherwise a check that takes every error for "unknown" would hide it.

use crate::core::kms::{
    Alias, Caller, Context, DataKey, Decrypted, Grant, KeyDescription, KeyUse, Kms, KmsError, KmsErrorKind,
    MaterialRotation, NewKey, NewReplica, ReEncrypt, ReWrapped, Rehearsal, RotationStatus, Traced, WrappedKey,
};
use crate::core::permissions;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The first call a run made that its verb's row does not name. A clone is the same record.
#[derive(Clone, Default)]
pub struct Undeclared(Arc<OnceLock<String>>);

impl Undeclared {
    /// `kms:Decrypt by keys-list`, if there was one.
    pub fn first(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// For services beside KMS: refuses a call that the verb's row does not name.
    pub fn check(&self, verb: &str, service: &str, operation: &'static str) -> Result<(), KmsError> {
        if permissions::allows(verb, service, operation) {
            return Ok(());
        }
        let _ = self.0.set(format!("{service}:{operation} by {verb}"));
        let message = format!("not sent: the table of permissions does not name it for {verb}");
        Err(KmsError::new(KmsErrorKind::Unsupported, operation, message))
    }
}

/// A KMS held to one verb's row.
pub struct Allowed {
    inner: Arc<dyn Kms>,
    verb: String,
    undeclared: Undeclared,
}

impl Allowed {
    /// Puts the row of `verb` in front of `inner`.
    pub fn new(inner: Arc<dyn Kms>, verb: &str, undeclared: Undeclared) -> Allowed {
        Allowed { inner, verb: verb.to_owned(), undeclared }
    }

    fn may(&self, operation: &'static str) -> Result<&dyn Kms, KmsError> {
        self.undeclared.check(&self.verb, "kms", operation)?;
        Ok(&*self.inner)
    }
}

impl Kms for Allowed {
    fn caller(&self) -> Result<Traced<Caller>, KmsError> {
        self.undeclared.check(&self.verb, "sts", "GetCallerIdentity")?;
        self.inner.caller()
    }
    fn region(&self) -> String {
        self.inner.region()
    }
    fn create_key(&self, new: &NewKey) -> Result<Traced<KeyDescription>, KmsError> {
        self.may("CreateKey")?.create_key(new)
    }
    fn describe_key(&self, key: &str) -> Result<Traced<KeyDescription>, KmsError> {
        self.may("DescribeKey")?.describe_key(key)
    }
    fn list_aliases(&self) -> Result<Traced<Vec<Alias>>, KmsError> {
        self.may("ListAliases")?.list_aliases()
    }
    fn create_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("CreateAlias")?.create_alias(alias, key_id)
    }
    fn update_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("UpdateAlias")?.update_alias(alias, key_id)
    }
    fn delete_alias(&self, alias: &str) -> Result<Traced<()>, KmsError> {
        self.may("DeleteAlias")?.delete_alias(alias)
    }
    fn tag_key(&self, key_id: &str, tags: &BTreeMap<String, String>) -> Result<Traced<()>, KmsError> {
        self.may("TagResource")?.tag_key(key_id, tags)
    }
    fn key_tags(&self, key_id: &str) -> Result<Traced<BTreeMap<String, String>>, KmsError> {
        self.may("ListResourceTags")?.key_tags(key_id)
    }
    fn generate_data_key(&self, key: &str, context: &Context) -> Result<Traced<DataKey>, KmsError> {
        self.may("GenerateDataKey")?.generate_data_key(key, context)
    }
    fn generate_data_key_without_plaintext(
        &self,
        key: &str,
        context: &Context,
    ) -> Result<Traced<WrappedKey>, KmsError> {
        self.may("GenerateDataKeyWithoutPlaintext")?.generate_data_key_without_plaintext(key, context)
    }
    fn encrypt(&self, key: &str, plaintext: &[u8], context: &Context) -> Result<Traced<WrappedKey>, KmsError> {
        self.may("Encrypt")?.encrypt(key, plaintext, context)
    }
    fn decrypt(&self, key: Option<&str>, ciphertext: &[u8], context: &Context) -> Result<Traced<Decrypted>, KmsError> {
        self.may("Decrypt")?.decrypt(key, ciphertext, context)
    }
    fn enable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("EnableKey")?.enable_key(key_id)
    }
    fn disable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("DisableKey")?.disable_key(key_id)
    }
    fn schedule_key_deletion(&self, key_id: &str, days: u32) -> Result<Traced<KeyDescription>, KmsError> {
        self.may("ScheduleKeyDeletion")?.schedule_key_deletion(key_id, days)
    }
    fn cancel_key_deletion(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("CancelKeyDeletion")?.cancel_key_deletion(key_id)
    }
    fn enable_key_rotation(&self, key_id: &str, days: u32) -> Result<Traced<()>, KmsError> {
        self.may("EnableKeyRotation")?.enable_key_rotation(key_id, days)
    }
    fn disable_key_rotation(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("DisableKeyRotation")?.disable_key_rotation(key_id)
    }
    fn key_rotation_status(&self, key_id: &str) -> Result<Traced<RotationStatus>, KmsError> {
        self.may("GetKeyRotationStatus")?.key_rotation_status(key_id)
    }
    fn list_keys(&self) -> Result<Traced<Vec<String>>, KmsError> {
        self.may("ListKeys")?.list_keys()
    }
    fn key_policy(&self, key_id: &str) -> Result<Traced<String>, KmsError> {
        self.may("GetKeyPolicy")?.key_policy(key_id)
    }
    fn put_key_policy(&self, key_id: &str, policy: &str) -> Result<Traced<()>, KmsError> {
        self.may("PutKeyPolicy")?.put_key_policy(key_id, policy)
    }
    fn untag_key(&self, key_id: &str, names: &[String]) -> Result<Traced<()>, KmsError> {
        self.may("UntagResource")?.untag_key(key_id, names)
    }
    fn describe_as(&self, key_id: &str, description: &str) -> Result<Traced<()>, KmsError> {
        self.may("UpdateKeyDescription")?.describe_as(key_id, description)
    }
    fn re_encrypt(&self, what: ReEncrypt<'_>) -> Result<Traced<ReWrapped>, KmsError> {
        self.may("ReEncrypt")?.re_encrypt(what)
    }
    fn rehearse(&self, call: Rehearsal<'_>) -> Result<Traced<()>, KmsError> {
        // KMS judges a rehearsal by the permission for the call itself.
        let operation = match call {
            Rehearsal::GenerateDataKey { .. } => "GenerateDataKey",
            Rehearsal::Encrypt { .. } => "Encrypt",
            Rehearsal::Decrypt { .. } => "Decrypt",
            Rehearsal::ReEncrypt(_) => "ReEncrypt",
        };
        self.may(operation)?.rehearse(call)
    }
    fn list_grants(&self, key_id: &str) -> Result<Traced<Vec<Grant>>, KmsError> {
        self.may("ListGrants")?.list_grants(key_id)
    }
    fn revoke_grant(&self, key_id: &str, grant_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("RevokeGrant")?.revoke_grant(key_id, grant_id)
    }
    fn key_last_use(&self, key_id: &str) -> Result<Traced<KeyUse>, KmsError> {
        self.may("GetKeyLastUsage")?.key_last_use(key_id)
    }
    fn rotate_on_demand(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.may("RotateKeyOnDemand")?.rotate_on_demand(key_id)
    }
    fn key_materials(&self, key_id: &str) -> Result<Traced<Vec<MaterialRotation>>, KmsError> {
        self.may("ListKeyRotations")?.key_materials(key_id)
    }
    fn replicate_key(&self, key_id: &str, new: &NewReplica) -> Result<Traced<KeyDescription>, KmsError> {
        self.may("ReplicateKey")?.replicate_key(key_id, new)
    }
    fn in_region(&self, region: &str) -> Result<Arc<dyn Kms>, KmsError> {
        let inner = self.inner.in_region(region)?;
        Ok(Arc::new(Allowed { inner, verb: self.verb.clone(), undeclared: self.undeclared.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{Engine, InProcess, Kek};

    fn world(verb: &str) -> (tempfile::TempDir, Allowed, Engine) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let kek = Kek::parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").expect("32 bytes");
        let engine = Engine::open(&dir.path().join("kms"), kek).expect("an empty engine");
        let inner = Arc::new(InProcess::new(engine.clone(), "us-west-2"));
        (dir, Allowed::new(inner, verb, Undeclared::default()), engine)
    }

    #[test]
    fn what_the_row_does_not_name_is_not_sent_and_not_forgotten() {
        let (_dir, kms, engine) = world("context");
        assert!(kms.caller().is_ok() && kms.undeclared.first().is_none());
        let before = engine.requests(0).len();
        for refused in [kms.list_keys().map(drop), kms.create_key(&NewKey::default()).map(drop)] {
            assert_eq!(refused.expect_err("refused").kind, KmsErrorKind::Unsupported);
        }
        assert_eq!(engine.requests(0).len(), before);
        assert_eq!(kms.undeclared.first(), Some("kms:ListKeys by context"));
    }

    #[test]
    fn another_region_and_a_rehearsal_ask_for_no_less() {
        let (_dir, kms, _engine) = world("context");
        let elsewhere = kms.in_region("eu-west-1").expect("a sibling");
        assert!(elsewhere.list_keys().is_err());
        let context = Context::new();
        let call = Rehearsal::Encrypt { key: "alias/x", context: &context };
        assert_eq!(kms.rehearse(call).expect_err("refused").operation, "Encrypt");
        assert_eq!(kms.undeclared.first(), Some("kms:ListKeys by context"));
    }
}
