//! Settling: what the walk missed is found, moved, and the result proved.
//!
//! A walk can miss a row that an application update moved behind it, and an application with a cached key writes under the old one for as
//! long as it caches. So passes are not proof; the closing census is: every cell, under one snapshot, taken when flip + cache time has gone by on
//! the database's clock and every transaction that was open then has ended. What it finds is moved, and it is taken again until clean.
//!
//! Before it, sweeps keep cells from staying dark while the caches run out. A sweep opens only row versions that are not older than its basis and
//! not our own batches'. The basis is the oldest transaction open before the walk's chunks were cut, or before the last reading's snapshot. A version
//! that an older transaction wrote and that is still the row's newest was there, unchanged, when its chunk was walked, for the chunks cover every
//! key, or every heap block there was; the walk opened it then, and moved it (which made a version of ours), named it, or had nothing to move in
//! it. A version of ours holds what we sealed and what we had just opened. Where a batch stepped over locked rows, or a trigger may rewrite what we
//! write, a sweep opens everything. A sweep does not see a row that came to its organization without being written (its client moved, a partition
//! was attached), nor one that a damaged index hid from the walk: the census does, and nothing is proven by less.

use super::census::{self, Census, OrganizationKeys, Protection, Request as CensusRequest, UNOPENABLE_LIMIT, Where};
use super::control::Order;
use super::job::{Runner, light};
use super::walk::WalkEnd;
use super::{counting, crash, cutting};
use crate::core::ids::OrgId;
use crate::db::catalog::Catalog;
use crate::db::cells::Rows;
use crate::db::census::{CensusFilter, Changed};
use crate::db::jobs::{Owner, Part, PartState};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Sweeps and censuses taken at most before giving up on a database that is rewritten faster than it settles.
const ROUNDS: usize = 20;
/// How long open transactions are waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// Readings at most of tables that are rewritten meanwhile.
const REWRITES: usize = 5;
/// How often what was written late is swept up while cached keys run out.
const SWEEP_EVERY: Duration = Duration::from_secs(20);

/// What one reading came to.
struct Swept {
    census: Census,
    /// The catalog it read by.
    catalog: Catalog,
    /// Nothing was left to move.
    clean: bool,
    moved: u64,
}

