//! The audit chain: what a record is hashed from, and how a chain is checked.
//!
//! ```text
//! hash = lower-case hex SHA-256 of these lines joined by one newline, without a last one:
//!   scrybe-keys audit v1 | seq | at (microseconds since the epoch, UTC) | event | phase | intent id or '-'
//!   run id | database user | actor | subject | body | previous hash
//! ```
//! The first record's previous hash is 64 zeros. The database makes the same text in `audit_append`. A chain without an anchor outside the
//! database proves that nothing in it was changed singly; whoever owns the tables can still make a new one.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Previous hash of the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const FORMAT: &str = "scrybe-keys audit v1";

/// One record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub seq: i64,
    /// Microseconds since the epoch, UTC, by the database clock.
    pub at_micros: i64,
    pub event: String,
    /// `intent`, `outcome` or `note`.
    pub phase: String,
    pub intent_id: Option<Uuid>,
    pub run_id: Uuid,
    /// The session's database user, as the server knows it.
    pub db_user: String,
    /// Who the client says it is.
    pub actor: String,
    pub subject: String,
    /// Compact JSON, exactly as the client made it.
    pub body: String,
    pub previous_hash: String,
    pub hash: String,
}

impl Record {
    /// The hash its other fields ask for.
    pub fn expected_hash(&self) -> String {
        let intent = self.intent_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let lines = [
            FORMAT,
            &self.seq.to_string(),
            &self.at_micros.to_string(),
            &self.event,
            &self.phase,
            &intent,
            &self.run_id.to_string(),
            &self.db_user,
            &self.actor,
            &self.subject,
            &self.body,
            &self.previous_hash,
        ];
        Sha256::digest(lines.join("\n")).iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Where and how a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Records are missing: the next one present is `found` (0 when there is none).
    #[error("record {seq} is missing")]
    Missing { seq: i64, found: i64 },
    /// A field of the record was changed.
    #[error("record {seq} does not match its hash")]
    Altered { seq: i64 },
    /// The record does not continue the one before it.
    #[error("record {seq} does not continue record {}", seq - 1)]
    Unlinked { seq: i64 },
    /// The head names another last record than the chain has.
    #[error("the head says record {head}, the last record is {seq}")]
    Head { seq: i64, head: i64 },
    /// The head's hash is not the last record's.
    #[error("the head does not carry the hash of record {seq}")]
    HeadHash { seq: i64 },
}

impl Break {
    /// The first record that cannot be trusted.
    pub fn seq(&self) -> i64 {
        match self {
            Break::Missing { seq, .. } | Break::Altered { seq } | Break::Unlinked { seq } | Break::HeadHash { seq } => {
                *seq
            }
            Break::Head { seq, head } => (*seq).min(*head) + 1,
        }
    }
}

/// Checks records in the order of `seq`, from the first on.
pub struct Verifier {
    next: i64,
    previous: String,
}

impl Default for Verifier {
    fn default() -> Verifier {
        Verifier { next: 1, previous: GENESIS.to_owned() }
    }
}

impl Verifier {
    /// Checks the next record. After a break the rest says nothing: stop.
    pub fn check(&mut self, record: &Record) -> Result<(), Break> {
        if record.seq != self.next {
            return Err(Break::Missing { seq: self.next.min(record.seq), found: record.seq });
        }
        if record.expected_hash() != record.hash {
            return Err(Break::Altered { seq: record.seq });
        }
        if record.previous_hash != self.previous {
            return Err(Break::Unlinked { seq: record.seq });
        }
        self.next += 1;
        self.previous.clone_from(&record.hash);
        Ok(())
    }

    /// Compares the end of the chain with the head. Returns how many records there are.
    pub fn finish(self, head_seq: i64, head_hash: &str) -> Result<i64, Break> {
        let last = self.next - 1;
        if head_seq > last {
            return Err(Break::Missing { seq: self.next, found: 0 });
        }
        if head_seq < last {
            return Err(Break::Head { seq: last, head: head_seq });
        }
        if head_hash != self.previous {
            return Err(Break::HeadHash { seq: last });
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(bodies: &[String]) -> Vec<Record> {
        let mut previous = GENESIS.to_owned();
        bodies
            .iter()
            .enumerate()
            .map(|(i, body)| {
                let mut record = Record {
                    seq: i as i64 + 1,
                    at_micros: 1_700_000_000_000_000 + i as i64,
                    event: "KEY_ROTATION_INITIATED".into(),
                    phase: "intent".into(),
                    intent_id: (i % 2 == 0).then(|| Uuid::from_u128(i as u128)),
                    run_id: Uuid::nil(),
                    db_user: "app".into(),
                    actor: "os:ann@host".into(),
                    subject: "acme".into(),
                    body: body.clone(),
                    previous_hash: previous.clone(),
                    hash: String::new(),
                };
                record.hash = record.expected_hash();
                previous.clone_from(&record.hash);
                record
            })
            .collect()
    }

    fn verify(records: &[Record], head: (i64, &str)) -> Result<i64, Break> {
        let mut verifier = Verifier::default();
        for record in records {
            verifier.check(record)?;
        }
        verifier.finish(head.0, head.1)
    }

    #[test]
    fn the_text_form_is_fixed() {
        let record = &chain(&["{}".to_owned()])[0];
        // Made with: printf '%s\n…' | sha256sum, without the last newline.
        assert_eq!(record.hash, "d7f930378f96c30bdbb68c4da3f01d00a86ef742d7927be1a65be91a185822d0");
    }

    #[test]
    fn an_empty_chain_is_whole_and_a_lost_tail_is_not() {
        assert_eq!(verify(&[], (0, GENESIS)), Ok(0));
        let records = chain(&["{}".to_owned(), "{}".to_owned()]);
        assert_eq!(verify(&records, (2, &records[1].hash)), Ok(2));
        assert_eq!(verify(&records[..1], (2, &records[1].hash)), Err(Break::Missing { seq: 2, found: 0 }));
        assert_eq!(verify(&records, (1, &records[0].hash)), Err(Break::Head { seq: 2, head: 1 }));
        assert_eq!(verify(&records, (2, &records[0].hash)), Err(Break::HeadHash { seq: 2 }));
    }

    proptest! {
        #[test]
        fn whatever_is_edited_deleted_or_reordered_is_found(
            bodies in prop::collection::vec("[a-z{}:\",]{0,12}", 3..12), at in any::<prop::sample::Index>(), how in 0..9
        ) {
            let mut records = chain(&bodies);
            let head = (records.len() as i64, records[records.len() - 1].hash.clone());
            let i = at.index(records.len());
            match how {
                0 => records[i].body.push('x'),
                1 => records[i].subject.push('x'),
                2 => records[i].at_micros += 1,
                3 => records[i].actor.clear(),
                4 => records[i].intent_id = Some(Uuid::from_u128(999)),
                5 => { records.remove(i); }
                6 => { let j = (i + 1) % records.len(); records.swap(i, j); }
                7 => {
                    // A careful forger hashes his record again; the next one or the head gives him away.
                    records[i].body.push('x');
                    records[i].hash = records[i].expected_hash();
                }
                _ => {
                    // Renumbering hides the gap but not the link.
                    records.remove(i);
                    for (n, r) in records.iter_mut().enumerate() {
                        r.seq = n as i64 + 1;
                        r.hash = r.expected_hash();
                    }
                }
            }
            prop_assert!(verify(&records, (head.0, &head.1)).is_err());
        }
    }
}
