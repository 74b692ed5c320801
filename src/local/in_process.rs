//! The first door: the engine as a `Kms`, without a network. Provider `local`, and the quick half of the contract suite.

mod terms;

use self::terms::{data_key, description, only, tag_list, traced, unexpected, wrapped};
use super::answer::{Answer, Sealed};
use super::call::{self, Call};
use super::engine::{Delivery, Engine, Origin};
use super::secret::{Blob, Secret};
use crate::core::dek::Dek;
use crate::core::kms::{
    Alias, Caller, Context, DataKey, Decrypted, Grant, KeyDescription, KeyUse, Kms, KmsError, KmsErrorKind,
    MaterialRotation, NewKey, NewReplica, ReEncrypt, ReWrapped, Rehearsal, RotationStatus, Traced, WrappedKey,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The embedded KMS in this process, seen from one region.
pub struct InProcess {
    engine: Engine,
    origin: Origin,
}

impl InProcess {
    /// A view of the engine from `region`.
    pub fn new(engine: Engine, region: impl Into<String>) -> InProcess {
        InProcess {
            engine,
            origin: Origin { region: region.into(), access_key: None, user_agent: Some("in-process".to_owned()) },
        }
    }

    fn call(&self, call: Call) -> Result<(Answer, String), KmsError> {
        let operation = call.operation();
        let outcome = self.engine.call(&self.origin, Ok(call), operation);
        match outcome.delivery {
            Delivery::Prompt => {}
            Delivery::Withheld => {
                return Err(KmsError::new(KmsErrorKind::Unreachable, operation, "no answer within the time limit"));
            }
            Delivery::Lost => {
                return Err(KmsError::new(
                    KmsErrorKind::Unreachable,
                    operation,
                    "the connection closed before the answer",
                ));
            }
        }
        match outcome.result {
            Ok(answer) => Ok((answer, outcome.request_id)),
            Err(refusal) => Err(refusal.into_kms_error(operation, outcome.request_id)),
        }
    }

    fn done(&self, call: Call) -> Result<Traced<()>, KmsError> {
        let (_, request_id) = self.call(call)?;
        Ok(traced((), request_id))
    }

    /// Every page of a list.
    fn all<T>(
        &self,
        ask: impl Fn(Option<String>) -> Call,
        page: impl Fn(Answer) -> Option<(Vec<T>, Option<String>)>,
    ) -> Result<Traced<Vec<T>>, KmsError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let call = ask(marker);
            let operation = call.operation();
            let (answer, request_id) = self.call(call)?;
            let (items, next) = page(answer).ok_or_else(|| unexpected(operation))?;
            all.extend(items);
            marker = next;
            if marker.is_none() {
                return Ok(traced(all, request_id));
            }
        }
    }

    fn sealed(&self, call: Call) -> Result<(Sealed, String), KmsError> {
        let operation = call.operation();
        match self.call(call)? {
            (Answer::Sealed(sealed), request_id) => Ok((sealed, request_id)),
            _ => Err(unexpected(operation)),
        }
    }
}

impl Kms for InProcess {
    fn caller(&self) -> Result<Traced<Caller>, KmsError> {
        match self.call(Call::GetCallerIdentity(call::Nothing {}))? {
            (Answer::Caller(who), request_id) => Ok(traced(Caller { account: who.account, arn: who.arn }, request_id)),
            _ => Err(unexpected("GetCallerIdentity")),
        }
    }

    fn region(&self) -> String {
        self.origin.region.clone()
    }

    fn create_key(&self, new: &NewKey) -> Result<Traced<KeyDescription>, KmsError> {
        let request = call::CreateKey {
            description: Some(new.description.clone()),
            multi_region: Some(new.multi_region),
            policy: new.policy.clone(),
            tags: tag_list(&new.tags),
            ..Default::default()
        };
        match self.call(Call::CreateKey(request))? {
            (Answer::Key(key), request_id) => Ok(traced(description(key.key_metadata), request_id)),
            _ => Err(unexpected("CreateKey")),
        }
    }

