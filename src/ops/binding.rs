//! No wrong world: whether this run's settings and the database's binding mean the same environment, provider, account and key.
//!
//! Every verb that touches the database asks here first. A difference is refused with both values and where ours came
//! from. What does not say what it is counts as production, and production has no `local` and no `dev`.

use crate::app::App;
use crate::config::{Environment, Provider, Settings, Sourced};
use crate::core::kms::KeyDescription;
use crate::db::{Binding, SchemaError, SchemaState, Session};
use crate::error::Failure;
use std::fmt::Display;

/// Reads the binding and holds the settings against it. `mutating` verbs need a stated environment and provider and a bound
/// database with an up-to-date schema; the others also work before `init` (the answer then has no `bound_at`).
pub fn check(app: &App, session: &mut Session, mutating: bool) -> Result<Binding, Failure> {
    let settings = &app.settings;
    if mutating {
        require_stated(settings)?;
    }
    let state = session.schema_state()?;
    let bound = match state {
        SchemaState::Absent => None,
        SchemaState::Current(_) => session.binding()?,
        SchemaState::Older { found, known } if mutating => return Err(SchemaError::Older { found, known }.into()),
        SchemaState::Newer { found, known } if mutating => return Err(SchemaError::Newer { found, known }.into()),
        SchemaState::Divergent(_) if mutating => return Err(SchemaError::Divergent.into()),
        SchemaState::Older { .. } | SchemaState::Newer { .. } | SchemaState::Divergent(_) => session.binding()?,
    };
    let Some(binding) = bound else {
        if mutating {
            return Err(Failure::conflict("not-bound", "this database is not bound to an environment yet")
                .hint("scrybe-keys init")
                .hint("`scrybe-keys init --check` changes nothing and shows what would be done"));
        }
        let assumed = assumed(settings);
        refuse_toys_in_production(assumed.environment, assumed.provider)?;
        return Ok(assumed);
    };
    let mut wrong = differences(settings, &binding);
    if mutating && wrong.is_empty() {
        wrong.extend(key_difference_by_kms(app, &binding)?);
    }
    if wrong.is_empty() { Ok(binding) } else { Err(wrong_world(&wrong)) }
}

/// As `check` for a mutating verb, but key and region may differ where the database is bound to `target` already: the command that bound it
/// anew was given with the old ones, and is the one that goes on.
pub fn check_toward(
    app: &App,
    session: &mut Session,
    is_target: impl FnOnce(&str) -> Result<bool, Failure>,
) -> Result<Binding, Failure> {
    let refused = match check(app, session, true) {
        Err(refused) if refused.code == "wrong-binding" => refused,
        answer => return answer,
    };
    let Some(bound) = session.binding()? else { return Err(refused) };
    let anywhere = Binding { key_arn: None, region: None, ..bound.clone() };
    match &bound.key_arn {
        Some(arn) if differences(&app.settings, &anywhere).is_empty() && is_target(arn)? => Ok(bound),
        _ => Err(refused),
    }
}

/// The binding these settings ask for, with the key looked up in KMS. For `init`.
pub fn of_settings(app: &App, sandbox: bool, bound_by: String) -> Result<Binding, Failure> {
    let (environment, provider) = require_stated(&app.settings)?;
    refuse_toys_in_production(environment, provider)?;
    let key = match provider {
        Provider::Dev => None,
        Provider::Aws | Provider::Local => Some(described_key(app)?),
    };
    let region = key.as_ref().and_then(|k| arn_part(&k.arn, 3));
    Ok(Binding {
        environment,
        provider,
        account: key.as_ref().and_then(|k| arn_part(&k.arn, 4)),
        region,
        key_arn: key.map(|k| k.arn),
        sandbox,
        bound_at: None,
        bound_by,
    })
}

