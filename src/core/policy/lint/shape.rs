//! Each statement by itself: elements that are missing, doubled, misspelt, or mean the opposite of what they look like.
//! KMS accepts a statement without Action or Resource and ignores it (KMS API: PutKeyPolicy).

use super::{Case, Found, View, about_all};
use crate::core::nearest::nearest;
use crate::core::policy::actions::{is_known_action, known};
use crate::core::policy::document::{Effect, Words};
use crate::core::problem::Severity::{Critical, Warning};

pub(super) fn rules(case: &Case, found: &mut Found) {
    let bytes = case.document.to_json().len();
    if bytes > crate::core::policy::LARGEST {
        let message = format!("{bytes} bytes as compact JSON, and KMS takes {}", crate::core::policy::LARGEST);
        found.push(about_all(Critical, "too-large", message, "name roles instead of people, and fewer of them"));
    }
    match case.document.version.as_deref() {
        Some("2012-10-17") => {}
        None | Some("2008-10-17") => {
            if case.document.to_json().contains("${") {
                let message = "policy variables (${…}) are plain text in this version";
                found.push(about_all(Warning, "old-version", message, "set \"Version\": \"2012-10-17\""));
            }
        }
        Some(other) => {
            let message = format!("there is no policy version {other}");
            found.push(about_all(Critical, "unknown-version", message, "set \"Version\": \"2012-10-17\""));
        }
    }
    for view in &case.statements {
        elements(view, found);
        twins(case, view, found);
        actions(view, found);
        conditions(view, found);
    }
}

fn elements(view: &View, found: &mut Found) {
    let statement = view.statement;
    if let Effect::Unknown(word) = &statement.effect {
        let message = if word.is_empty() { "it has no Effect".to_owned() } else { format!("its Effect is {word}") };
        found.push(view.finding(Critical, "unknown-effect", message, "Effect is Allow or Deny"));
    }
    let lacks = |one: &Option<Words>, other: &Option<Words>| {
        one.as_ref().is_none_or(|words| words.0.is_empty()) && other.as_ref().is_none_or(|words| words.0.is_empty())
    };
    if lacks(&statement.action, &statement.not_action) {
        let message = "without Action the statement does nothing, and KMS takes it without a word";
        found.push(view.finding(Critical, "no-action", message, "add \"Action\", or remove the statement"));
    }
    if lacks(&statement.resource, &statement.not_resource) {
        let message = "without Resource the statement does nothing, and KMS takes it without a word";
        found.push(view.finding(
            Critical,
            "no-resource",
            message,
            "add \"Resource\": \"*\": in a key policy that is this key",
        ));
    }
    if statement.principal.is_none() && statement.not_principal.is_none() {
        let message = "it names no Principal: KMS refuses a key policy with such a statement";
        found.push(view.finding(
            Critical,
            "no-principal",
            message,
            "add \"Principal\": {\"AWS\": \"arn:…:role/NAME\"}",
        ));
    }
    if let Some(word) = statement.resource.iter().flat_map(Words::iter).find(|word| *word != "*") {
        let message = format!("Resource is {word}: here * is this key, and anything but its own ARN never matches");
        found.push(view.finding(Warning, "resource-not-this-key", message, "set \"Resource\": \"*\""));
    }
    for element in statement.other.keys() {
        let meant = nearest(element, ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]);
        let hint = meant.map_or("remove it".to_owned(), |word| format!("did you mean {word}?"));
        found.push(view.finding(Critical, "unknown-element", format!("AWS knows no element {element}"), hint));
    }
    if statement.effect == Effect::Allow {
        let opposites = [
            (
                "not-principal",
                statement.not_principal.is_some(),
                "NotPrincipal allows everybody else, in every account",
            ),
            (
                "not-action",
                statement.not_action.is_some(),
                "NotAction allows every other action, those of next year too",
            ),
            ("not-resource", statement.not_resource.is_some(), "NotResource allows everything else"),
        ];
        for (code, there, message) in opposites {
            if there {
                let hint = "name what is allowed; keep the Not… elements for Deny statements";
                found.push(view.finding(Critical, code, message, hint));
            }
        }
    }
}

fn twins(case: &Case, view: &View, found: &mut Found) {
    let Some(sid) = view.statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { return };
    let first = case.statements.iter().position(|other| other.statement.sid.as_deref() == Some(sid));
    if let Some(first) = first.filter(|first| *first < view.at) {
        let message = format!("statements {} and {} have the same Sid", first + 1, view.at + 1);
        found.push(view.finding(Warning, "duplicate-sid", message, "give each statement a Sid of its own"));
    }
}

