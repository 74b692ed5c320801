//! `create-cmk policy` and `create-cmk iam`: offline, with the real binary.

use crate::support::cli::{Ran, binary, start};
use crate::support::endpoint::Endpoint;
use crate::support::world::REGION;
use scrybe_keys::core::kms::Kms;
use scrybe_keys::core::policy::roles::ROLES;
use scrybe_keys::core::policy::{Document, differences};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

const TRAP: &str = "tests/policies/two-roles.json";
const CLEAN: &str = "tests/policies/clean.json";

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    start(binary(arguments, &environment)).finish()
}

fn lint(arguments: &[&str]) -> Ran {
    run(&[&["create-cmk", "policy", "lint"], arguments].concat(), &[])
}

#[test]
fn policy_lint_ends_with_what_it_found() {
    let found = lint(&[TRAP]).expect(3);
    for word in ["SEVERITY", "warning", "two-roles", "Recovery", "arn:aws:iam::111122223333:role/oncall"] {
        assert!(found.stdout.contains(word), "{word}: {found:?}");
    }
    assert_eq!(lint(&[TRAP, "--json"]).expect(3).problem_codes(), ["two-roles"]);
    let clean = lint(&[CLEAN]).expect(0).says("nothing found");
    assert!(clean.stderr.is_empty(), "{clean:?}");
    assert!(lint(&[CLEAN, "--json"]).expect(0).problem_codes().is_empty());
}

#[test]
fn policy_lint_reads_no_setting() {
    let environment = [("SCRYBE_ENV", "nonsense"), ("DATABASE_URL", "nonsense"), ("AWS_ENDPOINT_URL", "nonsense")];
    run(&["create-cmk", "policy", "lint", CLEAN, "--config", "/does/not/exist"], &environment).expect(0);
}

#[test]
fn policy_lint_takes_the_caller_and_the_kind_of_key() {
    let locked = "tests/policies/locks-out-caller.json";
    assert!(lint(&[locked, "--json"]).expect(0).problem_codes().is_empty());
    let caller = ["--as", "arn:aws:sts::111122223333:assumed-role/admin/ann", "--json"];
    assert_eq!(lint(&[&[locked], &caller[..]].concat()).expect(3).problem_codes(), ["locks-out-caller"]);
    assert_eq!(lint(&[locked, "--as", "ann", "--json"]).expect(2).problem_codes(), ["bad-principal"]);
    let via = "tests/policies/via-service-shuts-out.json";
    lint(&[via, "--kind", "audit"]).expect(0);
    assert_eq!(lint(&[via, "--kind", "master", "--json"]).expect(3).problem_codes(), ["via-service-shuts-out"]);
}

#[test]
fn policy_lint_says_where_a_document_stops_being_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.json");
    let refused = |text: &[u8]| {
        std::fs::write(&file, text).unwrap();
        let ran = lint(&[file.to_str().unwrap(), "--json"]).expect(2);
        assert_eq!(ran.problem_codes(), ["no-policy-document"]);
        ran.json()["problems"][0]["message"].as_str().unwrap().to_owned()
    };
    assert!(refused(b"{\n \"Statement\": [\n ]\n").contains("policy.json:"));
    assert!(refused(b"{\n \"Statement\": [,]}\n").contains("policy.json:2: "));
    assert!(refused(b"{\n\n\"a\": \"\xff\"}").contains("policy.json:3: not UTF-8"));
    assert!(refused(b"{\"Statement\": [7]}").contains("statement 1 is not an object"));
    assert!(refused(b"").contains("policy.json"));
    assert_eq!(lint(&["/does/not/exist", "--json"]).expect(2).problem_codes(), ["unreadable"]);
}

#[test]
fn policy_lint_reads_what_the_aws_command_prints() {
    let inner = std::fs::read_to_string(TRAP).unwrap();
    let printed = serde_json::json!({"Policy": inner, "PolicyName": "default"}).to_string();
    for text in [inner, printed] {
        let mut command = binary(&["create-cmk", "policy", "lint", "-", "--json"], &BTreeMap::new());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["problems"][0]["code"], "two-roles");
        assert_eq!(answer["data"]["file"], "stdin");
    }
}

const CONFIG: &str = "environment: development
provision:
  development:
    roles:
      policy-administrators: [arn:aws:iam::111122223333:role/pipeline]
      administrators: [arn:aws:iam::111122223333:role/KeyManagementAdmin]
      application: [arn:aws:iam::111122223333:role/clinic]
      application-encrypts: true
      emergency: [arn:aws:iam::111122223333:role/EmergencyKeyAdmin]
      auditors: [arn:aws:iam::111122223333:role/Auditor]
    audit:
      bucket: clinic-logs
      trail: clinic
