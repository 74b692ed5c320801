//! A clinic without cells: database, KMS endpoint and environment, for tests about records rather than data.
//! Needs nothing foreign; where cells matter, use `world`.

use super::cli::{self, Ran};
use super::cluster::Database;
use super::endpoint::Endpoint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres::Client;
use scrybe_keys::core::kms::{Context, Kms, NewKey};
use scrybe_keys::db::application::Shape;
use std::collections::BTreeMap;

const REGION: &str = "us-west-2";

/// One test's world. Dropped, nothing is left of it.
pub struct Plain {
    pub database: Database,
    /// Absent where the application has no KMS.
    pub kms: Option<Endpoint>,
    pub key_arn: Option<String>,
    /// Environment of every command; change it to change the world.
    pub environment: BTreeMap<String, String>,
    home: tempfile::TempDir,
}

impl Plain {
    /// A database and a KMS with one key whose material rotates every 90 days. Nothing is bound.
    pub fn with_kms() -> Plain {
        let endpoint = Endpoint::start();
        let direct = endpoint.direct(REGION);
        let key = direct.create_key(&NewKey::default()).unwrap().value;
        direct.enable_key_rotation(&key.key_id, 90).unwrap();
        let mut plain = Plain::new("aws");
        let more = [
            ("AWS_ENDPOINT_URL", endpoint.url.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_KMS_KEY_ID", key.arn.as_str()),
        ];
        plain.environment.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        plain.key_arn = Some(key.arn.clone());
        plain.kms = Some(endpoint);
        plain
    }

    /// A database whose application has no KMS.
    pub fn without_kms() -> Plain {
        Plain::new("dev")
    }

    fn new(provider: &str) -> Plain {
        let (database, home) = (Database::fresh(Shape::Full), tempfile::tempdir().unwrap());
        let environment = [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", home.path().to_str().unwrap()),
            ("TZ", "UTC"),
            ("DATABASE_URL", &database.url),
            ("SCRYBE_ENV", "development"),
            ("SCRYBE_KMS", provider),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        Plain { database, kms: None, key_arn: None, environment, home }
    }

    /// `init`, which must succeed.
    pub fn bound(self) -> Plain {
        self.run(&["init"]).expect(0);
        self
    }

    /// The same world for another database role.
    pub fn environment_as(&self, role: &str, password: &str) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        let url = format!("postgresql://{role}:{password}@127.0.0.1:{}/{}", self.database.port, self.database.name);
        environment.insert("DATABASE_URL".into(), url);
        environment
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run_in(&self.environment, arguments)
    }

    /// Runs the binary with one variable changed; an empty value removes it.
    pub fn run_with(&self, variable: &str, value: &str, arguments: &[&str]) -> Ran {
        let mut environment = self.environment.clone();
        environment.remove(variable);
        if !value.is_empty() {
            environment.insert(variable.to_owned(), value.to_owned());
        }
        run_in(&environment, arguments)
    }

    /// A superuser's connection.
    pub fn sql(&self) -> Client {
        self.database.connect()
    }

    /// The operator's home directory.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Adds an organization with one active DEK, wrapped by this world's KMS or bare where it has none. Returns the DEK row's id.
    pub fn add_organization(&self, id: &str) -> String {
        let wrapped = match (&self.kms, &self.key_arn) {
            (Some(kms), Some(arn)) => {
                let made = kms.direct(REGION).generate_data_key_without_plaintext(arn, &Context::new()).unwrap();
                STANDARD.encode(&made.value.wrapped)
            }
            _ => format!("dev:{}", STANDARD.encode(uuid::Uuid::new_v4().as_simple().to_string().as_bytes())),
        };
        let dek = uuid::Uuid::new_v4().to_string();
        let mut sql = self.sql();
        sql.execute("INSERT INTO \"Organization\" (id, name, \"encryptionKeyId\") VALUES ($1, $1, $1)", &[&id])
            .unwrap();
        sql.execute(
            "INSERT INTO \"EncryptionKey\" (id, \"organizationId\", \"encryptedDek\") VALUES ($1, $2, $3)",
            &[&dek, &id, &wrapped],
        )
        .unwrap();
        dek
    }

    /// A login role that may do nothing yet; its name and password.
    pub fn add_role(&self) -> (String, String) {
        let name = format!("r_{}", uuid::Uuid::new_v4().simple());
        let mut sql = self.sql();
        sql.batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD 'let-me-in'")).unwrap();
        (name, "let-me-in".to_owned())
    }
}

/// Runs the binary in an environment.
pub fn run_in(environment: &BTreeMap<String, String>, arguments: &[&str]) -> Ran {
    cli::start(cli::binary(arguments, environment)).finish()
}
