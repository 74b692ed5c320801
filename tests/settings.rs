//! Settings end to end, with the real binary: who wins, where a value came from, what is refused, and what is never printed.

use crate::support::cli::{Ran, binary, start};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let offline = [("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")];
    offline.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn run(arguments: &[&str], pairs: &[(&str, &str)]) -> Ran {
    start(binary(arguments, &environment(pairs))).finish()
}

/// `context --json` with provider dev, which asks no KMS; the settings by name.
fn settings(arguments: &[&str], pairs: &[(&str, &str)]) -> BTreeMap<String, (Value, String)> {
    let arguments: Vec<&str> = ["context", "--json"].iter().chain(arguments).copied().collect();
    let answer = run(&arguments, pairs).expect(0).json();
    let rows = answer["data"]["settings"].as_array().unwrap().clone();
    let entry = |row: &Value| {
        (row["name"].as_str().unwrap().to_owned(), (row["value"].clone(), row["origin"].as_str().unwrap().to_owned()))
    };
    rows.iter().map(entry).collect()
}

struct ConfigFile {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn config(text: &str, mode: u32) -> ConfigFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    ConfigFile { _dir: dir, path }
}

impl ConfigFile {
    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

#[test]
fn flag_then_variable_then_file_then_default() {
    let file = config("environment: staging\nkms: dev\nregion: eu-west-3\nkey: alias/file\n", 0o600);
    let with = |arguments: &[&str], pairs: &[(&str, &str)]| {
        let arguments: Vec<&str> = arguments.iter().chain(&["--config", file.path()]).copied().collect();
        settings(&arguments, pairs)
    };
    let by_file = with(&[], &[]);
    assert_eq!(by_file["region"], ("eu-west-3".into(), format!("{}:3", file.path())));
    assert_eq!(by_file["environment"], ("staging".into(), format!("{}:1", file.path())));
    let by_variable =
        with(&[], &[("AWS_REGION", "eu-west-2"), ("SCRYBE_ENV", "development"), ("AWS_KMS_KEY_ID", "1234")]);
    assert_eq!(by_variable["region"], ("eu-west-2".into(), "AWS_REGION".into()));
    assert_eq!(by_variable["environment"], ("development".into(), "SCRYBE_ENV".into()));
    assert_eq!(by_variable["key"], ("1234".into(), "AWS_KMS_KEY_ID".into()));
    let by_flag = with(
        &["--region", "eu-west-1", "--key", "alias/flag"],
        &[("AWS_REGION", "eu-west-2"), ("AWS_KMS_KEY_ID", "1234")],
    );
    assert_eq!(by_flag["region"], ("eu-west-1".into(), "--region".into()));
    assert_eq!(by_flag["key"], ("alias/flag".into(), "--key".into()));
    let by_default = settings(&["--kms", "dev"], &[("NODE_ENV", "production")]);
    assert_eq!(by_default["region"], ("us-west-2".into(), "default".into()));
    assert_eq!(by_default["key"], ("alias/scrybe-phi-master-key-prod".into(), "default".into()));
    assert_eq!(by_default["environment"], ("production".into(), "NODE_ENV".into()));
}

#[test]
fn what_does_not_say_what_it_is_counts_as_production() {
    let ran = run(&["context", "--kms", "dev"], &[("NODE_ENV", "test")]).expect(0);
    ran.says("counts as production").says("NODE_ENV=test");
}

#[test]
fn a_file_is_refused_that_others_can_write_or_that_says_what_nobody_knows() {
    let open = config("kms: dev\n", 0o666);
    run(&["context", "--config", open.path()], &[]).expect(2).says("can be written by others").says("chmod go-w");
    let wrong = config("kms: dev\n\nregoin: eu-west-1\n", 0o600);
    let ran = run(&["context"], &[("SCRYBE_KEYS_CONFIG", wrong.path())]).expect(2);
    ran.says(&format!("{}:3: unknown key `regoin`", wrong.path())).says("did you mean `region`?");
    let broken = config("kms: {dev\n", 0o600);
    run(&["context", "--config", broken.path()], &[]).expect(2).says(&format!("{}:", broken.path()));
}

#[test]
fn the_file_beside_the_work_counts_outside_production_only() {
    let file = config("region: eu-north-1\n", 0o600);
    let dir = file.path.parent().unwrap();
    std::fs::rename(&file.path, dir.join("scrybe-keys.yaml")).unwrap();
    let region = |environment_name: Option<&str>| {
        let mut command = binary(&["context", "--kms", "dev", "--json"], &environment(&[]));
        command.current_dir(dir).args(environment_name.into_iter().flat_map(|name| ["--environment", name]));
        let ran = start(command).finish().expect(0);
        let rows = ran.json()["data"]["settings"].as_array().unwrap().clone();
        (rows.iter().find(|row| row["name"] == "region").unwrap()["value"].as_str().unwrap().to_owned(), ran)
    };
    assert_eq!(region(Some("development")).0, "eu-north-1");
    assert_eq!(region(Some("production")).0, "us-west-2");
    let (unstated, ran) = region(None);
    assert_eq!(unstated, "us-west-2");
    ran.says("./scrybe-keys.yaml is not read");
}

#[test]
fn an_endpoint_or_logging_that_would_betray_is_refused() {
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_ENDPOINT_URL_KMS", "http://10.1.2.3/"),
        ("AWS_ENDPOINT_URL_STS", "ftp://x"),
    ] {
        run(&["health"], &[(name, value)]).expect(2).says(name).says("real AWS");
    }
    run(&["health"], &[("LOG_SENSITIVE_BODIES", "1")]).expect(2).says("LOG_SENSITIVE_BODIES");
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1";
    run(&["health"], &[("AWS_KMS_KEY_ID", arn), ("AWS_REGION", "us-east-1")])
        .expect(2)
        .says("eu-west-1")
        .says("AWS_REGION");
    run(&["health"], &[("SCRYBE_KMS", "azure")]).expect(2).says("SCRYBE_KMS: `azure` is none of aws, local, dev");
}

