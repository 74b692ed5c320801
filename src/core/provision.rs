//! What `create-cmk` is to make in one environment: the `provision:` section of the configuration, checked. Values only; names that depend on
//! account and region are made by `ops::provisioning::desired`.
//!
//! Everything has a default but the principals: who may do what with a key of patient data is never guessed. A part that is left out
//! (`roles`, `audit`, `alarms`) is not made, and the plan says what is then missing.

use super::surroundings::{LockMode, ObjectLock, RETENTIONS, Subscriber};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One environment's section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Provision {
    pub key: KeyPart,
    pub roles: Option<RolesPart>,
    pub audit: Option<AuditPart>,
    pub alarms: Option<AlarmsPart>,
}

/// The master key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KeyPart {
    pub description: Option<String>,
    /// `None`: the environment's own.
    pub aliases: Option<Vec<String>>,
    /// Beside those that every key of this tool has. In clear in every log: no ids of patients.
    pub tags: BTreeMap<String, String>,
    /// Shortest wait before a scheduled deletion is final, 7..=30 days; the key policy holds destroyers to it.
    pub deletion_window_days: u32,
    /// Fixed when the key is made.
    pub multi_region: bool,
    pub replica_regions: Vec<String>,
}

impl Default for KeyPart {
    fn default() -> KeyPart {
        KeyPart {
            description: None,
            aliases: None,
            tags: BTreeMap::new(),
            deletion_window_days: 30,
            multi_region: false,
            replica_regions: Vec::new(),
        }
    }
}

/// Who may do what with the master key: ARNs of IAM roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RolesPart {
    /// May replace the key policy: who runs `create-cmk`. With none, whoever IAM lets.
    pub policy_administrators: Vec<String>,
    /// Manage the key, never use it (KeyManagementAdmin).
    pub administrators: Vec<String>,
    /// Use the key: GenerateDataKey, Decrypt, DescribeKey.
    pub application: Vec<String>,
    /// The application's own health check calls Encrypt.
    pub application_encrypts: bool,
    /// Disable it, now (EmergencyKeyAdmin).
    pub emergency: Vec<String>,
    /// Enable it again (KeyRecoveryAdmin).
    pub recovery: Vec<String>,
    /// Schedule its deletion.
    pub destroyers: Vec<String>,
    /// Look at everything, change nothing.
    pub auditors: Vec<String>,
    /// ReEncrypt, and Decrypt for the proof.
    pub rewrap: Vec<String>,
}

/// The log of every call, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AuditPart {
    pub trail: Option<String>,
    pub bucket: Option<String>,
    /// `own` makes a key for the log alone; `s3` leaves it to S3; or the ARN of another key. Never the master key.
    pub key: String,
    pub infrequent_days: u32,
    pub archive_days: u32,
    /// 2,557 is seven years with their leap days.
    pub expire_days: u32,
    pub object_lock: Option<LockPart>,
    pub log_group: Option<String>,
    pub log_retention_days: u32,
    /// ARN of the role by which CloudTrail writes to the log group.
    pub logs_role: Option<String>,
}

impl Default for AuditPart {
    fn default() -> AuditPart {
        AuditPart {
            trail: None,
            bucket: None,
            key: "own".to_owned(),
            infrequent_days: 90,
            archive_days: 365,
            expire_days: 2557,
            object_lock: None,
            log_group: None,
            log_retention_days: 400,
            logs_role: None,
        }
    }
}

/// Object lock on request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockPart {
    /// `governance` or `compliance`.
    pub mode: String,
    pub days: u32,
}

/// Who hears when something happens to a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AlarmsPart {
    pub topic: Option<String>,
    /// `email:who@example.org`, `https://…`, `sqs:ARN`.
    pub subscribers: Vec<String>,
}

/// A value AWS or this tool would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Keys from the section down, e.g. `["key", "deletion-window-days"]`.
    pub path: Vec<&'static str>,
    /// `must be from 7 to 30 days`.
    pub wanted: String,
}

impl Provision {
    /// Looks for values that AWS would refuse half-way, or that defeat the purpose.
    pub fn check(&self, production: bool) -> Result<(), Unfit> {
        self.key.check()?;
        if let Some(roles) = &self.roles {
            roles.check()?;
        }
        if let Some(audit) = &self.audit {
            audit.check(production)?;
        }
        if let Some(alarms) = &self.alarms {
            let named = alarms.topic.as_deref().is_none_or(|name| {
                (1..=256).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            });
            unless(named, &["alarms", "topic"], "must be letters, digits, - and _, at most 256")?;
            for text in &alarms.subscribers {
                let fit = subscriber(text).is_some();
                unless(fit, &["alarms", "subscribers"], "must be like email:ADDRESS, https://… or sqs:ARN")?;
            }
            let watched = self.audit.as_ref().is_some_and(|audit| audit.logs_role.is_some());
            let why = "need audit.logs-role: they watch the trail's log group, and CloudTrail writes to it by that role \
                       (`scrybe-keys create-cmk iam show CloudTrailToLogs` prints it)";
            unless(watched, &["alarms"], why)?;
        }
        Ok(())
    }
}

