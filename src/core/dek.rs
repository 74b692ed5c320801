//! A data encryption key: 32 bytes that are wiped when dropped.
//!
//! Never Debug, never Display, never Clone by accident: the bytes have one visible owner, and they leave this
//! type only into the cipher, into KMS, or (provider `dev` alone) into the application's own `dev:` column.

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 256 bits of key material, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Dek(Box<[u8; 32]>);

/// Not 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a DEK is 32 bytes, this one has {found}")]
pub struct BadDekLength {
    /// Bytes found.
    pub found: usize,
}

impl Dek {
    /// Bytes in a DEK.
    pub const LEN: usize = 32;

    /// Takes 32 bytes and wipes the buffer they came in.
    pub fn parse(bytes: Zeroizing<Vec<u8>>) -> Result<Dek, BadDekLength> {
        let mut key = Box::new([0u8; 32]);
        if bytes.len() != Dek::LEN {
            return Err(BadDekLength { found: bytes.len() });
        }
        key.copy_from_slice(&bytes);
        Ok(Dek(key))
    }

    /// The bare bytes. For the cipher, KMS and the `dev:` column; nowhere else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What tells two DEKs apart without telling either: the first 16 hex digits of SHA-256 over a label and the key.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"scrybe-keys dek fingerprint v1\0");
        hash.update(self.0.as_slice());
        hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
    }
}

impl PartialEq for Dek {
    /// Compares every byte whatever they are.
    fn eq(&self, other: &Dek) -> bool {
        self.0.iter().zip(other.0.iter()).fold(0u8, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_bytes_make_a_dek() {
        assert!(Dek::parse(Zeroizing::new(vec![7; 32])).is_ok());
        assert_eq!(Dek::parse(Zeroizing::new(vec![7; 31])).err(), Some(BadDekLength { found: 31 }));
        assert_eq!(Dek::parse(Zeroizing::new(vec![])).err(), Some(BadDekLength { found: 0 }));
    }

    #[test]
    fn fingerprints_differ_and_show_nothing() {
        let a = Dek::parse(Zeroizing::new(vec![1; 32])).unwrap();
        let b = Dek::parse(Zeroizing::new(vec![2; 32])).unwrap();
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert!(!a.fingerprint().contains("0101"));
        assert!(a != b);
    }
}
