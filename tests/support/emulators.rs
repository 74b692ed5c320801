//! moto and MiniStack, pinned: outside cross-checks of the contract suite, in environments of their own under `target/emulators`.
//!
//! With `CI=true` they must run. Elsewhere a machine without Python or a package index skips them, and says so.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An emulator that can be installed from a package index.
pub struct Recipe {
    pub name: &'static str,
    /// What pip installs; the versions the deviations were written against.
    pub packages: &'static [&'static str],
    pub program: &'static str,
    /// A path that answers 200 when it is up.
    pub probe: &'static str,
}

pub const MOTO: Recipe = Recipe {
    name: "moto",
    packages: &["moto[server,kms,sts]==5.2.5"],
    program: "moto_server",
    probe: "/moto-api/data.json",
};

pub const MINISTACK: Recipe = Recipe {
    name: "ministack",
    packages: &["ministack==1.5.33", "cryptography", "cbor2"],
    program: "ministack",
    probe: "/_ministack/health",
};

/// A running emulator; killed when dropped.
pub struct Emulator {
    child: Child,
    port: u16,
}

impl Emulator {
    /// Installs (once) and starts it. `None`, with a word on stderr, where it cannot be installed and nobody insists.
    pub fn start(recipe: &Recipe) -> Option<Emulator> {
        Emulator::start_with(recipe, &[])
    }

    /// The same with settings of its own.
    pub fn start_with(recipe: &Recipe, settings: &[(&str, &str)]) -> Option<Emulator> {
        match install(recipe) {
            Ok(venv) => Some(run(recipe, &venv, settings)),
            Err(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
                panic!("{} must run in CI, and could not be installed: {why}", recipe.name)
            }
            Err(why) => {
                eprintln!("SKIPPED: the cross-check against {} did not run: {why}", recipe.name);
                None
            }
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Empties a MiniStack.
    pub fn reset(&self) {
        assert!(asked(self.port, "POST", "/_ministack/reset"), "the emulator was not emptied");
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn install(recipe: &Recipe) -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a directory below target");
    let all = target.join("emulators");
    fs::create_dir_all(&all).map_err(|e| e.to_string())?;
    // Every test is a process of its own: one installs, the others wait.
    let lock = File::create(all.join(format!("{}.lock", recipe.name))).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    let venv = all.join(recipe.name);
    let marker = venv.join("installed");
    let wanted = recipe.packages.join(" ");
    if fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return Ok(venv);
    }
    said(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    said(
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(recipe.packages),
    )?;
    fs::write(&marker, wanted).map_err(|e| e.to_string())?;
    Ok(venv)
}

fn said(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn run(recipe: &Recipe, venv: &Path, settings: &[(&str, &str)]) -> Emulator {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(venv.join("bin").join(recipe.program));
    if recipe.name == "moto" {
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    }
    command
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("IOT_MTLS_ENABLED", "false")
        .env("SFTP_ENABLED", "false")
        .env("LOG_LEVEL", "WARNING")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let emulator = Emulator { child, port };
    let patience = Instant::now() + Duration::from_secs(60);
    while !asked(port, "GET", recipe.probe) {
        assert!(Instant::now() < patience, "{} did not come up within a minute", recipe.name);
        std::thread::sleep(Duration::from_millis(50));
    }
    emulator
}

/// The Python an emulator runs with; botocore is in it.
pub fn python(recipe: &Recipe) -> PathBuf {
    install(recipe).unwrap().join("bin/python")
}

/// True for an answer 200.
fn asked(port: u16, method: &str, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut answer = [0u8; 12];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b"200")
}
