//! Cutting an organization's rows of a table into chunks, and in which order they are visited.
//!
//! Where much of a table is the organization's own, by heap blocks in stripes: a walk that comes back to a page lets the server prune it and keep
//! the new row on it, past every index. Elsewhere by key, through the organization's index. Measured in benches/RESULTS.md.

use crate::core::ids::OrgId;
use crate::db::catalog::LiveTable;
use crate::db::cells::Rows;
use crate::db::{DbError, Session};

/// Rows of one chunk by key, at most: the unit of work that is taken over when a process dies.
const CHUNK_ROWS: i64 = 5000;
const FEWEST_ROWS: i64 = 200;
/// Stored bytes of one chunk by key, about: large rows make short chunks, so that several workers have something to do.
const CHUNK_BYTES: i64 = 32 << 20;
/// Heap blocks of one chunk, where a table is walked by blocks. So many that a page is come back to after two batches, not one: the
/// other workers' transactions have ended by then, and the page can be pruned.
const BLOCKS_PER_CHUNK: i64 = 2000;
/// Share of a table's rows from which an organization's are walked by blocks.
const HEAP_SHARE: f64 = 0.3;

/// In which order an organization's rows of a table are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Key,
    Stripes,
}

/// One relation's rows of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub relation: String,
    pub rows: i64,
    pub order: Order,
}

impl Order {
    /// As a plan says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Key => "by key",
            Order::Stripes => "by heap stripes",
        }
    }

    /// The order for `own` rows of this table. `tid_ranges` says whether the server scans ranges of heap blocks.
    pub fn of(live: &LiveTable, own: i64, tid_ranges: bool) -> Order {
        let large = live.blocks > 2 * BLOCKS_PER_CHUNK;
        if tid_ranges && large && live.rows > 0 && own as f64 >= live.rows as f64 * HEAP_SHARE {
            Order::Stripes
        } else {
            Order::Key
        }
    }
}

/// Cuts an organization's rows of a table into chunks.
pub(super) fn cut(session: &mut Session, live: &LiveTable, organization: &OrgId) -> Result<Vec<Rows>, DbError> {
    let mut chunks = Vec::new();
    if live.blocks > 2 * BLOCKS_PER_CHUNK {
        let (own, tid_ranges) = (session.rows_of(live, organization)?, session.scans_tid_ranges()?);
        if Order::of(live, own, tid_ranges) == Order::Stripes {
            // Closed at today's end: what is appended later, by our own updates too, is settling's to find.
            let file = session.file_of(live)?;
            let (mut from, end) = (0, session.blocks_of(live)?);
            while from < end {
                let to = from + BLOCKS_PER_CHUNK;
                chunks.push(Rows::Blocks { from, to: Some(to.min(end)), file });
                from = to;
            }
            return Ok(chunks);
        }
    }
    let (rows, bounds) = session.chunk_bounds(live, organization, rows_per_chunk(live))?;
    if rows == 0 {
        return Ok(chunks);
    }
    let mut lower: Option<String> = None;
    for upper in bounds {
        chunks.push(Rows::Range { lower: lower.take(), upper: Some(upper.clone()) });
        lower = Some(upper);
    }
    chunks.push(Rows::Range { lower, upper: None });
    Ok(chunks)
}

fn rows_per_chunk(live: &LiveTable) -> i64 {
    (CHUNK_BYTES / live.row_bytes().max(1)).clamp(FEWEST_ROWS, CHUNK_ROWS)
}
