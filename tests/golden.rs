//! What a person reads and what a script reads: every verb's text as kept under `tests/golden`, every verb's JSON as described by
//! its schema under `schemas`. A verb without a schema fails, and so does a schema without a verb.

use crate::support::cli::{Ran, binary, start};
use crate::support::foreign::Seed;
use crate::support::golden::{Golden, Mask};
use crate::support::world::World;
use clap::{Command, CommandFactory};
use jsonschema::{Retrieve, Uri, Validator};
use scrybe_keys::app;
use scrybe_keys::command::Cli;
use scrybe_keys::config::Env;
use scrybe_keys::ui::Terminal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names the point at which a run is to die.
const CRASH: &str = "SCRYBE_KEYS_CRASH_AT";

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// Words of every verb that gives an answer of its own.
fn verbs() -> Vec<Vec<String>> {
    fn walk(path: &[String], command: &Command, all: &mut Vec<Vec<String>>) {
        let inner: Vec<&Command> = command.get_subcommands().filter(|c| !c.is_hide_set()).collect();
        if !path.is_empty() && !command.is_subcommand_required_set() {
            all.push(path.to_vec());
        }
        for command in inner {
            walk(&[path, &[command.get_name().to_owned()]].concat(), command, all);
        }
    }
    let mut all = Vec::new();
    walk(&[], &Cli::command(), &mut all);
    all
}

/// Schemas refer to each other by file name.
struct Folder;

impl Retrieve for Folder {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::from_str(&std::fs::read_to_string(uri.path().as_str())?)?)
    }
}

/// Schemas read so far, and which of them an answer with data was held against.
#[derive(Default)]
struct Schemas {
    read: BTreeMap<String, Validator>,
    used: BTreeSet<String>,
}

impl Schemas {
    fn of(&mut self, verb: &str) -> &Validator {
        self.read.entry(verb.to_owned()).or_insert_with(|| {
            let path = schemas().join(format!("{verb}.json"));
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let base = format!("file://{}", path.display());
            let options =
                jsonschema::options().with_retriever(Folder).with_base_uri(base).should_validate_formats(true);
            options.build(&serde_json::from_str(&text).unwrap()).unwrap_or_else(|e| panic!("{verb}: {e}"))
        })
    }

    /// The answer is what its schema says, and the schema would notice a key more or less.
    #[track_caller]
    fn hold(&mut self, verb: &str, ran: &Ran) -> Value {
        let answer = ran.json();
        let validator = self.of(verb);
        let wrong: Vec<String> =
            validator.iter_errors(&answer).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{verb}: {}\n{answer:#}", wrong.join("\n"));
        if answer["data"].is_null() {
            return answer;
        }
        let mut objects = Vec::new();
        objects_in(&answer["data"], "/data".to_owned(), &mut objects);
        for (at, keys) in objects {
            let mut more = answer.clone();
            more.pointer_mut(&at).unwrap()["unheardOf"] = json!(["anything"]);
            assert!(!validator.is_valid(&more), "{verb}: the schema lets any key into {at}");
            for key in keys {
                let mut less = answer.clone();
                less.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(&key);
                assert!(!validator.is_valid(&less), "{verb}: the schema does not miss {key} in {at}");
            }
        }
        self.used.insert(verb.to_owned());
        answer
    }
}

/// Keys that only some answers of a verb have.
const SOMETIMES: [&str; 3] = ["unopenable", "problems", "variables"];

/// Keys of objects whose own keys are somebody else's to say.
const FREE: [&str; 5] = ["details", "variables", "policy", "trustPolicy", "permissionPolicy"];

/// Every object of a fixed shape with the keys it must have. Of a list the first and the last are enough.
fn objects_in(value: &Value, at: String, all: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter().filter(|(key, _)| !FREE.contains(&key.as_str())) {
                objects_in(inner, format!("{at}/{key}"), all);
            }
            all.push((at, map.keys().filter(|key| !SOMETIMES.contains(&key.as_str())).cloned().collect()));
        }
        Value::Array(list) => {
            for index in BTreeSet::from([0, list.len().saturating_sub(1)]).into_iter().filter(|n| *n < list.len()) {
                objects_in(&list[index], format!("{at}/{index}"), all);
            }
        }
        _ => {}
    }
}

