//! How a plan of `create-cmk` and its end look, for people and as JSON.

use crate::app::{App, Outcome};
use crate::core::problem::{Problem, Severity};
use crate::error::Failure;
use crate::ops::provisioning::{self, Item, Survey};
use serde_json::{Value, json};

/// AWS calls that the plan would make.
pub fn calls(survey: &Survey) -> usize {
    survey.items.iter().map(|item| item.steps.len()).sum()
}

/// The plan: where, what differs, what is not configured, what the policy's reader should know.
pub fn plan(app: &App, survey: &Survey, findings: &[Problem]) -> String {
    let mut rows = Vec::new();
    for item in &survey.items {
        rows.push(vec![item.part.to_owned(), item.state().as_str().to_owned(), item.name.clone()]);
        rows.extend(shortened(item).into_iter().map(|text| vec![String::new(), String::new(), format!("- {text}")]));
    }
    let mut text = format!("{}\n\n{}", place(app, survey), app.ui.table(&["part", "state", "what"], &rows, &[]));
    for missing in &survey.desired.missing {
        text.push_str(&format!("not configured: {missing}\n"));
    }
    for finding in findings {
        text.push_str(&format!("key policy, {}: {}\n", finding.subject, finding.message));
    }
    if calls(survey) > 0 {
        text.push_str(provisioning::PREFLIGHT);
    }
    text.push_str(&format!("plan {}: {} AWS calls\n", survey.digest(), calls(survey)));
    text
}

/// Differences for a table: of a part that is made whole and has many of a kind, only how many.
fn shortened(item: &Item) -> Vec<String> {
    const MANY: usize = 6;
    let all = item.differences();
    match (item.absent, item.part) {
        (true, "metric filters" | "alarms") if all.len() > MANY => vec![format!("make all {}", all.len())],
        _ => all,
    }
}

fn place(app: &App, survey: &Survey) -> String {
    let desired = &survey.desired;
    let provider = app.settings.provider.as_ref().map_or("", |p| p.value.as_str());
    let mut line = format!(
        "{} · {provider} {} {} · {}",
        desired.environment.as_str(),
        desired.caller.account,
        desired.region,
        desired.caller.arn
    );
    if app.settings.sandbox.is_some() {
        line.push_str(" · SANDBOX");
    }
    line
}

/// The answer: outputs, and what was done or found.
pub fn outcome(app: &App, survey: &Survey, done: &[String]) -> Result<Outcome, Failure> {
    let outputs = survey.outputs();
    let data = json!({
        "environment": survey.desired.environment.as_str(),
        "account": survey.desired.caller.account,
        "region": survey.desired.region,
        "items": survey.items.iter().map(item_json).collect::<Vec<_>>(),
        "notConfigured": survey.desired.missing,
        "plan": {"digest": survey.digest(), "calls": calls(survey)},
        "done": done,
        "outputs": outputs,
    });
    let mut text = match (done.len(), survey.has_work()) {
        (0, false) if survey.has_drift() => "Nothing that this verb can do.\n".to_owned(),
        (0, false) => "Nothing to do.\n".to_owned(),
        (0, true) => String::new(),
        (n, _) => format!("{}\n\nDone: {n} AWS calls, and everything was read again.\n", place(app, survey)),
    };
    for item in &survey.items {
        if let Some(error) = &item.unknown {
            text.push_str(&format!("unknown: {} {}: {error}\n", item.part, item.name));
        }
        for (what, next) in &item.fixed {
            text.push_str(&format!("critical: {} {}: {what}\n  next: {next}\n", item.part, item.name));
        }
    }
    if let Some(outputs) = outputs.filter(|_| !survey.has_work()) {
        let rows = [
            ("kms_key_id", Some(&outputs.kms_key_id)),
            ("kms_key_arn", Some(&outputs.kms_key_arn)),
            ("kms_key_alias", Some(&outputs.kms_key_alias)),
            ("cloudtrail_arn", outputs.cloudtrail_arn.as_ref()),
            ("audit_logs_bucket", outputs.audit_logs_bucket.as_ref()),
        ];
        text.push('\n');
        for (name, value) in rows {
            text.push_str(&format!("{name:<19}{}\n", value.map_or("-", String::as_str)));
        }
        text.push_str("environment_config\n");
        outputs.environment_config.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        for missing in &survey.desired.missing {
            text.push_str(&format!("not configured: {missing}\n"));
        }
    }
    Ok(Outcome { problems: survey.problems(), ..Outcome::done(data, text)? })
}

fn item_json(item: &Item) -> Value {
    json!({
        "part": item.part,
        "name": item.name,
        "state": item.state(),
        "differences": item.differences(),
        "needs": item.steps.iter().flat_map(|planned| planned.needs.clone()).collect::<std::collections::BTreeSet<_>>(),
    })
}

/// A policy with a critical finding is not sent.
pub fn refuse_dangerous(findings: &[Problem]) -> Result<(), Failure> {
    match findings.iter().find(|finding| finding.severity == Severity::Critical) {
        None => Ok(()),
        Some(finding) => Err(Failure::conflict(
            "dangerous-policy",
            format!("the key policy is not sent: {}: {}", finding.subject, finding.message),
        )
        .hint("correct the roles of the provision section; `scrybe-keys create-cmk policy show` prints the policy")),
    }
}
