//! What the environment says about AWS: region, key, endpoint override. Credentials are the SDK's own business.
//! An endpoint the SDK would ignore (and call real AWS instead) is refused here.

use super::{Endpoints, Env, Environment, Flags, Origin, Sourced};
use crate::error::Failure;
use std::collections::BTreeMap;

/// The region DEKs are wrapped in when nobody says (the application's own default).
const DEFAULT_REGION: &str = "us-west-2";

/// The alias the application itself uses in this environment.
pub(super) fn application_alias(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "alias/scrybe-phi-master-key-dev",
        Environment::Staging => "alias/scrybe-phi-master-key-staging",
        Environment::Production => "alias/scrybe-phi-master-key-prod",
    }
}

/// The CMK named by flag, variable, file, or the environment's alias; `None` when even the environment is unknown.
pub(super) fn key(
    flags: &Flags,
    env: &Env,
    file: Option<Sourced<String>>,
    environment: Option<Environment>,
) -> Option<Sourced<String>> {
    if let Some(key) = &flags.key {
        return Some(Sourced::new(key.clone(), Origin::Flag("--key")));
    }
    if let Some(key) = env.sourced("AWS_KMS_KEY_ID") {
        return Some(key);
    }
    if let Some(mut alias) = env.sourced("AWS_KMS_KEY_ALIAS") {
        if !alias.value.starts_with("alias/") && !alias.value.starts_with("arn:") {
            alias.value = format!("alias/{}", alias.value);
        }
        return Some(alias);
    }
    file.or_else(|| environment.map(|e| Sourced::default_of(application_alias(e).to_owned())))
}

