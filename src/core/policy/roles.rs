//! The IAM roles around a master key, as documents that people apply: who may become each role (trust), and what it may do (permissions).
//!
//! A human role asks for MFA in its trust policy, where it can be shown: fresh (`aws:MultiFactorAuthAge`), with the person's own name as
//! source identity and at the head of the session's name, so that every later record names a person (STS API: AssumeRole). IAM users alone have MFA and
//! `aws:username`; people who come from an identity provider need the same there. A service role is bound to its account or trail.
//! What is not known stays a word in capitals.

use super::document::{Condition, Document, Principal, Statement};
use super::key_policy::{QUESTIONS, RECOVERY, REWRAP, STOP};
use crate::core::permissions::{self, Action, Place, Resource};

/// Where everything is. The default is words to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub partition: String,
    pub region: String,
    pub account: String,
    /// ARN of the master key.
    pub key_arn: String,
    pub audit_key_arn: String,
    pub trail_arn: String,
    pub bucket: String,
    pub log_group: String,
    pub topic_arn: String,
    /// ARN of the role by which CloudTrail writes to the log group, where it is configured.
    pub logs_role: Option<String>,
    /// ARNs of the application's roles.
    pub application: Vec<String>,
}

impl Site {
    /// Words to replace, for what hangs on partition, region and account alone.
    pub fn of(partition: &str, region: &str, account: &str) -> Site {
        let arn = |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
        Site {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            key_arn: arn("kms", "key/KEY-ID"),
            audit_key_arn: arn("kms", "key/AUDIT-KEY-ID"),
            trail_arn: arn("cloudtrail", "trail/TRAIL"),
            bucket: "BUCKET".to_owned(),
            log_group: "LOG-GROUP".to_owned(),
            topic_arn: arn("sns", "TOPIC"),
            logs_role: None,
            application: vec![format!("arn:{partition}:iam::{account}:role/APPLICATION")],
        }
    }

    fn role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition, self.account)
    }

    fn alias_arns(&self) -> String {
        format!("arn:{}:kms:{}:{}:alias/*", self.partition, self.region, self.account)
    }
}

impl Default for Site {
    fn default() -> Site {
        Site::of("aws", "REGION", "ACCOUNT")
    }
}

/// A role of the separation of duties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    KeyManagementAdmin,
    KeyPolicyAdmin,
    EmergencyKeyAdmin,
    KeyRecoveryAdmin,
    KeyDestroyer,
    Auditor,
    Application,
    Rewrap,
    CloudTrailToLogs,
}

/// Every role, in the order they are listed.
pub const ROLES: [Role; 9] = [
    Role::KeyManagementAdmin,
    Role::KeyPolicyAdmin,
    Role::EmergencyKeyAdmin,
    Role::KeyRecoveryAdmin,
    Role::KeyDestroyer,
    Role::Auditor,
    Role::Application,
    Role::Rewrap,
    Role::CloudTrailToLogs,
];