/// What an unbound database is taken for: the settings, and production where they say nothing.
pub fn assumed(settings: &Settings) -> Binding {
    Binding {
        environment: settings.environment.as_ref().map_or(Environment::Production, |e| e.value),
        provider: settings.provider.as_ref().map_or(Provider::Aws, |p| p.value),
        account: None,
        region: Some(settings.region.value.clone()),
        key_arn: settings.key.as_ref().map(|k| k.value.clone()).filter(|k| k.starts_with("arn:")),
        sandbox: false,
        bound_at: None,
        bound_by: String::new(),
    }
}

/// The line every plan is headed by: where this is.
pub fn context_line(settings: &Settings, binding: &Binding) -> String {
    let mut parts = vec![binding.environment.as_str().to_owned()];
    let mut world = binding.provider.as_str().to_owned();
    for word in [&binding.account, &binding.region].into_iter().flatten().filter(|_| binding.provider != Provider::Dev)
    {
        world = format!("{world} {word}");
    }
    parts.push(world);
    if let Some(database) = &settings.database {
        parts.push(format!("db {}", database.value.shown()));
    }
    if binding.bound_at.is_none() {
        parts.push("not bound".to_owned());
    }
    if binding.sandbox || settings.sandbox.is_some() {
        parts.push("SANDBOX".to_owned());
    }
    parts.join(" · ")
}

/// Every way in which stated settings and binding differ, in words that name both values. Makes no call; an alias says nothing.
pub fn differences(settings: &Settings, binding: &Binding) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(asked) = &settings.environment
        && asked.value != binding.environment
    {
        wrong.push(says("environment", binding.environment.as_str(), asked.value.as_str(), asked));
    }
    if let Some(asked) = &settings.provider
        && asked.value != binding.provider
    {
        wrong.push(says("provider", binding.provider.as_str(), asked.value.as_str(), asked));
        // Region and key of another provider's world are no further news.
        return wrong;
    }
    if binding.provider == Provider::Dev {
        return wrong;
    }
    if let Some(bound) = &binding.region
        && *bound != settings.region.value
    {
        wrong.push(says("region", bound, &settings.region.value, &settings.region));
    }
    if let (Some(asked), Some(bound)) = (&settings.key, &binding.key_arn)
        && names_key(&asked.value, bound) == Some(false)
    {
        wrong.push(says("key", bound, &asked.value, asked));
    }
    wrong
}

/// The refusal for settings of another world than the binding's.
pub fn wrong_world(differences: &[String]) -> Failure {
    Failure::conflict("wrong-binding", differences.join("; "))
        .hint("`scrybe-keys context` shows every setting and where it comes from")
        .hint("correct the setting, or choose the database that belongs to it")
}

fn says<T>(what: &str, bound: impl Display, asked: impl Display, setting: &Sourced<T>) -> String {
    format!("the database is bound to {what} {bound}, but {} says {asked}", setting.origin)
}

fn require_stated(settings: &Settings) -> Result<(Environment, Provider), Failure> {
    let Some(environment) = &settings.environment else {
        return Err(Failure::usage("no-environment", "nothing says which environment this is")
            .hint("give --environment, or set SCRYBE_ENV"));
    };
    let Some(provider) = &settings.provider else {
        return Err(Failure::usage("no-kms", "nothing says who wraps the DEKs: there is no default")
            .hint("give --kms aws, or set SCRYBE_KMS"));
    };
    Ok((environment.value, provider.value))
}

fn refuse_toys_in_production(environment: Environment, provider: Provider) -> Result<(), Failure> {
    if environment != Environment::Production || provider == Provider::Aws {
        return Ok(());
    }
    Err(Failure::conflict("wrong-world", format!("provider {} is refused in production", provider.as_str()))
        .hint("give --kms aws; a world that is not production says so with --environment"))
}

/// For a key given as an alias: what KMS says it points at now.
fn key_difference_by_kms(app: &App, binding: &Binding) -> Result<Option<String>, Failure> {
    let (Some(asked), Some(bound)) = (&app.settings.key, &binding.key_arn) else { return Ok(None) };
    if binding.provider == Provider::Dev || names_key(&asked.value, bound).is_some() {
        return Ok(None);
    }
    let found = described_key(app)?.arn;
    let shown = format!("{}, which is {found}", asked.value);
    Ok((found != *bound).then(|| says("key", bound, shown, asked)))
}

