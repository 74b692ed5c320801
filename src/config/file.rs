//! The YAML file: found, checked, read. The only place that reads it.
//!
//! A key nobody knows is an error with its line and the nearest known one: a typing error must not become a default. A file that
//! others can write is refused, since it says which key and database are meant. `./scrybe-keys.yaml` counts outside production only.

use super::{Env, Environment, Flags, Origin, Policy, Provider, Sourced, settings::parsed};
use crate::core::data_map::DataMap;
use crate::core::nearest::nearest;
use crate::core::provision::Provision;
use crate::core::throttle::Rules;
use crate::error::Failure;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the file says, each value with its line.
#[derive(Default)]
pub(super) struct File {
    pub path: Option<Sourced<PathBuf>>,
    pub environment: Option<Sourced<Environment>>,
    pub kms: Option<Sourced<Provider>>,
    pub region: Option<Sourced<String>>,
    pub key: Option<Sourced<String>>,
    pub database_url_file: Option<Sourced<PathBuf>>,
    pub map: Option<Sourced<DataMap>>,
    pub policy: Option<Sourced<Policy>>,
    pub local_store: Option<Sourced<PathBuf>>,
    pub throttle: Option<Sourced<Rules>>,
    pub after_commit: Option<Sourced<String>>,
    /// By environment.
    pub provision: Vec<(Environment, Sourced<Provision>)>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Document {
    environment: Option<String>,
    kms: Option<String>,
    region: Option<String>,
    key: Option<String>,
    database_url_file: Option<PathBuf>,
    data_map: Option<MapChoice>,
    policy: Option<PolicyDocument>,
    local_kms: Option<LocalDocument>,
    throttle: Option<Rules>,
    after_commit: Option<String>,
    provision: Option<Provisions>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Provisions {
    development: Option<Provision>,
    staging: Option<Provision>,
    production: Option<Provision>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LocalDocument {
    store: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct PolicyDocument {
    dek_max_age_days: u32,
    cmk_rotation_days: u32,
    grace_days: u32,
    max_orgs: Option<u32>,
    workers: usize,
    lease_seconds: u64,
}

impl Default for PolicyDocument {
    fn default() -> PolicyDocument {
        let Policy { dek_max_age_days, cmk_rotation_days, grace_days, max_orgs, workers, lease } = Policy::default();
        let lease_seconds = lease.as_secs();
        PolicyDocument { dek_max_age_days, cmk_rotation_days, grace_days, max_orgs, workers, lease_seconds }
    }
}

/// `clinic`, or a whole map. Not an untagged enum: that would forget where a mistake stands.
struct MapChoice(DataMap);

impl<'de> Deserialize<'de> for MapChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MapChoice, D::Error> {
        struct Choose;
        impl<'de> Visitor<'de> for Choose {
            type Value = MapChoice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`clinic` or a data map")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<MapChoice, E> {
                match name {
                    "clinic" => Ok(MapChoice(DataMap::clinic())),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MapChoice, A::Error> {
                DataMap::deserialize(MapAccessDeserializer::new(map)).map(MapChoice)
            }
        }
        deserializer.deserialize_any(Choose)
    }
}

impl File {
    /// The file that applies, read and checked; an empty one when there is none.
    pub(super) fn find(
        flags: &Flags,
        env: &Env,
        environment: Option<Environment>,
        warnings: &mut Vec<String>,
    ) -> Result<File, Failure> {
        let named = flags.config.clone().map(|path| Sourced::new(path, Origin::Flag("--config"))).or_else(|| {
            env.sourced("SCRYBE_KEYS_CONFIG").map(|text| Sourced::new(PathBuf::from(text.value), text.origin))
        });
        if let Some(path) = named {
            return File::read(path);
        }
        let here = Path::new("scrybe-keys.yaml");
        if here.exists() {
            match environment {
                Some(Environment::Development | Environment::Staging) => {
                    return File::read(Sourced::default_of(here.to_owned()));
                }
                Some(Environment::Production) => {}
                None => warnings.push(
                    "./scrybe-keys.yaml is not read: without --environment this counts as production; name it with --config"
                        .to_owned(),
                ),
            }
        }
        let home = env
            .var("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| env.var("HOME").map(|home| Path::new(home).join(".config")));
        let usual = home.map(|dir| dir.join("scrybe-keys/config.yaml"));
        let system = PathBuf::from("/etc/scrybe-keys/config.yaml");
        match usual.into_iter().chain([system]).find(|path| path.exists()) {
            Some(path) => File::read(Sourced::default_of(path)),
            None => Ok(File::default()),
        }
    }

    fn read(path: Sourced<PathBuf>) -> Result<File, Failure> {
        let shown = path.value.display().to_string();
        let unreadable = |error| {
            Failure::usage("config-unreadable", format!("{}: {shown} cannot be read", path.origin)).caused_by(error)
        };
        let about = std::fs::metadata(&path.value).map_err(unreadable)?;
        let owner = about.uid();
        let others_can_write = about.is_file() && about.mode() & 0o022 != 0;
        let is_foreign = owner != 0 && owner != nix::unistd::geteuid().as_raw();
        if others_can_write || is_foreign {
            let fix = if is_foreign { format!("chown $(id -un) {shown}") } else { format!("chmod go-w {shown}") };
            return Err(Failure::usage(
                "config-writable",
                format!("{shown} can be written by others, who could change which key is meant"),
            )
            .hint(fix));
        }
        let text = std::fs::read_to_string(&path.value).map_err(unreadable)?;
        let mut file = File::parse(&text, &path.value)?;
        file.path = Some(path);
        Ok(file)
    }

    /// The file's text, understood.
    fn parse(text: &str, path: &Path) -> Result<File, Failure> {
        let document: Option<Document> = serde_yaml::from_str(text).map_err(|error| misunderstood(&error, path))?;
        let document = document.unwrap_or_default();
        let at = |keys: &[&str]| Origin::File { path: path.to_owned(), line: line_of(text, keys) };
        let policy = document.policy.map(|policy| checked(policy, text, path)).transpose()?;
        let map = document.data_map.map(|choice| Sourced::new(choice.0, at(&["data-map"])));
        if let Some(map) = &map {
            map.value.check().map_err(|error| Failure::usage("bad-data-map", format!("{}: {error}", map.origin)))?;
        }
        let throttle = document.throttle.map(|rules| Sourced::new(rules, at(&["throttle"])));
        if let Some(rules) = &throttle {
            let bad = |why| Failure::usage("bad-throttle", format!("{}: throttle.{why}", rules.origin));
            rules.value.check().map_err(bad)?;
        }
        let Provisions { development, staging, production } = document.provision.unwrap_or_default();
        let sections = [
            (Environment::Development, development),
            (Environment::Staging, staging),
            (Environment::Production, production),
        ];
        let mut provision = Vec::new();
        for (environment, section) in sections.into_iter().filter_map(|(e, section)| Some((e, section?))) {
            let under = ["provision", environment.as_str()];
            section.check(environment == Environment::Production).map_err(|unfit| {
                let line = line_of(text, &[&under[..], &unfit.path].concat());
                let name = unfit.path.join(".");
                Failure::usage("bad-provision", format!("{}:{line}: {name} {}", path.display(), unfit.wanted))
            })?;
            provision.push((environment, Sourced::new(section, at(&under))));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        Ok(File {
            path: None,
            environment: document.environment.map(|e| parsed(Sourced::new(e, at(&["environment"])))).transpose()?,
            kms: document.kms.map(|kms| parsed(Sourced::new(kms, at(&["kms"])))).transpose()?,
            region: document.region.map(|region| Sourced::new(region, at(&["region"]))),
            key: document.key.map(|key| Sourced::new(key, at(&["key"]))),
            database_url_file: document
                .database_url_file
                .map(|p| Sourced::new(folder.join(p), at(&["database-url-file"]))),
            map,
            policy,
            throttle,
            after_commit: document.after_commit.map(|command| Sourced::new(command, at(&["after-commit"]))),
            provision,
            local_store: document.local_kms.map(|l| Sourced::new(folder.join(l.store), at(&["local-kms", "store"]))),
        })
    }
}

fn checked(policy: PolicyDocument, text: &str, path: &Path) -> Result<Sourced<Policy>, Failure> {
    let refuse = |key: &str, wanted: &str| {
        let line = line_of(text, &["policy", key]);
        Err(Failure::usage("bad-policy", format!("{}:{line}: policy.{key} must be {wanted}", path.display())))
    };
    let PolicyDocument { dek_max_age_days, cmk_rotation_days, grace_days, max_orgs, workers, lease_seconds } = policy;
    if dek_max_age_days == 0 {
        return refuse("dek-max-age-days", "at least 1");
    }
    if !(90..=2560).contains(&cmk_rotation_days) {
        return refuse("cmk-rotation-days", "from 90 to 2560 (KMS takes no other)");
    }
    if max_orgs == Some(0) {
        return refuse("max-orgs", "at least 1");
    }
    if !(1..=64).contains(&workers) {
        return refuse("workers", "from 1 to 64");
    }
    if !(2..=300).contains(&lease_seconds) {
        return refuse("lease-seconds", "from 2 to 300");
    }
    let lease = Duration::from_secs(lease_seconds);
    let policy = Policy { dek_max_age_days, cmk_rotation_days, grace_days, max_orgs, workers, lease };
    Ok(Sourced::new(policy, Origin::File { path: path.to_owned(), line: line_of(text, &["policy"]) }))
}

/// The reader's complaint with its place, and the nearest known key where a key is unknown. The text between backticks is the
/// reader's own way of naming keys.
fn misunderstood(error: &serde_yaml::Error, path: &Path) -> Failure {
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let place = match error.location() {
        Some(place) => format!("{}:{}", path.display(), place.line()),
        None => path.display().to_string(),
    };
    let words: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    if said.contains("unknown field")
        && let Some((unknown, known)) = words.split_first()
    {
        let failure = Failure::usage("unknown-config-key", format!("{place}: unknown key `{unknown}`"));
        return match nearest(unknown, known.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("known here: {}", known.join(", "))),
        };
    }
    Failure::usage("bad-config", format!("{place}: {said}"))
}

/// Line of a key, from 1: the first line that opens each of `keys` in turn. Block style, which is what people write; 1 otherwise.
fn line_of(text: &str, keys: &[&str]) -> usize {
    let mut keys = keys.iter();
    let mut wanted = keys.next();
    let mut found = 1;
    for (number, line) in text.lines().enumerate() {
        let Some(key) = wanted else { break };
        let opens = line
            .trim_start()
            .trim_matches(['"', '\''])
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'));
        if opens {
            found = number + 1;
            wanted = keys.next();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, Failure> {
        File::parse(text, Path::new("/etc/c.yaml"))
    }

    #[test]
    fn every_value_knows_its_line() {
        let file = parse("# ours\nenvironment: staging\nkms: aws\n\npolicy:\n  workers: 4\nkey: alias/x\ndatabase-url-file: url\nlocal-kms:\n  store: /s\n").unwrap();
        let line = |origin: &Origin| match origin {
            Origin::File { line, .. } => *line,
            _ => 0,
        };
        assert_eq!(file.environment.map(|e| (e.value, line(&e.origin))), Some((Environment::Staging, 2)));
        assert_eq!(file.key.map(|k| (k.value, line(&k.origin))), Some(("alias/x".into(), 7)));
        assert_eq!(file.policy.map(|p| (p.value.workers, p.value.grace_days, line(&p.origin))), Some((4, 7, 5)));
        assert_eq!(file.database_url_file.map(|p| p.value), Some(PathBuf::from("/etc/url")));
        assert_eq!(file.local_store.map(|p| (p.value, line(&p.origin))), Some((PathBuf::from("/s"), 10)));
        assert!(parse("").unwrap().environment.is_none());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
        let failure = parse("kms: aws\nregoin: eu-west-1\n").err().unwrap();
        assert_eq!(
            (failure.code, failure.message.as_str()),
            ("unknown-config-key", "/etc/c.yaml:2: unknown key `regoin`")
        );
        assert_eq!(failure.hints, ["did you mean `region`?"]);
        let failure = parse("kms: aws\npolicy:\n  grace-days: 3\n  worker: 2\n").err().unwrap();
        assert_eq!(failure.message, "/etc/c.yaml:4: unknown key `worker`");
        assert_eq!(failure.hints, ["did you mean `workers`?"]);
        let failure = parse("data-map:\n  schemas: public\n").err().unwrap();
        assert_eq!(failure.message, "/etc/c.yaml:2: unknown key `schemas`");
    }

    #[test]
    fn what_is_wrong_says_where() {
        for (text, code, start) in [
            ("kms: [aws", "bad-config", "/etc/c.yaml:"),
            ("environment: prod\n", "bad-value", "/etc/c.yaml:1: `prod` is none of development, staging, production"),
            (
                "policy:\n  cmk-rotation-days: 30\n",
                "bad-policy",
                "/etc/c.yaml:2: policy.cmk-rotation-days must be from 90",
            ),
            ("policy:\n  workers: many\n", "bad-config", "/etc/c.yaml:2: "),
            ("data-map: hospital\n", "bad-config", "/etc/c.yaml:1: "),
            (
                "data-map:\n  tables:\n  - table: T\n    id: {a: b}\n",
                "bad-config",
                "/etc/c.yaml:4: data-map.tables[0].id: ",
            ),
        ] {
            let failure = parse(text).err().unwrap();
            assert_eq!(failure.code, code, "{text}");
            assert!(failure.message.starts_with(start), "{}", failure.message);
        }
    }

    #[test]
    fn a_provision_section_belongs_to_one_environment_and_says_where_it_is_wrong() {
        let file = parse("provision:\n  staging:\n    key:\n      deletion-window-days: 7\n").unwrap();
        assert_eq!(file.provision.len(), 1);
        assert_eq!(file.provision[0].1.value.key.deletion_window_days, 7);
        let failure =
            parse("provision:\n  production: {}\n  staging:\n    key:\n      deletion-window-days: 5\n").err().unwrap();
        assert_eq!(failure.code, "bad-provision");
        assert!(
            failure.message.starts_with("/etc/c.yaml:5: key.deletion-window-days must be from 7 to 30"),
            "{}",
            failure.message
        );
        let failure = parse("provision:\n  stagin: {}\n").err().unwrap();
        assert_eq!(
            (failure.code, &failure.hints[..]),
            ("unknown-config-key", &["did you mean `staging`?".to_owned()][..])
        );
    }

    #[test]
    fn a_map_is_named_or_written_out() {
        assert_eq!(parse("data-map: clinic\n").unwrap().map.unwrap().value, DataMap::clinic());
        let whole = serde_yaml::to_string(&DataMap::clinic()).unwrap().replace('\n', "\n  ");
        assert_eq!(parse(&format!("data-map:\n  {whole}")).unwrap().map.unwrap().value, DataMap::clinic());
    }
}
