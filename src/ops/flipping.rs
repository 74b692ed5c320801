//! From pending to moving: one organization's flip, or the start of its walk toward the row that is active already.
//!
//! Order: DEKs unwrapped and a live cell opened, chunks cut, the new DEK made and proven by KMS, the intent in the audit chain, then the one
//! transaction of `db::flip`, then the outcome. A run killed between intent and outcome leaves both for the next run, which derives the
//! outcome from what the database says happened. A commit whose answer was lost is asked about, never repeated blindly.

use super::audit::IntentId;
use super::job::Runner;
use super::walk::{BLOCKS_PER_CHUNK, CHUNK_ROWS, HEAP_SHARE};
use super::{crash, keyrings};
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::keyring::Keyring;
use crate::db::catalog::LiveTable;
use crate::db::cells::Rows;
use crate::db::flip::{Flip, PlannedChunk, Successor};
use crate::db::jobs::{Chunk, JobKind, Part, PartState};
use crate::db::{DbError, DbErrorKind, DekRow, Session};
use crate::error::Failure;
use crate::exit::Exit;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

impl Runner<'_> {
    /// Brings a pending part to moving: flips, or starts the walk toward the row that is active already.
    pub(super) fn start(&mut self, part: &Part) -> Result<Option<(Keyring, usize, Vec<Chunk>)>, Failure> {
        let map = &self.app.settings.map.value;
        let organization = &part.organization;
        self.progress.phase(&format!("{organization}: unwrapping DEKs"));
        let deks = self.session.dek_rows(map, organization)?;
        self.refuse_stale(organization, &deks)?;
        if self.request.kind == JobKind::ReEncrypt {
            let unwrapped = keyrings::unwrap(self.vault, organization, &deks)?;
            keyrings::prove_live_cell(&mut self.session, self.catalog, organization, &unwrapped.keyring)?;
            let target = keyrings::current(organization, &deks)?;
            let chunks = self.plan_chunks(organization)?;
            // After a revert the active row is an old one: what the others were replaced at tells since when.
            let replaced = deks.iter().filter(|r| r.id != target.id).filter_map(|r| r.rotated_at);
            let since = replaced.chain(target.created_at).max();
            self.session.start_walk(self.job, organization, &target, &chunks, since)?;
            let chunks = self.session.open_chunks(self.job, organization)?;
            return Ok(Some((unwrapped.keyring, unwrapped.current, chunks)));
        }
        if !deks.is_empty() {
            keyrings::refuse_duplicates(organization, &deks)?;
            let unwrapped = keyrings::unwrap(self.vault, organization, &deks)?;
            keyrings::prove_live_cell(&mut self.session, self.catalog, organization, &unwrapped.keyring)?;
            let wanted = self.planned.get(organization).and_then(|p| p.target.clone());
            if let Some(wanted) = wanted.filter(|id| unwrapped.keyring.entry(id).is_none()) {
                return Err(Failure::conflict(
                    "dek-refused",
                    format!("DEK row {wanted} of {organization} cannot be unwrapped; nothing was flipped"),
                )
                .hint(format!("`scrybe-keys keys show {organization} --deep` says why")));
            }
        }
        let chunks = if self.request.dek_only { Vec::new() } else { self.plan_chunks(organization)? };
        if !self.flip(organization, &deks, &chunks)? {
            return Ok(None);
        }
        let started = self.session.job_parts(self.job)?.into_iter().find(|p| p.organization == *organization);
        let Some((keyring, target)) = self.keyring_of(&started.expect("the part was read a moment ago"))? else {
            return Ok(None);
        };
        let chunks = self.session.open_chunks(self.job, organization)?;
        Ok(Some((keyring, target, chunks)))
    }

    /// Refuses where the rows are not those the plan was agreed to on: somebody rotated meanwhile, and one version was asked for.
    fn refuse_stale(&self, organization: &OrgId, deks: &[DekRow]) -> Result<(), Failure> {
        let Some(planned) = self.planned.get(organization) else { return Ok(()) };
        let current = deks.iter().filter(|r| r.active).map(|r| r.version).max();
        let next = KeyVersion(deks.iter().map(|r| r.version.0).max().unwrap_or(0) + 1);
        let same = current == planned.from && (self.request.kind != JobKind::Rotate || next == planned.to);
        if same {
            return Ok(());
        }
        Err(Failure::conflict(
            "stale-plan",
            format!("the DEKs of {organization} changed after the plan was made; nothing was flipped"),
        )
        .hint("run the command again and look at the new plan"))
    }

    /// Makes the successor active. False when the organization's rows changed since the plan: the part is superseded.
    fn flip(&mut self, organization: &OrgId, deks: &[DekRow], chunks: &[PlannedChunk]) -> Result<bool, Failure> {
        let from = deks.iter().find(|r| r.active).map(|r| r.version);
        let new;
        let (successor, id, version, request_id) = if self.request.kind == JobKind::Revert {
            let back = deks
                .iter()
                .filter(|r| !r.active && from.is_some_and(|f| r.version < f))
                .max_by_key(|r| r.version)
                .ok_or_else(|| {
                    Failure::conflict(
                        "nothing-to-revert",
                        format!("organization {organization} has no earlier version"),
                    )
                })?;
            (Successor::Old { id: back.id.clone(), version: back.version }, back.id.clone(), back.version, None)
        } else {
            self.progress.phase(&format!("{organization}: making a DEK"));
            new = self.vault.new_dek(organization)?;
            let id = DekId::parse(&Uuid::new_v4().to_string()).expect("a UUID is an id");
            let version = KeyVersion(deks.iter().map(|r| r.version.0).max().unwrap_or(0) + 1);
            let successor = Successor::New {
                id: id.clone(),
                version,
                wrapped: &new.stored_text,
                key_arn: new.key_arn.as_deref(),
                material_id: new.material_id.as_deref(),
                fingerprint: &new.fingerprint,
            };
            (successor, id, version, new.request_id.clone())
        };
        crash::point("flip-before-intent");
        let details = json!({"job": self.job.to_string(), "organization": organization.as_str(), "dekId": id.as_str(),
            "previousVersion": from, "newVersion": version, "reason": self.request.reason, "awsRequestId": request_id});
        let intent = self.journal.intent("KEY_ROTATION_INITIATED", organization.as_str(), details.clone())?;
        self.session.part_intent(self.job, organization, intent.uuid())?;
        crash::point("flip-after-intent");
        let flip = Flip { organization, successor, expected: deks, job: self.job, run_id: self.app.run_id, chunks };
        match self.commit_flip(&flip, &id) {
            Ok(true) => {
                crash::point("flip-after-commit");
                self.journal.outcome(&intent, "KEY_ROTATION_COMPLETED", organization.as_str(), details)?;
                self.app.ui.say(&format!("{organization}: version {version} is active"));
                Ok(true)
            }
            Ok(false) => {
                self.journal.outcome(
                    &intent,
                    "KEY_ROTATION_FAILED",
                    organization.as_str(),
                    json!({"reason": "DEK rows changed since the plan"}),
                )?;
                let failure = Failure::conflict(
                    "superseded",
                    format!("the DEKs of {organization} were changed by somebody else; nothing was flipped"),
                )
                .hint(format!("`scrybe-keys keys show {organization}`, then run the command again"));
                self.refuse(organization, PartState::Superseded, failure)?;
                Ok(false)
            }
            // Nobody knows yet whether it was committed: the next run derives the outcome from the rows.
            Err(failure) if failure.exit == Exit::Incomplete => Err(failure),
            Err(failure) => {
                // Best effort: an intent without outcome is settled by the next run all the same.
                let reason = json!({"code": failure.code, "reason": failure.message});
                let _ = self.journal.outcome(&intent, "KEY_ROTATION_FAILED", organization.as_str(), reason);
                Err(failure)
            }
        }
    }

    fn commit_flip(&mut self, flip: &Flip<'_>, id: &DekId) -> Result<bool, Failure> {
        let map = &self.app.settings.map.value;
        let mut tries = 0;
        loop {
            let attempt = match self.session.flip(map, flip) {
                Ok(None) => return Ok(false),
                Ok(Some(open)) => {
                    crash::point("flip-before-commit");
                    open.commit()
                }
                Err(error) => Err(error),
            };
            match attempt {
                Ok(()) => return Ok(true),
                Err(error) if error.kind == DbErrorKind::Retry && tries < 10 && !self.app.interrupt.asked() => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(100 * tries));
                }
                // The answer to COMMIT may be lost while the commit is not: the row tells.
                Err(error) if error.kind == DbErrorKind::Unreachable => return self.after_lost_commit(flip, id, error),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn after_lost_commit(&mut self, flip: &Flip<'_>, id: &DekId, error: DbError) -> Result<bool, Failure> {
        self.reconnect().map_err(|_| Failure { exit: Exit::Incomplete, ..Failure::from(error) })?;
        let unknown = |error: DbError| Failure { exit: Exit::Incomplete, ..Failure::from(error) };
        let parts = self.session.job_parts(self.job).map_err(unknown)?;
        let flipped = parts
            .iter()
            .any(|p| p.organization == *flip.organization && p.target.as_ref().is_some_and(|(t, _)| t == id));
        if flipped {
            return Ok(true);
        }
        Err(Failure::new(
            Exit::Incomplete,
            "connection-lost",
            "the connection was lost before the flip was committed; nothing was flipped",
        )
        .hint("run the same command again"))
    }

    fn plan_chunks(&mut self, organization: &OrgId) -> Result<Vec<PlannedChunk>, Failure> {
        let mut chunks = Vec::new();
        for live in &self.catalog.tables {
            self.progress.phase(&format!("{organization}: cutting {}", live.name));
            chunks.extend(
                cut_table(&mut self.session, live, organization)?.into_iter().map(|rows| (live.name.clone(), rows)),
            );
        }
        Ok(chunks)
    }

    /// Writes the outcome that a killed run could not: derived from what the database says happened.
    pub(super) fn settle_dangling_intent(&mut self, part: &Part) -> Result<(), Failure> {
        let organization = part.organization.as_str();
        if let Some(intent) = part.intent.filter(|_| part.flipped)
            && !self.session.audit_has(intent, "outcome")?
        {
            let details = json!({"job": self.job.to_string(), "organization": organization, "derived": true,
                "dekId": part.target.as_ref().map(|(id, _)| id.as_str()), "newVersion": part.target.as_ref().map(|(_, v)| *v)});
            self.journal.outcome(&IntentId::of(intent), "KEY_ROTATION_COMPLETED", organization, details)?;
        }
        // Intents that led to no flip, noted with the part or not.
        self.journal.close_interrupted(self.job, organization, "KEY_ROTATION_INITIATED", "KEY_ROTATION_FAILED")?;
        Ok(())
    }
}

/// Cuts an organization's rows of a table into chunks. Where most of the table is its own, by heap blocks: a walk that comes back to a page
/// lets the server prune it and keep the new row on it. Elsewhere by key, through the organization's index.
pub(super) fn cut_table(session: &mut Session, live: &LiveTable, organization: &OrgId) -> Result<Vec<Rows>, DbError> {
    let mut chunks = Vec::new();
    if live.rows > 0 && live.blocks > 2 * BLOCKS_PER_CHUNK && session.scans_tid_ranges()? {
        let own = session.rows_of(live, organization)?;
        if own as f64 >= live.rows as f64 * HEAP_SHARE {
            // Closed at today's end: what is appended later, by our own updates too, is the census's to find.
            let (mut from, end) = (0, session.blocks_of(live)?);
            while from < end {
                let to = from + BLOCKS_PER_CHUNK;
                chunks.push(Rows::Blocks { from, to: Some(to.min(end)) });
                from = to;
            }
            return Ok(chunks);
        }
    }
    let (rows, bounds) = session.chunk_bounds(live, organization, CHUNK_ROWS)?;
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
