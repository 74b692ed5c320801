//! `context`: where am I? Every setting with its origin, then what AWS and the database say when asked.
//!
//! Facts are kept apart by who said them. A part that cannot be reached is a row that says so, never a guess and never the end.
//! Reads only; needs no privilege beyond logging in.

use crate::app::{App, Outcome};
use crate::config::{Origin, Provider, Settings};
use crate::core::kms::{Caller, KeyDescription};
use crate::core::problem::{Problem, Severity};
use crate::db::{Binding, SchemaState, ServerFacts};
use crate::error::Failure;
use serde::Serialize;

/// Show where a command would act: every setting and where it came from
///
/// Asks AWS who we are and what state the key is in, and the database where it is, whether it takes writes, and to which
/// environment and key it is bound.
///
/// Example: scrybe-keys context
///
/// Changes nothing, so there is nothing to undo. What cannot be reached is a row that says so. Exit codes: 0, 2.
#[derive(clap::Args)]
pub struct Args {}

/// One line: a setting or a fact, and who says so.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: &'static str,
    /// Null when not set or not known.
    value: Option<String>,
    /// Flag, variable, file and line, or default; for facts, who was asked.
    origin: String,
}

impl Row {
    fn new(name: &'static str, value: impl Into<String>, origin: impl ToString) -> Row {
        Row { name, value: Some(value.into()), origin: origin.to_string() }
    }

    fn missing(name: &'static str, origin: impl ToString) -> Row {
        Row { name, value: None, origin: origin.to_string() }
    }
}

/// What was asked and what came back.
struct Findings {
    rows: Vec<Row>,
    problems: Vec<Problem>,
}

impl Findings {
    /// A question that got no answer: a row, and a problem that is never counted as passed.
    fn unknown(&mut self, name: &'static str, origin: &str, failure: &Failure) {
        self.rows.push(Row::new(name, format!("unknown: {failure}"), origin));
        let hint = failure.hints.first().cloned().unwrap_or_default();
        self.problems.push(Problem::new(Severity::Unknown, failure.code, name, failure.message.clone(), hint));
    }
}

impl Args {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let settings = rows_of(&app.settings);
        // Side by side: each may take its whole timeout.
        let (aws, database) = std::thread::scope(|scope| {
            let aws = scope.spawn(|| ask_kms(app));
            let database = ask_database(app);
            (aws.join(), database)
        });
        let aws = aws.map_err(|_| Failure::internal("asking the KMS failed"))?;
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in settings.iter().chain(&aws.rows).chain(&database.rows) {
            rows.push(vec![
                row.name.to_owned(),
                row.value.clone().unwrap_or_else(|| "-".to_owned()),
                row.origin.clone(),
            ]);
        }
        let text = app.ui.table(&["setting", "value", "from"], &rows, &[]);
        let data = serde_json::json!({ "settings": settings, "kms": aws.rows, "database": database.rows });
        let mut outcome = Outcome::done(data, text)?;
        outcome.problems = aws.problems.into_iter().chain(database.problems).collect();
        outcome.problems.iter().for_each(|problem| app.ui.hint(&format!("{}: {}", problem.subject, problem.hint)));
        Ok(outcome)
    }
}

fn rows_of(settings: &Settings) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.push(match &settings.environment {
        Some(e) => Row::new("environment", e.value.as_str(), &e.origin),
        None => Row::new("environment", "not set: counts as production", Origin::Default),
    });
    rows.push(match &settings.file {
        Some(f) => Row::new("config file", f.value.display().to_string(), &f.origin),
        None => Row::missing("config file", Origin::Default),
    });
    rows.push(match &settings.provider {
        Some(p) => Row::new("kms", p.value.as_str(), &p.origin),
        None => Row::missing("kms", Origin::Default),
    });
    rows.push(Row::new("region", &settings.region.value, &settings.region.origin));
    rows.push(match &settings.key {
        Some(k) => Row::new("key", &k.value, &k.origin),
        None => Row::missing("key", Origin::Default),
    });
    if let Some(endpoint) = &settings.endpoint {
        rows.push(Row::new("endpoint", &endpoint.value, &endpoint.origin));
    }
    if let Some(store) = &settings.local_store {
        rows.push(Row::new("local kms", store.value.display().to_string(), &store.origin));
    }
    rows.push(match &settings.database {
        Some(d) => Row::new("database", d.value.shown(), &d.origin),
        None => Row::missing("database", Origin::Default),
    });
    let map = &settings.map;
    let tables = map.value.tables.len();
    let columns: usize = map.value.tables.iter().map(|table| table.columns.len()).sum();
    rows.push(Row::new(
        "data map",
        format!("schema {}, {tables} tables, {columns} sealed columns", map.value.schema),
        &map.origin,
    ));
    let p = &settings.policy;
    let policy = format!(
        "DEK {} days, CMK {} days, grace {} days, {} workers",
        p.dek_max_age_days, p.cmk_rotation_days, p.grace_days, p.workers
    );
    rows.push(Row::new("policy", policy, &settings.policy_origin));
    rows.push(match &settings.sandbox {
        Some(sandbox) => Row::new("sandbox", &sandbox.value, &sandbox.origin),
        None => Row::new("sandbox", "no", Origin::Default),
    });
    rows
}

