//! Flags, variables and file joined into one validated `Settings`, each value with its origin.
//! Everything wrong with the command line, the environment or the file ends here with exit 2 and says where it stands.

use super::file::File;
use super::{Env, Environment, Flags, Origin, Policy, ProgressMode, Provider, Settings, Sourced, aws, database};
use crate::core::data_map::DataMap;
use crate::core::throttle::Rules;
use crate::error::Failure;
use clap::ValueEnum;
use std::path::PathBuf;

impl Env {
    /// A variable's value with its name as origin.
    pub(super) fn sourced(&self, name: &str) -> Option<Sourced<String>> {
        Some(Sourced::new(self.var(name)?.to_owned(), Origin::Variable(name.to_owned())))
    }
}

impl Settings {
    /// Reads the file, if there is one, and joins it with flags and variables.
    pub fn load(flags: &Flags, env: &Env) -> Result<Settings, Failure> {
        let mut warnings = Vec::new();
        let stated = environment(flags, env, &mut warnings)?;
        let file = File::find(flags, env, stated.as_ref().map(|e| e.value), &mut warnings)?;
        Settings::join(flags, env, stated, file, warnings)
    }

    /// Settings of a verb that needs none: nothing is read, and what the flags say about places is not looked at.
    pub fn bare(flags: &Flags) -> Settings {
        let talk = Flags {
            config: None,
            environment: None,
            database_url: None,
            database_url_file: None,
            kms: None,
            region: None,
            key: None,
            ..flags.clone()
        };
        Settings::join(&talk, &Env::default(), None, File::default(), Vec::new())
            .expect("nothing is said that could be wrong")
    }

    fn join(
        flags: &Flags,
        env: &Env,
        stated: Option<Sourced<Environment>>,
        file: File,
        mut warnings: Vec<String>,
    ) -> Result<Settings, Failure> {
        let environment = stated.or(file.environment);
        let mut sections = file.provision.into_iter();
        let provision = environment
            .as_ref()
            .and_then(|stated| sections.find(|(environment, _)| *environment == stated.value))
            .map(|(_, section)| section);
        let provider = match (flags.kms, env.sourced("SCRYBE_KMS")) {
            (Some(kms), _) => Sourced::new(kms, Origin::Flag("--kms")),
            (None, Some(text)) => parsed(text)?,
            (None, None) => file.kms.unwrap_or(Sourced::default_of(Provider::Aws)),
        };
        let key = aws::key(flags, env, file.key, environment.as_ref().map(|e| e.value));
        let region = aws::region(flags, env, file.region, key.as_ref())?;
        let endpoints = aws::endpoints(env)?;
        let database = database::address(flags, env, file.database_url_file, &mut warnings)?;
        let mut notes = Vec::new();
        let mut map = file.map.unwrap_or_else(|| Sourced::default_of(DataMap::clinic()));
        if let Some(database) = &database {
            notes.extend(database.value.ignored.iter().map(|what| format!("database address: {what}")));
            if let Some(schema) = &database.value.schema {
                map.value.schema = schema.clone();
            }
        }
        let local_store = env
            .sourced("SCRYBE_LOCAL_KMS")
            .map(|text| Sourced::new(PathBuf::from(text.value), text.origin))
            .or(file.local_store);
        let policy = file.policy.unwrap_or_else(|| Sourced::default_of(Policy::default()));
        Ok(Settings {
            environment,
            database,
            provider: Some(provider),
            region,
            key,
            endpoints,
            local_kek: env.sourced("LOCAL_KEK").map(|kek| Sourced::new(zeroize::Zeroizing::new(kek.value), kek.origin)),
            local_store,
            map,
            throttle: file.throttle.unwrap_or_else(|| Sourced::default_of(Rules::default())),
            after_commit: file.after_commit,
            provision,
            policy: policy.value,
            policy_origin: policy.origin,
            json: flags.json,
            quiet: flags.quiet,
            verbosity: flags.verbose.min(2),
            progress: flags.progress.unwrap_or(ProgressMode::Auto),
            no_input: flags.no_input || flags.json,
            timeout: flags.timeout,
            file: file.path,
            sandbox: env.sourced("SCRYBE_SANDBOX"),
            notes,
            warnings,
        })
    }

    /// True unless the environment is known to be development or staging: what does not say counts as production.
    pub fn is_production(&self) -> bool {
        !matches!(self.environment.as_ref().map(|e| e.value), Some(Environment::Development | Environment::Staging))
    }
}

/// The environment by flag or variable. NODE_ENV may hold words of its own (`test`): those say nothing to us.
fn environment(flags: &Flags, env: &Env, warnings: &mut Vec<String>) -> Result<Option<Sourced<Environment>>, Failure> {
    if let Some(environment) = flags.environment {
        return Ok(Some(Sourced::new(environment, Origin::Flag("--environment"))));
    }
    if let Some(text) = env.sourced("SCRYBE_ENV") {
        return parsed(text).map(Some);
    }
    let Some(text) = env.sourced("NODE_ENV") else { return Ok(None) };
    if let Ok(value) = Environment::from_str(&text.value, true) {
        return Ok(Some(Sourced::new(value, text.origin)));
    }
    warnings.push(format!(
        "NODE_ENV={} names no environment of ours; without --environment this counts as production",
        text.value
    ));
    Ok(None)
}

/// One of a closed list of words, or an error that lists them and names the origin.
pub(super) fn parsed<T: ValueEnum>(text: Sourced<String>) -> Result<Sourced<T>, Failure> {
    match T::from_str(&text.value, true) {
        Ok(value) => Ok(Sourced::new(value, text.origin)),
        Err(_) => {
            let known: Vec<String> =
                T::value_variants().iter().filter_map(|v| Some(v.to_possible_value()?.get_name().to_owned())).collect();
            Err(Failure::usage(
                "bad-value",
                format!("{}: `{}` is none of {}", text.origin, text.value, known.join(", ")),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_that_needs_no_settings_meets_no_wrong_ones() {
        let flags = Flags {
            region: Some("no region".into()),
            database_url: Some("nonsense".into()),
            database_url_file: Some("/does/not/exist".into()),
            json: true,
            ..Flags::default()
        };
        assert!(Settings::load(&flags, &Env::default()).is_err());
        let settings = Settings::bare(&flags);
        assert!(settings.database.is_none() && settings.json && settings.no_input);
    }

    #[test]
    fn only_development_and_staging_are_not_production() {
        let is_production = |pairs: &[(&str, &str)]| {
            let env = Env(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
            Settings::load(&Flags::default(), &env).map(|s| s.is_production())
        };
        assert!(is_production(&[]).unwrap());
        assert!(is_production(&[("NODE_ENV", "test")]).unwrap());
        assert!(is_production(&[("SCRYBE_ENV", "Production")]).unwrap());
        assert!(!is_production(&[("NODE_ENV", "staging")]).unwrap());
        assert!(!is_production(&[("NODE_ENV", "production"), ("SCRYBE_ENV", "development")]).unwrap());
        assert_eq!(is_production(&[("SCRYBE_ENV", "prod")]).unwrap_err().code, "bad-value");
    }
}
