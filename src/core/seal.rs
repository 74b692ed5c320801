//! Sealing and opening one value: AES-256-GCM, no associated data, a random IV per value.
//!
//! The cipher is the `aes-gcm` crate with its hardware paths (AES-NI, CLMUL; found at run time). IVs come from the OS,
//! drawn in blocks because a call per cell costs as much as the cell. Buffers are owned by a `Bench` and reused.
//! An IV is never used twice: a bench hands each out once and wipes it. Plaintext stays in the bench's wiped buffers.

use super::data_map::Tier;
use super::dek::Dek;
use super::envelope::{self, Envelope, HEADER_LEN, IV_LEN, Malformed, TAG_LEN};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use zeroize::{Zeroize, Zeroizing};

/// A DEK ready for use: the expanded key schedule, wiped on drop by the cipher crate. Boxed: it is a kilobyte.
pub struct Cipher(Box<Aes256Gcm>);

/// Why an envelope did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OpenError {
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    #[error("authentication failure")]
    Authentication,
}

/// The OS has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

impl Cipher {
    /// Expands a DEK. The DEK itself may be dropped afterwards.
    pub fn new(dek: &Dek) -> Cipher {
        Cipher(Box::new(Aes256Gcm::new(dek.expose().into())))
    }
}

const IVS_PER_DRAW: usize = 256;

/// One worker's place to seal and open: buffers and a stock of IVs. Not shared between threads.
pub struct Bench {
    ivs: Zeroizing<Vec<u8>>,
    iv_at: usize,
    bytes: Vec<u8>,
    /// What was opened last, behind `HEADER_LEN` bytes that mean nothing.
    opened: Vec<u8>,
    sealed: String,
}

impl Default for Bench {
    fn default() -> Bench {
        Bench {
            ivs: Zeroizing::new(vec![0; IVS_PER_DRAW * IV_LEN]),
            iv_at: IVS_PER_DRAW * IV_LEN,
            bytes: Vec::new(),
            opened: Vec::new(),
            sealed: String::new(),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.bytes.zeroize();
        self.opened.zeroize();
    }
}

impl Bench {
    /// Seals `plaintext` and returns the envelope, valid until the next call.
    pub fn seal(&mut self, cipher: &Cipher, tier: Tier, plaintext: &[u8]) -> Result<&str, NoRandomness> {
        let iv = self.next_iv()?;
        self.bytes.clear();
        self.bytes.extend_from_slice(&iv);
        self.bytes.extend_from_slice(&[0; TAG_LEN]);
        self.bytes.extend_from_slice(plaintext);
        let tag = cipher
            .0
            .encrypt_inout_detached(&iv.into(), &[], InOutBuf::from(&mut self.bytes[HEADER_LEN..]))
            .expect("a PostgreSQL value is far below the 64 GiB limit of GCM");
        self.bytes[IV_LEN..HEADER_LEN].copy_from_slice(&tag);
        envelope::print(tier, &self.bytes, &mut self.sealed);
        Ok(&self.sealed)
    }

    /// Opens an envelope with the first cipher that fits and returns which one and the plaintext, valid until the next call.
    /// With no cipher at all a well-formed envelope is an authentication failure.
    pub fn open<'a>(
        &mut self,
        ciphers: impl IntoIterator<Item = &'a Cipher>,
        envelope: Envelope<'_>,
    ) -> Result<(usize, &[u8]), OpenError> {
        envelope.decode(&mut self.bytes)?;
        let iv: [u8; IV_LEN] = self.bytes[..IV_LEN].try_into().expect("decode checked the length");
        let tag: [u8; TAG_LEN] = self.bytes[IV_LEN..HEADER_LEN].try_into().expect("decode checked the length");
        // A failed trial leaves the buffer alone: the crate checks the tag before it decrypts.
        for (index, cipher) in ciphers.into_iter().enumerate() {
            let body = InOutBuf::from(&mut self.bytes[HEADER_LEN..]);
            if cipher.0.decrypt_inout_detached(&iv.into(), &[], body, &tag.into()).is_ok() {
                std::mem::swap(&mut self.bytes, &mut self.opened);
                return Ok((index, &self.opened[HEADER_LEN..]));
            }
        }
        Err(OpenError::Authentication)
    }