    fn describe_key(&self, key: &str) -> Result<Traced<KeyDescription>, KmsError> {
        match self.call(Call::DescribeKey(only(key)))? {
            (Answer::Key(key), request_id) => Ok(traced(description(key.key_metadata), request_id)),
            _ => Err(unexpected("DescribeKey")),
        }
    }

    fn list_aliases(&self) -> Result<Traced<Vec<Alias>>, KmsError> {
        let ask = |marker| Call::ListAliases(call::ListAliases { key_id: None, limit: None, marker });
        let all = self.all(ask, |answer| match answer {
            Answer::Aliases(page) => Some((page.aliases, page.next_marker)),
            _ => None,
        })?;
        Ok(all.map(|all| {
            all.into_iter().map(|a| Alias { name: a.alias_name, target_key_id: Some(a.target_key_id) }).collect()
        }))
    }

    fn create_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::CreateAlias(call::AliasAndKey {
            alias_name: alias.to_owned(),
            target_key_id: key_id.to_owned(),
        }))
    }

    fn update_alias(&self, alias: &str, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::UpdateAlias(call::AliasAndKey {
            alias_name: alias.to_owned(),
            target_key_id: key_id.to_owned(),
        }))
    }

    fn delete_alias(&self, alias: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::DeleteAlias(call::AliasOnly { alias_name: alias.to_owned() }))
    }

    fn tag_key(&self, key_id: &str, tags: &BTreeMap<String, String>) -> Result<Traced<()>, KmsError> {
        self.done(Call::TagResource(call::TagResource { key_id: key_id.to_owned(), tags: tag_list(tags) }))
    }

    fn key_tags(&self, key_id: &str) -> Result<Traced<BTreeMap<String, String>>, KmsError> {
        let ask = |marker| Call::ListResourceTags(call::KeyPage { key_id: key_id.to_owned(), limit: None, marker });
        let all = self.all(ask, |answer| match answer {
            Answer::Tags(page) => Some((page.tags, page.next_marker)),
            _ => None,
        })?;
        Ok(all.map(|all| all.into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    fn generate_data_key(&self, key: &str, context: &Context) -> Result<Traced<DataKey>, KmsError> {
        let (sealed, request_id) = self.sealed(Call::GenerateDataKey(data_key(key, context)))?;
        let bare = sealed.plaintext.ok_or_else(|| unexpected("GenerateDataKey"))?;
        let dek = Dek::parse(bare.0).map_err(|_| unexpected("GenerateDataKey"))?;
        let wrapped = sealed.ciphertext_blob.0;
        Ok(traced(DataKey { dek, wrapped, key_arn: sealed.key_id, material_id: sealed.key_material_id }, request_id))
    }

    fn generate_data_key_without_plaintext(
        &self,
        key: &str,
        context: &Context,
    ) -> Result<Traced<WrappedKey>, KmsError> {
        let (sealed, request_id) = self.sealed(Call::GenerateDataKeyWithoutPlaintext(data_key(key, context)))?;
        Ok(traced(wrapped(sealed), request_id))
    }

    fn encrypt(&self, key: &str, plaintext: &[u8], context: &Context) -> Result<Traced<WrappedKey>, KmsError> {
        let request = call::Encrypt {
            key_id: key.to_owned(),
            plaintext: Secret::copy_of(plaintext),
            encryption_context: context.clone(),
            encryption_algorithm: None,
            dry_run: None,
        };
        let (sealed, request_id) = self.sealed(Call::Encrypt(request))?;
        Ok(traced(wrapped(sealed), request_id))
    }

    fn decrypt(&self, key: Option<&str>, ciphertext: &[u8], context: &Context) -> Result<Traced<Decrypted>, KmsError> {
        let request = call::Decrypt {
            key_id: key.map(str::to_owned),
            ciphertext_blob: Some(Blob(ciphertext.to_vec())),
            encryption_context: context.clone(),
            encryption_algorithm: None,
            dry_run: None,
            dry_run_modifiers: Vec::new(),
        };
        match self.call(Call::Decrypt(request))? {
            (Answer::Opened(opened), request_id) => {
                let value = Decrypted {
                    plaintext: opened.plaintext.0,
                    key_arn: opened.key_id,
                    material_id: Some(opened.key_material_id),
                };
                Ok(traced(value, request_id))
            }
            _ => Err(unexpected("Decrypt")),
        }
    }

    fn enable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::EnableKey(only(key_id)))
    }

    fn disable_key(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::DisableKey(only(key_id)))
    }

    fn schedule_key_deletion(&self, key_id: &str, days: u32) -> Result<Traced<KeyDescription>, KmsError> {
        let request =
            call::ScheduleKeyDeletion { key_id: key_id.to_owned(), pending_window_in_days: Some(i64::from(days)) };
        let (_, request_id) = self.call(Call::ScheduleKeyDeletion(request))?;
        Ok(traced(self.describe_key(key_id)?.value, request_id))
    }

    fn cancel_key_deletion(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::CancelKeyDeletion(only(key_id)))
    }

    fn enable_key_rotation(&self, key_id: &str, days: u32) -> Result<Traced<()>, KmsError> {
        let request =
            call::EnableKeyRotation { key_id: key_id.to_owned(), rotation_period_in_days: Some(i64::from(days)) };
        self.done(Call::EnableKeyRotation(request))
    }

    fn disable_key_rotation(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::DisableKeyRotation(only(key_id)))
    }

    fn key_rotation_status(&self, key_id: &str) -> Result<Traced<RotationStatus>, KmsError> {
        match self.call(Call::GetKeyRotationStatus(only(key_id)))? {
            (Answer::Rotation(told), request_id) => Ok(traced(terms::rotation_status(told), request_id)),
            _ => Err(unexpected("GetKeyRotationStatus")),
        }
    }

    fn list_keys(&self) -> Result<Traced<Vec<String>>, KmsError> {
        let ask = |marker| Call::ListKeys(call::ListPage { limit: None, marker });
        let all = self.all(ask, |answer| match answer {
            Answer::Keys(page) => Some((page.keys, page.next_marker)),
            _ => None,
        })?;
        Ok(all.map(|all| all.into_iter().map(|key| key.key_id).collect()))
    }

    fn key_policy(&self, key_id: &str) -> Result<Traced<String>, KmsError> {
        let request = call::KeyPolicy { key_id: key_id.to_owned(), policy_name: None };
        match self.call(Call::GetKeyPolicy(request))? {
            (Answer::Policy(policy), request_id) => Ok(traced(policy.policy, request_id)),
            _ => Err(unexpected("GetKeyPolicy")),
        }
    }

    fn put_key_policy(&self, key_id: &str, policy: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::PutKeyPolicy(call::PutKeyPolicy {
            key_id: key_id.to_owned(),
            policy: policy.to_owned(),
            policy_name: None,
            bypass_policy_lockout_safety_check: None,
        }))
    }

    fn untag_key(&self, key_id: &str, names: &[String]) -> Result<Traced<()>, KmsError> {
        self.done(Call::UntagResource(call::UntagResource { key_id: key_id.to_owned(), tag_keys: names.to_vec() }))
    }

    fn describe_as(&self, key_id: &str, description: &str) -> Result<Traced<()>, KmsError> {
        let request = call::UpdateKeyDescription { key_id: key_id.to_owned(), description: description.to_owned() };
        self.done(Call::UpdateKeyDescription(request))
    }

    fn re_encrypt(&self, what: ReEncrypt<'_>) -> Result<Traced<ReWrapped>, KmsError> {
        match self.call(Call::ReEncrypt(terms::re_encrypt(what)))? {
            (Answer::ReEncrypted(made), request_id) => {
                let value = ReWrapped {
                    wrapped: made.ciphertext_blob.0,
                    source_arn: made.source_key_id,
                    source_material_id: Some(made.source_key_material_id),
                    key_arn: made.key_id,
                    material_id: Some(made.destination_key_material_id),
                };
                Ok(traced(value, request_id))
            }
            _ => Err(unexpected("ReEncrypt")),
        }
    }

    fn rehearse(&self, what: Rehearsal<'_>) -> Result<Traced<()>, KmsError> {
        let call = terms::rehearsal(what);
        let operation = call.operation();
        match self.call(call) {
            Err(error) if error.kind == KmsErrorKind::WouldSucceed => {
                Ok(Traced { value: (), request_id: error.request_id })
            }
            Err(error) => Err(error),
            Ok(_) => Err(unexpected(operation)),
        }
    }

    fn list_grants(&self, key_id: &str) -> Result<Traced<Vec<Grant>>, KmsError> {
        let ask =
            |marker| Call::ListGrants(call::ListGrants { key_id: key_id.to_owned(), marker, ..Default::default() });
        let all = self.all(ask, |answer| match answer {
            Answer::Grants(page) => Some((page.grants, page.next_marker)),
            _ => None,
        })?;
        Ok(all.map(|all| all.into_iter().map(terms::grant).collect()))
    }

    fn revoke_grant(&self, key_id: &str, grant_id: &str) -> Result<Traced<()>, KmsError> {
        let request = call::RevokeGrant { key_id: key_id.to_owned(), grant_id: grant_id.to_owned(), dry_run: None };
        self.done(Call::RevokeGrant(request))
    }

    fn key_last_use(&self, key_id: &str) -> Result<Traced<KeyUse>, KmsError> {
        match self.call(Call::GetKeyLastUsage(only(key_id)))? {
            (Answer::LastUsage(told), request_id) => {
                let value = KeyUse {
                    used_at: told.key_last_usage.timestamp,
                    operation: told.key_last_usage.operation.map(str::to_owned),
                    tracked_since: Some(told.tracking_start_date),
                };
                Ok(traced(value, request_id))
            }
            _ => Err(unexpected("GetKeyLastUsage")),
        }
    }

    fn rotate_on_demand(&self, key_id: &str) -> Result<Traced<()>, KmsError> {
        self.done(Call::RotateKeyOnDemand(only(key_id)))
    }

    fn key_materials(&self, key_id: &str) -> Result<Traced<Vec<MaterialRotation>>, KmsError> {
        let ask = |marker| {
            Call::ListKeyRotations(call::ListKeyRotations {
                key_id: key_id.to_owned(),
                include_key_material: Some("ALL_KEY_MATERIAL".to_owned()),
                limit: None,
                marker,
            })
        };
        let all = self.all(ask, |answer| match answer {
            Answer::Materials(page) => Some((page.rotations, page.next_marker)),
            _ => None,
        })?;
        Ok(all.map(|all| all.into_iter().map(terms::material).collect()))
    }

    fn replicate_key(&self, key_id: &str, new: &NewReplica) -> Result<Traced<KeyDescription>, KmsError> {
        let request = call::ReplicateKey {
            key_id: key_id.to_owned(),
            replica_region: new.region.clone(),
            policy: new.policy.clone(),
            bypass_policy_lockout_safety_check: None,
            description: Some(new.description.clone()),
            tags: tag_list(&new.tags),
        };
        match self.call(Call::ReplicateKey(request))? {
            (Answer::Replicated(made), request_id) => Ok(traced(description(made.replica_key_metadata), request_id)),
            _ => Err(unexpected("ReplicateKey")),
        }
    }

    fn in_region(&self, region: &str) -> Result<Arc<dyn Kms>, KmsError> {
        Ok(Arc::new(InProcess::new(self.engine.clone(), region)))
    }
}