impl Role {
    /// The role's name in IAM.
    pub fn name(self) -> &'static str {
        match self {
            Role::KeyManagementAdmin => "KeyManagementAdmin",
            Role::KeyPolicyAdmin => "KeyPolicyAdmin",
            Role::EmergencyKeyAdmin => "EmergencyKeyAdmin",
            Role::KeyRecoveryAdmin => "KeyRecoveryAdmin",
            Role::KeyDestroyer => "KeyDestroyer",
            Role::Auditor => "Auditor",
            Role::Application => "Application",
            Role::Rewrap => "Rewrap",
            Role::CloudTrailToLogs => "CloudTrailToLogs",
        }
    }

    /// The role of this name, in any case.
    pub fn parse(name: &str) -> Option<Role> {
        ROLES.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))
    }

    /// What it is for, and what it must not have.
    pub fn purpose(self) -> &'static str {
        match self {
            Role::KeyManagementAdmin => "names, tags and rotates the key; never uses, stops or ends it",
            Role::KeyPolicyAdmin => {
                "the pipeline that runs create-cmk: provisions, alone replaces policies and makes replicas"
            }
            Role::EmergencyKeyAdmin => "stops the key and ends sessions, at once; cannot bring it back",
            Role::KeyRecoveryAdmin => "brings the key back; cannot stop or use it",
            Role::KeyDestroyer => "schedules deletion after the longest wait, and nothing else",
            Role::Auditor => "reads every setting and the sealed log; changes nothing",
            Role::Application => "makes and opens data keys; nothing else",
            Role::Rewrap => "moves wrappings inside KMS and opens them for the proof",
            Role::CloudTrailToLogs => "lets CloudTrail write to the log group that the alarms watch",
        }
    }

    /// True for roles that a person assumes: with MFA, for at most an hour.
    pub fn is_human(self) -> bool {
        !matches!(self, Role::Application | Role::CloudTrailToLogs | Role::KeyPolicyAdmin)
    }

    /// Who may become it.
    pub fn trust(self, site: &Site) -> Document {
        let assume =
            |principal| Statement { resource: None, ..Statement::allow("AssumeRole", principal, &["sts:AssumeRole"]) };
        let ours = || Condition::new("StringEquals", "aws:SourceAccount", [site.account.as_str()]);
        match self {
            Role::Application => Document::of(vec![assume(Principal::service("ecs-tasks.amazonaws.com")).when(ours())]),
            Role::CloudTrailToLogs => Document::of(vec![
                assume(Principal::service("cloudtrail.amazonaws.com"))
                    .when(Condition::new("StringEquals", "aws:SourceArn", [site.trail_arn.as_str()]))
                    .when(ours()),
            ]),
            Role::KeyPolicyAdmin => Document::of(vec![assume(Principal::aws([site.role("PIPELINE")]))]),
            _ => {
                let person = || Principal::aws([format!("arn:{}:iam::{}:user/PERSON", site.partition, site.account)]);
                let identity = || Condition::new("StringEquals", "sts:SourceIdentity", ["${aws:username}"]);
                let become_it = assume(person())
                    .when(Condition::new("Bool", "aws:MultiFactorAuthPresent", ["true"]))
                    .when(Condition::new("NumericLessThan", "aws:MultiFactorAuthAge", ["3600"]))
                    .when(Condition::new("StringLike", "sts:RoleSessionName", ["${aws:username}*"]))
                    .when(identity());
                // STS judges the source identity as a call of its own, which has no session name.
                let mut say_who = assume(person()).when(identity());
                say_who.sid = Some("SetSourceIdentity".to_owned());
                say_who.action = Some(super::Words::of(["sts:SetSourceIdentity"]));
                Document::of(vec![become_it, say_who])
            }
        }
    }

    /// What it may do.
    pub fn permissions(self, site: &Site) -> Document {
        let key = &site.key_arn;
        let on_key = |sid: &str, actions: &[&str]| allow(sid, actions, [key.clone()]);
        let mut all = match self {
            Role::KeyManagementAdmin => management(site),
            Role::KeyPolicyAdmin => provisioning(site),
            Role::EmergencyKeyAdmin => vec![
                on_key("StopTheKey", &STOP),
                allow("FindTheKey", &["cloudtrail:LookupEvents", "kms:ListAliases"], ["*"]),
                allow("EndSessions", &["iam:GetRolePolicy", "iam:PutRolePolicy"], site.application.clone()),
                allow("SaySo", &["sns:Publish"], [site.topic_arn.clone()]),
            ],
            Role::KeyRecoveryAdmin => vec![
                on_key("BringTheKeyBack", &RECOVERY),
                allow("FindTheKey", &["kms:ListAliases"], ["*"]),
                allow("AllowSessions", &["iam:DeleteRolePolicy", "iam:GetRolePolicy"], site.application.clone()),
            ],
            Role::KeyDestroyer => vec![
                on_key("LookFirst", &["kms:DescribeKey", "kms:GetKeyLastUsage"]),
                on_key("EndTheKey", &["kms:ScheduleKeyDeletion"]).when(Condition::new(
                    "NumericGreaterThanEquals",
                    "kms:ScheduleKeyDeletionPendingWindowInDays",
                    ["30"],
                )),
            ],
            Role::Auditor => auditing(site),
            Role::Application => vec![on_key("UseTheKey", &["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"])],
            Role::Rewrap => vec![on_key("MoveWrappings", &REWRAP)],
            Role::CloudTrailToLogs => {
                let Site { partition, region, account, log_group, .. } = site;
                let stream = format!("{account}_CloudTrail_{region}*");
                let arn = format!("arn:{partition}:logs:{region}:{account}:log-group:{log_group}:log-stream:{stream}");
                vec![allow("WriteTheLog", &["logs:CreateLogStream", "logs:PutLogEvents"], [arn])]
            }
        };
        if self != Role::CloudTrailToLogs {
            let no_grants = Statement::deny("NoGrants", Principal::Anyone, &["kms:CreateGrant"]);
            all.push(no_grants.for_iam());
        }
        Document::of(all)
    }
}

