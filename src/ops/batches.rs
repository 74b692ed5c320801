//! In which order a window's rows are visited and how they are cut into batches. Pure; `ops::worker` writes them.

use crate::db::cells::Place;

const BATCH_ROWS: usize = 1000;
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

/// Cuts a window into batches by rows and bytes; an empty window is one empty batch, so that its chunk is ended.
pub(super) fn cut<'w>(window: &[&'w Place]) -> Vec<Vec<&'w Place>> {
    let mut batches: Vec<Vec<&Place>> = vec![Vec::new()];
    let mut bytes = 0;
    for place in window {
        let batch = batches.last_mut().expect("there is always one");
        if !batch.is_empty() && (batch.len() >= BATCH_ROWS || bytes + place.bytes > BATCH_BYTES) {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += place.bytes;
        batches.last_mut().expect("there is always one").push(place);
    }
    batches
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

    proptest! {
        #[test]
        fn batches_cover_every_row_once_within_bounds(sizes in proptest::collection::vec(0i64..5_000_000, 0..3000)) {
            let window: Vec<Place> = sizes.iter().enumerate().map(|(n, bytes)| Place { id: n.to_string(), block: 0, line: 0, bytes: *bytes }).collect();
            let order: Vec<&Place> = window.iter().collect();
            let batches = cut(&order);
            prop_assert!(!batches.is_empty());
            let flat: Vec<&str> = batches.iter().flatten().map(|p| p.id.as_str()).collect();
            prop_assert_eq!(flat, window.iter().map(|p| p.id.as_str()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!(batch.len() <= BATCH_ROWS);
                let bytes: i64 = batch.iter().map(|p| p.bytes).sum();
                prop_assert!(batch.len() <= 1 || bytes <= BATCH_BYTES);
            }
        }
    }
}
