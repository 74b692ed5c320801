//! The master key: the application's five checks. The last two use the key and are made only when `deep` asks for them.

use super::{Findings, NOT_ASKED, Verdict};
use crate::app::App;
use crate::config::Provider;
use crate::core::ids::OrgId;
use crate::core::kms::{KeyState, Kms, KmsError, KmsErrorKind};
use crate::core::problem::Severity;
use crate::db::Binding;
use crate::error::Failure;
use serde::{Serialize, Serializer};

/// Yes, no, or nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TriState {
    Yes,
    No,
    #[default]
    Unknown,
}

impl Serialize for TriState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            TriState::Yes => serializer.serialize_bool(true),
            TriState::No => serializer.serialize_bool(false),
            TriState::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

/// What KMS says of the master key, under the application's names.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyHealth {
    pub key_id: Option<String>,
    pub key_arn: Option<String>,
    pub enabled: TriState,
    pub key_state: Option<String>,
    pub rotation_enabled: TriState,
    pub rotation_period_days: Option<u32>,
    pub next_rotation: Option<jiff::Timestamp>,
    /// When a pending deletion becomes final.
    #[serde(skip)]
    pub deletion_at: Option<jiff::Timestamp>,
    pub health_checks: HealthChecks,
}

/// The application's five checks.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthChecks {
    pub key_exists: TriState,
    pub key_enabled: TriState,
    pub rotation_configured: TriState,
    pub can_generate_data_key: TriState,
    pub can_encrypt_decrypt: TriState,
}

const CHECKS: [&str; 5] = ["keyExists", "keyEnabled", "rotationConfigured", "canGenerateDataKey", "canEncryptDecrypt"];

pub(super) fn examine(app: &App, bound: &Binding, deep: bool, findings: &mut Findings) -> KeyHealth {
    let mut health = KeyHealth::default();
    if bound.provider == Provider::Dev {
        CHECKS.iter().for_each(|name| findings.check(name, Verdict::Unknown, "provider dev has no master key"));
        return health;
    }
    let key = app.settings.key.as_ref().map(|k| k.value.clone()).or_else(|| bound.key_arn.clone());
    let (kms, key) = match (app.kms(), key) {
        (Ok(kms), Some(key)) => (kms, key),
        (Err(failure), _) => return unasked(health, &failure, findings),
        (_, None) => {
            let failure = Failure::usage("no-key", "nothing names the master key").hint("give --key, or --environment");
            return unasked(health, &failure, findings);
        }
    };
    let described = match kms.describe_key(&key) {
        Ok(answer) => answer.value,
        Err(error) if error.kind == KmsErrorKind::NotFound => {
            health.health_checks.key_exists = TriState::No;
            findings.check(CHECKS[0], Verdict::Critical, format!("KMS knows no key {key} in {}", kms.region()));
            let hint = "is this the right region, account and key? scrybe-keys context";
            findings.problem(Severity::Critical, "key-missing", &key, error.to_string(), hint);
            CHECKS[1..].iter().for_each(|name| findings.check(name, Verdict::Unknown, "there is no key to ask about"));
            return health;
        }
        Err(error) => return unasked(health, &error.into(), findings),
    };
    let arn = described.arn.clone();
    health.key_id = Some(described.key_id.clone());
    health.key_arn = Some(arn.clone());
    health.key_state = Some(described.state.as_str().to_owned());
    health.deletion_at = described.deletion_at;
    health.health_checks.key_exists = TriState::Yes;
    if bound.key_arn.as_ref().is_some_and(|bound| *bound != arn) {
        findings.check(CHECKS[0], Verdict::Critical, format!("{key} is another key than the database is bound to"));
        let bound = bound.key_arn.as_deref().unwrap_or_default();
        let text = format!("{key} leads to {arn}, the database is bound to {bound}");
        findings.problem(Severity::Critical, "key-not-bound", &key, text, "scrybe-keys context");
    } else {
        findings.check(CHECKS[0], Verdict::Ok, format!("key {}", described.key_id));
    }
    state(&mut health, described.state, &arn, described.deletion_at, findings);
    rotation(app, kms.as_ref(), &mut health, &arn, findings);
    if deep && described.state == KeyState::Enabled {
        try_out(app, kms.as_ref(), &mut health, &arn, findings);
    } else {
        let why = if deep { "the key is not enabled" } else { NOT_ASKED };
        CHECKS[3..].iter().for_each(|name| findings.check(name, Verdict::Unknown, why));
    }
    health
}

fn unasked(health: KeyHealth, failure: &Failure, findings: &mut Findings) -> KeyHealth {
    findings.unanswered(CHECKS[0], failure);
    CHECKS[1..].iter().for_each(|name| findings.check(name, Verdict::Unknown, "KMS could not be asked"));
    health
}

