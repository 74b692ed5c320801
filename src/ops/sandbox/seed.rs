//! `sandbox seed`: the master key with its aliases, then the clinic. Runs inside the sandbox's environment, through the real SDK.
//!
//! It drops and makes databases, so it goes by the sandbox's own record of its server, never by DATABASE_URL alone.

use super::SandboxError;
use super::clinic::Spec;
use super::clinic::load::{Loaded, load};
use super::environment::DATABASE;
use super::place::Seeded;
use super::standing::Standing;
use crate::app::App;
use crate::core::kms::{Kms, KmsErrorKind, NewKey};
use crate::error::Failure;
use crate::ops::wrapping::Vault;
use std::collections::BTreeMap;
use std::thread;

/// Every alias of a development environment's master key; the last is the application's.
const ALIASES: [&str; 3] =
    ["alias/scrybe-phi-master-key-development", "alias/scrybe-phi-development", "alias/scrybe-phi-master-key-dev"];

const ROTATION_DAYS: u32 = 90;

/// Fills the sandbox. `replace` starts over where it has been filled.
pub fn seed(
    app: &App,
    mut standing: Standing,
    spec: Spec,
    replace: bool,
    now: jiff::Timestamp,
) -> Result<(Standing, Loaded), Failure> {
    let _hold = standing.place.hold()?;
    if standing.state.seeded.is_some() && !replace {
        return Err(Failure::conflict("sandbox-seeded", "the sandbox has data already").hint(
            "start over with `scrybe-keys sandbox seed --replace`, or look at it with `scrybe-keys sandbox status`",
        ));
    }
    let ours =
        app.settings.database.as_ref().is_some_and(|d| {
            d.value.is_local() && d.value.port == standing.cluster.port() && d.value.dbname == DATABASE
        });
    if !ours {
        return Err(Failure::conflict("not-the-sandbox", "DATABASE_URL is not the sandbox's own database")
            .hint("run `scrybe-keys sandbox seed` without --database-url"));
    }
    standing.state.seeded = None;
    standing.place.remember(&standing.state)?;
    let kms = app.kms()?;
    let arn = master_key(&*kms, standing.state.key_arn.as_deref())?;
    app.ui.say(&format!("The master key is {arn}"));
    standing.state.key_arn = Some(arn.clone());
    standing.place.remember(&standing.state)?;

    standing.admin()?.replace_database(DATABASE).map_err(SandboxError::from)?;
    let vault = Vault::of_kms(kms, &arn, app.settings.map.value.clone());
    let workers = thread::available_parallelism().map_or(2, |n| n.get()).clamp(2, 8);
    let connect = || app.connect();
    let loaded = load(&spec, &vault, &connect, workers, now, &app.interrupt, &|text| app.ui.say(text))?;
    standing.state.seeded = Some(Seeded { spec, organizations: loaded.organizations.clone(), at: now });
    standing.place.remember(&standing.state)?;
    Ok((standing, loaded))
}

/// The key this sandbox has, or a new one; all aliases point at it afterwards. Returns its ARN.
fn master_key(kms: &dyn Kms, known: Option<&str>) -> Result<String, Failure> {
    let found = match known.map(|arn| kms.describe_key(arn)) {
        Some(Ok(found)) => Some(found.value),
        Some(Err(error)) if error.kind == KmsErrorKind::NotFound => None,
        Some(Err(error)) => return Err(error.into()),
        None => None,
    };
    let key = match found {
        Some(key) => key,
        None => {
            let tags = BTreeMap::from([
                ("Environment".to_owned(), "development".to_owned()),
                ("Sandbox".to_owned(), "true".to_owned()),
            ]);
            let new = NewKey { description: "PHI master key of the sandbox".to_owned(), tags, ..NewKey::default() };
            kms.create_key(&new)?.value
        }
    };
    for alias in ALIASES {
        match kms.create_alias(alias, &key.key_id) {
            Err(error) if error.kind == KmsErrorKind::AlreadyExists => {
                kms.update_alias(alias, &key.key_id)?;
            }
            other => {
                other?;
            }
        }
    }
    if !kms.key_rotation_status(&key.key_id)?.value.enabled {
        kms.enable_key_rotation(&key.key_id, ROTATION_DAYS)?;
    }
    Ok(key.arn)
}
