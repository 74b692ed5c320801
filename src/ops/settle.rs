//! Settling: what the walk missed is found, moved, and the result proved.
//!
//! A walk can miss a row that an application update moved behind it, and an application with a cached key writes under the old one for as
//! long as it caches. So passes are not proof; the closing census is: taken when flip + cache time has gone by on the
//! database's clock and every transaction that was open then has ended. What it finds is moved, and it is taken again until clean.

use super::census::{self, Census, OrganizationKeys, Protection, Request as CensusRequest, Where};
use super::flipping::cut_table;
use super::job::Runner;
use super::walk::WalkEnd;
use super::{counting, crash};
use crate::core::ids::OrgId;
use crate::db::cells::Rows;
use crate::db::census::CensusFilter;
use crate::db::jobs::{Part, PartState};
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Censuses taken at most before giving up on a database that is rewritten faster than it settles.
const ROUNDS: usize = 20;
/// Names of unopenable cells kept at most.
const UNOPENABLE_LIMIT: usize = 10_000;
/// How long open transactions are waited for.
const PATIENCE: Duration = Duration::from_secs(600);

impl Runner<'_> {
    /// Settles every organization whose walk is done. `None` when there is none, or nothing was to be moved.
    pub(super) fn settle_all(&mut self) -> Result<Option<Census>, Failure> {
        let waiting = |parts: Vec<Part>| parts.into_iter().filter(|p| p.state == PartState::Moved).collect::<Vec<_>>();
        let mut parts = waiting(self.session.job_parts(self.job)?);
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
            if self.seconds_left(&parts)? > 1.0 {
                // What moved behind the walk need not stay dark while the caches run out.
                self.sweep(&parts)?;
                parts = waiting(self.session.job_parts(self.job)?);
            }
            self.wait_for_caches(&parts)?;
        }
        for _ in 0..ROUNDS {
            self.wait_for_writers()?;
            crash::point("before-census");
            let swept = self.sweep(&parts)?;
            parts = waiting(self.session.job_parts(self.job)?);
            let Some((mut census, clean)) = swept.filter(|_| !parts.is_empty()) else {
                return Ok(None);
            };
            if clean {
                if self.request.models.is_empty() {
                    self.progress.phase("proving: looking for sealed values outside the data map");
                    census.unmapped =
                        self.session.snapshot()?.probe_unmapped(self.catalog, None, &|| self.app.interrupt.asked())?;
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

    /// Keeps the census, then ends the parts: killed in between, the next run takes the census again.
    fn prove(&mut self, parts: &[Part], census: &Census) -> Result<(), Failure> {
        self.problems.extend(census.problems());
        self.session.keep_census(self.job, &census::to_keep(census))?;
        let whole = self.request.models.is_empty() && self.request.from_version.is_none();
        for part in parts {
            if let Some((target, _)) =
                part.target.as_ref().filter(|_| whole && part.quarantined == 0 && frees(census, &part.organization))
            {
                self.session.record_retired(&self.app.settings.map.value, &part.organization, target)?;
            }
            self.session.set_part(self.job, &part.organization, PartState::Settled)?;
        }
        Ok(())
    }

    /// One census over the parts' organizations; moves what it finds stale. True when there was nothing to move; `None` when every part
    /// is superseded.
    fn sweep(&mut self, parts: &[Part]) -> Result<Option<(Census, bool)>, Failure> {
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
        self.progress.phase("proving: reading every cell");
        let request = CensusRequest {
            filter: CensusFilter { organizations: organizations.clone(), sample: None },
            max_rate: None,
            list_unopenable: UNOPENABLE_LIMIT,
            wishes: self.request.wishes,
            probe_unmapped: false,
            workers: self.app.settings.policy.workers,
        };
        let mut holder = self.app.connect()?;
        let census = counting::take(self.app, &mut holder, self.catalog, &rings, &request, &*self.progress).map_err(
            |failure| {
                if failure.code == "interrupted" { Failure { exit: Exit::Incomplete, ..failure } } else { failure }
                    .hint("run the same command again: only the proof is left to do")
            },
        )?;
        // A census is worth only what its target is: somebody may have rotated while it was read.
        for part in parts {
            if let Some((target, version)) = &part.target {
                let deks = self.session.dek_rows(&self.app.settings.map.value, &part.organization)?;
                self.still_current(&part.organization, target, *version, &deks)?;
            }
        }
        let mut clean = true;
        for (organization, table) in census.stale_rows.keys().cloned().collect::<BTreeSet<_>>() {
            let id = OrgId::parse(&organization)
                .map_err(|e| Failure::internal("an organization without a name").caused_by(e))?;
            let keys = &rings[&organization];
            let named = census.stale_rows[&(organization.clone(), table.clone())].clone();
            if self.stays_behind(&census, &organization, &table) {
                continue;
            }
            clean = false;
            self.stop_if_asked()?;
            self.progress.phase(&format!("{organization}: moving what was left in {table}"));
            let pieces = match self.catalog.table(&table).filter(|_| !census.names_all(&organization, &table)) {
                Some(live) => cut_table(&mut self.session, live, &id)?,
                None => vec![Rows::Ids(named)],
            };
            let mut chunks = Vec::with_capacity(pieces.len());
            for rows in pieces {
                chunks.push(self.session.add_late_chunk(self.job, &id, &table, rows)?);
            }
            match self.walk_late(&keys.keyring, keys.current, chunks)? {
                WalkEnd::Done => {}
                WalkEnd::Stopped => {
                    self.app.interrupt.ask();
                    self.stop_if_asked()?;
                }
                WalkEnd::Superseded => self.supersede(&id, keys.keyring.entries()[keys.current].version)?,
            }
        }
        Ok(Some((census, clean)))
    }

    /// With `--from-version` cells under other versions are left alone on purpose; they are reported, not moved.
    fn stays_behind(&self, census: &Census, organization: &str, table: &str) -> bool {
        let Some(from) = self.request.from_version else { return false };
        !census.counts.keys().any(|(place, protection)| {
            place.organization.as_deref() == Some(organization)
                && place.table == table
                && matches!(protection, Protection::Stale(version, _) if *version == from)
        })
    }

    fn seconds_left(&mut self, parts: &[Part]) -> Result<f64, Failure> {
        match parts.iter().filter_map(|p| p.flipped_at).max() {
            Some(last) => Ok(self.session.seconds_until(last, self.settle.as_secs_f64())?),
            None => Ok(0.0),
        }
    }

    fn wait_for_caches(&mut self, parts: &[Part]) -> Result<(), Failure> {
        let mut said = false;
        loop {
            self.stop_if_asked()?;
            let left = self.seconds_left(parts)?;
            if left <= 0.0 {
                return Ok(());
            }
            if !said {
                self.app.ui.say(&format!(
                    "All cells are moved. Application processes may write under the old key for {left:.0} s more; the proof is taken after that. \
                     Ctrl-C is safe: the same command goes on."
                ));
                said = true;
            }
            self.progress.phase(&format!("settling: {left:.0} s until cached keys have run out"));
            std::thread::sleep(Duration::from_secs_f64(left.min(0.5)));
        }
    }

    /// Waits until every transaction that is open now has ended: a writer that read the old key may still commit.
    fn wait_for_writers(&mut self) -> Result<(), Failure> {
        let mut waiting: BTreeSet<String> = self.session.open_transactions()?.into_iter().collect();
        let started = Instant::now();
        while !waiting.is_empty() {
            self.stop_if_asked()?;
            self.progress.phase(&format!("settling: waiting for {} transactions begun before", waiting.len()));
            if started.elapsed() > PATIENCE {
                let message =
                    format!("{} transactions have been open for more than {} s", waiting.len(), PATIENCE.as_secs());
                return Err(Failure::new(Exit::Incomplete, "old-transactions", message)
                    .hint("SELECT pid, application_name, xact_start FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start")
                    .hint("end them, then run the same command again: only the proof is left to do"));
            }
            std::thread::sleep(Duration::from_millis(100));
            let open: BTreeSet<String> = self.session.open_transactions()?.into_iter().collect();
            waiting = waiting.intersection(&open).cloned().collect();
        }
        Ok(())
    }
}

/// True when no cell could still need an older version of this organization: none nested, none that does not open, none without an owner.
fn frees(census: &Census, organization: &OrgId) -> bool {
    let own = |place: &Where| place.organization.as_deref() == Some(organization.as_str());
    !census.nested.keys().any(|(place, _)| own(place))
        && !census.counts.keys().any(|(place, protection)| match protection {
            Protection::Stale(..) | Protection::Unopenable => own(place),
            Protection::Ownerless => true,
            Protection::Current(..) | Protection::Plaintext => false,
        })
}
