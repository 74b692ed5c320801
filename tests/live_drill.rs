//! `tests/live/drill` is never run on AWS here. What can be shown: that it refuses whoever did not ask for it, that it runs through with
//! programs that pretend, and that it cleans up whatever happens.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn drill() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/drill")
}

/// Runs it with an `aws` that answers `account` for the caller and writes down every other call.
fn run(environment: &[(&str, &str)], account: &str, tagged: &str) -> (Output, String) {
    let dir = tempfile::tempdir().unwrap();
    let aws = dir.path().join("aws");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> \"{0}/calls\"\ncase \"$*\" in\n  *get-caller-identity*) echo {account} ;;\n  \
         *get-resources*) printf '%s' '{tagged}' ;;\n  *list-aliases*) ;;\n  *) exit 97 ;;\nesac\n",
        dir.path().display()
    );
    std::fs::write(&aws, script).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", dir.path().display());
    let mut command = Command::new("bash");
    command.arg(drill()).env_clear().env("PATH", path).env("HOME", dir.path()).envs(environment.iter().copied());
    let output = command.current_dir(dir.path()).output().unwrap();
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap_or_default();
    (output, calls)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn live_drill_is_a_script() {
    let checked = Command::new("bash").arg("-n").arg(drill()).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let text = std::fs::read_to_string(drill()).unwrap();
    assert!(text.starts_with("#!/usr/bin/env bash\n") && text.contains("set -euo pipefail"));
    assert!(text.contains("trap ") && text.lines().count() < 400);
    assert!(std::fs::metadata(drill()).unwrap().permissions().mode() & 0o111 != 0, "it is executable");
}

#[test]
fn live_drill_refuses_who_did_not_accept_its_costs() {
    for environment in [&[][..], &[("SCRYBE_LIVE_AWS", "yes"), ("SCRYBE_LIVE_ACCOUNT", "111122223333")]] {
        let (output, calls) = run(environment, "111122223333", "");
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("SCRYBE_LIVE_AWS=I-accept-costs"), "{}", said(&output));
        assert_eq!(calls, "", "it called AWS before it was asked to");
    }
}

#[test]
fn live_drill_refuses_any_other_account() {
    let accepted = ("SCRYBE_LIVE_AWS", "I-accept-costs");
    let (output, calls) = run(&[accepted], "111122223333", "");
    assert_eq!((output.status.code(), calls.as_str()), (Some(2), ""), "{}", said(&output));
    assert!(said(&output).contains("SCRYBE_LIVE_ACCOUNT"));
    let (output, calls) = run(&[accepted, ("SCRYBE_LIVE_ACCOUNT", "444455556666")], "111122223333", "");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("444455556666") && said(&output).contains("111122223333"), "{}", said(&output));
    assert_eq!(calls.lines().count(), 1, "{calls}");
}

#[test]
fn live_drill_refuses_an_account_with_anything_of_production() {
    let environment = [("SCRYBE_LIVE_AWS", "I-accept-costs"), ("SCRYBE_LIVE_ACCOUNT", "111122223333")];
    let (output, calls) = run(&environment, "111122223333", "arn:aws:rds:us-west-2:111122223333:db:clinic");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("production"), "{}", said(&output));
    assert!(!calls.contains("create"), "{calls}");
}

