//! The engine's calls and answers in the port's terms, for the door without a network.

use super::super::answer::{GrantEntry, KeyMetadata, MaterialEntry, MultiRegionConfiguration, Rotation, Sealed};
use super::super::call::{self, Call};
use super::super::secret::{Blob, Secret};
use crate::core::kms::{
    Context, Grant, KeyDescription, KeyState, KmsError, KmsErrorKind, MaterialRotation, MultiRegion, ReEncrypt,
    Rehearsal, RotationStatus, Traced, WrappedKey,
};
use std::collections::BTreeMap;

pub fn traced<T>(value: T, request_id: String) -> Traced<T> {
    Traced { value, request_id: Some(request_id) }
}

pub fn unexpected(operation: &'static str) -> KmsError {
    KmsError::new(KmsErrorKind::Unknown, operation, "the embedded KMS gave an answer of another call")
}

pub fn only(key: &str) -> call::KeyOnly {
    call::KeyOnly { key_id: key.to_owned() }
}

pub fn data_key(key: &str, context: &Context) -> call::GenerateDataKey {
    call::GenerateDataKey {
        key_id: key.to_owned(),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: context.clone(),
        ..Default::default()
    }
}

pub fn tag_list(tags: &BTreeMap<String, String>) -> Vec<call::Tag> {
    tags.iter().map(|(key, value)| call::Tag { key: key.clone(), value: value.clone() }).collect()
}

pub fn wrapped(sealed: Sealed) -> WrappedKey {
    WrappedKey { wrapped: sealed.ciphertext_blob.0, key_arn: sealed.key_id, material_id: sealed.key_material_id }
}

pub fn description(key: KeyMetadata) -> KeyDescription {
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
        relatives: key.multi_region_configuration.map(relatives),
        created_at: Some(key.creation_date),
        deletion_at: key.deletion_date,
        material_id: Some(key.current_key_material_id),
    }
}

fn relatives(told: MultiRegionConfiguration) -> MultiRegion {
    MultiRegion {
        is_primary: told.multi_region_key_type == "PRIMARY",
        primary_arn: told.primary_key.arn,
        replica_arns: told.replica_keys.into_iter().map(|key| key.arn).collect(),
    }
}

pub fn grant(entry: GrantEntry) -> Grant {
    Grant {
        id: entry.grant_id,
        name: entry.name,
        grantee: entry.grantee_principal.or(entry.grantee_service_principal).unwrap_or_default(),
        issuer: Some(entry.issuing_account),
        operations: entry.operations,
        created_at: Some(entry.creation_date),
    }
}

pub fn material(entry: MaterialEntry) -> MaterialRotation {
    MaterialRotation {
        material_id: Some(entry.key_material_id),
        rotated_at: entry.rotation_date,
        kind: entry.rotation_type.map(str::to_owned),
        current: entry.key_material_state == "CURRENT",
    }
}

pub fn rotation_status(told: Rotation) -> RotationStatus {
    RotationStatus {
        enabled: told.key_rotation_enabled,
        period_days: told.rotation_period_in_days,
        next_at: told.next_rotation_date,
        on_demand_since: told.on_demand_rotation_start_date,
    }
}

pub fn re_encrypt(what: ReEncrypt<'_>) -> call::ReEncrypt {
    call::ReEncrypt {
        ciphertext_blob: Some(Blob(what.wrapped.to_vec())),
        source_key_id: what.source.map(str::to_owned),
        source_encryption_context: what.source_context.clone(),
        destination_key_id: what.target.to_owned(),
        destination_encryption_context: what.target_context.clone(),
        ..Default::default()
    }
}

/// The call with `DryRun`.
pub fn rehearsal(what: Rehearsal<'_>) -> Call {
    let ignored = || vec!["IGNORE_CIPHERTEXT".to_owned()];
    match what {
        Rehearsal::GenerateDataKey { key, context } => {
            Call::GenerateDataKey(call::GenerateDataKey { dry_run: Some(true), ..data_key(key, context) })
        }
        Rehearsal::Encrypt { key, context } => Call::Encrypt(call::Encrypt {
            key_id: key.to_owned(),
            plaintext: Secret::copy_of(&[0]),
            encryption_context: context.clone(),
            encryption_algorithm: None,
            dry_run: Some(true),
        }),
        Rehearsal::Decrypt { key, wrapped, context } => Call::Decrypt(call::Decrypt {
            key_id: Some(key.to_owned()),
            ciphertext_blob: wrapped.map(|bytes| Blob(bytes.to_vec())),
            encryption_context: context.clone(),
            encryption_algorithm: None,
            dry_run: Some(true),
            dry_run_modifiers: if wrapped.is_none() { ignored() } else { Vec::new() },
        }),
        Rehearsal::ReEncrypt(what) => {
            let mut request = re_encrypt(what);
            request.dry_run = Some(true);
            if what.wrapped.is_empty() {
                request.ciphertext_blob = None;
                request.dry_run_modifiers = ignored();
            }
            Call::ReEncrypt(request)
        }
    }
}
