//! Moving one organization's cells from within a job: its walk, the rows that a census named, what was left behind. `ops::walk` does the work.
//!
//! While workers work, the calling thread hears orders, shows progress, keeps this process's locks, and says when cells are dark for too long.

use super::control::{Light, Order};
use super::crew::Tally;
use super::job::{Runner, light, locked_again};
use super::walk::{Source, WalkEnd};
use crate::core::duration;
use crate::core::ids::OrgId;
use crate::core::keyring::Keyring;
use crate::core::problem::{Problem, Severity};
use crate::db::catalog::Catalog;
use crate::db::cells::Rows;
use crate::db::jobs::{Chunk, Owner, Part, PartState};
use crate::error::Failure;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Runner<'_> {
    /// Moves an organization that is flipped, to the end.
    pub(super) fn walk(&mut self, part: &Part, keyring: &Keyring, target: usize) -> Result<(), Failure> {
        let organization = &part.organization;
        if self.request.dek_only {
            self.session.set_part(self.job, organization, PartState::Moved)?;
            return Ok(());
        }
        if let Some(named) = self.planned.get(organization).and_then(|p| p.named.clone()) {
            return self.walk_named(part, keyring, target, named);
        }
        let walk = self.request.walk(self.crew, self.catalog, keyring, target);
        let tally = Tally::default();
        let cells = self.planned.get(organization).map_or(0, |p| p.cells.max(0) as u64);
        self.control.phase(&*self.progress, &format!("{organization}: moving"));
        self.control.at_once();
        let (rows_before, cells_before) = self.before;
        let started = Instant::now();
        let mut dark = DarkTooLong { limit: self.request.max_dark, said: false };
        let Runner { app, crew, session, control, progress, journal, job, problems, .. } = self;
        let light = light(app);
        let end = walk.run(Source::Leased { job: *job, organization }, &tally, |tally| {
            let moved = tally.cells.load(Ordering::Relaxed);
            let rows = rows_before + tally.rows.load(Ordering::Relaxed);
            progress.at(rows, cells_before + moved, cells.saturating_sub(moved));
            if light == Light::Dark && dark.is_over(started.elapsed()) {
                let problem = dark.problem(organization);
                app.ui.warn(&format!("{organization}: {}", problem.message));
                problems.push(problem);
            }
            match control.tick(session, &**progress, light) {
                Order::GoOn => Ok(false),
                Order::Cancelled => Ok(true),
                Order::Disconnected => {
                    // The workers have connections of their own; ours holds the locks that say we are alive.
                    if let Some(again) = locked_again(app, crew, *job, journal)? {
                        *session = again;
                    }
                    Ok(false)
                }
            }
        })?;
        self.before.1 += tally.cells.load(Ordering::Relaxed);
        match end {
            WalkEnd::Done => {
                let (rows, moved) = (tally.rows.load(Ordering::Relaxed), tally.cells.load(Ordering::Relaxed));
                self.progress.at(rows_before + rows, self.before.1, 0);
                let alone = self.control.asked.processes <= 1;
                let mostly_moved = 2 * moved >= rows;
                if part.rows_visited == 0 && mostly_moved && alone {
                    self.session.keep_walk_seconds(self.job, organization, started.elapsed().as_secs_f64())?;
                }
                self.session.set_part(self.job, organization, PartState::Moved)?;
                self.after_commit(organization, keyring.entries()[target].version);
                Ok(())
            }
            WalkEnd::Stopped => Err(self.stopped()),
            WalkEnd::Superseded => {
                let version = keyring.entries()[target].version;
                self.supersede(organization, version)
            }
        }
    }

    /// Moves the rows that the plan's census named; nothing else of the organization is stale.
    fn walk_named(
        &mut self,
        part: &Part,
        keyring: &Keyring,
        target: usize,
        named: Vec<(String, Vec<String>)>,
    ) -> Result<(), Failure> {
        let organization = &part.organization;
        self.control.phase(&*self.progress, &format!("{organization}: moving"));
        let mut chunks = Vec::new();
        for (table, ids) in named {
            let owner = Owner::Walk(self.crew.process, self.crew.lease);
            chunks.push(self.session.add_own_chunk(self.job, organization, &table, Rows::Ids(ids), owner)?);
        }
        match self.walk_late(self.catalog, keyring, target, chunks)?.0 {
            WalkEnd::Done => {
                if let Some(basis) = self.basis {
                    self.session.keep_basis(self.job, organization, basis)?;
                }
                Ok(self.session.set_part(self.job, organization, PartState::Moved)?)
            }
            WalkEnd::Stopped => Err(self.stopped()),
            WalkEnd::Superseded => self.supersede(organization, keyring.entries()[target].version),
        }
    }

    /// Moves some chunks of one organization outside its first walk. Returns how it ended and how many cells were moved.
    pub(super) fn walk_late(
        &mut self,
        catalog: &Catalog,
        keyring: &Keyring,
        target: usize,
        chunks: Vec<Chunk>,
    ) -> Result<(WalkEnd, u64), Failure> {
        let walk = self.request.walk(self.crew, catalog, keyring, target);
        let Runner { app, session, control, progress, .. } = self;
        let light = light(app);
        let tally = Tally::default();
        let end = walk
            .run(Source::Own(chunks), &tally, |_| Ok(control.tick(session, &**progress, light) == Order::Cancelled))?;
        Ok((end, tally.cells.into_inner()))
    }
}

/// Says once that an organization has been dark for longer than was allowed.
struct DarkTooLong {
    limit: Option<Duration>,
    said: bool,
}

impl DarkTooLong {
    fn is_over(&mut self, dark: Duration) -> bool {
        let over = !self.said && self.limit.is_some_and(|limit| dark > limit);
        self.said |= over;
        over
    }

    fn problem(&self, organization: &OrgId) -> Problem {
        let limit = duration::shown(self.limit.unwrap_or_default());
        Problem::new(
            Severity::Warning,
            "dark-too-long",
            organization.as_str(),
            format!("cells have been dark for longer than --max-dark {limit}"),
            "`scrybe-keys jobs status latest` shows what slows it down; `jobs tune` gives it more, --join more machines",
        )
    }
}
