//! Fills an empty application database: organizations, one DEK each from the KMS, rows by COPY over several connections.
//!
//! Tables first, rows next, indexes and foreign keys last. A load that dies leaves a half-filled database: the sandbox
//! marks it as seeded only afterwards, and the next seed starts over.

use super::dice::Dice;
use super::rows::{KINDS, Kind, Pen, Spec};
use crate::core::ids::OrgId;
use crate::core::seal::{Cipher, NoRandomness};
use crate::db::{DbError, Session};
use crate::error::Failure;
use crate::ops::signal::Interrupt;
use crate::ops::wrapping::Vault;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Rows one COPY brings in.
const PORTION: u64 = 4_000;
/// Bytes written to the connection at a time.
const FLUSH: usize = 256 * 1024;
/// Age of the first organization's DEK in days: over the usual policy, so that `health` has something to say.
const OLD_DEK_DAYS: i64 = 200;
const YOUNG_DEK_DAYS: i64 = 30;

/// What was loaded.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loaded {
    pub organizations: Vec<LoadedOrganization>,
    /// Rows per table, in table order.
    pub rows: Vec<(String, u64)>,
    pub seconds: f64,
}

/// One organization of the sandbox.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LoadedOrganization {
    pub id: String,
    pub name: String,
}

const NAMES: &[&str] = &[
    "Harbor Community Clinic",
    "Northside Family Health",
    "Cedar Street Recovery",
    "Riverbend Counseling",
    "Sunrise Pediatrics",
];

/// Loads everything `spec` asks for. `connect` opens one more connection to the empty database.
pub fn load(
    spec: &Spec,
    vault: &Vault,
    connect: &(dyn Fn() -> Result<Session, Failure> + Sync),
    workers: usize,
    now: jiff::Timestamp,
    interrupt: &Interrupt,
    said: &(dyn Fn(&str) + Sync),
) -> Result<Loaded, Failure> {
    let started = Instant::now();
    let mut session = connect()?;
    session.make_application_tables(spec.shape())?;
    let (organizations, ciphers) = organizations(spec, vault, &mut session, now)?;
    let names: Vec<&str> = organizations.iter().map(|o| o.name.as_str()).collect();
    said(&format!("Made {} organizations with one data key each: {}.", names.len(), names.join(", ")));

    let queue: Mutex<VecDeque<(Kind, u64, u64)>> = Mutex::new(portions(spec));
    let failed: Mutex<Option<Failure>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                let result = connect().and_then(|mut session| work(spec, &ciphers, &queue, &mut session, interrupt));
                if let Err(failure) = result {
                    queue.lock().expect("no worker panics with the queue").clear();
                    failed.lock().expect("no worker panics here").get_or_insert(failure);
                }
            });
        }
    });
    if let Some(failure) = failed.into_inner().expect("the workers are gone") {
        return Err(failure);
    }
    said("Rows are in; making indexes, foreign keys and statistics.");
    session.finish_application_tables()?;
    let rows = KINDS.iter().map(|kind| (kind.table().to_owned(), kind.count(spec))).collect();
    Ok(Loaded { organizations, rows, seconds: started.elapsed().as_secs_f64() })
}

fn organizations(
    spec: &Spec,
    vault: &Vault,
    session: &mut Session,
    now: jiff::Timestamp,
) -> Result<(Vec<LoadedOrganization>, Vec<Cipher>), Failure> {
    let (mut made, mut ciphers, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..spec.organizations {
        let name = match NAMES.get(number as usize) {
            Some(name) => (*name).to_owned(),
            None => format!("Clinic {}", number + 1),
        };
        let id = spec.organization_id(number);
        let org = OrgId::parse(&id).expect("a UUID is an id");
        let dek = vault.new_dek(&org)?;
        ciphers.push(Cipher::new(&dek.dek));
        keys.push(dek.stored_text);
        made.push(LoadedOrganization { id, name });
    }
    let mut waiting = made.iter();
    session.copy_into("Organization", &["id", "name", "encryptionKeyId"], |rows| {
        if let Some(organization) = waiting.next() {
            rows.text(&organization.id).text(&organization.name).text(&organization.id).end();
        }
        Ok::<(), DbError>(())
    })?;
    let mut waiting = made.iter().zip(&keys).enumerate();
    session.copy_into("EncryptionKey", &["id", "organizationId", "encryptedDek", "createdAt"], |rows| {
        if let Some((number, (organization, key))) = waiting.next() {
            let days = if number == 0 { OLD_DEK_DAYS } else { YOUNG_DEK_DAYS };
            let created = now - Duration::from_secs(days as u64 * 86_400);
            let id = Dice::of(spec.seed, "EncryptionKey", number as u64).id();
            rows.text(&id).text(&organization.id).text(key).text(&created.to_string()).end();
        }
        Ok::<(), DbError>(())
    })?;
    Ok((made, ciphers))
}

fn portions(spec: &Spec) -> VecDeque<(Kind, u64, u64)> {
    let mut all = VecDeque::new();
    for kind in KINDS {
        // Calls are thirty times as big as other rows.
        let portion = if kind == Kind::Call { PORTION / 20 } else { PORTION };
        let count = kind.count(spec);
        all.extend((0..count.div_ceil(portion)).map(|n| (kind, n * portion, ((n + 1) * portion).min(count))));
    }
    all
}

/// Why a portion did not go in.
#[derive(Debug, thiserror::Error)]
enum PortionError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("interrupted")]
    Interrupted,
}

fn work(
    spec: &Spec,
    ciphers: &[Cipher],
    queue: &Mutex<VecDeque<(Kind, u64, u64)>>,
    session: &mut Session,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut pen = Pen::new(spec, ciphers);
    loop {
        let Some((kind, from, to)) = queue.lock().expect("no worker panics with the queue").pop_front() else {
            return Ok(());
        };
        let mut next = from;
        let copied = session.copy_into(kind.table(), kind.columns(spec.shape()), |rows| {
            while next < to && rows.len() < FLUSH {
                if interrupt.asked() {
                    return Err(PortionError::Interrupted);
                }
                pen.write(kind, next, rows)?;
                next += 1;
            }
            Ok(())
        });
        match copied {
            Ok(_) => {}
            Err(PortionError::Db(error)) => {
                return Err(Failure::from(error).during(format_args!("loading {}", kind.table())));
            }
            Err(PortionError::NoRandomness(error)) => {
                return Err(Failure::internal("the data could not be sealed").caused_by(error));
            }
            Err(PortionError::Interrupted) => {
                return Err(Failure::new(crate::exit::Exit::Interrupted, "interrupted", "seeding was interrupted")
                    .hint("run `scrybe-keys sandbox seed` again: it starts over"));
            }
        }
    }
}
