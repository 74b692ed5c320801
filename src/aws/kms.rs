//! The `Kms` port over aws-sdk-kms and aws-sdk-sts. Plaintext is moved into wiping buffers the moment it arrives; the SDK's own HTTP
//! buffers are beyond our reach.

use super::connect::AwsKms;
use super::reached::{self, REQUEST_TAG};
use super::terms::{self, described, incomplete, pairs, required, tag_list, timestamp};
use crate::core::dek::Dek;
use crate::core::kms::{
    Alias, Caller, Context, DataKey, Decrypted, Grant, KeyDescription, KeyUse, Kms, KmsError, KmsErrorKind,
    MaterialRotation, NewKey, NewReplica, ReEncrypt, ReWrapped, Rehearsal, RotationStatus, Traced, WrappedKey,
};
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, IncludeKeyMaterial, KeySpec, KeyUsageType};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The only policy a key has. Not every endpoint knows that it is the default.
const POLICY: &str = "default";

/// Configuration of a call that must not be sent twice.
pub(super) fn once() -> aws_sdk_kms::config::Builder {
    aws_sdk_kms::config::Builder::new().retry_config(RetryConfig::disabled())
}

impl AwsKms {
    pub(super) fn call<O, E>(
        &self,
        operation: &'static str,
        sent: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<Traced<O>, KmsError>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.connection.call(operation, sent)
    }

    fn find_by_request(&self, request: &str) -> Result<Option<KeyDescription>, KmsError> {
        for id in self.list_keys()?.value {
            // A key whose tags may not be read is not one we just made.
            let Ok(tags) = self.key_tags(&id) else { continue };
            if tags.value.get(REQUEST_TAG).is_some_and(|value| value == request) {
                return Ok(Some(self.describe_key(&id)?.value));
            }
        }
        Ok(None)
    }
}

impl Kms for AwsKms {
    fn caller(&self) -> Result<Traced<Caller>, KmsError> {
        let who = self.call("GetCallerIdentity", self.sts.get_caller_identity().send())?;
        Ok(who.map(|who| Caller { account: who.account.unwrap_or_default(), arn: who.arn.unwrap_or_default() }))
    }

    fn region(&self) -> String {
        self.region.clone()
    }

    fn create_key(&self, new: &NewKey) -> Result<Traced<KeyDescription>, KmsError> {
        let mut tags = new.tags.clone();
        let request = tags.entry(REQUEST_TAG.to_owned()).or_insert_with(|| uuid::Uuid::new_v4().to_string()).clone();
        let call = self
            .kms
            .create_key()
            .key_spec(KeySpec::SymmetricDefault)
            .key_usage(KeyUsageType::EncryptDecrypt)
            .description(&new.description)
            .multi_region(new.multi_region)
            .set_policy(new.policy.clone())
            .set_tags(Some(tag_list("CreateKey", &tags)?));
        let mut error = match self.call("CreateKey", call.customize().config_override(once()).send()) {
            Ok(made) => return described("CreateKey", made.map(|made| made.key_metadata)),
            Err(error) => error,
        };
        if error.is_ambiguous() {
            for pause in reached::LOOKS {
                std::thread::sleep(pause);
                match self.find_by_request(&request) {
                    Ok(Some(value)) => return Ok(Traced { value, request_id: error.request_id }),
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
            error.message.push_str(&format!("; if a key was made, its tag {REQUEST_TAG} is {request}"));
        }
        Err(error)
    }

    fn describe_key(&self, key: &str) -> Result<Traced<KeyDescription>, KmsError> {
        let described_key = self.call("DescribeKey", self.kms.describe_key().key_id(key).send())?;
        described("DescribeKey", described_key.map(|d| d.key_metadata))
    }

    fn list_aliases(&self) -> Result<Traced<Vec<Alias>>, KmsError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let page = self.call("ListAliases", self.kms.list_aliases().set_marker(marker).send())?;
            for alias in page.value.aliases.unwrap_or_default() {
                all.push(Alias { name: alias.alias_name.unwrap_or_default(), target_key_id: alias.target_key_id });
            }
            marker = page.value.next_marker;
            if marker.is_none() {
                return Ok(Traced { value: all, request_id: page.request_id });
            }
        }
    }

