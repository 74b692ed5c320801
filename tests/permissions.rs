//! What a verb says it needs of AWS, what it asks for, and what IAM is given: the same. Read from the whole tree of verbs, and from the
//! request log of the embedded endpoint while real verbs run.

use crate::support::cli::{Ran, binary, start};
use crate::support::endpoint::Endpoint;
use crate::support::foreign::Seed;
use crate::support::world::{REGION, World};
use clap::{Command, CommandFactory};
use scrybe_keys::app;
use scrybe_keys::command::Cli;
use scrybe_keys::config::Env;
use scrybe_keys::core::permissions;
use scrybe_keys::core::policy::Document;
use scrybe_keys::ui::Terminal;
use std::collections::{BTreeMap, BTreeSet};

/// Words of every command that can be run, hidden ones too.
fn verbs() -> Vec<Vec<String>> {
    fn walk(path: &[String], command: &Command, all: &mut Vec<Vec<String>>) {
        if !path.is_empty() && !command.is_subcommand_required_set() {
            all.push(path.to_vec());
        }
        for inner in command.get_subcommands() {
            walk(&[path, &[inner.get_name().to_owned()]].concat(), inner, all);
        }
    }
    let mut all = Vec::new();
    walk(&[], &Cli::command(), &mut all);
    assert!(all.len() > 25);
    all
}

/// Runs in this process; stdout, stderr, exit code.
fn inside(arguments: &[&str], env: &Env) -> (String, String, u8) {
    let (terminal, out, err) = Terminal::for_test(0);
    let argv = std::iter::once("scrybe-keys").chain(arguments.iter().copied()).map(Into::into).collect();
    let exit = app::run(argv, env.clone(), terminal);
    (out.text(), err.text(), exit.code())
}

/// IAM actions of a document.
fn actions(document: &Document) -> BTreeSet<String> {
    document.statements.iter().flat_map(|s| s.action.clone().unwrap().0).collect()
}

/// An environment in which nothing can be reached.
fn nowhere() -> Env {
    let pairs = [
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("SCRYBE_ENV", "staging"),
    ];
    Env(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

#[test]
fn permissions_every_verb_has_a_row_and_every_row_a_verb() {
    let paths: BTreeSet<String> = verbs().into_iter().map(|words| words.join("-")).collect();
    let rows: BTreeSet<String> = permissions::verbs().map(str::to_owned).collect();
    assert_eq!(rows, paths, "rows of core::permissions on the left, verbs on the right");
}

#[test]
fn permissions_of_every_verb_are_printed_with_nothing_at_hand() {
    for words in verbs() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--print-iam"]).collect();
        for env in [Env::default(), nowhere()] {
            let (out, err, code) = inside(&arguments, &env);
            assert_eq!(code, 0, "{words:?}: {err}");
            // A verb that needs nothing has a document without statements, and says so.
            let document = Document::parse(&out).unwrap_or_else(|e| panic!("{words:?}: {e}\n{out}"));
            let row = permissions::of(&words.join("-")).iter();
            let row = row.filter(|action| action.resource != permissions::Resource::Sandbox);
            let expected: BTreeSet<String> =
                row.flat_map(|action| permissions::iam_actions(action.service, action.operation)).collect();
            assert_eq!(actions(&document), expected, "{words:?}");
            assert_eq!(err.contains("needs no permission of AWS"), expected.is_empty(), "{words:?}: {err}");
            assert!(document.statements.iter().all(|s| s.resource.as_ref().is_some_and(|r| !r.0.is_empty())));
        }
    }
}

#[test]
fn permissions_name_the_configured_key_and_region() {
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234";
    let key = |arguments: &[&str]| {
        let (out, _, code) = inside(&[&["census", "--print-iam"], arguments].concat(), &Env::default());
        assert_eq!(code, 0);
        Document::parse(&out).unwrap().statements[0].resource.clone().unwrap().0
    };
    assert_eq!(key(&["--key", arn]), [arn]);
    assert_eq!(key(&["--key", "1234", "--region", "eu-west-2"]), ["arn:aws:kms:eu-west-2:ACCOUNT:key/1234"]);
    assert_eq!(key(&["--key", "alias/phi"]), ["arn:aws:kms:REGION:ACCOUNT:key/KEY-ID"]);
    assert_eq!(key(&["--config", "/does/not/exist"]), ["arn:aws:kms:REGION:ACCOUNT:key/KEY-ID"]);
}

#[test]
fn permissions_of_a_group_are_those_of_its_verbs() {
    let of = |arguments: &[&str]| {
        let (out, err, code) = inside(arguments, &Env::default());
        assert_eq!(code, 0, "{err}");
        actions(&Document::parse(&out).unwrap())
    };
    assert_eq!(of(&["jobs", "--print-iam"]), of(&["jobs", "retry-failed", "--print-iam"]));
    let all = of(&["--print-iam"]);
    assert!(all.contains("kms:CreateKey") && all.contains("s3:PutLifecycleConfiguration"));
    assert!(all.iter().all(|action| !action.contains('*') && !action.starts_with("sts:")), "{all:?}");
}

#[test]
fn permissions_leave_wrong_command_lines_to_the_parser() {
    for (arguments, code) in [
        (vec!["frobnicate", "--print-iam"], 2),
        (vec!["rotate", "--print-iam", "--frobnicate"], 2),
        (vec!["rotate", "--print-iam", "--timeout", "soon"], 2),
        (vec!["rotate", "--print-iam", "--help"], 0),
    ] {
        let (out, _, exit) = inside(&arguments, &Env::default());
        assert_eq!(exit, code, "{arguments:?}");
        assert!(!out.contains("Statement"), "{arguments:?}: {out}");
    }
}

/// What stands around a key is asked for through one adapter: every operation it has is in the row of the verb that uses them all.
#[test]
fn permissions_name_every_operation_of_the_adapter_around_the_key() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws/surroundings");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let Some(service) = text.split("const SERVICE: &str = \"").nth(1).map(|rest| rest.split('"').next().unwrap())
        else {
            continue;
        };
        let calls = text.split("call(SERVICE, \"").skip(1).chain(text.split("const OPERATION: &str = \"").skip(1));
        for operation in calls.map(|rest| rest.split('"').next().unwrap()) {
            assert!(permissions::allows("create-cmk", service, operation), "{service}:{operation} has no row");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen} calls were found: does the adapter still look like this?");
}

