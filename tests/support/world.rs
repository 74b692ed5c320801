//! A clinic ready to be worked on: database, KMS endpoint, environment, and the manifest of what must stay true.

use super::cli::{self, Ran, Running};
use super::cluster::Database;
use super::endpoint::Endpoint;
use super::foreign::{Check, Seed, Seeded, answer};
use super::python::Python;
use postgres::Client;
use scrybe_keys::db::application::Shape;
use scrybe_keys::ops::sandbox::cluster::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the tests' KMS says it is.
pub const REGION: &str = "us-west-2";

/// One test's world. Dropped, nothing is left of it.
pub struct World {
    pub database: Database,
    pub kms: Endpoint,
    pub seeded: Seeded,
    /// Environment of every command; change it to change the world.
    pub environment: BTreeMap<String, String>,
    context: Option<&'static str>,
    dir: tempfile::TempDir,
    python: Python,
}

impl World {
    /// A seeded clinic of the full deployment, bound by `init`. `None` when the foreign implementation is not there (said on stderr).
    pub fn ready(seed: Seed) -> Option<World> {
        let world = World::unbound(Shape::Full, seed)?;
        world.run(&["init"]).expect(0);
        Some(world)
    }

    /// The same in a cluster of the test's own.
    pub fn on(cluster: &Cluster, seed: Seed) -> Option<World> {
        let python = Python::ready()?;
        let world = World::fill(python, Database::on(cluster, Shape::Full), seed);
        world.run(&["init"]).expect(0);
        Some(world)
    }

    /// A seeded clinic the tool has not seen yet.
    pub fn unbound(shape: Shape, seed: Seed) -> Option<World> {
        let python = Python::ready()?;
        Some(World::fill(python, Database::fresh(shape), seed))
    }

    fn fill(python: Python, database: Database, seed: Seed) -> World {
        let kms = Endpoint::start();
        let dir = tempfile::tempdir().unwrap();
        let mut command = python.script("seed.py");
        connection(&mut command, &database.url, &kms.url, seed.context);
        command
            .arg("--manifest")
            .arg(dir.path().join("manifest.json"))
            .arg("--secrets")
            .arg(dir.path().join("secrets.jsonl"));
        for (flag, number) in [
            ("--orgs", seed.orgs),
            ("--notes", seed.notes),
            ("--note-bytes", seed.note_bytes),
            ("--versions", seed.versions),
        ] {
            command.arg(flag).arg(number.to_string());
        }
        command.args(seed.flaws.iter().flat_map(|flaw| ["--flaw", flaw])).args(seed.dev.then_some("--dev-deks"));
        let made = answer(&mut command).unwrap_or_else(|why| panic!("seed.py: {why}"));
        let seeded = Seeded {
            key_arn: made["keyArn"].as_str().map(str::to_owned),
            organizations: made["organizations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|o| o.as_str().unwrap().to_owned())
                .collect(),
            sealed: made["sealed"].as_u64().unwrap(),
            flawed: made["flawed"].clone(),
        };
        let environment = environment(dir.path(), &database.url, &kms.url, &seeded, seed.dev);
        World { database, kms, seeded, environment, context: seed.context, dir, python }
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).finish()
    }

    /// A copy of the database as it is now, to go back to with `database.restore`.
    pub fn saved(&self) -> Database {
        Database::copy_of(&self.database.name)
    }

    /// The application flips by itself: `insert`, `deactivate` or `both`.
    pub fn application_flips(&self, stage: &str) {
        let mut command = self.python.script("flip.py");
        connection(&mut command, &self.database.url, &self.kms.url, self.context);
        command.arg("--manifest").arg(self.path("manifest.json")).args(["--stage", stage]);
        answer(&mut command).unwrap_or_else(|why| panic!("flip.py: {why}"));
    }

    /// Starts the binary.
    pub fn start(&self, arguments: &[&str]) -> Running {
        cli::start(cli::binary(arguments, &self.environment))
    }

    /// Runs the binary with one more variable.
    pub fn run_with(&self, variable: &str, value: &str, arguments: &[&str]) -> Ran {
        let mut command = cli::binary(arguments, &self.environment);
        command.env(variable, value);
        cli::start(command).finish()
    }