/// An `aws` for which everything works as hoped, and that writes down every call.
const PRETENDS: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/calls"
refuse() { echo "An error occurred ($1) when calling it: no" >&2; exit 254; }
case "$*" in
  *"get-caller-identity --query Account"*) echo 111122223333 ;;
  *"get-caller-identity --query Arn"*) echo arn:aws:iam::111122223333:user/ann ;;
  *describe-key*-second*) if [ -e "$HOME/second" ]; then refuse NotFoundException; fi ;;
  *delete-alias*-second*) touch "$HOME/second" ;;
  *describe-key*alias/*|*get-resources*kms:key*) [ -e "$HOME/made" ] && echo arn:aws:kms:us-west-2:111122223333:key/1234 ;;
  *"assume-role "*) echo '{"AccessKeyId":"A","SecretAccessKey":"B","SessionToken":"C"}' ;;
  *generate-data-key*) if [ -e "$HOME/disabled" ]; then refuse DisabledException; fi ;;
  *"kms encrypt"*|*create-grant*|*put-key-policy*) refuse AccessDeniedException ;;
  *disable-key*) touch "$HOME/disabled" ;;
  *enable-key*) rm "$HOME/disabled" ;;
  *lookup-events*) echo DisableKey ;;
  *receive-message*) echo ALARM ;;
  *"s3 ls"*) echo x.json.gz ;;
  *create-queue*) echo https://sqs.example.org/q ;;
  *list-object-versions*Versions*) if [ -e "$HOME/emptied" ]; then echo '{"Objects":null}'; else
    touch "$HOME/emptied"; echo '{"Objects":[{"Key":"a","VersionId":"1"}]}'; fi ;;
  *list-object-versions*) echo '{"Objects":null}' ;;
  *list-role-policies*) echo drill ;;
  *describe-alarms*) [ ! -e "$HOME/made" ] || echo scrybe-keys-staging-key-disabled ;;
esac
exit 0
"#;

/// Runs it to its end on pretence; `scrybe-keys create-cmk` ends with `made`.
fn rehearse(made: u8) -> Option<(Output, String, String)> {
    if !Command::new("jq").arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: jq, which the drill needs, is not installed");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let tool = format!(
        "#!/bin/sh\ncase \"$*\" in\n  *--yes*) touch \"$HOME/made\"; echo '{{\"problems\":[]}}'; exit {made} ;;\n  \
         *) echo '{{\"problems\":[]}}' ;;\nesac\n"
    );
    for (name, text) in [("aws", PRETENDS), ("scrybe-keys", &tool), ("sleep", "#!/bin/sh\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = Command::new("bash")
        .arg(drill())
        .arg(dir.path().join("report.md"))
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", dir.path().display()))
        .envs([("HOME", dir.path()), ("TMPDIR", dir.path())])
        .envs([("SCRYBE_LIVE_AWS", "I-accept-costs"), ("SCRYBE_LIVE_ACCOUNT", "111122223333")])
        .output()
        .unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    Some((output, read("calls"), read("report.md")))
}

/// What must be gone in the end, however it ended.
#[track_caller]
fn assert_cleaned_up(calls: &str) {
    for call in [
        "cloudtrail delete-trail",
        "kms schedule-key-deletion --key-id arn:aws:kms:us-west-2:111122223333:key/1234 --pending-window-in-days 7",
        "s3api delete-objects",
        "s3api delete-bucket",
        "logs delete-log-group",
        "cloudwatch delete-alarms --alarm-names scrybe-keys-staging-key-disabled",
        "sns delete-topic",
        "sqs delete-queue",
        "iam delete-role-policy",
    ] {
        assert!(calls.contains(call), "{call} is missing:\n{calls}");
    }
    assert_eq!(calls.matches("iam delete-role --role-name").count(), 4, "{calls}");
}

#[test]
fn live_drill_answers_every_question_and_cleans_up() {
    let Some((output, calls, report)) = rehearse(0) else { return };
    assert!(output.status.success(), "{}", said(&output));
    for answer in [
        "| the application may GenerateDataKey | allowed |",
        "| the application may Encrypt | AccessDeniedException |",
        "| error code of the lockout check | AccessDeniedException |",
        "| ResourceName that LookupEvents takes | arn:aws:kms:us-west-2:111122223333:key/1234 |",
        "| GenerateDataKey while deletion is pending |",
    ] {
        assert!(report.contains(answer), "{answer} is missing:\n{report}\n{}", said(&output));
    }
    // How long depends on the machine; that it was measured does not.
    for question in ["DisableKey stops GenerateDataKey after", "the alarm reaches the queue after"] {
        let line = report.lines().find_map(|line| line.strip_prefix(&format!("| {question} | "))).unwrap_or_default();
        let seconds = line.strip_suffix(" s |").and_then(|seconds| seconds.parse::<u32>().ok());
        assert!(seconds.is_some(), "{question} is not measured:\n{report}");
    }
    assert_cleaned_up(&calls);
}

#[test]
fn live_drill_cleans_up_when_it_fails() {
    let Some((output, calls, _)) = rehearse(6) else { return };
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!calls.contains("disable-key"), "it went on:\n{calls}");
    assert_cleaned_up(&calls);
}
