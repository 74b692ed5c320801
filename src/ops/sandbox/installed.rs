//! Where PostgreSQL's server programs are on this machine, and the user that may run them.
//!
//! Debian and others keep `initdb` and `postgres` off the PATH, one directory per major version; the newest wins.
//! PostgreSQL refuses to run as root, so root runs it as another user. Nothing is installed from here.

use nix::unistd::{Gid, Uid, User, geteuid};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    pub dir: PathBuf,
}

/// The user that runs the server when we are root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
}

impl Programs {
    /// Looks in the usual places; `None` when no complete set of server programs is there.
    pub fn find() -> Option<Programs> {
        versioned()
            .into_iter()
            .chain(asked("pg_config", &["--bindir"]))
            .chain(fixed())
            .chain(on_path())
            .find(|dir| complete(dir))
            .map(|dir| Programs { dir })
    }

    /// The full path of one program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }
}

impl Account {
    /// `None` when we are not root and PostgreSQL simply runs as us; `Err` when root has nobody to run it as.
    pub fn for_server() -> Result<Option<Account>, NoAccount> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let Ok(Some(user)) = User::from_name(name)
                && !user.uid.is_root()
            {
                return Ok(Some(Account { name: user.name, uid: user.uid, gid: user.gid }));
            }
        }
        Err(NoAccount)
    }

    /// True when this user can pass through every directory above and including `path`.
    pub fn can_reach(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        path.ancestors().all(|dir| {
            dir.metadata().is_ok_and(|m| {
                let mode = m.mode();
                if m.uid() == self.uid.as_raw() {
                    mode & 0o100 != 0
                } else if m.gid() == self.gid.as_raw() {
                    mode & 0o010 != 0
                } else {
                    mode & 0o001 != 0
                }
            })
        })
    }
}

/// Root, and neither `postgres` nor `nobody` exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PostgreSQL does not run as root and there is no user `postgres` or `nobody` to run it as")]
pub struct NoAccount;

fn complete(dir: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| dir.join(program).is_file())
}

/// `/usr/lib/postgresql/15/bin`, `/usr/pgsql-16/bin`: newest major version first.
fn versioned() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
        ("/usr/lib64/pgsql", ""),
    ] {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(version) = name.to_str().and_then(|n| n.strip_prefix(prefix)).and_then(|n| n.parse().ok()) else {
                continue;
            };
            found.push((version, entry.path().join("bin")));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

fn fixed() -> impl Iterator<Item = PathBuf> {
    ["/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"].into_iter().map(PathBuf::from)
}

/// The directory a program prints, if the program is there at all.
fn asked(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| PathBuf::from(text))
}

fn on_path() -> Option<PathBuf> {
    asked("sh", &["-c", "command -v initdb"])?.parent().map(Path::to_path_buf)
}