    /// Rotates every organization as cron would in a maintenance window.
    pub fn rotate_all(&self) -> Ran {
        self.run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "--json"])
    }

    /// The first organization.
    pub fn org(&self) -> &str {
        &self.seeded.organizations[0]
    }

    /// A superuser's connection.
    pub fn sql(&self) -> Client {
        self.database.connect()
    }

    /// A file of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `check.py` must be content.
    #[track_caller]
    pub fn check(&self, check: Check) -> Value {
        self.try_check(&check).unwrap_or_else(|why| panic!("the foreign check found trouble: {why}"))
    }

    /// What `check.py` says.
    pub fn try_check(&self, check: &Check) -> Result<Value, String> {
        let mut command = self.python.script("check.py");
        connection(&mut command, &self.database.url, &self.kms.url, self.context);
        command.arg("--manifest").arg(self.path("manifest.json")).arg("--secrets").arg(self.path("secrets.jsonl"));
        if check.with_journal {
            command.arg("--journal").arg(self.path("journal.jsonl"));
        }
        check.apply(&mut command);
        answer(&mut command)
    }

    /// `writer.py`, the live application, ready for its arguments.
    pub fn writer(&self) -> Command {
        let mut command = self.python.script("writer.py");
        connection(&mut command, &self.database.url, &self.kms.url, self.context);
        command.arg("--manifest").arg(self.path("manifest.json")).arg("--journal").arg(self.path("journal.jsonl"));
        command
    }

    /// What must not appear in any output: bare DEKs and plaintexts, as seed and check wrote them down.
    pub fn secrets(&self) -> Vec<Secret> {
        let text = std::fs::read_to_string(self.path("secrets.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// One digest over every row of the application's tables: equal before and after means nothing was written.
    pub fn digest(&self) -> String {
        let mut sql = self.sql();
        let tables = sql
            .query("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", &[])
            .unwrap();
        let mut all = String::new();
        for table in tables {
            let table: String = table.get(0);
            let row = sql
                .query_one(
                    &format!(
                        "SELECT coalesce(md5(string_agg(md5(t::text), '' ORDER BY t::text)), '') FROM public.{table} t"
                    ),
                    &[],
                )
                .unwrap();
            all.push_str(&format!("{table} {}\n", row.get::<_, String>(0)));
        }
        all
    }

    /// Copies every note so often, so that a job takes long enough to be disturbed. `shrink` before the check.
    pub fn grow(&self, times: i32) {
        let copy = "INSERT INTO \"Note\" SELECT (jsonb_populate_record(n, jsonb_build_object('id', 'copy-' || g || '-' || n.id))).* \
                    FROM \"Note\" n, generate_series(1, $1) g";
        self.sql().execute(copy, &[&times]).unwrap();
        self.sql().batch_execute("ANALYZE \"Note\"").unwrap();
    }

    /// Removes what `grow` added.
    pub fn shrink(&self) {
        self.sql().batch_execute("DELETE FROM \"Note\" WHERE id LIKE 'copy-%'").unwrap();
    }

    /// Cells moved by all jobs so far.
    pub fn cells_moved(&self) -> i64 {
        let sum = "SELECT coalesce(sum(cells_moved), 0)::bigint FROM scrybe_keys.job_chunk";
        self.sql().query_one(sum, &[]).unwrap().get(0)
    }

    /// Waits until this run moves cells.
    #[track_caller]
    pub fn wait_until_moving(&self, run: &mut Running) {
        let (before, since) = (self.cells_moved(), std::time::Instant::now());
        while self.cells_moved() == before {
            assert!(run.is_running() && since.elapsed().as_secs() < 60, "it never got to moving cells");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Versions of an organization in life order, with `true` for active.
    pub fn versions(&self, org: &str) -> Vec<(i32, bool)> {
        let rows = self
            .sql()
            .query(
                "SELECT \"keyVersion\", \"isActive\" FROM \"EncryptionKey\" WHERE \"organizationId\" = $1 ORDER BY 1",
                &[&org],
            )
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

/// One thing the product may never show.
#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secret {
    /// 32 bytes in hexadecimal.
    Dek(String),
    Plaintext(String),
}

fn connection(command: &mut Command, database: &str, kms: &str, context: Option<&str>) {
    command.args(["--database-url", database, "--kms", kms, "--region", REGION]);
    command.args(context.iter().flat_map(|context| ["--context", context]));
}

fn environment(home: &Path, database: &str, kms: &str, seeded: &Seeded, dev: bool) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", home.to_str().unwrap()),
        ("TZ", "UTC"),
        ("DATABASE_URL", database),
        ("SCRYBE_ENV", "development"),
        ("SCRYBE_KMS", if dev { "dev" } else { "aws" }),
        ("AWS_ENDPOINT_URL", kms),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(arn) = &seeded.key_arn {
        all.insert("AWS_KMS_KEY_ID".to_owned(), arn.clone());
    }
    all
}
