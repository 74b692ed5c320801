//! The address taken apart, then completed from what surrounds it. Percent-decoding happens here and only once.
//! Where the dialects differ the rule stands at the place that decides it.

use super::parameters::{LIBPQ_ASIDE, PRISMA_ONLY, TAKEN, UNSUPPORTED};
use super::{BadDatabaseUrl, DatabaseUrl, Defaults, TlsMode};
use crate::core::nearest::nearest;
use crate::core::passfile;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The address taken apart; what it does not say is `None`.
#[derive(Default)]
pub(super) struct Parts {
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
    pub(super) fn read(text: &str) -> Result<Parts, BadDatabaseUrl> {
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

    pub(super) fn complete(self, defaults: &Defaults) -> Result<DatabaseUrl, BadDatabaseUrl> {
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
