//! The master key's policy, from typed statements, least privilege (KMS Developer Guide, "Default key policy", "Least-privilege permissions").
//!
//! | Sid | to whom | what |
//! | --- | --- | --- |
//! | AccountRoot | the account, through IAM | everything: without it nobody can mend a wrong policy |
//! | KeyPolicyReading, KeyPolicyAdministration | policy administrators | reads and replaces the policy, never past the lockout check |
//! | KeyReplication | policy administrators | replicas: each has a policy of its own, which whoever makes it chooses |
//! | KeyManagement, KeyManagementRotation | administrators | names, tags, rotation |
//! | ApplicationUse, ApplicationDescribe | application | GenerateDataKey, Decrypt (Encrypt on request) |
//! | EmergencyStop, Recovery, DestructionReview, Destruction, AuditReading | one role each | stop; bring back; end, after a minimum window; read |
//! | Rewrap | the rewrap job | ReEncrypt, and Decrypt for the proof |
//! | NoUseByAdministrators, NoPolicyByOthers, NoGrantsByHand, NoEarlyDestruction | Deny | below |
//!
//! The root statement lets IAM policies of the account add to this key, so leaving an action out does not keep an administrator from it: that
//! administrators cannot decrypt, replace the policy, replicate the key or make grants, and nobody can end it early, is an explicit Deny. Nothing here asks for MFA (a role session has no
//! claim to show: it belongs into the roles' trust policies) or for `kms:ViaService` (a direct call has none).

use super::arn::{Who, is_account};
use super::document::{Condition, Document, Principal, Statement};

/// Who gets what on a master key. Every entry is the ARN of a role or user; an empty list makes no statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principals {
    /// Twelve digits.
    pub account: String,
    /// `aws`, `aws-us-gov` or `aws-cn`.
    pub partition: String,
    /// May replace this policy: the pipeline that runs `create-cmk`. With none, only who is allowed by IAM may.
    pub policy_administrators: Vec<String>,
    /// KeyManagementAdmin.
    pub administrators: Vec<String>,
    pub application: Vec<String>,
    /// The application's own health check calls Encrypt; nothing else needs it.
    pub application_encrypts: bool,
    /// EmergencyKeyAdmin.
    pub emergency: Vec<String>,
    /// KeyRecoveryAdmin.
    pub recovery: Vec<String>,
    /// KeyDestroyer.
    pub destroyers: Vec<String>,
    pub auditors: Vec<String>,
    pub rewrap: Vec<String>,
    /// Names of encryption-context keys the application always sends. Empty: none is asked for.
    pub encryption_context_keys: Vec<String>,
    /// Days a destroyer must leave at least, 7..=30.
    pub deletion_window_days: u32,
}

/// Why no policy can be built. Everything else that is wrong with one is a finding of `lint`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("account {0} is not twelve digits")]
    Account(String),
    #[error("{0} is neither the ARN of a role nor of a user")]
    Principal(String),
    #[error("{principal} is both {first} and {second}: these roles are kept apart")]
    TwoRoles { principal: String, first: &'static str, second: &'static str },
    #[error("the deletion window is {0} days, KMS allows 7 to 30")]
    Window(u32),
    #[error("the policy has {0} bytes, KMS allows {max}", max = super::LARGEST)]
    TooLarge(usize),
}

impl Default for Principals {
    /// Nobody yet; the longest deletion window.
    fn default() -> Principals {
        Principals {
            account: String::new(),
            partition: "aws".to_owned(),
            policy_administrators: Vec::new(),
            administrators: Vec::new(),
            application: Vec::new(),
            application_encrypts: false,
            emergency: Vec::new(),
            recovery: Vec::new(),
            destroyers: Vec::new(),
            auditors: Vec::new(),
            rewrap: Vec::new(),
            encryption_context_keys: Vec::new(),
            deletion_window_days: 30,
        }
    }
}

pub(super) const QUESTIONS: [&str; 8] = [
    "kms:DescribeKey",
    "kms:GetKeyLastUsage",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
];

/// What those who keep the key may never do with it.
const USE: [&str; 5] = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncryptFrom", "kms:ReEncryptTo"];

