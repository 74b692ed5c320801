//! `context`: where am I? Every setting with its origin, then what AWS and the database say when asked.
//!
//! Facts are kept apart by who said them. A part that cannot be reached is a row that says so, never a guess and never the end.
//! Reads only; needs no privilege beyond logging in.

use crate::app::{App, Outcome};
use crate::config::{Origin, Policy, Provider, Settings, Sourced};
use crate::core::data_map::DataMap;
use crate::core::database_url::DatabaseUrl;
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

    /// A setting, perhaps one that nobody set.
    fn of<T>(name: &'static str, setting: Option<&Sourced<T>>, shown: impl Fn(&T) -> String) -> Row {
        let value = setting.map(|setting| shown(&setting.value));
        Row { name, value, origin: setting.map_or(Origin::Default, |setting| setting.origin.clone()).to_string() }
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
        self.rows.push(Row::new(name, format!("unknown: {}", failure.code.replace('-', " ")), origin));
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
        for problem in &outcome.problems {
            app.ui.warn(&format!("{}: {}", problem.subject, problem.message));
            if !problem.hint.is_empty() {
                app.ui.hint(&problem.hint);
            }
        }
        Ok(outcome)
    }
}

fn rows_of(s: &Settings) -> Vec<Row> {
    let environment = match &s.environment {
        None => Row::new("environment", "not set: counts as production", Origin::Default),
        said => Row::of("environment", said.as_ref(), |e| e.as_str().to_owned()),
    };
    let map = |map: &DataMap| {
        let columns: usize = map.tables.iter().map(|table| table.columns.len()).sum();
        format!("schema {}, {} tables, {columns} sealed columns", map.schema, map.tables.len())
    };
    let Policy { dek_max_age_days, cmk_rotation_days, grace_days, max_orgs: _, workers, lease: _ } = &s.policy;
    let policy = format!(
        "DEK {dek_max_age_days} days, CMK {cmk_rotation_days} days, grace {grace_days} days, {workers} workers"
    );
    let mut rows = vec![
        environment,
        Row::of("config file", s.file.as_ref(), |path| path.display().to_string()),
        Row::of("kms", s.provider.as_ref(), |provider| provider.as_str().to_owned()),
        Row::of("region", Some(&s.region), String::clone),
        Row::of("key", s.key.as_ref(), String::clone),
        Row::of("endpoint", s.endpoints.kms(), String::clone),
        Row::of("local kms", s.local_store.as_ref(), |path| path.display().to_string()),
        Row::of("database", s.database.as_ref(), DatabaseUrl::shown),
        Row::of("data map", Some(&s.map), map),
        Row::new("policy", policy, &s.policy_origin),
        match &s.sandbox {
            Some(sandbox) => Row::new("sandbox", &sandbox.value, &sandbox.origin),
            None => Row::new("sandbox", "no", Origin::Default),
        },
    ];
    // What hardly anybody sets is worth a line only when it is set.
    rows.retain(|row| row.value.is_some() || !matches!(row.name, "endpoint" | "local kms"));
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
        SchemaState::Divergent(version) => format!("version {version}, made by another build than this binary"),
    };
    found.rows.push(Row::new("tool's schema", installed, "PostgreSQL"));
    if schema == SchemaState::Absent {
        found.rows.push(Row::new("binding", "not bound", "PostgreSQL"));
        return found;
    }
    match session.binding() {
        Ok(Some(binding)) => {
            found.rows.push(Row::new("binding", bound_to(&binding), "PostgreSQL"));
            found.rows.push(Row::new(
                "bound as",
                if binding.sandbox { "SANDBOX" } else { "not a sandbox" },
                "PostgreSQL",
            ));
        }
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
    text
}
