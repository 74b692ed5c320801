//! Posture: whether what stands around the master key is as the configuration wants it, and who could use the key beside its policy.
//!
//! The same plan as `create-cmk` makes, read and not carried out: a difference is a problem whose next command is that verb. A part that may
//! not be read is unknown and says so; it costs no exit code of its own, since not everybody who runs `health` may read policies.

use super::{Findings, TriState, Verdict, master::KeyHealth, names};
use crate::app::App;
use crate::config::{Environment, Provider};
use crate::core::kms::{Grant, Kms, KmsError, KmsErrorKind};
use crate::core::policy::{self, Document, KeyKind, LintContext};
use crate::core::problem::{Problem, Severity};
use crate::core::provision::RolesPart;
use crate::db::Binding;
use crate::exit::Exit;
use crate::ops::provisioning::{self, Asked, State, Survey};
use serde::Serialize;

const LOOK: &str = "scrybe-keys health --print-iam prints what it takes to look";

/// What was found around the key.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostureHealth {
    /// False when the configuration has no `provision:` section for this environment.
    pub configured: bool,
    /// True when everything configured is as it is wanted.
    pub as_wanted: TriState,
    pub grants: Option<usize>,
    /// Last successful cryptographic use of the key; null where KMS does not tell.
    pub last_used_at: Option<jiff::Timestamp>,
    /// People and systems that hear of an alarm.
    pub confirmed_subscribers: Option<usize>,
}

pub(super) fn examine(app: &App, bound: &Binding, key: &KeyHealth, findings: &mut Findings) -> PostureHealth {
    let mut health = PostureHealth { configured: app.settings.provision.is_some(), ..PostureHealth::default() };
    if bound.provider == Provider::Dev {
        return health;
    }
    match (&key.key_arn, app.kms()) {
        (Some(arn), Ok(kms)) => {
            policy_of(kms.as_ref(), arn, findings);
            grants(app, kms.as_ref(), arn, &mut health, findings);
            last_use(kms.as_ref(), arn, &mut health, findings);
            if !health.configured {
                aliases(app, bound, kms.as_ref(), arn, findings);
            }
        }
        _ => findings.check("key policy", Verdict::Unknown, "there is no key to ask about"),
    }
    if !health.configured {
        if bound.environment != Environment::Development {
            let text = "no provision section: trail, log bucket and alarms were not looked at";
            findings.check("surroundings", Verdict::Unknown, text);
        }
        return health;
    }
    match provisioning::survey(app, &Asked::default(), &[]) {
        Ok(survey) => {
            surroundings(&survey, &mut health, findings);
            same_key(&survey, key, findings);
        }
        // Whoever may not look is not told that something is wrong.
        Err(failure) if failure.exit == Exit::Denied => {
            findings.check("surroundings", Verdict::Unknown, failure.message.clone());
            findings.problem(Severity::Unknown, failure.code, "surroundings", failure.message.clone(), LOOK);
        }
        Err(failure) => findings.unanswered("surroundings", &failure),
    }
    health
}

