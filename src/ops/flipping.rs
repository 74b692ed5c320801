//! From pending to moving: one organization's flip, or the start of its walk toward the row that is active already.
//!
//! Order: DEKs unwrapped and a live cell opened, chunks cut, the new DEK made and proven by KMS, the intent in the audit chain, then the one
//! transaction of `db::flip`, then the outcome. A run killed between intent and outcome leaves both for the next run, which derives the
//! outcome from what the database says happened. A commit whose answer was lost is asked about, never repeated blindly.

use super::audit::IntentId;
use super::cutover::{Cutover, CutoverError, Moved};
use super::cutting;
use super::job::Runner;
use super::{crash, keyrings};
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::keyring::{Entry, Keyring};
use crate::core::seal::Cipher;
use crate::db::flip::{Flip, PlannedChunk, Successor};
use crate::db::jobs::{JobKind, Part, PartState};
use crate::db::{DbError, DbErrorKind, DekRow};
use crate::error::Failure;
use crate::exit::Exit;
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A commit that takes longer may have been waiting for a standby.
const SLOW_COMMIT: Duration = Duration::from_millis(100);

/// What a flip is made of, all read and cut before it.
#[derive(Clone, Copy)]
struct FlipPlan<'p> {
    organization: &'p OrgId,
    deks: &'p [DekRow],
    chunks: &'p [PlannedChunk],
    basis: i64,
    cutover: Option<&'p Cutover<'p>>,
}

enum Flipped {
    /// The organization's rows changed since the plan: the part is superseded.
    Refused,
    /// Active, and everything is to be moved.
    Online(Keyring, usize),
    /// Active, and everything was moved with it.
    Whole(KeyVersion),
    /// Rolled back: one transaction is not the way for this organization now.
    GaveUp(String),
}

enum Committed {
    Yes,
    /// The DEK rows are not those expected.
    Stale,
    GaveUp(String),
}

