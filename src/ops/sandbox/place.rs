//! The sandbox's directory and what it remembers there.
//!
//! `state.json` is 0600: it holds the LOCAL_KEK that seals the embedded KMS. `lock` keeps two commands from building and
//! tearing down at once. Everything below the directory is ours to remove, except what `down` does not know: then it stays.

use super::SandboxError;
use super::clinic::{LoadedOrganization, Spec};
use crate::config::Env;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

/// A sandbox's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub dir: PathBuf,
}

/// What is remembered between commands.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Base64 of 32 bytes. Never printed.
    local_kek: String,
    /// Where the endpoint listened last; it asks for the same port again, so that exported addresses stay good.
    pub(super) endpoint_port: u16,
    pub created_at: jiff::Timestamp,
    pub key_arn: Option<String>,
    pub seeded: Option<Seeded>,
}

/// What `seed` put into the database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seeded {
    pub spec: Spec,
    pub organizations: Vec<LoadedOrganization>,
    pub at: jiff::Timestamp,
}

impl Drop for State {
    fn drop(&mut self) {
        self.local_kek.zeroize();
    }
}

/// Held while the sandbox is built or torn down.
pub struct Hold(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl Place {
    /// `SCRYBE_SANDBOX_DIR`, else below `XDG_STATE_HOME`, else below `~/.local/state`.
    pub fn of(env: &Env) -> Result<Place, SandboxError> {
        let below = |dir: &str| Path::new(dir).join("scrybe-keys/sandbox");
        let dir = match (env.var("SCRYBE_SANDBOX_DIR"), env.var("XDG_STATE_HOME"), env.var("HOME")) {
            (Some(dir), ..) => PathBuf::from(dir),
            (_, Some(state), _) => below(state),
            (.., Some(home)) => below(&format!("{home}/.local/state")),
            _ => return Err(SandboxError::NoHome),
        };
        let dir = std::path::absolute(&dir).map_err(SandboxError::io("resolve", &dir))?;
        Ok(Place { dir })
    }

    /// Directory of the PostgreSQL cluster.
    pub fn cluster(&self) -> PathBuf {
        self.dir.join("cluster")
    }

    /// Directory of the embedded KMS.
    pub fn kms(&self) -> PathBuf {
        self.dir.join("kms")
    }

    /// What the endpoint says while it runs.
    pub fn endpoint_log(&self) -> PathBuf {
        self.dir.join("endpoint.log")
    }

    /// Process and port of the running endpoint.
    pub fn endpoint_note(&self) -> PathBuf {
        self.dir.join("endpoint.json")
    }

    /// The configuration file that runs in the sandbox read, in place of the operator's own.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.yaml")
    }

    /// Makes the directory, if need be, and takes its lock.
    pub fn hold(&self) -> Result<Hold, SandboxError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&self.dir)
            .map_err(SandboxError::io("create", &self.dir))?;
        let path = self.dir.join("lock");
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(SandboxError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Hold(file)),
            Err(fs::TryLockError::WouldBlock) => Err(SandboxError::Busy(self.dir.clone())),
            Err(fs::TryLockError::Error(source)) => Err(SandboxError::io("lock", &path)(source)),
        }
    }

    /// What is remembered; `None` when there is no sandbox here.
    pub fn state(&self) -> Result<Option<State>, SandboxError> {
        let path = self.dir.join("state.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(SandboxError::io("read", &path)(e)),
        };
        serde_json::from_str(&text).map(Some).map_err(|_| SandboxError::Broken(path))
    }

    /// Remembers.
    pub fn remember(&self, state: &State) -> Result<(), SandboxError> {
        let text = zeroize::Zeroizing::new(serde_json::to_string(state).expect("a state is plain JSON"));
        self.write_private(&self.dir.join("state.json"), text.as_bytes())
    }

    /// Writes a file 0600, whole or not at all.
    pub fn write_private(&self, path: &Path, bytes: &[u8]) -> Result<(), SandboxError> {
        let mut next = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.dir)
            .map_err(SandboxError::io("write", path))?;
        next.write_all(bytes).map_err(SandboxError::io("write", path))?;
        next.persist(path).map_err(|e| SandboxError::io("write", path)(e.error))?;
        Ok(())
    }

    /// Removes what the sandbox made here, and the directory when nothing else is in it. The cluster goes before, by itself.
    pub fn clear(&self) -> Result<(), SandboxError> {
        for path in [self.endpoint_note(), self.endpoint_log(), self.config(), self.dir.join("state.json")] {
            gone(fs::remove_file(&path), &path)?;
        }
        let kms = self.kms();
        gone(fs::remove_dir_all(&kms), &kms)?;
        let lock = self.dir.join("lock");
        gone(fs::remove_file(&lock), &lock)?;
        let _ = fs::remove_dir(&self.dir);
        Ok(())
    }
}

impl State {
    /// Base64 of the key that seals the embedded KMS. For the serving process; never printed.
    pub fn local_kek(&self) -> &str {
        &self.local_kek
    }

    /// A new sandbox's: a fresh LOCAL_KEK, nothing seeded.
    pub fn fresh(now: jiff::Timestamp) -> Result<State, SandboxError> {
        use base64::Engine as _;
        let mut kek = zeroize::Zeroizing::new([0u8; 32]);
        getrandom::fill(kek.as_mut_slice()).map_err(|_| SandboxError::Random)?;
        let local_kek = base64::engine::general_purpose::STANDARD.encode(kek.as_slice());
        Ok(State { local_kek, endpoint_port: 0, created_at: now, key_arn: None, seeded: None })
    }
}

fn gone(result: io::Result<()>, path: &Path) -> Result<(), SandboxError> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(SandboxError::io("remove", path)(e)),
        _ => Ok(()),
    }
}
