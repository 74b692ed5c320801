//! Planning a rotation, a revert or a re-encryption: everything that can be refused is refused here, before anything is changed.
//!
//! A plan reads and counts; it holds no key material. It is shown, agreed to by its digest, and handed to `ops::job`, which checks again what
//! could have changed. An unfinished job of the same scope is found here and gone on with; it is never doubled.

use super::census;
use super::cutting::Visit;
use super::estimate::{Count, Reading, count_rows, counts_of, read_all};
pub use super::request::{Cutover, Request, Scope};
use super::wrapping::Vault;
use super::{keyrings, preflight};
use crate::app::App;
use crate::core::data_map::Opens;
use crate::core::ids::{DekId, KeyVersion, OrgId};
use crate::core::problem::{Problem, Severity};
use crate::db::catalog::Catalog;
use crate::db::jobs::{Job, JobKind, PartState};
use crate::db::{DekRow, Need, Session};
use crate::error::Failure;
use crate::exit::Exit;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use std::time::Duration;

/// Cells per second assumed where this database has no finished walk to measure by.
const ASSUMED_RATE: f64 = 8000.0;
/// Share of that which one session reaches alone.
const ONE_SESSION: f64 = 0.6;

/// One organization's part of the plan.
#[derive(Clone, Debug)]
pub struct Planned {
    pub organization: OrgId,
    /// Version the application seals with now; `None` for an organization's first DEK.
    pub from: Option<KeyVersion>,
    /// Version it will seal with. For a new one: the next number, as the rows stand now.
    pub to: KeyVersion,
    /// The DEK row that becomes active; `None` when it is still to be made.
    pub target: Option<DekId>,
    pub rows: i64,
    /// Values in sealed columns: as many cells go dark at most.
    pub cells: i64,
    /// Estimated seconds during which cells are dark.
    pub dark_seconds: f64,
    /// In which order each table is visited.
    pub visits: Vec<Visit>,
    /// Rows to move by name, by table, where a census named them all: no walk is needed.
    pub named: Option<Vec<(String, Vec<String>)>>,
    /// Moves and flips in one transaction, which is estimated to take so many seconds.
    pub atomic: bool,
    pub cutover_seconds: f64,
    /// Where an unfinished job left it.
    pub state: PartState,
}

/// What will be done, and what was refused already.
pub struct Plan {
    pub request: Request,
    pub context_line: String,
    pub catalog: Catalog,
    /// The unfinished job that is gone on with.
    pub job: Option<Job>,
    pub organizations: Vec<Planned>,
    pub refused: Vec<(OrgId, Failure)>,
    pub problems: Vec<Problem>,
    /// Cells per second the estimates rest on, and whether they were measured on this database.
    pub rate: (f64, bool),
    pub settle: Duration,
    pub scope: String,
    pub digest: String,
    /// For a re-encryption: what was read to see what there is to move.
    pub read: Option<Reading>,
}

impl Plan {
    /// True when there is nothing to move, and that is proven.
    pub fn is_done(&self) -> bool {
        self.job.is_none()
            && self.refused.is_empty()
            && self.organizations.is_empty()
            && self.read.as_ref().is_some_and(|read| read.is_proof)
    }
}