impl Runner<'_> {
    /// Brings a pending part to moving: flips, or starts the walk toward the row that is active already. Everything slow comes before the flip:
    /// from then on cells are dark. Returns the keyring to walk with and the target's position in it.
    pub(super) fn start(&mut self, part: &Part) -> Result<Option<(Keyring, usize)>, Failure> {
        let map = &self.app.settings.map.value;
        let organization = &part.organization;
        self.control.phase(&*self.progress, &format!("{organization}: unwrapping DEKs"));
        let deks = self.session.dek_rows(map, organization)?;
        self.refuse_stale(organization, &deks)?;
        if self.request.kind != JobKind::ReEncrypt {
            keyrings::refuse_duplicates(organization, &deks)?;
        }
        // The first DEK of an organization finds none before it.
        let unwrapped = match deks.is_empty() {
            true => None,
            false => {
                let unwrapped = keyrings::unwrap(self.vault, organization, &deks)?;
                keyrings::prove_live_cell(&mut self.session, self.catalog, organization, &unwrapped.keyring)?;
                Some(unwrapped)
            }
        };
        if let Some(unwrapped) = &unwrapped {
            let new = unwrapped.problems.iter().filter(|p| !self.problems.contains(p)).cloned().collect::<Vec<_>>();
            self.problems.extend(new);
        }
        // Before the chunks are cut: what older transactions wrote lies in one of them.
        let basis = self.session.oldest_open_transaction()?;
        let cutover = match self.planned.get(organization).is_some_and(|p| p.atomic) {
            true => Some(self.prepare_cutover(organization)?),
            false => None,
        };
        let named = self.planned.get(organization).is_some_and(|p| p.named.is_some());
        let chunks = match &cutover {
            Some(cutover) => cutover.chunks(),
            None if self.request.dek_only || named => Vec::new(),
            None => self.plan_chunks(organization)?,
        };
        if self.request.kind == JobKind::ReEncrypt {
            let unwrapped = unwrapped.ok_or_else(|| keyrings::no_dek(organization))?;
            let target = keyrings::current(organization, &deks)?;
            // After a revert the active row is an old one: what the others were replaced at tells since when.
            let replaced = deks.iter().filter(|r| r.id != target.id).filter_map(|r| r.rotated_at);
            let since = replaced.chain(target.created_at).max();
            // Without a walk nothing is seen yet.
            let basis = Some(basis).filter(|_| !named);
            self.session.start_walk(self.job, organization, &target, &chunks, since, basis)?;
            return Ok(Some((unwrapped.keyring, unwrapped.current)));
        }
        let entries = unwrapped.map_or_else(Vec::new, |u| u.keyring.into_entries());
        let wanted = self.planned.get(organization).and_then(|p| p.target.clone());
        if let Some(wanted) = wanted.filter(|id| !entries.iter().any(|e| e.id == *id)) {
            return Err(Failure::conflict(
                "dek-refused",
                format!("DEK row {wanted} of {organization} cannot be unwrapped; nothing was flipped"),
            )
            .hint(format!("`scrybe-keys keys show {organization} --deep` says why")));
        }
        let plan = FlipPlan { organization, deks: &deks, chunks: &chunks, basis, cutover: cutover.as_ref() };
        match self.flip(&plan, entries)? {
            Flipped::Refused => Ok(None),
            Flipped::Online(keyring, target) => Ok(Some((keyring, target))),
            Flipped::Whole(version) => {
                self.after_commit(organization, version);
                Ok(None)
            }
            Flipped::GaveUp(why) => {
                self.app.ui.warn(&format!("{organization}: not in one transaction: {why}; it goes online"));
                if let Some(planned) = self.planned.get_mut(organization) {
                    planned.atomic = false;
                }
                self.start(part)
            }
        }
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

    /// Makes the successor active. `entries` are the organization's keys so far.
    fn flip(&mut self, plan: &FlipPlan<'_>, mut entries: Vec<Entry>) -> Result<Flipped, Failure> {
        let FlipPlan { organization, deks, chunks, basis, cutover } = *plan;
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
            self.control.phase(&*self.progress, &format!("{organization}: making a DEK"));
            new = self.vault.new_dek(organization)?;
            let id = DekId::parse(&Uuid::new_v4().to_string()).expect("a UUID is an id");
            let version = KeyVersion(deks.iter().map(|r| r.version.0).max().unwrap_or(0) + 1);
            entries.push(Entry { id: id.clone(), version, active: true, cipher: Cipher::new(&new.dek) });
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
        let keyring = Keyring::new(entries);
        let target = keyring.entries().iter().position(|e| e.id == id);
        let target = target.ok_or_else(|| Failure::internal("the DEK to make active is not in the keyring"))?;
        crash::point("flip-before-intent");
        let details = json!({"job": self.job.to_string(), "organization": organization.as_str(), "dekId": id.as_str(),
            "previousVersion": from, "newVersion": version, "reason": self.request.reason, "awsRequestId": request_id});
        let intent = self.journal.intent("KEY_ROTATION_INITIATED", organization.as_str(), details.clone())?;
        self.session.part_intent(self.job, organization, intent.uuid())?;
        crash::point("flip-after-intent");
        let flip = Flip {
            organization,
            successor,
            expected: deks,
            job: self.job,
            run_id: self.app.run_id,
            chunks,
            walk_basis: basis,
        };
        match self.commit_flip(&flip, &id, cutover, &keyring, target) {
            Ok(Committed::Yes) => {
                crash::point("flip-after-commit");
                // Cells are dark from here on: a record that cannot be written now is derived by the next run.
                let recorded = self.journal.outcome(&intent, "KEY_ROTATION_COMPLETED", organization.as_str(), details);
                if let Err(failure) = recorded {
                    self.app.ui.warn(&format!("{organization}: the flip is not recorded yet: {failure}"));
                }
                self.app.ui.say(&format!("{organization}: version {version} is active"));
                Ok(if cutover.is_some() { Flipped::Whole(version) } else { Flipped::Online(keyring, target) })
            }
            Ok(Committed::GaveUp(why)) => {
                let reason = json!({"reason": format!("rolled back: {why}")});
                self.journal.outcome(&intent, "KEY_ROTATION_FAILED", organization.as_str(), reason)?;
                Ok(Flipped::GaveUp(why))
            }
            Ok(Committed::Stale) => {
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
                Ok(Flipped::Refused)
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

    fn commit_flip(
        &mut self,
        flip: &Flip<'_>,
        id: &DekId,
        cutover: Option<&Cutover<'_>>,
        keyring: &Keyring,
        target: usize,
    ) -> Result<Committed, Failure> {
        let map = &self.app.settings.map.value;
        let (mut tries, mut slow) = (0, false);
        loop {
            let attempt = match self.session.flip(map, flip) {
                Ok(None) => return Ok(Committed::Stale),
                Ok(Some(mut open)) => {
                    let moved = match cutover {
                        None => Ok(()),
                        Some(cutover) => {
                            let walk = self.request.walk(self.crew, self.catalog, keyring, target);
                            match cutover.run(&mut open, &walk, self.job, flip.organization, keyring) {
                                Ok(Moved::All) => open.moved(self.job, flip.organization),
                                Ok(Moved::GiveUp(why)) => return Ok(Committed::GaveUp(why)),
                                Err(CutoverError::Db(error)) => Err(error),
                                Err(CutoverError::Failure(failure)) => return Err(failure),
                            }
                        }
                    };
                    crash::point("flip-before-commit");
                    let began = Instant::now();
                    let committed = moved.and_then(|()| open.commit());
                    slow = began.elapsed() > SLOW_COMMIT;
                    committed
                }
                Err(error) => Err(error),
            };
            match attempt {
                Ok(()) => {
                    if slow {
                        // A standby may have kept it waiting: until now everybody read the old key.
                        self.session.flipped_now(self.job, flip.organization)?;
                    }
                    self.last_flip = Some(Instant::now());
                    return Ok(Committed::Yes);
                }
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

    fn after_lost_commit(&mut self, flip: &Flip<'_>, id: &DekId, error: DbError) -> Result<Committed, Failure> {
        self.reconnect().map_err(|_| Failure { exit: Exit::Incomplete, ..Failure::from(error) })?;
        let unknown = |error: DbError| Failure { exit: Exit::Incomplete, ..Failure::from(error) };
        let parts = self.session.job_parts(self.job).map_err(unknown)?;
        let flipped = parts
            .iter()
            .any(|p| p.organization == *flip.organization && p.target.as_ref().is_some_and(|(t, _)| t == id));
        if flipped {
            self.session.flipped_now(self.job, flip.organization).map_err(unknown)?;
            self.last_flip = Some(Instant::now());
            return Ok(Committed::Yes);
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
            self.control.phase(&*self.progress, &format!("{organization}: cutting {}", live.relation));
            let cut = cutting::cut(&mut self.session, live, organization)?;
            chunks.extend(cut.into_iter().map(|rows| (live.relation.clone(), rows)));
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
            // Nobody saw the commit's answer: applications may have read the old key until now.
            self.session.flipped_now(self.job, &part.organization)?;
            self.journal.outcome(&IntentId::of(intent), "KEY_ROTATION_COMPLETED", organization, details)?;
        }
        // Intents that led to no flip, noted with the part or not.
        self.journal.close_interrupted(self.job, organization, "KEY_ROTATION_INITIATED", "KEY_ROTATION_FAILED")?;
        Ok(())
    }
}