impl Runner<'_> {
    /// Settles every organization whose walk is done. `None` when there is none, or nothing was to be moved.
    pub(super) fn settle_all(&mut self) -> Result<Option<Census>, Failure> {
        let mut parts = self.moved_parts()?;
        if parts.is_empty() {
            return Ok(None);
        }
        if self.request.dek_only {
            for part in &parts {
                self.session.set_part(self.job, &part.organization, PartState::Settled)?;
            }
            return Ok(None);
        }
        if !self.settle.is_zero() {
            self.wait_for_caches(&mut parts)?;
        }
        for round in 0..ROUNDS {
            self.wait_for_writers()?;
            if round > 0 || !self.settle.is_zero() {
                // Cheap, and then the census is taken once.
                for _ in 0..ROUNDS {
                    let swept = self.sweep(&parts, self.basis(&parts))?;
                    parts = self.moved_parts()?;
                    let Some(swept) = swept.filter(|_| !parts.is_empty()) else { break };
                    if swept.clean || swept.moved == 0 {
                        break;
                    }
                }
            }
            crash::point("before-census");
            let swept = self.sweep(&parts, None)?;
            parts = self.moved_parts()?;
            let Some(Swept { mut census, catalog, clean, moved }) = swept.filter(|_| !parts.is_empty()) else {
                return Ok(None);
            };
            if clean || moved == 0 && self.only_refused_are_left(&census, &catalog)? {
                if self.request.models.is_empty() {
                    self.control.phase(&*self.progress, "proving: looking for sealed values outside the data map");
                    let stop = || self.app.interrupt.asked();
                    census.unmapped = self.session.snapshot()?.probe_unmapped(&catalog, None, &stop)?;
                    // Half a probe proves nothing.
                    self.stop_if_asked()?;
                }
                self.prove(&parts, &census)?;
                return Ok(Some(census));
            }
        }
        Err(Failure::new(
            Exit::Incomplete,
            "not-settled",
            format!("cells under an old version keep appearing after {ROUNDS} censuses"),
        )
        .hint("an application still seals with a cached key: restart it, then run the same command again"))
    }

    fn moved_parts(&mut self) -> Result<Vec<Part>, Failure> {
        let mut parts = self.session.job_parts(self.job)?;
        parts.retain(|p| p.state == PartState::Moved);
        Ok(parts)
    }

    /// From which transaction on a sweep has to look: where the last one looked, or the walk began; `None`: at everything.
    fn basis(&self, parts: &[Part]) -> Option<i64> {
        let of = |part: &Part| self.bases.get(&part.organization).copied().or(part.walk_basis);
        let all: Option<Vec<i64>> = parts.iter().map(of).collect();
        all.filter(|_| self.saw_every_row(parts))?.into_iter().min()
    }

    /// False where a batch stepped over rows, or a trigger may have written something else than we did.
    fn saw_every_row(&self, parts: &[Part]) -> bool {
        !self.request.allow_triggers && parts.iter().all(|p| p.rows_skipped == 0)
    }

    /// True when every row that a census still finds stale is one that the database refused: nothing movable is left.
    fn only_refused_are_left(&mut self, census: &Census, catalog: &Catalog) -> Result<bool, Failure> {
        let refused: BTreeSet<(String, String, String)> = self
            .session
            .quarantined(self.job, i64::MAX)?
            .into_iter()
            .filter(|cell| cell.refused)
            .map(|cell| (cell.organization, cell.table, cell.row))
            .collect();
        Ok(census.stale_rows.iter().all(|((organization, relation), rows)| {
            let table = catalog.table(relation).map_or(relation, |live| &live.name);
            let is_refused = |row: &String| refused.contains(&(organization.clone(), table.clone(), row.clone()));
            census.names_all(organization, relation) && rows.iter().all(is_refused)
        }))
    }

    /// Keeps the census, then ends the parts: killed in between, the next run takes the census again.
    fn prove(&mut self, parts: &[Part], census: &Census) -> Result<(), Failure> {
        self.problems.extend(census.problems());
        self.session.keep_census(self.job, &census::to_keep(census))?;
        let whole = self.request.models.is_empty() && self.request.from_version.is_none();
        for part in parts {
            if census.unopenable.len() < UNOPENABLE_LIMIT {
                let own = |c: &&census::CellName| c.place.organization.as_deref() == Some(part.organization.as_str());
                let names: Vec<[&str; 4]> = census
                    .unopenable
                    .iter()
                    .filter(own)
                    .map(|c| [c.place.table.as_str(), c.place.column.as_str(), c.row.as_str(), c.reason.as_str()])
                    .collect();
                let tables: Vec<&str> = self.catalog.tables.iter().map(|t| t.name.as_str()).collect();
                self.session.reconcile_quarantine(self.job, &part.organization, &tables, &names)?;
            }
            if let Some((target, _)) = part.target.as_ref().filter(|_| whole && frees(census, &part.organization)) {
                self.session.record_retired(&self.app.settings.map.value, &part.organization, target)?;
            }
            self.session.set_part(self.job, &part.organization, PartState::Settled)?;
        }
        Ok(())
    }

    /// One reading over the parts' organizations, of what changed since `basis` or of everything; moves what it finds stale. `None` when
    /// every part is superseded.
    fn sweep(&mut self, parts: &[Part], basis: Option<i64>) -> Result<Option<Swept>, Failure> {
        let mut rings = census::Keyrings::new();
        let mut organizations = Vec::new();
        for part in parts {
            if let Some((keyring, current)) = self.keyring_of(part)? {
                rings.insert(part.organization.as_str().to_owned(), OrganizationKeys { keyring, current });
                organizations.push(part.organization.clone());
            }
        }
        if organizations.is_empty() {
            return Ok(None);
        }
        let doing = if basis.is_some() { "settling: reading what changed" } else { "proving: reading every cell" };
        self.control.phase(&*self.progress, doing);
        let (catalog, census) = self.read(&rings, organizations.clone(), basis)?;
        // A census is worth only what its target is: somebody may have rotated while it was read.
        for part in parts {
            if let Some((target, version)) = &part.target {
                let deks = self.session.dek_rows(&self.app.settings.map.value, &part.organization)?;
                self.still_current(&part.organization, target, *version, &deks)?;
            }
        }
        let (mut clean, mut moved) = (true, 0);
        for (organization, table) in census.stale_rows.keys() {
            clean = false;
            self.stop_if_asked()?;
            moved += self.move_late(&catalog, &census, &rings[organization], organization, table)?;
        }
        for organization in organizations {
            self.bases.insert(organization, census.basis);
        }
        Ok(Some(Swept { census, catalog, clean, moved }))
    }

    /// Reads what changed since `basis`, or everything. A snapshot sees nothing of a table that was rewritten after it was taken, and nothing of
    /// a partition that came later: where the heaps are others afterwards, everything is read again.
    fn read(
        &mut self,
        rings: &census::Keyrings,
        organizations: Vec<OrgId>,
        basis: Option<i64>,
    ) -> Result<(Catalog, Census), Failure> {
        let map = &self.app.settings.map.value;
        let changed = basis.map(|basis| Changed { basis, job: self.job });
        let request = CensusRequest {
            filter: CensusFilter { organizations, sample: None, changed },
            max_rate: None,
            list_unopenable: UNOPENABLE_LIMIT,
            wishes: self.request.wishes,
            from_version: self.request.from_version,
            probe_unmapped: false,
            workers: self.crew.pace.workers(),
        };
        for _ in 0..REWRITES {
            // Tables and partitions may have come since the plan was made.
            let catalog = self.session.catalog(map)?.only(&self.request.models)?;
            let mut holder = self.app.connect()?;
            let Runner { app, session, control, progress, .. } = self;
            let light = light(app);
            let watch = || control.tick(session, &**progress, light) == Order::Cancelled;
            let taken = counting::take(app, &mut holder, &catalog, rings, &request, &**progress, watch);
            let census = taken.map_err(|failure| match failure.code {
                "interrupted" => self.stopped(),
                _ => failure.hint("run the same command again: only the proof is left to do"),
            })?;
            drop(holder);
            let now = self.session.catalog(map)?.only(&self.request.models)?;
            if basis.is_some() || catalog.heaps() == now.heaps() {
                return Ok((catalog, census));
            }
            self.app.ui.say(
                "A table was rewritten, or a partition came or went, while everything was read: it is read again.",
            );
        }
        Err(Failure::new(Exit::Incomplete, "tables-rewritten", "tables were rewritten each time they were read")
            .hint("run the same command again when the tables' definitions stand still: only the proof is left to do"))
    }

    /// Moves what a reading found stale of one organization in one table; returns the cells moved.
    fn move_late(
        &mut self,
        catalog: &Catalog,
        census: &Census,
        keys: &OrganizationKeys,
        organization: &str,
        table: &str,
    ) -> Result<u64, Failure> {
        let id =
            OrgId::parse(organization).map_err(|e| Failure::internal("an organization without a name").caused_by(e))?;
        self.control.phase(&*self.progress, &format!("{organization}: moving what was left in {table}"));
        let mut chunks = Vec::new();
        let named = &census.stale_rows[&(organization.to_owned(), table.to_owned())];
        match catalog.table(table).filter(|_| !census.names_all(organization, table)) {
            Some(live) => {
                for rows in cutting::cut(&mut self.session, live, &id)? {
                    chunks.push(self.session.add_own_chunk(self.job, &id, table, rows, Owner::Settling)?);
                }
            }
            None => {
                let rows = Rows::Ids(named.clone());
                chunks.push(self.session.add_own_chunk(self.job, &id, table, rows, Owner::Settling)?);
            }
        }
        match self.walk_late(catalog, &keys.keyring, keys.current, chunks)? {
            (WalkEnd::Done, moved) => Ok(moved),
            (WalkEnd::Stopped, _) => Err(self.stopped()),
            (WalkEnd::Superseded, moved) => {
                self.supersede(&id, keys.keyring.entries()[keys.current].version)?;
                Ok(moved)
            }
        }
    }

    /// Seconds until no application process can hold the old key, by the database's clock and, for flips of this run, by a clock that nobody sets.
    fn seconds_left(&mut self, parts: &[Part]) -> Result<f64, Failure> {
        let Some(last) = parts.iter().filter_map(|p| p.flipped_at).max() else { return Ok(0.0) };
        let ours = self.last_flip.map_or(Duration::ZERO, |at| self.settle.saturating_sub(at.elapsed()));
        Ok(self.session.seconds_until(last, self.settle.as_secs_f64())?.max(ours.as_secs_f64()))
    }

    /// Sweeps the organizations that are moved already, now and then: what is written late must not stay dark until all others are done.
    pub(super) fn sweep_now_and_then(&mut self) -> Result<(), Failure> {
        if self.settle.is_zero() || self.request.dek_only || self.last_sweep.elapsed() < SWEEP_EVERY {
            return Ok(());
        }
        let parts = self.moved_parts()?;
        if !parts.is_empty() {
            self.sweep(&parts, self.basis(&parts))?;
        }
        self.last_sweep = Instant::now();
        Ok(())
    }

    /// Waits until no cached key can be in use any more; meanwhile sweeps up what was written late, and at first what moved behind the walk.
    fn wait_for_caches(&mut self, parts: &mut Vec<Part>) -> Result<(), Failure> {
        let mut said = false;
        loop {
            self.stop_if_asked()?;
            let left = self.seconds_left(parts)?;
            if left <= 0.0 || parts.is_empty() {
                return Ok(());
            }
            if left > 1.0 && (!said || self.last_sweep.elapsed() > SWEEP_EVERY) {
                if !said {
                    self.app.ui.say(&format!(
                        "All cells are moved. Application processes may write under the old key for {left:.0} s more; the proof is taken after that. \
                         Ctrl-C is safe: the same command goes on."
                    ));
                    said = true;
                }
                self.sweep(parts, self.basis(parts))?;
                *parts = self.moved_parts()?;
                self.last_sweep = Instant::now();
            }
            self.control.phase(&*self.progress, &format!("settling: {left:.0} s until cached keys have run out"));
            std::thread::sleep(Duration::from_secs_f64(left.clamp(0.01, 0.5)));
        }
    }

    /// Waits until every transaction that is open now has ended: a writer that read the old key may still commit.
    fn wait_for_writers(&mut self) -> Result<(), Failure> {
        let mut waiting: BTreeSet<String> = self.session.open_transactions()?.into_iter().collect();
        let mut prepared = waiting.iter().filter(|one| is_prepared(one)).cloned().collect();
        let started = Instant::now();
        while !waiting.is_empty() {
            self.stop_if_asked()?;
            let many = waiting.len();
            self.control.phase(&*self.progress, &format!("settling: waiting for {many} transactions begun before"));
            if started.elapsed() > PATIENCE {
                let message =
                    format!("{} transactions have been open for more than {} s", waiting.len(), PATIENCE.as_secs());
                return Err(Failure::new(Exit::Incomplete, "old-transactions", message)
                    .hint("SELECT pid, application_name, xact_start FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start")
                    .hint("end them, then run the same command again: only the proof is left to do"));
            }
            std::thread::sleep(Duration::from_millis(100));
            let open: BTreeSet<String> = self.session.open_transactions()?.into_iter().collect();
            waiting = still_waited_for(&waiting, &open, &mut prepared);
        }
        Ok(())
    }
}