/// Makes the plan. Changes nothing; unwraps each organization's DEKs once to prove that they belong here.
pub fn plan(app: &App, session: &mut Session, vault: &Vault, request: Request) -> Result<Plan, Failure> {
    let map = &app.settings.map.value;
    session.require_schema()?;
    let binding = super::binding::check(app, session, true)?;
    let context_line = super::binding::context_line(&app.settings, &binding);
    let catalog = session.catalog(map)?.only(&request.models)?;
    let need = if request.kind == JobKind::ReEncrypt { Need::Move } else { Need::Rotate };
    let warnings = preflight::check(app, session, &catalog, need, request.allow_triggers || request.dek_only)?;

    let scope = request.scope_text();
    let job = session.running_job(&scope)?;
    if let Some(job) = job.as_ref().filter(|j| j.alive) {
        let runner = job.runner.as_deref().unwrap_or("another process");
        return Err(Failure::conflict("job-running", format!("job {} is being run by {runner}", job.id))
            .hint(format!("watch it: `scrybe-keys jobs attach {}`", job.id))
            .hint("or help it: run the same command again"));
    }
    let job = match job {
        Some(job) if finished_before(session, &job, &request)? => {
            session.end_job(job.id, "done", None)?;
            None
        }
        job => job,
    };
    let wanted = match &job {
        Some(job) => session.job_parts(job.id)?.into_iter().map(|p| (p.organization.clone(), Some(p))).collect(),
        None => {
            let wanted = choose(app, session, &request)?;
            if let Some(other) = session.running_jobs_over(&wanted)?.first() {
                return Err(overlap(other));
            }
            wanted.into_iter().map(|o| (o, None)).collect::<Vec<_>>()
        }
    };
    let rate = session.measured_rate()?.map_or((ASSUMED_RATE, false), |rate| (rate.max(1.0), true));
    let settle = request.settle.unwrap_or(Duration::from_secs(map.cache_seconds));
    let (mut read, mut rings) = (None, census::Keyrings::new());
    if request.kind == JobKind::ReEncrypt && job.is_none() {
        let organizations: Vec<OrgId> = wanted.iter().map(|(o, _)| o.clone()).collect();
        let taken = read_all(app, session, vault, &catalog, &request, &organizations, settle)?;
        (read, rings) = (Some(taken.0), taken.1);
    }
    let tid_ranges = session.scans_tid_ranges()?;
    let counts = match &read {
        Some(read) => counts_of(&read.census, &catalog, tid_ranges),
        None => count_rows(session, &catalog, tid_ranges)?,
    };
    let mut plan = Plan {
        settle,
        request,
        context_line,
        catalog,
        job,
        organizations: Vec::new(),
        refused: Vec::new(),
        problems: warnings,
        rate,
        scope,
        digest: String::new(),
        read,
    };
    for (organization, part) in wanted {
        // Refused ones do not count: or those that are always refused would keep all others waiting.
        if let Scope::Due { at_most } = plan.request.scope
            && part.is_none()
            && plan.organizations.len() >= at_most as usize
        {
            break;
        }
        if app.interrupt.asked() {
            return Err(Failure::new(
                Exit::Interrupted,
                "interrupted",
                "interrupted while planning; nothing was changed",
            ));
        }
        let state = part.as_ref().map_or(PartState::Pending, |p| p.state);
        if matches!(state, PartState::Settled | PartState::Refused | PartState::Superseded) {
            continue;
        }
        let deks = session.dek_rows(map, &organization)?;
        let count = counts.get(organization.as_str()).cloned().unwrap_or_default();
        let proven_clean =
            plan.read.as_ref().is_some_and(|read| read.is_proof) && rings.contains_key(organization.as_str());
        if proven_clean && count.rows == 0 {
            continue;
        }
        let planned = match state {
            PartState::Pending => plan_one(app, session, vault, &plan, &rings, &organization, &deks, count),
            // Flipped already: what is left is to move, whatever the estimate says.
            _ => going_on(&organization, part.as_ref(), count, state),
        };
        match planned {
            Ok((planned, problems)) => {
                plan.problems.extend(problems);
                plan.organizations.push(planned);
            }
            Err(failure) if super::job::ends_the_job(&failure) => return Err(failure),
            Err(failure) => plan.refused.push((organization, failure)),
        }
    }
    if plan.job.is_none() && plan.organizations.is_empty() && plan.refused.len() == 1 {
        let (_, failure) = plan.refused.remove(0);
        return Err(failure);
    }
    plan.digest = digest(&plan);
    Ok(plan)
}

/// The job of the same scope that somebody runs now: to be helped, not doubled.
pub fn running(app: &App, session: &mut Session, request: &Request) -> Result<Option<Job>, Failure> {
    session.require_schema()?;
    super::binding::check(app, session, true)?;
    Ok(session.running_job(&request.scope_text())?.filter(|job| job.alive))
}

/// True for a job that only its report was missing of, when this is plainly another request: another reason, or an hour later.
fn finished_before(session: &mut Session, job: &Job, request: &Request) -> Result<bool, Failure> {
    let open = |state| matches!(state, PartState::Pending | PartState::Moving | PartState::Moved);
    if session.job_parts(job.id)?.iter().any(|p| open(p.state)) {
        return Ok(false);
    }
    let idle = session.database_now()?.as_second() - job.touched_at.as_second();
    Ok(job.reason != request.reason || idle > 3600)
}

