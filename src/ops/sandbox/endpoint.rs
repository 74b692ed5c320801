//! The embedded AWS endpoint as a background process: our own program, `sandbox serve-kms`, in a session of its own.
//!
//! It leaves its process id and port in `endpoint.json` once it listens. A process that only has the number is not taken
//! for it: its command line must say so. Nothing here speaks AWS; see `local::endpoint`.

use super::SandboxError;
use super::place::{Place, State};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The hidden verb that serves; also how a running one is recognised.
pub const VERB: &str = "serve-kms";

/// A running endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub pid: i32,
    pub port: u16,
}

impl Endpoint {
    /// The one that runs for this sandbox and answers, if any.
    pub fn running(place: &Place) -> Option<Endpoint> {
        Endpoint::noted(place).filter(|endpoint| endpoint.is_alive() && endpoint.answers())
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Attaches to the running one or starts it; the same port as last time where that is free.
    pub fn ensure(place: &Place, state: &mut State, program: &Path) -> Result<Endpoint, SandboxError> {
        if let Some(running) = Endpoint::running(place) {
            return Ok(running);
        }
        Endpoint::stop(place)?;
        let log_path = place.endpoint_log();
        let log = fs::File::create(&log_path).map_err(SandboxError::io("create", &log_path))?;
        let errors = log.try_clone().map_err(SandboxError::io("open", &log_path))?;
        let mut child = Command::new(program)
            .args(["sandbox", VERB, "--port", &state.endpoint_port.to_string()])
            .env_clear()
            .env("SCRYBE_SANDBOX_DIR", &place.dir)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(SandboxError::io("run", program))?;
        let patience = Instant::now() + Duration::from_secs(20);
        while Instant::now() < patience {
            if let Some(endpoint) = Endpoint::running(place) {
                state.endpoint_port = endpoint.port;
                place.remember(state)?;
                return Ok(endpoint);
            }
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        let said = fs::read_to_string(&log_path).unwrap_or_default();
        Err(SandboxError::Endpoint { said: said.trim().replace('\n', "; ") })
    }

    /// Called by the serving process once it listens.
    pub fn announce(&self, place: &Place) -> Result<(), SandboxError> {
        let text = serde_json::to_string(self).expect("two numbers are plain JSON");
        place.write_private(&place.endpoint_note(), text.as_bytes())
    }

    /// Ends the one of this sandbox, if it runs. Keys are on disk before they are used: nothing is lost.
    pub fn stop(place: &Place) -> Result<(), SandboxError> {
        let Some(endpoint) = Endpoint::noted(place) else { return Ok(()) };
        for (signal, seconds) in [(Signal::SIGTERM, 5), (Signal::SIGKILL, 5)] {
            let patience = Instant::now() + Duration::from_secs(seconds);
            if endpoint.is_alive() {
                let _ = kill(Pid::from_raw(endpoint.pid), signal);
            }
            while endpoint.is_alive() && Instant::now() < patience {
                thread::sleep(Duration::from_millis(20));
            }
        }
        if endpoint.is_alive() {
            return Err(SandboxError::StillRunning(endpoint.pid));
        }
        let _ = fs::remove_file(place.endpoint_note());
        Ok(())
    }

    fn noted(place: &Place) -> Option<Endpoint> {
        serde_json::from_str(&fs::read_to_string(place.endpoint_note()).ok()?).ok()
    }

    fn is_alive(&self) -> bool {
        if kill(Pid::from_raw(self.pid), None).is_err() {
            return false;
        }
        match fs::read(format!("/proc/{}/cmdline", self.pid)) {
            // A zombie has no command line.
            Ok(line) => String::from_utf8_lossy(&line).contains(VERB),
            Err(_) if Path::new("/proc/self").exists() => false,
            Err(_) => Command::new("ps")
                .args(["-o", "args=", "-p", &self.pid.to_string()])
                .output()
                .is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains(VERB)),
        }
    }

    fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /_scrybe/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}
