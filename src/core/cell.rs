//! One cell, judged and rewritten: what a stored value is, and what it becomes under another key.
//!
//! Census and move share this room, so that what is counted is what is moved. A judge belongs to one worker; it borrows
//! the keyring and reuses its buffers. Nothing here knows a table; nothing leaves here in clear: `rewrite` hands out envelopes only.
//!
//! | stored | text column | jsonb column |
//! |---|---|---|
//! | absent | NULL, `''` | NULL, `null`, `""` |
//! | sealed | the envelope | a JSON string holding the envelope |
//! | plain | any other text | any other JSON; its plaintext is the JSON document itself |

use super::data_map::{ColumnKind, Tier};
use super::envelope::{self, Envelope, Stored};
use super::keyring::Keyring;
use super::seal::{Bench, NoRandomness, OpenError};
use std::borrow::Cow;

/// What a stored value is. Numbers are positions in the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing to protect.
    Absent,
    /// Opens under this DEK and holds no envelope.
    Sealed(usize),
    /// Opens under `outer`; the plaintext is (`whole`) or contains an envelope that opens under `inner`.
    Nested { outer: usize, inner: usize, whole: bool },
    /// Not sealed.
    Plain,
    /// Not sealed, and contains an envelope that opens under `inner`.
    PlainNested { inner: usize },
    /// Carries the prefix and does not open.
    Unopenable(OpenError),
}

/// What the operator asked to be done beyond moving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Seal what was never sealed.
    pub include_plaintext: bool,
    /// Peel envelopes whose whole plaintext is an envelope.
    pub unwrap_nested: bool,
}

/// One worker's judge over one organization's cells.
pub struct Judge<'k> {
    keyring: &'k Keyring,
    outer: Bench,
    inner: Bench,
    /// Position that fitted last: most neighbours share a key.
    last: Option<usize>,
}

/// The text inside a stored value: the envelope or plaintext of a text column, the string or document of a jsonb one.
/// `raw` is the column's value cast to text.
pub fn content(kind: ColumnKind, raw: &str) -> (Cow<'_, str>, bool) {
    match kind {
        ColumnKind::Text => (Cow::Borrowed(raw), true),
        ColumnKind::Jsonb => match raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) {
            Some(inside) if !inside.contains('\\') => (Cow::Borrowed(inside), true),
            Some(_) => match serde_json::from_str::<String>(raw) {
                Ok(text) => (Cow::Owned(text), true),
                Err(_) => (Cow::Borrowed(raw), false),
            },
            None => (Cow::Borrowed(raw), false),
        },
    }
}

impl<'k> Judge<'k> {
    /// A judge with empty buffers.
    pub fn new(keyring: &'k Keyring) -> Judge<'k> {
        Judge { keyring, outer: Bench::default(), inner: Bench::default(), last: None }
    }

    /// The same judge over another organization's cells.
    pub fn with<'n>(self, keyring: &'n Keyring) -> Judge<'n> {
        Judge { keyring, outer: self.outer, inner: self.inner, last: None }
    }

    /// Says what a stored value is. `raw` is the column cast to text.
    pub fn classify(&mut self, kind: ColumnKind, raw: &str) -> Class {
        let (text, is_string) = content(kind, raw);
        if !is_string {
            if raw == "null" {
                return Class::Absent;
            }
            return self.plain(raw);
        }
        match envelope::read(&text) {
            Stored::Empty => Class::Absent,
            Stored::Plain(_) => self.plain(raw),
            Stored::Sealed(found) => match self.keyring.open(&mut self.outer, self.last, found) {
                Err(error) => Class::Unopenable(error),
                Ok((outer, plaintext)) => {
                    self.last = Some(outer);
                    match nested(self.keyring, &mut self.inner, kind, plaintext) {
                        None => Class::Sealed(outer),
                        Some((inner, whole)) => Class::Nested { outer, inner, whole },
                    }
                }
            },
        }
    }

    /// The new envelope for a value just classified, or `None` when it stays as it is. `target` is a keyring position;
    /// `movable` says whether a cell under this position may be moved. `tier` is for what was never sealed.
    #[expect(clippy::too_many_arguments, reason = "what a cell is and what is wished of it come from different owners")]
    pub fn rewrite(
        &mut self,
        kind: ColumnKind,
        raw: &str,
        class: Class,
        target: usize,
        movable: impl Fn(usize) -> bool,
        tier: Tier,
        wishes: Wishes,
    ) -> Result<Option<&str>, NoRandomness> {
        let cipher = &self.keyring.entries()[target].cipher;
        match class {
            Class::Absent | Class::Unopenable(_) => Ok(None),
            Class::Plain | Class::PlainNested { .. } => {
                // An envelope standing bare inside plaintext is not peeled: the document is sealed as it is.
                if wishes.include_plaintext {
                    self.outer.seal(cipher, tier, raw.as_bytes()).map(Some)
                } else {
                    Ok(None)
                }
            }
            Class::Nested { outer, whole: true, .. } if wishes.unwrap_nested && (outer == target || movable(outer)) => {
                let tier = tier_of(kind, raw).unwrap_or(tier);
                while let Some((plaintext, keyring)) = self.outer.opened_text().map(|p| (p.to_owned(), self.keyring)) {
                    let plaintext = zeroize::Zeroizing::new(plaintext);
                    let Some(found) = whole(kind, &plaintext) else { break };
                    let Stored::Sealed(found) = envelope::read(&found) else { break };
                    if keyring.open(&mut self.outer, None, found).is_err() {
                        break;
                    }
                }
                self.outer.reseal(cipher, tier).map(Some)
            }
            Class::Sealed(outer) | Class::Nested { outer, .. } => {
                if outer == target || !movable(outer) {
                    return Ok(None);
                }
                let tier = tier_of(kind, raw).unwrap_or(tier);
                self.outer.reseal(cipher, tier).map(Some)
            }
        }
    }

    fn plain(&mut self, raw: &str) -> Class {
        match nested(self.keyring, &mut self.inner, ColumnKind::Text, raw.as_bytes()) {
            None => Class::Plain,
            Some((inner, _)) => Class::PlainNested { inner },
        }
    }
}

