//! The first door: the engine as a `Kms`, without a network. Provider `local`, and the quick half of the contract suite.

use super::answer::{Answer, KeyMetadata, Sealed};
use super::call::{self, Call};
use super::engine::{Delivery, Engine, Origin};
use super::secret::{Blob, Secret};
use crate::core::dek::Dek;
use crate::core::kms::{
    Alias, Caller, Context, DataKey, Decrypted, KeyDescription, KeyState, Kms, KmsError, KmsErrorKind, NewKey,
    RotationStatus, Traced, WrappedKey,
};
use std::collections::BTreeMap;

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
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let (Answer::Aliases(page), request_id) =
                self.call(Call::ListAliases(call::ListAliases { key_id: None, limit: None, marker }))?
            else {
                return Err(unexpected("ListAliases"));
            };
            all.extend(
                page.aliases.into_iter().map(|a| Alias { name: a.alias_name, target_key_id: Some(a.target_key_id) }),
            );
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(traced(all, request_id));
            }
        }
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
        let mut all = BTreeMap::new();
        let mut marker = None;
        loop {
            let request = call::KeyPage { key_id: key_id.to_owned(), limit: None, marker };
            let (Answer::Tags(page), request_id) = self.call(Call::ListResourceTags(request))? else {
                return Err(unexpected("ListResourceTags"));
            };
            all.extend(page.tags.into_iter().map(|tag| (tag.key, tag.value)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(traced(all, request_id));
            }
        }
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
            ciphertext_blob: Blob(ciphertext.to_vec()),
            encryption_context: context.clone(),
            encryption_algorithm: None,
            dry_run: None,
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
            (Answer::Rotation(r), request_id) => {
                let value = RotationStatus {
                    enabled: r.key_rotation_enabled,
                    period_days: r.rotation_period_in_days,
                    next_at: r.next_rotation_date,
                };
                Ok(traced(value, request_id))
            }
            _ => Err(unexpected("GetKeyRotationStatus")),
        }
    }
}

fn traced<T>(value: T, request_id: String) -> Traced<T> {
    Traced { value, request_id: Some(request_id) }
}

fn unexpected(operation: &'static str) -> KmsError {
    KmsError::new(KmsErrorKind::Unknown, operation, "the embedded KMS gave an answer of another call")
}

fn only(key: &str) -> call::KeyOnly {
    call::KeyOnly { key_id: key.to_owned() }
}

fn data_key(key: &str, context: &Context) -> call::GenerateDataKey {
    call::GenerateDataKey {
        key_id: key.to_owned(),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: context.clone(),
        ..Default::default()
    }
}

fn tag_list(tags: &BTreeMap<String, String>) -> Vec<call::Tag> {
    tags.iter().map(|(key, value)| call::Tag { key: key.clone(), value: value.clone() }).collect()
}

fn wrapped(sealed: Sealed) -> WrappedKey {
    WrappedKey { wrapped: sealed.ciphertext_blob.0, key_arn: sealed.key_id, material_id: sealed.key_material_id }
}

fn description(key: KeyMetadata) -> KeyDescription {
    KeyDescription {
        arn: key.arn,
        key_id: key.key_id,
        // The engine writes what `KeyState::parse` reads.
        state: KeyState::parse(key.key_state).unwrap_or(KeyState::Unavailable),
        description: key.description,
        manager: key.key_manager.to_owned(),
        spec: key.key_spec.to_owned(),
        usage: key.key_usage.to_owned(),
        multi_region: key.multi_region,
        created_at: Some(key.creation_date),
        deletion_at: key.deletion_date,
        material_id: Some(key.current_key_material_id),
    }
}
