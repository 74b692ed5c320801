//! From rows as they were read to rows as they are to be written: what a walk and a cutover do to every row. No I/O.

use super::walk::Walk;
use crate::core::cell::{Class, Judge};
use crate::db::catalog::LiveTable;
use crate::db::cells::{NewRow, ReadRow};
use crate::error::Failure;

/// What came of some rows.
#[derive(Default)]
pub(super) struct Resealed {
    /// Rows with at least one new envelope.
    pub rows: Vec<NewRow>,
    /// Of each of them: cells and bytes written.
    pub sizes: Vec<(i64, i64)>,
    /// Cells that open under no DEK: row, column's position, reason.
    pub unopenable: Vec<(String, usize, String)>,
}

/// Opens every cell of the rows and seals what is to move under the walk's target.
pub(super) fn reseal(
    judge: &mut Judge<'_>,
    walk: &Walk<'_>,
    live: &LiveTable,
    rows: Vec<ReadRow>,
) -> Result<Resealed, Failure> {
    let mut all = Resealed::default();
    for row in rows {
        let mut envelopes = vec![None; live.columns.len()];
        let (mut cells, mut bytes) = (0, 0);
        for (n, column) in live.columns.iter().enumerate() {
            let Some(raw) = row.values[n].as_deref() else { continue };
            let class = judge.classify(column.kind, raw);
            if let Class::Unopenable(error) = class {
                all.unopenable.push((row.id.clone(), n, error.to_string()));
            }
            let new = judge
                .rewrite(column.kind, raw, class, walk.target, |at| walk.movable(at), column.tier, walk.wishes)
                .map_err(|e| Failure::internal("sealing stopped").caused_by(e))?;
            if let Some(new) = new {
                cells += 1;
                bytes += new.len() as i64;
                envelopes[n] = Some(new.to_owned());
            }
        }
        if cells > 0 {
            all.rows.push(NewRow { read: row, envelopes });
            all.sizes.push((cells, bytes));
        }
    }
    Ok(all)
}
