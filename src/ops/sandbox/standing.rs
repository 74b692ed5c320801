//! A sandbox that stands: both servers running, made or repaired by `raise`, found by `find`, removed by `raze`.

use super::SandboxError;
use super::cluster::{Cluster, Options};
use super::endpoint::Endpoint;
use super::environment::{self, DATABASE};
use super::place::{Place, State};
use crate::config::Env;
use crate::core::database_url::DatabaseUrl;
use crate::db::Session;
use std::fs;
use std::path::Path;

/// What runs inside reads this in place of the operator's own configuration.
const CONFIG: &str = "# The sandbox. Settings come from the environment that `scrybe-keys sandbox exec` gives.\n";

/// Both servers, and what is remembered of them.
pub struct Standing {
    pub place: Place,
    pub state: State,
    pub cluster: Cluster,
    pub endpoint: Endpoint,
}

impl Standing {
    /// Makes the sandbox, starts what does not run, leaves alone what does. Twice is as good as once.
    pub fn raise(
        place: Place,
        program: &Path,
        now: jiff::Timestamp,
        said: &dyn Fn(&str),
    ) -> Result<Standing, SandboxError> {
        let _hold = place.hold()?;
        let mut state = match place.state()? {
            Some(state) => state,
            None => State::fresh(now)?,
        };
        place.remember(&state)?;
        if !place.config().exists() {
            place.write_private(&place.config(), CONFIG.as_bytes())?;
        }
        if Cluster::attach(&place.cluster()).is_ok_and(|c| c.pid().is_some()) {
            said("PostgreSQL is running already.");
        } else {
            said("Starting a PostgreSQL of its own.");
        }
        let cluster = Cluster::ensure(&place.cluster(), Options::default())?;
        if !admin(&cluster)?.has_database(DATABASE)? {
            admin(&cluster)?.replace_database(DATABASE)?;
            state.seeded = None;
            place.remember(&state)?;
        }
        if Endpoint::running(&place).is_some() {
            said("The AWS endpoint is running already.");
        } else {
            said("Starting the embedded AWS endpoint.");
        }
        let endpoint = Endpoint::ensure(&place, &mut state, program)?;
        Ok(Standing { place, state, cluster, endpoint })
    }

    /// The sandbox, if all of it runs. Starts nothing.
    pub fn find(place: Place) -> Result<Standing, SandboxError> {
        let state = place.state()?.ok_or(SandboxError::NotUp("there is none"))?;
        let cluster = Cluster::attach(&place.cluster())?;
        if cluster.pid().is_none() {
            return Err(SandboxError::NotUp("PostgreSQL does not run"));
        }
        let endpoint = Endpoint::running(&place).ok_or(SandboxError::NotUp("the AWS endpoint does not answer"))?;
        Ok(Standing { place, state, cluster, endpoint })
    }

    /// The environment for everything that runs inside.
    pub fn variables(&self, env: &Env, program: &Path) -> Vec<(String, String)> {
        environment::variables(&self.place, &self.state, &self.cluster, &self.endpoint, env, program)
    }

    /// A connection beside the application's database, to make and drop it.
    pub fn admin(&self) -> Result<Session, SandboxError> {
        admin(&self.cluster)
    }
}

/// Stops both servers and removes everything the sandbox made. False when there was nothing.
pub fn raze(place: &Place) -> Result<bool, SandboxError> {
    if !fs::exists(&place.dir).map_err(SandboxError::io("look at", &place.dir))? {
        return Ok(false);
    }
    let _hold = place.hold()?;
    let was = place.state().ok().flatten().is_some();
    Endpoint::stop(place)?;
    match Cluster::attach(&place.cluster()) {
        Ok(cluster) => cluster.remove()?,
        Err(super::cluster::ClusterError::Absent(_)) => {}
        Err(error) => return Err(error.into()),
    }
    place.clear()?;
    Ok(was)
}

fn admin(cluster: &Cluster) -> Result<Session, SandboxError> {
    let url = DatabaseUrl::parse(&cluster.url("postgres")).expect("an address of ours is well formed");
    Ok(Session::open(&url, false)?)
}
