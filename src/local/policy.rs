//! Key policies: GetKeyPolicy, ListKeyPolicies, PutKeyPolicy, and the check that a policy does not lock everybody out.
//!
//! The engine keeps policies and evaluates none of them. Of the lockout check it does what can be done without IAM: the caller, by name or through
//! the account root, must be allowed kms:PutKeyPolicy by a statement without conditions, and not be denied it by one. It reads the document by itself and
//! not through `core::policy`, so that the tool's own linter is not judged by itself in tests.

use super::answer::{Answer, Policy, PolicyNames};
use super::call::{KeyPage, KeyPolicy, PutKeyPolicy};
use super::dispatch::caller;
use super::keys::named;
use super::refusal::Refusal;
use super::world::{Naming, World};
use crate::core::key_state::Operation;
use serde_json::Value;

/// Largest key policy (AWS quotas).
const MAX: usize = 32 * 1024;
/// The only name a key policy has.
const NAME: &str = "default";

pub fn current(world: &World, region: &str, call: &KeyPolicy) -> Result<Answer, Refusal> {
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    let key = world.key(region, &id)?;
    key.allow(Operation::GetKeyPolicy)?;
    check_name(call.policy_name.as_deref())?;
    let policy = key.policy.clone().unwrap_or_else(|| usual(&world.account));
    Ok(Answer::Policy(Policy { policy, policy_name: NAME }))
}

pub fn names(world: &World, region: &str, call: &KeyPage) -> Result<Answer, Refusal> {
    let id = world.key_id(region, &call.key_id, Naming::IdOrArn)?;
    world.key(region, &id)?.allow(Operation::ListKeyPolicies)?;
    Ok(Answer::PolicyNames(PolicyNames { policy_names: [NAME], truncated: false }))
}

pub fn put(world: &mut World, region: &str, call: &PutKeyPolicy) -> Result<Answer, Refusal> {
    let account = world.account.clone();
    let key = named(world, region, &call.key_id, Operation::PutKeyPolicy)?;
    check_name(call.policy_name.as_deref())?;
    check(&call.policy, &account, &key.arn, call.bypass_policy_lockout_safety_check)?;
    key.policy = Some(call.policy.clone());
    Ok(Answer::Nothing)
}

fn check_name(name: Option<&str>) -> Result<(), Refusal> {
    match name {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(Refusal::not_found("No such policy exists")),
    }
}

/// Size, shape, and that it can be replaced again, unless the caller bypasses that.
pub fn check(text: &str, account: &str, key_arn: &str, bypass: Option<bool>) -> Result<(), Refusal> {
    if text.len() > MAX {
        return Err(Refusal::new("LimitExceededException", "a key policy is at most 32 KB"));
    }
    let malformed = |said: &str| Refusal::new("MalformedPolicyDocumentException", said);
    let policy: Value =
        serde_json::from_str(text).map_err(|_| malformed("The new key policy is not a policy document."))?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err(malformed("The new key policy is not a policy document.")),
    };
    let root = format!("arn:aws:iam::{account}:root");
    let caller = caller(account).arn;
    let can = |who: &[&str]| {
        let about: Vec<_> = statements.iter().filter(|s| touches(s, who, key_arn)).collect();
        about.iter().any(|s| s["Effect"] == "Allow") && !about.iter().any(|s| s["Effect"] == "Deny")
    };
    // The account's ARN and its number are one principal, and a statement about it is about everybody in the account.
    if bypass == Some(true) || can(&[&caller, &root, account]) {
        return Ok(());
    }
    Err(malformed("The new key policy will not allow you to update the key policy in the future."))
}

/// True for a statement without conditions about one of `who`, kms:PutKeyPolicy and this key. One without action or resource has no effect.
fn touches(statement: &Value, who: &[&str], key_arn: &str) -> bool {
    let named = |list: &Value| match list {
        Value::String(all) => all == "*",
        Value::Object(kinds) => texts(kinds.get("AWS")).any(|one| one == "*" || who.contains(&one)),
        _ => false,
    };
    let principal = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(list), None) => named(list),
        (None, Some(list)) => !named(list),
        _ => false,
    };
    let hit = |list: Option<&Value>, text: &str| texts(list).any(|pattern| is_like(pattern, text));
    let action = match (statement.get("Action"), statement.get("NotAction")) {
        (list @ Some(_), None) => hit(list, "kms:PutKeyPolicy"),
        (None, list @ Some(_)) => !hit(list, "kms:PutKeyPolicy"),
        _ => false,
    };
    principal && action && hit(statement.get("Resource"), key_arn) && statement.get("Condition").is_none()
}

