//! The plan: which DEKs get a new wrapping, which stay and why, what KMS would refuse, and what becomes of the binding.
//! Reads and asks; changes nothing. What is refused here is refused before anything is changed.

use super::looking::{Fate, Known, Looker};
use super::rehearsal::{self, Rehearsed};
use super::{Request, Scope, Target, Turns, by_organization};
use crate::app::App;
use crate::core::ids::OrgId;
use crate::core::problem::{Problem, Severity};
use crate::db::catalog::Catalog;
use crate::db::{Binding, DekRow, Need, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::material::{Newest, in_region_of};
use crate::ops::{binding, preflight};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// One DEK row's part.
#[derive(Debug)]
pub struct PlannedDek {
    pub row: DekRow,
    pub known: Option<Known>,
    pub fate: Fate,
}

/// What becomes of the binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebind {
    /// The database is bound to the target already.
    Bound,
    /// It stays bound to this key: nobody asked.
    Stays(String),
    /// It changes from this key to the target at the end.
    Asked(String),
}

/// What will be done.
pub struct Plan {
    pub request: Request,
    pub context_line: String,
    pub target: Target,
    pub catalog: Catalog,
    pub organizations: Vec<(OrgId, Vec<PlannedDek>)>,
    pub rehearsals: Vec<Rehearsed>,
    pub rebind: Rebind,
    pub problems: Vec<Problem>,
    pub digest: String,
    /// What a wrapping without record is tried under, likeliest first.
    pub(super) candidates: Vec<String>,
}

impl Plan {
    /// Rows with this kind of fate.
    pub fn count(&self, is: impl Fn(&Fate) -> bool) -> usize {
        self.deks().filter(|dek| is(&dek.fate)).count()
    }

    /// Every row.
    pub fn deks(&self) -> impl Iterator<Item = &PlannedDek> {
        self.organizations.iter().flat_map(|(_, deks)| deks)
    }

    /// True when KMS or the database would be asked to change something.
    pub fn has_work(&self) -> bool {
        self.count(|fate| matches!(fate, Fate::Rewrap)) > 0 || matches!(self.rebind, Rebind::Asked(_))
    }

    /// True when the application has not been seen to use the target: it is another key than the database is bound to.
    pub fn needs_access(&self) -> bool {
        self.rebind != Rebind::Bound && self.count(|fate| matches!(fate, Fate::Rewrap)) > 0
    }
}

/// Makes the plan. Asks KMS about wrappings that no record speaks of, and whether it would allow the rest.
pub fn plan(app: &App, session: &mut Session, request: Request) -> Result<Plan, Failure> {
    let map = &app.settings.map.value;
    session.require_schema()?;
    let named = request.target.clone().or_else(|| app.settings.key.as_ref().map(|key| key.value.clone()));
    let Some(named) = named else {
        return Err(Failure::usage("no-key", "nothing names the master key")
            .hint("give --to, --key, AWS_KMS_KEY_ID, or --environment for its alias"));
    };
    let bound = binding::check_toward(app, session, |arn| Ok(Target::of(app, &named)?.arn() == arn))?;
    let target = Target::of(app, &named)?;
    let need = if request.bind { Need::Rebind } else { Need::Rewrap };
    preflight::privileges(app, session, need)?;
    if bound.key_arn.as_deref() != Some(target.arn())
        && let Some(job) = session.unfinished_job()?
    {
        return Err(unfinished_job(&job));
    }
    let catalog = session.catalog(map)?;
    let rows = choose(app, session, &request)?;
    let turns = Turns::of(app, request.max_rate);
    let candidates = candidates(&bound, &target, session.known_keys()?);
    refuse_what_cannot_be_told(&bound, &target)?;
    let mut looker = Looker {
        app,
        target: &target,
        home: app.kms()?,
        candidates: candidates.clone(),
        facts: session.dek_facts()?,
        old_material: request.old_material,
        newest: Newest::of(app),
        turns: &turns,
    };
    let progress = app.ui.progress("looking at wrappings");
    progress.total(rows.len() as u64);
    let mut deks = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().enumerate() {
        if app.interrupt.asked() {
            progress.done();
            let message = "interrupted while planning; nothing was changed";
            return Err(Failure::new(Exit::Interrupted, "interrupted", message));
        }
        let (known, fate) = looker.look(&row).map_err(|failure| match failure.code {
            "interrupted" => {
                Failure::new(Exit::Interrupted, failure.code, "interrupted while planning; nothing was changed")
            }
            _ => failure,
        })?;
        deks.push(PlannedDek { row, known, fate });
        progress.at(at as u64 + 1, 0, 0);
    }
    progress.done();
    let rehearsals = rehearsal::rehearse(&looker, &mut deks)?;
    let rebind = match &bound.key_arn {
        Some(arn) if arn == target.arn() => Rebind::Bound,
        Some(arn) if request.bind => Rebind::Asked(arn.clone()),
        Some(arn) => Rebind::Stays(arn.clone()),
        None => return Err(Failure::internal("a database of a KMS is bound to no key")),
    };
    let mut plan = Plan {
        context_line: binding::context_line(&app.settings, &bound),
        catalog,
        organizations: by_organization(deks, |dek| &dek.row.organization),
        rehearsals,
        rebind,
        problems: Vec::new(),
        digest: String::new(),
        candidates,
        target,
        request,
    };
    plan.problems = problems(&plan);
    if !plan.has_work() {
        refuse_when_nothing_else_is_left(&mut plan)?;
    }
    plan.digest = digest(&plan);
    Ok(plan)
}

