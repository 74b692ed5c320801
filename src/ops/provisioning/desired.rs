//! What is to be there, with every name and document: the configuration's section, the environment, the account and the region made concrete.

use super::documents;
use crate::app::App;
use crate::config::{Environment, Sourced};
use crate::core::kms::Caller;
use crate::core::policy::{self, Document, Principals};
use crate::core::provision::{self, Provision};
use crate::core::surroundings::{Lifecycle, ObjectLock, Subscriber};
use crate::error::Failure;
use std::collections::BTreeMap;

/// Tag by which this tool knows what it made, and its value.
pub const MANAGED_BY: (&str, &str) = ("ManagedBy", "scrybe-keys");

/// Everything that is to be there.
pub struct Desired {
    pub environment: Environment,
    pub region: String,
    pub caller: Caller,
    pub master: Key,
    pub replica_regions: Vec<String>,
    pub audit: Option<Audit>,
    pub alarms: Option<Alarms>,
    /// Parts that the configuration leaves out, each with what is then not guarded.
    pub missing: Vec<&'static str>,
    pub deletion_window_days: u32,
}

/// A KMS key.
pub struct Key {
    pub description: String,
    pub tags: BTreeMap<String, String>,
    /// `None` leaves the policy that is there, or takes the service's default for a new key.
    pub policy: Option<Document>,
    pub rotation_days: u32,
    /// The first is the one that is told to the application.
    pub aliases: Vec<String>,
    pub multi_region: bool,
}

/// What seals the log.
pub enum LogKey {
    /// A key of its own, made here.
    Own(Box<Key>),
    /// S3's.
    Service,
    /// Somebody's: an ARN.
    Other(String),
}

/// Bucket, log group and trail.
pub struct Audit {
    pub key: LogKey,
    pub bucket: String,
    pub bucket_policy: Document,
    pub lifecycle: Lifecycle,
    pub lock: Option<ObjectLock>,
    /// With the role by which CloudTrail writes to it.
    pub logs: Option<LogGroup>,
    pub trail: String,
    pub trail_arn: String,
}

/// The log group.
pub struct LogGroup {
    pub name: String,
    /// Ending in `:*`, as CloudTrail wants it.
    pub arn: String,
    pub role: String,
    pub retention_days: u32,
}

/// Topic, filters and alarms.
pub struct Alarms {
    pub account: String,
    pub topic: String,
    pub topic_arn: String,
    pub topic_policy: Document,
    pub subscribers: Vec<Subscriber>,
    /// Names of filters and alarms begin so.
    pub prefix: String,
}

/// What the command line asks for where the file has no section.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub multi_region: bool,
    pub replica_regions: Vec<String>,
}

/// The environment, which must be said.
pub fn environment(app: &App) -> Result<Environment, Failure> {
    let stated = app.settings.environment.as_ref().map(|e| e.value);
    stated.ok_or_else(|| {
        Failure::usage("no-environment", "nothing says which environment this is for")
            .hint("give --environment development, staging or production")
    })
}

/// Makes the section concrete. Makes no call.
pub fn desired(app: &App, caller: Caller, asked: &Asked) -> Result<Desired, Failure> {
    let environment = environment(app)?;
    let section = section(app, asked)?;
    let region = app.settings.region.value.clone();
    let partition = caller.arn.split(':').nth(1).filter(|p| !p.is_empty()).unwrap_or("aws").to_owned();
    let names = Names { environment, region: &region, account: &caller.account, partition: &partition };
    let master = master(app, &names, &section)?;
    let audit = section.audit.as_ref().map(|part| audit(app, &names, part, &section)).transpose()?;
    let alarms = section.alarms.as_ref().map(|part| alarms(&names, part));
    let mut missing = Vec::new();
    if section.roles.is_none() {
        missing.push("roles: the key keeps the policy it has, and IAM alone decides who uses, changes and deletes it");
    }
    if section.audit.is_none() {
        missing.push("audit: no trail keeps a log of who used the key");
    }
    if section.alarms.is_none() {
        missing.push("alarms: nobody is told when the key is disabled, deleted or given to somebody");
    }
    Ok(Desired {
        environment,
        master,
        replica_regions: section.key.replica_regions.clone(),
        audit,
        alarms,
        missing,
        deletion_window_days: section.key.deletion_window_days,
        caller,
        region,
    })
}

fn section(app: &App, asked: &Asked) -> Result<Provision, Failure> {
    let mut section = app.settings.provision.as_ref().map(|s| s.value.clone()).unwrap_or_default();
    section.key.multi_region |= asked.multi_region || !asked.replica_regions.is_empty();
    for region in &asked.replica_regions {
        if !section.key.replica_regions.contains(region) {
            section.key.replica_regions.push(region.clone());
        }
    }
    if section.key.replica_regions.contains(&app.settings.region.value) {
        let text = format!("{} is the key's own region: a replica stands in another", app.settings.region.value);
        return Err(Failure::usage("bad-replica-region", text));
    }
    section.check(environment(app)? == Environment::Production).map_err(|unfit| {
        let place = app
            .settings
            .provision
            .as_ref()
            .map_or("the command line".to_owned(), |s: &Sourced<_>| s.origin.to_string());
        Failure::usage("bad-provision", format!("{place}: {} {}", unfit.path.join("."), unfit.wanted))
    })?;
    Ok(section)
}

