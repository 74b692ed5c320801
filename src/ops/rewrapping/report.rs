//! What became of each row, as it is told to a person, a program and the audit chain. Nothing here acts.

use super::looking::Fate;
use super::plan::{Plan, PlannedDek};
use super::proof::Proven;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::problem::Problem;
use crate::error::Failure;
use crate::exit::Exit;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Planned,
    Rewrapped,
    /// Under the target and its newest material already.
    There,
    NotOld,
    Bare,
    Destroyed,
    Refused,
    /// The run ended before it.
    NotReached,
}

/// Whether a cell of the application opened under a DEK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveCell {
    Opened,
    /// None of those read lies under this version.
    NoneFound,
    NotTried,
}

/// One row's end.
#[derive(Clone, Debug)]
pub struct RowReport {
    pub organization: OrgId,
    pub dek: DekId,
    pub version: KeyVersion,
    pub active: bool,
    pub outcome: Outcome,
    /// Of the wrapping the row holds now.
    pub key_arn: Option<String>,
    pub material_id: Option<String>,
    pub previous_arn: Option<String>,
    pub previous_material: Option<String>,
    pub fingerprint: Option<String>,
    pub live_cell: LiveCell,
    pub reason: Option<String>,
}

/// How it ended.
pub struct Report {
    pub rows: Vec<RowReport>,
    pub problems: Vec<Problem>,
    pub rebound: bool,
    /// What ended the run before its end.
    pub stopped: Option<Failure>,
    /// The worst of what was refused.
    pub exit: Exit,
    /// Records that were written though no wrapping changed.
    pub recorded: usize,
}

impl Report {
    /// Rows with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }
}

impl RowReport {
    /// A row as the plan sees it.
    pub fn planned(dek: &PlannedDek) -> RowReport {
        let (outcome, reason) = match &dek.fate {
            Fate::Rewrap => (Outcome::Planned, None),
            Fate::There => (Outcome::There, None),
            Fate::NotOld => (Outcome::NotOld, None),
            Fate::Bare => (Outcome::Bare, None),
            Fate::Destroyed => (Outcome::Destroyed, None),
            Fate::Refused(failure) => (Outcome::Refused, Some(failure.message.clone())),
        };
        let known = dek.known.as_ref();
        RowReport {
            organization: dek.row.organization.clone(),
            dek: dek.row.id.clone(),
            version: dek.row.version,
            active: dek.row.active,
            outcome,
            key_arn: known.map(|k| k.key_arn.clone()),
            material_id: known.and_then(|k| k.material_id.clone()),
            previous_arn: None,
            previous_material: None,
            fingerprint: known.and_then(|k| k.fingerprint.clone()),
            live_cell: LiveCell::NotTried,
            reason,
        }
    }

    /// A row that the run ended before.
    pub(super) fn not_reached(dek: &PlannedDek) -> RowReport {
        let planned = RowReport::planned(dek);
        match planned.outcome {
            Outcome::Planned => RowReport { outcome: Outcome::NotReached, ..planned },
            _ => planned,
        }
    }

    pub(super) fn refused(dek: &PlannedDek, failure: &Failure) -> RowReport {
        RowReport { outcome: Outcome::Refused, reason: Some(failure.message.clone()), ..RowReport::planned(dek) }
    }

    pub(super) fn of_proof(dek: &PlannedDek, proven: &Proven, outcome: Outcome) -> RowReport {
        RowReport {
            outcome,
            key_arn: Some(proven.key_arn.clone()),
            material_id: proven.material_id.clone(),
            previous_arn: Some(proven.previous_arn.clone()),
            previous_material: proven.previous_material.clone(),
            fingerprint: Some(proven.fingerprint.clone()),
            live_cell: if proven.opened_a_cell { LiveCell::Opened } else { LiveCell::NoneFound },
            ..RowReport::planned(dek)
        }
    }
}

impl Outcome {
    /// Kebab case.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Planned => "planned",
            Outcome::Rewrapped => "rewrapped",
            Outcome::There => "already-there",
            Outcome::NotOld => "not-old",
            Outcome::Bare => "skipped-bare",
            Outcome::Destroyed => "destroyed",
            Outcome::Refused => "refused",
            Outcome::NotReached => "not-reached",
        }
    }
}

impl LiveCell {
    /// Kebab case.
    pub fn as_str(self) -> &'static str {
        match self {
            LiveCell::Opened => "opened",
            LiveCell::NoneFound => "none-found",
            LiveCell::NotTried => "not-tried",
        }
    }
}

/// The exit code for what a plan refuses.
pub fn refused(plan: &Plan) -> Exit {
    let refused = plan.deks().filter_map(|dek| match &dek.fate {
        Fate::Refused(failure) => Some(finding(failure)),
        _ => None,
    });
    Exit::worst(refused)
}

/// A refused row among others is a finding; what must be escalated or is denied stays what it is.
pub(super) fn finding(failure: &Failure) -> Exit {
    if failure.exit == Exit::Conflict { Exit::Findings } else { failure.exit }
}
