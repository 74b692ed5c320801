//! Several processes over one job: short leases, who works on it, and how to stop one of them in the middle of a batch.
//!
//! A process is stopped between its write and its commit by holding the row of its chunk: the batch waits there, its cells written and not
//! committed. Nothing here decides whether data is right; `tests/foreign/check.py` does.

use super::cli::Running;
use super::world::World;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Helps whatever job comes next.
pub const JOIN: [&str; 7] = ["rotate", "--join", "latest", "--join-wait", "60s", "--yes", "--json"];

/// Waits until something shows; a minute is longer than any of it takes.
#[track_caller]
pub fn wait_for(what: &str, mut shows: impl FnMut() -> bool) {
    let since = Instant::now();
    while !shows() {
        assert!(since.elapsed() < Duration::from_secs(60), "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that stands still. Dropped, it goes on.
pub struct Stopped(Pid);

impl Stopped {
    /// SIGSTOP, wherever it is.
    pub fn at_once(run: &Running) -> Stopped {
        run.signal(Signal::SIGSTOP);
        Stopped(Pid::from_raw(run.child.id() as i32))
    }

    /// SIGCONT.
    pub fn goes_on(self) {}
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// The live application of `writer.py`, running.
pub struct Application {
    child: Child,
    answer: BufReader<std::process::ChildStdout>,
}

impl Application {
    /// Starts it and waits until it has its DEKs in memory.
    pub fn start(mut command: Command) -> Application {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut answer = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Application { child, answer }
    }

    /// Ends it and takes its counts.
    pub fn stop(mut self) -> Value {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        let mut text = String::new();
        self.answer.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

impl World {
    /// Leases of two seconds instead of twenty: whoever stalls is taken over while a test waits. More of the configuration file may follow.
    pub fn configured(mut self, more: &str) -> World {
        let path = self.path("config.yaml");
        std::fs::write(&path, format!("policy:\n  lease-seconds: 2\n{more}")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        self.environment.insert("SCRYBE_KEYS_CONFIG".to_owned(), path.to_str().unwrap().to_owned());
        self
    }

    /// Values in sealed columns that look sealed: as many cells one rotation moves.
    pub fn sealed_cells(&self) -> i64 {
        let columns = [
            ("Note", "content"),
            ("Message", "content"),
            ("FormSubmission", "data"),
            ("FormSubmission", "aiExtractedData"),
            ("Call", "transcriptRaw"),
            ("Call", "transcriptJson"),
            ("Call", "extractedFields"),
            ("Call", "aiSummary"),
            ("Call", "confidenceScores"),
            ("Client", "ssn"),
            ("Client", "healthConditions"),
            ("ClientInsurance", "memberId"),
        ];
        let counts = columns.map(|(table, column)| {
            format!("(SELECT count(*) FROM \"{table}\" WHERE ltrim(\"{column}\"::text, '\"') LIKE 'enc:%')")
        });
        self.number(&format!("SELECT {}", counts.join(" + ")))
    }

    /// One whole number from the database.
    pub fn number(&self, sql: &str) -> i64 {
        self.sql().query_one(&format!("SELECT ({sql})::bigint"), &[]).unwrap().get(0)
    }

    /// One text from the database; empty when there is none.
    pub fn text(&self, sql: &str) -> String {
        let row = self.sql().query_one(&format!("SELECT coalesce(({sql})::text, '')"), &[]).unwrap();
        row.get(0)
    }

    /// `data` of `jobs status`.
    #[track_caller]
    pub fn job_status(&self) -> Value {
        self.run(&["jobs", "status", "latest", "--json"]).expect(0).json()["data"].clone()
    }

    /// Everything the job's rows say that a process with no business there could change.
    pub fn job_records(&self) -> String {
        self.text(
            "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
               SELECT concat_ws(' ', 'job', job_id, state, runner, ended_at, stop_reason) AS line FROM scrybe_keys.job
               UNION ALL SELECT concat_ws(' ', 'part', organization_id, state, target_dek, flipped_at, moved_at, settled_at, problem)
                 FROM scrybe_keys.job_organization
               UNION ALL SELECT concat_ws(' ', 'dek', dek_id, status, status_since) FROM scrybe_keys.dek) r",
        )
    }

    /// How often the audit chain has this event in this phase.
    pub fn audited(&self, event: &str, phase: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM scrybe_keys.audit WHERE event = '{event}' AND phase = '{phase}'"))
    }

    /// Waits until this process holds a chunk.
    #[track_caller]
    pub fn wait_until_it_walks(&self, run: &mut Running) {
        let sql = format!(
            "SELECT count(*) FROM scrybe_keys.job_chunk c JOIN scrybe_keys.job_process p ON p.process_id = c.lease_process
             WHERE p.pid = {} AND NOT c.done",
            run.child.id()
        );
        wait_for("it walks a chunk", || {
            assert!(run.is_running(), "it ended before it walked");
            self.number(&sql) > 0
        });
    }

    /// Stops a process that has written a batch and not committed it.
    #[track_caller]
    pub fn stop_in_a_batch(&self, run: &mut Running) -> Stopped {
        let (mut holder, mut eye) = (self.sql(), self.sql());
        let holder_pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        let pid = run.child.id() as i32;
        let since = Instant::now();
        let waiting = "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        let written = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1) AND state = 'idle in transaction' AND backend_xid IS NOT NULL";
        loop {
            assert!(run.is_running(), "it ended before it could be stopped");
            assert!(since.elapsed() < Duration::from_secs(60), "it never wrote a batch");
            let mut hold = holder.transaction().unwrap();
            let held = hold.query(
                "SELECT c.chunk FROM scrybe_keys.job_chunk c JOIN scrybe_keys.job_process p ON p.process_id = c.lease_process
                 WHERE p.pid = $1 AND NOT c.done FOR UPDATE OF c SKIP LOCKED",
                &[&pid],
            );
            if held.unwrap().is_empty() {
                hold.rollback().unwrap();
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let (began, mut blocked) = (Instant::now(), Vec::<i32>::new());
            while blocked.is_empty() && began.elapsed() < Duration::from_millis(800) {
                blocked = eye.query(waiting, &[&holder_pid]).unwrap().iter().map(|row| row.get(0)).collect();
            }
            let stopped = Stopped::at_once(run);
            hold.rollback().unwrap();
            // What was on its way to the server is done there; the answer finds nobody.
            std::thread::sleep(Duration::from_millis(100));
            if !blocked.is_empty() && eye.query_one(written, &[&blocked]).unwrap().get::<_, i64>(0) > 0 {
                return stopped;
            }
        }
    }
}
