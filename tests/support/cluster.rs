//! One throwaway PostgreSQL for all test processes of a run, and a fresh database for each test.
//!
//! The first process makes the cluster, the others find it; `reaper.py` stops it when no process has held the lock on
//! `users` for a while, however the processes ended. Databases are copies of a template with the application's tables.

use postgres::{Client, NoTls};
use scrybe_keys::db::application::{Shape, schema};
use scrybe_keys::ops::sandbox::cluster::{Cluster, Options};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

fn template(shape: Shape) -> &'static str {
    match shape {
        Shape::Full => "app_full",
        Shape::WithoutClientTier2 => "app_without_tier2",
    }
}

/// The running cluster; its lock on `users` is held until this process ends.
pub struct Shared {
    cluster: Cluster,
    _using: File,
}

/// The cluster every test shares. Panics when PostgreSQL is not installed: nothing can be tested without it.
pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
        std::fs::create_dir_all(&dir).unwrap();
        let using = File::create(dir.join("users")).unwrap();
        using.lock_shared().unwrap();
        let starting = File::create(dir.join("start.lock")).unwrap();
        starting.lock().unwrap();
        let settings = vec!["autovacuum_naptime = '5s'".to_owned()];
        let options = Options { durable: false, max_connections: 200, settings };
        let cluster = Cluster::ensure(&dir.join("cluster"), options)
            .unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error}"));
        make_templates(&cluster);
        start_reaper(&dir);
        Shared { cluster, _using: using }
    })
}

fn make_templates(cluster: &Cluster) {
    let mut admin = Client::connect(&cluster.url("postgres"), NoTls).unwrap();
    for shape in [Shape::Full, Shape::WithoutClientTier2] {
        let (name, making) = (template(shape), format!("{}_making", template(shape)));
        if admin.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).unwrap().is_some() {
            continue;
        }
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {making}")).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {making}")).unwrap();
        Client::connect(&cluster.url(&making), NoTls).unwrap().batch_execute(&schema(shape)).unwrap();
        admin.batch_execute(&format!("ALTER DATABASE {making} RENAME TO {name}")).unwrap();
    }
}

fn start_reaper(dir: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/reaper.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    if let Err(error) = command.spawn() {
        eprintln!("the shared PostgreSQL in {} will not be stopped by itself: {error}", dir.display());
    }
}

/// Address of a database of the shared cluster, with the superuser's password.
pub fn shared_url(database: &str) -> String {
    shared().cluster.url(database)
}

/// A database of one test, dropped with the value.
pub struct Database {
    pub name: String,
    pub url: String,
    pub port: u16,
    admin: String,
}

impl Database {
    /// A copy of the deployment's empty tables.
    pub fn fresh(shape: Shape) -> Database {
        Database::copy_of(template(shape))
    }

    /// A copy of another database of the shared cluster to which nobody is connected.
    pub fn copy_of(original: &str) -> Database {
        let database = Database::named(&shared().cluster);
        database.admin().batch_execute(&format!("CREATE DATABASE {} TEMPLATE {original}", database.name)).unwrap();
        database
    }

    /// The deployment's empty tables in a cluster of the test's own.
    pub fn on(cluster: &Cluster, shape: Shape) -> Database {
        let database = Database::named(cluster);
        database.admin().batch_execute(&format!("CREATE DATABASE {}", database.name)).unwrap();
        database.connect().batch_execute(&schema(shape)).unwrap();
        database
    }

    fn named(cluster: &Cluster) -> Database {
        let name = format!("t_{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        Database { url: cluster.url(&name), port: cluster.port(), admin: cluster.url("postgres"), name }
    }

    /// Makes this database a copy of `original` again, whoever is connected to it.
    pub fn restore(&self, original: &Database) {
        let mut admin = self.admin();
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE {}", self.name, original.name)).unwrap();
    }

    /// A superuser's connection, for the test's own SQL.
    pub fn connect(&self) -> Client {
        Client::connect(&self.url, NoTls).unwrap()
    }

    /// A superuser's connection to another database of the same cluster.
    pub fn admin(&self) -> Client {
        Client::connect(&self.admin, NoTls).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(mut admin) = Client::connect(&self.admin, NoTls) {
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// A directory for one test's own cluster, for tests that break the server itself.
pub fn own_cluster(settings: Vec<String>) -> (tempfile::TempDir, Cluster) {
    let parent = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::Builder::new()
        .prefix("cluster-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .tempdir_in(parent)
        .unwrap();
    let cluster =
        Cluster::start(&dir.path().join("cluster"), Options { durable: false, max_connections: 40, settings }).unwrap();
    (dir, cluster)
}
