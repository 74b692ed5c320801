//! `sandbox`: a place to try everything in, with nothing real in reach. `seed` has a file of its own.

mod seed;

use crate::app::{App, Outcome};
use crate::config;
use crate::error::Failure;
use crate::local::{self, Engine, Kek};
use crate::ops::sandbox::endpoint::Endpoint;
use crate::ops::sandbox::place::Place;
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
    Seed(seed::Args),
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

impl Args {
    /// Only the part of `seed` that runs inside the sandbox has settings; a wrong one outside must not stop `down`.
    pub fn needs_settings(&self) -> bool {
        matches!(&self.step, Step::Seed(args) if args.inside)
    }

    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let place = Place::of(&app.env)?;
        match self.step {
            Step::Up => up(app, place),
            Step::Seed(args) if args.inside => seed::inside(app, place, &args),
            Step::Seed(args) => seed::outside(app, place, &args),
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
