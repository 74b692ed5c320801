//! New material for a master key, on demand.
//!
//! A key has 25 rotations on demand in its life (AWS API, RotateKeyOnDemand), so the call is sent once and never again: what became of it is
//! read from the list of materials. Next: `ops::rewrapping`.

use crate::app::App;
use crate::core::chain::Record;
use crate::core::kms::{KeyDescription, KeyState, Kms, KmsError, KmsErrorKind, MaterialRotation, RotationStatus};
use crate::core::problem::{Problem, Severity};
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::{IntentId, Journal};
use crate::ops::binding::arn_part;
use crate::ops::crash;
use crate::ops::permit::Permit;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rotations on demand that AWS allows a key in its life.
pub const ON_DEMAND_LIMIT: usize = 25;
/// KMS refuses a rotation on demand this close to an automatic one (AWS API).
const TOO_CLOSE: Duration = Duration::from_secs(20 * 60);
/// How long an unanswered rotation may still come true.
const STILL_POSSIBLE: Duration = Duration::from_secs(10 * 60);
const BEGUN: &str = "CMK_ROTATION_STARTED";
const DONE: &str = "CMK_ROTATED";
const FAILED: &str = "CMK_ROTATION_FAILED";

/// The master key before and after a rotation on demand.
pub struct Plan {
    kms: Arc<dyn Kms>,
    pub context_line: String,
    pub key: KeyDescription,
    /// Oldest first; why not, where KMS would not say.
    pub materials: Result<Vec<MaterialRotation>, String>,
    pub automatic: Option<RotationStatus>,
    pub reason: String,
    pub problems: Vec<Problem>,
    pub digest: String,
    /// Rotations of dead runs whose outcome nobody recorded.
    open: Vec<Record>,
}

impl Plan {
    /// The material that wraps now, as the key's description or the list says.
    pub fn current(&self) -> Option<&str> {
        let listed = || self.materials.as_ref().ok()?.iter().find(|m| m.current)?.material_id.as_deref();
        self.key.material_id.as_deref().or_else(listed)
    }

    /// Rotations on demand so far, as KMS lists them.
    pub fn on_demand(&self) -> Option<usize> {
        self.materials.as_ref().ok().map(|all| on_demand(all))
    }

    /// Rotations on demand that are left in this key's life.
    pub fn left(&self) -> Option<usize> {
        self.on_demand().map(|used| ON_DEMAND_LIMIT.saturating_sub(used))
    }
}

fn on_demand(all: &[MaterialRotation]) -> usize {
    all.iter().filter(|m| m.kind.as_deref() == Some("ON_DEMAND")).count()
}

/// What became of it.
pub struct Rotated {
    pub key_arn: String,
    pub previous: Option<String>,
    pub material: String,
    pub left: Option<usize>,
    pub request_id: Option<String>,
    /// False when it is a rotation of an earlier run that was found done.
    pub sent: bool,
}

/// Looks at the key. Changes nothing. `journal` is absent where nothing can be recorded.
pub fn plan(
    app: &App,
    journal: Option<&mut Journal>,
    context_line: String,
    reason: String,
    now: Timestamp,
) -> Result<Plan, Failure> {
    let Some(named) = &app.settings.key else {
        return Err(Failure::usage("no-key", "nothing names the master key").hint("give --key, or set AWS_KMS_KEY_ID"));
    };
    let kms = app.kms()?;
    let during = |e: KmsError| Failure::from(e).during(format_args!("looking at key {}", named.value));
    let key = kms.describe_key(&named.value).map_err(during)?.value;
    refuse_what_cannot_rotate(&key)?;
    let materials = match kms.key_materials(&key.arn) {
        Ok(answer) => Ok(answer.value),
        Err(error) if error.kind == KmsErrorKind::Denied || error.kind == KmsErrorKind::Unsupported => {
            Err(error.to_string())
        }
        Err(error) => return Err(during(error)),
    };
    let automatic = kms.key_rotation_status(&key.arn).ok().map(|answer| answer.value);
    let open = match journal {
        Some(journal) => journal.open_intents(BEGUN)?.into_iter().filter(|r| r.subject == key.arn).collect(),
        None => Vec::new(),
    };
    let mut plan = Plan {
        kms,
        context_line,
        key,
        materials,
        automatic,
        reason,
        problems: Vec::new(),
        digest: String::new(),
        open,
    };
    if plan.current().is_none() {
        return Err(Failure::conflict("no-materials", format!("this KMS does not say which material of {} wraps: what became of a rotation could not be told", plan.key.arn))
            .hint("allow kms:DescribeKey and kms:ListKeyRotations on the key to the caller, or use a KMS that tells materials"));
    }
    notes(&mut plan, now);
    plan.digest = digest(&plan);
    Ok(plan)
}

