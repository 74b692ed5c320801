//! Seeded randomness for invented data (SplitMix64): one die per row, so that rows do not depend on who makes them, or when.
//!
//! Never for keys or IVs: those come from KMS and the operating system.

/// A stream of numbers that depends on its seed alone.
pub struct Dice(u64);

impl Dice {
    /// The die of row `index` of a kind of row.
    pub fn of(seed: u64, kind: &str, index: u64) -> Dice {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in kind.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut dice = Dice(state);
        let mixed = dice.roll() ^ index.wrapping_mul(0xd6e8_feb8_6659_fd93);
        Dice(mixed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; `n` is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn pick<'a>(&mut self, of: &'a [&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    /// An id as the application makes them.
    pub fn id(&mut self) -> String {
        let (high, low) = (self.roll(), self.roll());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_same_again_and_unlike_its_neighbours() {
        assert_eq!(Dice::of(7, "Note", 3).id(), Dice::of(7, "Note", 3).id());
        let ids: std::collections::HashSet<String> = (0..10_000)
            .flat_map(|i| [Dice::of(7, "Note", i).id(), Dice::of(7, "Call", i).id(), Dice::of(8, "Note", i).id()])
            .collect();
        assert_eq!(ids.len(), 30_000);
    }
}
