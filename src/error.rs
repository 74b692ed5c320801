//! What can go wrong, as the operator meets it: one `Failure`, made from each room's own error type.
//!
//! A room's error says what happened and knows no flag. The one exhaustive match per room in this
//! file adds the exit code and the hints (the next command to type), so a new variant does not compile until someone
//! has thought of advice. The source chain is printed once, by `ui`. Never key bytes, plaintext or a password here.

use crate::exit::Exit;
use std::error::Error as StdError;
use std::fmt;

/// A refusal or fault, ready to be printed: what, why, and what to type next.
pub struct Failure {
    /// Exit code of the process when this ends it.
    pub exit: Exit,
    /// Stable kebab-case name for scripts, e.g. `wrong-binding`.
    pub code: &'static str,
    /// A lower-case fragment without full stop.
    pub message: String,
    /// Where it was learned; printed as a chain.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
    /// Next commands or settings, most useful first.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with no source and no hint yet.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { exit, code, message: message.into(), source: None, hints: Vec::new() }
    }

    /// A wrong command line or configuration (exit 2).
    pub fn usage(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, code, message)
    }

    /// A world that is not as the request assumes (exit 5).
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(Exit::Conflict, code, message)
    }

    /// A fault of the tool itself (exit 1).
    pub fn internal(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Internal, "internal", message)
    }

    /// Adds the next command to type.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Keeps where it was learned.
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Failure {
        self.source = Some(Box::new(source));
        self
    }

    /// Puts what was being done before the message: `while reading chunk 3: …`.
    pub fn during(mut self, what: impl fmt::Display) -> Failure {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The messages of the source chain, outermost first.
    pub fn chain(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut next: Option<&(dyn StdError + 'static)> = match &self.source {
            Some(source) => Some(&**source),
            None => None,
        };
        while let Some(error) = next {
            all.push(error.to_string());
            next = error.source();
        }
        all.dedup();
        all
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl From<crate::core::kms::KmsError> for Failure {
    fn from(error: crate::core::kms::KmsError) -> Failure {
        use crate::core::kms::KmsErrorKind as K;
        let (exit, code, hint) = match error.kind {
            K::Denied => (
                Exit::Denied,
                "kms-denied",
                "the caller lacks a permission on this key: compare `scrybe-keys context` with the key policy",
            ),
            K::NoCredentials => (
                Exit::Denied,
                "kms-no-credentials",
                "give AWS credentials (environment, profile or role), then `scrybe-keys context`",
            ),
            K::ExpiredCredentials => {
                (Exit::Denied, "kms-expired-credentials", "renew the AWS session, then run the same command again")
            }
            K::NotFound => (
                Exit::Conflict,
                "kms-not-found",
                "is this the right --region, --key and AWS account? `scrybe-keys context` shows all three",
            ),
            K::KeyUnusable => (
                Exit::Conflict,
                "kms-key-unusable",
                "`scrybe-keys health` shows the key's state; enable the key in KMS or choose another with --key",
            ),
            K::WrongKey => (
                Exit::Conflict,
                "kms-wrong-key",
                "the ciphertext was made under another CMK: check --key and --region with `scrybe-keys context`",
            ),
            K::InvalidCiphertext => (
                Exit::Conflict,
                "kms-invalid-ciphertext",
                "this KMS did not make this wrapping, or the encryption context differs: `scrybe-keys context`",
            ),
            K::AlreadyExists => (
                Exit::Conflict,
                "kms-already-exists",
                "choose another name, or look at what has it with `scrybe-keys context`",
            ),
            K::Busy => (
                Exit::Conflict,
                "kms-busy",
                "KMS is at work on this key, or about to be: `scrybe-keys health` shows its rotations; run the same command again in half an hour",
            ),
            K::LimitExceeded => {
                (Exit::Conflict, "kms-limit", "this is a hard limit of KMS: trying again does not help")
            }
            K::Unsupported => (
                Exit::Conflict,
                "kms-unsupported",
                "this provider cannot do it: `scrybe-keys context` shows which one is in use",
            ),
            K::Invalid => (Exit::Usage, "kms-invalid-request", "correct the value named above"),
            K::Throttled => (
                Exit::Unreachable,
                "kms-throttled",
                "KMS limits the request rate: run the same command again in a minute",
            ),
            K::WouldSucceed => (
                Exit::Internal,
                "kms-rehearsed",
                "nothing was done: run the same command again with -vv, and report it",
            ),
            K::Unreachable => (
                Exit::Unreachable,
                "kms-unreachable",
                "check the network and the endpoint with `scrybe-keys context`, then run the same command again",
            ),
            K::Unknown => (Exit::Unreachable, "kms-error", "run the same command again with -vv to see the request"),
            K::StoreInUse => (
                Exit::Conflict,
                "local-kms-in-use",
                "another process owns the embedded KMS: talk to its endpoint with --kms aws and AWS_ENDPOINT_URL",
            ),
            K::StoreBroken => (
                Exit::Integrity,
                "local-kms-broken",
                "restore the embedded KMS state file from a copy; nothing was written",
            ),
        };
        let message = error.to_string();
        Failure { exit, code, message, source: None, hints: vec![hint.to_owned()] }
    }
}

impl From<crate::core::surroundings::AwsError> for Failure {
    fn from(error: crate::core::surroundings::AwsError) -> Failure {
        use crate::core::kms::KmsErrorKind as K;
        let message = error.to_string();
        if error.service == "kms" {
            return error.error.into();
        }
        let code = error.error.code.clone().unwrap_or_default();
        let failure = Failure { message, ..Failure::from(error.error.clone()) };
        let (code, hint) = match (error.kind(), code.as_str()) {
            (K::Denied, _) => (
                "aws-denied",
                "the caller lacks this permission: `scrybe-keys create-cmk --print-iam` prints all that are needed",
            ),
            (_, "InvalidCloudWatchLogsRoleArnException") => (
                "logs-role-unusable",
                "make the role first: `scrybe-keys create-cmk iam show CloudTrailToLogs` prints it, audit.logs-role names it",
            ),
            (_, "BucketAlreadyExists") => {
                ("bucket-taken", "another account has a bucket of this name: give audit.bucket another one")
            }
            (K::LimitExceeded, _) => ("aws-limit", "this is a quota of the account: free one, or have it raised"),
            (K::Throttled, _) => {
                ("aws-throttled", "AWS limits the request rate: run the same command again in a minute")
            }
            (K::Unreachable | K::Unknown, _) => (
                "aws-unreachable",
                "check the network and the endpoint (AWS_ENDPOINT_URL), then run the same command again: it goes on",
            ),
            (K::Invalid, _) => ("aws-refused", "correct the value named above in the provision section"),
            _ => return failure,
        };
        Failure { code, hints: vec![hint.to_owned()], ..failure }
    }
}

impl From<crate::ops::sandbox::cluster::ClusterError> for Failure {
    fn from(error: crate::ops::sandbox::cluster::ClusterError) -> Failure {
        use crate::ops::sandbox::cluster::ClusterError as E;
        let (exit, code, hint) = match &error {
            E::NotInstalled => (
                Exit::Conflict,
                "postgresql-not-installed",
                "install PostgreSQL 13 or later: `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora), `brew install postgresql` (macOS)",
            ),
            E::NoAccount(_) => (
                Exit::Conflict,
                "no-server-user",
                "run this as an ordinary user, or make one for the server: `useradd --system postgres`",
            ),
            E::NotOurs(_) => (
                Exit::Conflict,
                "sandbox-not-ours",
                "choose another directory with SCRYBE_SANDBOX_DIR, or move what is there away",
            ),
            E::Absent(_) => (Exit::Conflict, "sandbox-absent", "make one: `scrybe-keys sandbox up`"),
            E::Program { .. } => (
                Exit::Unreachable,
                "postgresql-failed",
                "look at the server's log in the sandbox directory; start over with `scrybe-keys sandbox down`, then `up`",
            ),
            E::Io { .. } => (
                Exit::Internal,
                "sandbox-io",
                "check the owner and free space of the sandbox directory (SCRYBE_SANDBOX_DIR)",
            ),
            E::Random => (Exit::Internal, "no-randomness", "the operating system's random source is not available"),
        };
        let failure = Failure::new(exit, code, error.to_string()).hint(hint);
        match error {
            E::Io { source, .. } => failure.caused_by(source),
            _ => failure,
        }
    }
}

impl From<crate::db::DbError> for Failure {
    fn from(error: crate::db::DbError) -> Failure {
        use crate::db::DbErrorKind as K;
        let no_pg_hba = error.sqlstate.as_deref() == Some("28000") && error.message.contains("pg_hba.conf");
        let (exit, code, hint) = match error.kind {
            K::Unreachable => (
                Exit::Unreachable,
                "db-unreachable",
                "is PostgreSQL running, and are host and port right? `scrybe-keys context` shows them; then run the same command again",
            ),
            K::Tls => (
                Exit::Unreachable,
                "db-tls",
                "give the server's root certificate with sslrootcert=, or say the sslmode= you mean in the database address",
            ),
            K::TooOld => (Exit::Conflict, "db-too-old", "upgrade the server to PostgreSQL 13 or newer"),
            K::Login if no_pg_hba => (
                Exit::Denied,
                "db-no-pg-hba",
                "the server's pg_hba.conf lets nobody in from here: ask for an entry for this user, database, address and TLS mode",
            ),
            K::Login => (
                Exit::Denied,
                "db-login",
                "check user and password in DATABASE_URL, --database-url-file or PGPASSFILE; `scrybe-keys context` shows which one is used",
            ),
            K::NoDatabase => (
                Exit::Conflict,
                "db-no-database",
                "check the database's name in the address with `scrybe-keys context`",
            ),
            K::Denied => {
                (Exit::Denied, "db-denied", "`scrybe-keys init --check` prints what is missing as the GRANTs to run")
            }
            K::Missing => (
                Exit::Conflict,
                "db-missing",
                "the schema or the data map differs from this database: `scrybe-keys init --check`",
            ),
            K::Retry => (Exit::Unreachable, "db-busy", "another session holds the lock: run the same command again"),
            K::Cancelled => {
                (Exit::Unreachable, "db-cancelled", "the server cancelled the statement: run the same command again")
            }
            K::ServerFull => (
                Exit::Unreachable,
                "db-full",
                "free space or memory on the database server, then run the same command again",
            ),
            K::ReadOnly => {
                (Exit::Conflict, "db-read-only", "this is a replica or a read-only session: give the primary's address")
            }
            K::Other => (Exit::Internal, "db-error", "run the same command again with -vv, and report what it says"),
        };
        Failure { exit, code, message: error.to_string(), source: None, hints: vec![hint.to_owned()] }
    }
}

impl From<crate::db::SchemaError> for Failure {
    fn from(error: crate::db::SchemaError) -> Failure {
        use crate::db::SchemaError as E;
        let (code, hint) = match error {
            E::Db(inner) => return inner.into(),
            E::Absent => ("schema-absent", "scrybe-keys init"),
            E::Older { .. } => ("schema-older", "scrybe-keys init"),
            E::Newer { .. } => ("schema-newer", "use the newer scrybe-keys that upgraded this database"),
            E::Locked => ("schema-locked", "look for another scrybe-keys init, then run the same command again"),
            E::Divergent => ("schema-divergent", "use the scrybe-keys that installed it; nothing was changed"),
        };
        Failure::conflict(code, error.to_string()).hint(hint)
    }
}

impl From<crate::db::catalog::CatalogError> for Failure {
    fn from(error: crate::db::catalog::CatalogError) -> Failure {
        use crate::db::catalog::CatalogError as E;
        let message = error.to_string();
        let (code, hint) = match error {
            E::Db(error) => return error.into(),
            E::NoTable { .. } => (
                "no-table",
                "is this the application's database and schema? `scrybe-keys context`; a table that some deployments lack is `optional: true` in the data map",
            ),
            E::NoColumn { .. } => (
                "no-column",
                "correct the data map, or mark the column `optional: true` where some deployments lack it",
            ),
            E::WrongType { .. } => ("wrong-column-type", "correct the column's kind in the data map"),
            E::Generated { .. } => (
                "generated-column",
                "map the column it is computed from: PostgreSQL computes it anew when that one is moved",
            ),
            E::NoKey { .. } => (
                "no-primary-key",
                "name columns that are NOT NULL and together have a valid unique index as the table's id in the data map: `id: id` or `id: [a, b]`",
            ),
            E::Partition { .. } => {
                ("partition-mapped", "name the partitioned table in the data map: its partitions are met by themselves")
            }
            E::Foreign { .. } => (
                "foreign-partition",
                "detach it, or make it a table of this database: cells in another server cannot be moved with these",
            ),
            E::Shared { .. } => {
                ("shared-table", "leave one of the two out of the data map, or end the inheritance from one of them")
            }
            E::UnknownModel { .. } => {
                return Failure::usage("unknown-model", message)
                    .hint("give --model as the data map spells it; `scrybe-keys census` shows each table's cells");
            }
        };
        Failure::conflict(code, message).hint(hint)
    }
}

impl From<crate::ops::sandbox::SandboxError> for Failure {
    fn from(error: crate::ops::sandbox::SandboxError) -> Failure {
        use crate::ops::sandbox::SandboxError as E;
        let (exit, code, hint) = match error {
            E::Cluster(error) => return error.into(),
            E::Db(error) => return error.into(),
            E::NoHome => (Exit::Usage, "no-sandbox-dir", "set SCRYBE_SANDBOX_DIR to a directory of your own"),
            E::Busy(_) => (Exit::Conflict, "sandbox-busy", "wait for it to end, then run the same command again"),
            E::Broken(_) => (Exit::Conflict, "sandbox-broken", "start over: `scrybe-keys sandbox down`, then `up`"),
            E::NotUp(_) => (Exit::Conflict, "sandbox-not-up", "`scrybe-keys sandbox up` starts what does not run"),
            E::Endpoint { .. } => {
                (Exit::Unreachable, "sandbox-endpoint", "read endpoint.log in the sandbox directory, then `up` again")
            }
            E::StillRunning(_) => (Exit::Unreachable, "sandbox-still-running", "end that process, then `down` again"),
            E::Io { .. } => (
                Exit::Internal,
                "sandbox-io",
                "check the owner and free space of the sandbox directory (SCRYBE_SANDBOX_DIR)",
            ),
            E::Random => (Exit::Internal, "no-randomness", "the operating system's random source is not available"),
        };
        let failure = Failure::new(exit, code, error.to_string()).hint(hint);
        match error {
            E::Io { source, .. } => failure.caused_by(source),
            _ => failure,
        }
    }
}
