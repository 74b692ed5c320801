//! From DEK rows to keyrings: which row is current, what KMS refuses, whether a live cell opens.
//!
//! DEKs are unwrapped once, before any fan-out; workers borrow the keyring and hold no KMS handle. An older DEK that KMS refuses is
//! a finding (its cells will not open); the current one refused, or KMS out of reach, ends the organization's part.

use super::wrapping::Vault;
use crate::core::cell::{Class, Judge};
use crate::core::ids::OrgId;
use crate::core::keyring::{Entry, Keyring};
use crate::core::problem::{Problem, Severity};
use crate::core::seal::Cipher;
use crate::db::catalog::Catalog;
use crate::db::jobs::Part;
use crate::db::{DekRow, Session};
use crate::error::Failure;
use crate::exit::Exit;

/// An organization's usable DEKs.
pub struct Unwrapped {
    pub keyring: Keyring,
    /// Keyring position of the DEK the application seals with.
    pub current: usize,
    /// Older DEKs that could not be unwrapped.
    pub problems: Vec<Problem>,
}

/// The row the application seals with: active, of the highest version among the active.
pub fn current(organization: &OrgId, rows: &[DekRow]) -> Result<DekRow, Failure> {
    let mut active: Vec<&DekRow> = rows.iter().filter(|r| r.active).collect();
    active.sort_by_key(|r| std::cmp::Reverse(r.version));
    match active.as_slice() {
        [] if rows.is_empty() => Err(no_dek(organization)),
        [] => Err(Failure::conflict("no-active-dek", format!("no DEK of organization {organization} is active"))
            .hint(format!("`scrybe-keys keys show {organization}` lists its versions"))),
        [first, second, ..] if first.version == second.version => Err(duplicate(organization, first, second)),
        [first, ..] => Ok((*first).clone()),
    }
}

/// What is said of an organization without any DEK.
pub fn no_dek(organization: &OrgId) -> Failure {
    Failure::conflict("no-dek", format!("organization {organization} has no DEK and is not known"))
        .hint("`scrybe-keys keys list` shows the organizations that have one")
}

/// Refuses what a flip must not build on: two active rows, or two rows of one version.
pub fn refuse_duplicates(organization: &OrgId, rows: &[DekRow]) -> Result<(), Failure> {
    let mut active = rows.iter().filter(|r| r.active);
    if let (Some(first), Some(second)) = (active.next(), active.next()) {
        return Err(duplicate(organization, first, second));
    }
    for (at, row) in rows.iter().enumerate() {
        if let Some(other) = rows[at + 1..].iter().find(|o| o.version == row.version) {
            let message = format!(
                "organization {organization} has two DEKs of version {}: rows {} and {}",
                row.version, row.id, other.id
            );
            return Err(Failure::conflict("duplicate-versions", message)
                .hint(format!("`scrybe-keys census --org {organization}` tells which row protects cells; give the other a version of its own")));
        }
    }
    Ok(())
}

fn duplicate(organization: &OrgId, first: &DekRow, second: &DekRow) -> Failure {
    let message = format!(
        "organization {organization} has more than one active DEK: rows {} (version {}) and {} (version {})",
        first.id, first.version, second.id, second.version
    );
    Failure::conflict("duplicate-active-deks", message).hint(format!(
        "`scrybe-keys census --org {organization}` shows what each protects; make all but the newest inactive, then `scrybe-keys re-encrypt --org {organization}`"
    ))
}

/// Unwraps every DEK of an organization. `rows` are newest first.
pub fn unwrap(vault: &Vault, organization: &OrgId, rows: &[DekRow]) -> Result<Unwrapped, Failure> {
    let current = current(organization, rows)?;
    let mut entries = Vec::with_capacity(rows.len());
    let mut problems = Vec::new();
    for row in rows {
        match vault.unwrap(row) {
            Ok((dek, _)) => entries.push(Entry {
                id: row.id.clone(),
                version: row.version,
                active: row.active,
                cipher: Cipher::new(&dek),
            }),
            Err(failure) if row.id == current.id || about_the_service(&failure) => return Err(failure),
            Err(failure) => problems.push(Problem::new(
                Severity::Critical,
                "dek-refused",
                format!("{organization} version {}", row.version),
                format!("DEK row {} cannot be unwrapped: {}", row.id, failure.message),
                format!("its cells will not open: `scrybe-keys census --org {organization}` counts them"),
            )),
        }
    }
    let keyring = Keyring::new(entries);
    let at = keyring.entries().iter().position(|e| e.id == current.id).expect("the current DEK was unwrapped");
    Ok(Unwrapped { keyring, current: at, problems })
}

/// Unwraps the DEKs of an organization whose cells are waiting to be moved. Without the key they came from every cell would look
/// unopenable: the walk waits for KMS instead, and every failure here is one to come back from.
pub fn unwrap_for(vault: &Vault, part: &Part, deks: &[DekRow]) -> Result<Unwrapped, Failure> {
    let waiting = |failure: Failure| {
        let exit = if failure.exit == Exit::Unreachable { Exit::Unreachable } else { Exit::Incomplete };
        Failure { exit, ..failure }.during(format_args!("cells of {} are waiting to be moved", part.organization))
    };
    let unwrapped = unwrap(vault, &part.organization, deks).map_err(waiting)?;
    if let Some((previous, old)) = &part.previous
        && unwrapped.keyring.entry(previous).is_none()
    {
        let why = unwrapped.problems.into_iter().next().map_or(String::new(), |p| p.message);
        return Err(waiting(
            Failure::new(Exit::Incomplete, "dek-refused", format!("version {old} cannot be unwrapped: {why}"))
                .hint("make KMS unwrap it again, then run the same command: it goes on where it stopped"),
        ));
    }
    Ok(unwrapped)
}

/// True when trying another DEK would fail just the same.
fn about_the_service(failure: &Failure) -> bool {
    failure.exit == Exit::Unreachable || matches!(failure.code, "kms-no-credentials" | "kms-expired-credentials")
}

/// Opens one live cell of an organization, or refuses: the proof that this KMS, these DEKs and this data belong together.
/// An organization without a sealed cell has nothing to prove.
pub fn prove_live_cell(
    session: &mut Session,
    catalog: &Catalog,
    organization: &OrgId,
    ring: &Keyring,
) -> Result<bool, Failure> {
    let mut judge = Judge::new(ring);
    let mut seen = 0;
    for live in &catalog.tables {
        for row in session.sample_rows(live, organization, 20)? {
            for (column, value) in live.columns.iter().zip(&row) {
                let Some(raw) = value else { continue };
                match judge.classify(column.kind, raw) {
                    Class::Sealed(_) | Class::Nested { .. } => return Ok(true),
                    Class::Unopenable(_) => seen += 1,
                    _ => {}
                }
            }
        }
    }
    if seen == 0 {
        return Ok(false);
    }
    let message = format!(
        "none of {seen} sealed cells tried of organization {organization} opens under its {} DEKs",
        ring.entries().len()
    );
    Err(Failure::new(Exit::Integrity, "no-live-cell-opens", message)
        .hint("is this the right --kms, --region, --key and database? `scrybe-keys context` shows all four")
        .hint(format!("`scrybe-keys census --org {organization} --list-unopenable` names the cells")))
}
