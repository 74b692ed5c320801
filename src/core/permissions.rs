//! What each verb asks of AWS: the one table. `--print-iam` prints it, and `ops::allowed` refuses every KMS call that the running verb's row
//! does not name, so a verb that starts to ask for more fails its own tests until its row says so.
//!
//! Operations have their API names; `iam_actions` says what IAM calls them. A row may name a call that only some runs make: `when` says which.
//! Source: service authorization reference of each service.

use super::policy::{Document, Effect, Statement, Words};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One call that a verb may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// As endpoints and IAM name it: `kms`, `s3`, `cloudtrail`, …
    pub service: &'static str,
    /// The API's name, e.g. `GenerateDataKey`.
    pub operation: &'static str,
    pub resource: Resource,
    /// In which runs; empty: in every one.
    pub when: &'static str,
}

/// What an action is about, as IAM restricts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// The configured master key.
    Key,
    /// Keys and aliases of this account and region: KMS asks for both where an alias changes hands.
    KeysAndAliases,
    /// Keys of this account, in this region and in others.
    Keys,
    Bucket,
    Trail,
    LogGroup,
    Alarm,
    Topic,
    /// The role by which CloudTrail writes to the log group.
    LogsRole,
    /// IAM knows no narrower resource for it.
    Any,
    /// The sandbox's own endpoint: no AWS account is asked.
    Sandbox,
}

const fn on(resource: Resource, service: &'static str, operation: &'static str, when: &'static str) -> Action {
    Action { service, operation, resource, when }
}

const fn key(operation: &'static str, when: &'static str) -> Action {
    on(Resource::Key, "kms", operation, when)
}

const ALIAS: &str = "the key is given as an alias";
const MATERIAL: &str = "the key is given as an alias, or the records name a DEK's material";
const DEEP: &str = "--deep";

/// Every verb that looks whether it is in the world the database is bound to.
const BOUND: &[Action] = &[key("DescribeKey", ALIAS)];
/// Who did it, for the record. STS asks for no permission.
const RECORDED: &[Action] = &[on(Resource::Any, "sts", "GetCallerIdentity", "")];
const RECORDED_CHANGE: &[Action] = &[on(Resource::Any, "sts", "GetCallerIdentity", "there is something to change")];
const UNWRAP: &[Action] = &[key("Decrypt", "")];
const UNWRAP_DEEP: &[Action] = &[key("Decrypt", DEEP)];

const THERE: &str = "there is a key";
const SECTION: &str = "the configuration has a section provision";

/// The master key, its replicas and the log's key, as they are: none of them has a known id when the first call is made.
const LOOK: &[Action] = &[
    on(Resource::Any, "sts", "GetCallerIdentity", ""),
    on(Resource::Any, "kms", "ListAliases", ""),
    on(Resource::Any, "kms", "ListKeys", "no alias leads to a key of this tool"),
    on(Resource::Keys, "kms", "ListResourceTags", THERE),
    on(Resource::Keys, "kms", "DescribeKey", THERE),
    on(Resource::Keys, "kms", "GetKeyPolicy", THERE),
    on(Resource::Keys, "kms", "GetKeyRotationStatus", THERE),
];

const PROVISION: &[Action] = &[
    on(Resource::Any, "kms", "CreateKey", "there is no key yet"),
    on(Resource::Keys, "kms", "TagResource", "a key is made, or its tags differ"),
    on(Resource::Keys, "kms", "PutKeyPolicy", "a key's policy is replaced"),
    on(Resource::Keys, "kms", "EnableKeyRotation", "rotation is off, or has another period"),
    on(Resource::Keys, "kms", "UpdateKeyDescription", "the description differs"),
    on(Resource::KeysAndAliases, "kms", "CreateAlias", "an alias is missing"),
    on(Resource::KeysAndAliases, "kms", "UpdateAlias", "an alias is moved"),
    on(Resource::Keys, "kms", "ReplicateKey", "a replica is missing"),
    // No call of its own: KMS makes the role that keeps copies alike.
    on(Resource::Any, "iam", "CreateServiceLinkedRole", "the account's first multi-Region key is made"),
];

const AUDITED: &str = "provision.audit";
const WATCHED: &str = "provision.alarms";

