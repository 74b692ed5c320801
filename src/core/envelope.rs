//! The stored form of a sealed value: the specification lives here, where the parser is.
//!
//! | part | bytes | meaning |
//! |---|---|---|
//! | prefix | 7 or 10 | `enc:v1:` (standard) or `enc:t2:v1:` (high sensitivity); a *format* version, not a key version |
//! | payload | 4·⌈(28+n)/3⌉ | standard padded base64, canonical, of `IV (12) ‖ GCM tag (16) ‖ ciphertext (n)` |
//!
//! The tag stands **before** the ciphertext. The key version is not stored: it is found by trying (`keyring`).
//! Anything without one of the two prefixes is not this format; the application reads it as plaintext.

use super::data_map::Tier;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of the initialisation vector.
pub const IV_LEN: usize = 12;
/// Bytes of the GCM tag.
pub const TAG_LEN: usize = 16;
/// Bytes before the ciphertext.
pub const HEADER_LEN: usize = IV_LEN + TAG_LEN;
/// What every prefix starts with.
pub const MARK: &str = "enc:";

/// The prefix of a tier.
pub fn prefix(tier: Tier) -> &'static str {
    match tier {
        Tier::Standard => "enc:v1:",
        Tier::High => "enc:t2:v1:",
    }
}

/// A stored text, as far as it can be told without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// Stored as it is, never sealed.
    Empty,
    /// Carries a prefix: an envelope, well formed or not.
    Sealed(Envelope<'a>),
    /// No prefix of this format.
    Plain(&'a str),
}

/// A prefix and what follows it. Borrowed from the row it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub tier: Tier,
    pub payload: &'a str,
}

/// Not an envelope although it carries the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    #[error("the payload is empty")]
    Empty,
    #[error("the payload is not canonical base64")]
    Base64,
    #[error("the payload is shorter than IV and tag (28 bytes)")]
    Short,
}

/// Sorts a stored text by its prefix.
pub fn read(text: &str) -> Stored<'_> {
    if text.is_empty() {
        return Stored::Empty;
    }
    for tier in [Tier::Standard, Tier::High] {
        if let Some(payload) = text.strip_prefix(prefix(tier)) {
            return Stored::Sealed(Envelope { tier, payload });
        }
    }
    Stored::Plain(text)
}

impl Envelope<'_> {
    /// Puts `IV ‖ tag ‖ ciphertext` into `bytes`, replacing what was there. `bytes` is at least `HEADER_LEN` long afterwards.
    pub fn decode(&self, bytes: &mut Vec<u8>) -> Result<(), Malformed> {
        bytes.clear();
        if self.payload.is_empty() {
            return Err(Malformed::Empty);
        }
        STANDARD.decode_vec(self.payload, bytes).map_err(|_| Malformed::Base64)?;
        if bytes.len() < HEADER_LEN {
            return Err(Malformed::Short);
        }
        Ok(())
    }
}

/// Writes an envelope around `IV ‖ tag ‖ ciphertext` into `text`, replacing what was there.
pub fn print(tier: Tier, bytes: &[u8], text: &mut String) {
    text.clear();
    text.push_str(prefix(tier));
    STANDARD.encode_string(bytes, text);
}

/// Every envelope that stands somewhere in a plaintext, with its byte range. Base64 ends where its alphabet does.
pub fn find_inside(plaintext: &str) -> Vec<(std::ops::Range<usize>, Envelope<'_>)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&plaintext.as_bytes()[from..], MARK.as_bytes()) {
        let start = from + at;
        from = start + MARK.len();
        if let Stored::Sealed(envelope) = read(&plaintext[start..]) {
            let payload = envelope.payload;
            let length =
                payload.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')).count();
            if length > 0 {
                let begin = plaintext.len() - payload.len();
                let end = begin + length;
                found.push((start..end, Envelope { tier: envelope.tier, payload: &plaintext[begin..end] }));
                from = end;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
        let Stored::Sealed(envelope) = read(text) else { panic!("no prefix: {text}") };
        let mut bytes = Vec::new();
        envelope.decode(&mut bytes).map(|()| bytes)
    }

    #[test]
    fn what_is_not_this_format_is_plaintext() {
        assert_eq!(read(""), Stored::Empty);
        for text in ["Client called at 3pm", "enc:v9:AAAA", "ENC:v1:AAAA", " enc:v1:AAAA", "enc:"] {
            assert_eq!(read(text), Stored::Plain(text));
        }
    }

    #[test]
    fn malformed_payloads_say_how() {
        assert_eq!(decode("enc:v1:"), Err(Malformed::Empty));
        assert_eq!(decode("enc:v1:@@@@"), Err(Malformed::Base64));
        assert_eq!(decode("enc:t2:v1:AAAA"), Err(Malformed::Short));
        assert_eq!(decode("enc:v1:AAAA AAAA"), Err(Malformed::Base64));
    }

    #[test]
    fn envelopes_are_found_inside_text_and_json() {
        let inner = "enc:v1:UbPfQNqskDEk9Wb9cJVYdNFigWr0+Z/e0UIbLB0=";
        let json = format!("{{\"a\":\"{inner}\",\"b\":\"enc:t2:v1:AAAA\",\"c\":\"enc:other\"}}");
        let found = find_inside(&json);
        assert_eq!(found.len(), 2);
        assert_eq!(&json[found[0].0.clone()], inner);
        assert_eq!(found[1].1.tier, Tier::High);
        assert!(find_inside("no envelope here, only enc: and ENC:v1:AAAA").is_empty());
    }

    proptest! {
        #[test]
        fn print_then_parse_is_identity(bytes in proptest::collection::vec(any::<u8>(), HEADER_LEN..400), high: bool) {
            let tier = if high { Tier::High } else { Tier::Standard };
            let mut text = String::new();
            print(tier, &bytes, &mut text);
            let Stored::Sealed(envelope) = read(&text) else { panic!("no prefix") };
            prop_assert_eq!(envelope.tier, tier);
            let mut back = Vec::new();
            envelope.decode(&mut back).unwrap();
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn a_dropped_or_added_character_of_the_payload_is_malformed(bytes in proptest::collection::vec(any::<u8>(), HEADER_LEN..200), at in 0usize..1000, add: bool) {
            let mut text = String::new();
            print(Tier::Standard, &bytes, &mut text);
            let at = 7 + at % (text.len() - 7);
            if add { text.insert(at, 'A') } else { text.remove(at); }
            prop_assert_eq!(decode(&text), Err(Malformed::Base64));
        }

        #[test]
        fn any_text_is_sorted_without_panic(text in "\\PC*") {
            let _ = read(&text);
            let _ = find_inside(&text);
            let _ = find_inside(&format!("enc:v1:{text}enc:t2:v1:{text}"));
        }
    }
}
