//! Rewrapping: DEKs get a new wrapping under another CMK, or under the newest material of the same one. DEKs, versions and cells do not change.
//!
//! A wrapping is replaced only after proof: KMS opens old and new to the same key, the fingerprint is the one on record, and a live cell opens.
//! The old one is kept in the tool's schema in the transaction that replaces it, by compare-and-set on the stored text. A row counts as done
//! by what KMS said of the very text it holds, so the same command goes on after any death, and twice changes nothing.
//! `looking` says where a row stands, `rehearsal` what KMS would refuse, `plan`; `applying`, with `proof` and `replacing`; `rebinding`; `report`.

mod applying;
mod looking;
mod plan;
mod proof;
mod rebinding;
mod rehearsal;
mod replacing;
mod report;

pub use applying::{apply, close_interrupted, lock, remember};
pub use looking::{Fate, Known};
pub use plan::{Plan, PlannedDek, Rebind, plan};
pub use rehearsal::{Rehearsed, Verdict};
pub use report::{LiveCell, Outcome, Report, RowReport, refused};

use super::material::in_region_of;
use crate::app::App;
use crate::core::ids::OrgId;
use crate::core::kms::{KeyDescription, KeyState, Kms, KmsErrorKind};
use crate::db::DekRow;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::binding::arn_part;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whose DEKs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Organizations(Vec<OrgId>),
    All,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub scope: Scope,
    /// Key id, ARN or alias; `None` is the configured key itself.
    pub target: Option<String>,
    /// Only DEKs that are not on the newest material of the key they are under.
    pub old_material: bool,
    /// Bind the database to the target once every DEK is under it.
    pub bind: bool,
    pub reason: String,
    /// KMS calls a second.
    pub max_rate: Option<u32>,
}

/// The key that wraps from now on.
pub struct Target {
    /// The KMS of its region.
    pub kms: Arc<dyn Kms>,
    pub key: KeyDescription,
}

impl Target {
    /// Looks it up: an ARN in its own region, anything else in the configured one. Refuses a key that cannot wrap.
    fn of(app: &App, named: &str) -> Result<Target, Failure> {
        let during = |e: crate::core::kms::KmsError| Failure::from(e).during(format_args!("looking at key {named}"));
        let kms = in_region_of(&app.kms()?, named).map_err(during)?;
        let key = kms.describe_key(named).map_err(during)?.value;
        let refuse = |message: String| Failure::conflict("kms-key-unusable", message);
        if key.spec != "SYMMETRIC_DEFAULT" || key.usage != "ENCRYPT_DECRYPT" {
            return Err(refuse(format!("{} is {} for {}: it cannot wrap a DEK", key.arn, key.spec, key.usage))
                .hint("name a symmetric key for encryption with --to"));
        }
        if key.state != KeyState::Enabled {
            return Err(refuse(format!("KMS says {} of {}: it cannot wrap", key.state, key.arn))
                .hint("enable it in KMS, or name another key with --to"));
        }
        Ok(Target { kms, key })
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.key.arn
    }

    /// What the source key is called where the target lives: KMS rewraps within one region only.
    /// `None` when a ciphertext of `source` cannot be opened there.
    fn source_here(&self, source: &str) -> Option<String> {
        if arn_part(source, 3) == arn_part(self.arn(), 3) {
            return Some(source.to_owned());
        }
        // Relatives share id and material (AWS, multi-Region keys); the service's own list goes before the name where it is there.
        let same_id = key_id(source).starts_with("mrk-") && key_id(source) == key_id(self.arn());
        let listed = self.key.relatives.as_ref().is_none_or(|relatives| {
            relatives.primary_arn == source || relatives.replica_arns.iter().any(|arn| arn == source)
        });
        (same_id && listed).then(|| self.arn().to_owned())
    }
}

fn key_id(arn: &str) -> &str {
    arn.rsplit_once(":key/").map_or(arn, |(_, id)| id)
}

/// KMS calls of one run, no faster than asked for.
pub(super) struct Turns<'a> {
    app: &'a App,
    every: Duration,
    next: Mutex<Instant>,
}

impl<'a> Turns<'a> {
    pub(super) fn of(app: &'a App, max_rate: Option<u32>) -> Turns<'a> {
        let every = max_rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Turns { app, every, next: Mutex::new(Instant::now()) }
    }

    /// Returns when the next call may be sent; refuses once the run should end.
    pub(super) fn take(&self) -> Result<(), Failure> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while Instant::now() < *next {
            if self.app.interrupt.asked() {
                return Err(interrupted());
            }
            std::thread::sleep(Duration::from_millis(100).min(*next - Instant::now()));
        }
        *next = (*next).max(Instant::now()) + self.every;
        Ok(())
    }
}

/// The run was asked to stop; what is committed stays, the same command goes on.
fn interrupted() -> Failure {
    Failure::new(Exit::Incomplete, "interrupted", "stopped on request: what was rewrapped stays so")
        .hint("run the same command again: it goes on where it stopped")
}

/// True when every other row would fail just the same.
fn ends_the_run(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Unreachable | Exit::Denied | Exit::Incomplete | Exit::Internal)
        || failure.code == "unfinished-job"
}

/// The ciphertext in a row. Never called for a bare key.
fn ciphertext(row: &DekRow) -> Result<Vec<u8>, Failure> {
    let malformed = || {
        Failure::conflict(
            "malformed-dek",
            format!("DEK row {} of {} does not hold a wrapped key in standard padded base64", row.id, row.organization),
        )
        .hint(format!("restore that row from a backup; look at it with `scrybe-keys keys show {}`", row.organization))
    };
    if row.wrapped.is_empty() || row.is_dev() {
        return Err(malformed());
    }
    // The decoder's own words would show a byte of what stands there, so they are left out.
    STANDARD.decode(row.wrapped.as_bytes()).map_err(|_| malformed())
}

/// Said of a KMS error about one row.
fn about(row: &DekRow, doing: &str, error: crate::core::kms::KmsError) -> Failure {
    let unusable = error.kind == KmsErrorKind::KeyUnusable;
    let failure = Failure::from(error).during(format_args!("{doing} DEK row {} of {}", row.id, row.organization));
    if unusable {
        failure.hint("a wrapping is moved by the key it is under: enable that key for the time of the move")
    } else {
        failure
    }
}

/// True for rows of one organization after another: plans and reports keep them together.
fn by_organization<T>(rows: Vec<T>, organization: impl Fn(&T) -> &OrgId) -> Vec<(OrgId, Vec<T>)> {
    let mut all: Vec<(OrgId, Vec<T>)> = Vec::new();
    for row in rows {
        match all.last_mut() {
            Some((last, rows)) if last == organization(&row) => rows.push(row),
            _ => all.push((organization(&row).clone(), vec![row])),
        }
    }
    all
}
