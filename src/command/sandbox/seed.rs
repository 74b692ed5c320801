//! `sandbox seed`: started outside, it runs itself again inside the sandbox, because the SDK reads the environment.

use crate::app::{App, Outcome};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::sandbox::clinic::Spec;
use crate::ops::sandbox::place::Place;
use crate::ops::sandbox::seed::seed;
use crate::ops::sandbox::standing::Standing;
use std::process::Command;

#[derive(clap::Args)]
pub struct Args {
    /// Organizations; the first owns half of everything
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    orgs: u64,
    /// Notes, 0.4 to 2 KB each
    #[arg(long, default_value_t = 20_000)]
    notes: u64,
    /// Calls with transcripts of 5 to 40 KB [default: a note in 40]
    #[arg(long)]
    calls: Option<u64>,
    /// Messages [default: a note in 4]
    #[arg(long)]
    messages: Option<u64>,
    /// Submitted forms [default: a note in 10]
    #[arg(long)]
    forms: Option<u64>,
    /// Clients [default: a note in 20]
    #[arg(long)]
    clients: Option<u64>,
    /// Same number, same data
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out "Client".ssn and "healthConditions", as some deployments do
    #[arg(long)]
    without_client_tier2: bool,
    /// Start over when it has data
    #[arg(long)]
    replace: bool,
    #[arg(long, hide = true)]
    pub inside: bool,
}

impl Args {
    fn spec(&self) -> Spec {
        Spec {
            seed: self.seed,
            organizations: self.orgs,
            clients: self.clients.unwrap_or(self.notes / 20),
            notes: self.notes,
            calls: self.calls.unwrap_or(self.notes / 40),
            messages: self.messages.unwrap_or(self.notes / 4),
            forms: self.forms.unwrap_or(self.notes / 10),
            without_client_tier2: self.without_client_tier2,
        }
    }
}

/// Seeding goes through the real SDK, which reads the environment: so it runs inside.
pub fn outside(app: &App, place: Place, args: &Args) -> Result<Outcome, Failure> {
    let mut command = vec![super::program()?.display().to_string()];
    if app.ui.is_json() {
        command.push("--json".to_owned());
    }
    if app.settings.quiet {
        command.push("--quiet".to_owned());
    }
    command.extend(["sandbox", "seed", "--inside"].map(str::to_owned));
    let spec = args.spec();
    for (flag, value) in [
        ("--orgs", spec.organizations),
        ("--notes", spec.notes),
        ("--calls", spec.calls),
        ("--messages", spec.messages),
        ("--forms", spec.forms),
        ("--clients", spec.clients),
        ("--seed", spec.seed),
    ] {
        command.extend([flag.to_owned(), value.to_string()]);
    }
    for (flag, given) in [("--without-client-tier2", args.without_client_tier2), ("--replace", args.replace)] {
        if given {
            command.push(flag.to_owned());
        }
    }
    super::exec(app, place, command)
}

pub fn inside(app: &App, place: Place, args: &Args) -> Result<Outcome, Failure> {
    let standing = Standing::find(place)?;
    let (standing, loaded) = seed(app, standing, args.spec(), args.replace, jiff::Timestamp::now())?;
    bind(app, &standing)?;
    let mut rows: Vec<Vec<String>> = loaded.rows.iter().map(|(table, n)| vec![table.clone(), n.to_string()]).collect();
    rows.insert(0, vec!["Organization".to_owned(), loaded.organizations.len().to_string()]);
    let all: u64 = loaded.rows.iter().map(|(_, n)| n).sum();
    let text =
        format!("{}\n{all} rows in {:.1} s", app.ui.table(&["table", "rows"], &rows, &[1]).trim_end(), loaded.seconds);
    let mut outcome = Outcome::done(&loaded, text)?;
    outcome.changed = true;
    Ok(outcome)
}

/// `init` in the environment that names the new master key: binds the database as a sandbox and installs the tool's schema.
fn bind(app: &App, standing: &Standing) -> Result<(), Failure> {
    let program = super::program()?;
    let output = Command::new(&program)
        .args(["--no-input", "--quiet", "init", "--sandbox"])
        .envs(standing.variables(&app.env, &program))
        .output()
        .map_err(|e| Failure::internal("init could not be run").caused_by(e))?;
    if output.status.success() {
        app.ui.say("Bound the database to this sandbox and installed the tool's own schema (init).");
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(
        Exit::Internal,
        "sandbox-init",
        format!("init in the sandbox failed: {}", said.trim().replace('\n', "; ")),
    ))
}