    fn create_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.create_alias().alias_name(alias).target_key_id(key_id).customize().config_override(once());
        match self.call("CreateAlias", call.send()) {
            Ok(done) => Ok(done.map(drop)),
            Err(error) => reached::alias_points(self, alias, Some(key_id), error),
        }
    }

    fn update_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.update_alias().alias_name(alias).target_key_id(key_id);
        Ok(self.call("UpdateAlias", call.send())?.map(drop))
    }

    fn delete_alias(&self, alias: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.delete_alias().alias_name(alias).customize().config_override(once());
        match self.call("DeleteAlias", call.send()) {
            Ok(done) => Ok(done.map(drop)),
            Err(error) => reached::alias_points(self, alias, None, error),
        }
    }

    fn tag_key(&self, key_id: &str, tags: &BTreeMap<String, String>) -> Result<Traced<()>, KmsError> {
        let call = self.kms.tag_resource().key_id(key_id).set_tags(Some(tag_list("TagResource", tags)?));
        Ok(self.call("TagResource", call.send())?.map(drop))
    }

    fn key_tags(&self, key_id: &str) -> Result<Traced<BTreeMap<String, String>>, KmsError> {
        let mut all = BTreeMap::new();
        let mut marker = None;
        loop {
            let call = self.kms.list_resource_tags().key_id(key_id).set_marker(marker);
            let page = self.call("ListResourceTags", call.send())?;
            all.extend(page.value.tags.unwrap_or_default().into_iter().map(|tag| (tag.tag_key, tag.tag_value)));
            marker = page.value.next_marker;
            if marker.is_none() {
                return Ok(Traced { value: all, request_id: page.request_id });
            }
        }
    }

    fn generate_data_key(&self, key: &str, context: &Context) -> Result<Traced<DataKey>, KmsError> {
        const OPERATION: &str = "GenerateDataKey";
        let call = self.kms.generate_data_key().key_id(key).key_spec(DataKeySpec::Aes256);
        let made = self.call(OPERATION, call.set_encryption_context(pairs(context)).send())?;
        let request_id = made.request_id;
        let bare = Zeroizing::new(made.value.plaintext.map(Blob::into_inner).unwrap_or_default());
        let dek = Dek::parse(bare).map_err(|e| incomplete(OPERATION, &e.to_string(), &request_id))?;
        let wrapped = required(OPERATION, made.value.ciphertext_blob.map(Blob::into_inner), &request_id)?;
        let key_arn = required(OPERATION, made.value.key_id, &request_id)?;
        Ok(Traced { value: DataKey { dek, wrapped, key_arn, material_id: made.value.key_material_id }, request_id })
    }

    fn generate_data_key_without_plaintext(
        &self,
        key: &str,
        context: &Context,
    ) -> Result<Traced<WrappedKey>, KmsError> {
        const OPERATION: &str = "GenerateDataKeyWithoutPlaintext";
        let call = self.kms.generate_data_key_without_plaintext().key_id(key).key_spec(DataKeySpec::Aes256);
        let made = self.call(OPERATION, call.set_encryption_context(pairs(context)).send())?;
        let request_id = made.request_id;
        let wrapped = required(OPERATION, made.value.ciphertext_blob.map(Blob::into_inner), &request_id)?;
        let key_arn = required(OPERATION, made.value.key_id, &request_id)?;
        Ok(Traced { value: WrappedKey { wrapped, key_arn, material_id: made.value.key_material_id }, request_id })
    }

    fn encrypt(&self, key: &str, plaintext: &[u8], context: &Context) -> Result<Traced<WrappedKey>, KmsError> {
        let call = self.kms.encrypt().key_id(key).plaintext(Blob::new(plaintext));
        let made = self.call("Encrypt", call.set_encryption_context(pairs(context)).send())?;
        let request_id = made.request_id;
        let wrapped = required("Encrypt", made.value.ciphertext_blob.map(Blob::into_inner), &request_id)?;
        let key_arn = required("Encrypt", made.value.key_id, &request_id)?;
        Ok(Traced { value: WrappedKey { wrapped, key_arn, material_id: None }, request_id })
    }

    fn decrypt(&self, key: Option<&str>, ciphertext: &[u8], context: &Context) -> Result<Traced<Decrypted>, KmsError> {
        let call = self.kms.decrypt().set_key_id(key.map(str::to_owned)).ciphertext_blob(Blob::new(ciphertext));
        let opened = self.call("Decrypt", call.set_encryption_context(pairs(context)).send())?;
        let request_id = opened.request_id;
        let plaintext = opened.value.plaintext.map(|blob| Zeroizing::new(blob.into_inner()));
        let plaintext = required("Decrypt", plaintext, &request_id)?;
        let key_arn = required("Decrypt", opened.value.key_id, &request_id)?;
        Ok(Traced { value: Decrypted { plaintext, key_arn, material_id: opened.value.key_material_id }, request_id })
    }

    fn enable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        Ok(self.call("EnableKey", self.kms.enable_key().key_id(key_id).send())?.map(drop))
    }

    fn disable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        Ok(self.call("DisableKey", self.kms.disable_key().key_id(key_id).send())?.map(drop))
    }

    fn schedule_key_deletion(&self, key_id: &str, days: u32) -> Result<Traced<KeyDescription>, KmsError> {
        const OPERATION: &str = "ScheduleKeyDeletion";
        let days = i32::try_from(days).map_err(|_| {
            KmsError::new(KmsErrorKind::Invalid, OPERATION, format!("a deletion window of {days} days"))
        })?;
        let call = self.kms.schedule_key_deletion().key_id(key_id).pending_window_in_days(days);
        let scheduled = match self.call(OPERATION, call.customize().config_override(once()).send()) {
            Ok(scheduled) => scheduled,
            Err(error) => return reached::deletion_pending(self, key_id, error),
        };
        match self.describe_key(key_id) {
            Ok(key) => Ok(Traced { value: key.value, request_id: scheduled.request_id }),
            Err(error) => {
                let message = format!("the deletion is scheduled, but the key could not be described: {error}");
                Err(KmsError { message, operation: OPERATION, request_id: scheduled.request_id, ..error })
            }
        }
    }

    fn cancel_key_deletion(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.cancel_key_deletion().key_id(key_id).customize().config_override(once());
        match self.call("CancelKeyDeletion", call.send()) {
            Ok(done) => Ok(done.map(drop)),
            Err(error) => reached::deletion_cancelled(self, key_id, error),
        }
    }

    fn enable_key_rotation(&self, key_id: &str, days: u32) -> Result<Traced<()>, KmsError> {
        const OPERATION: &str = "EnableKeyRotation";
        let days = i32::try_from(days).map_err(|_| {
            KmsError::new(KmsErrorKind::Invalid, OPERATION, format!("a rotation period of {days} days"))
        })?;
        let call = self.kms.enable_key_rotation().key_id(key_id).rotation_period_in_days(days);
        Ok(self.call(OPERATION, call.send())?.map(drop))
    }

    fn disable_key_rotation(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        Ok(self.call("DisableKeyRotation", self.kms.disable_key_rotation().key_id(key_id).send())?.map(drop))
    }

    fn key_rotation_status(&self, key_id: &str) -> Result<Traced<RotationStatus>, KmsError> {
        let status = self.call("GetKeyRotationStatus", self.kms.get_key_rotation_status().key_id(key_id).send())?;
        Ok(status.map(|status| RotationStatus {
            enabled: status.key_rotation_enabled,
            period_days: status.rotation_period_in_days.and_then(|days| u32::try_from(days).ok()),
            next_at: status.next_rotation_date.and_then(timestamp),
            on_demand_since: status.on_demand_rotation_start_date.and_then(timestamp),
        }))
    }

    fn list_keys(&self) -> Result<Traced<Vec<String>>, KmsError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let page = self.call("ListKeys", self.kms.list_keys().set_marker(marker).send())?;
            all.extend(page.value.keys.unwrap_or_default().into_iter().filter_map(|key| key.key_id));
            marker = page.value.next_marker;
            if marker.is_none() {
                return Ok(Traced { value: all, request_id: page.request_id });
            }
        }
    }

    fn key_policy(&self, key_id: &str) -> Result<Traced<String>, KmsError> {
        let call = self.kms.get_key_policy().key_id(key_id).policy_name(POLICY);
        let told = self.call("GetKeyPolicy", call.send())?;
        let value = required("GetKeyPolicy", told.value.policy, &told.request_id)?;
        Ok(Traced { value, request_id: told.request_id })
    }

    fn put_key_policy(&self, key_id: &str, policy: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.put_key_policy().key_id(key_id).policy_name(POLICY).policy(policy);
        Ok(self.call("PutKeyPolicy", call.send())?.map(drop))
    }

    fn untag_key(&self, key_id: &str, names: &[String]) -> Result<Traced<()>, KmsError> {
        let call = self.kms.untag_resource().key_id(key_id).set_tag_keys(Some(names.to_vec()));
        Ok(self.call("UntagResource", call.send())?.map(drop))
    }

    fn describe_as(&self, key_id: &str, description: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.update_key_description().key_id(key_id).description(description);
        Ok(self.call("UpdateKeyDescription", call.send())?.map(drop))
    }

    fn re_encrypt(&self, what: ReEncrypt<'_>) -> Result<Traced<ReWrapped>, KmsError> {
        const OPERATION: &str = "ReEncrypt";
        let made = self.call(OPERATION, self.re_encryption(what).send())?;
        let request_id = made.request_id;
        let value = ReWrapped {
            wrapped: required(OPERATION, made.value.ciphertext_blob.map(Blob::into_inner), &request_id)?,
            source_arn: required(OPERATION, made.value.source_key_id, &request_id)?,
            source_material_id: made.value.source_key_material_id,
            key_arn: required(OPERATION, made.value.key_id, &request_id)?,
            material_id: made.value.destination_key_material_id,
        };
        Ok(Traced { value, request_id })
    }

    fn rehearse(&self, call: Rehearsal<'_>) -> Result<Traced<()>, KmsError> {
        self.judge(call)
    }

    fn list_grants(&self, key_id: &str) -> Result<Traced<Vec<Grant>>, KmsError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let page = self.call("ListGrants", self.kms.list_grants().key_id(key_id).set_marker(marker).send())?;
            all.extend(page.value.grants.unwrap_or_default().into_iter().map(terms::grant));
            marker = page.value.next_marker;
            if marker.is_none() {
                return Ok(Traced { value: all, request_id: page.request_id });
            }
        }
    }

    fn revoke_grant(&self, key_id: &str, grant_id: &str) -> Result<Traced<()>, KmsError> {
        let call = self.kms.revoke_grant().key_id(key_id).grant_id(grant_id).customize().config_override(once());
        match self.call("RevokeGrant", call.send()) {
            Ok(done) => Ok(done.map(drop)),
            Err(error) => reached::grant_gone(self, key_id, grant_id, error),
        }
    }

    fn key_last_use(&self, key_id: &str) -> Result<Traced<KeyUse>, KmsError> {
        let told = self.call("GetKeyLastUsage", self.kms.get_key_last_usage().key_id(key_id).send())?;
        let last = told.value.key_last_usage;
        let value = KeyUse {
            used_at: last.as_ref().and_then(|used| used.timestamp).and_then(timestamp),
            operation: last.and_then(|used| used.operation).map(|operation| operation.as_str().to_owned()),
            tracked_since: told.value.tracking_start_date.and_then(timestamp),
        };
        Ok(Traced { value, request_id: told.request_id })
    }

    fn rotate_on_demand(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        // What was there before, to tell a rotation of ours if the answer is lost.
        let before = self.key_materials(key_id);
        let call = self.kms.rotate_key_on_demand().key_id(key_id).customize().config_override(once());
        match self.call("RotateKeyOnDemand", call.send()) {
            Ok(begun) => Ok(begun.map(drop)),
            Err(error) => reached::rotation_begun(self, key_id, before.ok(), error),
        }
    }

    fn key_materials(&self, key_id: &str) -> Result<Traced<Vec<MaterialRotation>>, KmsError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let call = self.kms.list_key_rotations().key_id(key_id).set_marker(marker);
            let page =
                self.call("ListKeyRotations", call.include_key_material(IncludeKeyMaterial::AllKeyMaterial).send())?;
            all.extend(page.value.rotations.unwrap_or_default().into_iter().map(terms::material));
            marker = page.value.next_marker;
            if marker.is_none() {
                // The order of the service is not documented; the first material alone has no date.
                all.sort_by_key(|material| material.rotated_at);
                return Ok(Traced { value: all, request_id: page.request_id });
            }
        }
    }

    fn replicate_key(&self, key_id: &str, new: &NewReplica) -> Result<Traced<KeyDescription>, KmsError> {
        let mut tags = new.tags.clone();
        let request = tags.entry(REQUEST_TAG.to_owned()).or_insert_with(|| uuid::Uuid::new_v4().to_string()).clone();
        let call = self
            .kms
            .replicate_key()
            .key_id(key_id)
            .replica_region(&new.region)
            .description(&new.description)
            .set_policy(new.policy.clone())
            .set_tags(Some(tag_list("ReplicateKey", &tags)?));
        match self.call("ReplicateKey", call.customize().config_override(once()).send()) {
            Ok(made) => described("ReplicateKey", made.map(|made| made.replica_key_metadata)),
            Err(error) => reached::replica_made(&self.sibling(&new.region), key_id, &request, error),
        }
    }

    fn in_region(&self, region: &str) -> Result<Arc<dyn Kms>, KmsError> {
        Ok(Arc::new(self.sibling(region)))
    }
}
