//! The census: which key versions really protect how many cells, where. Read-only.
//!
//! The closing form reads every cell under one snapshot (`db::census`) and opens it; what it counts is proof. The sampled form reads
//! a share of the blocks and says so. Counting is by `core::cell`, the same judge that the walk moves by. Memory is the counts, plus row
//! ids up to a limit; never values. How it is taken: `ops::counting`.

use super::keyrings;
use super::wrapping::Vault;
use crate::app::App;
use crate::core::cell::Wishes;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::keyring::Keyring;
use crate::core::problem::{Problem, Severity};
use crate::db::Session;
use crate::db::census::CensusFilter;
use crate::error::Failure;
use crate::exit::Exit;
use std::collections::{BTreeMap, HashMap};

/// Names of unopenable cells kept at most by whoever keeps them all.
pub const UNOPENABLE_LIMIT: usize = 10_000;
/// Row names kept per organization and relation for moving; above it the relation is walked again.
pub const STALE_LIMIT: usize = 5000;
/// What to count.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub filter: CensusFilter,
    /// Cells per second at most, over all workers.
    pub max_rate: Option<u64>,
    /// Names of unopenable cells to keep.
    pub list_unopenable: usize,
    /// Rows whose cells these wishes would rewrite are named with the stale ones.
    pub wishes: Wishes,
    /// Only cells under this version count as stale rows.
    pub from_version: Option<KeyVersion>,
    /// Also look for envelopes in columns the map does not know.
    pub probe_unmapped: bool,
    pub workers: usize,
}

/// What protects a counted cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// The DEK the application seals with.
    Current(KeyVersion, DekId),
    /// Another DEK of the organization.
    Stale(KeyVersion, DekId),
    /// None.
    Plaintext,
    /// The envelope does not open; malformed or not authentic.
    Unopenable,
    /// The row's organization cannot be found, or has no DEK.
    Ownerless,
}

/// Where a counted cell is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Where {
    pub organization: Option<String>,
    pub table: String,
    pub column: String,
}

/// A cell by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellName {
    pub place: Where,
    pub row: String,
    pub reason: String,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Census {
    pub counts: BTreeMap<(Where, Protection), u64>,
    /// Nested envelopes by place and the version inside; these cells are in `counts` too.
    pub nested: BTreeMap<(Where, KeyVersion), u64>,
    /// Rows with a cell under another DEK than the current one, by organization and relation, up to `STALE_LIMIT` each.
    pub stale_rows: BTreeMap<(String, String), Vec<String>>,
    pub unopenable: Vec<CellName>,
    /// Columns outside the map that hold envelopes: table, column, rows.
    pub unmapped: Vec<(String, String, i64)>,
    pub cells: u64,
    pub rows: u64,
    pub seconds: f64,
    pub sample: Option<f64>,
    /// The oldest transaction open when its snapshot was taken: what changes later is younger.
    pub basis: i64,
    /// Rows and cells that a move would write, by organization and table.
    pub to_move: BTreeMap<(String, String), (u64, u64)>,
}

/// The keyrings of the organizations in scope.
pub type Keyrings = HashMap<String, OrganizationKeys>;

/// One organization's keyring and which position is current.
pub struct OrganizationKeys {
    pub keyring: Keyring,
    pub current: usize,
}

impl Census {
    /// Cells under another DEK than the current one.
    pub fn stale(&self) -> u64 {
        self.sum(|p| matches!(p, Protection::Stale(..)))
    }

    /// Sum over one kind of protection.
    pub fn sum(&self, kind: impl Fn(&Protection) -> bool) -> u64 {
        self.counts.iter().filter(|((_, p), _)| kind(p)).map(|(_, n)| n).sum()
    }

    /// True when `stale_rows` names every stale row of this organization and relation.
    pub fn names_all(&self, organization: &str, relation: &str) -> bool {
        self.stale_rows.get(&(organization.to_owned(), relation.to_owned())).is_none_or(|rows| rows.len() < STALE_LIMIT)
    }

    /// Everything that needs somebody's attention, with the next command.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        // One finding for each kind, subject and version.
        let mut by: BTreeMap<(&str, String, Option<KeyVersion>), Sum> = BTreeMap::new();
        for ((place, protection), count) in &self.counts {
            let column = format!("{}.{}", place.table, place.column);
            let own = |hint: &dyn Fn(&str) -> String| match &place.organization {
                Some(organization) => hint(organization),
                None => "find or remove the rows' owner".to_owned(),
            };
            let (code, severity, version, what, hint) = match protection {
                Protection::Current(..) => continue,
                Protection::Stale(version, _) => (
                    "stale-cells",
                    Severity::Critical,
                    Some(*version),
                    "",
                    own(&|o| format!("scrybe-keys re-encrypt --org {o}")),
                ),
                Protection::Plaintext => (
                    "plaintext-cells",
                    Severity::Warning,
                    None,
                    "not sealed",
                    own(&|o| format!("scrybe-keys re-encrypt --org {o} --include-plaintext")),
                ),
                Protection::Unopenable => (
                    "unopenable-cells",
                    Severity::Critical,
                    None,
                    "not to be opened by any DEK of its organization",
                    own(&|o| format!("scrybe-keys census --org {o} --list-unopenable")),
                ),
                Protection::Ownerless => (
                    "ownerless-cells",
                    Severity::Critical,
                    None,
                    "sealed, and of no organization with a DEK",
                    "find or remove the rows' owner".to_owned(),
                ),
            };
            let subject = match (protection, &place.organization) {
                (Protection::Stale(..), Some(organization)) => organization.clone(),
                (Protection::Ownerless, _) | (_, None) => column,
                (_, Some(organization)) => format!("{organization} {column}"),
            };
            by.entry((code, subject, version)).or_insert(Sum { severity, cells: 0, what, hint }).cells += count;
        }
        for ((code, subject, version), Sum { severity, cells: count, what, hint }) in by {
            let what = match version {
                Some(version) => format!(
                    "under version {version}: the application cannot open {}",
                    if count == 1 { "it" } else { "them" }
                ),
                None => what.to_owned(),
            };
            problems.push(Problem::new(severity, code, subject, format!("{} {what}", cells_are(count)), hint));
        }
        for ((place, version), count) in &self.nested {
            let organization = place.organization.as_deref().unwrap_or("(none)");
            problems.push(Problem::new(
                Severity::Warning,
                "nested-cells",
                format!("{organization} {}.{}", place.table, place.column),
                format!("{} an envelope around one of version {version}, which must not be retired", cells_are(*count)),
                format!("scrybe-keys re-encrypt --org {organization} --unwrap-nested"),
            ));
        }
        for (table, column, rows) in &self.unmapped {
            problems.push(Problem::new(
                Severity::Warning,
                "unmapped-envelopes",
                format!("{table}.{column}"),
                format!(
                    "{rows} rows hold sealed values in a column the data map does not know: no rotation moves them"
                ),
                "add the column to the data map, then take the census again".to_owned(),
            ));
        }
        problems
    }
}

