//! The engine's directory: one lock, one sealed file, one note that says who has it.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | held exclusively for as long as an engine is open; the kernel lets go when its process dies |
//! | `state` | `SCRYBEK1` ‖ nonce (12) ‖ AES-256-GCM under LOCAL_KEK of the world as JSON ‖ tag (16); the magic is associated data |
//! | `holder` | process id and endpoint of whoever has the lock, for the one who does not |
//!
//! A save writes a new file, syncs it, renames it over the old one and syncs the directory: after `save` returns, a power cut
//! finds the new state; before, the old one. A file that does not open is never written to.

use super::kek::Kek;
use super::sealing;
use super::world::World;
use crate::core::kms::{KmsError, KmsErrorKind};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"SCRYBEK1";

/// An open, locked directory.
pub struct Store {
    dir: PathBuf,
    kek: Kek,
    // Held, never read: dropping it lets go of the lock.
    _lock: File,
}

/// A save that failed.
#[derive(Debug, thiserror::Error)]
pub enum SaveFailed {
    /// The old state is in place.
    #[error("nothing was written: {0}")]
    NothingWritten(io::Error),
    /// The new state is in place, but a power cut could still bring the old one back.
    #[error("it is written but not synced: {0}")]
    InDoubt(io::Error),
}

#[derive(Default, Serialize, Deserialize)]
struct Holder {
    pid: Option<u32>,
    endpoint: Option<String>,
}

impl Store {
    /// Locks the directory (made with mode 0700 when absent) and reads its state. `Ok(None)` for a new directory.
    pub fn open(dir: &Path, kek: Kek) -> Result<(Store, Option<World>), KmsError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| unusable(dir, "it cannot be made", &e))?;
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(dir.join("lock"))
            .map_err(|e| unusable(dir, "its lock cannot be opened", &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir)),
            Err(TryLockError::Error(e)) => return Err(unusable(dir, "its lock cannot be taken", &e)),
        }
        let store = Store { dir: dir.to_owned(), kek, _lock: lock };
        let world = store.load()?;
        if world.is_some() {
            store.restrict()?;
        }
        Ok((store, world))
    }

    fn load(&self) -> Result<Option<World>, KmsError> {
        let sealed = match fs::read(self.dir.join("state")) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound && !self.dir.join("holder").exists() => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(broken(&self.dir, "it was in use before, and its state file is gone"));
            }
            Err(e) => return Err(unusable(&self.dir, "its state file cannot be read", &e)),
        };
        let body =
            sealed.strip_prefix(MAGIC).ok_or_else(|| broken(&self.dir, "its state file is not one of this tool"))?;
        let opened = sealing::open(self.kek.expose(), MAGIC, body).map_err(|_| {
            broken(&self.dir, "its state file does not open: another LOCAL_KEK, or the file is damaged")
        })?;
        // No source text: serde quotes what it could not read, and this text holds key material.
        let world: World = serde_json::from_slice(&opened)
            .map_err(|_| broken(&self.dir, "its state file opens but cannot be understood"))?;
        if world.format != World::FORMAT {
            return Err(broken(
                &self.dir,
                format!("its state file has format {}, this build reads {}", world.format, World::FORMAT),
            ));
        }
        Ok(Some(world))
    }

    /// Someone may have copied the directory in with wider permissions.
    fn restrict(&self) -> Result<(), KmsError> {
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        set(&self.dir, 0o700)
            .and_then(|()| set(&self.dir.join("state"), 0o600))
            .map_err(|e| unusable(&self.dir, "its permissions cannot be narrowed", &e))
    }

    /// Makes `world` durable. An error says whether the old file is certainly still the one; it is never a mixture.
    pub fn save(&self, world: &World) -> Result<(), SaveFailed> {
        self.replace(world).map_err(SaveFailed::NothingWritten)?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(SaveFailed::InDoubt)
    }

    fn replace(&self, world: &World) -> io::Result<()> {
        let mut length = Counter(0);
        serde_json::to_writer(&mut length, world)?;
        // The exact capacity: growing would leave copies of key material behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *plain, world)?;
        let sealed = sealing::seal(self.kek.expose(), MAGIC, &plain).map_err(|_| io::Error::other("sealing failed"))?;
        let next = self.dir.join("state.next");
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&next)?;
        file.write_all(MAGIC)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&next, self.dir.join("state"))
    }

    /// Notes who has the lock, for `in_use`. A courtesy: failure is not an error.
    pub fn announce(&self, endpoint: Option<String>) {
        self.note(&Holder { pid: Some(std::process::id()), endpoint });
    }

    fn note(&self, holder: &Holder) {
        let next = self.dir.join("holder.next");
        let written = serde_json::to_vec(holder).map_err(io::Error::from).and_then(|text| {
            private(OpenOptions::new().create(true).truncate(true).write(true)).open(&next)?.write_all(&text)?;
            fs::rename(&next, self.dir.join("holder"))
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the holder of the embedded KMS could not be noted");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.dir.join("state").exists() {
            self.note(&Holder::default());
        }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

fn broken(dir: &Path, what: impl std::fmt::Display) -> KmsError {
    KmsError::new(KmsErrorKind::StoreBroken, "Open", format!("the embedded KMS in {}: {what}", dir.display()))
}

fn unusable(dir: &Path, what: &str, error: &io::Error) -> KmsError {
    let kind =
        if error.kind() == io::ErrorKind::PermissionDenied { KmsErrorKind::Denied } else { KmsErrorKind::Unknown };
    KmsError::new(kind, "Open", format!("the embedded KMS in {}: {what}: {error}", dir.display()))
}

fn in_use(dir: &Path) -> KmsError {
    let holder: Holder =
        fs::read(dir.join("holder")).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let mut message = format!("the embedded KMS in {} is owned by ", dir.display());
    match holder.pid {
        Some(pid) => message.push_str(&format!("process {pid}")),
        None => message.push_str("another process"),
    }
    match holder.endpoint {
        Some(endpoint) => message.push_str(&format!(", which serves it at {endpoint}")),
        None => message.push_str(", which serves no endpoint"),
    }
    KmsError::new(KmsErrorKind::StoreInUse, "Open", message)
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