/// The tier of the envelope that stands in a column now: it is kept.
fn tier_of(kind: ColumnKind, raw: &str) -> Option<Tier> {
    match envelope::read(&content(kind, raw).0) {
        Stored::Sealed(Envelope { tier, .. }) => Some(tier),
        _ => None,
    }
}

/// The envelope a plaintext consists of as a whole: bare, or as a JSON string in a jsonb column.
fn whole(kind: ColumnKind, plaintext: &str) -> Option<Cow<'_, str>> {
    if matches!(envelope::read(plaintext), Stored::Sealed(_)) {
        return Some(Cow::Borrowed(plaintext));
    }
    let (text, is_string) = content(kind, plaintext);
    (is_string && matches!(envelope::read(&text), Stored::Sealed(_))).then_some(text)
}

/// The first envelope inside a plaintext that opens, and whether it is the whole plaintext.
fn nested(keyring: &Keyring, bench: &mut Bench, kind: ColumnKind, plaintext: &[u8]) -> Option<(usize, bool)> {
    memchr::memmem::find(plaintext, envelope::MARK.as_bytes())?;
    let plaintext = std::str::from_utf8(plaintext).ok()?;
    if let Some(text) = whole(kind, plaintext)
        && let Stored::Sealed(found) = envelope::read(&text)
        && let Ok((inner, _)) = keyring.open(bench, None, found)
    {
        return Some((inner, true));
    }
    envelope::find_inside(plaintext)
        .into_iter()
        .find_map(|(_, found)| Some((keyring.open(bench, None, found).ok()?.0, false)))
}

#[cfg(test)]
mod tests {
    use super::super::dek::Dek;
    use super::super::ids::{DekId, KeyVersion};
    use super::super::keyring::Entry;
    use super::super::seal::Cipher;
    use super::*;
    use zeroize::Zeroizing;

    /// Versions 2 and 1, at positions 0 and 1.
    fn ring() -> Keyring {
        let entry = |version: i32| Entry {
            id: DekId::parse(&format!("dek-{version}")).unwrap(),
            version: KeyVersion(version),
            active: version == 2,
            cipher: Cipher::new(&Dek::parse(Zeroizing::new(vec![version as u8; 32])).unwrap()),
        };
        Keyring::new(vec![entry(1), entry(2)])
    }

    fn sealed(ring: &Keyring, at: usize, tier: Tier, plain: &str) -> String {
        Bench::default().seal(&ring.entries()[at].cipher, tier, plain.as_bytes()).unwrap().to_owned()
    }

    fn moved(ring: &Keyring, kind: ColumnKind, raw: &str, wishes: Wishes) -> Option<String> {
        let mut judge = Judge::new(ring);
        let class = judge.classify(kind, raw);
        judge.rewrite(kind, raw, class, 0, |at| at != 0, Tier::Standard, wishes).unwrap().map(str::to_owned)
    }

