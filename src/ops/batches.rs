//! In which order a window's rows are visited and how they are cut into batches. Pure; `ops::worker` writes them.

use crate::db::cells::Place;
use std::collections::VecDeque;

const BATCH_BYTES: i64 = 3 << 20;

/// A window of heap blocks in stripes: first the first row of every block, then the second of every block, and so on. By the time the
/// walk comes back to a page its earlier row versions are dead, and the server prunes them to fit the next one without touching an index.
pub(super) fn striped(window: &[Place]) -> Vec<&Place> {
    let (mut block, mut rank) = (None, 0u32);
    let mut order: Vec<(u32, &Place)> = window
        .iter()
        .map(|place| {
            rank = if block == Some(place.block) { rank + 1 } else { 0 };
            block = Some(place.block);
            (rank, place)
        })
        .collect();
    order.sort_by_key(|(rank, place)| (*rank, place.block));
    order.into_iter().map(|(_, place)| place).collect()
}

/// Rows still to be visited of a window, handed out in batches bounded by rows and bytes.
pub(super) struct Batches<'w> {
    left: VecDeque<&'w Place>,
    /// Batches cut out for a second try come first, as they are.
    again: Vec<Vec<&'w Place>>,
    begun: bool,
}

impl<'w> Batches<'w> {
    pub(super) fn of(order: Vec<&'w Place>) -> Batches<'w> {
        Batches { left: order.into(), again: Vec::new(), begun: false }
    }

    /// The next batch of `rows` rows at most. An empty window is one empty batch, so that its chunk is ended.
    pub(super) fn next(&mut self, rows: usize) -> Option<Vec<&'w Place>> {
        if let Some(batch) = self.again.pop() {
            return Some(batch);
        }
        if self.left.is_empty() && self.begun {
            return None;
        }
        self.begun = true;
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(place) = self.left.front()
            && (batch.is_empty() || batch.len() < rows && bytes + place.bytes <= BATCH_BYTES)
        {
            bytes += place.bytes;
            batch.push(self.left.pop_front().expect("there is a first"));
        }
        Some(batch)
    }

    /// Puts a batch back in two halves.
    pub(super) fn halve(&mut self, mut batch: Vec<&'w Place>) {
        let rest = batch.split_off(batch.len() / 2);
        self.again.push(rest);
        self.again.push(batch);
    }

    /// True when the batch handed out last was the window's last.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty() && self.again.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stripes_visit_every_block_before_coming_back() {
        let place = |block, line| Place { id: format!("{block}-{line}"), block, line, bytes: 1 };
        let window = [place(1, 1), place(1, 4), place(2, 2), place(4, 1), place(4, 2), place(4, 3)];
        let ids: Vec<&str> = striped(&window).iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["1-1", "2-2", "4-1", "1-4", "4-2", "4-3"]);
    }

    #[test]
    fn a_batch_put_back_comes_in_halves_before_the_rest() {
        let places: Vec<Place> = (0..5).map(|n| Place { id: n.to_string(), block: 0, line: n, bytes: 1 }).collect();
        let mut batches = Batches::of(places.iter().collect());
        let first = batches.next(4).unwrap();
        batches.halve(first);
        let lines = |batch: Vec<&Place>| batch.iter().map(|p| p.line).collect::<Vec<_>>();
        assert_eq!(lines(batches.next(4).unwrap()), [0, 1]);
        assert!(!batches.is_empty());
        assert_eq!(lines(batches.next(4).unwrap()), [2, 3]);
        assert_eq!(lines(batches.next(4).unwrap()), [4]);
        assert!(batches.is_empty() && batches.next(4).is_none());
    }

    proptest! {
        #[test]
        fn batches_cover_every_row_once_within_bounds(sizes in proptest::collection::vec(0i64..5_000_000, 0..3000), rows in 1usize..2000) {
            let window: Vec<Place> = sizes.iter().enumerate().map(|(n, bytes)| Place { id: n.to_string(), block: 0, line: 0, bytes: *bytes }).collect();
            let mut batches = Batches::of(window.iter().collect());
            let mut flat: Vec<String> = Vec::new();
            let mut count = 0;
            while let Some(batch) = batches.next(rows) {
                count += 1;
                prop_assert!(batch.len() <= rows);
                let bytes: i64 = batch.iter().map(|p| p.bytes).sum();
                prop_assert!(batch.len() <= 1 || bytes <= BATCH_BYTES);
                flat.extend(batch.iter().map(|p| p.id.clone()));
            }
            prop_assert!(count >= 1);
            prop_assert_eq!(flat, window.iter().map(|p| p.id.clone()).collect::<Vec<_>>());
        }
    }
}
