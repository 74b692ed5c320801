//! The unwrapped DEKs of one organization, by DEK row, newest first.
//!
//! One owner per organization and run; workers borrow it. Versions are not unique in the application's table, rows are:
//! every answer names the row. Ciphers are wiped on drop. A keyring may lack a row whose DEK KMS refused: its cells do not open.

use super::envelope::Envelope;
use super::ids::{DekId, KeyVersion};
use super::seal::{Bench, Cipher, OpenError};

/// One usable DEK.
pub struct Entry {
    pub id: DekId,
    pub version: KeyVersion,
    /// Whether the application's row said active when it was read.
    pub active: bool,
    pub cipher: Cipher,
}

/// All usable DEKs of an organization, newest first.
pub struct Keyring {
    entries: Vec<Entry>,
}

impl Keyring {
    /// Orders by version, highest first; rows of one version keep the order given.
    pub fn new(mut entries: Vec<Entry>) -> Keyring {
        entries.sort_by_key(|e| std::cmp::Reverse(e.version));
        Keyring { entries }
    }

    /// Newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The keys, to make a larger keyring of.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The entry of a DEK row.
    pub fn entry(&self, id: &DekId) -> Option<&Entry> {
        self.entries.iter().find(|e| e.id == *id)
    }

    /// Opens an envelope and names the DEK that fitted. `first` is tried before all others: most cells of a walk share one.
    pub fn open<'b>(
        &self,
        bench: &'b mut Bench,
        first: Option<usize>,
        envelope: Envelope<'_>,
    ) -> Result<(usize, &'b [u8]), OpenError> {
        let Some(first) = first.filter(|i| *i < self.entries.len()) else {
            return bench.open(self.entries.iter().map(|e| &e.cipher), envelope);
        };
        let rest = || (0..self.entries.len()).filter(move |i| *i != first);
        let order = || std::iter::once(first).chain(rest());
        let (tried, plain) = bench.open(order().map(|i| &self.entries[i].cipher), envelope)?;
        let index = order().nth(tried).expect("the bench tried only these");
        Ok((index, plain))
    }
}

#[cfg(test)]
mod tests {
    use super::super::data_map::Tier;
    use super::super::dek::Dek;
    use super::super::envelope::{Stored, read};
    use super::*;
    use zeroize::Zeroizing;

    fn entry(id: &str, version: i32, byte: u8) -> Entry {
        let cipher = Cipher::new(&Dek::parse(Zeroizing::new(vec![byte; 32])).unwrap());
        Entry { id: DekId::parse(id).unwrap(), version: KeyVersion(version), active: false, cipher }
    }

    #[test]
    fn two_rows_of_one_version_are_told_apart() {
        let ring = Keyring::new(vec![entry("a", 1, 1), entry("b", 2, 2), entry("c", 1, 3)]);
        assert_eq!(ring.entries().iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
        let mut bench = Bench::default();
        for (index, entry) in ring.entries().iter().enumerate() {
            let text = bench.seal(&entry.cipher, Tier::Standard, b"x").unwrap().to_owned();
            let Stored::Sealed(envelope) = read(&text) else { panic!("no prefix") };
            for first in [None, Some(0), Some(1), Some(2), Some(9)] {
                assert_eq!(ring.open(&mut bench, first, envelope).unwrap().0, index);
            }
        }
    }

    #[test]
    fn an_unknown_key_opens_nothing() {
        let (ring, other) = (Keyring::new(vec![entry("a", 1, 1)]), entry("z", 9, 9));
        let mut bench = Bench::default();
        let text = bench.seal(&other.cipher, Tier::Standard, b"x").unwrap().to_owned();
        let Stored::Sealed(envelope) = read(&text) else { panic!("no prefix") };
        assert_eq!(ring.open(&mut bench, Some(0), envelope).unwrap_err(), OpenError::Authentication);
        assert_eq!(Keyring::new(vec![]).open(&mut bench, None, envelope).unwrap_err(), OpenError::Authentication);
    }
}
