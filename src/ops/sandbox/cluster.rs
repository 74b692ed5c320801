//! A throwaway PostgreSQL cluster in a directory of its own, made with the server programs that are installed.
//!
//! Loopback TCP only, a free port, SCRAM with a random password kept 0600 beside the cluster. When we are root the server runs as `postgres`
//! or `nobody`, in a directory of that user; where that user cannot reach the given directory (`/root`, say), its files go
//! under `/var/tmp` and `cluster.json` remembers where. A stale cluster in the same place is stopped and removed by the next start.
//!
//! Never point this at a directory that holds a real cluster: it refuses what it did not make.

use super::installed::{Account, NoAccount, Programs};
pub use super::options::Options;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// Superuser of every cluster made here.
pub const SUPERUSER: &str = "scrybe";
const RECORD: &str = "cluster.json";

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No `initdb`, `pg_ctl` and `postgres` in any usual place.
    #[error("PostgreSQL's server programs (initdb, pg_ctl, postgres) are not installed")]
    NotInstalled,
    #[error(transparent)]
    NoAccount(#[from] NoAccount),
    /// The directory has something in it that we did not make.
    #[error("{} exists and was not made by the sandbox", .0.display())]
    NotOurs(PathBuf),
    /// There is no cluster in this directory.
    #[error("there is no cluster in {}", .0.display())]
    Absent(PathBuf),
    /// A server program failed; `said` is the end of what it or the server's log said.
    #[error("{program} failed: {said}")]
    Program { program: &'static str, said: String },
    #[error("cannot {what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the operating system gives no random bytes")]
    Random,
}

/// What is kept in `cluster.json`, 0600.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Directory of the server's user: `data/`, `log`.
    home: PathBuf,
    port: u16,
    password: String,
    /// False until initdb has finished: such a cluster is made anew.
    complete: bool,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// A cluster that was started, or attached to. Dropping a started one stops and removes it; see `detach`.
pub struct Cluster {
    dir: PathBuf,
    record: Record,
    programs: Programs,
    account: Option<Account>,
    throwaway: bool,
}

impl Cluster {
    /// Makes a fresh cluster in `dir` and starts it. What an earlier cluster left there is stopped and removed first.
    /// The value owns it: dropped, the server is stopped and its files are gone.
    pub fn start(dir: &Path, options: Options) -> Result<Cluster, ClusterError> {
        if let Some(old) = Cluster::load(dir)? {
            old.remove()?;
        }
        let mut cluster = Cluster::create(dir, &options)?;
        cluster.boot()?;
        Ok(cluster)
    }

    /// The cluster in `dir`, running: attached to, started again where it died, or made. Not stopped on drop.
    pub fn ensure(dir: &Path, options: Options) -> Result<Cluster, ClusterError> {
        let mut cluster = match Cluster::load(dir)? {
            Some(old) if old.record.complete && old.data().join("PG_VERSION").is_file() => old,
            Some(old) => {
                old.remove()?;
                Cluster::create(dir, &options)?
            }
            None => Cluster::create(dir, &options)?,
        };
        if cluster.pid().is_none() {
            cluster.boot()?;
        }
        Ok(cluster.detach())
    }

    /// The cluster that is in `dir`, running or not. Not stopped on drop.
    pub fn attach(dir: &Path) -> Result<Cluster, ClusterError> {
        Cluster::load(dir)?.ok_or_else(|| ClusterError::Absent(dir.to_path_buf()))
    }

    /// Leaves the server running when this value is dropped.
    pub fn detach(mut self) -> Cluster {
        self.throwaway = false;
        self
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.record.port
    }

    /// The superuser's password. Keep it out of every output but an address given to the operator.
    pub fn password(&self) -> &str {
        &self.record.password
    }

    /// Address of one database, with the superuser's password.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password(), self.port())
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.record.home.join("log")
    }

    /// Where the server's files are: below the given directory, or under `/var/tmp` when its user cannot go there.
    pub fn home(&self) -> &Path {
        &self.record.home
    }

    /// The user that runs the server, when it is not us.
    pub fn server_user(&self) -> Option<&str> {
        self.account.as_ref().map(|a| a.name.as_str())
    }

    /// Process id of the running server.
    pub fn pid(&self) -> Option<i32> {
        let pid = self.noted_pid()?;
        // After a reboot the number may belong to a stranger, and a dead server may be a zombie for a while: the
        // working directory of a live server is its data directory.
        match fs::read_link(format!("/proc/{pid}/cwd")) {
            Ok(cwd) => (cwd == self.data()).then_some(pid),
            Err(_) if Path::new("/proc/self").exists() => None,
            Err(_) => Some(pid),
        }
    }

    /// The number in `postmaster.pid`, when some process has it.
    fn noted_pid(&self) -> Option<i32> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).ok()?;
        Some(pid)
    }

    /// Stops the server and leaves its files: `ensure` starts it again.
    pub fn stop(&self) -> Result<(), ClusterError> {
        if self.pid().is_none() {
            return Ok(());
        }
        let mode = if self.throwaway { "immediate" } else { "fast" };
        self.run("pg_ctl", &["stop", "-w", "-t", "60", "-m", mode, "-D", &self.data().to_string_lossy()])
    }

    /// Stops the server and removes everything it left.
    pub fn remove(mut self) -> Result<(), ClusterError> {
        self.throwaway = true;
        self.discard()
    }

    fn discard(&mut self) -> Result<(), ClusterError> {
        self.throwaway = true;
        self.stop()?;
        self.throwaway = false;
        match fs::remove_dir_all(&self.record.home) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &self.record.home)(e)),
            _ => {}
        }
        let record = self.dir.join(RECORD);
        fs::remove_file(&record).map_err(io_error("remove", &record))?;
        // The directory itself goes only when nothing else is in it.
        let _ = fs::remove_dir(&self.dir);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.record.home.join("data")
    }

    fn load(dir: &Path) -> Result<Option<Cluster>, ClusterError> {
        let dir = std::path::absolute(dir).map_err(io_error("resolve", dir))?;
        let path = dir.join(RECORD);
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error("read", &path)(e)),
        };
        let record = serde_json::from_str(&text).map_err(|_| ClusterError::NotOurs(path))?;
        let (programs, account) = (Programs::find().ok_or(ClusterError::NotInstalled)?, Account::for_server()?);
        Ok(Some(Cluster { dir, record, programs, account, throwaway: false }))
    }

    fn create(dir: &Path, options: &Options) -> Result<Cluster, ClusterError> {
        let programs = Programs::find().ok_or(ClusterError::NotInstalled)?;
        let account = Account::for_server()?;
        let dir = std::path::absolute(dir).map_err(io_error("resolve", dir))?;
        if !dir.exists() {
            // The server's user has to pass through; what is secret inside is 0600 or belongs to that user.
            let mode = if account.is_some() { 0o711 } else { 0o700 };
            fs::DirBuilder::new().recursive(true).mode(mode).create(&dir).map_err(io_error("create", &dir))?;
        }
        let dir = dir.canonicalize().map_err(io_error("resolve", &dir))?;
        let home = match &account {
            Some(user) if !user.can_reach(&dir) => outside()?,
            _ => {
                let home = dir.join("postgres");
                match fs::DirBuilder::new().mode(0o700).create(&home) {
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(ClusterError::NotOurs(home)),
                    made => made.map_err(io_error("create", &home))?,
                }
                home
            }
        };
        let record = Record { home, port: free_port()?, password: random_password()?, complete: false };
        let mut cluster = Cluster { dir, record, programs, account, throwaway: true };
        cluster.save()?;
        cluster.initialise(options)?;
        cluster.record.complete = true;
        cluster.save()?;
        Ok(cluster)
    }

    fn initialise(&self, options: &Options) -> Result<(), ClusterError> {
        let home = &self.record.home;
        let secret = home.join("password");
        write_private(&secret, self.password().as_bytes())?;
        if let Some(user) = &self.account {
            for path in [home, &secret] {
                std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                    .map_err(io_error("give away", path))?;
            }
        }
        let data = self.data();
        let (data_text, pwfile) = (data.to_string_lossy(), format!("--pwfile={}", secret.display()));
        let mut arguments = vec![
            "-D",
            &data_text,
            "--encoding=UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            "--username",
            SUPERUSER,
            &pwfile,
        ];
        if !options.durable {
            arguments.push("--no-sync");
        }
        let made = self.run("initdb", &arguments);
        let _ = fs::remove_file(&secret);
        made?;
        let conf = data.join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(&conf).map_err(io_error("open", &conf))?;
        file.write_all(options.conf().as_bytes()).map_err(io_error("write", &conf))
    }

    /// Starts the server on the remembered port, or on another one when that is taken.
    fn boot(&mut self) -> Result<(), ClusterError> {
        // PostgreSQL clears a stale postmaster.pid itself, unless a stranger or a zombie has the number.
        if self.pid().is_none() && self.noted_pid().is_some() {
            thread::sleep(Duration::from_millis(500));
            let _ = fs::remove_file(self.data().join("postmaster.pid"));
        }
        let (data, log) = (self.data(), self.log());
        for attempt in 0.. {
            let _ = fs::remove_file(&log);
            let port = format!("-p {}", self.record.port);
            let started = self.run(
                "pg_ctl",
                &["start", "-w", "-t", "120", "-D", &data.to_string_lossy(), "-l", &log.to_string_lossy(), "-o", &port],
            );
            let Err(error) = started else { break };
            let said = tail(&log);
            if attempt < 10 && said.contains("Address already in use") {
                self.record.port = free_port()?;
            } else if attempt < 10 && said.contains("still in use") {
                // The children of a killed server are on their way out.
                thread::sleep(Duration::from_millis(300));
            } else {
                return Err(if said.is_empty() { error } else { ClusterError::Program { program: "postgres", said } });
            }
        }
        self.save()
    }

    fn save(&self) -> Result<(), ClusterError> {
        let path = self.dir.join(RECORD);
        let text = Zeroizing::new(serde_json::to_string(&self.record).expect("a record is plain JSON"));
        let next = self.dir.join(".cluster.json.next");
        let _ = fs::remove_file(&next);
        write_private(&next, text.as_bytes())?;
        fs::rename(&next, &path).map_err(io_error("write", &path))
    }

    /// Runs a server program as the server's user, in a place that user can be, with an environment of its own.
    fn run(&self, program: &'static str, arguments: &[&str]) -> Result<(), ClusterError> {
        let mut command = Command::new(self.programs.path(program));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null());
        if let Some(user) = &self.account {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let output = command.output().map_err(io_error("run", &self.programs.path(program)))?;
        if output.status.success() {
            return Ok(());
        }
        let said = last_lines(&format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
        Err(ClusterError::Program { program, said })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.throwaway {
            let _ = self.discard();
        }
    }
}

/// A directory the server's user can reach, for when it cannot reach the given one.
fn outside() -> Result<PathBuf, ClusterError> {
    let parent = ["/var/tmp", "/tmp"].map(PathBuf::from).into_iter().find(|p| p.is_dir()).expect("a system has /tmp");
    let made = tempfile::Builder::new()
        .prefix("scrybe-keys-postgres-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(&parent);
    made.map(tempfile::TempDir::keep).map_err(io_error("create a directory in", &parent))
}

fn free_port() -> Result<u16, ClusterError> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map(|a| a.port());
    port.map_err(io_error("bind", Path::new("127.0.0.1")))
}

fn random_password() -> Result<String, ClusterError> {
    let mut bytes = Zeroizing::new([0u8; 24]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| ClusterError::Random)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ClusterError> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut f| f.write_all(bytes)).map_err(io_error("write", path))
}

fn tail(log: &Path) -> String {
    fs::read_to_string(log).map(|text| last_lines(&text)).unwrap_or_default()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

fn io_error<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ClusterError + 'a {
    move |source| ClusterError::Io { what, path: path.to_path_buf(), source }
}