fn allow(sid: &str, actions: &[&str], resources: impl IntoIterator<Item = impl Into<String>>) -> Statement {
    Statement::allow(sid, Principal::Anyone, actions).on(resources).for_iam()
}

fn management(site: &Site) -> Vec<Statement> {
    let key = || [site.key_arn.clone()];
    let is = |name: &str, value: &str| Condition::new("StringEquals", name, [value]);
    vec![
        allow("MakeAKey", &["kms:CreateKey"], ["*"])
            .when(is("kms:KeySpec", "SYMMETRIC_DEFAULT"))
            .when(is("kms:KeyUsage", "ENCRYPT_DECRYPT"))
            .when(is("kms:KeyOrigin", "AWS_KMS"))
            .when(is("aws:RequestTag/ManagedBy", "scrybe-keys")),
        allow("FindKeys", &["kms:ListAliases", "kms:ListKeys"], ["*"]),
        allow("LookAtTheKey", &QUESTIONS, key()),
        allow("KeepTheKey", &["kms:RotateKeyOnDemand", "kms:TagResource", "kms:UpdateKeyDescription"], key()),
        allow("RotateYearlyAtLeast", &["kms:EnableKeyRotation"], key()).when(Condition::new(
            "NumericLessThanEqualsIfExists",
            "kms:RotationPeriodInDays",
            ["365"],
        )),
        allow("NameTheKey", &["kms:CreateAlias", "kms:UpdateAlias"], [site.key_arn.clone(), site.alias_arns()]),
    ]
}

/// What `create-cmk` calls, but for the rehearsed use of the key: who replaces policies must not use the key.
fn provisioning(site: &Site) -> Vec<Statement> {
    let wanted: Vec<Action> =
        permissions::of("create-cmk").iter().filter(|action| action.operation != "GenerateDataKey").copied().collect();
    let mut all = permissions::policy_for(&wanted, &place(site)).statements;
    let mut check =
        Statement::deny("NeverPastTheLockoutCheck", Principal::Anyone, &["kms:CreateKey", "kms:PutKeyPolicy"])
            .when(Condition::new("Bool", "kms:BypassPolicyLockoutSafetyCheck", ["true"]));
    check.principal = None;
    all.push(check);
    all
}

fn auditing(site: &Site) -> Vec<Statement> {
    let wanted: Vec<Action> = permissions::of("health")
        .iter()
        .filter(|action| !matches!(action.operation, "GenerateDataKey" | "Encrypt" | "Decrypt"))
        .copied()
        .collect();
    let mut all = permissions::policy_for(&wanted, &place(site)).statements;
    let suffix = if site.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let s3 = format!("s3.{}.{suffix}", site.region);
    let log = format!("arn:{}:s3:::{}/*", site.partition, site.bucket);
    let trail = ["cloudtrail:DescribeTrails", "cloudtrail:ListPublicKeys", "cloudtrail:LookupEvents"];
    let roles =
        ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListRoles"];
    all.extend([
        allow("ReadTheLog", &["s3:GetObject", "s3:GetObjectRetention"], [log]),
        allow("OpenTheLog", &["kms:Decrypt"], [site.audit_key_arn.clone()]).when(Condition::new(
            "StringEquals",
            "kms:ViaService",
            [s3],
        )),
        allow("AskTheTrail", &trail, ["*"]),
        allow("ReadRoles", &roles, ["*"]),
    ]);
    all
}