/// What was called, by name of the operation.
struct Called<'a> {
    kms: &'a Endpoint,
    environment: &'a BTreeMap<String, String>,
    covered: BTreeSet<String>,
}

impl Called<'_> {
    fn operations(&self, after: u64) -> BTreeSet<String> {
        self.kms.engine.requests(after).into_iter().map(|request| request.operation).collect()
    }

    fn ran(&self, arguments: &[&str]) -> Ran {
        start(binary(arguments, self.environment)).finish()
    }

    /// Runs it, and holds what it called against what `--print-iam` prints for the same words: nothing more, and all that has no `when`.
    #[track_caller]
    fn holds(&mut self, arguments: &[&str], code: i32) {
        let after = self.kms.engine.requests(0).last().map_or(0, |request| request.number);
        let ran = self.ran(arguments).expect(code);
        let called = self.operations(after);
        let printed = self.ran(&[arguments, &["--print-iam", "--json"]].concat()).expect(0).json();
        assert_eq!(self.operations(after), called, "printing asked for something");
        let rows = printed["data"]["actions"].as_array().unwrap().clone();
        let named = |when: fn(&serde_json::Value) -> bool| -> BTreeSet<String> {
            rows.iter().filter(|row| when(row)).map(|row| row["operation"].as_str().unwrap().to_owned()).collect()
        };
        assert!(called.is_subset(&named(|_| true)), "{arguments:?} called {called:?}\n{ran:?}");
        let always = named(|row| row["when"].is_null());
        assert!(always.is_subset(&called), "{arguments:?} called {called:?}, and says that it always calls {always:?}");
        let policy = Document::parse(&printed["data"]["policy"].to_string()).unwrap();
        for row in rows.iter().filter(|row| called.contains(row["operation"].as_str().unwrap())) {
            for action in row["iamActions"].as_array().unwrap() {
                assert!(actions(&policy).contains(action.as_str().unwrap()), "{arguments:?}: {action}");
            }
        }
        self.covered.extend(called);
    }
}

