//! `LOCAL_KEK`: the 32 bytes that seal the engine's file. Never printed, never Debug, wiped on drop.
//! Losing it loses every key in the file; there is no recovery by design.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The key-encryption key of the embedded KMS.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Kek(Box<[u8; 32]>);

/// Text that is not a KEK. Says what is needed, never what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKek {
    #[error("LOCAL_KEK is not standard base64: it needs base64 of 32 bytes, e.g. from `openssl rand -base64 32`")]
    NotBase64,
    #[error("LOCAL_KEK holds {found} bytes: it needs base64 of 32 bytes, e.g. from `openssl rand -base64 32`")]
    WrongLength {
        /// Bytes after decoding.
        found: usize,
    },
}

impl Kek {
    /// Takes standard padded base64 of exactly 32 bytes; white space around it is ignored.
    pub fn parse(base64: &str) -> Result<Kek, BadKek> {
        let text = base64.trim();
        let mut bytes = Zeroizing::new(vec![0u8; text.len() / 4 * 3 + 3]);
        let found = STANDARD.decode_slice(text, &mut bytes).map_err(|_| BadKek::NotBase64)?;
        if found != 32 {
            return Err(BadKek::WrongLength { found });
        }
        let mut key = Box::new([0u8; 32]);
        key.copy_from_slice(&bytes[..32]);
        Ok(Kek(key))
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_needs_and_never_what_it_got() {
        assert!(Kek::parse(&STANDARD.encode([9u8; 32])).is_ok());
        assert!(Kek::parse(&format!(" {}\n", STANDARD.encode([9u8; 32]))).is_ok());
        for bad in [
            STANDARD.encode([9u8; 31]),
            STANDARD.encode([9u8; 33]),
            String::new(),
            "not base64!".to_owned(),
            "09".repeat(32),
        ] {
            let Err(error) = Kek::parse(&bad) else { panic!("{bad} was taken for a KEK") };
            let said = error.to_string();
            assert!(said.contains("base64 of 32 bytes") && said.contains("openssl rand -base64 32"), "{said}");
            assert!(bad.is_empty() || !said.contains(&bad), "{said}");
        }
    }
}