fn refuse_what_cannot_rotate(key: &KeyDescription) -> Result<(), Failure> {
    let arn = &key.arn;
    let refuse = |code, message: String| Failure::conflict(code, message);
    if key.manager == "AWS" {
        return Err(refuse("not-ours-to-rotate", format!("{arn} is managed by AWS, which rotates it by itself"))
            .hint("name a key of your own with --key"));
    }
    if key.spec != "SYMMETRIC_DEFAULT" {
        return Err(refuse("not-rotatable", format!("{arn} is {}: only symmetric keys get new material", key.spec))
            .hint("name the key that wraps DEKs with --key"));
    }
    if let Some(relatives) = key.relatives.as_ref().filter(|r| !r.is_primary) {
        let message = format!("{arn} is a replica: material is rotated at its primary {}", relatives.primary_arn);
        let region = arn_part(&relatives.primary_arn, 3).unwrap_or_default();
        return Err(refuse("rotate-the-primary", message)
            .hint(format!("scrybe-keys rotate-cmk --region {region} --key {} --reason …", relatives.primary_arn)));
    }
    if key.state != KeyState::Enabled {
        return Err(refuse("kms-key-unusable", format!("KMS says {} of {arn}: it is not rotated", key.state))
            .hint("`scrybe-keys health` shows the key's state and what to do about it"));
    }
    Ok(())
}

fn notes(plan: &mut Plan, now: Timestamp) {
    let arn = plan.key.arn.clone();
    if let Err(why) = &plan.materials {
        let message = format!("how many rotations on demand are left cannot be told: {why}");
        let hint = "allow kms:ListKeyRotations on the key to the caller";
        plan.problems.push(Problem::new(Severity::Warning, "rotations-unknown", &arn, message, hint));
    }
    if let Some(left) = plan.left().filter(|left| *left <= 5) {
        let message =
            format!("{left} of {ON_DEMAND_LIMIT} rotations on demand are left, for the whole life of the key");
        let hint = "let automatic rotation do it: `scrybe-keys health` shows its period";
        plan.problems.push(Problem::new(Severity::Warning, "few-rotations-left", &arn, message, hint));
    }
    let next = plan.automatic.as_ref().filter(|a| a.enabled).and_then(|a| a.next_at);
    if let Some(next) = next.filter(|next| now.duration_until(*next).unsigned_abs() < TOO_CLOSE) {
        let message = format!("an automatic rotation is due at {next}: KMS refuses another this close to it");
        plan.problems.push(Problem::new(
            Severity::Warning,
            "rotation-due",
            &arn,
            message,
            "wait for it, then `scrybe-keys rotate-cmk --dry-run --reason …` shows its material",
        ));
    }
}