/// Reading what stands around a key: `create-cmk` before it plans, `health` for its posture.
const SURROUNDINGS: &[Action] = &[
    on(Resource::Bucket, "s3", "HeadBucket", AUDITED),
    on(Resource::Bucket, "s3", "GetBucketVersioning", AUDITED),
    on(Resource::Bucket, "s3", "GetPublicAccessBlock", AUDITED),
    on(Resource::Bucket, "s3", "GetBucketPolicy", AUDITED),
    on(Resource::Bucket, "s3", "GetBucketEncryption", AUDITED),
    on(Resource::Bucket, "s3", "GetBucketLifecycleConfiguration", AUDITED),
    on(Resource::Bucket, "s3", "GetObjectLockConfiguration", AUDITED),
    on(Resource::Any, "logs", "DescribeLogGroups", AUDITED),
    on(Resource::LogGroup, "logs", "DescribeMetricFilters", WATCHED),
    on(Resource::Trail, "cloudtrail", "GetTrail", AUDITED),
    on(Resource::Trail, "cloudtrail", "GetTrailStatus", AUDITED),
    on(Resource::Trail, "cloudtrail", "GetEventSelectors", AUDITED),
    on(Resource::Any, "cloudwatch", "DescribeAlarms", WATCHED),
    on(Resource::Topic, "sns", "GetTopicAttributes", WATCHED),
    on(Resource::Topic, "sns", "ListSubscriptionsByTopic", WATCHED),
];

const SURROUND: &[Action] = &[
    on(Resource::Bucket, "s3", "CreateBucket", AUDITED),
    on(Resource::Bucket, "s3", "PutPublicAccessBlock", AUDITED),
    on(Resource::Bucket, "s3", "PutBucketVersioning", AUDITED),
    on(Resource::Bucket, "s3", "PutBucketPolicy", AUDITED),
    on(Resource::Bucket, "s3", "PutBucketEncryption", AUDITED),
    on(Resource::Bucket, "s3", "PutBucketLifecycleConfiguration", AUDITED),
    on(Resource::Bucket, "s3", "PutObjectLockConfiguration", "provision.audit.object-lock"),
    on(Resource::LogGroup, "logs", "CreateLogGroup", AUDITED),
    on(Resource::LogGroup, "logs", "PutRetentionPolicy", AUDITED),
    on(Resource::LogGroup, "logs", "PutMetricFilter", WATCHED),
    on(Resource::Trail, "cloudtrail", "CreateTrail", AUDITED),
    on(Resource::Trail, "cloudtrail", "UpdateTrail", AUDITED),
    on(Resource::Trail, "cloudtrail", "PutEventSelectors", AUDITED),
    on(Resource::Trail, "cloudtrail", "StartLogging", AUDITED),
    // No call of its own: IAM asks for it when a trail is given a role.
    on(Resource::LogsRole, "iam", "PassRole", "provision.audit.logs-role"),
    on(Resource::Alarm, "cloudwatch", "PutMetricAlarm", WATCHED),
    on(Resource::Topic, "sns", "CreateTopic", WATCHED),
    on(Resource::Topic, "sns", "SetTopicAttributes", WATCHED),
    on(Resource::Topic, "sns", "Subscribe", WATCHED),
];

const POSTURE: &[Action] = &[
    key("DescribeKey", ""),
    key("GetKeyRotationStatus", ""),
    key("GetKeyPolicy", THERE),
    key("ListGrants", THERE),
    key("GetKeyLastUsage", THERE),
    key("GenerateDataKey", DEEP),
    key("Encrypt", DEEP),
    key("Decrypt", DEEP),
    on(Resource::Any, "kms", "ListAliases", THERE),
    on(Resource::Any, "sts", "GetCallerIdentity", "--record, or a section provision"),
    on(Resource::Any, "kms", "ListKeys", SECTION),
    on(Resource::Keys, "kms", "ListResourceTags", SECTION),
    on(Resource::Keys, "kms", "DescribeKey", SECTION),
    on(Resource::Keys, "kms", "GetKeyPolicy", SECTION),
    on(Resource::Keys, "kms", "GetKeyRotationStatus", SECTION),
];

const TO_MOVE: &str = "there is a DEK to move";

const REWRAP: &[Action] = &[
    key("DescribeKey", ""),
    on(Resource::Keys, "kms", "DescribeKey", "--to another key"),
    on(Resource::Keys, "kms", "Decrypt", TO_MOVE),
    on(Resource::Keys, "kms", "ReEncrypt", TO_MOVE),
];

const ROTATE_CMK: &[Action] = &[
    key("DescribeKey", ""),
    key("GetKeyRotationStatus", ""),
    key("ListKeyRotations", ""),
    key("RotateKeyOnDemand", ""),
];

const SANDBOX_SEED: &[Action] = &[
    on(Resource::Sandbox, "kms", "CreateKey", ""),
    on(Resource::Sandbox, "kms", "DescribeKey", ""),
    on(Resource::Sandbox, "kms", "CreateAlias", ""),
    on(Resource::Sandbox, "kms", "UpdateAlias", ""),
    on(Resource::Sandbox, "kms", "GetKeyRotationStatus", ""),
    on(Resource::Sandbox, "kms", "EnableKeyRotation", ""),
    on(Resource::Sandbox, "kms", "GenerateDataKey", ""),
    on(Resource::Sandbox, "kms", "Decrypt", ""),
];

