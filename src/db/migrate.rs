//! The tool's own schema, `scrybe_keys`: embedded migrations, applied by `init` alone.
//!
//! Two `init` at once are safe: the later one waits on an advisory lock that the earlier one's own connection holds, taken
//! before the schema is made. All new migrations and their history rows are one transaction. A schema newer than this binary
//! knows is never touched.

use super::Session;
use super::error::{DbError, DbErrorKind};
use std::time::{Duration, Instant};

mod embedded {
    refinery::embed_migrations!("src/db/migrations");
}

/// Name of the tool's schema.
pub const SCHEMA: &str = "scrybe_keys";
const HISTORY: &str = "scrybe_keys.schema_history";
/// Any number will do, as long as it never changes.
const INSTALL_LOCK: i64 = 0x5c27_be4e_7500_0001;
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// How the tool's schema compares with what this binary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// No schema, or nothing in it.
    Absent,
    Older {
        found: i32,
        known: i32,
    },
    Current(i32),
    Newer {
        found: i32,
        known: i32,
    },
    /// Of a version this binary knows, but made by another text of that migration.
    Divergent(i32),
}

/// A schema that a verb cannot work with.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the tool's schema {SCHEMA} is not installed in this database")]
    Absent,
    #[error("the tool's schema is at version {found}, this binary needs version {known}")]
    Older { found: i32, known: i32 },
    #[error("the tool's schema is at version {found}, this binary knows only up to version {known}")]
    Newer { found: i32, known: i32 },
    /// Another `init` did not finish in time.
    #[error("another init has been holding the installation lock for {} seconds", LOCK_PATIENCE.as_secs())]
    Locked,
    /// The installed schema was made by other migrations than this binary's.
    #[error("the installed schema does not match this binary's migrations")]
    Divergent,
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What `install` found and left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Version before; `None` when there was no schema.
    pub from: Option<i32>,
    pub to: i32,
}

/// Newest schema version this binary knows.
pub fn known_version() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|m| m.version())
        .max()
        .expect("at least one migration is embedded")
}

impl Session {
    /// Compares the installed schema with this binary. Reads the catalogue and, when there is one, the history.
    pub fn schema_state(&mut self) -> Result<SchemaState, DbError> {
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = 'scrybe_keys' AND c.relname = 'schema_history')";
        if !self.client.query_one(sql, &[])?.get::<_, bool>(0) {
            return Ok(SchemaState::Absent);
        }
        let rows = self.client.query(&format!("SELECT version, checksum FROM {HISTORY} ORDER BY version"), &[])?;
        let runner = embedded::migrations::runner();
        let differs = |version: i32, checksum: &str| {
            runner.get_migrations().iter().any(|m| m.version() == version && m.checksum().to_string() != checksum)
        };
        let known = known_version();
        let found = rows.last().map(|row| row.get::<_, i32>(0));
        let divergent = rows.iter().find(|row| differs(row.get(0), row.get(1))).map(|row| row.get(0));
        if let Some(version) = divergent {
            return Ok(SchemaState::Divergent(version));
        }
        Ok(match found {
            None => SchemaState::Absent,
            Some(found) if found < known => SchemaState::Older { found, known },
            Some(found) if found > known => SchemaState::Newer { found, known },
            Some(found) => SchemaState::Current(found),
        })
    }

    /// Refuses unless the installed schema is exactly the one this binary knows.
    pub fn require_schema(&mut self) -> Result<(), SchemaError> {
        match self.schema_state()? {
            SchemaState::Current(_) => Ok(()),
            SchemaState::Absent => Err(SchemaError::Absent),
            SchemaState::Older { found, known } => Err(SchemaError::Older { found, known }),
            SchemaState::Newer { found, known } => Err(SchemaError::Newer { found, known }),
            SchemaState::Divergent(_) => Err(SchemaError::Divergent),
        }
    }

    /// Installs or upgrades the schema. `lock` is a second connection, which holds the lock and does nothing else.
    pub fn install_schema(&mut self, lock: &mut Session) -> Result<Installed, SchemaError> {
        lock.hold_install_lock()?;
        let installed = self.install_locked();
        // Closing the connection frees it too, so a failure here loses nothing.
        let _ = lock.client.execute("SELECT pg_advisory_unlock($1)", &[&INSTALL_LOCK]);
        installed
    }

    fn hold_install_lock(&mut self) -> Result<(), SchemaError> {
        let start = Instant::now();
        while !self
            .client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&INSTALL_LOCK])
            .map_err(DbError::from)?
            .get::<_, bool>(0)
        {
            if start.elapsed() > LOCK_PATIENCE {
                return Err(SchemaError::Locked);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn install_locked(&mut self) -> Result<Installed, SchemaError> {
        let from = match self.schema_state()? {
            SchemaState::Current(found) => return Ok(Installed { from: Some(found), to: found }),
            SchemaState::Newer { found, known } => return Err(SchemaError::Newer { found, known }),
            SchemaState::Divergent(_) => return Err(SchemaError::Divergent),
            SchemaState::Older { found, .. } => Some(found),
            SchemaState::Absent => None,
        };
        // IF NOT EXISTS asks for CREATE on the database even where the schema is there.
        let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'scrybe_keys')";
        if !self.client.query_one(there, &[]).map_err(DbError::from)?.get::<_, bool>(0) {
            self.client.batch_execute("CREATE SCHEMA scrybe_keys").map_err(DbError::from)?;
        }
        let before: String =
            self.client.query_one("SELECT current_setting('search_path')", &[]).map_err(DbError::from)?.get(0);
        self.client.batch_execute("SET search_path = scrybe_keys, pg_catalog").map_err(DbError::from)?;
        let mut runner =
            embedded::migrations::runner().set_grouped(true).set_abort_divergent(true).set_abort_missing(true);
        runner.set_migration_table_name(HISTORY);
        let result = runner.run(&mut self.client);
        self.client.execute("SELECT set_config('search_path', $1, false)", &[&before]).map_err(DbError::from)?;
        result.map_err(migration_error)?;
        Ok(Installed { from, to: known_version() })
    }
}

fn migration_error(error: refinery::Error) -> SchemaError {
    use refinery::error::Kind;
    match error.kind() {
        Kind::DivergentVersion(..) | Kind::MissingVersion(_) | Kind::RepeatedVersion(_) => SchemaError::Divergent,
        Kind::Connection(_, source) => {
            let said = source.downcast_ref::<postgres::Error>().and_then(|e| e.as_db_error());
            let kind = match said.map(|e| e.code()) {
                Some(code) if *code == postgres::error::SqlState::INSUFFICIENT_PRIVILEGE => DbErrorKind::Denied,
                _ => DbErrorKind::Other,
            };
            let message = said.map_or_else(|| source.to_string(), |e| e.message().to_owned());
            SchemaError::Db(DbError {
                kind,
                sqlstate: said.map(|e| e.code().code().to_owned()),
                message: format!("installing the schema: {message}"),
            })
        }
        _ => SchemaError::Db(DbError {
            kind: DbErrorKind::Other,
            sqlstate: None,
            message: format!("installing the schema: {error}"),
        }),
    }
}
