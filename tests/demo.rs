//! `make demo` without its build: the script itself, on little data, ends in the proof it promises and leaves the sandbox running.

use std::process::Command;

#[test]
fn the_demo_is_killed_half_way_and_ends_with_every_cell_under_version_2() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = home.path().join("sandbox");
    let program = env!("CARGO_BIN_EXE_scrybe-keys");
    let run = |command: &mut Command| {
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home.path())
            .env("SCRYBE_SANDBOX_DIR", &sandbox)
            .env("SCRYBE_KEYS_BIN", program)
            .env("NOTES", "6000")
            .output()
            .unwrap()
    };
    let demo = run(&mut Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/run")));
    let shown = String::from_utf8_lossy(&demo.stdout).into_owned();
    let status = run(Command::new(program).args(["sandbox", "status"]));
    let down = run(Command::new(program).args(["sandbox", "down"]));
    assert!(demo.status.success(), "{shown}\n{}", String::from_utf8_lossy(&demo.stderr));
    assert!(status.status.success(), "the demo did not leave the sandbox running");
    assert!(down.status.success());

    assert!(shown.contains("with SIGKILL"), "{shown}");
    let half = shown.split("What is true now?").nth(1).unwrap().split("Carry on").next().unwrap();
    assert!(half.contains("version 1 ") && half.contains("version 2 (active)"), "not half-way:\n{half}");
    let proof = shown.split("The proof").nth(1).unwrap().split("And undisturbed?").next().unwrap();
    assert!(
        proof.lines().any(|line| line.starts_with("Note.content") && line.contains("version 2 (active)")),
        "{proof}"
    );
    assert!(!proof.contains("version 1 "), "{proof}");
    assert!(proof.contains("Every cell opens under the active version"), "{proof}");
    assert!(proof.contains("cells were dark for"), "{proof}");
    for promise in ["Try next", "On your own database", "census --sample 1%", "Clean up"] {
        assert!(shown.contains(promise), "no word of {promise:?}");
    }
}