fn going_on(
    organization: &OrgId,
    part: Option<&crate::db::jobs::Part>,
    count: Count,
    state: PartState,
) -> Result<(Planned, Vec<Problem>), Failure> {
    let part = part.expect("a state past pending comes from a part");
    let (target, to) = part.target.clone().ok_or_else(|| Failure::internal("a started part names no target"))?;
    let left = (part.rows_estimated - part.rows_visited).max(0).min(count.rows);
    let planned = Planned {
        organization: organization.clone(),
        from: part.previous.as_ref().map(|(_, version)| *version),
        to,
        target: Some(target),
        rows: left,
        cells: (count.cells - part.cells_moved).max(0),
        dark_seconds: 0.0,
        visits: Vec::new(),
        named: None,
        atomic: false,
        cutover_seconds: 0.0,
        state,
    };
    Ok((planned, Vec::new()))
}

fn overlap(other: &Job) -> Failure {
    let failure = Failure::conflict(
        "unfinished-job",
        format!("unfinished job {} ({}) covers organizations of this one", other.id, other.scope),
    );
    let failure = match command_of(other) {
        Some(command) => failure.hint(format!("finish it first: `{command}`")),
        None => failure,
    };
    failure.hint(format!("or give it up: `scrybe-keys jobs cancel {}`", other.id))
}

/// The command that goes on with a job.
pub fn command_of(job: &Job) -> Option<String> {
    let options: serde_json::Value = serde_json::from_str(&job.options).ok()?;
    Some(options.get("command")?.as_str()?.to_owned())
}

