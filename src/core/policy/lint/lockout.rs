//! Whether whoever sends this policy could send the next one. KMS refuses a policy that locks its sender out (PutKeyPolicy, CreateKey); that
//! check is never bypassed, so it is made here first, with the statement named. Conditions that nothing is known about leave it open.

use super::{Case, Found, View, about_all};
use crate::core::policy::actions::matches_pattern;
use crate::core::policy::arn::Who;
use crate::core::policy::document::Condition;
use crate::core::problem::Severity::{Critical, Warning};

const PUT: &str = "kms:PutKeyPolicy";

/// What is known of a yes-or-no question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    No,
    Perhaps,
    Yes,
}

pub(super) fn rules(case: &Case, found: &mut Found) {
    let Some(caller) = &case.caller else {
        if !case.allows().any(|view| view.covers(PUT)) {
            let message = "nobody may replace this policy: KMS refuses it, and who has it already cannot mend it";
            let hint = "add the account-root statement: `scrybe-keys create-cmk policy show` prints one";
            found.push(about_all(Critical, "locks-out-everybody", message, hint));
        }
        return;
    };
    for view in case.denies().filter(|view| view.covers(PUT) && applies_as_deny(view, caller)) {
        match hold(&view.statement.conditions, caller) {
            Holds::No => {}
            Holds::Yes => {
                let message = "it denies you kms:PutKeyPolicy: KMS refuses a policy whose sender cannot replace it";
                let hint = "send it as somebody else, or take yourself out of the statement";
                found.push(view.finding(Critical, "locks-out-caller", message, hint));
                return;
            }
            Holds::Perhaps => {
                let message = "it denies you kms:PutKeyPolicy under a condition that cannot be judged from here";
                let hint = "make sure that it cannot hold for you before you send it";
                found.push(view.finding(Warning, "may-lock-out-caller", message, hint));
            }
        }
    }
    let allowed = case.allows().filter(|view| view.covers(PUT) && view.names(caller));
    match allowed.map(|view| hold(&view.statement.conditions, caller)).max() {
        Some(Holds::Yes) => {}
        Some(Holds::Perhaps) => {
            let message = "you may replace this policy only under a condition that cannot be judged from here";
            let hint = "add the account-root statement without a condition";
            found.push(about_all(Warning, "may-lock-out-caller", message, hint));
        }
        Some(Holds::No) | None => {
            let message = "no statement lets you replace this policy again: KMS refuses it";
            let hint = "add the account-root statement, or name yourself with kms:PutKeyPolicy";
            found.push(about_all(Critical, "locks-out-caller", message, hint));
        }
    }
}

/// A session is not exempt because its role stands in NotPrincipal: the session would have to be named too (IAM reference, "NotPrincipal").
fn applies_as_deny(view: &View, caller: &Who) -> bool {
    match &view.statement.not_principal {
        Some(exempt) => !exempt.each().into_iter().any(|(_, text)| Who::parse(text) == *caller),
        None => view.names(caller),
    }
}

/// Whether all conditions hold for this caller's PutKeyPolicy.
fn hold(conditions: &[Condition], caller: &Who) -> Holds {
    conditions.iter().map(|condition| one_holds(condition, caller)).min().unwrap_or(Holds::Yes)
}

fn one_holds(condition: &Condition, caller: &Who) -> Holds {
    let base = condition.base_operator();
    let known: Option<Vec<String>> = if condition.is_on("kms:BypassPolicyLockoutSafetyCheck") {
        // This tool never sends it as true.
        Some(vec!["false".to_owned()])
    } else if condition.is_on("aws:PrincipalArn") {
        arn_of(caller).map(|arn| vec![arn])
    } else if ["kms:CallerAccount", "aws:PrincipalAccount"].iter().any(|key| condition.is_on(key)) {
        caller.account().map(|account| vec![account.to_owned()])
    } else if condition.is_on("kms:ViaService") {
        // A direct call has none.
        Some(Vec::new())
    } else {
        None
    };
    let Some(values) = known else { return Holds::Perhaps };
    let negated = base.contains("Not") || base == "Null";
    let Some(value) = values.first() else {
        let absent = condition.values.iter().all(|v| v.eq_ignore_ascii_case("true"));
        let holds = if base == "Null" { absent } else { negated || condition.passes_when_absent() };
        return if holds { Holds::Yes } else { Holds::No };
    };
    if base == "Null" {
        return if condition.values.iter().all(|v| v.eq_ignore_ascii_case("false")) { Holds::Yes } else { Holds::No };
    }
    let exact = matches!(base, "StringEquals" | "StringNotEquals");
    let like = matches!(
        base,
        "StringLike" | "StringNotLike" | "ArnLike" | "ArnNotLike" | "ArnEquals" | "ArnNotEquals" | "Bool"
    );
    if !exact && !like {
        return Holds::Perhaps;
    }
    // A session does not say its role's path: a name that is the caller's counts whatever its path.
    let matches = condition
        .values
        .iter()
        .any(|wanted| wanted == value || Who::parse(wanted).names(caller) || (like && matches_pattern(wanted, value)));
    if matches != negated { Holds::Yes } else { Holds::No }
}

/// `aws:PrincipalArn` of a session is its role's ARN; the path is not known and left out.
fn arn_of(caller: &Who) -> Option<String> {
    match caller {
        Who::Session { account, role, .. } => Some(format!("arn:aws:iam::{account}:role/{role}")),
        Who::Role { account, name } => Some(format!("arn:aws:iam::{account}:role/{name}")),
        Who::User { account, name } => Some(format!("arn:aws:iam::{account}:user/{name}")),
        Who::Account(account) => Some(format!("arn:aws:iam::{account}:root")),
        Who::Anyone | Who::Deleted(_) | Who::Other(_) => None,
    }
}
