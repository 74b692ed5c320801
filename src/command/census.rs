//! `census`: which key versions really protect how many cells, where.

use super::movement::{self, grouped, seconds};
use crate::app::{App, Outcome};
use crate::core::cell::Wishes;
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::db::Session;
use crate::db::census::CensusFilter;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::census::{self, Census, Protection, Request};
use crate::ops::counting;
use crate::ops::rotation;
use crate::ops::wrapping::Vault;
use std::collections::BTreeMap;

/// Count which key versions really protect how many cells, by opening them
///
/// Reads every sealed column under one snapshot, past every index, and opens each value: plaintext, nested, unopenable and ownerless cells are
/// named too, and columns outside the data map that hold sealed values. With --sample it reads a share of the blocks and proves nothing.
/// Needs SELECT and kms:Decrypt; writes nothing.
///
/// Example: scrybe-keys census --sample 1%
///
/// Changes nothing. Exit codes: 0 every cell opens under its active version; 3 something else was found; 2, 5, 6, 8.
#[derive(clap::Args)]
pub struct Args {
    /// Only this organization; repeat for more
    #[arg(long = "org", value_name = "ID")]
    pub orgs: Vec<String>,
    /// Only this table of the data map; repeat for more
    #[arg(long = "model", value_name = "TABLE")]
    pub models: Vec<String>,
    /// Sum up by organization or by table and column
    #[arg(long, value_enum, default_value = "org")]
    pub by: By,
    /// Read only about this share of each table's blocks, e.g. 1%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub sample: Option<f64>,
    /// Read at most so many cells per second
    #[arg(long, value_name = "CELLS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rate: Option<u64>,
    /// Name every cell that does not open (up to 1,000): table, column and row id
    #[arg(long)]
    pub list_unopenable: bool,
}

/// How counts are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    Org,
    Table,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("a sample is more than 0% and at most 100%, e.g. 1%".to_owned()),
    }
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let organizations = movement::organizations(&self.orgs)?;
        let mut session = app.connect()?;
        crate::ops::binding::check(app, &mut session, false)?;
        let map = &app.settings.map.value;
        let known = session.organizations(map)?;
        if let Some(unknown) = organizations.iter().find(|o| !known.contains(o)) {
            return Err(Failure::conflict(
                "unknown-organization",
                format!("organization {unknown} is not in this database"),
            )
            .hint("`scrybe-keys keys list` shows the organizations that have a DEK"));
        }
        let catalog = session.catalog(map)?.only(&self.models)?;
        let vault = Vault::of(app)?;
        let (rings, mut problems) = census::load_keyrings(app, &mut session, &vault, &organizations)?;
        let request = Request {
            filter: CensusFilter { organizations, sample: self.sample.filter(|p| *p < 100.0), changed: None },
            max_rate: self.max_rate,
            list_unopenable: if self.list_unopenable { 1000 } else { 0 },
            from_version: None,
            wishes: Wishes::default(),
            probe_unmapped: self.models.is_empty(),
            workers: app.settings.policy.workers,
        };
        let progress = app.ui.progress("census");
        progress.total(catalog.tables.iter().map(|t| t.rows.max(0) as u64).sum());
        let taken = counting::take(app, &mut session, &catalog, &rings, &request, &*progress, || false);
        progress.done();
        let census = taken?;
        problems.extend(census.problems());
        name_unfinished_job(&mut session, &mut problems);
        problems.sort_by_key(|p| std::cmp::Reverse(p.severity));
        let text = self.text(app, &census, &problems);
        let mut outcome = Outcome::done(self.json(&census), text)?;
        if problems.iter().any(|p| p.severity >= Severity::Warning) {
            outcome.exit = Exit::Findings;
        }
        outcome.problems = problems;
        Ok(outcome)
    }

    fn text(&self, app: &App, census: &Census, problems: &[Problem]) -> String {
        let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
        for ((place, protection), cells) in &census.counts {
            let group = match self.by {
                By::Org => place.organization.clone().unwrap_or_else(|| "(none)".to_owned()),
                By::Table => format!("{}.{}", place.table, place.column),
            };
            *sums.entry((group, label(protection))).or_default() += cells;
        }
        let rows: Vec<Vec<String>> =
            sums.into_iter().map(|((group, what), cells)| vec![group, what, grouped(cells as i64)]).collect();
        let first = if self.by == By::Org { "organization" } else { "column" };
        let mut text = app.ui.table(&[first, "protected by", "cells"], &rows, &[2]);
        let rate = census.cells as f64 / census.seconds.max(0.001);
        text.push_str(&format!(
            "{} cells in {} rows read in {} ({} cells/s)",
            grouped(census.cells as i64),
            grouped(census.rows as i64),
            seconds(census.seconds),
            grouped(rate as i64)
        ));
        match census.sample {
            Some(percent) => text.push_str(&format!("; a sample of {percent}% of the blocks, no proof.\n")),
            None if self.models.is_empty() => text.push_str("; every cell of the data map.\n"),
            None => text.push_str(&format!("; only {}.\n", self.models.join(", "))),
        }
        for cell in &census.unopenable {
            let organization = cell.place.organization.as_deref().unwrap_or("(none)");
            text.push_str(&format!(
                "unopenable: {organization} {}.{} row {} ({})\n",
                cell.place.table, cell.place.column, cell.row, cell.reason
            ));
        }
        text.push_str(&movement::problems_text(problems));
        if problems.is_empty() && census.cells > 0 && census.sample.is_none() {
            text.push_str("Every cell opens under the active version of its organization.\n");
        }
        text
    }

    fn json(&self, census: &Census) -> serde_json::Value {
        let mut data = census::to_json(census);
        if self.list_unopenable {
            data["unopenable"] = census
                .unopenable
                .iter()
                .map(|cell| {
                    serde_json::json!({"organizationId": cell.place.organization, "table": cell.place.table,
                        "column": cell.place.column, "rowId": cell.row, "reason": cell.reason})
                })
                .collect();
        }
        data
    }
}

/// Stale cells of an organization that an unfinished job is about are moved by that job's own command.
fn name_unfinished_job(session: &mut Session, problems: &mut [Problem]) {
    for problem in problems.iter_mut().filter(|p| p.code == "stale-cells") {
        let Ok(organization) = OrgId::parse(&problem.subject) else { continue };
        // Best effort: the tool's schema may not be there, or not be readable.
        let jobs = session.running_jobs_over(&[organization]).unwrap_or_default();
        if let Some(command) = jobs.first().and_then(rotation::command_of) {
            problem.hint = command;
        }
    }
}

fn label(protection: &Protection) -> String {
    match protection {
        Protection::Current(version, _) => format!("version {version} (active)"),
        Protection::Stale(version, _) => format!("version {version}"),
        Protection::Plaintext => "nothing: plaintext".to_owned(),
        Protection::Unopenable => "unknown: does not open".to_owned(),
        Protection::Ownerless => "unknown: no owner".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn samples_are_percentages() {
        assert_eq!(percent("1%"), Ok(1.0));
        assert_eq!(percent("0.5"), Ok(0.5));
        assert_eq!(percent("100%"), Ok(100.0));
        for bad in ["0", "-1%", "101%", "x", "", "NaN", "inf"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
