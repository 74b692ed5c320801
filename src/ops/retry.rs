//! Trying a job's quarantined cells again, by row id, toward the version that is active now.
//! Takes the job's lock, so it never runs beside the job itself. What still does not open is quarantined again.

use super::audit::Journal;
use super::crew::{Crew, Tally};
use super::job::runner_name;
use super::pulse::Pulse;
use super::walk::{Source, Walk, WalkEnd};
use super::wrapping::Vault;
use super::{keyrings, preflight};
use crate::app::App;
use crate::core::cell::{Class, Judge, Wishes};
use crate::core::data_map::DataMap;
use crate::core::ids::OrgId;
use crate::db::catalog::Catalog;
use crate::db::cells::{Lookup, Place, Rows};
use crate::db::jobs::{Job, Owner, Quarantined};
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
    if !session.lock_job(job.id, &runner_name(&journal))? {
        return Err(Failure::conflict("job-running", format!("job {} is being worked on", job.id))
            .hint(format!("`scrybe-keys jobs attach {}`", job.id)));
    }
    let _pulse = Pulse::start(app, job.id, runner_name(&journal))?;
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
    let crew = Crew::of(app, Some(1));
    let mut rows: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for cell in cells {
        rows.entry((&cell.organization, &cell.table)).or_default().insert(&cell.row);
    }
    for ((name, table), ids) in rows {
        let organization =
            OrgId::parse(name).map_err(|e| Failure::internal("an organization without a name").caused_by(e))?;
        let deks = session.dek_rows(map, &organization)?;
        let unwrapped = keyrings::unwrap(vault, &organization, &deks)?;
        let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        let mut chunks = Vec::new();
        // A row is in one of the table's heaps; the others do not find it.
        for live in catalog.tables.iter().filter(|live| live.name == table) {
            let rows = Rows::Ids(ids.clone());
            chunks.push(session.add_own_chunk(job.id, &organization, &live.relation, rows, Owner::Settling)?);
        }
        let walk = Walk {
            crew: &crew,
            catalog,
            keyring: &unwrapped.keyring,
            target: unwrapped.current,
            only: None,
            wishes: Wishes::default(),
        };
        match walk.run(Source::Own(chunks), tally, |_| Ok(false))? {
            WalkEnd::Done => forget_what_opens(session, catalog, map, job, (name, table), &ids, &unwrapped)?,
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

/// Takes from the list what lies under the target now, or is gone. What a batch stepped over stays listed.
fn forget_what_opens(
    session: &mut Session,
    catalog: &Catalog,
    map: &DataMap,
    job: &Job,
    (organization, table): (&str, &str),
    ids: &[String],
    keys: &keyrings::Unwrapped,
) -> Result<(), Failure> {
    let places: Vec<Place> = ids.iter().map(|id| Place { id: id.clone(), block: 0, line: 0, bytes: 0 }).collect();
    let places: Vec<&Place> = places.iter().collect();
    let mut judge = Judge::new(&keys.keyring);
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    for live in catalog.tables.iter().filter(|live| live.name == table) {
        let statements = session.prepare_batches(map, live)?;
        let mut batch = session.batch(live)?;
        for row in batch.read(&statements, &places, Lookup::Key)? {
            for (column, value) in live.columns.iter().zip(&row.values) {
                let class = value.as_deref().map_or(Class::Absent, |raw| judge.classify(column.kind, raw));
                let stays = match class {
                    Class::Absent | Class::Plain | Class::PlainNested { .. } => false,
                    Class::Sealed(at) | Class::Nested { outer: at, .. } => at != keys.current,
                    Class::Unopenable(_) => true,
                };
                if stays {
                    rows.push(row.id.clone());
                    columns.push(column.name.clone());
                }
            }
        }
    }
    session.keep_quarantined(job.id, organization, table, ids, &rows, &columns)?;
    Ok(())
}
