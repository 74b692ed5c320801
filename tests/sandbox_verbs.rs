//! The `sandbox` verbs as an operator types them: up, seed, exec, env, status, down, and what they repair and refuse.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A sandbox in a directory of its own; whatever the test did, `down` ends it.
struct Sandbox {
    home: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox { home: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("sandbox")
    }

    /// Runs the program in an environment that would lead to a real account and database.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_scrybe-keys"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("SCRYBE_SANDBOX_DIR", self.dir())
            .env("AWS_PROFILE", "production")
            .env("AWS_SESSION_TOKEN", "real")
            .env("PGHOST", "db.example.com")
            .env("DIRECT_URL", "postgresql://db.example.com/real")
            .env("DATABASE_URL", "postgresql://db.example.com/real?pgbouncer=true")
            .output()
            .unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn data(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        serde_json::from_str::<Value>(&self.ok(&all)).unwrap()["data"].clone()
    }

    fn inside(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["sandbox", "exec", "--"];
        all.extend(arguments);
        self.run(&all)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.run(&["sandbox", "down"]);
    }
}

fn pids(status: &Value) -> [i32; 2] {
    ["database", "endpoint"].map(|part| status[part]["pid"].as_i64().unwrap() as i32)
}

fn alive(pid: i32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok()
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    while alive(pid) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn up_twice_is_once_and_what_was_killed_comes_back() {
    let sandbox = Sandbox::new();
    let first = sandbox.data(&["sandbox", "up"]);
    assert_eq!(pids(&sandbox.data(&["sandbox", "up"])), pids(&first));
    for pid in pids(&first) {
        kill(pid);
    }
    assert_eq!(sandbox.run(&["sandbox", "status"]).status.code(), Some(5));
    let again = sandbox.data(&["sandbox", "up"]);
    assert!(pids(&again).iter().all(|pid| !pids(&first).contains(pid)));
    for part in ["database", "endpoint"] {
        assert_eq!(again[part]["port"], first[part]["port"]);
        assert_eq!(again[part]["url"], first[part]["url"], "an exported address went stale");
    }
    assert!(sandbox.inside(&["true"]).status.success());
}

#[test]
fn nothing_is_left_behind_by_down() {
    let sandbox = Sandbox::new();
    let status = sandbox.data(&["sandbox", "up"]);
    let files = PathBuf::from(status["database"]["files"].as_str().unwrap());
    assert!(files.is_dir() && sandbox.dir().is_dir());
    assert_eq!(sandbox.data(&["sandbox", "down"])["removed"], true);
    assert!(pids(&status).iter().all(|pid| !alive(*pid)));
    assert!(!files.exists());
    assert!(!sandbox.dir().exists());
    assert_eq!(sandbox.data(&["sandbox", "down"])["removed"], false);
}

#[test]
fn exec_runs_nothing_outside_a_sandbox_that_is_up() {
    let sandbox = Sandbox::new();
    let mark = sandbox.home.path().join("ran");
    let touch = ["touch", mark.to_str().unwrap()];
    assert_eq!(sandbox.inside(&touch).status.code(), Some(5));
    let status = sandbox.data(&["sandbox", "up"]);
    kill(pids(&status)[1]);
    let refused = sandbox.inside(&touch);
    assert_eq!(refused.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("sandbox up"), "no next command");
    assert!(!mark.exists());
    sandbox.ok(&["sandbox", "up"]);
    assert!(sandbox.inside(&touch).status.success());
    assert!(mark.exists());
    assert_eq!(sandbox.inside(&["sh", "-c", "exit 42"]).status.code(), Some(42));
    assert_eq!(sandbox.inside(&["no-such-command-here"]).status.code(), Some(2));
}

#[test]
fn nothing_of_a_real_account_gets_in() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["sandbox", "up"]);
    let seen = String::from_utf8(sandbox.inside(&["env"]).stdout).unwrap();
    for stray in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "PGHOST", "DIRECT_URL", "db.example.com"] {
        assert!(!seen.contains(stray), "{stray} got in");
    }
    for ours in
        ["SCRYBE_ENV=development", "SCRYBE_KMS=aws", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null"]
    {
        assert!(seen.lines().any(|line| line == ours), "{ours} is missing");
    }
    for loopback in ["DATABASE_URL=postgresql://scrybe:", "AWS_ENDPOINT_URL=http://127.0.0.1:"] {
        assert!(seen.lines().any(|line| line.starts_with(loopback)), "{loopback} is missing");
    }
}

#[test]
fn env_enters_and_leaves_a_posix_shell() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["sandbox", "up"]);
    let script = "eval \"$1\"; echo \"in:${AWS_PROFILE-none}:$SCRYBE_ENV\"; eval \"$2\"; echo \"out:${DATABASE_URL-none}:${SCRYBE_ENV-none}\"";
    let (enter, leave) = (sandbox.ok(&["sandbox", "env"]), sandbox.ok(&["sandbox", "env", "--unset"]));
    let output = Command::new("sh")
        .args(["-euc", script, "sh", &enter, &leave])
        .env("AWS_PROFILE", "production")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "in:none:development\nout:none:none\n");
}

#[test]
fn secrets_of_the_sandbox_are_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    sandbox.ok(&["sandbox", "up"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&sandbox.dir().join("state.json")), 0o600);
    assert_eq!(mode(&sandbox.dir().join("cluster/cluster.json")), 0o600);
    assert_eq!(mode(&sandbox.dir().join("kms")), 0o700);
    let status = sandbox.ok(&["--json", "sandbox", "status"]);
    let state: Value =
        serde_json::from_str(&std::fs::read_to_string(sandbox.dir().join("state.json")).unwrap()).unwrap();
    assert!(!status.contains(state["localKek"].as_str().unwrap()));
}

#[test]
fn a_seeded_sandbox_is_bound_healthy_and_seeded_once() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["sandbox", "up"]);
    let seed = ["sandbox", "seed", "--orgs", "2", "--notes", "400", "--without-client-tier2"];
    let loaded = sandbox.data(&seed);
    assert_eq!(loaded["organizations"].as_array().unwrap().len(), 2);
    assert_eq!(sandbox.run(&seed).status.code(), Some(5), "seeded over data without being asked to");
    let program = env!("CARGO_BIN_EXE_scrybe-keys");
    let census = sandbox.inside(&[program, "--json", "census"]);
    assert_eq!(census.status.code(), Some(0), "{}", String::from_utf8_lossy(&census.stdout));
    let health: Value =
        serde_json::from_slice(&sandbox.inside(&[program, "--json", "health", "--deep"]).stdout).unwrap();
    let codes: Vec<&str> = health["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["dek-over-age"], "the first organization's key is old on purpose, and that is all");
    let again = sandbox.data(&["sandbox", "seed", "--orgs", "2", "--notes", "200", "--replace"]);
    let notes = again["rows"].as_array().unwrap().iter().find(|row| row[0] == "Note").unwrap()[1].clone();
    assert_eq!(notes, 200);
}