#[test]
fn golden_every_verb_has_a_schema_and_every_schema_a_verb() {
    let mut expected: BTreeSet<String> = verbs().iter().map(|words| words.join("-")).collect();
    assert!(expected.len() > 20, "{expected:?}");
    expected.extend(["answer", "usage", "print-iam"].map(str::to_owned));
    let files = std::fs::read_dir(schemas()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let there: BTreeSet<String> = files.map(|name| name.trim_end_matches(".json").to_owned()).collect();
    assert_eq!(there, expected, "schemas/ on the left, verbs on the right");
    let mut schemas = Schemas::default();
    for verb in &there {
        let answer = json!({"schema": format!("scrybe-keys/{verb}/1"), "status": "failed", "exitCode": 1, "changed": false,
            "runId": "0", "context": null, "data": null, "problems": []});
        assert!(schemas.of(verb).is_valid(&answer), "{verb}: a failure without data");
        for (key, value) in [("schema", json!("scrybe-keys/other/1")), ("status", json!("ok")), ("more", json!(1))] {
            let mut other = answer.clone();
            other[key] = value;
            assert!(verb == "answer" || !schemas.of(verb).is_valid(&other), "{verb}: {key} may be anything");
        }
    }
}

/// Runs in this process on a terminal of so many columns (0: pipes); stdout, stderr, exit code.
fn inside(arguments: &[&str], columns: usize) -> String {
    let (terminal, out, err) = Terminal::for_test(columns);
    let argv = std::iter::once("scrybe-keys").chain(arguments.iter().copied()).map(Into::into).collect();
    let exit = app::run(argv, Env::default(), terminal);
    said(&arguments.join(" "), &out.text(), &err.text(), i32::from(exit.code()))
}

fn said(arguments: &str, stdout: &str, stderr: &str, code: i32) -> String {
    let mut text = format!("$ scrybe-keys {arguments}\n{stdout}");
    if !stderr.is_empty() {
        text.push_str(&format!("--- stderr\n{stderr}"));
    }
    text + &format!("--- exit code {code}\n")
}

#[test]
fn golden_help_of_every_verb() {
    let mut golden = Golden::of("help");
    let mut paths: BTreeSet<Vec<String>> = verbs().into_iter().collect();
    // With the groups they stand in, some of which are verbs themselves.
    let groups: Vec<Vec<String>> = paths.iter().flat_map(|p| (0..p.len()).map(|n| p[..n].to_vec())).collect();
    paths.extend(groups);
    for path in paths {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let name = if path.is_empty() { "scrybe-keys".to_owned() } else { path.join("-") };
        golden.compare(&name, &inside(&words, 0));
    }
    golden.compare("short", &inside(&["-h"], 0));
    golden.compare("narrow-and-coloured", &inside(&["keys", "show", "--help"], 60));
    golden.finish();
}

#[test]
fn golden_usage_errors() {
    let mut golden = Golden::of("usage");
    let cases: [(&str, &[&str]); 13] = [
        ("nothing", &[]),
        ("unknown-verb", &["frobnicate"]),
        ("almost-a-verb", &["rotat", "--all"]),
        ("missing-arguments", &["rotate"]),
        ("whose", &["re-encrypt", "--org", "a", "--all"]),
        ("empty-reason", &["rotate", "--all", "--reason", ""]),
        ("due-without-a-number", &["rotate", "--due", "--reason", "policy"]),
        ("bad-sample", &["census", "--sample", "200%"]),
        ("bad-duration", &["re-encrypt", "--all", "--settle", "soon"]),
        ("password-in-a-bad-line", &["context", "--database-urll", "postgresql://a:MARK@h/d"]),
        ("no-database", &["keys", "list", "--environment", "development", "--kms", "dev"]),
        (
            "no-database-coloured",
            &["keys", "list", "--environment", "development", "--kms", "dev", "--color", "always"],
        ),
        ("in-json", &["rotate", "--json"]),
    ];
    for (name, arguments) in cases {
        golden.compare(name, &Mask::default().apply(&inside(arguments, 0)));
    }
    golden.finish();
    let ran = start(binary(&["frobnicate", "--json"], &BTreeMap::new())).finish().expect(2);
    Schemas::default().hold("usage", &ran);
}

/// A bound clinic, its text and its JSON.
struct Clinic {
    world: World,
    mask: Mask,
    golden: Golden,
    schemas: Schemas,
}

impl Clinic {
    fn open(folder: &str, orgs: u32, flaws: &[&'static str]) -> Option<Clinic> {
        let world = World::ready(Seed { orgs, notes: 24, flaws: flaws.to_vec(), ..Seed::default() })?;
        let port_of = |url: &str| url.rsplit(':').next().unwrap().to_owned();
        let key = world.seeded.key_arn.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
        let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
        let mask = Mask::with([
            (world.path("").to_string_lossy().trim_end_matches('/').to_owned(), "<home>"),
            (world.database.name.clone(), "<database>"),
            (world.database.port.to_string(), "<port>"),
            (port_of(&world.kms.url), "<port>"),
            (key[..8].to_owned(), "<key>"),
            (key, "<uuid>"),
            (format!("{user}@{host}"), "<user>@<host>"),
            (host, "<host>"),
        ]);
        Some(Clinic { world, mask, golden: Golden::of(folder), schemas: Schemas::default() })
    }

    /// In text, held against the golden file; then in JSON, held against the schema.
    fn both(&mut self, verb: &str, name: &str, arguments: &[&str], code: i32) -> Value {
        self.text(name, arguments, code);
        self.json(verb, arguments, code)
    }

    fn text(&mut self, name: &str, arguments: &[&str], code: i32) {
        let ran = self.world.run(arguments).expect(code);
        let text = said(&ran.arguments, &ran.stdout, &ran.stderr, code);
        self.golden.compare(name, &self.mask.apply(&text));
    }

    fn json(&mut self, verb: &str, arguments: &[&str], code: i32) -> Value {
        let ran = self.world.run(&[arguments, &["--json"]].concat()).expect(code);
        self.schemas.hold(verb, &ran)
    }

    /// A job whose process died in the middle.
    fn abandon_a_job(&self) {
        let died = self.world.run_with(CRASH, "batch-after-commit", &ROTATE);
        assert!(died.was_killed(), "{died:?}");
    }
}

const ROTATE: [&str; 7] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];

#[test]
fn golden_clinic() {
    let Some(mut clinic) = Clinic::open("clinic", 2, &["corrupted"]) else { return };
    let (org, other) = (clinic.world.seeded.organizations[0].clone(), clinic.world.seeded.organizations[1].clone());
    clinic.both("context", "context", &["context"], 0);
    clinic.both("init", "init-check", &["init", "--check"], 0);
    clinic.both("init", "init-again", &["init"], 0);
    clinic.both("keys-list", "keys-list", &["keys", "list"], 0);
    clinic.text("keys-list-coloured", &["keys", "list", "--color", "always"], 0);
    clinic.both("keys-show", "keys-show", &["keys", "show", &org, "--deep"], 0);
    clinic.text("unknown-organization-coloured", &["keys", "show", "nobody", "--color", "always"], 5);
    clinic.both("census", "census", &["census"], 3);
    clinic.both("census", "census-by-table", &["census", "--by", "table", "--list-unopenable"], 3);
    clinic.text("jobs-list-none", &["jobs", "list"], 0);
    clinic.both("rotate", "rotate-plan", &["rotate", "--all", "--reason", "test", "--dry-run"], 0);
    let rotate = |org| ["rotate", "--org", org, "--reason", "test", "--settle", "0s", "--yes"];
    clinic.text("rotate", &rotate(&org), 3);
    clinic.json("rotate", &rotate(&other), 3);
    clinic.text("keys-list-rotated", &["keys", "list"], 0);
    clinic.both("re-encrypt", "re-encrypt-plan", &["re-encrypt", "--all", "--dry-run"], 0);
    clinic.both("jobs-status", "jobs-status", &["jobs", "status"], 0);
    clinic.both("jobs-attach", "jobs-attach", &["jobs", "attach"], 0);
    clinic.both("jobs-failures", "jobs-failures", &["jobs", "failures"], 3);
    clinic.both("jobs-retry-failed", "jobs-retry-failed", &["jobs", "retry-failed", "latest", "--yes"], 3);
    clinic.text("jobs-cancel-ended", &["jobs", "cancel", "latest", "--yes"], 5);
    clinic.abandon_a_job();
    clinic.both("jobs-list", "jobs-list", &["jobs", "list"], 0);
    clinic.both("jobs-pause", "jobs-pause", &["jobs", "pause", "latest"], 0);
    clinic.both("jobs-tune", "jobs-tune", &["jobs", "tune", "latest", "--max-rate", "2000", "--workers", "4"], 0);
    clinic.text("jobs-status-stopped", &["jobs", "status"], 0);
    clinic.both("jobs-unpause", "jobs-unpause", &["jobs", "unpause", "latest"], 0);
    clinic.both("health", "health", &["health", "--deep"], 3);
    clinic.text("jobs-cancel", &["jobs", "cancel", "latest", "--yes"], 0);
    clinic.abandon_a_job();
    clinic.json("jobs-cancel", &["jobs", "cancel", "latest", "--yes"], 0);
    clinic.both("audit-log", "audit-log", &["audit", "log", "--limit", "12"], 0);
    clinic.both("audit-verify", "audit-verify", &["audit", "verify"], 0);
    clinic.both("rewrap", "rewrap-plan", &["rewrap", "--all", "--reason", "test", "--dry-run"], 0);
    clinic.both("rotate-cmk", "rotate-cmk-plan", &["rotate-cmk", "--reason", "test", "--dry-run"], 0);
    clinic.text("rotate-cmk", &["rotate-cmk", "--reason", "test", "--yes"], 0);
    clinic.json("rotate-cmk", &["rotate-cmk", "--reason", "test", "--yes"], 0);
    clinic.text("rewrap", &["rewrap", "--org", &org, "--reason", "test", "--yes"], 0);
    clinic.json("rewrap", &["rewrap", "--old-material", "--reason", "test", "--yes"], 0);
    clinic.text("rewrap-again", &["rewrap", "--all", "--reason", "test"], 0);
    for (verb, arguments) in [("completions", &["completions", "bash"][..]), ("man", &["man"])] {
        clinic.json(verb, arguments, 0);
    }
    clinic.golden.finish();
    every_verb_answered(&clinic.schemas, |verb| !verb.starts_with("sandbox-") && !verb.starts_with("create-cmk"));
}

#[test]
fn golden_flawed_clinic() {
    let flaws = ["corrupted", "foreign-key", "plaintext", "nested", "orphan"];
    let Some(mut clinic) = Clinic::open("flawed", 1, &flaws) else { return };
    let copied = "CREATE TABLE \"NoteCopy\" AS SELECT content AS body FROM \"Note\" WHERE content LIKE 'enc:%' LIMIT 3";
    clinic.world.sql().batch_execute(copied).unwrap();
    let census = clinic.both("census", "census", &["census", "--list-unopenable"], 3);
    let found = |key: &str| !census["data"][key].as_array().unwrap().is_empty();
    assert!(["nested", "unmapped", "unopenable"].into_iter().all(found), "{census}");
    let all = ["--all", "--reason", "test", "--settle", "0s", "--include-plaintext", "--unwrap-nested"];
    clinic.both("re-encrypt", "plan", &[&["re-encrypt", "--dry-run"], &all[..]].concat(), 0);
    clinic.both("re-encrypt", "moved", &[&["re-encrypt", "--yes"], &all[..]].concat(), 3);
    clinic.text("failures", &["jobs", "failures"], 3);
    clinic.world.sql().batch_execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = 'broken'").unwrap();
    clinic.both("keys-list", "keys-deep", &["keys", "list", "--deep"], 3);
    clinic.golden.finish();
}

#[test]
fn golden_documents() {
    let (mut golden, mut schemas) = (Golden::of("documents"), Schemas::default());
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    let role = "arn:aws:iam::111122223333:role";
    let text = format!(
        "environment: staging\nregion: us-west-2\nprovision:\n  staging:\n    roles:\n      administrators: [{role}/KeyManagementAdmin]\n      \
         application: [{role}/clinic]\n      destroyers: [{role}/KeyDestroyer]\n"
    );
    std::fs::write(&config, text).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let mask = Mask::with([(dir.path().display().to_string(), "<home>")]);
    let mut both = |verb: &str, name: &str, arguments: &[&str], code: i32| {
        let run = |more: &[&str]| start(binary(&[arguments, more].concat(), &BTreeMap::new())).finish().expect(code);
        let ran = run(&[]);
        golden.compare(name, &mask.apply(&said(&ran.arguments, &ran.stdout, &ran.stderr, code)));
        schemas.hold(verb, &run(&["--json"]));
    };
    let lint = |file| ["create-cmk", "policy", "lint", file];
    both("create-cmk-policy-lint", "policy-lint", &lint("tests/policies/admin-with-crypto.json"), 3);
    both("create-cmk-policy-lint", "policy-lint-clean", &lint("tests/policies/clean.json"), 0);
    let show = [&["create-cmk", "policy", "show"], &config[..]].concat();
    both("create-cmk-policy-show", "policy-show", &show, 0);
    both("create-cmk-iam-show", "iam-show", &["create-cmk", "iam", "show"], 0);
    let emergency = [&["create-cmk", "iam", "show", "EmergencyKeyAdmin"], &config[..]].concat();
    both("create-cmk-iam-show", "iam-show-emergency", &emergency, 0);
    both("print-iam", "print-iam-keys-list", &["keys", "list", "--print-iam"], 0);
    both("print-iam", "print-iam-nothing", &["man", "--print-iam"], 0);
    golden.finish();
}

/// No schema is left that only failures were held against.
fn every_verb_answered(schemas: &Schemas, ours: impl Fn(&str) -> bool) {
    let wanted: BTreeSet<String> = verbs().iter().map(|words| words.join("-")).filter(|verb| ours(verb)).collect();
    assert_eq!(schemas.used, wanted, "answers with data on the left, verbs on the right");
}

/// A sandbox in a directory of its own, ended whatever happens.
struct Sandbox {
    environment: BTreeMap<String, String>,
    home: tempfile::TempDir,
}

impl Sandbox {
    fn run(&self, words: &[&str]) -> Ran {
        start(binary(&[&["sandbox"], words].concat(), &self.environment)).finish()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = binary(&["sandbox", "down"], &self.environment).output();
    }
}

#[test]
fn golden_sandbox() {
    let home = tempfile::tempdir().unwrap();
    let (path, at) = ("/usr/local/bin:/usr/bin:/bin".to_owned(), home.path().join("sandbox").display().to_string());
    let environment = [("PATH", path), ("HOME", home.path().display().to_string()), ("SCRYBE_SANDBOX_DIR", at)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
    let sandbox = Sandbox { environment, home };
    let (mut golden, mut schemas) = (Golden::of("sandbox"), Schemas::default());
    let home = |more| Mask::with([(sandbox.home.path().display().to_string(), "<home>")].into_iter().chain(more));
    let text = |ran: Ran| said(&ran.arguments, &ran.stdout, &ran.stderr, ran.code());
    let refused = Mask::default();
    golden.compare("exec-without-one", &refused.apply(&text(sandbox.run(&["exec", "--", "true"]))));
    for verb in ["exec", "shell"] {
        let words: &[&str] = if verb == "exec" { &["exec", "--json", "--", "true"] } else { &["shell", "--json"] };
        schemas.hold(&format!("sandbox-{verb}"), &sandbox.run(words).expect(5));
    }
    schemas.hold("sandbox-status", &sandbox.run(&["status", "--json"]).expect(5));
    schemas.hold("sandbox-up", &sandbox.run(&["up", "--json"]).expect(0));
    let seed = ["seed", "--json", "--orgs", "2", "--notes", "40"];
    schemas.hold("sandbox-seed", &sandbox.run(&seed).expect(0));
    let up = schemas.hold("sandbox-status", &sandbox.run(&["status", "--json"]).expect(0));
    schemas.hold("sandbox-env", &sandbox.run(&["env", "--json"]).expect(0));
    let part = |pointer: &str| up["data"].pointer(pointer).unwrap().to_string().trim_matches('"').to_owned();
    let more = [
        (part("/database/files"), "<files>"),
        (part("/database/port"), "<port>"),
        (part("/database/pid"), "<pid>"),
        (part("/endpoint/url"), "<endpoint>"),
        (part("/endpoint/pid"), "<pid>"),
    ];
    let mask = home(more.to_vec());
    // Who runs PostgreSQL depends on who runs the test.
    let anyone =
        |ran: Ran| text(ran).lines().map(|l| l.split(", as ").next().unwrap().to_owned() + "\n").collect::<String>();
    golden.compare("status", &mask.apply(&anyone(sandbox.run(&["status"]))));
    golden.compare("up-again", &mask.apply(&anyone(sandbox.run(&["up"]))));
    golden.compare("seed-again", &mask.apply(&anyone(sandbox.run(&["seed", "--orgs", "2", "--notes", "40"]))));
    golden.compare("env-unset", &mask.apply(&text(sandbox.run(&["env", "--unset"]))));
    golden.compare("down", &mask.apply(&text(sandbox.run(&["down"]))));
    schemas.hold("sandbox-down", &sandbox.run(&["down", "--json"]).expect(0));
    golden.finish();
    every_verb_answered(&schemas, |verb| {
        verb.starts_with("sandbox-") && !["sandbox-exec", "sandbox-shell"].contains(&verb)
    });
}