impl KeyPart {
    fn check(&self) -> Result<(), Unfit> {
        let window = (7..=30).contains(&self.deletion_window_days);
        unless(window, &["key", "deletion-window-days"], "must be from 7 to 30 days (KMS takes no other)")?;
        for alias in self.aliases.iter().flatten() {
            let wanted = "must be names like alias/NAME of letters, digits and :/_-, not under alias/aws/";
            unless(is_alias(alias), &["key", "aliases"], wanted)?;
        }
        unless(self.aliases.as_ref().is_none_or(|all| !all.is_empty()), &["key", "aliases"], "must name at least one")?;
        for (name, value) in &self.tags {
            let fit = (1..=128).contains(&name.len()) && value.len() <= 256 && !name.to_lowercase().starts_with("aws:");
            unless(fit, &["key", "tags"], "must have names of up to 128 and values of up to 256, none under aws:")?;
        }
        for region in &self.replica_regions {
            let fit = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            unless(fit, &["key", "replica-regions"], "must be names of AWS regions")?;
        }
        let possible = self.multi_region || self.replica_regions.is_empty();
        unless(
            possible,
            &["key", "replica-regions"],
            "need key.multi-region: true, which is fixed when the key is made",
        )
    }
}

impl RolesPart {
    /// Every ARN that is named.
    pub fn all(&self) -> impl Iterator<Item = &str> + Clone {
        let lists = [
            &self.policy_administrators,
            &self.administrators,
            &self.application,
            &self.emergency,
            &self.recovery,
            &self.destroyers,
            &self.auditors,
            &self.rewrap,
        ];
        lists.into_iter().flatten().map(String::as_str)
    }

    fn check(&self) -> Result<(), Unfit> {
        let lists: [(&'static str, &Vec<String>); 8] = [
            ("policy-administrators", &self.policy_administrators),
            ("administrators", &self.administrators),
            ("application", &self.application),
            ("emergency", &self.emergency),
            ("recovery", &self.recovery),
            ("destroyers", &self.destroyers),
            ("auditors", &self.auditors),
            ("rewrap", &self.rewrap),
        ];
        for (name, arns) in lists {
            let fit = arns.iter().all(|arn| is_iam_arn(arn));
            unless(fit, &["roles", name], "must be ARNs like arn:aws:iam::123456789012:role/NAME")?;
        }
        Ok(())
    }
}

impl AuditPart {
    fn check(&self, production: bool) -> Result<(), Unfit> {
        let named = |name: &Option<String>, fit: fn(&str) -> bool| name.as_deref().is_none_or(fit);
        let trail = "must be 3 to 128 letters, digits, . _ -, beginning and ending with a letter or digit";
        unless(named(&self.trail, is_trail_name), &["audit", "trail"], trail)?;
        let bucket = "must be 3 to 63 lower-case letters, digits, . and -, beginning and ending with a letter or digit";
        unless(named(&self.bucket, is_bucket_name), &["audit", "bucket"], bucket)?;
        let is_key = |arn: &str| {
            let parts: Vec<&str> = arn.splitn(6, ':').collect();
            matches!(parts[..], ["arn", _, "kms", _, _, key] if key.starts_with("key/"))
        };
        let key = matches!(self.key.as_str(), "own" | "s3") || is_key(&self.key);
        unless(key, &["audit", "key"], "must be own, s3 or the ARN of a KMS key (not of an alias)")?;
        unless(self.infrequent_days >= 30, &["audit", "infrequent-days"], "must be at least 30 (S3 takes no less)")?;
        let archive = self.archive_days >= self.infrequent_days + 30;
        unless(archive, &["audit", "archive-days"], "must be at least 30 days after infrequent-days")?;
        unless(self.expire_days > self.archive_days, &["audit", "expire-days"], "must be more than archive-days")?;
        unless(
            RETENTIONS.contains(&self.log_retention_days),
            &["audit", "log-retention-days"],
            &format!("must be one of {}", RETENTIONS.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
        )?;
        let role = self.logs_role.as_deref().is_none_or(is_iam_arn);
        unless(role, &["audit", "logs-role"], "must be an ARN like arn:aws:iam::123456789012:role/NAME")?;
        if let Some(lock) = &self.object_lock {
            let mode = matches!(lock.mode.as_str(), "governance" | "compliance");
            unless(mode, &["audit", "object-lock", "mode"], "must be governance or compliance")?;
            let undoable = lock.mode == "governance" || production;
            let wanted = "must be governance outside production: compliance cannot be undone by anybody";
            unless(undoable, &["audit", "object-lock", "mode"], wanted)?;
            let days = (1..=self.expire_days).contains(&lock.days);
            unless(days, &["audit", "object-lock", "days"], "must be from 1 to expire-days")?;
        }
        Ok(())
    }

    /// The lock asked for. `check` has seen it.
    pub fn lock(&self) -> Option<ObjectLock> {
        let lock = self.object_lock.as_ref()?;
        let mode = if lock.mode == "compliance" { LockMode::Compliance } else { LockMode::Governance };
        Some(ObjectLock { mode, days: lock.days })
    }
}

/// `email:who@example.org` taken apart. A web address is its own protocol.
pub fn subscriber(text: &str) -> Option<Subscriber> {
    if text.starts_with("https://") {
        return Some(Subscriber { protocol: "https".to_owned(), endpoint: text.to_owned() });
    }
    let (protocol, endpoint) = text.split_once(':')?;
    let fit = match protocol {
        "email" | "email-json" => endpoint.contains('@'),
        "sqs" | "lambda" => endpoint.starts_with("arn:"),
        "sms" => endpoint.starts_with('+'),
        _ => false,
    };
    fit.then(|| Subscriber { protocol: protocol.to_owned(), endpoint: endpoint.to_owned() })
}

/// `alias/` and then what AWS allows (API: CreateAlias).
pub fn is_alias(name: &str) -> bool {
    name.strip_prefix("alias/").is_some_and(|rest| {
        !rest.is_empty()
            && name.len() <= 256
            && !rest.starts_with("aws/")
            && rest.chars().all(|c| c.is_ascii_alphanumeric() || ":/_-".contains(c))
    })
}

fn is_iam_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, resource] = parts[..] else { return false };
    scheme == "arn"
        && partition.starts_with("aws")
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && (resource.starts_with("role/") || resource.starts_with("user/"))
}

