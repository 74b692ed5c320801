//! ReEncrypt: opened under one key and sealed under another, or under the same one's newest material; the plaintext never leaves.

use super::answer::{Answer, ReEncrypted};
use super::call::ReEncrypt;
use super::ciphertext;
use super::crypto::{ALGORITHM, ciphertext_of, find_key, ignores_ciphertext, refuse_algorithm, required_key};
use super::refusal::Refusal;
use super::secret::Blob;
use super::world::{Naming, World};
use crate::core::key_state::Operation;

/// Refuses in the order of the work: source key, its state, target key, its state, ciphertext and source context.
pub fn re_encrypt(world: &World, region: &str, call: &ReEncrypt) -> Result<Answer, Refusal> {
    refuse_algorithm(call.source_encryption_algorithm.as_deref())?;
    refuse_algorithm(call.destination_encryption_algorithm.as_deref())?;
    let target = || world.key(region, &world.key_id(region, &call.destination_key_id, Naming::AliasToo)?);
    if ignores_ciphertext(call.dry_run, &call.dry_run_modifiers)? {
        required_key(world, region, call.source_key_id.as_deref())?.allow(Operation::ReEncrypt)?;
        target()?.allow(Operation::ReEncrypt)?;
        return Ok(Answer::Nothing);
    }
    let blob = ciphertext_of(call.ciphertext_blob.as_ref())?;
    let (parsed, source) = find_key(world, region, call.source_key_id.as_deref(), blob)?;
    source.allow(Operation::ReEncrypt)?;
    let target = target()?;
    target.allow(Operation::ReEncrypt)?;
    let plaintext = ciphertext::open(&parsed, source, &call.source_encryption_context)?;
    let sealed = ciphertext::seal(target, &call.destination_encryption_context, &plaintext)?;
    Ok(Answer::ReEncrypted(ReEncrypted {
        ciphertext_blob: Blob(sealed),
        source_key_id: source.arn.clone(),
        key_id: target.arn.clone(),
        source_encryption_algorithm: ALGORITHM,
        destination_encryption_algorithm: ALGORITHM,
        source_key_material_id: parsed.material_id,
        destination_key_material_id: target.current().id.clone(),
    }))
}