/// A string, or a list of them.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = match value {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().filter_map(Value::as_str)
}

/// `*` is any text, `?` any character; case does not count (IAM reference: Action).
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(one) if *one == b'?' || one.eq_ignore_ascii_case(&text[seen]) => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

/// What a key has that was made without a policy (AWS Developer Guide: default key policy).
pub fn usual(account: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";
    const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/k";

    fn refused(statements: Value) -> bool {
        let text = serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        match check(&text, ACCOUNT, KEY, None) {
            Ok(()) => false,
            Err(refusal) => {
                assert_eq!(refusal.code, "MalformedPolicyDocumentException");
                assert_eq!(check(&text, ACCOUNT, KEY, Some(true)), Ok(()), "the bypass bypasses: {text}");
                true
            }
        }
    }

    fn statement(effect: &str, principal: Value, action: Value) -> Value {
        serde_json::json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"})
    }

    #[test]
    fn somebody_must_be_able_to_change_the_policy_again() {
        let root = serde_json::json!({"AWS": "arn:aws:iam::111122223333:root"});
        let number = serde_json::json!({"AWS": ["999900001111", "111122223333"]});
        let us = serde_json::json!({"AWS": caller(ACCOUNT).arn});
        let other = serde_json::json!({"AWS": "arn:aws:iam::111122223333:role/other"});
        for enough in [
            statement("Allow", root.clone(), "kms:*".into()),
            statement("Allow", number, serde_json::json!(["kms:Decrypt", "KMS:put*"])),
            statement("Allow", us.clone(), "kms:PutKeyPolicy".into()),
            statement("Allow", "*".into(), "*".into()),
            serde_json::json!({"Effect": "Allow", "Principal": root, "NotAction": "kms:Decrypt", "Resource": KEY}),
        ] {
            assert!(!refused(serde_json::json!([enough])), "{enough}");
        }
        for too_little in [
            statement("Allow", other.clone(), "kms:*".into()),
            statement("Allow", root.clone(), "kms:Get*".into()),
            statement("Allow", serde_json::json!({"Service": "cloudtrail.amazonaws.com"}), "kms:*".into()),
            serde_json::json!({"Effect": "Allow", "Principal": root, "Action": "kms:*"}),
            serde_json::json!({"Effect": "Allow", "Principal": root, "Resource": "*"}),
            serde_json::json!({"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
        ] {
            assert!(refused(serde_json::json!([too_little])), "{too_little}");
        }
        assert!(refused(serde_json::json!([])));
    }

    #[test]
    fn stars_and_question_marks_match_as_in_iam() {
        for (pattern, text, is) in [
            ("*", "kms:PutKeyPolicy", true),
            ("kms:*", "kms:PutKeyPolicy", true),
            ("kms:*Policy", "kms:PutKeyPolicy", true),
            ("kms:*Key*", "kms:PutKeyPolicy", true),
            ("kms:Put???Policy", "kms:PutKeyPolicy", true),
            ("kms:Put??Policy", "kms:PutKeyPolicy", false),
            ("kms:*Keys", "kms:PutKeyPolicy", false),
            ("", "kms:PutKeyPolicy", false),
            ("kms:PutKeyPolicy*", "kms:PutKeyPolicy", true),
            ("s3:*", "kms:PutKeyPolicy", false),
        ] {
            assert_eq!(is_like(pattern, text), is, "{pattern}");
        }
        let many = "*a".repeat(2000);
        assert!(!is_like(&many, &"a".repeat(70)));
    }

    #[test]
    fn a_denial_of_the_caller_locks_out_and_one_of_somebody_else_does_not() {
        let root = serde_json::json!({"AWS": "arn:aws:iam::111122223333:root"});
        let us = serde_json::json!({"AWS": caller(ACCOUNT).arn});
        let other = serde_json::json!({"AWS": "arn:aws:iam::111122223333:role/other"});
        let all = statement("Allow", root.clone(), "kms:*".into());
        for (denied, locks) in [
            (statement("Deny", root.clone(), "kms:PutKeyPolicy".into()), true),
            (statement("Deny", "*".into(), "kms:*".into()), true),
            (statement("Deny", other.clone(), "kms:*".into()), false),
            (statement("Deny", root.clone(), "kms:Decrypt".into()), false),
            (statement("Deny", us, "kms:*".into()), true),
            (serde_json::json!({"Effect": "Deny", "NotPrincipal": other, "Action": "kms:*", "Resource": "*"}), true),
        ] {
            assert_eq!(refused(serde_json::json!([all, denied])), locks, "{denied}");
        }
    }
}
