//! What a move makes of the tables' sizes: estimated before it, measured after it. Read-only.
//!
//! Every moved row leaves its old version behind until it is pruned or vacuumed. Heap stripes let most of that room be used again by the
//! rows that follow; what is left shows here, so that nobody is surprised by a table that grew.

use super::cutting::Visit;
use crate::db::Session;
use crate::db::catalog::{Catalog, Sizes};
use crate::error::Failure;
use serde::{Deserialize, Serialize};

/// One heap before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    pub relation: String,
    pub before: Kept,
    pub after: Sizes,
}

/// What is kept of a heap's sizes when a job begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    pub relation: String,
    /// Heap, TOAST and indexes.
    pub bytes: i64,
    pub updated_rows: i64,
    pub hot_updated_rows: i64,
}

impl Weight {
    /// Bytes now, all of it.
    pub fn bytes_after(&self) -> i64 {
        self.after.heap_bytes + self.after.toast_bytes + self.after.index_bytes
    }

    /// Share of the updates since the job began that touched no index, 0..=1; `None` without any, or where the statistics were reset.
    pub fn hot_share(&self) -> Option<f64> {
        let updated = self.after.updated_rows - self.before.updated_rows;
        let hot = self.after.hot_updated_rows - self.before.hot_updated_rows;
        (updated > 0 && hot >= 0).then(|| hot as f64 / updated as f64)
    }
}

/// Bytes by which the tables can grow at most: every row to be moved leaves its old version behind.
pub fn most_growth<'v>(catalog: &Catalog, visits: impl IntoIterator<Item = &'v Visit>) -> i64 {
    visits.into_iter().filter_map(|visit| Some(catalog.table(&visit.relation)?.row_bytes() * visit.rows)).sum()
}

/// Sizes of every heap, to be kept with a new job.
pub(super) fn before(session: &mut Session, catalog: &Catalog) -> Result<Vec<Kept>, Failure> {
    let mut all = Vec::new();
    for live in &catalog.tables {
        let sizes = session.sizes(live)?;
        all.push(Kept {
            relation: live.relation.clone(),
            bytes: sizes.heap_bytes + sizes.toast_bytes + sizes.index_bytes,
            updated_rows: sizes.updated_rows,
            hot_updated_rows: sizes.hot_updated_rows,
        });
    }
    Ok(all)
}

/// Sizes now beside those kept with the job. A heap that is gone, or came meanwhile, is left out.
pub(super) fn after(session: &mut Session, catalog: &Catalog, options: &str) -> Vec<Weight> {
    let options: serde_json::Value = serde_json::from_str(options).unwrap_or_default();
    let kept: Vec<Kept> = serde_json::from_value(options["sizes"].clone()).unwrap_or_default();
    let of = |before: Kept| {
        let live = catalog.table(&before.relation)?;
        let after = session.sizes(live).ok()?;
        Some(Weight { relation: before.relation.clone(), before, after })
    };
    kept.into_iter().filter_map(of).collect()
}
