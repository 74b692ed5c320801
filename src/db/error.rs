//! What PostgreSQL or the connection said, sorted by what can be done about it.

use postgres::error::SqlState;
use std::fmt;

/// What an operator or the retry loop can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbErrorKind {
    /// Cannot connect, or the connection was lost.
    Unreachable,
    /// The TLS session could not be made: certificate, roots or a server without TLS.
    Tls,
    /// The server is older than the tool can use.
    TooOld,
    /// Wrong password, no such role, pg_hba.
    Login,
    /// No such database.
    NoDatabase,
    /// Missing privilege or row-level security.
    Denied,
    /// A table or column that is not there.
    Missing,
    /// Lock not available, deadlock, serialization failure: the same transaction may be tried again.
    Retry,
    /// Statement cancelled, by us or an administrator.
    Cancelled,
    /// Disk full or out of memory on the server.
    ServerFull,
    /// Standby, or read-only.
    ReadOnly,
    /// Anything else.
    Other,
}

/// A database call that failed. `Display` never shows a parameter value: PostgreSQL's DETAIL is left out.
#[derive(Debug)]
pub struct DbError {
    pub kind: DbErrorKind,
    /// SQLSTATE when the server answered.
    pub sqlstate: Option<String>,
    pub message: String,
}

impl DbError {
    /// True when the server said no to a row's new value: a constraint, a limit, a trigger.
    pub fn refuses_a_row(&self) -> bool {
        let classes = ["22", "23", "54", "P0"];
        self.sqlstate.as_deref().is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DbError {}

impl From<postgres::Error> for DbError {
    fn from(error: postgres::Error) -> DbError {
        use DbErrorKind as K;
        let Some(db) = error.as_db_error() else {
            let mut message = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                message = format!("{message}: {inner}");
                source = inner.source();
            }
            let about = |word: &str| message.contains(word);
            let kind = if about("TLS") || about("certificate") {
                K::Tls
            } else if error.is_closed() || about("connect") || about("communicating") || about("timed out") {
                K::Unreachable
            } else if about("password missing") || about("authentication") {
                K::Login
            } else {
                K::Other
            };
            return DbError { kind, sqlstate: None, message };
        };
        let code = db.code();
        let kind = match code {
            c if *c == SqlState::INVALID_PASSWORD || *c == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => K::Login,
            c if *c == SqlState::INVALID_CATALOG_NAME => K::NoDatabase,
            c if *c == SqlState::INSUFFICIENT_PRIVILEGE => K::Denied,
            c if *c == SqlState::UNDEFINED_TABLE
                || *c == SqlState::UNDEFINED_COLUMN
                || *c == SqlState::INVALID_SCHEMA_NAME =>
            {
                K::Missing
            }
            c if *c == SqlState::LOCK_NOT_AVAILABLE
                || *c == SqlState::T_R_DEADLOCK_DETECTED
                || *c == SqlState::T_R_SERIALIZATION_FAILURE =>
            {
                K::Retry
            }
            c if *c == SqlState::QUERY_CANCELED => K::Cancelled,
            c if *c == SqlState::READ_ONLY_SQL_TRANSACTION => K::ReadOnly,
            c if c.code().starts_with("53") && *c != SqlState::TOO_MANY_CONNECTIONS || c.code() == "58030" => {
                K::ServerFull
            }
            c if matches!(c.code(), "25P03" | "25P04")
                || c.code().starts_with("57P")
                || c.code().starts_with("08")
                || *c == SqlState::TOO_MANY_CONNECTIONS =>
            {
                K::Unreachable
            }
            _ => K::Other,
        };
        DbError { kind, sqlstate: Some(code.code().to_owned()), message: db.message().to_owned() }
    }
}
