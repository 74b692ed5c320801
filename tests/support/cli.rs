//! The real binary with a clean environment: what it printed, how it ended.

use serde_json::Value;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longer than any test's command takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// How a run ended and what it said.
pub struct Ran {
    pub arguments: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A run under way, its output collected by threads.
pub struct Running {
    arguments: String,
    pub child: Child,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
    since: Instant,
}

/// The binary under test, with nothing in its environment but what is given.
pub fn binary<'a>(arguments: &[&str], environment: impl IntoIterator<Item = (&'a String, &'a String)>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrybe-keys"));
    command.args(arguments).env_clear().envs(environment);
    command
}

/// Starts a command with its output collected.
pub fn start(mut command: Command) -> Running {
    let arguments = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{arguments}: {e}"));
    let (stdout, stderr) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
    Running { arguments, child, stdout, stderr, since: Instant::now() }
}

fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Running {
    /// SIGKILL, at once. Harmless after the end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Sends a signal by number.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), signal);
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end; a run that hangs is killed and fails the test.
    pub fn finish(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.since.elapsed() > PATIENCE {
                self.kill();
                panic!(
                    "`{}` hangs; so far it said:\n{}\n{}",
                    self.arguments,
                    self.stdout.join().unwrap(),
                    self.stderr.join().unwrap()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran {
            arguments: self.arguments,
            status,
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
        }
    }
}

impl Ran {
    /// The exit code; panics when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("a signal ended it: {self:?}"))
    }

    /// True when a signal (or abort) ended it.
    pub fn was_killed(&self) -> bool {
        self.status.signal().is_some()
    }

    /// Asserts the exit code, showing everything when it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        self
    }

    /// Asserts that stderr or stdout says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(self.stderr.contains(text) || self.stdout.contains(text), "{text:?} is not said in {self:?}");
        self
    }

    /// The one JSON object on stdout, as the committed schema describes it and with the exit code that the shell saw.
    #[track_caller]
    pub fn json(&self) -> Value {
        let json: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON object: {e}; {self:?}"));
        let schema = serde_json::from_str(include_str!("../../schemas/answer.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {self:?}");
        assert_eq!(json["exitCode"].as_i64(), self.status.code().map(i64::from), "{self:?}");
        json
    }

    /// `problems[].code` of the JSON answer.
    #[track_caller]
    pub fn problem_codes(&self) -> Vec<String> {
        let json = self.json();
        let problems = json["problems"].as_array().unwrap_or_else(|| panic!("no problems[] in {self:?}"));
        problems.iter().map(|p| p["code"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`scrybe-keys {}` ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.arguments, self.status, self.stdout, self.stderr
        )
    }
}
