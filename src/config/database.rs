//! Which database: flag, file, `DATABASE_URL`, `PG*` variables, password file. Parsing itself is `core::database_url`.

use super::{Env, Flags, Origin, Sourced};
use crate::core::database_url::{BadDatabaseUrl, DatabaseUrl, Defaults};
use crate::error::Failure;
use std::path::{Path, PathBuf};

/// The address with its origin; `None` when nobody names a database.
pub(super) fn address(
    flags: &Flags,
    env: &Env,
    file: Option<Sourced<PathBuf>>,
    warnings: &mut Vec<String>,
) -> Result<Option<Sourced<DatabaseUrl>>, Failure> {
    let defaults = defaults(env)?;
    let parse = |text: Sourced<String>| match DatabaseUrl::parse_with(text.value.trim(), &defaults) {
        Ok(url) => Ok(Some(Sourced::new(url, text.origin))),
        Err(error) => Err(refused(error, &text.origin, env)),
    };
    if let Some(url) = &flags.database_url {
        let found = parse(Sourced::new(url.clone(), Origin::Flag("--database-url")))?;
        if found.as_ref().is_some_and(|url| url.value.password.is_some()) && url.contains('@') {
            warnings.push("a password on the command line can be seen by everybody on this machine: use DATABASE_URL, --database-url-file or PGPASSFILE".to_owned());
        }
        return Ok(found);
    }
    if let Some(path) = &flags.database_url_file {
        return parse(Sourced::new(read(path, "--database-url-file")?, Origin::Flag("--database-url-file")));
    }
    if let Some(url) = env.sourced("DATABASE_URL") {
        return parse(url);
    }
    if let Some(name) = ["PGHOST", "PGDATABASE"].into_iter().find(|name| env.var(name).is_some()) {
        return parse(Sourced::new("postgresql://".to_owned(), Origin::Variable(name.to_owned())));
    }
    match file {
        Some(path) => {
            let text = read(&path.value, &path.origin.to_string())?;
            parse(Sourced::new(text, path.origin))
        }
        None => Ok(None),
    }
}

fn read(path: &Path, origin: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::usage("database-url-file", format!("{origin}: {} cannot be read", path.display())).caused_by(error)
    })
}

fn refused(error: BadDatabaseUrl, origin: &Origin, env: &Env) -> Failure {
    let failure = Failure::usage("bad-database-url", format!("{origin}: {error}"));
    match error {
        BadDatabaseUrl::Pooler if env.var("DIRECT_URL").is_some() => {
            failure.hint("DIRECT_URL is set: run with DATABASE_URL=\"$DIRECT_URL\"")
        }
        BadDatabaseUrl::Pooler => {
            failure.hint("give the database's own address (the application calls it DIRECT_URL), not the pooler's")
        }
        _ => failure,
    }
}

/// What `PG*` variables say about parts an address leaves out.
fn defaults(env: &Env) -> Result<Defaults, Failure> {
    let text = |name: &str| env.var(name).map(str::to_owned);
    Ok(Defaults {
        host: text("PGHOST"),
        port: text("PGPORT"),
        user: text("PGUSER").or_else(operating_system_user),
        password: text("PGPASSWORD").map(zeroize::Zeroizing::new),
        dbname: text("PGDATABASE"),
        sslmode: text("PGSSLMODE"),
        sslrootcert: text("PGSSLROOTCERT"),
        sslcert: text("PGSSLCERT"),
        sslkey: text("PGSSLKEY"),
        connect_timeout: text("PGCONNECT_TIMEOUT"),
        options: text("PGOPTIONS"),
        passfile: passfile(env),
    })
}

fn operating_system_user() -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name)
}

/// The password file's text; one that others can read is left aside, as libpq does.
fn passfile(env: &Env) -> Option<zeroize::Zeroizing<String>> {
    use std::os::unix::fs::PermissionsExt;
    let path = match env.var("PGPASSFILE") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env.var("HOME")?).join(".pgpass"),
    };
    let about = std::fs::metadata(&path).ok()?;
    if !about.is_file() || about.permissions().mode() & 0o077 != 0 {
        return None;
    }
    std::fs::read_to_string(path).ok().map(zeroize::Zeroizing::new)
}
