//! What a plan rests on: how many rows and cells an organization has, or, for a re-encryption, a census of what there is to move. Read-only.

use super::census::{self, Census};
use super::cutting::{Order, Visit};
use super::request::Request;
use super::wrapping::Vault;
use super::{counting, settle};
use crate::app::App;
use crate::core::ids::OrgId;
use crate::db::Session;
use crate::db::catalog::Catalog;
use crate::db::census::CensusFilter;
use crate::error::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A census taken for a plan.
pub struct Reading {
    pub census: Census,
    /// It is proof: cached keys had run out, and no transaction from before was open.
    pub is_proof: bool,
}

/// Rows and values of an organization over all tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub rows: i64,
    pub cells: i64,
    /// In which order each relation would be visited.
    pub visits: Vec<Visit>,
    /// Every row to move, by relation, where a census named them all.
    pub named: Option<Vec<(String, Vec<String>)>>,
}

/// Counts every organization's rows and values: as many cells go dark at most.
pub(super) fn count_rows(
    session: &mut Session,
    catalog: &Catalog,
    tid_ranges: bool,
) -> Result<BTreeMap<String, Count>, Failure> {
    let mut all: BTreeMap<String, Count> = BTreeMap::new();
    for live in &catalog.tables {
        for (organization, rows, cells) in session.rows_by_organization(live)? {
            if let Some(organization) = organization {
                let count = all.entry(organization).or_default();
                count.rows += rows;
                count.cells += cells;
                count.visits.push(Visit {
                    relation: live.relation.clone(),
                    rows,
                    order: Order::of(live, rows, tid_ranges),
                });
            }
        }
    }
    Ok(all)
}

/// What a census found to move. Where it named every row, they are moved by name.
pub(super) fn counts_of(census: &Census, catalog: &Catalog, tid_ranges: bool) -> BTreeMap<String, Count> {
    let mut all: BTreeMap<String, Count> = BTreeMap::new();
    for ((organization, table), (rows, cells)) in &census.to_move {
        let count =
            all.entry(organization.clone()).or_insert_with(|| Count { named: Some(Vec::new()), ..Count::default() });
        count.rows += *rows as i64;
        count.cells += *cells as i64;
        if let Some(live) = catalog.table(table) {
            let rows = *rows as i64;
            count.visits.push(Visit { relation: table.clone(), rows, order: Order::of(live, rows, tid_ranges) });
        }
        match (&mut count.named, census.names_all(organization, table)) {
            (Some(named), true) => {
                named.push((table.clone(), census.stale_rows[&(organization.clone(), table.clone())].clone()));
            }
            (named, _) => *named = None,
        }
    }
    all
}

/// Reads every cell, to see what there is to move, and says whether the reading is proof.
pub(super) fn read_all(
    app: &App,
    session: &mut Session,
    vault: &Vault,
    catalog: &Catalog,
    request: &Request,
    organizations: &[OrgId],
    settle: Duration,
) -> Result<(Reading, census::Keyrings), Failure> {
    let map = &app.settings.map.value;
    let (rings, problems) = census::load_keyrings(app, session, vault, organizations)?;
    let mut caches_have_run_out = problems.is_empty() && rings.len() == organizations.len();
    for organization in organizations {
        let deks = session.dek_rows(map, organization)?;
        let last = deks.iter().flat_map(|row| [row.created_at, row.rotated_at]).flatten().max();
        let Some(last) = last else { continue };
        caches_have_run_out &= session.seconds_until(last, settle.as_secs_f64())? <= 0.0;
    }
    // Whoever writes now may have read the old key before the last flip.
    let mut open: BTreeSet<String> = session.open_transactions()?.into_iter().collect();
    let mut prepared = open.clone();
    for _ in 0..20 {
        if open.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        let now = session.open_transactions()?.into_iter().collect();
        open = settle::still_waited_for(&open, &now, &mut prepared);
    }
    let wanted = census::Request {
        filter: CensusFilter { organizations: organizations.to_vec(), ..CensusFilter::default() },
        list_unopenable: census::UNOPENABLE_LIMIT,
        wishes: request.wishes,
        from_version: request.from_version,
        probe_unmapped: request.models.is_empty(),
        workers: app.settings.policy.workers,
        ..census::Request::default()
    };
    let progress = app.ui.progress("reading every cell to see what there is to move");
    let mut holder = app.connect()?;
    let census = counting::take(app, &mut holder, catalog, &rings, &wanted, &*progress, || false);
    progress.done();
    let census = census?;
    // A table that was rewritten meanwhile was read as empty.
    let same = session.catalog(map)?.only(&request.models)?.heaps() == catalog.heaps();
    Ok((Reading { census, is_proof: caches_have_run_out && open.is_empty() && same }, rings))
}