    /// What was opened last, as text; `None` when nothing was, or it is not UTF-8.
    pub fn opened_text(&self) -> Option<&str> {
        std::str::from_utf8(self.opened.get(HEADER_LEN..)?).ok()
    }

    /// Seals what was opened last, under another key, and returns the envelope, valid until the next call.
    pub fn reseal(&mut self, cipher: &Cipher, tier: Tier) -> Result<&str, NoRandomness> {
        let opened = std::mem::take(&mut self.opened);
        let result = self.seal(cipher, tier, opened.get(HEADER_LEN..).unwrap_or_default()).map(|_| ());
        self.opened = opened;
        result.map(|()| self.sealed.as_str())
    }

    fn next_iv(&mut self) -> Result<[u8; IV_LEN], NoRandomness> {
        if self.iv_at == self.ivs.len() {
            getrandom::fill(&mut self.ivs).map_err(|_| NoRandomness)?;
            self.iv_at = 0;
        }
        let slot = &mut self.ivs[self.iv_at..self.iv_at + IV_LEN];
        let iv: [u8; IV_LEN] = (&*slot).try_into().expect("a slot is one IV long");
        slot.zeroize();
        self.iv_at += IV_LEN;
        Ok(iv)
    }
}

#[cfg(test)]
mod tests {
    use super::envelope::Stored;
    use super::*;
    use base64::Engine as _;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn dek(byte: u8) -> Cipher {
        Cipher::new(&Dek::parse(Zeroizing::new(vec![byte; 32])).unwrap())
    }

    fn open(bench: &mut Bench, cipher: &Cipher, text: &str) -> Result<Vec<u8>, OpenError> {
        let Stored::Sealed(envelope) = envelope::read(text) else { panic!("no prefix") };
        bench.open([cipher], envelope).map(|(_, plain)| plain.to_vec())
    }

