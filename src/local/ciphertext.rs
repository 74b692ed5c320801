//! The ciphertext blob: it names its key and material, and everything in it is authenticated.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `SKB1` |
//! | 36 | key id, ASCII (`xxxxxxxx-xxxx-…` or `mrk-…`) |
//! | 32 | key material id |
//! | 12 + n + 16 | nonce, ciphertext, tag |
//!
//! Associated data: the first 72 bytes, then the encryption context as pairs sorted by name, each text behind its length (4 bytes, big-endian).

use super::refusal::Refusal;
use super::sealing;
use super::world::{Key, Material};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const MAGIC: &[u8; 4] = b"SKB1";
const KEY_ID: usize = 36;
const MATERIAL_ID: usize = 32;
const HEADER: usize = MAGIC.len() + KEY_ID + MATERIAL_ID;

/// Most that Decrypt takes (AWS API: CiphertextBlob).
pub const MAX: usize = 6144;

/// A blob taken apart, nothing proved yet.
pub struct Parsed<'a> {
    pub key_id: &'a str,
    pub material_id: String,
    header: &'a [u8],
    sealed: &'a [u8],
}

/// Wraps under the key's newest material.
pub fn seal(key: &Key, context: &BTreeMap<String, String>, plaintext: &[u8]) -> Result<Vec<u8>, Refusal> {
    let material = key.current();
    let mut blob = Vec::with_capacity(HEADER + sealing::OVERHEAD + plaintext.len());
    blob.extend_from_slice(MAGIC);
    blob.extend_from_slice(key.id.as_bytes());
    blob.extend_from_slice(
        &material_id_bytes(material).ok_or_else(|| Refusal::internal("a material id is malformed"))?,
    );
    if blob.len() != HEADER {
        return Err(Refusal::internal("a key id is malformed"));
    }
    let aad = associated_data(&blob, context);
    let sealed =
        sealing::seal(material.wrapping_key()?, &aad, plaintext).map_err(|_| Refusal::internal("sealing failed"))?;
    blob.extend_from_slice(&sealed);
    Ok(blob)
}

/// Takes a blob apart; anything that is not one is `InvalidCiphertextException`.
pub fn parse(blob: &[u8]) -> Result<Parsed<'_>, Refusal> {
    let (header, sealed) = blob.split_at_checked(HEADER).ok_or_else(Refusal::invalid_ciphertext)?;
    let names = header.strip_prefix(MAGIC).ok_or_else(Refusal::invalid_ciphertext)?;
    let (key_id, material_id) = names.split_at(KEY_ID);
    let key_id = std::str::from_utf8(key_id).map_err(|_| Refusal::invalid_ciphertext())?;
    Ok(Parsed { key_id, material_id: material_id.iter().map(|b| format!("{b:02x}")).collect(), header, sealed })
}

/// Opens a parsed blob. Any change of a byte, of the context or of the key is `InvalidCiphertextException`.
pub fn open(parsed: &Parsed<'_>, key: &Key, context: &BTreeMap<String, String>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let material = key.materials.iter().find(|m| m.id == parsed.material_id).ok_or_else(Refusal::invalid_ciphertext)?;
    let aad = associated_data(parsed.header, context);
    sealing::open(material.wrapping_key()?, &aad, parsed.sealed).map_err(|_| Refusal::invalid_ciphertext())
}

fn material_id_bytes(material: &Material) -> Option<Vec<u8>> {
    let digits = material.id.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn associated_data(header: &[u8], context: &BTreeMap<String, String>) -> Vec<u8> {
    let mut aad = header.to_vec();
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        aad.extend_from_slice(&(text.len() as u32).to_be_bytes());
        aad.extend_from_slice(text.as_bytes());
    }
    aad
}