fn place(site: &Site) -> Place {
    let logs_role = site.logs_role.clone().map(|arn| (Resource::LogsRole, arn));
    Place {
        partition: site.partition.clone(),
        region: site.region.clone(),
        account: site.account.clone(),
        key: site.key_arn.clone(),
        named: [logs_role]
            .into_iter()
            .flatten()
            .chain([
                (Resource::Bucket, format!("arn:{}:s3:::{}", site.partition, site.bucket)),
                (Resource::Trail, site.trail_arn.clone()),
                (Resource::Topic, site.topic_arn.clone()),
                (
                    Resource::LogGroup,
                    format!(
                        "arn:{}:logs:{}:{}:log-group:{}:*",
                        site.partition, site.region, site.account, site.log_group
                    ),
                ),
            ])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::policy::{Effect, matches_pattern};

    /// True when some Allow covers the IAM action.
    fn may(document: &Document, action: &str) -> bool {
        let mut allows = document.statements.iter().filter(|s| s.effect == Effect::Allow);
        allows.any(|s| s.action.iter().flat_map(|words| words.iter()).any(|pattern| matches_pattern(pattern, action)))
    }

    #[test]
    fn every_human_role_is_assumed_with_fresh_mfa_by_a_named_person() {
        let site = Site::default();
        for role in ROLES.into_iter().filter(|role| role.is_human()) {
            let trust = role.trust(&site);
            let become_it = &trust.statements[0];
            let on = |key: &str| become_it.conditions.iter().find(|c| c.is_on(key)).map(|c| c.operator.as_str());
            assert_eq!(on("aws:MultiFactorAuthPresent"), Some("Bool"), "{role:?}");
            assert_eq!(on("aws:MultiFactorAuthAge"), Some("NumericLessThan"));
            assert!(on("sts:RoleSessionName").is_some() && on("sts:SourceIdentity").is_some());
            assert!(!trust.to_json().contains("\"*\"") && !trust.to_json().contains("Resource"));
        }
        let service = Role::CloudTrailToLogs.trust(&site);
        assert!(service.statements[0].conditions.iter().any(|c| c.is_on("aws:SourceArn")));
    }

    #[test]
    fn roles_are_kept_apart() {
        let site = Site::default();
        let crypto = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"];
        let changes = [
            "kms:DisableKey",
            "kms:EnableKey",
            "kms:ScheduleKeyDeletion",
            "kms:PutKeyPolicy",
            "kms:ReplicateKey",
            "kms:CreateAlias",
        ];
        for (role, uses, changed) in [
            (Role::KeyManagementAdmin, &[][..], &["kms:CreateAlias"][..]),
            (Role::KeyPolicyAdmin, &[], &["kms:PutKeyPolicy", "kms:ReplicateKey", "kms:CreateAlias"]),
            (Role::EmergencyKeyAdmin, &[], &["kms:DisableKey"]),
            (Role::KeyRecoveryAdmin, &[], &["kms:EnableKey"]),
            (Role::KeyDestroyer, &[], &["kms:ScheduleKeyDeletion"]),
            // Of the audit key, through S3.
            (Role::Auditor, &["kms:Decrypt"], &[]),
            (Role::Application, &["kms:Decrypt", "kms:GenerateDataKey"], &[]),
            (Role::Rewrap, &["kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"], &[]),
            (Role::CloudTrailToLogs, &[], &[]),
        ] {
            let document = role.permissions(&site);
            let has = |names: &[&'static str]| names.iter().copied().filter(|n| may(&document, n)).collect::<Vec<_>>();
            assert_eq!(has(&crypto), uses, "{role:?}");
            let (mut found, mut wanted) = (has(&changes), changed.to_vec());
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{role:?}");
            assert!(document.statements.iter().all(|s| s.principal.is_none() && s.resource.is_some()), "{role:?}");
            assert!(!may(&document, "kms:CreateGrant") && !may(&document, "kms:*"), "{role:?}");
        }
    }

    #[test]
    fn who_runs_a_verb_may_make_its_calls() {
        let site = Site::default();
        for (role, verb, but) in [
            (Role::Auditor, "health", &["GenerateDataKey", "Encrypt"][..]),
            (Role::KeyManagementAdmin, "rotate-cmk", &[]),
            (Role::KeyPolicyAdmin, "create-cmk", &["GenerateDataKey"]),
            (Role::Rewrap, "rewrap", &[]),
        ] {
            let document = role.permissions(&site);
            for action in permissions::of(verb).iter().filter(|a| !but.contains(&a.operation)) {
                for name in permissions::iam_actions(action.service, action.operation) {
                    assert!(may(&document, &name), "{role:?} {verb}: {name}");
                }
            }
        }
    }

    #[test]
    fn no_word_is_left_when_all_is_known() {
        let site = Site {
            key_arn: "arn:aws:kms:us-west-2:111122223333:key/1".into(),
            audit_key_arn: "arn:aws:kms:us-west-2:111122223333:key/2".into(),
            trail_arn: "arn:aws:cloudtrail:us-west-2:111122223333:trail/phi".into(),
            bucket: "logs".into(),
            log_group: "/phi".into(),
            topic_arn: "arn:aws:sns:us-west-2:111122223333:phi".into(),
            application: vec!["arn:aws:iam::111122223333:role/app".into()],
            ..Site::of("aws", "us-west-2", "111122223333")
        };
        for role in ROLES {
            let text = role.permissions(&site).to_json();
            for word in ["ACCOUNT", "REGION", "KEY-ID", "BUCKET", "TRAIL\"", "TOPIC", "LOG-GROUP", "APPLICATION"] {
                assert!(!text.contains(word), "{role:?} {word}: {text}");
            }
            assert_eq!(Role::parse(&role.name().to_lowercase()), Some(role));
        }
    }
}