    #[test]
    fn known_answers_made_by_the_application_s_own_crypto() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/stored-fields.json")).unwrap();
        let key = |name: &serde_json::Value| {
            let text = vectors["deks_base64"][name.as_str().unwrap()].as_str().unwrap();
            Cipher::new(
                &Dek::parse(Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(text).unwrap())).unwrap(),
            )
        };
        let mut bench = Bench::default();
        let sealed = vectors["sealed"].as_array().unwrap();
        assert_eq!(sealed.len(), 11);
        for vector in sealed {
            let (stored, plain) = (vector["stored"].as_str().unwrap(), vector["plaintext"].as_str().unwrap());
            assert!(stored.starts_with(vector["prefix"].as_str().unwrap()), "{}", vector["name"]);
            assert_eq!(open(&mut bench, &key(&vector["dek"]), stored).unwrap(), plain.as_bytes(), "{}", vector["name"]);
            // With the vector's IV in stock the same text comes out again.
            let iv = base64::engine::general_purpose::STANDARD.decode(vector["iv_base64"].as_str().unwrap()).unwrap();
            bench.iv_at = 0;
            bench.ivs[..IV_LEN].copy_from_slice(&iv);
            let tier = if stored.starts_with("enc:t2:") { Tier::High } else { Tier::Standard };
            assert_eq!(bench.seal(&key(&vector["dek"]), tier, plain.as_bytes()).unwrap(), stored, "{}", vector["name"]);
        }
        let must_fail = vectors["must_fail"].as_array().unwrap();
        assert_eq!(must_fail.len(), 9);
        for vector in must_fail {
            let error = open(&mut bench, &key(&vector["dek"]), vector["stored"].as_str().unwrap()).unwrap_err();
            let kind = if matches!(error, OpenError::Malformed(_)) { "malformed" } else { "authentication failure" };
            assert_eq!(kind, vector["expect"].as_str().unwrap(), "{}", vector["name"]);
        }
        let not_sealed = vectors["not_sealed"].as_array().unwrap();
        assert_eq!(not_sealed.len(), 4);
        for vector in not_sealed {
            assert!(
                !matches!(envelope::read(vector["stored"].as_str().unwrap()), Stored::Sealed(_)),
                "{}",
                vector["name"]
            );
        }
    }

    #[test]
    fn nist_aes_256_gcm_known_answers() {
        // Test cases 13 to 15 of the GCM specification submitted to NIST: key, IV, plaintext, ciphertext, tag.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
        };
        for (key, iv, plain, sealed, tag) in [
            (
                "0000000000000000000000000000000000000000000000000000000000000000",
                "000000000000000000000000",
                "",
                "",
                "530f8afbc74536b9a963b4f1c4cb738b",
            ),
            (
                "0000000000000000000000000000000000000000000000000000000000000000",
                "000000000000000000000000",
                "00000000000000000000000000000000",
                "cea7403d4d606b6e074ec5d3baf39d18",
                "d0d1c8a799996bf0265b98b5d48ab919",
            ),
            (
                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                "cafebabefacedbaddecaf888",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
                "b094dac5d93471bdec1a502270e3cc6c",
            ),
        ] {
            let cipher = Cipher::new(&Dek::parse(Zeroizing::new(hex(key))).unwrap());
            let mut bench = Bench::default();
            bench.iv_at = 0;
            bench.ivs[..IV_LEN].copy_from_slice(&hex(iv));
            let text = bench.seal(&cipher, Tier::Standard, &hex(plain)).unwrap().to_owned();
            let Stored::Sealed(envelope) = envelope::read(&text) else { panic!("no prefix") };
            let mut bytes = Vec::new();
            envelope.decode(&mut bytes).unwrap();
            assert_eq!(bytes, [hex(iv), hex(tag), hex(sealed)].concat());
        }
    }

    #[test]
    fn ivs_never_repeat() {
        let (cipher, mut bench) = (dek(1), Bench::default());
        let mut seen = HashSet::new();
        for _ in 0..3 * IVS_PER_DRAW {
            let text = bench.seal(&cipher, Tier::Standard, b"same").unwrap().to_owned();
            assert!(seen.insert(text[7..23].to_owned()));
        }
    }

    proptest! {
        #[test]
        fn seal_then_open_is_identity_and_the_right_key_is_named(plain in proptest::collection::vec(any::<u8>(), 0..3000), at in 0usize..3) {
            let keys = [dek(1), dek(2), dek(3)];
            let mut bench = Bench::default();
            let text = bench.seal(&keys[at], Tier::High, &plain).unwrap().to_owned();
            let Stored::Sealed(envelope) = envelope::read(&text) else { panic!("no prefix") };
            let (index, opened) = bench.open(&keys, envelope).unwrap();
            prop_assert_eq!((index, opened), (at, &plain[..]));
            let again = bench.reseal(&keys[(at + 1) % 3], Tier::Standard).unwrap().to_owned();
            prop_assert_ne!(&again[7..], &text[10..]);
            prop_assert_eq!(open(&mut bench, &keys[(at + 1) % 3], &again).unwrap(), plain);
        }

        #[test]
        fn a_flipped_bit_is_an_authentication_failure(plain in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..10_000, bit in 0u8..8) {
            let (cipher, mut bench) = (dek(9), Bench::default());
            let text = bench.seal(&cipher, Tier::Standard, &plain).unwrap().to_owned();
            let Stored::Sealed(envelope) = envelope::read(&text) else { panic!("no prefix") };
            let mut bytes = Vec::new();
            envelope.decode(&mut bytes).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let mut broken = String::new();
            envelope::print(Tier::Standard, &bytes, &mut broken);
            prop_assert_eq!(open(&mut bench, &cipher, &broken), Err(OpenError::Authentication));
        }
    }
}