/// Verb, and the groups of calls it may make. A verb that asks nothing has an empty row; a verb without a row does not pass the tests.
const ROWS: &[(&str, &[&[Action]])] = &[
    ("context", &[&[key("DescribeKey", "")], RECORDED]),
    ("init", &[&[key("DescribeKey", "")], RECORDED]),
    ("create-cmk", &[LOOK, PROVISION, SURROUNDINGS, SURROUND]),
    ("create-cmk-policy-show", &[]),
    ("create-cmk-policy-lint", &[]),
    ("create-cmk-iam-show", &[]),
    ("rotate", &[BOUND, &[key("GenerateDataKey", "a new key version is made")], UNWRAP, RECORDED]),
    ("rotate-cmk", &[ROTATE_CMK, RECORDED]),
    ("re-encrypt", &[BOUND, UNWRAP, RECORDED_CHANGE]),
    ("rewrap", &[REWRAP, RECORDED_CHANGE]),
    ("jobs-list", &[BOUND]),
    ("jobs-status", &[BOUND]),
    ("jobs-attach", &[BOUND]),
    ("jobs-pause", &[BOUND, RECORDED]),
    ("jobs-unpause", &[BOUND, RECORDED]),
    ("jobs-tune", &[BOUND, RECORDED]),
    ("jobs-cancel", &[BOUND, RECORDED]),
    ("jobs-failures", &[BOUND]),
    ("jobs-retry-failed", &[BOUND, UNWRAP, RECORDED]),
    ("keys-list", &[&[key("DescribeKey", MATERIAL)], UNWRAP_DEEP]),
    ("keys-show", &[&[key("DescribeKey", MATERIAL)], UNWRAP_DEEP]),
    ("census", &[BOUND, UNWRAP]),
    ("audit-log", &[BOUND]),
    ("audit-verify", &[BOUND]),
    ("health", &[POSTURE, SURROUNDINGS]),
    ("sandbox-up", &[]),
    ("sandbox-seed", &[SANDBOX_SEED]),
    ("sandbox-status", &[]),
    ("sandbox-down", &[]),
    ("sandbox-exec", &[]),
    ("sandbox-shell", &[]),
    ("sandbox-env", &[]),
    ("sandbox-serve-kms", &[]),
    ("completions", &[]),
    ("man", &[]),
];

static TABLE: LazyLock<BTreeMap<&'static str, Vec<Action>>> =
    LazyLock::new(|| ROWS.iter().map(|(verb, groups)| (*verb, groups.concat())).collect());

/// What a verb may ask; `verb` is its words joined by `-` (`jobs-list`). Empty for one without a row, too: see `is_listed`.
pub fn of(verb: &str) -> &'static [Action] {
    TABLE.get(verb).map_or(&[], Vec::as_slice)
}

/// True for verbs that have a row.
pub fn is_listed(verb: &str) -> bool {
    TABLE.contains_key(verb)
}

/// Every verb with a row.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

/// True when the verb's row names this call.
pub fn allows(verb: &str, service: &str, operation: &str) -> bool {
    of(verb).iter().any(|action| action.service == service && action.operation == operation)
}

/// What IAM calls the permission for an API operation. Most have the operation's name; these do not.
pub fn iam_actions(service: &str, operation: &str) -> Vec<String> {
    let names: &[&str] = match (service, operation) {
        // Whoever has credentials may ask who they are.
        ("sts", "GetCallerIdentity") => &[],
        ("kms", "ReEncrypt") => &["ReEncryptFrom", "ReEncryptTo"],
        ("s3", "HeadBucket") => &["ListBucket"],
        ("s3", "GetPublicAccessBlock") => &["GetBucketPublicAccessBlock"],
        ("s3", "PutPublicAccessBlock") => &["PutBucketPublicAccessBlock"],
        ("s3", "GetBucketEncryption") => &["GetEncryptionConfiguration"],
        ("s3", "PutBucketEncryption") => &["PutEncryptionConfiguration"],
        ("s3", "GetBucketLifecycleConfiguration") => &["GetLifecycleConfiguration"],
        ("s3", "PutBucketLifecycleConfiguration") => &["PutLifecycleConfiguration"],
        ("s3", "GetObjectLockConfiguration") => &["GetBucketObjectLockConfiguration"],
        ("s3", "PutObjectLockConfiguration") => &["PutBucketObjectLockConfiguration"],
        (_, same) => return vec![format!("{service}:{same}")],
    };
    names.iter().map(|name| format!("{service}:{name}")).collect()
}

/// Where the resources are; what is not known stays a word to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: String,
    pub region: String,
    pub account: String,
    /// The configured key's id, or its whole ARN.
    pub key: String,
    /// ARNs of other resources, where they are known.
    pub named: Vec<(Resource, String)>,
}

