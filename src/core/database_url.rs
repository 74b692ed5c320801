//! The database address in its dialects (libpq URL, Prisma URL, `PG*` variables), parsed and without I/O.
//! The password never leaves through Debug or Display: `shown` is what may be printed.

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
    /// Parameters that were read and left aside, by name, with the reason.
    pub ignored: Vec<String>,
}

impl DatabaseUrl {
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
