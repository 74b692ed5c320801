//! The Python of the foreign implementation: a virtual environment under `target/`, made once, guarded by a file lock.
//!
//! Where it cannot be made, a test says so and returns; with `CI` set it fails instead.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PACKAGES: [&str; 2] = ["cryptography==46.0.3", "psycopg[binary]==3.3.9"];

/// A Python with everything `tests/foreign` imports.
pub struct Python(PathBuf);

impl Python {
    /// `None` after saying why on stderr: the test is skipped, visibly. Panics instead in CI.
    pub fn ready() -> Option<Python> {
        match Python::prepare() {
            Ok(python) => Some(python),
            Err(why) if std::env::var_os("CI").is_some() => {
                panic!("the foreign implementation cannot be set up: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED: the foreign implementation cannot be set up: {why}");
                None
            }
        }
    }

    fn prepare() -> Result<Python, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (venv, done) = (target.join("foreign-venv"), target.join("foreign-venv.done"));
        let python = Python(venv.join("bin/python"));
        let wanted = PACKAGES.join("\n");
        let ready = || std::fs::read_to_string(&done).is_ok_and(|text| text == wanted) && python.0.exists();
        if ready() {
            return Ok(python);
        }
        std::fs::create_dir_all(target).map_err(|e| e.to_string())?;
        let lock = File::create(target.join("foreign-venv.lock")).map_err(|e| e.to_string())?;
        lock.lock().map_err(|e| e.to_string())?;
        if ready() {
            return Ok(python);
        }
        let _ = std::fs::remove_dir_all(&venv);
        finished(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        finished(
            Command::new(&python.0)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(PACKAGES),
        )?;
        std::fs::write(&done, wanted).map_err(|e| e.to_string())?;
        Ok(python)
    }

    /// A script of `tests/foreign`, ready for its arguments.
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.0);
        command
            .arg("-B")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name))
            .env_clear()
            .env("LC_ALL", "C.UTF-8");
        command
    }
}

fn finished(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{:?} ended with {}: {}",
        command.get_program(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