impl Principals {
    /// The separated roles: name, and who holds it.
    fn roles(&self) -> [(&'static str, &[String]); 8] {
        [
            ("a policy administrator", &self.policy_administrators),
            ("an administrator (KeyManagementAdmin)", &self.administrators),
            ("the application", &self.application),
            ("an emergency administrator (EmergencyKeyAdmin)", &self.emergency),
            ("a recovery administrator (KeyRecoveryAdmin)", &self.recovery),
            ("a destroyer (KeyDestroyer)", &self.destroyers),
            ("an auditor", &self.auditors),
            ("the rewrap job", &self.rewrap),
        ]
    }

    /// Everything that keeps a policy from being built, in the order of the roles.
    pub fn errors(&self) -> Vec<BuildError> {
        let mut all = Vec::new();
        if !is_account(&self.account) {
            all.push(BuildError::Account(self.account.clone()));
        }
        if !(7..=30).contains(&self.deletion_window_days) {
            all.push(BuildError::Window(self.deletion_window_days));
        }
        let mut seen: Vec<(Who, &'static str)> = Vec::new();
        for (role, holders) in self.roles() {
            for arn in holders {
                let who = Who::parse(arn);
                if !matches!(who, Who::Role { .. } | Who::User { .. }) {
                    all.push(BuildError::Principal(arn.clone()));
                } else if let Some((_, first)) = seen.iter().find(|(known, first)| *known == who && *first != role) {
                    all.push(BuildError::TwoRoles { principal: arn.clone(), first, second: role });
                } else {
                    seen.push((who, role));
                }
            }
        }
        all
    }
}

/// The master key's policy. Errors: the first of `Principals::errors`, or a policy over 32 KB.
pub fn for_master_key(who: &Principals) -> Result<Document, BuildError> {
    if let Some(error) = who.errors().into_iter().next() {
        return Err(error);
    }
    let mut all = vec![root(&who.partition, &who.account)];
    let mut allow = |sid: &str, holders: &[String], actions: &[&str], conditions: Vec<Condition>| {
        if !holders.is_empty() {
            all.push(Statement { conditions, ..Statement::allow(sid, named(&[holders]), actions) });
        }
    };
    let checked = vec![Condition::new("Bool", "kms:BypassPolicyLockoutSafetyCheck", ["false"])];
    let policy = &who.policy_administrators;
    allow("KeyPolicyReading", policy, &["kms:DescribeKey", "kms:GetKeyPolicy"], vec![]);
    allow("KeyPolicyAdministration", policy, &["kms:PutKeyPolicy"], checked);
    allow("KeyReplication", policy, &["kms:ReplicateKey"], vec![]);
    allow("KeyManagement", &who.administrators, &[&QUESTIONS[..], &MANAGEMENT].concat(), vec![]);
    // Without the parameter KMS takes 365 days, and there is no such key in the request.
    let yearly = Condition::new("NumericLessThanEqualsIfExists", "kms:RotationPeriodInDays", ["365"]);
    allow("KeyManagementRotation", &who.administrators, &["kms:EnableKeyRotation"], vec![yearly]);
    let mut uses = vec!["kms:Decrypt", "kms:GenerateDataKey"];
    uses.extend(who.application_encrypts.then_some("kms:Encrypt"));
    allow("ApplicationUse", &who.application, &uses, in_context(&who.encryption_context_keys));
    allow("ApplicationDescribe", &who.application, &["kms:DescribeKey"], vec![]);
    allow("EmergencyStop", &who.emergency, &STOP, vec![]);
    allow("Recovery", &who.recovery, &RECOVERY, vec![]);
    allow("DestructionReview", &who.destroyers, &["kms:DescribeKey", "kms:GetKeyLastUsage"], vec![]);
    let window = |operator| Condition::new(operator, WINDOW, [who.deletion_window_days.to_string()]);
    let long_enough = vec![window("NumericGreaterThanEquals")];
    allow("Destruction", &who.destroyers, &["kms:ScheduleKeyDeletion"], long_enough);
    allow("AuditReading", &who.auditors, &QUESTIONS, vec![]);
    allow("Rewrap", &who.rewrap, &REWRAP, vec![]);

    let keepers = [&who.administrators[..], &who.emergency, &who.recovery, &who.destroyers, &who.auditors].concat();
    let no_use = [&keepers[..], policy].concat();
    if !no_use.is_empty() {
        all.push(Statement::deny("NoUseByAdministrators", named(&[&no_use]), &USE));
    }
    let others = [&keepers[..], &who.application, &who.rewrap].concat();
    if !others.is_empty() {
        all.push(Statement::deny("NoPolicyByOthers", named(&[&others]), &["kms:PutKeyPolicy", "kms:ReplicateKey"]));
    }
    all.push(Statement::deny("NoGrantsByHand", Principal::aws(["*"]), &["kms:CreateGrant"]).when(Condition::new(
        "Bool",
        "kms:GrantIsForAWSResource",
        ["false"],
    )));
    // A condition on an Allow binds nobody whom IAM allows it too. Without the parameter KMS waits for 30 days, and there is no such key.
    let early = Statement::deny("NoEarlyDestruction", Principal::aws(["*"]), &["kms:ScheduleKeyDeletion"]);
    all.push(early.when(window("NumericLessThan")));
    sized(Document::of(all))
}

/// Days until a scheduled deletion is final.
const WINDOW: &str = "kms:ScheduleKeyDeletionPendingWindowInDays";

const MANAGEMENT: [&str; 6] = [
    "kms:CreateAlias",
    "kms:RotateKeyOnDemand",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
];

pub(super) const STOP: [&str; 7] = [
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "kms:ListResourceTags",
    "kms:RevokeGrant",
    "kms:TagResource",
];

pub(super) const RECOVERY: [&str; 6] = [
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
];

/// Decrypt is for the proof: a wrapping that has not been opened is not put in place of one that has (least privilege alone would leave it out,
/// and with it the proof).
pub(super) const REWRAP: [&str; 5] =
    ["kms:Decrypt", "kms:DescribeKey", "kms:ListKeyRotations", "kms:ReEncryptFrom", "kms:ReEncryptTo"];

/// The account itself: what makes IAM policies count, and the way back from every mistake. Never with a condition.
pub(super) fn root(partition: &str, account: &str) -> Statement {
    Statement::allow("AccountRoot", Principal::aws([format!("arn:{partition}:iam::{account}:root")]), &["kms:*"])
}

/// These ARNs, each once, in one order whatever the configuration's.
pub(super) fn named(lists: &[&[String]]) -> Principal {
    let all: std::collections::BTreeSet<&String> = lists.iter().copied().flatten().collect();
    Principal::aws(all.into_iter().cloned())
}

/// Every key named must be sent, and no other. `ForAllValues` alone would let a request without any context pass.
fn in_context(keys: &[String]) -> Vec<Condition> {
    if keys.is_empty() {
        return Vec::new();
    }
    let present = keys.iter().map(|key| Condition::new("StringLike", &format!("kms:EncryptionContext:{key}"), ["*"]));
    let only = Condition::new("ForAllValues:StringEquals", "kms:EncryptionContextKeys", keys.iter().cloned());
    present.chain([only]).collect()
}

pub(super) fn sized(document: Document) -> Result<Document, BuildError> {
    match document.to_json().len() {
        bytes if bytes > super::LARGEST => Err(BuildError::TooLarge(bytes)),
        _ => Ok(document),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::policy::document::Effect;

    fn role(name: &str) -> Vec<String> {
        vec![format!("arn:aws:iam::111122223333:role/{name}")]
    }

    fn everybody() -> Principals {
        Principals {
            account: "111122223333".into(),
            policy_administrators: role("pipeline"),
            administrators: role("admin"),
            application: role("app"),
            emergency: role("emergency"),
            recovery: role("recovery"),
            destroyers: role("destroyer"),
            auditors: role("auditor"),
            rewrap: role("rewrap"),
            ..Principals::default()
        }
    }

    /// What an Allow names and no Deny takes away again; patterns as they stand.
    fn allowed(document: &Document, name: &str) -> Vec<String> {
        let arn = &role(name)[0];
        let of = |effect: Effect| {
            let mine = document.statements.iter().filter(move |s| s.effect == effect);
            let mine = mine.filter(|s| s.principal.as_ref().is_some_and(|p| p.each().iter().any(|(_, w)| w == arn)));
            mine.flat_map(|s| s.action.clone().unwrap().0).collect::<Vec<_>>()
        };
        let denied = of(Effect::Deny);
        of(Effect::Allow)
            .into_iter()
            .filter(|a| !denied.iter().any(|d| super::super::matches_pattern(d, a)))
            .map(|a| a.trim_start_matches("kms:").to_owned())
            .collect()
    }

    #[test]
    fn each_role_gets_what_its_work_needs() {
        let document = for_master_key(&everybody()).unwrap();
        assert_eq!(allowed(&document, "app"), ["Decrypt", "GenerateDataKey", "DescribeKey"]);
        assert_eq!(allowed(&document, "pipeline"), ["DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "ReplicateKey"]);
        assert_eq!(allowed(&document, "destroyer"), ["DescribeKey", "GetKeyLastUsage", "ScheduleKeyDeletion"]);
        assert_eq!(
            allowed(&document, "rewrap"),
            ["Decrypt", "DescribeKey", "ListKeyRotations", "ReEncryptFrom", "ReEncryptTo"]
        );
        for name in ["admin", "emergency", "recovery", "destroyer", "auditor"] {
            let may = allowed(&document, name);
            assert!(!may.is_empty());
            for never in ["Decrypt", "Encrypt", "GenerateDataKey", "PutKeyPolicy", "ReplicateKey", "CreateGrant", "*"] {
                assert!(!may.contains(&never.to_owned()), "{name} {never}");
            }
        }
        assert!(!allowed(&document, "emergency").contains(&"EnableKey".to_owned()));
        assert!(!allowed(&document, "recovery").contains(&"DisableKey".to_owned()));
    }

    #[test]
    fn nobody_named_gets_no_statement() {
        let who = Principals { account: "111122223333".into(), ..Principals::default() };
        let sids: Vec<_> = for_master_key(&who).unwrap().statements.into_iter().filter_map(|s| s.sid).collect();
        assert_eq!(sids, ["AccountRoot", "NoGrantsByHand", "NoEarlyDestruction"]);
    }

    #[test]
    fn who_must_not_replace_the_policy_must_not_choose_a_replicas() {
        let all = for_master_key(&everybody()).unwrap().statements;
        let deny = all.iter().find(|s| s.sid.as_deref() == Some("NoPolicyByOthers")).unwrap();
        assert_eq!(deny.action.as_ref().unwrap().0, ["kms:PutKeyPolicy", "kms:ReplicateKey"]);
        let named: Vec<_> =
            deny.principal.as_ref().unwrap().each().into_iter().map(|(_, who)| who.to_owned()).collect();
        for name in ["admin", "emergency", "recovery", "destroyer", "auditor", "app", "rewrap"] {
            assert!(named.contains(&role(name)[0]), "{name}");
        }
        assert!(deny.conditions.is_empty() && !named.contains(&role("pipeline")[0]));
    }

    #[test]
    fn the_deletion_window_binds_everybody_and_takes_nothing_else() {
        let who = Principals { deletion_window_days: 21, ..everybody() };
        let all = for_master_key(&who).unwrap().statements;
        let early = all.iter().find(|s| s.sid.as_deref() == Some("NoEarlyDestruction")).unwrap();
        assert_eq!((&early.effect, early.principal.as_ref().unwrap().each()), (&Effect::Deny, vec![("AWS", "*")]));
        assert_eq!(early.action.as_ref().unwrap().0, ["kms:ScheduleKeyDeletion"]);
        assert_eq!(early.conditions, [Condition::new("NumericLessThan", WINDOW, ["21"])]);
    }

    #[test]
    fn encrypt_and_the_context_are_options() {
        let use_of = |who: &Principals| {
            let all = for_master_key(who).unwrap().statements;
            all.into_iter().find(|s| s.sid.as_deref() == Some("ApplicationUse")).unwrap()
        };
        assert!(use_of(&everybody()).conditions.is_empty());
        let more = Principals {
            application_encrypts: true,
            encryption_context_keys: vec!["org_id".into(), "purpose".into()],
            ..everybody()
        };
        let statement = use_of(&more);
        assert_eq!(statement.action.unwrap().0, ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"]);
        let keys: Vec<_> = statement.conditions.iter().map(|c| c.key.as_str()).collect();
        assert_eq!(
            keys,
            ["kms:EncryptionContext:org_id", "kms:EncryptionContext:purpose", "kms:EncryptionContextKeys"]
        );
    }

    #[test]
    fn the_same_people_in_another_order_make_the_same_text() {
        let (mut one, mut other) = (everybody(), everybody());
        one.application = [role("b"), role("a"), role("a")].concat();
        other.application = [role("a"), role("b")].concat();
        assert_eq!(for_master_key(&one).unwrap().to_json(), for_master_key(&other).unwrap().to_json());
    }

    #[test]
    fn what_cannot_be_built_says_why() {
        let error = |change: fn(&mut Principals)| {
            let mut who = everybody();
            change(&mut who);
            for_master_key(&who).unwrap_err()
        };
        assert_eq!(error(|w| w.account = "12".into()), BuildError::Account("12".into()));
        assert_eq!(error(|w| w.deletion_window_days = 6), BuildError::Window(6));
        assert_eq!(error(|w| w.auditors = vec!["*".into()]), BuildError::Principal("*".into()));
        assert_eq!(
            error(|w| w.rewrap = role("app")),
            BuildError::TwoRoles {
                principal: role("app").remove(0),
                first: "the application",
                second: "the rewrap job"
            }
        );
        let many =
            |w: &mut Principals| w.application = (0..500).flat_map(|n| role(&format!("application-{n}"))).collect();
        assert!(matches!(error(many), BuildError::TooLarge(bytes) if bytes > 32_768));
    }
}