fn ask_kms(app: &App) -> Findings {
    let mut found = Findings { rows: Vec::new(), problems: Vec::new() };
    if app.settings.provider.as_ref().is_some_and(|p| p.value == Provider::Dev) {
        found.rows.push(Row::new("key state", "none: dev DEKs are not wrapped", "kms"));
        return found;
    }
    let kms = match app.kms() {
        Ok(kms) => kms,
        Err(failure) => {
            found.unknown("aws caller", "STS", &failure);
            return found;
        }
    };
    match kms.caller() {
        Ok(answer) => {
            let Caller { account, arn } = answer.value;
            found.rows.push(Row::new("aws account", account, "STS"));
            found.rows.push(Row::new("aws caller", arn, "STS"));
        }
        Err(error) => {
            let unreachable = error.kind;
            found.unknown("aws caller", "STS", &error.into());
            use crate::core::kms::KmsErrorKind as K;
            if matches!(unreachable, K::NoCredentials | K::ExpiredCredentials) {
                return found;
            }
        }
    }
    let Some(key) = &app.settings.key else {
        found.rows.push(Row::new("key state", "unknown: no key is named", "KMS"));
        return found;
    };
    match kms.describe_key(&key.value) {
        Ok(answer) => {
            let KeyDescription { arn, state, deletion_at, .. } = answer.value;
            let when = deletion_at.map(|at| format!(", deleted on {at}")).unwrap_or_default();
            found.rows.push(Row::new("key state", format!("{state}{when}"), "KMS"));
            found.rows.push(Row::new("key arn", arn, "KMS"));
        }
        Err(error) => found.unknown("key state", "KMS", &error.into()),
    }
    found
}

fn ask_database(app: &App) -> Findings {
    let mut found = Findings { rows: Vec::new(), problems: Vec::new() };
    let mut session = match app.connect() {
        Ok(session) => session,
        Err(failure) => {
            found.unknown("server", "PostgreSQL", &failure);
            return found;
        }
    };
    match session.server_facts() {
        Ok(facts) => found.rows.extend(rows_of_server(&facts)),
        Err(error) => found.unknown("server", "PostgreSQL", &error.into()),
    }
    let schema = match session.schema_state() {
        Ok(state) => state,
        Err(error) => {
            found.unknown("tool's schema", "PostgreSQL", &error.into());
            return found;
        }
    };
    let installed = match schema {
        SchemaState::Absent => "not installed: `scrybe-keys init`".to_owned(),
        SchemaState::Current(version) => format!("version {version}"),
        SchemaState::Older { found, known } => {
            format!("version {found}, this binary needs {known}: `scrybe-keys init`")
        }
        SchemaState::Newer { found, known } => format!("version {found}, this binary knows only {known}"),
    };
    found.rows.push(Row::new("tool's schema", installed, "PostgreSQL"));
    if schema == SchemaState::Absent {
        found.rows.push(Row::new("binding", "not bound", "PostgreSQL"));
        return found;
    }
    match session.binding() {
        Ok(Some(binding)) => found.rows.push(Row::new("binding", bound_to(&binding), "PostgreSQL")),
        Ok(None) => found.rows.push(Row::new("binding", "not bound", "PostgreSQL")),
        Err(error) => found.unknown("binding", "PostgreSQL", &error.into()),
    }
    found
}

fn rows_of_server(facts: &ServerFacts) -> Vec<Row> {
    let place = match (&facts.address, facts.port) {
        (Some(address), Some(port)) => format!("{address}:{port}"),
        _ => "Unix socket".to_owned(),
    };
    let role = if facts.in_recovery { "replica, takes no writes" } else { "primary" };
    vec![
        Row::new("server", format!("PostgreSQL {}, {role}, {place}", facts.version), "PostgreSQL"),
        Row::new("database user", format!("{} in {}", facts.user, facts.database), "PostgreSQL"),
        Row::new("encrypted", facts.tls.clone().unwrap_or_else(|| "no".to_owned()), "PostgreSQL"),
    ]
}

fn bound_to(binding: &Binding) -> String {
    let mut text = format!("{}, {}", binding.environment.as_str(), binding.provider.as_str());
    for part in [&binding.account, &binding.region, &binding.key_arn].into_iter().flatten() {
        text.push_str(&format!(", {part}"));
    }
    if binding.sandbox {
        text.push_str(", SANDBOX");
    }
    text
}
