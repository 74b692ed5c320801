//! `sandbox`: a place to try everything in, with nothing real in reach.

use crate::app::{App, Outcome};
use crate::config;
use crate::error::Failure;
use crate::exit::Exit;
use crate::local::{self, Engine, Kek};
use crate::ops::sandbox::clinic::Spec;
use crate::ops::sandbox::endpoint::Endpoint;
use crate::ops::sandbox::place::Place;
use crate::ops::sandbox::seed::seed;
use crate::ops::sandbox::standing::{Standing, raze};
use crate::ops::sandbox::{SandboxError, environment};
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Run a throwaway PostgreSQL and AWS endpoint with a clinic's data
///
/// Example: scrybe-keys sandbox up && scrybe-keys sandbox seed && scrybe-keys sandbox exec -- scrybe-keys health
///
/// Everything is on loopback, in one directory (SCRYBE_SANDBOX_DIR, else ~/.local/state/scrybe-keys/sandbox). Undo: sandbox down.
/// Exit codes: 0, 1, 5, 8; exec ends as its command does.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    /// Make the sandbox, or start again what does not run
    Up,
    /// Fill it with several clinics' invented data, sealed as the application seals
    Seed(SeedArgs),
    /// Show what runs and what is in it
    Status,
    /// Stop everything and remove all of it
    Down,
    /// Run a command inside; nothing runs when the sandbox does not
    Exec {
        /// The command and its arguments, after --
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Open a shell inside
    Shell,
    /// Print the environment for eval; `exec` is safer, since an eval of nothing changes nothing
    Env {
        /// Print how to leave it again
        #[arg(long)]
        unset: bool,
    },
    #[command(hide = true)]
    ServeKms {
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

#[derive(clap::Args)]
struct SeedArgs {
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
    inside: bool,
}

impl Args {
    /// Only the part of `seed` that runs inside the sandbox has settings; a wrong one outside must not stop `down`.
    pub fn needs_settings(&self) -> bool {
        matches!(&self.step, Step::Seed(args) if args.inside)
    }

    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let place = Place::of(&app.env)?;
        match self.step {
            Step::Up => up(app, place),
            Step::Seed(args) if args.inside => inside(app, place, args),
            Step::Seed(args) => outside(app, place, args),
            Step::Status => status(app, place),
            Step::Down => down(&place),
            Step::Exec { command } => exec(app, place, command),
            Step::Shell => {
                let shell = app.env.var("SHELL").unwrap_or("/bin/sh").to_owned();
                app.ui.say("A shell inside the sandbox; leave it with `exit`.");
                exec(app, place, vec![shell])
            }
            Step::Env { unset: true } => Outcome::done(json!({}), environment::unsets()),
            Step::Env { unset: false } => env(app, place),
            Step::ServeKms { port } => serve(app, &place, port),
        }
    }
}

impl SeedArgs {
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

fn program() -> Result<PathBuf, Failure> {
    config::own_program().map_err(|e| Failure::internal("this program's own path is unknown").caused_by(e))
}

fn up(app: &App, place: Place) -> Result<Outcome, Failure> {
    let standing = Standing::raise(place, &program()?, jiff::Timestamp::now(), &|text| app.ui.say(text))?;
    let mut outcome = shown(app, &standing)?;
    outcome.changed = true;
    Ok(outcome)
}

fn status(app: &App, place: Place) -> Result<Outcome, Failure> {
    shown(app, &Standing::find(place)?)
}

fn shown(app: &App, standing: &Standing) -> Result<Outcome, Failure> {
    let (cluster, endpoint) = (&standing.cluster, &standing.endpoint);
    let user = cluster.server_user().map(|user| format!(", as {user}")).unwrap_or_default();
    let mut rows = vec![
        vec!["directory".to_owned(), standing.place.dir.display().to_string()],
        vec![
            "PostgreSQL".to_owned(),
            format!("127.0.0.1:{}, process {}{user}", cluster.port(), cluster.pid().unwrap_or_default()),
        ],
        vec!["its files".to_owned(), cluster.home().display().to_string()],
        vec!["AWS endpoint".to_owned(), format!("{}, process {}", endpoint.url(), endpoint.pid)],
        vec!["master key".to_owned(), standing.state.key_arn.clone().unwrap_or("none yet: sandbox seed".to_owned())],
    ];
    if let Some(seeded) = &standing.state.seeded {
        let spec = &seeded.spec;
        let counts = format!(
            "{} notes, {} calls, {} messages, {} forms, {} clients",
            spec.notes,
            spec.calls,
            spec.messages,
            spec.forms,
            spec.clients_made()
        );
        rows.push(vec!["data".to_owned(), counts]);
        rows.extend(
            seeded.organizations.iter().map(|o| vec!["organization".to_owned(), format!("{}  {}", o.id, o.name)]),
        );
    }
    let data = json!({
        "directory": standing.place.dir,
        "database": { "host": "127.0.0.1", "port": cluster.port(), "pid": cluster.pid(), "files": cluster.home() },
        "endpoint": { "url": endpoint.url(), "pid": endpoint.pid },
        "keyArn": standing.state.key_arn,
        "seeded": standing.state.seeded,
    });
    Outcome::done(data, app.ui.table(&["part", "where"], &rows, &[]))
}

fn down(place: &Place) -> Result<Outcome, Failure> {
    let was = raze(place)?;
    let text = if was { "The sandbox is gone; nothing of it is left." } else { "There was no sandbox." };
    let mut outcome = Outcome::done(json!({ "removed": was, "directory": place.dir }), text)?;
    outcome.changed = was;
    Ok(outcome)
}

/// Replaces this process by the command. Fails closed: with any part of the sandbox missing, nothing runs.
fn exec(app: &App, place: Place, command: Vec<String>) -> Result<Outcome, Failure> {
    let standing = Standing::find(place)?;
    let (name, arguments) = command.split_first().expect("clap requires one word");
    let mut child = Command::new(name);
    child.args(arguments);
    for stray in environment::strays(&app.env) {
        child.env_remove(stray);
    }
    child.envs(standing.variables(&app.env, &program()?));
    let error = child.exec();
    Err(Failure::usage("command-not-run", format!("cannot run {name}")).caused_by(error))
}

fn env(app: &App, place: Place) -> Result<Outcome, Failure> {
    let standing = Standing::find(place)?;
    let variables = standing.variables(&app.env, &program()?);
    let data: serde_json::Map<String, serde_json::Value> =
        variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    Outcome::done(json!({ "variables": data }), environment::exports(&variables))
}

/// Seeding goes through the real SDK, which reads the environment: so it runs inside.
fn outside(app: &App, place: Place, args: SeedArgs) -> Result<Outcome, Failure> {
    let mut command = vec![program()?.display().to_string()];
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
    exec(app, place, command)
}

fn inside(app: &App, place: Place, args: SeedArgs) -> Result<Outcome, Failure> {
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
    let program = program()?;
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

fn serve(app: &App, place: &Place, port: u16) -> Result<Outcome, Failure> {
    // A session of its own: it outlives the terminal and hears none of its signals.
    let _ = nix::unistd::setsid();
    let state = place.state()?.ok_or(SandboxError::NotUp("there is none"))?;
    let kek = Kek::parse(state.local_kek()).map_err(|e| Failure::usage("bad-local-kek", e.to_string()))?;
    let engine = Engine::open(&place.kms(), kek)?;
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener =
        bind(port).or_else(|_| bind(0)).map_err(|e| Failure::internal("no port on loopback is free").caused_by(e))?;
    let interrupt = app.interrupt.clone();
    let serving = local::endpoint::serve(engine, listener, move || interrupt.asked())?;
    let pid = i32::try_from(std::process::id()).expect("process ids are positive 32-bit numbers");
    Endpoint { pid, port: serving.address().port() }.announce(place)?;
    serving.wait();
    Outcome::done(json!({}), "")
}
