//! What `init` does: the tool's schema, the binding, a first configuration file. Each is done only where it is missing.
//!
//! A database that is bound already is never bound anew: settings of another world are refused here as everywhere.
//! `survey` changes nothing and is all that `init --check` does. The file is written last and holds no secret.

use crate::app::App;
use crate::core::problem::{Problem, Severity};
use crate::db::{Binding, DbError, DbErrorKind, Grant, Installed, Need, SchemaError, SchemaState, Session};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::{self, Journal};
use crate::ops::binding;
use crate::ops::permit::Permit;
use crate::ops::provisioning;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What is there, what is missing, and what `apply` would do.
pub struct Survey {
    /// `None` where this role may not read it: then it is there.
    pub schema: Option<SchemaState>,
    /// The binding that stands.
    pub bound: Option<Binding>,
    /// The binding these settings ask for, or why it cannot be told.
    pub wanted: Result<Binding, Failure>,
    /// The configuration file that is read, if any.
    pub config: Option<PathBuf>,
    /// Where a new one would go; `None` when there is one, in a sandbox, or without a home directory.
    pub new_config: Option<PathBuf>,
    /// What the current role lacks to install.
    pub install_grants: Vec<Grant>,
    /// What the current role lacks to rotate.
    pub rotate_grants: Vec<Grant>,
}

/// What was done.
pub struct Report {
    pub installed: Option<Installed>,
    pub bound_now: bool,
    pub binding: Binding,
    pub config_written: Option<PathBuf>,
}

/// Looks. Refuses only a schema newer than this binary and a binding to another world.
pub fn survey(app: &App, session: &mut Session, sandbox: bool) -> Result<Survey, Failure> {
    let schema = readable(session.schema_state())?;
    let bound = match schema {
        Some(SchemaState::Newer { found, known }) => return Err(SchemaError::Newer { found, known }.into()),
        Some(SchemaState::Divergent(_)) => return Err(SchemaError::Divergent.into()),
        None | Some(SchemaState::Absent) => None,
        Some(SchemaState::Older { .. } | SchemaState::Current(_)) => readable(session.binding())?.flatten(),
    };
    let wanted = binding::of_settings(app, sandbox, audit::actor(app));
    if let Some(bound) = &bound {
        let mut wrong = binding::differences(&app.settings, bound);
        if let Ok(wanted) = &wanted
            && wrong.is_empty()
            && wanted.key_arn != bound.key_arn
        {
            let shown = |arn: &Option<String>| arn.clone().unwrap_or_else(|| "none".to_owned());
            wrong.push(format!(
                "the database is bound to key {}, but the settings lead to {}",
                shown(&bound.key_arn),
                shown(&wanted.key_arn)
            ));
        }
        if !wrong.is_empty() {
            return Err(binding::wrong_world(&wrong));
        }
    }
    let config = app.settings.file.as_ref().map(|f| f.value.clone());
    let in_sandbox = sandbox || bound.as_ref().is_some_and(|b| b.sandbox);
    Ok(Survey {
        new_config: if config.is_none() && !in_sandbox { usual_config(app) } else { None },
        install_grants: match schema {
            None | Some(SchemaState::Current(_)) => Vec::new(),
            _ => session.missing_privileges(&app.settings.map.value, Need::Install)?,
        },
        rotate_grants: session.missing_privileges(&app.settings.map.value, Need::Rotate)?,
        schema,
        bound,
        wanted,
        config,
    })
}