fn state(
    health: &mut KeyHealth,
    state: KeyState,
    arn: &str,
    deletion_at: Option<jiff::Timestamp>,
    findings: &mut Findings,
) {
    let enabled = state == KeyState::Enabled;
    health.enabled = if enabled { TriState::Yes } else { TriState::No };
    health.health_checks.key_enabled = health.enabled;
    if enabled {
        return findings.check(CHECKS[1], Verdict::Ok, "KMS says Enabled");
    }
    let when = deletion_at.map(|at| format!(", to be deleted on {at}")).unwrap_or_default();
    let text = format!("KMS says {state}{when}: no DEK unwraps");
    findings.check(CHECKS[1], Verdict::Critical, text.clone());
    let hint = match state {
        KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => {
            format!("aws kms cancel-key-deletion --key-id {arn}, then aws kms enable-key --key-id {arn}")
        }
        KeyState::Disabled => format!("aws kms enable-key --key-id {arn}"),
        _ => "scrybe-keys context".to_owned(),
    };
    findings.problem(Severity::Critical, "key-not-enabled", arn, text, &hint);
}

fn rotation(app: &App, kms: &dyn Kms, health: &mut KeyHealth, arn: &str, findings: &mut Findings) {
    let status = match kms.key_rotation_status(arn) {
        Ok(answer) => answer.value,
        Err(error) => return findings.unanswered(CHECKS[2], &error.into()),
    };
    let wanted = app.settings.policy.cmk_rotation_days;
    let fix = format!("aws kms enable-key-rotation --key-id {arn} --rotation-period-in-days {wanted}");
    health.rotation_period_days = status.period_days;
    health.next_rotation = status.next_at;
    health.rotation_enabled = if status.enabled { TriState::Yes } else { TriState::No };
    health.health_checks.rotation_configured = health.rotation_enabled;
    match (status.enabled, status.period_days) {
        (false, _) => {
            findings.check(CHECKS[2], Verdict::Warning, "automatic rotation is off");
            let text = "the master key's material is never rotated";
            findings.problem(Severity::Warning, "rotation-off", arn, text, &fix);
        }
        (true, Some(days)) if days > wanted => {
            findings.check(CHECKS[2], Verdict::Warning, format!("every {days} days, policy says {wanted}"));
            let text = format!("the master key's material is rotated every {days} days, policy says {wanted}");
            findings.problem(Severity::Warning, "rotation-slow", arn, text, &fix);
        }
        (true, days) => {
            let period = days.map_or_else(|| "on".to_owned(), |days| format!("every {days} days"));
            let next = status.next_at.map(|at| at.strftime(", next %Y-%m-%d").to_string()).unwrap_or_default();
            findings.check(CHECKS[2], Verdict::Ok, format!("{period}{next}"));
        }
    }
}

/// Makes a data key and throws it away; encrypts and decrypts a fixed text.
fn try_out(app: &App, kms: &dyn Kms, health: &mut KeyHealth, arn: &str, findings: &mut Findings) {
    let probe = OrgId::parse("scrybe-keys-health").expect("a fixed id without control characters");
    let context = app.settings.map.value.context_for(&probe);
    let made = kms.generate_data_key(arn, &context).map(drop);
    health.health_checks.can_generate_data_key = tried(CHECKS[3], "KMS made a data key", arn, made, findings);
    const TEXT: &[u8] = b"scrybe-keys health";
    let there_and_back = kms
        .encrypt(arn, TEXT, &context)
        .and_then(|sealed| kms.decrypt(Some(arn), &sealed.value.wrapped, &context))
        .map(|opened| opened.value.plaintext.as_slice() == TEXT);
    health.health_checks.can_encrypt_decrypt = match there_and_back {
        Ok(false) => {
            findings.check(CHECKS[4], Verdict::Critical, "KMS decrypts to something else");
            let text = "what KMS encrypts it decrypts to something else";
            findings.problem(Severity::Critical, "kms-untrue", arn, text, "trust nothing this KMS endpoint says");
            TriState::No
        }
        Ok(true) => tried(CHECKS[4], "KMS encrypts and decrypts", arn, Ok(()), findings),
        Err(error) => tried(CHECKS[4], "", arn, Err(error), findings),
    };
}

fn tried(name: &'static str, well: &str, arn: &str, answer: Result<(), KmsError>, findings: &mut Findings) -> TriState {
    match answer {
        Ok(()) => {
            findings.check(name, Verdict::Ok, well);
            TriState::Yes
        }
        Err(error) if matches!(error.kind, KmsErrorKind::Throttled | KmsErrorKind::Unreachable) => {
            findings.unanswered(name, &error.into());
            TriState::Unknown
        }
        Err(error) => {
            let failure = Failure::from(error);
            findings.check(name, Verdict::Critical, failure.message.clone());
            let hint = failure.hints.first().map_or("scrybe-keys context", String::as_str);
            findings.problem(Severity::Critical, failure.code, arn, failure.message.clone(), hint);
            TriState::No
        }
    }
}