#[test]
fn permissions_printed_are_the_calls_that_are_made() {
    let Some(mut world) = World::ready(Seed { orgs: 1, notes: 6, ..Seed::default() }) else { return };
    let org = world.org().to_owned();
    let arn = world.seeded.key_arn.clone().unwrap();
    let id = arn.rsplit('/').next().unwrap().to_owned();
    use scrybe_keys::core::kms::Kms;
    world.kms.direct(REGION).create_alias("alias/permissions", &id).unwrap();
    for key in [arn.as_str(), "alias/permissions"] {
        world.environment.insert("AWS_KMS_KEY_ID".to_owned(), key.to_owned());
        let mut called = Called { kms: &world.kms, environment: &world.environment, covered: BTreeSet::new() };
        called.holds(&["context"], 0);
        called.holds(&["init", "--check"], 0);
        called.holds(&["init"], 0);
        called.holds(&["keys", "list"], 0);
        called.holds(&["keys", "show", &org, "--deep"], 0);
        called.holds(&["census"], 0);
        called.holds(&["audit", "log"], 0);
        called.holds(&["audit", "verify"], 0);
        called.holds(&["rotate", "--org", &org, "--reason", "test", "--settle", "0s", "--yes"], 0);
        called.holds(&["re-encrypt", "--all", "--reason", "test", "--settle", "0s", "--yes"], 0);
        called.holds(&["rotate-cmk", "--reason", "test", "--yes"], 0);
        called.holds(&["rewrap", "--all", "--reason", "test", "--yes"], 0);
        called.holds(&["rewrap", "--all", "--reason", "test", "--yes"], 0);
        called.holds(&["jobs", "list"], 0);
        called.holds(&["jobs", "status"], 0);
        called.holds(&["jobs", "failures"], 0);
        let health = called.ran(&["health", "--deep"]).code();
        called.holds(&["health"], health);
        called.holds(&["health", "--deep", "--record"], health);
        for operation in
            ["DescribeKey", "Decrypt", "GenerateDataKey", "GetCallerIdentity", "ReEncrypt", "RotateKeyOnDemand"]
        {
            assert!(called.covered.contains(operation), "{operation} was never called: {:?}", called.covered);
        }
    }
}

#[test]
fn permissions_of_steering_a_job_are_the_calls_that_are_made() {
    let Some(mut world) = World::ready(Seed { orgs: 1, notes: 24, flaws: vec!["corrupted"], ..Seed::default() }) else {
        return;
    };
    let id = world.seeded.key_arn.clone().unwrap().rsplit('/').next().unwrap().to_owned();
    use scrybe_keys::core::kms::Kms;
    world.kms.direct(REGION).create_alias("alias/permissions", &id).unwrap();
    world.environment.insert("AWS_KMS_KEY_ID".to_owned(), "alias/permissions".to_owned());
    let rotate = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];
    assert!(world.run_with("SCRYBE_KEYS_CRASH_AT", "batch-after-commit", &rotate).was_killed());
    let mut called = Called { kms: &world.kms, environment: &world.environment, covered: BTreeSet::new() };
    called.holds(&["jobs", "pause", "latest"], 0);
    called.holds(&["jobs", "tune", "latest", "--max-rate", "2000"], 0);
    called.holds(&["jobs", "unpause", "latest"], 0);
    called.holds(&rotate, 3);
    called.holds(&["jobs", "attach"], 0);
    called.holds(&["jobs", "failures"], 3);
    called.holds(&["jobs", "retry-failed", "latest", "--yes"], 3);
    assert!(world.run_with("SCRYBE_KEYS_CRASH_AT", "batch-after-commit", &rotate).was_killed());
    let mut called = Called { kms: &world.kms, environment: &world.environment, covered: BTreeSet::new() };
    called.holds(&["jobs", "cancel", "latest", "--yes"], 0);
    called.holds(&["re-encrypt", "--all", "--settle", "0s", "--yes"], 3);
    assert!(called.covered.contains("DescribeKey") && called.covered.contains("Decrypt"));
}

#[test]
fn permissions_of_provisioning_a_key_are_the_calls_that_are_made() {
    let kms = Endpoint::start();
    let home = tempfile::tempdir().unwrap();
    let environment: BTreeMap<String, String> = [
        ("HOME", home.path().to_str().unwrap()),
        ("SCRYBE_ENV", "development"),
        ("SCRYBE_KMS", "aws"),
        ("AWS_ENDPOINT_URL", &kms.url),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut called = Called { kms: &kms, environment: &environment, covered: BTreeSet::new() };
    called.holds(&["create-cmk", "--dry-run"], 3);
    called.holds(&["create-cmk", "--yes"], 0);
    called.holds(&["create-cmk", "--yes"], 0);
    for operation in ["CreateKey", "CreateAlias", "EnableKeyRotation", "ListAliases", "DescribeKey"] {
        assert!(called.covered.contains(operation), "{operation}: {:?}", called.covered);
    }
}
