//! Conditions on what a caller can or cannot show: MFA, the service it comes through, sets that may be empty.
//!
//! AssumeRole credentials carry no MFA claim for later calls (IAM user guide, "Configuring MFA-protected API access"; another page says they
//! may: IAM User Guide, "Secure API access with MFA", and the list of global condition keys). A policy that is right under both readings asks for MFA in the role's trust policy. A direct SDK call has no
//! `kms:ViaService` (KMS developer guide, "kms:ViaService").

use super::{Case, Found, KeyKind, POSITIVE, View, listed};
use crate::core::policy::actions::USE;
use crate::core::policy::arn::Who;
use crate::core::policy::document::{Condition, Effect};
use crate::core::problem::Severity::{Critical, Warning};

pub(super) fn rules(case: &Case, found: &mut Found) {
    for view in &case.statements {
        match view.statement.effect {
            Effect::Allow => {
                allowed_by_mfa(view, found);
                sets(view, found);
            }
            Effect::Deny => denied_by_mfa(view, found),
            Effect::Unknown(_) => {}
        }
        via_service(case, view, found);
    }
}

fn mfa<'a>(view: &'a View) -> impl Iterator<Item = &'a Condition> {
    let keys = ["aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge"];
    view.statement.conditions.iter().filter(move |c| keys.iter().any(|key| c.is_on(key)))
}

/// Principals that have no MFA claim to show.
fn without_mfa<'a>(view: &'a View) -> Vec<&'a str> {
    let roles = view.people().filter(|(_, who)| !matches!(who, Who::User { .. })).map(|(text, _)| text);
    roles.chain(view.services()).collect()
}

fn allowed_by_mfa(view: &View, found: &mut Found) {
    let Some(condition) = mfa(view).next() else { return };
    if condition.passes_when_absent() {
        let message = format!("{} lets everybody through who has no MFA claim at all", condition.operator);
        let hint = "use Bool without IfExists, for IAM users; for a role ask for MFA in its trust policy";
        found.push(view.finding(Critical, "mfa-not-asked", message, hint));
        return;
    }
    let never = without_mfa(view);
    if !never.is_empty() {
        let message = format!("{} has no MFA claim to show: this allows nothing when it is needed", listed(&never));
        let hint = "ask for MFA in the role's trust policy: `scrybe-keys create-cmk iam show` prints them";
        found.push(view.finding(Critical, "mfa-never-matches", message, hint));
    }
}

fn denied_by_mfa(view: &View, found: &mut Found) {
    let Some(condition) = mfa(view).next() else { return };
    let wide: Vec<&str> = view
        .principals
        .iter()
        .filter(|(kind, _, who)| *kind == "Service" || matches!(who, Who::Anyone | Who::Account(_)))
        .map(|(_, text, _)| *text)
        .collect();
    let catches_absent = condition.operator.ends_with("IfExists") || condition.base_operator() == "Null";
    let hint = "name the IAM users it is for; for roles ask for MFA in their trust policies";
    if (!wide.is_empty() && !view.is_narrowed()) || view.statement.not_principal.is_some() {
        let message = "it denies the application and AWS services too: they never have MFA";
        found.push(view.finding(Critical, "mfa-denies-services", message, hint));
    } else if let (true, roles @ [_, ..]) = (catches_absent, &without_mfa(view)[..]) {
        let message = format!("{} has no MFA claim to show: this denies always", listed(roles));
        found.push(view.finding(Critical, "mfa-never-matches", message, hint));
    } else if !catches_absent {
        let message = format!("{} does not hold for long-term keys, which have no such claim", condition.operator);
        let hint = "use BoolIfExists {\"aws:MultiFactorAuthPresent\": \"false\"} in a Deny";
        found.push(view.finding(Warning, "mfa-deny-misses-keys", message, hint));
    }
}

fn via_service(case: &Case, view: &View, found: &mut Found) {
    for condition in view.conditions_on("kms:ViaService") {
        if let Some(value) = condition.values.iter().find(|value| value.starts_with("kms.")) {
            let message = format!(
                "no call ever comes to KMS through {value}: kms:ViaService is the service that calls for somebody"
            );
            let hint = "remove the condition; bind direct callers by kms:EncryptionContext:… instead";
            found.push(view.finding(Critical, "via-kms", message, hint));
        } else if case.kind == KeyKind::MasterKey
            && view.statement.effect == Effect::Allow
            && POSITIVE.contains(&condition.base_operator())
            && !condition.passes_when_absent()
            && view.covers_any(&USE).is_some()
        {
            let message =
                "the application calls KMS itself, and a direct call has no kms:ViaService: this allows it nothing";
            let hint = "remove the condition; bind direct callers by kms:EncryptionContext:… instead";
            found.push(view.finding(Critical, "via-service-shuts-out", message, hint));
        }
    }
}

/// A set operator over nothing holds: the request without any context passes (IAM reference, "Set operators").
fn sets(view: &View, found: &mut Found) {
    for condition in view.statement.conditions.iter().filter(|c| c.operator.starts_with("ForAllValues:")) {
        let demanded = view.statement.conditions.iter().any(|other| {
            let same = other.is_on(&condition.key)
                || (condition.is_on("kms:EncryptionContextKeys")
                    && other.key.to_lowercase().starts_with("kms:encryptioncontext:"));
            let null = other.base_operator() == "Null" && other.values.iter().all(|v| v == "false");
            same && (null || !other.passes_when_absent())
        });
        if !demanded {
            let message = format!("{} {} holds where the request has no such key", condition.operator, condition.key);
            let hint = format!("add {{\"Null\": {{\"{}\": \"false\"}}}}", condition.key);
            found.push(view.finding(Warning, "empty-set-passes", message, hint));
        }
    }
}