#[test]
fn the_database_address_is_prismas() {
    let url = "postgresql://app:p%40ss@127.0.0.1:1/clinic?schema=tenant&connection_limit=5&pool_timeout=10&sslmode=disable&connect_timeout=2";
    let ran = run(&["context", "--kms", "dev", "--json"], &[("DATABASE_URL", url)]).expect(0);
    let answer = ran.json();
    assert_eq!(answer["context"]["database"], "app@127.0.0.1:1/clinic");
    assert!(answer["data"]["settings"].to_string().contains("schema tenant"));
    assert_eq!(answer["problems"][0]["code"], "db-unreachable", "{answer}");
    let ran = run(&["context", "--kms", "dev"], &[("DATABASE_URL", url)]).expect(0);
    let ran = ran.says("`connection_limit` is ignored").says("`pool_timeout` is ignored");
    assert!(!format!("{ran:?}").contains("p@ss") && !format!("{ran:?}").contains("p%40ss"));

    let pooled = "postgresql://app:hidden@pool/clinic?pgbouncer=true";
    let ran = run(&["health"], &[("DATABASE_URL", pooled), ("DIRECT_URL", "postgresql://app@db/clinic")]).expect(2);
    assert!(!ran.says("DIRECT_URL").stderr.contains("hidden"));
    run(&["health"], &[("DATABASE_URL", "postgresql://a@h/d?shcema=x")]).expect(2).says("did you mean `schema`?");
    run(&["health"], &[]).expect(2).says("no database is named");
}

#[test]
fn a_password_in_argv_is_warned_about_and_never_repeated() {
    let ran =
        run(&["context", "--kms", "dev", "-vv", "--database-url", "postgresql://app:hidden9@127.0.0.1:1/clinic"], &[])
            .expect(0);
    let ran = ran.says("can be seen by everybody");
    assert!(!ran.stdout.contains("hidden9") && !ran.stderr.contains("hidden9"), "{ran:?}");
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let plain = run(&["frobnicate"], &[]).expect(2);
    assert!(!plain.stderr.contains('\x1b'));
    let coloured = run(&["health", "--color", "always"], &[]).expect(2);
    assert!(coloured.stderr.contains("\x1b[1;31merror:"), "{coloured:?}");
    let never = run(&["health", "--color", "never"], &[("NO_COLOR", "1")]).expect(2);
    assert!(!never.stderr.contains('\x1b'));
}
