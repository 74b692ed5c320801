//! Every call of the port, each with the class it is paced by.

use super::{Class, Guarded};
use crate::core::kms::{
    Alias, Caller, Context, DataKey, Decrypted, Grant, KeyDescription, KeyUse, Kms, KmsError, MaterialRotation, NewKey,
    NewReplica, ReEncrypt, ReWrapped, Rehearsal, RotationStatus, Traced, WrappedKey,
};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Kms for Guarded {
    fn caller(&self) -> Result<Traced<Caller>, KmsError> {
        self.call("GetCallerIdentity", Class::Read, || self.inner.caller())
    }
    fn region(&self) -> String {
        self.inner.region()
    }
    fn create_key(&self, new: &NewKey) -> Result<Traced<KeyDescription>, KmsError> {
        self.call("CreateKey", Class::Change, || self.inner.create_key(new))
    }
    fn describe_key(&self, key: &str) -> Result<Traced<KeyDescription>, KmsError> {
        self.call("DescribeKey", Class::Read, || self.inner.describe_key(key))
    }
    fn list_aliases(&self) -> Result<Traced<Vec<Alias>>, KmsError> {
        self.call("ListAliases", Class::Read, || self.inner.list_aliases())
    }
    fn create_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("CreateAlias", Class::Change, || self.inner.create_alias(alias, key_id))
    }
    fn update_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("UpdateAlias", Class::Change, || self.inner.update_alias(alias, key_id))
    }
    fn delete_alias(&self, alias: &str) -> Result<Traced<()>, KmsError> {
        self.call("DeleteAlias", Class::Change, || self.inner.delete_alias(alias))
    }
    fn tag_key(&self, key_id: &str, tags: &BTreeMap<String, String>) -> Result<Traced<()>, KmsError> {
        self.call("TagResource", Class::Change, || self.inner.tag_key(key_id, tags))
    }
    fn key_tags(&self, key_id: &str) -> Result<Traced<BTreeMap<String, String>>, KmsError> {
        self.call("ListResourceTags", Class::Read, || self.inner.key_tags(key_id))
    }
    fn generate_data_key(&self, key: &str, context: &Context) -> Result<Traced<DataKey>, KmsError> {
        self.call("GenerateDataKey", Class::Read, || self.inner.generate_data_key(key, context))
    }
    fn generate_data_key_without_plaintext(
        &self,
        key: &str,
        context: &Context,
    ) -> Result<Traced<WrappedKey>, KmsError> {
        let send = || self.inner.generate_data_key_without_plaintext(key, context);
        self.call("GenerateDataKeyWithoutPlaintext", Class::Read, send)
    }
    fn encrypt(&self, key: &str, plaintext: &[u8], context: &Context) -> Result<Traced<WrappedKey>, KmsError> {
        self.call("Encrypt", Class::Read, || self.inner.encrypt(key, plaintext, context))
    }
    fn decrypt(&self, key: Option<&str>, ciphertext: &[u8], context: &Context) -> Result<Traced<Decrypted>, KmsError> {
        self.call("Decrypt", Class::Read, || self.inner.decrypt(key, ciphertext, context))
    }
    fn enable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("EnableKey", Class::Change, || self.inner.enable_key(key_id))
    }
    fn disable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("DisableKey", Class::Change, || self.inner.disable_key(key_id))
    }
    fn schedule_key_deletion(&self, key_id: &str, days: u32) -> Result<Traced<KeyDescription>, KmsError> {
        self.call("ScheduleKeyDeletion", Class::Change, || self.inner.schedule_key_deletion(key_id, days))
    }
    fn cancel_key_deletion(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("CancelKeyDeletion", Class::Change, || self.inner.cancel_key_deletion(key_id))
    }
    fn enable_key_rotation(&self, key_id: &str, days: u32) -> Result<Traced<()>, KmsError> {
        self.call("EnableKeyRotation", Class::Change, || self.inner.enable_key_rotation(key_id, days))
    }
    fn disable_key_rotation(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("DisableKeyRotation", Class::Change, || self.inner.disable_key_rotation(key_id))
    }
    fn key_rotation_status(&self, key_id: &str) -> Result<Traced<RotationStatus>, KmsError> {
        self.call("GetKeyRotationStatus", Class::Read, || self.inner.key_rotation_status(key_id))
    }
    fn list_keys(&self) -> Result<Traced<Vec<String>>, KmsError> {
        self.call("ListKeys", Class::Read, || self.inner.list_keys())
    }
    fn key_policy(&self, key_id: &str) -> Result<Traced<String>, KmsError> {
        self.call("GetKeyPolicy", Class::Read, || self.inner.key_policy(key_id))
    }
    fn put_key_policy(&self, key_id: &str, policy: &str) -> Result<Traced<()>, KmsError> {
        self.call("PutKeyPolicy", Class::Change, || self.inner.put_key_policy(key_id, policy))
    }
    fn untag_key(&self, key_id: &str, names: &[String]) -> Result<Traced<()>, KmsError> {
        self.call("UntagResource", Class::Change, || self.inner.untag_key(key_id, names))
    }
    fn describe_as(&self, key_id: &str, description: &str) -> Result<Traced<()>, KmsError> {
        self.call("UpdateKeyDescription", Class::Change, || self.inner.describe_as(key_id, description))
    }
    fn re_encrypt(&self, what: ReEncrypt<'_>) -> Result<Traced<ReWrapped>, KmsError> {
        self.call("ReEncrypt", Class::Read, || self.inner.re_encrypt(what))
    }
    fn rehearse(&self, call: Rehearsal<'_>) -> Result<Traced<()>, KmsError> {
        self.call("DryRun", Class::Read, || self.inner.rehearse(call))
    }
    fn list_grants(&self, key_id: &str) -> Result<Traced<Vec<Grant>>, KmsError> {
        self.call("ListGrants", Class::Read, || self.inner.list_grants(key_id))
    }
    fn revoke_grant(&self, key_id: &str, grant_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("RevokeGrant", Class::Change, || self.inner.revoke_grant(key_id, grant_id))
    }
    fn key_last_use(&self, key_id: &str) -> Result<Traced<KeyUse>, KmsError> {
        self.call("GetKeyLastUsage", Class::Read, || self.inner.key_last_use(key_id))
    }
    fn rotate_on_demand(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.call("RotateKeyOnDemand", Class::Change, || self.inner.rotate_on_demand(key_id))
    }
    fn key_materials(&self, key_id: &str) -> Result<Traced<Vec<MaterialRotation>>, KmsError> {
        self.call("ListKeyRotations", Class::Read, || self.inner.key_materials(key_id))
    }
    fn replicate_key(&self, key_id: &str, new: &NewReplica) -> Result<Traced<KeyDescription>, KmsError> {
        self.call("ReplicateKey", Class::Change, || self.inner.replicate_key(key_id, new))
    }
    /// Sends nothing. The sibling has the same pace and voice and a limiter and breaker of its own: quotas and outages are regional.
    fn in_region(&self, region: &str) -> Result<Arc<dyn Kms>, KmsError> {
        Ok(Arc::new(Guarded {
            inner: self.inner.in_region(region)?,
            pace: Arc::clone(&self.pace),
            gates: Arc::clone(&self.gates),
        }))
    }
}
