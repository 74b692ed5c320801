//! The database address in its dialects (libpq URL, Prisma URL, `PG*` variables), parsed and without I/O.
//! The password never leaves through Debug or Display: `shown` is what may be printed, and no error echoes the text.
//!
//! What each parameter means: libpq's list (PostgreSQL docs, 34.1.2) and Prisma's (PostgreSQL connector). Where the two differ
//! (`sslcert`: client certificate or root), the presence of `sslkey` decides. A parameter that neither knows is refused by name.

use super::{nearest::nearest, passfile};
use percent_encoding::percent_decode_str;
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

/// Pool and client options of Prisma that mean nothing to a tool with its own connections.
const PRISMA_ONLY: &[(&str, &str)] = &[
    ("connection_limit", "the tool opens its own few connections"),
    ("pool_timeout", "the tool has no pool"),
    ("statement_cache_size", "the tool keeps its own statements"),
    ("socket_timeout", "the tool sets its own limits"),
    ("max_connection_lifetime", "the tool has no pool"),
    ("max_idle_connection_lifetime", "the tool has no pool"),
    ("single_use_connections", "the tool has no pool"),
];

/// Options of libpq that the tool decides itself or that do not change what is protected.
const LIBPQ_ASIDE: &[(&str, &str)] = &[
    ("keepalives", "the tool sets its own keepalives"),
    ("keepalives_idle", "the tool sets its own keepalives"),
    ("keepalives_interval", "the tool sets its own keepalives"),
    ("keepalives_count", "the tool sets its own keepalives"),
    ("tcp_user_timeout", "the tool sets its own limits"),
    ("client_encoding", "the tool speaks UTF-8"),
    ("fallback_application_name", "the tool says its own name"),
    ("gssencmode", "the tool does not use GSSAPI"),
    ("target_session_attrs", "the tool checks for a primary itself"),
    ("sslsni", "the tool always sends the host name"),
    ("sslcompression", "TLS compression is never used"),
];

/// What is refused, and what to do instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("sslidentity", "turn the PKCS#12 file into PEM (openssl pkcs12 -nodes) and give sslcert and sslkey"),
    ("sslpassword", "turn the PKCS#12 file or encrypted key into plain PEM and give sslcert and sslkey"),
    ("sslcrl", "revocation lists are not read; use sslmode=verify-full with a private root"),
    ("sslcrldir", "revocation lists are not read; use sslmode=verify-full with a private root"),
    ("service", "write the address out, or use PG* variables"),
    ("passfile", "use the variable PGPASSFILE"),
    ("hostaddr", "give the address as host"),
    ("requirepeer", "it is not checked by this tool"),
    ("require_auth", "it is not checked by this tool"),
    ("ssl_min_protocol_version", "TLS 1.2 is the floor"),
    ("ssl_max_protocol_version", "TLS 1.3 is offered"),
    ("sslnegotiation", "TLS is asked for in the PostgreSQL way"),
    ("krbsrvname", "the tool does not use GSSAPI"),
];

const TAKEN: &[&str] = &[
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "schema",
    "sslmode",
    "sslaccept",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "application_name",
    "connect_timeout",
    "options",
    "pgbouncer",
    "channel_binding",
];

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

/// The address taken apart; what it does not say is `None`.
#[derive(Default)]
struct Parts {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    dbname: Option<String>,
    schema: Option<String>,
    sslmode: Option<String>,
    sslaccept: Option<String>,
    sslcert: Option<String>,
    sslkey: Option<String>,
    sslrootcert: Option<String>,
    application_name: Option<String>,
    connect_timeout: Option<String>,
    options: Option<String>,
    channel_binding: bool,
    ignored: Vec<String>,
}