fn digest(plan: &Plan) -> String {
    let known = plan.materials.as_ref().map_or(0, Vec::len);
    let text = format!(
        "scrybe-keys rotate-cmk v1\n{}\n{}\n{:?}\n{known}\n{}",
        plan.context_line,
        plan.key.arn,
        plan.current(),
        plan.reason
    );
    Sha256::digest(text).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// An earlier run's rotation whose outcome nobody knew: found done, or found not to have happened. `None` when there was none, or it did not
/// happen and a new one may be sent. Refuses while it could still come true.
pub fn settle_earlier(plan: &mut Plan, journal: &mut Journal, now: Timestamp) -> Result<Option<Rotated>, Failure> {
    let running = plan.automatic.as_ref().is_some_and(|status| status.on_demand_since.is_some());
    let mut found = None;
    for record in std::mem::take(&mut plan.open) {
        let Some(id) = record.intent_id else { continue };
        let body: Value = serde_json::from_str(&record.body).unwrap_or_default();
        let before = body["materialBefore"].as_str().map(str::to_owned);
        let count = body["onDemandBefore"].as_u64().and_then(|n| usize::try_from(n).ok());
        let material =
            plan.current().map(str::to_owned).filter(|now| before.as_ref().is_some_and(|before| before != now));
        let happened = match (plan.on_demand(), count) {
            (Some(now), Some(then)) => now > then,
            _ => material.is_some(),
        };
        let (intent, arn) = (IntentId::of(id), plan.key.arn.clone());
        let derived = |done: bool| json!({"derived": true, "done": done, "interruptedRun": record.run_id});
        match material.filter(|_| happened) {
            Some(material) => {
                journal.outcome(&intent, DONE, &arn, derived(true))?;
                let left = plan.left();
                found = Some(Rotated { key_arn: arn, previous: before, material, left, request_id: None, sent: false });
            }
            None if running || age_at(&record, now) < STILL_POSSIBLE => {
                return Err(under_way(&arn, "sent by a run whose answer is not known"));
            }
            None => journal.outcome(&intent, FAILED, &arn, derived(false))?,
        }
    }
    Ok(found)
}

/// Refuses where KMS would, before anybody is asked: one is under way, or none is left.
pub fn refuse_a_second(plan: &Plan) -> Result<(), Failure> {
    if plan.left() == Some(0) {
        return Err(used_up(&plan.key.arn));
    }
    match plan.automatic.as_ref().and_then(|status| status.on_demand_since) {
        Some(since) => Err(under_way(&plan.key.arn, &format!("since {since}"))),
        None => Ok(()),
    }
}

fn under_way(arn: &str, how: &str) -> Failure {
    Failure::conflict("rotation-under-way", format!("a rotation of {arn} is under way, {how}")).hint(
        "wait some minutes: `scrybe-keys rotate-cmk --dry-run --reason …` shows the materials, and the same command looks before it sends anything",
    )
}

fn age_at(record: &Record, now: Timestamp) -> Duration {
    let micros = now.as_microsecond().saturating_sub(record.at_micros).max(0);
    Duration::from_micros(micros.unsigned_abs())
}

/// Sends one RotateKeyOnDemand and waits until the new material wraps. Never sends a second one.
pub fn rotate(
    app: &App,
    plan: Plan,
    permit: &Permit,
    mut journal: Option<Journal>,
    patience: Duration,
) -> Result<Rotated, Failure> {
    permit.covers(&plan.digest)?;
    let arn = plan.key.arn.clone();
    let previous = plan.current().map(str::to_owned);
    let details = json!({"reason": plan.reason, "planDigest": plan.digest, "materialBefore": previous,
        "onDemandBefore": plan.on_demand()});
    let intent = journal.as_mut().map(|journal| journal.intent(BEGUN, &arn, details)).transpose()?;
    crash::point("rotate-cmk-before-call");
    let answer = plan.kms.rotate_on_demand(&arn);
    crash::point("rotate-cmk-after-call");
    let (request_id, unclear) = match answer {
        Ok(answer) => (answer.request_id, None),
        Err(error) if error.is_ambiguous() => (error.request_id.clone(), Some(error)),
        Err(error) => {
            let failure = refusal(&arn, error);
            if let (Some(journal), Some(intent)) = (&mut journal, &intent) {
                let details = json!({"code": failure.code, "reason": failure.message});
                journal.outcome(intent, FAILED, &arn, details)?;
            }
            return Err(failure);
        }
    };
    if unclear.is_some() {
        app.ui.say("KMS did not answer: nothing is sent again, its list of materials tells.");
    }
    let sent = Instant::now();
    let Some((material, all)) = await_material(app, &plan, patience) else {
        // The intent stays open: the next run looks before it does anything.
        return Err(not_seen(&arn, unclear, sent.elapsed()));
    };
    let left = all.as_deref().map(|all| ON_DEMAND_LIMIT.saturating_sub(on_demand(all)));
    if let (Some(journal), Some(intent)) = (&mut journal, &intent) {
        crash::point("rotate-cmk-before-outcome");
        let details = json!({"materialBefore": previous, "material": material, "onDemandLeft": left,
            "requestId": request_id, "answered": unclear.is_none()});
        journal.outcome(intent, DONE, &arn, details)?;
    }
    Ok(Rotated { key_arn: arn, previous, material, left, request_id, sent: true })
}

/// The new material and the list it stands in, once KMS says that it wraps; `None` when it did not within `patience`.
fn await_material(app: &App, plan: &Plan, patience: Duration) -> Option<(String, Option<Vec<MaterialRotation>>)> {
    let began = Instant::now();
    loop {
        let described = plan.kms.describe_key(&plan.key.arn).ok().and_then(|answer| answer.value.material_id);
        let listed = plan.kms.key_materials(&plan.key.arn).ok().map(|answer| answer.value);
        let current = listed.as_ref().and_then(|all| all.iter().find(|m| m.current)?.material_id.clone());
        let fresh = |id: &String| Some(id.as_str()) != plan.current();
        // Where both say, both must have seen it: a stale list would count the rotations wrong.
        let agreed = match (described, current) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        };
        if let Some(material) = agreed.filter(fresh) {
            return Some((material, listed));
        }
        if began.elapsed() >= patience || app.interrupt.asked() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn not_seen(arn: &str, unclear: Option<KmsError>, waited: Duration) -> Failure {
    let said = match &unclear {
        Some(_) => "KMS did not answer, and",
        None => "KMS took the order, and",
    };
    let message = format!("{said} new material of {arn} is not in use after {} s", waited.as_secs());
    let failure = Failure::new(Exit::Unreachable, "rotation-unseen", message)
        .hint("do not rotate again by other means: a key has few rotations on demand")
        .hint("run the same command again in some minutes: it looks first, and records what it finds");
    match unclear {
        Some(error) => failure.caused_by(error),
        None => failure,
    }
}

fn refusal(arn: &str, error: KmsError) -> Failure {
    match error.kind {
        KmsErrorKind::LimitExceeded => used_up(arn).caused_by(error),
        KmsErrorKind::Busy => Failure::conflict(
            "rotation-due",
            format!("KMS refuses to rotate {arn}: another rotation is running, or an automatic one is due within 20 minutes"),
        )
        .hint("wait for it: `scrybe-keys rotate-cmk --dry-run --reason …` shows the materials and the next automatic rotation")
        .caused_by(error),
        _ => Failure::from(error).during(format_args!("rotating {arn}")),
    }
}

fn used_up(arn: &str) -> Failure {
    Failure::conflict("rotations-used-up", format!("{arn} has used up its {ON_DEMAND_LIMIT} rotations on demand")).hint(
        "automatic rotation goes on; for new material at will make another key, then `scrybe-keys rewrap --to KEY`",
    )
}
