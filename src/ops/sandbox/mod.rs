//! The sandbox: a throwaway PostgreSQL, the embedded AWS endpoint and a clinic's data, on loopback alone.
//!
//! Nothing here touches a real account or database: every address is made by us, on a free port, with a password of its own,
//! and `environment` lets nothing else through to what runs inside. `cluster` runs the PostgreSQL that is installed; it is also
//! what the integration tests stand on. `standing` is a sandbox that is up; `seed` fills it.

pub mod clinic;
pub mod cluster;
pub mod endpoint;
pub mod environment;
pub mod installed;
mod options;
pub mod place;
pub mod seed;
pub mod standing;

use std::io;
use std::path::{Path, PathBuf};

/// Why the sandbox is not as asked for.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(transparent)]
    Cluster(#[from] cluster::ClusterError),
    #[error(transparent)]
    Db(#[from] crate::db::DbError),
    /// Nothing says where to keep it.
    #[error("neither SCRYBE_SANDBOX_DIR nor HOME is set")]
    NoHome,
    /// Another command builds or tears down.
    #[error("another sandbox command is at work in {}", .0.display())]
    Busy(PathBuf),
    #[error("{} cannot be understood", .0.display())]
    Broken(PathBuf),
    /// There is none, or a part of it does not run.
    #[error("the sandbox is not up: {0}")]
    NotUp(&'static str),
    /// The endpoint's process ended instead of answering.
    #[error("the KMS endpoint did not start: {said}")]
    Endpoint { said: String },
    #[error("process {0} does not end")]
    StillRunning(i32),
    #[error("cannot {what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the operating system gives no random bytes")]
    Random,
}

impl SandboxError {
    fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> SandboxError + 'a {
        move |source| SandboxError::Io { what, path: path.to_path_buf(), source }
    }
}