impl Default for Place {
    fn default() -> Place {
        Place {
            partition: "aws".to_owned(),
            region: "REGION".to_owned(),
            account: "ACCOUNT".to_owned(),
            key: "KEY-ID".to_owned(),
            named: Vec::new(),
        }
    }
}

impl Place {
    /// The ARNs IAM is given for a resource.
    pub fn arns(&self, resource: Resource) -> Vec<String> {
        let Place { partition, region, account, key, named } = self;
        if let Some((_, arn)) = named.iter().find(|(known, _)| *known == resource) {
            return vec![arn.clone()];
        }
        let arn = |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
        match resource {
            Resource::Key if key.starts_with("arn:") => vec![key.clone()],
            Resource::Key => vec![arn("kms", &format!("key/{key}"))],
            Resource::Keys => vec![format!("arn:{partition}:kms:*:{account}:key/*")],
            // Copies of a multi-Region key have their aliases in their own regions.
            Resource::KeysAndAliases => {
                ["alias", "key"].map(|kind| format!("arn:{partition}:kms:*:{account}:{kind}/*")).into()
            }
            Resource::Bucket => vec![format!("arn:{partition}:s3:::BUCKET")],
            Resource::Trail => vec![arn("cloudtrail", "trail/TRAIL")],
            Resource::LogGroup => vec![arn("logs", "log-group:LOG-GROUP:*")],
            Resource::Alarm => vec![arn("cloudwatch", "alarm:*")],
            Resource::Topic => vec![arn("sns", "TOPIC")],
            Resource::LogsRole => vec![format!("arn:{partition}:iam::{account}:role/CloudTrailToLogs")],
            Resource::Any => vec!["*".to_owned()],
            Resource::Sandbox => Vec::new(),
        }
    }
}

/// The IAM policy document for these calls: one statement for each resource, every action once, nothing more.
pub fn policy_for(actions: &[Action], place: &Place) -> Document {
    let mut by_resource: BTreeMap<Resource, Vec<String>> = BTreeMap::new();
    for action in actions.iter().filter(|action| action.resource != Resource::Sandbox) {
        by_resource.entry(action.resource).or_default().extend(iam_actions(action.service, action.operation));
    }
    let statements = by_resource.into_iter().filter(|(_, names)| !names.is_empty()).map(|(resource, mut names)| {
        names.sort();
        names.dedup();
        Statement {
            sid: Some(format!("{resource:?}")),
            effect: Effect::Allow,
            action: Some(Words(names)),
            resource: Some(Words(place.arns(resource))),
            ..Statement::default()
        }
    });
    Document::of(statements.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::policy::is_known_action;

    #[test]
    fn iam_has_names_of_its_own() {
        assert_eq!(iam_actions("kms", "ReEncrypt"), ["kms:ReEncryptFrom", "kms:ReEncryptTo"]);
        assert_eq!(iam_actions("s3", "PutBucketLifecycleConfiguration"), ["s3:PutLifecycleConfiguration"]);
        assert_eq!(iam_actions("cloudtrail", "StartLogging"), ["cloudtrail:StartLogging"]);
        assert!(iam_actions("sts", "GetCallerIdentity").is_empty());
    }

    #[test]
    fn every_kms_call_of_the_table_is_an_action_of_kms() {
        let mut seen = 0;
        for action in verbs().flat_map(of).filter(|action| action.service == "kms") {
            let names = iam_actions("kms", action.operation);
            assert!(!names.is_empty() && names.iter().all(|name| is_known_action(name)), "{action:?}");
            seen += 1;
        }
        assert!(seen > 50);
    }

    #[test]
    fn the_key_is_named_where_it_is_known() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/1";
        let place = |key: &str| Place { key: key.to_owned(), region: "eu-west-1".into(), ..Place::default() };
        assert_eq!(place(arn).arns(Resource::Key), [arn]);
        assert_eq!(place("1").arns(Resource::Key), ["arn:aws:kms:eu-west-1:ACCOUNT:key/1"]);
        assert_eq!(Place::default().arns(Resource::Key), ["arn:aws:kms:REGION:ACCOUNT:key/KEY-ID"]);
    }

    #[test]
    fn a_policy_has_each_action_once_and_nothing_for_the_sandbox() {
        let document = policy_for(of("rewrap"), &Place::default());
        assert_eq!(document.statements.len(), 2);
        assert_eq!(document.statements[1].sid.as_deref(), Some("Keys"));
        assert_eq!(document.statements[0].action.as_ref().unwrap().0, ["kms:DescribeKey"]);
        assert_eq!(
            document.statements[1].action.as_ref().unwrap().0,
            ["kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        );
        assert!(policy_for(of("sandbox-seed"), &Place::default()).statements.is_empty());
        assert!(allows("sandbox-seed", "kms", "CreateKey") && !allows("context", "kms", "CreateKey"));
    }
}