/// Drift, part by part. Parts of the same kind (replicas) share a line.
fn surroundings(survey: &Survey, health: &mut PostureHealth, findings: &mut Findings) {
    let mut lines: Vec<(&'static str, Verdict, Vec<String>)> = Vec::new();
    for item in &survey.items {
        let verdict = match item.state() {
            State::InPlace => Verdict::Ok,
            State::Unknown => Verdict::Unknown,
            State::CannotChange => Verdict::Critical,
            _ if item.critical || item.absent => Verdict::Critical,
            _ => Verdict::Warning,
        };
        let text = match verdict {
            Verdict::Ok => item.name.clone(),
            _ => item.differences().join("; "),
        };
        match lines.iter_mut().find(|(part, _, _)| *part == item.part) {
            Some(line) => {
                line.1 = line.1.max(verdict);
                line.2.push(text);
            }
            None => lines.push((item.part, verdict, vec![text])),
        }
    }
    for (part, verdict, texts) in lines {
        findings.check(part, verdict, texts.join("; "));
    }
    for missing in &survey.desired.missing {
        let part = match missing.split(':').next() {
            Some("audit") => "trail",
            Some("alarms") => "alarms",
            _ => continue,
        };
        findings.check(part, Verdict::Unknown, format!("not configured, {missing}"));
    }
    findings.problems.extend(survey.problems());
    health.as_wanted = match (survey.has_drift(), survey.unread().next().is_some()) {
        (true, _) => TriState::No,
        (false, true) => TriState::Unknown,
        (false, false) => TriState::Yes,
    };
    delivery(survey, findings);
    hearers(survey, health, findings);
}

/// The key that settings and database name must be the one whose aliases, policy and copies are looked after.
fn same_key(survey: &Survey, key: &KeyHealth, findings: &mut Findings) {
    let (Some(used), Ok(Some(found))) = (&key.key_arn, &survey.found.master) else { return };
    if *used == found.about.arn {
        return findings.check("key in use", Verdict::Ok, "the one that the aliases lead to");
    }
    let text = format!("settings say {used}, the aliases and tags lead to {}", found.about.arn);
    findings.check("key in use", Verdict::Critical, text.clone());
    let hint = format!(
        "scrybe-keys create-cmk --environment {} --key {used} --allow alias (adopt, policy), or correct AWS_KMS_KEY_ID",
        survey.desired.environment.as_str()
    );
    findings.problem(Severity::Critical, "alias-elsewhere", used, text, &hint);
}

fn delivery(survey: &Survey, findings: &mut Findings) {
    let Ok(Some(trail)) = &survey.found.trail else { return };
    match &trail.delivery_error {
        None => match trail.delivered_at.filter(|_| trail.logging) {
            Some(at) => findings.check("log delivery", Verdict::Ok, format!("last on {at}")),
            None => {
                findings.check("log delivery", Verdict::Unknown, "nothing was delivered yet, or the trail is stopped")
            }
        },
        Some(error) => {
            findings.check("log delivery", Verdict::Critical, error.clone());
            let hint = "scrybe-keys create-cmk --dry-run shows the bucket's, key's and role's part in it";
            findings.problem(Severity::Critical, "trail-not-delivered", &trail.arn, error.clone(), hint);
        }
    }
}

/// Alarms that nobody has agreed to hear are silent.
fn hearers(survey: &Survey, health: &mut PostureHealth, findings: &mut Findings) {
    let (Some(alarms), Ok(Some(topic))) = (&survey.desired.alarms, &survey.found.topic) else { return };
    let confirmed = topic.subscribers.iter().filter(|(_, confirmed)| *confirmed).count();
    health.confirmed_subscribers = Some(confirmed);
    if confirmed > 0 {
        return findings.check("alarm subscribers", Verdict::Ok, format!("{confirmed} confirmed"));
    }
    findings.check("alarm subscribers", Verdict::Warning, "nobody has confirmed to hear the alarms");
    let text = "no subscription of the alarms' topic is confirmed: they speak to nobody";
    let hint = "follow the link in the confirmation message, or add alarms.subscribers and run scrybe-keys create-cmk";
    findings.problem(Severity::Warning, "nobody-hears", &alarms.topic_arn, text, hint);
}

/// The policy that stands, judged as `create-cmk policy lint` does.
fn policy_of(kms: &dyn Kms, arn: &str, findings: &mut Findings) {
    const CHECK: &str = "key policy";
    let text = match kms.key_policy(arn) {
        Ok(answer) => answer.value,
        Err(error) => return unread(CHECK, arn, &error, findings),
    };
    let document = match Document::parse(&text) {
        Ok(document) => document,
        Err(error) => return findings.check(CHECK, Verdict::Warning, error.to_string()),
    };
    // Who looks is not who manages: the lockout rule is for whoever sends a policy.
    let account = arn.split(':').nth(4).map(str::to_owned);
    let context = LintContext { caller_arn: None, account, kind: KeyKind::MasterKey };
    let found = policy::lint(&document, &context);
    let worst = found.iter().map(|problem| problem.severity).max();
    let verdict = match worst {
        Some(Severity::Critical) => Verdict::Critical,
        Some(Severity::Warning) => Verdict::Warning,
        Some(Severity::Unknown) => Verdict::Unknown,
        Some(Severity::Info) | None => Verdict::Ok,
    };
    let text = match found.first() {
        None => "nothing to object to".to_owned(),
        Some(first) if found.len() == 1 => first.message.clone(),
        Some(first) => format!("{}; and {} more", first.message, found.len() - 1),
    };
    findings.check(CHECK, verdict, text);
    findings.problems.extend(found.into_iter().filter(|problem| problem.severity > Severity::Info));
}

/// Grants let somebody use the key beside its policy. Those of AWS services and of the configured roles are expected.
fn grants(app: &App, kms: &dyn Kms, arn: &str, health: &mut PostureHealth, findings: &mut Findings) {
    const CHECK: &str = "grants";
    let all = match kms.list_grants(arn) {
        Ok(answer) => answer.value,
        Err(error) => return unread(CHECK, arn, &error, findings),
    };
    health.grants = Some(all.len());
    let roles = app.settings.provision.as_ref().and_then(|section| section.value.roles.as_ref());
    let strange: Vec<&Grant> = all.iter().filter(|grant| !is_expected(grant, roles)).collect();
    if strange.is_empty() {
        let text = if all.is_empty() { "none".to_owned() } else { format!("{}, all expected", all.len()) };
        return findings.check(CHECK, Verdict::Ok, text);
    }
    let who: Vec<String> = strange.iter().map(|grant| grant.grantee.clone()).collect();
    findings.check(CHECK, Verdict::Warning, format!("{} beside the policy, to {}", strange.len(), names(&who)));
    for grant in strange {
        let text =
            format!("{} may {} by a grant, whatever the policy says", grant.grantee, grant.operations.join(", "));
        let hint = format!("if nobody knows why: aws kms revoke-grant --key-id {arn} --grant-id {}", grant.id);
        findings.problem(Severity::Warning, "grant-beside-policy", &grant.id, text, &hint);
    }
}

fn is_expected(grant: &Grant, roles: Option<&RolesPart>) -> bool {
    grant.grantee.ends_with(".amazonaws.com")
        || roles.is_some_and(|roles| roles.application.iter().chain(&roles.rewrap).any(|arn| *arn == grant.grantee))
}

fn last_use(kms: &dyn Kms, arn: &str, health: &mut PostureHealth, findings: &mut Findings) {
    const CHECK: &str = "last use";
    match kms.key_last_use(arn) {
        Ok(answer) => {
            health.last_used_at = answer.value.used_at;
            let text = match (answer.value.used_at, answer.value.tracked_since) {
                (Some(at), _) => {
                    format!("{}{at}", answer.value.operation.map(|op| format!("{op} on ")).unwrap_or_default())
                }
                (None, Some(since)) => format!("not used since {since}"),
                (None, None) => "not used yet".to_owned(),
            };
            findings.check(CHECK, Verdict::Ok, text);
        }
        Err(error) if error.kind == KmsErrorKind::Unsupported => {
            findings.check(CHECK, Verdict::Unknown, "this KMS does not tell");
        }
        Err(error) => unread(CHECK, arn, &error, findings),
    }
}

/// Without a section nobody said which aliases there must be; one that is there must not lead elsewhere.
fn aliases(app: &App, bound: &Binding, kms: &dyn Kms, arn: &str, findings: &mut Findings) {
    const CHECK: &str = "aliases";
    let all = match kms.list_aliases() {
        Ok(answer) => answer.value,
        Err(error) => return unread(CHECK, arn, &error, findings),
    };
    let id = arn.rsplit('/').next().unwrap_or_default();
    let ours = provisioning::usual_aliases(bound.environment);
    let (right, wrong): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|alias| ours.contains(&alias.name))
        .partition(|alias| alias.target_key_id.as_deref() == Some(id));
    if wrong.is_empty() {
        let text = match right.len() {
            0 => "none of the environment's: the key goes by its id".to_owned(),
            n => format!("{n} lead to the key"),
        };
        return findings.check(CHECK, Verdict::Ok, text);
    }
    let text = wrong.iter().map(|alias| alias.name.clone()).collect::<Vec<_>>();
    findings.check(CHECK, Verdict::Critical, format!("{} lead to another key", names(&text)));
    for alias in wrong {
        let target = alias.target_key_id.as_deref().unwrap_or("nothing");
        let text = format!("{} points at {target}: an application that goes by it seals under another key", alias.name);
        let hint = format!(
            "scrybe-keys create-cmk --environment {} --allow alias, or --key for the key that is meant ({})",
            bound.environment.as_str(),
            app.settings.region.value
        );
        findings.problem(Severity::Critical, "alias-elsewhere", &alias.name, text, &hint);
    }
}

/// Not read, and not green: whoever may not read it loses no exit code over it.
fn unread(check: &'static str, subject: &str, error: &KmsError, findings: &mut Findings) {
    findings.check(check, Verdict::Unknown, error.to_string());
    let problem = Problem::new(Severity::Unknown, "not-looked-at", subject, format!("{check}: {error}"), LOOK);
    findings.problems.push(problem);
}