/// What is said of all cells of one kind, subject and version.
struct Sum {
    severity: Severity,
    cells: u64,
    what: &'static str,
    hint: String,
}

/// `1 cell is`, `2 cells are`.
fn cells_are(count: u64) -> String {
    if count == 1 { "1 cell is".to_owned() } else { format!("{count} cells are") }
}

/// Unwraps the DEKs of every organization in scope. An organization whose current DEK fails becomes a problem, not an end, unless
/// KMS itself is out of reach.
pub fn load_keyrings(
    app: &App,
    session: &mut Session,
    vault: &Vault,
    organizations: &[OrgId],
) -> Result<(Keyrings, Vec<Problem>), Failure> {
    let mut rings = Keyrings::new();
    let mut problems = Vec::new();
    let mut by_organization: BTreeMap<OrgId, Vec<crate::db::DekRow>> = BTreeMap::new();
    for row in session.all_dek_rows(&app.settings.map.value)? {
        if organizations.is_empty() || organizations.contains(&row.organization) {
            by_organization.entry(row.organization.clone()).or_default().push(row);
        }
    }
    for (organization, rows) in by_organization {
        match keyrings::unwrap(vault, &organization, &rows) {
            Ok(unwrapped) => {
                problems.extend(unwrapped.problems);
                rings.insert(
                    organization.as_str().to_owned(),
                    OrganizationKeys { keyring: unwrapped.keyring, current: unwrapped.current },
                );
            }
            Err(failure) if failure.exit == Exit::Unreachable => return Err(failure),
            Err(failure) => {
                let hint = failure.hints.first().cloned().unwrap_or_default();
                problems.push(Problem::new(
                    Severity::Critical,
                    failure.code,
                    organization.as_str(),
                    failure.message,
                    hint,
                ));
            }
        }
        if app.interrupt.asked() {
            return Err(interrupted());
        }
    }
    Ok((rings, problems))
}

pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted", "interrupted while reading; nothing was changed")
}

/// Counts by organization, column and version, as kept with a job and printed by `--json`. No ids of rows.
pub fn to_json(census: &Census) -> serde_json::Value {
    let counts: Vec<_> = census
        .counts
        .iter()
        .map(|((place, protection), cells)| {
            let (kind, version, dek) = match protection {
                Protection::Current(version, dek) => ("current", Some(*version), Some(dek.as_str())),
                Protection::Stale(version, dek) => ("stale", Some(*version), Some(dek.as_str())),
                Protection::Plaintext => ("plaintext", None, None),
                Protection::Unopenable => ("unopenable", None, None),
                Protection::Ownerless => ("ownerless", None, None),
            };
            serde_json::json!({"organizationId": place.organization, "table": place.table, "column": place.column,
                "protection": kind, "keyVersion": version, "dekId": dek, "cells": cells})
        })
        .collect();
    let nested: Vec<_> = census
        .nested
        .iter()
        .map(|((place, version), cells)| {
            serde_json::json!({"organizationId": place.organization, "table": place.table, "column": place.column,
                "innerKeyVersion": version, "cells": cells})
        })
        .collect();
    let unmapped: Vec<_> = census
        .unmapped
        .iter()
        .map(|(table, column, rows)| serde_json::json!({"table": table, "column": column, "rows": rows}))
        .collect();
    serde_json::json!({"cells": census.cells, "rows": census.rows, "seconds": census.seconds, "samplePercent": census.sample,
        "counts": counts, "nested": nested, "unmapped": unmapped})
}

/// A census as it is kept with its job: the counts and what they mean.
pub fn to_keep(census: &Census) -> String {
    let mut kept = to_json(census);
    kept["problems"] = serde_json::to_value(census.problems()).expect("problems are plain data");
    kept.to_string()
}

/// The problems of a kept census.
pub fn problems_of(kept: &str) -> Vec<Problem> {
    let kept: serde_json::Value = serde_json::from_str(kept).unwrap_or_default();
    serde_json::from_value(kept["problems"].clone()).unwrap_or_default()
}
