//! The environment of everything that runs in the sandbox: ours set, and nothing of a real account or database let through.
//!
//! `exec` removes every `AWS_*`, `PG*` and `SCRYBE_*` variable it finds; `env` can only name the ones it knows.

use super::cluster::Cluster;
use super::endpoint::Endpoint;
use super::place::{Place, State};
use crate::config::Env;
use std::path::Path;

/// The application's database in the sandbox's cluster.
pub const DATABASE: &str = "clinic";
/// Region of the embedded KMS.
pub const REGION: &str = "us-west-2";

/// What `env` unsets before it sets: everything that could lead a command to a real account or database.
const STRAY: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_CLOUDTRAIL",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_ENDPOINT_URL_SNS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_CA_BUNDLE",
    "AWS_KMS_REGION",
    "AWS_KMS_KEY_ALIAS",
    "DIRECT_URL",
    "NODE_ENV",
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGDATABASE",
    "PGSERVICE",
    "PGSSLMODE",
    "PGOPTIONS",
    "LOCAL_KEK",
    "SCRYBE_LOCAL_KMS",
];

/// Variables to set, in order, for a running sandbox. `program` is put first on PATH, so that `scrybe-keys` is this one.
pub fn variables(
    place: &Place,
    state: &State,
    cluster: &Cluster,
    endpoint: &Endpoint,
    env: &Env,
    program: &Path,
) -> Vec<(String, String)> {
    let path = env.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
    let own = program.parent().map(|dir| dir.display().to_string()).unwrap_or_default();
    let path = if path.split(':').any(|dir| dir == own) { path.to_owned() } else { format!("{own}:{path}") };
    let mut all: Vec<(String, String)> = [
        ("SCRYBE_SANDBOX_DIR", place.dir.display().to_string()),
        ("SCRYBE_SANDBOX", place.dir.display().to_string()),
        ("SCRYBE_KEYS_CONFIG", place.config().display().to_string()),
        ("SCRYBE_ENV", "development".to_owned()),
        ("SCRYBE_KMS", "aws".to_owned()),
        ("DATABASE_URL", cluster.url(DATABASE)),
        ("AWS_ENDPOINT_URL", endpoint.url()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "sandbox".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ("PATH", path),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some(arn) = &state.key_arn {
        all.push(("AWS_KMS_KEY_ID".to_owned(), arn.clone()));
    }
    all
}

/// Names that must not reach a command in the sandbox: what is set now, of the families that matter, and is not ours.
pub fn strays(env: &Env) -> Vec<String> {
    let family = |name: &str| ["AWS_", "PG", "SCRYBE_"].iter().any(|prefix| name.starts_with(prefix));
    let alone = |name: &str| STRAY.contains(&name) || name == "DATABASE_URL";
    env.0.keys().filter(|name| family(name) || alone(name)).cloned().collect()
}

/// `export` lines for a POSIX shell.
pub fn exports(variables: &[(String, String)]) -> String {
    let mut text = format!("unset {}\n", STRAY.join(" "));
    for (name, value) in variables {
        text.push_str(&format!("export {name}={}\n", quoted(value)));
    }
    text
}

/// `unset` line for a POSIX shell: everything `exports` sets, but for PATH.
pub fn unsets() -> String {
    "unset SCRYBE_SANDBOX_DIR SCRYBE_SANDBOX SCRYBE_KEYS_CONFIG SCRYBE_ENV SCRYBE_KMS DATABASE_URL AWS_ENDPOINT_URL AWS_REGION AWS_ACCESS_KEY_ID \
     AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_DISABLED AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE NO_PROXY AWS_KMS_KEY_ID\n"
        .to_owned()
}

/// A word no POSIX shell takes apart.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_survives_the_shell() {
        for value in ["plain", "with space", "it's", "$(touch x)`y`\"\\", ""] {
            let script = format!("printf %s {}", quoted(value));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }

    #[test]
    fn real_credentials_are_strays() {
        let set = ["AWS_PROFILE", "AWS_SOMETHING_NEW", "PGPASSWORD", "DATABASE_URL", "DIRECT_URL", "HOME", "PATH"];
        let env = Env(set.iter().map(|n| ((*n).to_owned(), "x".to_owned())).collect());
        let strays = strays(&env);
        assert_eq!(strays.len(), 5, "{strays:?}");
        assert!(!strays.iter().any(|n| n == "HOME" || n == "PATH"));
    }
}