/// The region by flag, variable, file, the key's own ARN, or default; a region that contradicts the key's ARN is refused.
pub(super) fn region(
    flags: &Flags,
    env: &Env,
    file: Option<Sourced<String>>,
    key: Option<&Sourced<String>>,
) -> Result<Sourced<String>, Failure> {
    let said = flags
        .region
        .clone()
        .map(|value| Sourced::new(value, Origin::Flag("--region")))
        .or_else(|| env.sourced("AWS_KMS_REGION"))
        .or_else(|| env.sourced("AWS_REGION"))
        .or(file);
    if let Some(region) = &said
        && (region.value.is_empty() || !region.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    {
        return Err(Failure::usage(
            "bad-region",
            format!("region `{}` ({}) is not an AWS region name", region.value, region.origin),
        ));
    }
    let of_key = key.and_then(|key| Some(Sourced::new(arn_region(&key.value)?.to_owned(), key.origin.clone())));
    match (said, of_key) {
        (Some(said), Some(of_key)) if said.value != of_key.value => Err(Failure::usage(
            "region-mismatch",
            format!(
                "the key ({}) is in region {}, but {} says {}",
                of_key.origin, of_key.value, said.origin, said.value
            ),
        )
        .hint(format!("give --region {} or another --key", of_key.value))),
        (Some(said), _) => Ok(said),
        (None, Some(of_key)) => Ok(of_key),
        (None, None) => Ok(Sourced::default_of(DEFAULT_REGION.to_owned())),
    }
}

/// The region inside a KMS ARN: `arn:aws:kms:REGION:ACCOUNT:key/…`.
fn arn_region(key: &str) -> Option<&str> {
    let mut parts = key.split(':');
    (parts.next() == Some("arn")).then_some(())?;
    let (_partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    (service == "kms" && !region.is_empty()).then_some(region)
}

/// The services this tool talks to and the variable that moves each elsewhere.
const ENDPOINTS: &[(&str, &str)] = &[
    ("kms", "AWS_ENDPOINT_URL_KMS"),
    ("sts", "AWS_ENDPOINT_URL_STS"),
    ("s3", "AWS_ENDPOINT_URL_S3"),
    ("cloudtrail", "AWS_ENDPOINT_URL_CLOUDTRAIL"),
    ("logs", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
    ("cloudwatch", "AWS_ENDPOINT_URL_CLOUDWATCH"),
    ("sns", "AWS_ENDPOINT_URL_SNS"),
];

/// Where AWS is talked to instead of AWS. Every override is checked: one that the SDK would ignore leads to real AWS.
pub(super) fn endpoints(env: &Env) -> Result<Endpoints, Failure> {
    if env.var("LOG_SENSITIVE_BODIES").is_some() {
        return Err(Failure::usage(
            "sensitive-logging",
            "LOG_SENSITIVE_BODIES is set: the SDK would log plaintext keys",
        )
        .hint("unset LOG_SENSITIVE_BODIES"));
    }
    if env.var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return Ok(Endpoints::default());
    }
    let checked = |name: &str| -> Result<Option<Sourced<String>>, Failure> {
        let found = env.sourced(name);
        found.iter().try_for_each(|endpoint| check_endpoint(name, &endpoint.value))?;
        Ok(found)
    };
    let mut of = BTreeMap::new();
    for (service, name) in ENDPOINTS {
        if let Some(endpoint) = checked(name)? {
            of.insert(*service, endpoint);
        }
    }
    Ok(Endpoints { all: checked("AWS_ENDPOINT_URL")?, of })
}

fn check_endpoint(name: &str, value: &str) -> Result<(), Failure> {
    let refuse = |why: &str| {
        Err(Failure::usage("bad-endpoint", format!("{name} {why}: the SDK might ignore it and call real AWS"))
            .hint(format!("unset {name}, or give it an https address or http on loopback, e.g. http://127.0.0.1:4599")))
    };
    let Ok(url) = url::Url::parse(value) else { return refuse("is not a URL") };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("holds credentials");
    }
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return refuse("has no host"),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => refuse("is plain http to another machine"),
        _ => refuse("is neither https nor http"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn an_endpoint_the_sdk_might_ignore_is_refused() {
        for good in ["http://127.0.0.1:4599", "http://localhost:1", "http://[::1]:4", "https://kms.example.org"] {
            assert_eq!(endpoints(&env(&[("AWS_ENDPOINT_URL", good)])).unwrap().kms().unwrap().value, good);
        }
        for bad in [
            "127.0.0.1:4599",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "localhost:4566",
            "https://u:p@kms.example.org",
            "nonsense",
        ] {
            for name in std::iter::once("AWS_ENDPOINT_URL").chain(ENDPOINTS.iter().map(|(_, name)| *name)) {
                let failure = endpoints(&env(&[(name, bad)])).unwrap_err();
                assert_eq!(failure.code, "bad-endpoint", "{bad}");
                assert!(failure.message.contains(name));
            }
        }
        assert_eq!(endpoints(&env(&[("LOG_SENSITIVE_BODIES", "1")])).unwrap_err().code, "sensitive-logging");
    }

    #[test]
    fn the_service_endpoint_wins_over_the_general_one() {
        let found = endpoints(&env(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:2"),
        ]))
        .unwrap();
        let kms = found.kms().unwrap();
        assert_eq!(
            (kms.value.as_str(), &kms.origin),
            ("http://127.0.0.1:2", &Origin::Variable("AWS_ENDPOINT_URL_KMS".into()))
        );
        assert_eq!(found.all.unwrap().value, "http://127.0.0.1:1");
    }

    #[test]
    fn regions_fall_back_as_the_applications_do_and_never_contradict_the_key() {
        let flags = Flags::default();
        let of = |pairs: &[(&str, &str)], key: Option<&str>| {
            let key = key.map(|k| Sourced::new(k.to_owned(), Origin::Variable("AWS_KMS_KEY_ID".into())));
            region(&flags, &env(pairs), None, key.as_ref())
        };
        assert_eq!(of(&[], None).unwrap().value, "us-west-2");
        assert_eq!(of(&[("AWS_REGION", "eu-west-1")], None).unwrap().value, "eu-west-1");
        assert_eq!(
            of(&[("AWS_REGION", "eu-west-1"), ("AWS_KMS_REGION", "eu-west-2")], None).unwrap().value,
            "eu-west-2"
        );
        let arn = "arn:aws:kms:ca-central-1:111122223333:key/1234";
        assert_eq!(of(&[], Some(arn)).unwrap().value, "ca-central-1");
        assert_eq!(of(&[("AWS_REGION", "eu-west-1")], Some(arn)).unwrap_err().code, "region-mismatch");
        assert_eq!(of(&[("AWS_REGION", "eu west")], None).unwrap_err().code, "bad-region");
    }

    #[test]
    fn the_key_is_what_the_application_would_use() {
        let flags = Flags::default();
        let of = |pairs: &[(&str, &str)], world| key(&flags, &env(pairs), None, world).map(|k| k.value);
        assert_eq!(of(&[("AWS_KMS_KEY_ID", "k"), ("AWS_KMS_KEY_ALIAS", "alias/a")], None).as_deref(), Some("k"));
        assert_eq!(of(&[("AWS_KMS_KEY_ALIAS", "a")], None).as_deref(), Some("alias/a"));
        assert_eq!(of(&[], Some(Environment::Production)).as_deref(), Some("alias/scrybe-phi-master-key-prod"));
        assert_eq!(of(&[], None), None);
    }
}
