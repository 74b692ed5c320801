//! Trying a job's quarantined cells again, by row id, toward the version that is active now.
//! Takes the job's lock, so it never runs beside the job itself. What still does not open is quarantined again.

use super::audit::Journal;
use super::walk::{Tally, Walk, WalkEnd};
use super::wrapping::Vault;
use super::{keyrings, preflight};
use crate::app::App;
use crate::core::cell::Wishes;
use crate::core::ids::OrgId;
use crate::db::catalog::Catalog;
use crate::db::cells::Rows;
use crate::db::jobs::{Job, Quarantined};
use crate::db::{Need, Session};
use crate::error::Failure;
use crate::exit::Exit;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    pub moved: u64,
    pub left: u64,
}

/// Tries the rows of these cells again.
pub fn run(app: &App, session: &mut Session, job: &Job, cells: &[Quarantined]) -> Result<Tried, Failure> {
    super::binding::check(app, session, true)?;
    let vault = Vault::of(app)?;
    let map = &app.settings.map.value;
    let catalog = session.catalog(map)?;
    preflight::check(app, session, &catalog, Need::Move, false)?;
    let mut journal = Journal::open(app)?;
    if !session.lock_job(job.id, &format!("{} pid {}", journal.actor(), std::process::id()))? {
        return Err(Failure::conflict("job-running", format!("job {} is being worked on", job.id))
            .hint(format!("`scrybe-keys jobs attach {}`", job.id)));
    }
    let subject = job.id.to_string();
    let intent = journal.intent(
        "RE_ENCRYPTION_STARTED",
        &subject,
        json!({"job": subject, "action": "retry-failed", "cells": cells.len()}),
    )?;
    let tally = Tally::default();
    if let Err(failure) = try_rows(app, session, &vault, &catalog, job, cells, &tally) {
        let details = json!({"job": subject, "code": failure.code, "reason": failure.message});
        journal.outcome(&intent, "RE_ENCRYPTION_FAILED", &subject, details)?;
        return Err(failure);
    }
    let tried =
        Tried { moved: tally.cells.load(Ordering::Relaxed), left: session.quarantined(job.id, i64::MAX)?.len() as u64 };
    journal.outcome(
        &intent,
        "RE_ENCRYPTION_COMPLETED",
        &subject,
        json!({"job": subject, "cellsMoved": tried.moved, "left": tried.left}),
    )?;
    Ok(tried)
}

fn try_rows(
    app: &App,
    session: &mut Session,
    vault: &Vault,
    catalog: &Catalog,
    job: &Job,
    cells: &[Quarantined],
    tally: &Tally,
) -> Result<(), Failure> {
    let map = &app.settings.map.value;
    let mut rows: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for cell in cells {
        rows.entry((&cell.organization, &cell.table)).or_default().insert(&cell.row);
    }
    for ((name, table), ids) in rows {
        let organization =
            OrgId::parse(name).map_err(|e| Failure::internal("an organization without a name").caused_by(e))?;
        let deks = session.dek_rows(map, &organization)?;
        let unwrapped = keyrings::unwrap(vault, &organization, &deks)?;
        let before = session.database_now()?;
        let ids = Rows::Ids(ids.into_iter().map(str::to_owned).collect());
        let chunk = session.add_late_chunk(job.id, &organization, table, ids)?;
        let walk = Walk {
            app,
            catalog,
            keyring: &unwrapped.keyring,
            target: unwrapped.current,
            only: None,
            wishes: Wishes::default(),
            workers: 1,
        };
        match walk.run(vec![chunk], tally, |_| Ok(false))? {
            WalkEnd::Done => {
                session.clear_quarantine(job.id, name, table, before)?;
            }
            WalkEnd::Stopped => {
                return Err(Failure::new(Exit::Incomplete, "interrupted", "stopped on request")
                    .hint("run the same command again"));
            }
            WalkEnd::Superseded => {
                return Err(Failure::conflict("superseded", format!("{organization} was rotated meanwhile"))
                    .hint(format!("scrybe-keys re-encrypt --org {organization}")));
            }
        }
    }
    Ok(())
}
