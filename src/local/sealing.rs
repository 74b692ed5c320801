//! AES-256-GCM as the engine uses it, for its file and for its ciphertexts: `nonce (12) ‖ ciphertext ‖ tag (16)`.
//! The nonce is random (NIST SP 800-38D §8.2.2): far below 2^32 messages under one key.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

/// Bytes that sealing adds.
pub const OVERHEAD: usize = 12 + 16;

/// The operating system gave no randomness, or the message is longer than GCM allows.
#[derive(Debug)]
pub struct CannotSeal;

/// Not sealed under this key with this associated data, or altered since.
#[derive(Debug)]
pub struct CannotOpen;

/// Seals under a fresh nonce.
pub fn seal(key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CannotSeal> {
    let mut nonce = [0u8; 12];
    getrandom::fill(&mut nonce).map_err(|_| CannotSeal)?;
    let sealed = Aes256Gcm::new(key.into())
        .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad })
        .map_err(|_| CannotSeal)?;
    let mut out = Vec::with_capacity(nonce.len() + sealed.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what `seal` made.
pub fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let (nonce, message) = sealed.split_first_chunk::<12>().ok_or(CannotOpen)?;
    let opened = Aes256Gcm::new(key.into())
        .decrypt(&Nonce::from(*nonce), Payload { msg: message, aad })
        .map_err(|_| CannotOpen)?;
    Ok(Zeroizing::new(opened))
}