impl Parts {
    fn read(text: &str) -> Result<Parts, BadDatabaseUrl> {
        let rest = text
            .strip_prefix("postgresql://")
            .or_else(|| text.strip_prefix("postgres://"))
            .ok_or(BadDatabaseUrl::Scheme)?;
        let mut parts = Parts::default();
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        if login.is_none() && query.contains('@') {
            return Err(BadDatabaseUrl::Part {
                part: "the password",
                why: "write `?`, `/`, `#` and `@` in it as %3F, %2F, %23 and %40",
            });
        }
        if let Some(login) = login {
            let (user, password) =
                login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
            parts.user = filled(decoded("the user", user)?);
            parts.password = match password {
                Some(password) => filled(decoded("the password", password)?).map(Zeroizing::new),
                None => None,
            };
        }
        parts.place(place)?;
        parts.dbname = filled(decoded("the database name", path)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or(BadDatabaseUrl::Part { part: "the parameter list", why: "a parameter has no `=`" })?;
            let name = decoded("a parameter name", name)?;
            parts.parameter(&name, Zeroizing::new(decoded("a parameter", value)?))?;
        }
        Ok(parts)
    }

    fn place(&mut self, place: &str) -> Result<(), BadDatabaseUrl> {
        if place.contains(',') {
            return Err(BadDatabaseUrl::ManyHosts);
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, after) =
                    rest.split_once(']').ok_or(BadDatabaseUrl::Part { part: "the host", why: "`]` is missing" })?;
                match after.strip_prefix(':') {
                    Some(port) => (host, port),
                    None if after.is_empty() => (host, ""),
                    None => return Err(BadDatabaseUrl::Part { part: "the host", why: "something stands after `]`" }),
                }
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        self.host = filled(decoded("the host", host)?);
        self.port = filled(port.to_owned());
        Ok(())
    }

    fn parameter(&mut self, name: &str, value: Zeroizing<String>) -> Result<(), BadDatabaseUrl> {
        let text = || filled(value.as_str().to_owned());
        match name {
            "host" => self.host = text(),
            "port" => self.port = text(),
            "user" => self.user = text(),
            "password" => self.password = text().map(Zeroizing::new),
            "dbname" => self.dbname = text(),
            "schema" => self.schema = text(),
            "sslmode" => self.sslmode = text(),
            "sslaccept" => self.sslaccept = text(),
            "sslcert" => self.sslcert = text(),
            "sslkey" => self.sslkey = text(),
            "sslrootcert" => self.sslrootcert = text(),
            "application_name" => self.application_name = text(),
            "connect_timeout" => self.connect_timeout = text(),
            "options" => self.options = text(),
            "pgbouncer" => match value.as_str() {
                "true" => return Err(BadDatabaseUrl::Pooler),
                "false" | "" => {}
                _ => return Err(BadDatabaseUrl::Value { name: name.to_owned(), wanted: "true or false" }),
            },
            "channel_binding" => match value.as_str() {
                "require" => self.channel_binding = true,
                "prefer" | "disable" => {}
                _ => return Err(BadDatabaseUrl::Value { name: name.to_owned(), wanted: "require, prefer or disable" }),
            },
            _ => self.left_aside(name)?,
        }
        if self.host.as_ref().is_some_and(|host| host.contains(',')) {
            return Err(BadDatabaseUrl::ManyHosts);
        }
        Ok(())
    }