fn is_prepared(transaction: &str) -> bool {
    transaction.starts_with("prepared:")
}

/// Who of those waited for is still open. One that vanished may have been prepared for a two-phase commit, under another name: then the
/// prepared ones that are new since `prepared` was kept are waited for as well.
pub(super) fn still_waited_for(
    waiting: &BTreeSet<String>,
    open: &BTreeSet<String>,
    prepared: &mut BTreeSet<String>,
) -> BTreeSet<String> {
    let mut still: BTreeSet<String> = waiting.intersection(open).cloned().collect();
    let now: BTreeSet<String> = open.iter().filter(|one| is_prepared(one)).cloned().collect();
    if waiting.iter().any(|one| !is_prepared(one) && !open.contains(one)) {
        still.extend(now.difference(prepared).cloned());
    }
    *prepared = now;
    still
}

/// True when no cell could still need an older version of this organization: none nested, none that does not open, none without an owner,
/// and none where the data map does not look (a partition that was detached meanwhile, a copy of a table).
fn frees(census: &Census, organization: &OrgId) -> bool {
    let own = |place: &Where| place.organization.as_deref() == Some(organization.as_str());
    census.unmapped.is_empty()
        && !census.nested.keys().any(|(place, _)| own(place))
        && !census.counts.keys().any(|(place, protection)| match protection {
            Protection::Stale(..) | Protection::Unopenable => own(place),
            Protection::Ownerless => true,
            Protection::Current(..) | Protection::Plaintext => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn a_transaction_that_is_prepared_meanwhile_is_still_waited_for() {
        let mut prepared = set(&["prepared:old"]);
        let waiting = set(&["3/57", "4/1", "prepared:old"]);
        let waiting = still_waited_for(&waiting, &set(&["4/1", "prepared:old", "prepared:new"]), &mut prepared);
        assert_eq!(waiting, set(&["4/1", "prepared:old", "prepared:new"]));
        // Nobody of ours vanished: what is prepared now began later.
        let waiting = still_waited_for(&waiting, &set(&["4/1", "prepared:new", "prepared:later"]), &mut prepared);
        assert_eq!(waiting, set(&["4/1", "prepared:new"]));
        assert_eq!(still_waited_for(&waiting, &set(&["9/9", "prepared:later"]), &mut prepared), set(&[]));
    }
}