fn described_key(app: &App) -> Result<KeyDescription, Failure> {
    let Some(key) = &app.settings.key else {
        return Err(Failure::usage("no-key", "nothing names the master key").hint("give --key, or set AWS_KMS_KEY_ID"));
    };
    let described = app.kms()?.describe_key(&key.value);
    Ok(described
        .map_err(|e| Failure::from(e).during(format_args!("looking up key {} ({})", key.value, key.origin)))?
        .value)
}

/// Whether `asked` means the key `arn`: yes, no, or `None` for an alias, which only KMS can tell.
fn names_key(asked: &str, arn: &str) -> Option<bool> {
    if asked.starts_with("alias/") || asked.contains(":alias/") {
        return None;
    }
    if asked.starts_with("arn:") {
        return Some(asked == arn);
    }
    Some(arn.rsplit_once(":key/").is_some_and(|(_, id)| id == asked))
}

/// A part of an ARN by its position: 3 is the region, 4 the account.
pub fn arn_part(arn: &str, at: usize) -> Option<String> {
    arn.split(':').nth(at).filter(|part| !part.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    const ARN: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd";

    fn binding() -> Binding {
        Binding {
            environment: Environment::Development,
            provider: Provider::Aws,
            account: Some("111122223333".into()),
            region: Some("us-west-2".into()),
            key_arn: Some(ARN.into()),
            sandbox: false,
            bound_at: Some(jiff::Timestamp::UNIX_EPOCH),
            bound_by: "ann".into(),
        }
    }

    fn settings(environment: Environment, provider: Provider, region: &str, key: &str) -> Settings {
        let mut settings = Settings::bare(&crate::config::Flags::default());
        settings.environment = Some(Sourced { value: environment, origin: Origin::Variable("SCRYBE_ENV".into()) });
        settings.provider = Some(Sourced { value: provider, origin: Origin::Flag("--kms") });
        settings.region = Sourced { value: region.into(), origin: Origin::Default };
        settings.key = Some(Sourced { value: key.into(), origin: Origin::Flag("--key") });
        settings
    }

    #[test]
    fn each_difference_names_both_values_and_the_origin() {
        use Environment::{Development, Production};
        let asked = settings(Production, Provider::Aws, "eu-west-1", "arn:aws:kms:us-west-2:111122223333:key/other");
        let wrong = differences(&asked, &binding());
        assert_eq!(
            wrong,
            [
                "the database is bound to environment development, but SCRYBE_ENV says production".to_owned(),
                "the database is bound to region us-west-2, but default says eu-west-1".to_owned(),
                format!(
                    "the database is bound to key {ARN}, but --key says arn:aws:kms:us-west-2:111122223333:key/other"
                ),
            ]
        );
        assert_eq!(differences(&settings(Development, Provider::Local, "us-west-2", ARN), &binding()).len(), 1);
        for same in [ARN, "1234abcd", "alias/anything"] {
            assert!(differences(&settings(Development, Provider::Aws, "us-west-2", same), &binding()).is_empty());
        }
    }

    #[test]
    fn the_context_line_says_where_it_is() {
        let mut bound = binding();
        let line = |b: &Binding| context_line(&settings(Environment::Development, Provider::Aws, "us-west-2", ARN), b);
        assert_eq!(line(&bound), "development · aws 111122223333 us-west-2");
        (bound.sandbox, bound.bound_at) = (true, None);
        assert_eq!(line(&bound), "development · aws 111122223333 us-west-2 · not bound · SANDBOX");
    }

    #[test]
    fn toys_are_refused_in_production_only() {
        assert!(refuse_toys_in_production(Environment::Production, Provider::Aws).is_ok());
        assert!(refuse_toys_in_production(Environment::Staging, Provider::Dev).is_ok());
        for toy in [Provider::Local, Provider::Dev] {
            assert_eq!(refuse_toys_in_production(Environment::Production, toy).unwrap_err().code, "wrong-world");
        }
    }
}
