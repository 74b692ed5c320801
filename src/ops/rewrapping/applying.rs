//! Doing it, organization by organization: intent, proof of every row, replacement row by row, outcome.
//!
//! One process rewraps in a database at a time, by an advisory lock; so an intent without outcome that is found under the lock is of a dead
//! run, and what that run did is read from the wrappings it kept. `replacing` writes a row. Where the audit chain cannot be written the run ends,
//! and what was done until then is told all the same.

use super::looking::{Fate, Known, Looker};
use super::plan::{Plan, PlannedDek, Rebind, refusal};
use super::proof::{LiveCells, Proven, prove, prove_live_cell};
use super::replacing::UNKNOWN;
use super::report::{Outcome, Report, RowReport, finding, refused};
use super::{Turns, ends_the_run, interrupted, rebinding};
use crate::app::App;
use crate::core::ids::{DekId, OrgId};
use crate::core::problem::{Problem, Severity};
use crate::db::Session;
use crate::db::catalog::Catalog;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::{IntentId, Journal};
use crate::ops::crash;
use crate::ops::material::Newest;
use crate::ops::permit::Permit;
use serde_json::{Value, json};

pub(super) const BEGUN: &str = "DEK_REWRAP_STARTED";
const DONE: &str = "DEK_REWRAPPED";
const FAILED: &str = "DEK_REWRAP_FAILED";

/// Takes the one right to rewrap in this database, for as long as `session` lives.
pub fn lock(session: &mut Session) -> Result<(), Failure> {
    if session.lock_rewrapping()? {
        return Ok(());
    }
    Err(Failure::conflict("rewrap-running", "another process rewraps in this database")
        .hint("wait for it: `scrybe-keys audit log --event DEK_REWRAP_STARTED` shows who")
        .hint("then run the same command again: what is done is left alone"))
}

/// Gives the intents of dead runs the outcome that the kept wrappings prove. The caller holds the lock. Returns how many there were.
pub fn close_interrupted(session: &mut Session, journal: &mut Journal) -> Result<usize, Failure> {
    let open = journal.open_intents(BEGUN)?;
    for record in &open {
        let Some(intent) = record.intent_id else { continue };
        let organization = OrgId::parse(&record.subject)
            .map_err(|e| Failure::internal("an intent without organization").caused_by(e))?;
        let rewrapped = session.replaced_by(record.run_id, &organization)?;
        let event = if rewrapped > 0 { DONE } else { FAILED };
        let details = json!({"derived": true, "stopReason": "interrupted", "interruptedRun": record.run_id, "rewrapped": rewrapped});
        journal.outcome(&IntentId::of(intent), event, &record.subject, details)?;
    }
    Ok(open.len() + rebinding::close_interrupted(session, journal)?)
}

