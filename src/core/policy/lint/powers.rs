//! What one principal has all together: use and administration, roles that are to be kept apart, rights that make all others pointless.
//! Who may PutKeyPolicy or CreateGrant can give themselves every other right (KMS developer guide, "Default key policy"); who may ReplicateKey
//! too, on the replica: the same material under a policy that the caller sends, or the default one (KMS API, ReplicateKey).

use super::{Case, Found, View, listed};
use crate::core::policy::actions::{DESTROY, MANAGE, POLICY, RECOVER, STOP, USE};
use crate::core::policy::arn::Who;
use crate::core::policy::document::{Condition, Words};
use crate::core::problem::Severity::{Critical, Warning};
use std::collections::BTreeMap;

/// Roles of one key that different people should have (NIST SP 800-53 AC-5).
const ROLES: [(&str, &[&str]); 5] = [
    ("manage it", &MANAGE),
    ("stop it", &STOP),
    ("bring it back", &RECOVER),
    ("end it", &DESTROY),
    ("replace its policy", &POLICY),
];

/// Principals that may replace the policy, beside the account.
const MENDERS: usize = 2;

pub(super) fn rules(case: &Case, found: &mut Found) {
    for view in case.allows().filter(|view| view.is_everything()) {
        let others: Vec<&str> =
            view.principals.iter().filter(|(_, _, who)| !is_ours(case, who)).map(|(_, text, _)| *text).collect();
        if !others.is_empty() && !view.is_for_anyone() {
            let message =
                format!("{} may do everything with the key, its policy and its end included", listed(&others));
            let hint = "name the actions: `scrybe-keys create-cmk policy show` prints statements for each role";
            found.push(view.finding(Critical, "everything", message, hint));
        }
    }
    separation(case, found);
    pointless(case, found);
    for view in case.allows().filter(|view| !view.is_everything() && !view.is_for_anyone()) {
        grants(case, view, found);
        deletion(case, view, found);
    }
    menders(case, found);
}

fn is_ours(case: &Case, who: &Who) -> bool {
    matches!(who, Who::Account(account) if case.account.as_ref().is_none_or(|ours| ours == account))
}

/// One principal's rights, by statement.
fn separation(case: &Case, found: &mut Found) {
    let mut people: BTreeMap<&Who, (&str, Vec<&View>)> = BTreeMap::new();
    for view in case.allows().filter(|view| !view.is_everything()) {
        for (text, who) in view.people() {
            people.entry(who).or_insert((text, Vec::new())).1.push(view);
        }
    }
    for (who, (text, views)) in people {
        let holds = |names: &[&'static str]| {
            // What AWS services do with grants on somebody's behalf is neither use nor administration.
            let mut by_hand = views.iter().filter(|view| !is_for_services(view));
            by_hand.find_map(|view| {
                let mut left = names.iter().copied().filter(|name| view.covers(&format!("kms:{name}")));
                let first = left.find(|name| case.always_denies(who, &format!("kms:{name}")).is_none())?;
                Some((*view, first))
            })
        };
        let held: Vec<_> = ROLES.iter().filter_map(|(what, names)| Some((*what, holds(names)?))).collect();
        let grants = || views.iter().find(|view| grants_by_hand(case, view, who)).map(|view| (*view, "CreateGrant"));
        let over = held.first().map(|(_, at)| *at).or_else(grants);
        if let (Some((uses, use_of)), Some((over, admin))) = (holds(&USE), over) {
            let message =
                format!("{text} may use the key (kms:{use_of}) and administer it (kms:{admin} in {})", over.name);
            let hint = "give the two to different roles; `scrybe-keys create-cmk iam show` lists them";
            found.push(uses.finding(Critical, "admin-with-crypto", message, hint));
        }
        if let [(first, (_, a)), (second, (view, b)), ..] = held[..] {
            let message = format!("{text} may {first} (kms:{a}) and {second} (kms:{b}): these roles are kept apart");
            let hint = "give the two to different roles; `scrybe-keys create-cmk iam show` lists them";
            found.push(view.finding(Warning, "two-roles", message, hint));
        }
    }
}

/// Actions a statement allows by name and another always denies.
fn pointless(case: &Case, found: &mut Found) {
    for view in case.allows() {
        for (text, who) in view.people() {
            let named = view.statement.action.iter().flat_map(Words::iter).filter(|action| !action.contains('*'));
            let denied: Vec<(&str, &View)> =
                named.filter_map(|action| Some((action, case.always_denies(who, action)?))).collect();
            if let Some((_, by)) = denied.first() {
                let actions: Vec<&str> = denied.iter().map(|(action, _)| *action).collect();
                let message = format!("{text} is allowed {} here, and denied it by {}", listed(&actions), by.name);
                let hint = "a Deny always wins: take the principal out of one of the two";
                found.push(view.finding(Critical, "denied-anyway", message, hint));
            }
        }
    }
}

