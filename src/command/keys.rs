//! `keys`: DEK versions and what is known of each.

use crate::app::{App, Outcome};
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::binding;
use crate::ops::health::TriState;
use crate::ops::keys::{self, KeyReport, Wrapping};
use serde_json::json;

/// Show DEK versions, per organization
///
/// Example: scrybe-keys keys list
///
/// A DEK is on old material when its master key has newer: `scrybe-keys rewrap --old-material` moves it. That is told from our own records and
/// one kms:DescribeKey for each master key they name; a DEK they do not know is unknown.
///
/// Reads only; unwraps nothing unless --deep asks for it. Exit codes: 0, 2, 3 (--deep found one that does not open), 5, 6, 8.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// One line for every DEK version, newest first
    List {
        /// Only this organization
        #[arg(long, value_name = "ID")]
        org: Option<String>,
        /// Unwrap each DEK: one kms:Decrypt call per version
        #[arg(long)]
        deep: bool,
    },
    /// Everything known of one organization's DEKs
    Show {
        /// Organization id
        #[arg(value_name = "ORG")]
        org: String,
        /// Unwrap each DEK: one kms:Decrypt call per version
        #[arg(long)]
        deep: bool,
    },
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let mut session = app.connect()?;
        binding::check(app, &mut session, false)?;
        let (org, deep, in_full) = match self.what {
            What::List { org, deep } => (org, deep, false),
            What::Show { org, deep } => (Some(org), deep, true),
        };
        let org = org.map(|id| OrgId::parse(&id)).transpose();
        let org = org.map_err(|e| Failure::usage("bad-organization", e.to_string()))?;
        let look = if deep { keys::list_deep } else { keys::list };
        let reports = look(app, &mut session, org.as_ref())?;
        if let (Some(org), true) = (&org, reports.is_empty()) {
            return Err(Failure::conflict("unknown-organization", format!("organization {org} has no DEK"))
                .hint("`scrybe-keys keys list` names the organizations that have one"));
        }
        let problems: Vec<Problem> = reports.iter().filter_map(unopened).collect();
        let text = match (in_full, &org) {
            (true, Some(org)) => in_full_text(org, &reports),
            _ => table(app, &reports, deep),
        };
        let exit = if problems.is_empty() { Exit::Done } else { Exit::Findings };
        Ok(Outcome { exit, problems, ..Outcome::done(json!({"keys": reports}), text)? })
    }
}

fn unopened(report: &KeyReport) -> Option<Problem> {
    let why = report.refusal.as_ref()?;
    Some(Problem::new(
        Severity::Critical,
        "dek-does-not-open",
        report.dek_id.as_str(),
        why,
        "scrybe-keys health --deep",
    ))
}

/// Narrow enough for eighty columns with ids that are UUIDs; `show` and --json have the rest.
fn table(app: &App, reports: &[KeyReport], deep: bool) -> String {
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|r| {
            let opens = match r.opens {
                Some(true) => "opens",
                Some(false) => "refused",
                None => "not tried",
            };
            vec![
                r.organization_id.to_string(),
                r.version.to_string(),
                if r.active { "active" } else { "" }.to_owned(),
                if deep { opens.to_owned() } else { r.status.unwrap_or("-").to_lowercase() },
                r.age_days.map_or_else(|| "-".to_owned(), |d| format!("{d}d")),
                wrapped_by(r),
            ]
        })
        .collect();
    let fourth = if deep { "deep" } else { "status" };
    app.ui.table(&["organization", "version", "in use", fourth, "age", "cmk"], &rows, &[1, 4])
}

/// The beginning of the CMK's id is enough to tell CMKs apart in a table.
fn wrapped_by(report: &KeyReport) -> String {
    match (report.wrapping, &report.key_arn) {
        (Wrapping::Dev, _) => "bare dev".to_owned(),
        (Wrapping::Kms, Some(arn)) => {
            let id = arn.rsplit('/').next().unwrap_or(arn);
            let old = if report.old_material == TriState::Yes { " (old)" } else { "" };
            format!("{}{old}", id.get(..8).unwrap_or(id))
        }
        (Wrapping::Kms, None) => "-".to_owned(),
    }
}

fn in_full_text(org: &OrgId, reports: &[KeyReport]) -> String {
    let mut text = format!("Organization {}\n", crate::ui::escaped(org.as_str()));
    for r in reports {
        let unknown = || "-".to_owned();
        let time = |t: Option<jiff::Timestamp>| t.map_or_else(unknown, |t| t.to_string());
        text.push_str(&format!("\nversion {}{}\n", r.version, if r.active { ", active" } else { "" }));
        let lines = [
            ("DEK row", r.dek_id.to_string()),
            ("status", r.status.unwrap_or("not in our records").to_lowercase()),
            ("created", time(r.created_at)),
            ("age", r.age_days.map_or_else(unknown, |d| format!("{d} days"))),
            ("rotated", time(r.rotated_at)),
            (
                "wrapped by",
                match r.wrapping {
                    Wrapping::Dev => "nobody: a bare dev: key".to_owned(),
                    Wrapping::Kms => r.key_arn.clone().unwrap_or_else(|| "a KMS key (not in our records)".to_owned()),
                },
            ),
            ("material", material(r)),
            ("fingerprint", r.fingerprint.clone().unwrap_or_else(unknown)),
            (
                "opens",
                match (r.opens, &r.refusal) {
                    (Some(true), _) => "yes".to_owned(),
                    (_, Some(why)) => format!("no: {why}"),
                    _ => "not tried (--deep)".to_owned(),
                },
            ),
        ];
        for (name, value) in lines {
            text.push_str(&format!("  {name:<12}{}\n", crate::ui::escaped(&value)));
        }
    }
    text
}

fn material(report: &KeyReport) -> String {
    let Some(id) = &report.material_id else { return "-".to_owned() };
    let age = match report.old_material {
        TriState::Yes => " (old: the CMK has newer)",
        TriState::No => " (the newest)",
        TriState::Unknown => "",
    };
    format!("{id}{age}")
}
