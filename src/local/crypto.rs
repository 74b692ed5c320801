//! GenerateDataKey (both), Encrypt, Decrypt, and what ReEncrypt shares with them. Read-only: the key material they use was made durable before it
//! could be seen. A rehearsal (DryRun) goes all the way here; `Engine` throws away what came of it.

use super::answer::{Answer, Opened, Sealed};
use super::call::{Decrypt, Encrypt, GenerateDataKey};
use super::ciphertext::{self, Parsed};
use super::refusal::Refusal;
use super::secret::{Blob, Secret};
use super::world::{Key, Naming, World};
use crate::core::key_state::Operation;
use zeroize::Zeroizing;

/// The only one of a symmetric encryption key.
pub const ALGORITHM: &str = "SYMMETRIC_DEFAULT";
/// Most that Encrypt takes (AWS API).
const MAX_PLAINTEXT: usize = 4096;

/// Whether the caller gets the bare key too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    Given,
    Withheld,
}

pub fn generate_data_key(world: &World, region: &str, call: &GenerateDataKey, bare: Bare) -> Result<Answer, Refusal> {
    let length = match (call.key_spec.as_deref(), call.number_of_bytes) {
        (Some("AES_256"), None) => 32,
        (Some("AES_128"), None) => 16,
        (Some(other), None) => {
            return Err(Refusal::validation(format!("Value '{other}' at 'keySpec' failed to satisfy constraint")));
        }
        (None, Some(n)) => usize::try_from(n)
            .ok()
            .filter(|n| (1..=1024).contains(n))
            .ok_or_else(|| Refusal::validation("Value at 'numberOfBytes' failed to satisfy constraint: 1 to 1024"))?,
        _ => return Err(Refusal::validation("Please specify either number of bytes or key spec.")),
    };
    let operation =
        if bare == Bare::Given { Operation::GenerateDataKey } else { Operation::GenerateDataKeyWithoutPlaintext };
    let id = world.key_id(region, &call.key_id, Naming::AliasToo)?;
    let key = world.key(region, &id)?;
    key.allow(operation)?;
    let mut fresh = Zeroizing::new(vec![0u8; length]);
    getrandom::fill(&mut fresh).map_err(|_| Refusal::internal("the operating system gave no randomness"))?;
    let blob = ciphertext::seal(key, &call.encryption_context, &fresh)?;
    Ok(Answer::Sealed(Sealed {
        ciphertext_blob: Blob(blob),
        plaintext: (bare == Bare::Given).then_some(Secret(fresh)),
        key_id: key.arn.clone(),
        key_material_id: Some(key.current().id.clone()),
        encryption_algorithm: None,
    }))
}

pub fn encrypt(world: &World, region: &str, call: &Encrypt) -> Result<Answer, Refusal> {
    refuse_algorithm(call.encryption_algorithm.as_deref())?;
    if call.plaintext.0.is_empty() || call.plaintext.0.len() > MAX_PLAINTEXT {
        return Err(Refusal::validation(
            "Value at 'plaintext' failed to satisfy constraint: Member must have length from 1 to 4096",
        ));
    }
    let id = world.key_id(region, &call.key_id, Naming::AliasToo)?;
    let key = world.key(region, &id)?;
    key.allow(Operation::Encrypt)?;
    let blob = ciphertext::seal(key, &call.encryption_context, &call.plaintext.0)?;
    // AWS names no material in the answer to Encrypt.
    Ok(Answer::Sealed(Sealed {
        ciphertext_blob: Blob(blob),
        plaintext: None,
        key_id: key.arn.clone(),
        key_material_id: None,
        encryption_algorithm: Some(ALGORITHM),
    }))
}

pub fn decrypt(world: &World, region: &str, call: &Decrypt) -> Result<Answer, Refusal> {
    refuse_algorithm(call.encryption_algorithm.as_deref())?;
    if ignores_ciphertext(call.dry_run, &call.dry_run_modifiers)? {
        let key = required_key(world, region, call.key_id.as_deref())?;
        key.allow(Operation::Decrypt)?;
        return Ok(Answer::Nothing);
    }
    let blob = ciphertext_of(call.ciphertext_blob.as_ref())?;
    let (parsed, key) = find_key(world, region, call.key_id.as_deref(), blob)?;
    key.allow(Operation::Decrypt)?;
    let plaintext = ciphertext::open(&parsed, key, &call.encryption_context)?;
    Ok(Answer::Opened(Opened {
        plaintext: Secret(plaintext),
        key_id: key.arn.clone(),
        key_material_id: parsed.material_id,
        encryption_algorithm: ALGORITHM,
    }))
}

/// True for a rehearsal that is about permissions alone. The modifiers mean nothing without `DryRun` (API: DryRunModifiers).
pub fn ignores_ciphertext(dry_run: Option<bool>, modifiers: &[String]) -> Result<bool, Refusal> {
    match modifiers.iter().find(|modifier| *modifier != "IGNORE_CIPHERTEXT") {
        Some(other) => {
            Err(Refusal::validation(format!("Value '{other}' at 'dryRunModifiers' failed to satisfy constraint")))
        }
        None => Ok(dry_run == Some(true) && !modifiers.is_empty()),
    }
}

/// The key that must be named where no ciphertext names it.
pub fn required_key<'a>(world: &'a World, region: &str, named: Option<&str>) -> Result<&'a Key, Refusal> {
    let named = named.ok_or_else(|| Refusal::validation("without a ciphertext the key must be named"))?;
    world.key(region, &world.key_id(region, named, Naming::AliasToo)?)
}

/// A ciphertext of a length that KMS takes.
pub fn ciphertext_of(blob: Option<&Blob>) -> Result<&[u8], Refusal> {
    blob.map(|blob| blob.0.as_slice()).filter(|bytes| (1..=ciphertext::MAX).contains(&bytes.len())).ok_or_else(|| {
        Refusal::validation(
            "Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length from 1 to 6144",
        )
    })
}

/// The key that a ciphertext names, if it is the pinned one. Nothing is opened yet.
pub fn find_key<'a, 'b>(
    world: &'a World,
    region: &str,
    pinned: Option<&str>,
    blob: &'b [u8],
) -> Result<(Parsed<'b>, &'a Key), Refusal> {
    let pinned = pinned.map(|text| world.key_id(region, text, Naming::AliasToo)).transpose()?;
    let parsed = ciphertext::parse(blob)?;
    let key = world.key(region, parsed.key_id).map_err(|_| {
        Refusal::new(
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
        )
    })?;
    if pinned.is_some_and(|id| id != key.id) {
        return Err(Refusal::new(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        ));
    }
    Ok((parsed, key))
}

/// Only the symmetric one.
pub fn refuse_algorithm(asked: Option<&str>) -> Result<(), Refusal> {
    match asked {
        None | Some(ALGORITHM) => Ok(()),
        Some(_) => Err(Refusal::new("InvalidKeyUsageException", "the algorithm does not go with the key's spec")),
    }
}