fn says(conditions: &[Condition], key: &str, operators: &[&str], value: Option<&str>) -> bool {
    conditions.iter().any(|c| {
        c.is_on(key)
            && operators.contains(&c.operator.as_str())
            && value.is_none_or(|value| c.values.iter().all(|v| v.eq_ignore_ascii_case(value)))
    })
}

/// True when the statement holds only for grants that AWS services make.
fn is_for_services(view: &View) -> bool {
    says(&view.statement.conditions, "kms:GrantIsForAWSResource", &["Bool"], Some("true"))
}

/// True when the statement lets this principal make any grant it likes, and not only what AWS services make on its behalf.
fn grants_by_hand(case: &Case, view: &View, who: &Who) -> bool {
    const KEY: &str = "kms:GrantIsForAWSResource";
    let denied = case.denies().any(|deny| {
        let conditions = &deny.statement.conditions;
        let by_hand = conditions.is_empty()
            || (conditions.len() == 1 && says(conditions, KEY, &["Bool", "BoolIfExists"], Some("false")));
        by_hand && deny.covers("kms:CreateGrant") && deny.names(who)
    });
    view.covers("kms:CreateGrant") && !denied && !is_for_services(view)
}

fn grants(case: &Case, view: &View, found: &mut Found) {
    let open: Vec<&str> =
        view.people().filter(|(_, who)| grants_by_hand(case, view, who)).map(|(text, _)| text).collect();
    if !open.is_empty() {
        let message = format!(
            "{} may grant any use of the key to anybody, and grants outlive changes of the policy",
            listed(&open)
        );
        let hint =
            "add the condition {\"Bool\": {\"kms:GrantIsForAWSResource\": \"true\"}}, or take kms:CreateGrant out";
        found.push(view.finding(Critical, "open-grants", message, hint));
    }
}

fn deletion(case: &Case, view: &View, found: &mut Found) {
    const KEY: &str = "kms:ScheduleKeyDeletionPendingWindowInDays";
    let least = ["NumericGreaterThan", "NumericGreaterThanEquals", "NumericEquals"];
    let too_little =
        ["NumericLessThan", "NumericLessThanEquals", "NumericLessThanIfExists", "NumericLessThanEqualsIfExists"];
    let kept_by_deny = |who: &Who| {
        case.denies().any(|deny| {
            let conditions = &deny.statement.conditions;
            let early = conditions.is_empty() || (conditions.len() == 1 && says(conditions, KEY, &too_little, None));
            early && deny.covers("kms:ScheduleKeyDeletion") && deny.names(who)
        })
    };
    let people: Vec<&str> = view.people().filter(|(_, who)| !kept_by_deny(who)).map(|(text, _)| text).collect();
    if view.covers("kms:ScheduleKeyDeletion")
        && !people.is_empty()
        && !says(&view.statement.conditions, KEY, &least, None)
    {
        let message = format!("{} may let the key end within 7 days", listed(&people));
        let hint = format!("add the condition {{\"NumericGreaterThanEquals\": {{\"{KEY}\": \"30\"}}}}");
        found.push(view.finding(Warning, "open-deletion-window", message, hint));
    }
}

fn menders(case: &Case, found: &mut Found) {
    let (put, replicate) = (holders(case, "kms:PutKeyPolicy"), holders(case, "kms:ReplicateKey"));
    for (text, view) in replicate.iter().filter(|(text, _)| !put.iter().any(|(named, _)| named == text)) {
        let message = format!(
            "{text} may make a replica of the key, with a policy of their own choosing that allows them everything"
        );
        let hint =
            "leave kms:ReplicateKey to whoever may replace the policy: the pipeline that runs `scrybe-keys create-cmk`";
        found.push(view.finding(Critical, "replica-with-own-policy", message, hint));
    }
    if put.len() > MENDERS {
        let names: Vec<&str> = put.iter().map(|(text, _)| *text).collect();
        let message = format!("{} may replace the policy, and so give themselves everything", listed(&names));
        let hint = "leave kms:PutKeyPolicy to the pipeline that runs `scrybe-keys create-cmk`";
        found.push(put[MENDERS].1.finding(Warning, "many-may-replace-policy", message, hint));
    }
}

/// Who is named, and where first, with an action that no Deny always takes away.
fn holders<'c>(case: &'c Case, action: &str) -> Vec<(&'c str, &'c View<'c>)> {
    let mut all: Vec<(&str, &View)> = Vec::new();
    for view in case.allows().filter(|view| view.covers(action) && !view.is_everything()) {
        for (text, who) in view.people() {
            if !all.iter().any(|(named, _)| *named == text) && case.always_denies(who, action).is_none() {
                all.push((text, view));
            }
        }
    }
    all
}