fn is_trail_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    let marks = name.as_bytes();
    (3..=128).contains(&marks.len())
        && marks.iter().all(|b| plain(*b) || b"._-".contains(b))
        && plain(marks[0])
        && plain(marks[marks.len() - 1])
        && marks.windows(2).all(|pair| plain(pair[0]) || plain(pair[1]))
}

fn is_bucket_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let marks = name.as_bytes();
    (3..=63).contains(&marks.len())
        && marks.iter().all(|b| plain(*b) || b".-".contains(b))
        && plain(marks[0])
        && plain(marks[marks.len() - 1])
        && !name.contains("..")
}

fn unless(fit: bool, path: &[&'static str], wanted: &str) -> Result<(), Unfit> {
    if fit { Ok(()) } else { Err(Unfit { path: path.to_vec(), wanted: wanted.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(change: impl Fn(&mut AuditPart)) -> Provision {
        let mut audit = AuditPart::default();
        change(&mut audit);
        Provision { audit: Some(audit), ..Provision::default() }
    }

    fn key(change: impl Fn(&mut KeyPart)) -> Provision {
        let mut provision = Provision::default();
        change(&mut provision.key);
        provision
    }

    #[test]
    fn what_aws_would_refuse_half_way_is_refused_before() {
        assert_eq!(Provision::default().check(true), Ok(()));
        assert_eq!(audit(|_| ()).check(true), Ok(()));
        let lock = |mode: &str| Some(LockPart { mode: mode.to_owned(), days: 30 });
        let unfit = [
            (key(|k| k.deletion_window_days = 6), "deletion-window-days"),
            (key(|k| k.deletion_window_days = 31), "deletion-window-days"),
            (key(|k| k.aliases = Some(vec!["alias/aws/s3".into()])), "aliases"),
            (key(|k| k.aliases = Some(vec!["scrybe".into()])), "aliases"),
            (key(|k| k.replica_regions = vec!["eu-west-1".into()]), "replica-regions"),
            (key(|k| k.tags = [("aws:x".to_owned(), String::new())].into()), "tags"),
            (audit(|a| a.bucket = Some("Scrybe_Logs".into())), "bucket"),
            (audit(|a| a.trail = Some("a--b".into())), "trail"),
            (audit(|a| a.log_retention_days = 2555), "log-retention-days"),
            (audit(|a| a.archive_days = 100), "archive-days"),
            (audit(|a| a.expire_days = 365), "expire-days"),
            (audit(|a| a.key = "master".into()), "key"),
            (audit(|a| a.key = "arn:aws:kms:us-west-2:111122223333:alias/x".into()), "key"),
            (audit(|a| a.logs_role = Some("role/x".into())), "logs-role"),
            (audit(|a| a.object_lock = lock("legal-hold")), "mode"),
            (Provision { alarms: Some(AlarmsPart::default()), ..Provision::default() }, "alarms"),
        ];
        for (provision, named) in unfit {
            let found = provision.check(true).unwrap_err();
            assert_eq!(found.path.last(), Some(&named), "{found:?}");
        }
        assert_eq!(audit(|a| a.object_lock = lock("compliance")).check(true), Ok(()));
        assert!(audit(|a| a.object_lock = lock("compliance")).check(false).is_err());
    }

    #[test]
    fn a_subscriber_says_how_it_is_reached() {
        assert_eq!(subscriber("email:a@b.example").map(|s| s.protocol).as_deref(), Some("email"));
        assert_eq!(
            subscriber("https://hooks.example/x").map(|s| s.endpoint).as_deref(),
            Some("https://hooks.example/x")
        );
        for bad in ["a@b.example", "email:nobody", "http://x", "fax:123", ""] {
            assert_eq!(subscriber(bad), None, "{bad}");
        }
    }
}