/// `None` for what this role may not read; the missing grants say the rest.
fn readable<T>(answer: Result<T, DbError>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == DbErrorKind::Denied => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Survey {
    /// True when `apply` would change something.
    pub fn has_work(&self) -> bool {
        !matches!(self.schema, Some(SchemaState::Current(_))) || self.bound.is_none() || self.new_config.is_some()
    }

    /// The lines of the plan, in the order they are done.
    pub fn plan(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let known = crate::db::known_version();
        match self.schema {
            Some(SchemaState::Absent) => lines.push(format!("install the tool's schema, version {known}")),
            Some(SchemaState::Older { found, .. }) => {
                lines.push(format!("upgrade the tool's schema from version {found} to {known}"))
            }
            None | Some(SchemaState::Current(_) | SchemaState::Newer { .. } | SchemaState::Divergent(_)) => {}
        }
        if let (None, Ok(wanted)) = (&self.bound, &self.wanted) {
            let key = wanted.key_arn.as_ref().map_or_else(String::new, |arn| format!(" with key {arn}"));
            let world = format!("{} and provider {}", wanted.environment.as_str(), wanted.provider.as_str());
            lines.push(format!("bind this database to {world}{key}"));
        }
        if let Some(path) = &self.new_config {
            lines.push(format!("write {}", path.display()));
        }
        lines
    }

    /// What a plan's agreement is bound to.
    pub fn digest(&self) -> String {
        Sha256::digest(self.plan().join("\n")).iter().take(8).map(|b| format!("{b:02x}")).collect()
    }

    /// Everything missing, each with what to run.
    pub fn problems(&self) -> Vec<Problem> {
        let mut all = Vec::new();
        let mut missing = |code: &str, subject: &str, message: String, hint: &str| {
            all.push(Problem::new(Severity::Warning, code, subject, message, hint));
        };
        match self.schema {
            Some(SchemaState::Absent) => {
                missing("schema-absent", "scrybe_keys", "the tool's schema is not installed".into(), "scrybe-keys init")
            }
            Some(SchemaState::Older { found, known }) => {
                let text = format!("the tool's schema is at version {found}, this binary needs {known}");
                missing("schema-older", "scrybe_keys", text, "scrybe-keys init");
            }
            None | Some(SchemaState::Current(_) | SchemaState::Newer { .. } | SchemaState::Divergent(_)) => {}
        }
        if self.bound.is_none() && self.schema.is_some() {
            missing("not-bound", "binding", "the database is not bound to an environment".into(), "scrybe-keys init");
        }
        if let Err(why) = &self.wanted {
            missing(why.code, "settings", why.message.clone(), why.hints.first().map_or("scrybe-keys context", |h| h));
        }
        let mut seen = Vec::new();
        for grant in self.install_grants.iter().chain(&self.rotate_grants) {
            if !seen.contains(&&grant.sql) {
                seen.push(&grant.sql);
                missing("missing-privilege", "role", format!("missing for {}", grant.why), &grant.sql);
            }
        }
        all
    }
}

/// Does what the survey found missing. What remains after a failure half-way is done by the same command again.
pub fn apply(app: &App, session: &mut Session, survey: Survey, permit: &Permit) -> Result<Report, Failure> {
    permit.covers(&survey.digest())?;
    let wanted = survey.wanted?;
    let Some(schema) = survey.schema else {
        return Err(Failure::new(
            Exit::Denied,
            "missing-privilege",
            "the tool's schema is there, but this role may not use it",
        )
        .hint("`scrybe-keys init --check` prints the GRANTs to run"));
    };
    if let Some(grant) = survey.install_grants.first() {
        return Err(survey.install_grants.iter().fold(
            Failure::new(Exit::Denied, "missing-privilege", format!("this role may not go on: {}", grant.why)),
            |failure, grant| failure.hint(grant.sql.clone()),
        ));
    }
    let mut installed = None;
    if !matches!(schema, SchemaState::Current(_)) {
        let done = session.install_schema(&mut app.connect()?)?;
        installed = Some(done).filter(|i| i.from != Some(i.to));
    }
    let mut journal = Journal::open(app)?;
    if let Some(done) = &installed {
        journal.note("SCHEMA_INSTALLED", "scrybe_keys", json!({"from": done.from, "to": done.to}))?;
    }
    // Another init may have bound it since the survey.
    let before = session.binding()?;
    let binding = match &before {
        Some(bound) => bound.clone(),
        None => {
            let details = json!({"environment": wanted.environment.as_str(), "provider": wanted.provider.as_str(),
                "key": wanted.key_arn, "region": wanted.region, "sandbox": wanted.sandbox});
            let intent = journal.intent("DATABASE_BOUND", "binding", details)?;
            let bound = session.bind(&wanted);
            let ended = json!({"done": bound.is_ok()});
            journal.outcome(&intent, "DATABASE_BOUND", "binding", ended)?;
            bound?
        }
    };
    let wrong = binding::differences(&app.settings, &binding);
    if !wrong.is_empty() {
        return Err(binding::wrong_world(&wrong));
    }
    let config_written = match &survey.new_config {
        Some(path) if write_config(path, &config_text(&binding))? => Some(path.clone()),
        _ => None,
    };
    Ok(Report { installed, bound_now: before.is_none(), binding, config_written })
}

/// `~/.config/scrybe-keys/config.yaml`, where a configuration file is looked for first.
fn usual_config(app: &App) -> Option<PathBuf> {
    let base = match app.env.var("XDG_CONFIG_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(app.env.var("HOME")?).join(".config"),
    };
    Some(base.join("scrybe-keys/config.yaml"))
}

fn config_text(binding: &Binding) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!(
        "# scrybe-keys: settings of this operator. Flags and variables come before what stands here; `scrybe-keys context` shows\n\
         # what applies and why. No secret belongs here: the database address is DATABASE_URL, or a file of its own.\n\n\
         # development, staging or production. Where nothing says it, it is production.\n\
         environment: {}\n\n\
         # Who wraps the DEKs: aws; local and dev never in production.\n\
         kms: {}\n",
        binding.environment.as_str(),
        binding.provider.as_str()
    );
    if let Some(region) = &binding.region {
        text.push_str(&format!("\n# AWS region of the master key.\nregion: {}\n", quoted(region)));
    }
    if let Some(arn) = &binding.key_arn {
        text.push_str(&format!("\n# The master key: id, ARN or alias.\nkey: {}\n", quoted(arn)));
    }
    text.push_str(
        "\n# A file that holds the database address, readable by you alone.\n# database-url-file: database-url\n\
         \n# Which tables and columns are sealed: clinic is built in. In a map of your own a table's `id` is the column that names its\n\
         # rows, or a list where only several are unique together: [orgId, number]. Such a row is reported as [\"north\",\"17\"].\n\
         # data-map: clinic\n\
         \n# How long keys may live, in days; how many organizations one `rotate --due` may start; threads of a move.\n\
         # policy:\n#   dek-max-age-days: 90\n#   cmk-rotation-days: 90\n#   grace-days: 7\n#   max-orgs: 10\n#   workers: 2\n\
         #   lease-seconds: 20      # how long work stays a worker's that gives no sign of life\n\
         \n# What slows moves down. While cells are dark they slow down to floor-rate instead of stopping; organizations are begun in these hours.\n\
         # throttle:\n#   max-rate: 20000        # rows per second, over all processes\n#   floor-rate: 500\n#   max-replica-lag: 10s\n\
         #   max-active-sessions: 40\n#   query: SELECT count(*) > 100 FROM jobs_waiting\n#   flag-file: /run/scrybe-keys.slow\n\
         #   hours: 22:00-05:00\n\
         \n# A command after which the application holds no cached key any more, run when an organization has been moved.\n\
         # after-commit: systemctl restart clinic\n\
         \n# What `create-cmk` makes in AWS, by environment. Names have defaults; who may do what with the key does not.\n",
    );
    text.push_str(&provisioning::example(binding.account.as_deref().unwrap_or("123456789012")));
    text
}

/// Writes the file whole or not at all, for its owner alone. False when one appeared meanwhile: it is left as it is.
fn write_config(path: &Path, text: &str) -> Result<bool, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage("config-unwritable", format!("{} cannot be written", path.display()))
            .hint("the database is ready; settings may also come from flags and variables")
            .caused_by(error)
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error.error)),
    }
}
