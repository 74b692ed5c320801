//! The database address in its dialects (libpq URL, Prisma URL, `PG*` variables), parsed and without I/O.
//! The password never leaves through Debug or Display: `shown` is what may be printed, and no error echoes the text.
//!
//! What each parameter means: libpq's list (PostgreSQL docs, 34.1.2) and Prisma's (PostgreSQL connector). Where the two differ
//! (`sslcert`: client certificate or root), the presence of `sslkey` decides. A parameter that neither knows is refused by name.

mod parameters;
mod parts;

use parts::Parts;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// How much TLS is asked for, weakest first (libpq's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// A parsed address. `tls: None` means nobody said: the default depends on host and environment.
#[derive(Clone)]
pub struct DatabaseUrl {
    /// Host name, IP, or the directory of a Unix socket (starts with `/`).
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<Zeroizing<String>>,
    pub dbname: String,
    /// Prisma's `schema=`: becomes the data map's schema.
    pub schema: Option<String>,
    pub tls: Option<TlsMode>,
    pub root_cert: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub application_name: Option<String>,
    /// Seconds to wait for a connection.
    pub connect_timeout: Option<u64>,
    /// libpq `options=` text.
    pub options: Option<String>,
    /// `channel_binding=require`: the login must be bound to the TLS session.
    pub channel_binding: bool,
    /// Parameters that were read and left aside, by name, with the reason.
    pub ignored: Vec<String>,
}

/// What the surroundings say about parts an address leaves out (libpq's `PG*` variables and password file), as text.
#[derive(Default)]
pub struct Defaults {
    pub host: Option<String>,
    pub port: Option<String>,
    pub user: Option<String>,
    pub password: Option<Zeroizing<String>>,
    pub dbname: Option<String>,
    pub sslmode: Option<String>,
    pub sslrootcert: Option<String>,
    pub sslcert: Option<String>,
    pub sslkey: Option<String>,
    pub connect_timeout: Option<String>,
    pub options: Option<String>,
    /// The password file's text.
    pub passfile: Option<Zeroizing<String>>,
}

/// Why an address was refused. Names parameters, never their values: a password may stand anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDatabaseUrl {
    #[error("a database address starts with postgresql:// or postgres://")]
    Scheme,
    #[error("several hosts in one address: name the primary alone")]
    ManyHosts,
    #[error("{part} of the database address is not valid: {why}")]
    Part { part: &'static str, why: &'static str },
    #[error("the database address names no user")]
    NoUser,
    #[error("the database address parameter `{name}` is not known{}", .nearest.as_ref().map(|n| format!(": did you mean `{n}`?")).unwrap_or_default())]
    Unknown { name: String, nearest: Option<String> },
    #[error("the database address parameter `{name}` is not supported: {instead}")]
    Unsupported { name: String, instead: &'static str },
    #[error("the database address parameter `{name}` must be {wanted}")]
    Value { name: String, wanted: &'static str },
    #[error("pgbouncer=true: this address is a transaction pooler's, and advisory locks need a session of their own")]
    Pooler,
}

impl DatabaseUrl {
    /// An address that says everything itself.
    pub fn parse(text: &str) -> Result<DatabaseUrl, BadDatabaseUrl> {
        DatabaseUrl::parse_with(text, &Defaults::default())
    }

    /// An address whose missing parts are found in `defaults`, then in libpq's own defaults (localhost, 5432, database named as the user).
    pub fn parse_with(text: &str, defaults: &Defaults) -> Result<DatabaseUrl, BadDatabaseUrl> {
        Parts::read(text)?.complete(defaults)
    }

    /// `user@host:port/dbname`, without the password.
    pub fn shown(&self) -> String {
        format!("{}@{}:{}/{}", self.user, self.host, self.port, self.dbname)
    }

    /// True for a Unix socket or a loopback address.
    pub fn is_local(&self) -> bool {
        self.host.starts_with('/')
            || self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests;