fn choose(app: &App, session: &mut Session, request: &Request) -> Result<Vec<DekRow>, Failure> {
    let map = &app.settings.map.value;
    let Scope::Organizations(wanted) = &request.scope else { return Ok(session.all_dek_rows(map)?) };
    let mut rows = Vec::new();
    for organization in wanted {
        let found = session.dek_rows(map, organization)?;
        if found.is_empty() {
            return Err(Failure::conflict("unknown-organization", format!("organization {organization} has no DEK"))
                .hint("`scrybe-keys keys list` names the organizations that have one"));
        }
        rows.extend(found);
    }
    Ok(rows)
}

/// Keys that a wrapping without record may be under: the one the database is bound to, the target, then every key that a DEK here was ever
/// known to be under. After a move the application may still make a DEK under the old key, or a backup bring one back.
fn candidates(bound: &Binding, target: &Target, known: Vec<String>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for key in bound.key_arn.iter().cloned().chain([target.arn().to_owned()]).chain(known) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// Jobs open DEKs under the key that the database is bound to, and under no other: their dark cells could not be moved any more.
pub(super) fn unfinished_job(job: &Uuid) -> Failure {
    let message =
        format!("job {job} is not finished, and opens DEKs under the key that the database is bound to alone");
    Failure::conflict("unfinished-job", message)
        .hint(format!("finish it first: `scrybe-keys jobs status {job}` names its command; then run this one again"))
        .hint(format!("or give it up: `scrybe-keys jobs cancel {job}`"))
}

/// To move DEKs to the newest material of the key they are under, one must be told which that is.
fn refuse_what_cannot_be_told(bound: &Binding, target: &Target) -> Result<(), Failure> {
    if target.key.material_id.is_some() || bound.key_arn.as_deref() != Some(target.arn()) {
        return Ok(());
    }
    Err(Failure::conflict(
        "no-materials",
        format!("this KMS does not say which material of {} is the newest", target.arn()),
    )
    .hint("nothing can be done here but to move DEKs under another key: --to KEY"))
}

fn problems(plan: &Plan) -> Vec<Problem> {
    let mut all = Vec::new();
    for dek in plan.deks() {
        let subject = dek.row.organization.as_str();
        let (id, version) = (&dek.row.id, dek.row.version);
        match &dek.fate {
            Fate::Bare => all.push(Problem::new(
                Severity::Warning,
                "dev-dek",
                subject,
                format!("DEK row {id} (version {version}) is a bare dev: key, which no KMS wraps: it is skipped"),
                format!("give the application its KMS, then scrybe-keys keys show {subject}"),
            )),
            Fate::Refused(failure) => all.push(refusal(dek, failure)),
            Fate::Rewrap | Fate::There | Fate::NotOld | Fate::Destroyed => {}
        }
    }
    all
}

/// A refused row as a problem.
pub(super) fn refusal(dek: &PlannedDek, failure: &Failure) -> Problem {
    let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str);
    Problem::new(Severity::Critical, failure.code, dek.row.organization.as_str(), failure.message.clone(), hint)
}

/// When the only row is refused, that refusal is the answer.
fn refuse_when_nothing_else_is_left(plan: &mut Plan) -> Result<(), Failure> {
    if plan.deks().count() != 1 {
        return Ok(());
    }
    let first = plan.organizations.iter_mut().flat_map(|(_, deks)| deks).next();
    match first {
        Some(PlannedDek { fate: fate @ Fate::Refused(_), .. }) => match std::mem::replace(fate, Fate::There) {
            Fate::Refused(failure) => Err(failure),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Names exactly this plan: which wrappings go where, and why.
fn digest(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add("scrybe-keys rewrap plan v1");
    add(&plan.context_line);
    add(plan.target.arn());
    add(plan.target.key.material_id.as_deref().unwrap_or_default());
    add(&format!("{:?} {}", plan.rebind, plan.request.reason));
    for dek in plan.deks().filter(|dek| matches!(dek.fate, Fate::Rewrap)) {
        add(dek.row.id.as_str());
        add(&dek.row.wrapping_digest().unwrap_or_default());
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// The KMS of a key's region, as plan and proof use it.
pub(super) fn kms_of(app: &App, arn: &str) -> Result<std::sync::Arc<dyn crate::core::kms::Kms>, Failure> {
    Ok(in_region_of(&app.kms()?, arn)?)
}