fn choose(app: &App, session: &mut Session, request: &Request) -> Result<Vec<OrgId>, Failure> {
    let map = &app.settings.map.value;
    match &request.scope {
        Scope::Organizations(list) => {
            let known = session.organizations(map)?;
            for organization in list {
                if !known.contains(organization) {
                    return Err(Failure::conflict(
                        "unknown-organization",
                        format!("organization {organization} is not in this database"),
                    )
                    .hint("`scrybe-keys keys list` shows the organizations that have a DEK"));
                }
            }
            Ok(list.clone())
        }
        Scope::All => {
            let mut all: Vec<OrgId> = session.all_dek_rows(map)?.into_iter().map(|r| r.organization).collect();
            all.dedup();
            Ok(all)
        }
        Scope::Due { .. } => {
            let age = i64::from(app.settings.policy.dek_max_age_days) * 86_400;
            let now = session.database_now()?;
            let mut due: Vec<(Option<Timestamp>, OrgId)> = session
                .all_dek_rows(map)?
                .into_iter()
                .filter(|r| r.active && r.created_at.is_none_or(|at| now.as_second() - at.as_second() >= age))
                .map(|r| (r.created_at, r.organization))
                .collect();
            due.sort();
            due.dedup_by(|a, b| a.1 == b.1);
            Ok(due.into_iter().map(|(_, o)| o).collect())
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "a plan's part draws on everything that was read for the plan")]
fn plan_one(
    app: &App,
    session: &mut Session,
    vault: &Vault,
    plan: &Plan,
    rings: &census::Keyrings,
    organization: &OrgId,
    deks: &[DekRow],
    count: Count,
) -> Result<(Planned, Vec<Problem>), Failure> {
    let request = &plan.request;
    let dark = |cells: i64| match app.settings.map.value.opens {
        Opens::ActiveOnly if request.kind != JobKind::ReEncrypt && !request.dek_only => cells as f64 / plan.rate.0,
        _ => 0.0,
    };
    let planned = |from, to, target| Planned {
        organization: organization.clone(),
        from,
        to,
        target,
        rows: if request.dek_only { 0 } else { count.rows },
        cells: count.cells,
        dark_seconds: dark(count.cells),
        visits: count.visits.clone(),
        named: count.named.clone(),
        atomic: false,
        cutover_seconds: 0.0,
        state: PartState::Pending,
    };
    if deks.is_empty() && request.kind == JobKind::Rotate {
        return Ok((planned(None, KeyVersion(1), None), Vec::new()));
    }
    if request.kind != JobKind::ReEncrypt {
        keyrings::refuse_duplicates(organization, deks)?;
    }
    let current = keyrings::current(organization, deks)?;
    let fresh;
    let (keyring, mut problems) = match rings.get(organization.as_str()) {
        Some(keys) => (&keys.keyring, Vec::new()),
        None => {
            fresh = keyrings::unwrap(vault, organization, deks)?;
            (&fresh.keyring, fresh.problems)
        }
    };
    keyrings::prove_live_cell(session, &plan.catalog, organization, keyring)?;
    let planned = match request.kind {
        JobKind::Rotate => {
            let highest = deks.iter().map(|r| r.version).max().unwrap_or(current.version);
            planned(Some(current.version), KeyVersion(highest.0 + 1), None)
        }
        JobKind::Revert => {
            let back = revert_target(session, organization, deks, &current)?;
            if keyring.entry(&back.id).is_none() {
                return Err(Failure::conflict(
                    "dek-refused",
                    format!("DEK row {} (version {}) cannot be unwrapped", back.id, back.version),
                )
                .hint(format!("`scrybe-keys keys show {organization} --deep` says why")));
            }
            planned(Some(current.version), back.version, Some(back.id))
        }
        JobKind::ReEncrypt => {
            if deks.iter().filter(|r| r.active).count() > 1 {
                problems.push(Problem::new(
                    Severity::Warning,
                    "duplicate-active-deks",
                    organization.as_str(),
                    format!(
                        "more than one DEK is active; cells move to version {}, which the application seals with",
                        current.version
                    ),
                    "make the older rows inactive once the closing census is clean",
                ));
            }
            planned(Some(current.version), current.version, Some(current.id.clone()))
        }
    };
    let mut planned = planned;
    let one_session = count.cells as f64 / (plan.rate.0 * ONE_SESSION);
    planned.atomic = request.cutover == Cutover::Atomic
        && request.kind == JobKind::Rotate
        && planned.from.is_some()
        && one_session <= request.max_cutover.as_secs_f64();
    if planned.atomic {
        planned.dark_seconds = 0.0;
        planned.cutover_seconds = one_session;
    }
    if let Some(limit) = request.max_outage
        && planned.dark_seconds > limit.as_secs_f64()
    {
        let message = format!(
            "cells of {organization} would be dark for about {:.0} s, --max-outage allows {} s",
            planned.dark_seconds,
            limit.as_secs()
        );
        return Err(Failure::conflict("outage-too-long", message)
            .hint("rotate it in a maintenance window, or allow more with --max-outage"));
    }
    Ok((planned, problems))
}

fn revert_target(
    session: &mut Session,
    organization: &OrgId,
    deks: &[DekRow],
    current: &DekRow,
) -> Result<DekRow, Failure> {
    let Some(back) = deks.iter().filter(|r| r.version < current.version && !r.active).max_by_key(|r| r.version) else {
        return Err(Failure::conflict(
            "nothing-to-revert",
            format!("organization {organization} has no version before {}", current.version),
        )
        .hint(format!("`scrybe-keys keys show {organization}` lists its versions")));
    };
    let facts = session.dek_facts()?;
    if let Some(facts) = facts.get(&back.id)
        && matches!(facts.status.as_str(), "COMPROMISED" | "DESTROYED")
    {
        let message = format!(
            "version {} of {organization} is marked {}: going back to it is refused",
            back.version,
            facts.status.as_str()
        );
        return Err(Failure::conflict("compromised-version", message)
            .hint(format!("rotate forward instead: `scrybe-keys rotate --org {organization} --reason …`")));
    }
    Ok(back.clone())
}

/// Names exactly this plan: who, from which rows, what is asked. Estimates are left out, or no plan could be confirmed.
fn digest(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add("scrybe-keys plan v1");
    add(&plan.context_line);
    add(&plan.scope);
    add(&plan.job.as_ref().map_or(String::new(), |job| job.id.to_string()));
    add(&plan.request.reason);
    add(&format!("{:?} {} {:?}", plan.settle, plan.request.allow_triggers, plan.request.cutover));
    add(plan.request.after_commit.as_deref().unwrap_or_default());
    for planned in &plan.organizations {
        add(planned.organization.as_str());
        add(&format!("{:?} {} {:?} {:?}", planned.from, planned.to, planned.target, planned.state));
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}