/// What names are made of.
struct Names<'a> {
    environment: Environment,
    region: &'a str,
    account: &'a str,
    partition: &'a str,
}

impl Names<'_> {
    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account)
    }
}

/// The environment's aliases; the application's own first.
pub fn usual_aliases(environment: Environment) -> Vec<String> {
    let names: &[&str] = match environment {
        Environment::Development => {
            &["scrybe-phi-master-key-dev", "scrybe-phi-master-key-development", "scrybe-phi-development"]
        }
        Environment::Staging => &["scrybe-phi-master-key-staging", "scrybe-phi-staging"],
        Environment::Production => {
            &["scrybe-phi-master-key-prod", "scrybe-phi-master-key-production", "scrybe-phi-production"]
        }
    };
    names.iter().map(|name| format!("alias/{name}")).collect()
}

fn master(app: &App, names: &Names<'_>, section: &Provision) -> Result<Key, Failure> {
    let environment = names.environment.as_str();
    let aliases = section.key.aliases.clone().unwrap_or_else(|| usual_aliases(names.environment));
    let mut tags = section.key.tags.clone();
    tags.extend(own_tags(&aliases[0], "PHI_PROTECTION", "PHI", environment));
    let description = section.key.description.clone();
    Ok(Key {
        description: description.unwrap_or_else(|| format!("master key of patient data, {environment}")),
        tags,
        policy: master_policy(names, section)?,
        rotation_days: app.settings.policy.cmk_rotation_days,
        aliases,
        multi_region: section.key.multi_region,
    })
}

fn master_policy(names: &Names<'_>, section: &Provision) -> Result<Option<Document>, Failure> {
    let Some(roles) = &section.roles else { return Ok(None) };
    let principals = Principals {
        account: names.account.to_owned(),
        partition: names.partition.to_owned(),
        policy_administrators: roles.policy_administrators.clone(),
        administrators: roles.administrators.clone(),
        application: roles.application.clone(),
        application_encrypts: roles.application_encrypts,
        emergency: roles.emergency.clone(),
        recovery: roles.recovery.clone(),
        destroyers: roles.destroyers.clone(),
        auditors: roles.auditors.clone(),
        rewrap: roles.rewrap.clone(),
        encryption_context_keys: Vec::new(),
        deletion_window_days: section.key.deletion_window_days,
    };
    policy::for_master_key(&principals)
        .map(Some)
        .map_err(|e| Failure::usage("bad-roles", e.to_string()).hint("correct the roles of the provision section"))
}

fn own_tags(alias: &str, purpose: &str, class: &str, environment: &str) -> BTreeMap<String, String> {
    let name = alias.strip_prefix("alias/").unwrap_or(alias);
    [("Name", name), ("Purpose", purpose), ("DataClass", class), ("Environment", environment), MANAGED_BY]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn audit(app: &App, names: &Names<'_>, part: &provision::AuditPart, section: &Provision) -> Result<Audit, Failure> {
    let environment = names.environment.as_str();
    let trail = part.trail.clone().unwrap_or_else(|| format!("scrybe-keys-{environment}"));
    let trail_arn = names.arn("cloudtrail", &format!("trail/{trail}"));
    let default_bucket = || format!("scrybe-audit-logs-{environment}-{}", names.account);
    let bucket = part.bucket.clone().unwrap_or_else(default_bucket);
    let key = match part.key.as_str() {
        "own" => {
            let alias = format!("alias/scrybe-audit-{environment}");
            let roles = section.roles.clone().unwrap_or_default();
            let policy = documents::audit_key(names.account, names.partition, &trail_arn, names.region, &roles)?;
            LogKey::Own(Box::new(Key {
                description: format!("seals the log of key use, {environment}; never the master key of patient data"),
                tags: own_tags(&alias, "AUDIT_LOGS", "AUDIT", environment),
                policy: Some(policy),
                rotation_days: app.settings.policy.cmk_rotation_days,
                aliases: vec![alias],
                multi_region: false,
            }))
        }
        "s3" => LogKey::Service,
        arn => LogKey::Other(arn.to_owned()),
    };
    let logs = part.logs_role.clone().map(|role| {
        let name = part.log_group.clone().unwrap_or_else(|| format!("/scrybe-keys/{environment}/cloudtrail"));
        let arn = names.arn("logs", &format!("log-group:{name}:*"));
        LogGroup { name, arn, role, retention_days: part.log_retention_days }
    });
    Ok(Audit {
        key,
        bucket_policy: documents::bucket(names.partition, names.account, &bucket, &trail_arn),
        bucket,
        lifecycle: Lifecycle {
            infrequent_days: part.infrequent_days,
            archive_days: part.archive_days,
            expire_days: part.expire_days,
        },
        lock: part.lock(),
        logs,
        trail,
        trail_arn,
    })
}

fn alarms(names: &Names<'_>, part: &provision::AlarmsPart) -> Alarms {
    let environment = names.environment.as_str();
    let topic = part.topic.clone().unwrap_or_else(|| format!("scrybe-keys-{environment}-alarms"));
    let topic_arn = names.arn("sns", &topic);
    Alarms {
        account: names.account.to_owned(),
        topic_policy: documents::topic(names.partition, names.account, &topic_arn),
        topic,
        topic_arn,
        subscribers: part.subscribers.iter().filter_map(|text| provision::subscriber(text)).collect(),
        prefix: format!("scrybe-keys-{environment}-"),
    }
}