/// Applies a permitted plan. `session` holds the lock.
pub fn apply(
    app: &App,
    session: &mut Session,
    journal: &mut Journal,
    plan: Plan,
    permit: &Permit,
) -> Result<Report, Failure> {
    permit.covers(&plan.digest)?;
    let turns = Turns::of(app, plan.request.max_rate);
    let looker = Looker {
        app,
        target: &plan.target,
        home: app.kms()?,
        candidates: plan.candidates.clone(),
        facts: session.dek_facts()?,
        old_material: plan.request.old_material,
        newest: Newest::of(app),
        turns: &turns,
    };
    let mut run = Run {
        app,
        session,
        journal,
        looker,
        catalog: &plan.catalog,
        reason: &plan.request.reason,
        digest: &plan.digest,
        no_job_beside: plan.rebind != Rebind::Bound,
        report: Report {
            rows: Vec::new(),
            problems: plan.problems.clone(),
            rebound: false,
            stopped: None,
            exit: Exit::Done,
            recorded: 0,
        },
    };
    let progress = app.ui.progress("rewrap");
    progress.total(plan.deks().count() as u64);
    let mut done = 0;
    for (organization, deks) in &plan.organizations {
        if run.report.stopped.is_none() && app.interrupt.asked() {
            run.report.stopped = Some(interrupted());
        }
        if run.report.stopped.is_some() {
            run.report.rows.extend(deks.iter().map(RowReport::not_reached));
            continue;
        }
        progress.phase(organization.as_str());
        let first = run.report.rows.len();
        if let Err(failure) = run.organization(organization, deks) {
            let told: Vec<DekId> = run.report.rows[first..].iter().map(|row| row.dek.clone()).collect();
            let rest = deks.iter().filter(|dek| !told.contains(&dek.row.id)).map(RowReport::not_reached);
            run.report.rows.extend(rest);
            run.report.stopped = Some(failure);
        }
        done += deks.len();
        progress.at(done as u64, 0, 0);
    }
    progress.done();
    let mut report = run.report;
    report.exit = Exit::worst([refused(&plan), report.exit]);
    if let (Rebind::Asked(from), None) = (&plan.rebind, &report.stopped) {
        let bound = rebinding::rebind(app, session, journal, &plan.target, from, &plan.request.reason);
        report.rebound = bound.done;
        match bound.failure {
            None => {}
            Some(failure) if failure.code == "not-all-under-target" => {
                report.problems.push(Problem::new(
                    Severity::Warning,
                    failure.code,
                    "binding",
                    failure.message.clone(),
                    failure.hints.first().map_or("scrybe-keys keys list", String::as_str),
                ));
                report.exit = Exit::worst([report.exit, Exit::Findings]);
            }
            Some(failure) => report.stopped = Some(failure),
        }
    }
    Ok(report)
}

/// Writes down what KMS said of rows that stay as they are, when there is nothing else to do. Returns how many.
pub fn remember(session: &mut Session, plan: &Plan) -> Result<usize, Failure> {
    let mut recorded = 0;
    for dek in plan.deks() {
        recorded += usize::from(record(session, dek)?);
    }
    Ok(recorded)
}

/// True when KMS was asked about this row, and its answer is in our records now.
fn record(session: &mut Session, dek: &PlannedDek) -> Result<bool, Failure> {
    let Some(Known { key_arn, material_id, fingerprint: Some(fingerprint), asked: true }) = &dek.known else {
        return Ok(false);
    };
    session.record_wrapping(&dek.row, key_arn, material_id.as_deref(), fingerprint)?;
    Ok(true)
}

pub(super) struct Run<'a> {
    pub(super) app: &'a App,
    pub(super) session: &'a mut Session,
    journal: &'a mut Journal,
    pub(super) looker: Looker<'a>,
    catalog: &'a Catalog,
    pub(super) reason: &'a str,
    digest: &'a str,
    /// The target is another key than the one that jobs open DEKs under.
    pub(super) no_job_beside: bool,
    pub(super) report: Report,
}