fn actions(view: &View, found: &mut Found) {
    let all = view.statement.action.iter().chain(&view.statement.not_action).flat_map(Words::iter);
    for action in all.filter(|action| !is_known_action(action)) {
        let bare = action.split_once(':').map_or(action, |(_, name)| name);
        let other_service = action.split_once(':').is_some_and(|(service, _)| !service.eq_ignore_ascii_case("kms"));
        let (message, hint) = if other_service {
            let message = format!("{action} is no action of KMS: a key policy grants nothing else");
            (message, "put it into an IAM policy of the role".to_owned())
        } else if bare.eq_ignore_ascii_case("ReEncrypt") {
            let message = format!("KMS has no action {action}");
            (message, "ReEncrypt needs kms:ReEncryptFrom on the old key and kms:ReEncryptTo on the new one".to_owned())
        } else {
            let meant = nearest(bare, known()).map(|name| format!("did you mean kms:{name}?"));
            (format!("KMS has no action {action}"), meant.unwrap_or("remove it".to_owned()))
        };
        found.push(view.finding(Warning, "unknown-action", message, hint));
    }
}

/// IAM reference, "Condition operators".
const OPERATORS: [&str; 27] = [
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "BinaryEquals",
    "Bool",
    "DateEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateNotEquals",
    "IpAddress",
    "NotIpAddress",
    "Null",
    "NumericEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericNotEquals",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotEquals",
    "StringNotEqualsIgnoreCase",
    "StringNotLike",
];

/// KMS developer guide, "AWS KMS condition keys"; `kms:EncryptionContext:…` is open.
const KEYS: [&str; 33] = [
    "kms:BypassPolicyLockoutSafetyCheck",
    "kms:CallerAccount",
    "kms:CustomerMasterKeySpec",
    "kms:CustomerMasterKeyUsage",
    "kms:DataKeyPairSpec",
    "kms:EncryptionAlgorithm",
    "kms:EncryptionContextKeys",
    "kms:ExpirationModel",
    "kms:GrantConstraintType",
    "kms:GrantIsForAWSResource",
    "kms:GrantOperations",
    "kms:GranteePrincipal",
    "kms:KeyAgreementAlgorithm",
    "kms:KeyOrigin",
    "kms:KeySpec",
    "kms:KeyUsage",
    "kms:MacAlgorithm",
    "kms:MessageType",
    "kms:MultiRegion",
    "kms:MultiRegionKeyType",
    "kms:PrimaryRegion",
    "kms:ReEncryptOnSameKey",
    "kms:RecipientAttestation:ImageSha384",
    "kms:ReplicaRegion",
    "kms:RequestAlias",
    "kms:ResourceAliases",
    "kms:RetiringPrincipal",
    "kms:RotationPeriodInDays",
    "kms:ScheduleKeyDeletionPendingWindowInDays",
    "kms:SigningAlgorithm",
    "kms:ValidTo",
    "kms:ViaService",
    "kms:WrappingAlgorithm",
];

fn conditions(view: &View, found: &mut Found) {
    for condition in &view.statement.conditions {
        let base = condition.base_operator();
        let set = condition.operator.split_once(':').map(|(set, _)| set);
        if !OPERATORS.contains(&base) || set.is_some_and(|set| !["ForAllValues", "ForAnyValue"].contains(&set)) {
            let meant = nearest(base, OPERATORS).map(|word| format!("did you mean {word}?"));
            let message = format!("AWS knows no condition operator {}", condition.operator);
            found.push(view.finding(Critical, "unknown-operator", message, meant.unwrap_or("remove it".to_owned())));
        }
        let open = ["kms:encryptioncontext:", "kms:recipientattestation:"];
        let key = condition.key.to_lowercase();
        if key.starts_with("kms:")
            && !open.iter().any(|prefix| key.starts_with(prefix))
            && !KEYS.iter().any(|known| condition.is_on(known))
        {
            let meant = nearest(&condition.key, KEYS).map(|word| format!("did you mean {word}?"));
            let message = format!("KMS sets no condition key {}", condition.key);
            found.push(view.finding(
                Warning,
                "unknown-condition-key",
                message,
                meant.unwrap_or("remove it".to_owned()),
            ));
        }
    }
}
