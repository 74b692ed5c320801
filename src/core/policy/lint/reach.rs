//! Whom statements name: everybody, other accounts, nobody any more; and whether the account itself still stands in the policy.

use super::{Case, Found, View, about_all, listed};
use crate::core::policy::arn::Who;
use crate::core::problem::Severity::{Critical, Warning};

pub(super) fn rules(case: &Case, found: &mut Found) {
    root(case, found);
    for view in case.allows() {
        everybody(view, found);
        services(case, view, found);
    }
    for view in &case.statements {
        names(case, view, found);
    }
}

fn root(case: &Case, found: &mut Found) {
    let ours = |view: &&View| {
        view.principals.iter().any(|(_, _, who)| match (who, &case.account) {
            (Who::Account(named), Some(account)) => named == account,
            (Who::Account(_), None) => true,
            _ => false,
        })
    };
    if case.statements.iter().any(|view| view.gives_account_everything() && ours(&view)) {
        return;
    }
    if !case.allows().any(|view| view.covers("kms:PutKeyPolicy")) {
        // Nobody at all could mend it: `lockout` says so.
        return;
    }
    let account = case.account.as_deref().unwrap_or("ACCOUNT");
    let hint = format!(
        "add {{\"Sid\": \"AccountRoot\", \"Effect\": \"Allow\", \"Principal\": {{\"AWS\": \"arn:aws:iam::{account}:root\"}}, \
         \"Action\": \"kms:*\", \"Resource\": \"*\"}}"
    );
    let conditional = case
        .allows()
        .find(|view| ours(view) && view.covers("kms:PutKeyPolicy") && !view.statement.conditions.is_empty());
    match conditional {
        Some(view) => {
            let message =
                "the account's own statement hangs on a condition: where that fails, nobody can mend the policy";
            found.push(view.finding(Critical, "no-root-statement", message, "remove the condition"));
        }
        None => {
            let message = "no statement gives the account the key: IAM policies do not count, and when the last principal \
                           named here is gone only AWS support can help";
            found.push(about_all(Critical, "no-root-statement", message, hint));
        }
    }
}

fn everybody(view: &View, found: &mut Found) {
    if !view.is_for_anyone() {
        return;
    }
    if view.is_narrowed() {
        let message = "it is for every principal of AWS, kept back by a condition alone";
        let hint = "name the roles in Principal, and keep the condition beside it";
        found.push(view.finding(Warning, "wildcard-narrowed", message, hint));
    } else {
        let message = "it is for every principal of every AWS account";
        found.push(view.finding(Critical, "wildcard-principal", message, "name the roles in Principal"));
    }
}

fn services(case: &Case, view: &View, found: &mut Found) {
    let named: Vec<&str> = view.services().collect();
    if named.is_empty() {
        return;
    }
    if case.kind == super::KeyKind::MasterKey
        && let Some(service) = named.iter().find(|name| name.starts_with("cloudtrail.") || name.starts_with("logs."))
        && view.covers("kms:GenerateDataKey")
    {
        let message = format!(
            "{service} seals logs with the master key: an incident that disables it also stops and hides the log"
        );
        let hint = "give the log a key of its own: `scrybe-keys create-cmk` makes one";
        found.push(view.finding(Critical, "log-under-master-key", message, hint));
        return;
    }
    let bound = ["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "kms:EncryptionContext:aws:cloudtrail:arn"];
    let is_bound = bound.iter().any(|key| view.conditions_on(key).any(|c| !c.passes_when_absent()));
    if !is_bound {
        let message = format!("{} may use it on behalf of any account's resource", listed(&named));
        let hint = "add a condition on aws:SourceArn or aws:SourceAccount";
        found.push(view.finding(Warning, "service-unbound", message, hint));
    }
}

fn names(case: &Case, view: &View, found: &mut Found) {
    let negated = view.statement.not_principal.iter().flat_map(|p| p.each());
    let negated = negated.filter(|(kind, _)| *kind == "AWS").map(|(_, text)| ("AWS", text, Who::parse(text)));
    let all: Vec<(&str, &str, Who)> = view.principals.iter().cloned().chain(negated).collect();
    let mut foreign = Vec::new();
    for (kind, text, who) in &all {
        match who {
            Who::Deleted(id) => {
                let message =
                    format!("{id} is what is left of a principal that was deleted: KMS refuses it in a new policy");
                let hint = "remove it; a role made again under the same name must be named by its ARN again";
                found.push(view.finding(Critical, "deleted-principal", message, hint));
            }
            Who::Other(_) if *kind == "AWS" && text.contains('*') => {
                let message = format!("{text} holds a wildcard: a principal is matched whole, so KMS refuses it");
                let hint = "name each role, or put the pattern into a condition on aws:PrincipalArn";
                found.push(view.finding(Critical, "wildcard-in-principal", message, hint));
            }
            Who::Other(_) if *kind == "AWS" && !text.contains(":federated-user/") => {
                let message = format!("{text} is no account, role, user or session");
                let hint = "a principal is like arn:aws:iam::123456789012:role/NAME; a group cannot be one";
                found.push(view.finding(Critical, "no-such-principal", message, hint));
            }
            Who::Other(_) if !["AWS", "Service", "Federated", "CanonicalUser"].contains(kind) => {
                let message = format!("AWS knows no kind of principal {kind}");
                found.push(view.finding(Critical, "no-such-principal", message, "it is AWS, Service or Federated"));
            }
            _ => {}
        }
        if let (Some(theirs), Some(ours)) = (who.account(), case.account.as_deref())
            && theirs != ours
        {
            foreign.push(*text);
        }
    }
    if !foreign.is_empty() && view.statement.effect == crate::core::policy::Effect::Allow {
        let message = format!("{} is not of the key's account", listed(&foreign));
        let hint = "is this meant? then it also needs an IAM policy there; `--as` names the account that is ours";
        found.push(view.finding(Warning, "foreign-account", message, hint));
    }
}
