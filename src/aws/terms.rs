//! The SDK's answers in the port's terms, and the port's values as the SDK takes them.
//! What an answer must have and has not is an error with its request id, never a guess.

use crate::core::kms::{
    Context, Grant, KeyDescription, KeyState, KmsError, KmsErrorKind, MaterialRotation, MultiRegion, Traced,
};
use aws_sdk_kms::primitives::DateTime;
use aws_sdk_kms::types::{
    GrantListEntry, KeyMaterialState, KeyMetadata, MultiRegionConfiguration, MultiRegionKeyType, RotationsListEntry,
    Tag,
};
use std::collections::BTreeMap;

pub fn incomplete(operation: &'static str, what: &str, request_id: &Option<String>) -> KmsError {
    KmsError { request_id: request_id.clone(), ..KmsError::new(KmsErrorKind::Unknown, operation, what) }
}

pub fn required<T>(operation: &'static str, part: Option<T>, request_id: &Option<String>) -> Result<T, KmsError> {
    part.ok_or_else(|| incomplete(operation, "the answer is incomplete", request_id))
}

pub fn pairs(context: &Context) -> Option<std::collections::HashMap<String, String>> {
    (!context.is_empty()).then(|| context.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

pub fn tag_list(operation: &'static str, tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, KmsError> {
    let made = tags.iter().map(|(key, value)| Tag::builder().tag_key(key).tag_value(value).build());
    made.collect::<Result<_, _>>().map_err(|e| KmsError::new(KmsErrorKind::Invalid, operation, e.to_string()))
}

pub fn timestamp(at: DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

pub fn described(
    operation: &'static str,
    key: Traced<Option<KeyMetadata>>,
) -> Result<Traced<KeyDescription>, KmsError> {
    let request_id = key.request_id;
    let key = required(operation, key.value, &request_id)?;
    let state = key.key_state.as_ref().map(|state| state.as_str()).unwrap_or_default();
    let value = KeyDescription {
        state: KeyState::parse(state)
            .ok_or_else(|| incomplete(operation, &format!("unknown key state `{state}`"), &request_id))?,
        arn: required(operation, key.arn, &request_id)?,
        key_id: key.key_id,
        description: key.description.unwrap_or_default(),
        manager: key.key_manager.map(|m| m.as_str().to_owned()).unwrap_or_default(),
        spec: key.key_spec.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        usage: key.key_usage.map(|u| u.as_str().to_owned()).unwrap_or_default(),
        multi_region: key.multi_region.unwrap_or(false),
        relatives: key.multi_region_configuration.and_then(relatives),
        created_at: key.creation_date.and_then(timestamp),
        deletion_at: key.deletion_date.and_then(timestamp),
        material_id: key.current_key_material_id,
    };
    Ok(Traced { value, request_id })
}

fn relatives(told: MultiRegionConfiguration) -> Option<MultiRegion> {
    Some(MultiRegion {
        is_primary: told.multi_region_key_type? == MultiRegionKeyType::Primary,
        primary_arn: told.primary_key?.arn?,
        replica_arns: told.replica_keys.unwrap_or_default().into_iter().filter_map(|key| key.arn).collect(),
    })
}

pub fn grant(entry: GrantListEntry) -> Grant {
    Grant {
        id: entry.grant_id.unwrap_or_default(),
        name: entry.name,
        grantee: entry.grantee_principal.or(entry.grantee_service_principal).unwrap_or_default(),
        issuer: entry.issuing_account,
        operations: entry.operations.unwrap_or_default().iter().map(|o| o.as_str().to_owned()).collect(),
        created_at: entry.creation_date.and_then(timestamp),
    }
}

pub fn material(entry: RotationsListEntry) -> MaterialRotation {
    MaterialRotation {
        material_id: entry.key_material_id,
        rotated_at: entry.rotation_date.and_then(timestamp),
        kind: entry.rotation_type.map(|kind| kind.as_str().to_owned()),
        current: entry.key_material_state == Some(KeyMaterialState::Current),
    }
}