    fn left_aside(&mut self, name: &str) -> Result<(), BadDatabaseUrl> {
        if let Some((_, why)) = PRISMA_ONLY.iter().chain(LIBPQ_ASIDE).find(|(known, _)| *known == name) {
            self.ignored.push(format!("`{name}` is ignored: {why}"));
            return Ok(());
        }
        if let Some((_, instead)) = UNSUPPORTED.iter().find(|(known, _)| *known == name) {
            return Err(BadDatabaseUrl::Unsupported { name: name.to_owned(), instead });
        }
        if name.is_empty() || name.len() > 40 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(BadDatabaseUrl::Part { part: "the parameter list", why: "a parameter's name is not a word" });
        }
        let known = TAKEN.iter().copied().chain(PRISMA_ONLY.iter().chain(LIBPQ_ASIDE).map(|(known, _)| *known));
        Err(BadDatabaseUrl::Unknown { name: name.to_owned(), nearest: nearest(name, known) })
    }

    fn complete(self, defaults: &Defaults) -> Result<DatabaseUrl, BadDatabaseUrl> {
        let or = |said: Option<String>, default: &Option<String>| said.or_else(|| default.clone());
        let host = or(self.host, &defaults.host).unwrap_or_else(|| "localhost".to_owned());
        let port = match or(self.port, &defaults.port) {
            Some(port) => port
                .parse()
                .ok()
                .filter(|p| *p > 0)
                .ok_or(BadDatabaseUrl::Part { part: "the port", why: "not a number from 1 to 65535" })?,
            None => 5432,
        };
        let user = or(self.user, &defaults.user).ok_or(BadDatabaseUrl::NoUser)?;
        let dbname = or(self.dbname, &defaults.dbname).unwrap_or_else(|| user.clone());
        let password = self
            .password
            .or_else(|| defaults.password.clone())
            .or_else(|| passfile::password_in(defaults.passfile.as_ref()?, &host, port, &dbname, &user));
        let key = or(self.sslkey, &defaults.sslkey);
        let cert = or(self.sslcert, &defaults.sslcert);
        let (client_cert, prisma_root) = if key.is_some() { (cert, None) } else { (None, cert) };
        let root_cert = or(self.sslrootcert, &defaults.sslrootcert)
            .or(prisma_root)
            .filter(|path| path != "system")
            .map(PathBuf::from);
        let tls = tls_mode(or(self.sslmode, &defaults.sslmode), self.sslaccept, root_cert.is_some())?;
        let connect_timeout =
            match or(self.connect_timeout, &defaults.connect_timeout) {
                Some(text) => Some(text.parse().map_err(|_| BadDatabaseUrl::Value {
                    name: "connect_timeout".to_owned(),
                    wanted: "whole seconds",
                })?),
                None => None,
            };
        Ok(DatabaseUrl {
            host,
            port,
            user,
            password,
            dbname,
            schema: self.schema,
            tls,
            root_cert,
            client_cert: client_cert.map(PathBuf::from),
            client_key: key.map(PathBuf::from),
            application_name: self.application_name,
            connect_timeout,
            options: or(self.options, &defaults.options),
            channel_binding: self.channel_binding,
            ignored: self.ignored,
        })
    }
}

/// libpq's `sslmode` and Prisma's `sslaccept` together. `require` with a root certificate verifies it, as libpq does.
fn tls_mode(
    sslmode: Option<String>,
    sslaccept: Option<String>,
    has_root: bool,
) -> Result<Option<TlsMode>, BadDatabaseUrl> {
    let mode = match sslmode.as_deref() {
        None => None,
        Some("disable") => Some(TlsMode::Disable),
        Some("allow" | "prefer") => Some(TlsMode::Prefer),
        Some("require") => Some(TlsMode::Require),
        Some("verify-ca") => Some(TlsMode::VerifyCa),
        Some("verify-full") => Some(TlsMode::VerifyFull),
        Some(_) => {
            return Err(BadDatabaseUrl::Value {
                name: "sslmode".to_owned(),
                wanted: "disable, allow, prefer, require, verify-ca or verify-full",
            });
        }
    };
    match sslaccept.as_deref() {
        None if has_root && mode == Some(TlsMode::Require) => Ok(Some(TlsMode::VerifyCa)),
        None => Ok(mode),
        Some("strict") if mode == Some(TlsMode::Disable) => {
            Err(BadDatabaseUrl::Value { name: "sslaccept".to_owned(), wanted: "left out when sslmode=disable" })
        }
        Some("strict") => Ok(Some(TlsMode::VerifyFull)),
        Some("accept_invalid_certs") => Ok(Some(mode.unwrap_or(TlsMode::Require))),
        Some(_) => {
            Err(BadDatabaseUrl::Value { name: "sslaccept".to_owned(), wanted: "strict or accept_invalid_certs" })
        }
    }
}

fn decoded(part: &'static str, text: &str) -> Result<String, BadDatabaseUrl> {
    let bad = |why| BadDatabaseUrl::Part { part, why };
    let bytes = text.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'%') {
        if !bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
            return Err(bad("a `%` is not followed by two hex digits (write a plain % as %25)"));
        }
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| bad("not UTF-8 after percent-decoding"))?;
    if text.contains('\0') {
        return Err(bad("it holds a NUL"));
    }
    Ok(text.into_owned())
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
#[path = "database_url_tests.rs"]
mod tests;