";

struct Configured {
    file: String,
    _dir: tempfile::TempDir,
}

fn configured(text: &str) -> Configured {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    Configured { file: file.to_str().unwrap().to_owned(), _dir: dir }
}

#[test]
fn policy_shown_is_the_policy_that_is_sent() {
    // Without a log around it, which the embedded endpoint does not have.
    let text = CONFIG.split("    audit:").next().unwrap();
    let config = configured(text);
    let shown = run(&["create-cmk", "policy", "show", "--config", &config.file], &[]).expect(0);
    let shown = Document::parse(&shown.stdout).unwrap();
    assert!(shown.to_json().contains("kms:Encrypt"));

    let kms = Endpoint::start();
    let environment = [
        ("AWS_ENDPOINT_URL", kms.url.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let made = run(&["create-cmk", "--config", &config.file, "--yes"], &environment);
    assert!([0, 3].contains(&made.code()), "{made:?}");
    let direct = kms.direct(REGION);
    let key = direct.list_keys().unwrap().value.remove(0);
    let sent = Document::parse(&direct.key_policy(&key).unwrap().value).unwrap();
    assert_eq!(differences(&sent, &shown), Vec::<String>::new());
}

#[test]
fn policy_show_says_what_the_configuration_lacks() {
    let bare = run(&["create-cmk", "policy", "show", "--environment", "staging", "--json"], &[]).expect(2);
    assert_eq!(bare.problem_codes(), ["no-roles"]);
    let bare = ["create-cmk", "policy", "show", "--kind", "audit", "--environment", "staging", "--json"];
    assert_eq!(run(&bare, &[]).expect(2).problem_codes(), ["no-such-policy"]);
    let config = configured(CONFIG);
    let audit = run(&["create-cmk", "policy", "show", "--kind", "audit", "--config", &config.file], &[]).expect(0);
    assert!(audit.stdout.contains("cloudtrail.amazonaws.com") && audit.stdout.contains("trail/clinic"));
    let both = CONFIG.replace("role/Auditor", "role/clinic");
    let config = configured(&both);
    run(&["create-cmk", "policy", "show", "--config", &config.file], &[]).expect(2).says("are kept apart");
}

#[test]
fn policy_roles_are_printed_ready_to_apply() {
    let listed = run(&["create-cmk", "iam", "show"], &[]).expect(0);
    for role in ROLES {
        assert!(listed.stdout.contains(role.name()) && listed.stdout.contains(role.purpose()), "{role:?}");
        let ran = run(&["create-cmk", "iam", "show", role.name()], &[]).expect(0);
        let whole: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        for (part, key) in [("trust", "TrustPolicy"), ("permissions", "PermissionPolicy")] {
            let alone = run(&["create-cmk", "iam", "show", role.name(), "--document", part], &[]).expect(0);
            let alone: serde_json::Value = serde_json::from_str(&alone.stdout).unwrap();
            assert_eq!(alone, whole[key]);
            // What the printed commands fetch is this.
            assert!(ran.stderr.contains(&format!("create-cmk iam show {} --document {part}", role.name())));
        }
        assert!(ran.stderr.contains("aws iam create-role") && ran.stderr.contains("aws iam put-role-policy"));
    }
    let lower = run(&["create-cmk", "iam", "show", "auditor", "--document", "trust"], &[]).expect(0);
    assert!(lower.stdout.contains("aws:MultiFactorAuthAge"));
    run(&["create-cmk", "iam", "show", "EmergencyKeyAdmi"], &[]).expect(2).says("did you mean EmergencyKeyAdmin?");
    run(&["create-cmk", "iam", "show", "--document", "trust"], &[]).expect(2);
}

#[test]
fn policy_roles_name_what_the_configuration_names() {
    let config = configured(CONFIG);
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1234";
    let show = |role: &str| {
        run(&["create-cmk", "iam", "show", role, "--config", &config.file, "--key", key], &[]).expect(0).stdout
    };
    let emergency = show("EmergencyKeyAdmin");
    assert!(emergency.contains(key) && emergency.contains("role/clinic"), "{emergency}");
    let auditor = show("Auditor");
    assert!(auditor.contains("arn:aws:s3:::clinic-logs/*") && auditor.contains("trail/clinic"), "{auditor}");
    assert!(show("CloudTrailToLogs").contains("arn:aws:cloudtrail:eu-west-1:111122223333:trail/clinic"));
}