    fn opened(ring: &Keyring, text: &str) -> (usize, String) {
        let Stored::Sealed(found) = envelope::read(text) else { panic!("not sealed: {text}") };
        let mut bench = Bench::default();
        let (at, plain) = ring.open(&mut bench, None, found).unwrap();
        (at, String::from_utf8(plain.to_vec()).unwrap())
    }

    #[test]
    fn every_form_is_told_apart() {
        let ring = ring();
        let mut judge = Judge::new(&ring);
        let old = sealed(&ring, 1, Tier::Standard, "x");
        let json = |text: &str| serde_json::to_string(text).unwrap();
        use ColumnKind::{Jsonb, Text};
        for (kind, raw, class) in [
            (Text, String::new(), Class::Absent),
            (Jsonb, "null".into(), Class::Absent),
            (Jsonb, "\"\"".into(), Class::Absent),
            (Text, "null".into(), Class::Plain),
            (Text, "Client called".into(), Class::Plain),
            (Jsonb, "{\"a\": 1}".into(), Class::Plain),
            (Jsonb, "\"plain \\\"answer\\\"\"".into(), Class::Plain),
            (Jsonb, "3".into(), Class::Plain),
            (Text, old.clone(), Class::Sealed(1)),
            (Jsonb, json(&old), Class::Sealed(1)),
            (Jsonb, format!("{{\"a\": \"{old}\"}}"), Class::PlainNested { inner: 1 }),
            (Text, format!("see {old}"), Class::PlainNested { inner: 1 }),
            (Text, sealed(&ring, 0, Tier::High, &old), Class::Nested { outer: 0, inner: 1, whole: true }),
            (
                Jsonb,
                json(&sealed(&ring, 0, Tier::High, &json(&old))),
                Class::Nested { outer: 0, inner: 1, whole: true },
            ),
            (
                Text,
                sealed(&ring, 0, Tier::High, &format!("a {old} b")),
                Class::Nested { outer: 0, inner: 1, whole: false },
            ),
            (Text, sealed(&ring, 0, Tier::High, "enc:v1:not really"), Class::Sealed(0)),
            (Text, "enc:v1:@@@@".into(), Class::Unopenable(OpenError::Malformed(envelope::Malformed::Base64))),
            (Jsonb, json("enc:v1:"), Class::Unopenable(OpenError::Malformed(envelope::Malformed::Empty))),
        ] {
            assert_eq!(judge.classify(kind, &raw), class, "{kind:?} {raw}");
        }
    }

    #[test]
    fn a_move_keeps_plaintext_and_prefix_and_touches_nothing_else() {
        let ring = ring();
        for tier in [Tier::Standard, Tier::High] {
            let new =
                moved(&ring, ColumnKind::Text, &sealed(&ring, 1, tier, "Müller — 東京"), Wishes::default()).unwrap();
            assert!(new.starts_with(envelope::prefix(tier)));
            assert_eq!(opened(&ring, &new), (0, "Müller — 東京".into()));
        }
        let both = Wishes { include_plaintext: false, unwrap_nested: true };
        for raw in [String::new(), "plain".into(), sealed(&ring, 0, Tier::Standard, "done"), "enc:v1:@@@@".into()] {
            assert_eq!(moved(&ring, ColumnKind::Text, &raw, both), None, "{raw}");
        }
    }

    #[test]
    fn plaintext_is_sealed_and_nesting_peeled_only_on_request() {
        let ring = ring();
        let all = Wishes { include_plaintext: true, unwrap_nested: true };
        assert_eq!(opened(&ring, &moved(&ring, ColumnKind::Text, "plain", all).unwrap()), (0, "plain".into()));
        assert_eq!(opened(&ring, &moved(&ring, ColumnKind::Jsonb, "\"plain\"", all).unwrap()), (0, "\"plain\"".into()));
        let twice =
            sealed(&ring, 0, Tier::High, &sealed(&ring, 1, Tier::Standard, &sealed(&ring, 0, Tier::Standard, "deep")));
        assert_eq!(moved(&ring, ColumnKind::Text, &twice, Wishes::default()), None);
        let peeled = moved(&ring, ColumnKind::Text, &twice, all).unwrap();
        assert!(peeled.starts_with("enc:t2:v1:"));
        assert_eq!(opened(&ring, &peeled), (0, "deep".into()));
        let document =
            sealed(&ring, 1, Tier::Standard, &format!("{{\"a\":\"{}\"}}", sealed(&ring, 1, Tier::Standard, "in")));
        let kept = moved(&ring, ColumnKind::Text, &document, all).unwrap();
        assert!(opened(&ring, &kept).1.contains("enc:v1:"));
    }
}