impl Run<'_> {
    /// One organization, from intent to outcome. Fails only where the audit chain cannot be written.
    fn organization(&mut self, organization: &OrgId, deks: &[PlannedDek]) -> Result<(), Failure> {
        if !deks.iter().any(|dek| matches!(dek.fate, Fate::Rewrap)) {
            for dek in deks {
                self.record(dek)?;
                self.report.rows.push(RowReport::planned(dek));
            }
            return Ok(());
        }
        let ids: Vec<&str> =
            deks.iter().filter(|d| matches!(d.fate, Fate::Rewrap)).map(|d| d.row.id.as_str()).collect();
        let details = json!({"target": self.looker.target.arn(), "material": self.looker.target.key.material_id, "deks": ids,
            "reason": self.reason, "planDigest": self.digest});
        crash::point("rewrap-before-intent");
        let intent = self.journal.intent(BEGUN, organization.as_str(), details)?;
        crash::point("rewrap-after-intent");
        let first = self.report.rows.len();
        let mut requests = Vec::new();
        let ended = self.rows(organization, deks, &mut requests);
        let rows = &self.report.rows[first..];
        let of = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
        let mut details = json!({"rewrapped": of(Outcome::Rewrapped), "already": of(Outcome::There), "refused": of(Outcome::Refused),
            "target": self.looker.target.arn(), "material": self.looker.target.key.material_id, "requestIds": requests});
        let event = if of(Outcome::Rewrapped) > 0 || ended.is_ok() { DONE } else { FAILED };
        if let Err(failure) = &ended {
            details["code"] = json!(failure.code);
            details["why"] = json!(failure.message);
        }
        crash::point("rewrap-before-outcome");
        if ended.as_ref().is_err_and(|failure| failure.code == UNKNOWN) {
            // An outcome would say more than anybody knows: the next run derives it.
        } else {
            self.journal.outcome(&intent, event, organization.as_str(), details)?;
        }
        if let Err(failure) = ended {
            self.give_up(deks, first, failure);
        }
        Ok(())
    }

    /// Says of every row that was not reached why, and ends the run where the next organization would fail just the same.
    fn give_up(&mut self, deks: &[PlannedDek], first: usize, failure: Failure) {
        let reached: Vec<DekId> = self.report.rows[first..].iter().map(|row| row.dek.clone()).collect();
        let ends = ends_the_run(&failure);
        for dek in deks.iter().filter(|dek| !reached.contains(&dek.row.id)) {
            let row = match (&dek.fate, ends) {
                (Fate::Rewrap, false) => RowReport::refused(dek, &failure),
                _ => RowReport::not_reached(dek),
            };
            self.report.rows.push(row);
        }
        if ends {
            self.report.stopped = Some(failure);
        } else {
            self.report.exit = Exit::worst([self.report.exit, finding(&failure)]);
            if let Some(dek) = deks.first() {
                self.report.problems.push(refusal(dek, &failure));
            }
        }
    }

    /// Proves every row, then the organization's live cell, then replaces row by row.
    fn rows(&mut self, organization: &OrgId, deks: &[PlannedDek], requests: &mut Vec<String>) -> Result<(), Failure> {
        let cells = LiveCells::of(self.session, self.catalog, organization)?;
        let mut proven: Vec<(&PlannedDek, Proven)> = Vec::new();
        let (mut others, mut refused): (Vec<&PlannedDek>, usize) = (Vec::new(), 0);
        for dek in deks {
            if !matches!(dek.fate, Fate::Rewrap) {
                self.record(dek)?;
                self.report.rows.push(RowReport::planned(dek));
                others.push(dek);
                continue;
            }
            if self.app.interrupt.asked() {
                return Err(interrupted());
            }
            match prove(&self.looker, &cells, dek) {
                Ok(proof) => {
                    requests.extend(proof.request_id.clone());
                    proven.push((dek, proof));
                }
                Err(failure) if ends_the_run(&failure) => return Err(failure),
                Err(failure) => {
                    refused += 1;
                    self.refuse(dek, failure);
                }
            }
        }
        let opened_one = proven.iter().any(|(_, proof)| proof.opened_a_cell);
        prove_live_cell(&self.looker, organization, &cells, opened_one, &others, refused)?;
        crash::point("rewrap-after-proof");
        for (dek, proof) in proven {
            if self.app.interrupt.asked() {
                return Err(interrupted());
            }
            match self.replace(dek, proof, &cells)? {
                Ok(row) => self.report.rows.push(row),
                Err(failure) => self.refuse(dek, failure),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, dek: &PlannedDek, failure: Failure) {
        self.report.exit = Exit::worst([self.report.exit, finding(&failure)]);
        self.report.problems.push(refusal(dek, &failure));
        self.report.rows.push(RowReport::refused(dek, &failure));
    }

    /// Writes down what KMS said of a row that stays as it is.
    pub(super) fn record(&mut self, dek: &PlannedDek) -> Result<(), Failure> {
        self.report.recorded += usize::from(record(self.session, dek)?);
        Ok(())
    }
}

/// What an intent's body says under a name.
pub(super) fn said(body: &str, name: &str) -> Option<String> {
    serde_json::from_str::<Value>(body).ok()?.get(name)?.as_str().map(str::to_owned)
}
