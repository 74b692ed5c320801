//! `create-cmk`: the master key and everything that must stand around it, as it is wanted and as it is.
//!
//! `desired` makes the configuration concrete, `found` reads what is there, `plan` (with `plan_keys`, `plan_watch`) says what differs and which
//! AWS call mends it, `apply` makes the calls, `outputs` is what the application is told. `health` reads the same plan and calls it drift.

mod apply;
mod desired;
mod documents;
mod example;
mod found;
mod outputs;
mod plan;
mod plan_keys;
mod plan_watch;

pub use desired::{Asked, Desired, Key, LogKey, desired, environment, usual_aliases};
pub use example::example;
pub use found::Found;
pub use outputs::{Outputs, check_env_file, write_env_file};
pub use plan::{Allow, Item, Planned, State, Step};

use crate::app::App;
use crate::config::{Origin, Provider};
use crate::core::kms::{Kms, KmsErrorKind};
use crate::core::policy;
use crate::core::problem::Problem;
use crate::core::surroundings::Surroundings;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::audit::Journal;
use crate::ops::permit::Permit;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long AWS may take to show what was done (KMS: eventual consistency, seconds, rarely minutes).
const SETTLES: Duration = Duration::from_secs(60);

const KEY_CREATED: &str = "KEY_CREATED";
const KEY_CHANGED: &str = "KEY_SURROUNDINGS_CHANGED";

/// How long before what still differs is set once more.
const SET_AGAIN: Duration = Duration::from_secs(3);

/// What is known beforehand of what the caller may do. KMS judges calls without making them (DryRun) for cryptography and grants, and this
/// verb makes none of those; a rehearsal that is bound to be denied would set off the alarm on denied calls.
pub const PREFLIGHT: &str = "preflight: everything above was read with the same credentials. AWS can\n\
                             rehearse (DryRun) none of these calls: a missing right shows when one is made.\n";

/// What became of the calls.
pub struct Applied {
    /// Calls that were made, in words.
    pub done: Vec<String>,
    /// Everything read again, or why it ended before that.
    pub ended: Result<Survey, Failure>,
}

/// Everything that was asked and found out. Nothing is changed yet.
pub struct Survey {
    pub desired: Desired,
    pub found: Found,
    pub items: Vec<Item>,
    allowed: Vec<Allow>,
    kms: Arc<dyn Kms>,
    around: Option<Arc<dyn Surroundings>>,
}

/// Reads everything. Fails where nothing at all can be said: no credentials, no KMS, no environment, two keys that both claim to be the one.
pub fn survey(app: &App, asked: &Asked, allowed: &[Allow]) -> Result<Survey, Failure> {
    desired::environment(app)?;
    let provider = app.settings.provider.as_ref().map(|p| p.value);
    let kms = app.kms()?;
    let caller = kms.caller()?.value;
    let around = match provider {
        Some(Provider::Aws) => Some(app.surroundings(&caller.account)?),
        _ => None,
    };
    let desired = desired::desired(app, caller, asked)?;
    let stated = app.settings.key.as_ref().filter(|key| key.origin != Origin::Default);
    let named = stated.filter(|key| key.origin == Origin::Flag("--key")).map(|key| key.value.as_str());
    let mut found = found::look(kms.as_ref(), around.as_deref(), &desired, named)?;
    // What the application is told elsewhere must be the key that is looked after here.
    if let (Some(key), None) = (stated, named) {
        found.stated = kms.describe_key(&key.value).ok().map(|answer| (answer.value.arn, key.origin.to_string()));
    }
    let items = plan::items(&desired, &found, around.is_some(), allowed);
    Ok(Survey { desired, found, items, allowed: allowed.to_vec(), kms, around })
}

impl Survey {
    /// True when there is a call to make.
    pub fn has_work(&self) -> bool {
        self.items.iter().any(|item| !item.steps.is_empty())
    }

    /// True when something is not as it is wanted, mendable or not.
    pub fn has_drift(&self) -> bool {
        self.items.iter().any(|item| !matches!(item.state(), State::InPlace | State::Unknown))
    }

    /// The parts that could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.unknown.is_some())
    }

    /// What must be agreed to by name and was not: each with the first thing it is for.
    pub fn unallowed(&self) -> Vec<(Allow, String)> {
        let mut missing: Vec<(Allow, String)> = Vec::new();
        for item in &self.items {
            for planned in &item.steps {
                for needs in planned.needs.iter().filter(|needs| !self.allowed.contains(needs)) {
                    if missing.iter().all(|(known, _)| known != needs) {
                        missing.push((*needs, format!("{} {}: {}", item.part, item.name, planned.what)));
                    }
                }
            }
        }
        missing
    }

    /// Names exactly these calls on exactly this state of things.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!(
            "{} {} {}",
            self.desired.environment.as_str(),
            self.desired.caller.account,
            self.desired.region
        ));
        for item in &self.items {
            for planned in &item.steps {
                hash.update(format!("\n{}\0{}\0{:?}\0{}", item.part, item.name, planned.step, planned.what));
            }
        }
        for policy in self.desired.master.policy.iter() {
            hash.update(policy.to_json());
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What is wrong with the policy that would be sent. A critical finding stops the run.
    pub fn lint(&self) -> Vec<Problem> {
        let caller = Some(self.desired.caller.arn.clone());
        let account = Some(self.desired.caller.account.clone());
        let context = policy::LintContext { caller_arn: caller, account, kind: policy::KeyKind::MasterKey };
        self.desired.master.policy.as_ref().map(|document| policy::lint(document, &context)).unwrap_or_default()
    }

    /// Every part that is not as it is wanted, or not known, with the next command.
    pub fn problems(&self) -> Vec<Problem> {
        let mend = format!("scrybe-keys create-cmk --environment {}", self.desired.environment.as_str());
        self.items.iter().flat_map(|item| item.problems(&mend)).collect()
    }

    /// What the application and the operators are told, where the master key is there and may be used.
    pub fn outputs(&self) -> Option<Outputs> {
        // A key that must not be used is not handed on.
        let stuck = |item: &Item| matches!(item.part, "master key" | "aliases") && !item.fixed.is_empty();
        outputs::of(&self.desired, &self.found).filter(|_| !self.items.iter().any(stuck))
    }

    /// True when a policy of the master key goes out with the plan.
    pub fn sends_key_policy(&self) -> bool {
        let sends = |step: &Step| match step {
            Step::CreateKey(which) | Step::PutKeyPolicy(which) => *which == plan::Which::Master,
            Step::Replicate(_) | Step::PutReplicaPolicy(_) => true,
            _ => false,
        };
        self.items.iter().flat_map(|item| &item.steps).any(|planned| sends(&planned.step))
    }

    /// Makes every call of the plan, then reads until AWS shows it all. An error means that nothing was made.
    pub fn apply(self, app: &App, asked: &Asked, permit: &Permit) -> Result<Applied, Failure> {
        permit.covers(&self.digest())?;
        let mut journal = journal(app)?;
        let makes_key = self.items.iter().any(|item| item.part == "master key" && item.absent);
        let event = if makes_key { KEY_CREATED } else { KEY_CHANGED };
        let subject = self.desired.master.aliases[0].clone();
        let calls: Vec<String> = self
            .items
            .iter()
            .flat_map(|i| i.steps.iter().map(move |s| format!("{}: {}", i.part, s.step.doing())))
            .collect();
        let intent = match &mut journal {
            Some(journal) => Some(journal.intent(event, &subject, json!({"calls": calls}))?),
            None => None,
        };
        let (done, made) = self.maker(app).make(&self.items);
        let mut ended = made.and_then(|()| {
            app.ui.say("reading everything again");
            self.settled(app, asked)
        });
        if let (Some(journal), Some(intent)) = (&mut journal, &intent) {
            let details = match &ended {
                Ok(_) => json!({"success": true, "calls": done.len()}),
                Err(failure) => json!({"success": false, "calls": done.len(), "code": failure.code}),
            };
            if let Err(unrecorded) = journal.outcome(intent, event, &subject, details) {
                ended = ended.and(Err(unrecorded));
            }
        }
        Ok(Applied { done, ended })
    }

    /// Reads until AWS shows what was done. What still differs after a few seconds and may be set again is set once more; no key is made here.
    fn settled(&self, app: &App, asked: &Asked) -> Result<Survey, Failure> {
        let begun = Instant::now();
        let mut again = true;
        loop {
            let now = survey(app, asked, &self.allowed);
            // What was asked meanwhile was stopped half-way, and says nothing.
            if app.interrupt.asked() {
                let text = "interrupted while everything was read again; the calls were made";
                return Err(Failure::new(Exit::Incomplete, "interrupted", text)
                    .hint("run the same command again: it looks, and goes on"));
            }
            let waits = begun.elapsed() < SETTLES;
            let now = match now {
                Err(failure) if waits && matches!(failure.code, "kms-not-found" | "kms-throttled") => {
                    std::thread::sleep(Duration::from_millis(500));
                    continue;
                }
                now => now?,
            };
            // A part that AWS does not show yet may be one that was just made.
            let unseen = now
                .unread()
                .filter_map(|item| item.unknown.as_ref())
                .any(|error| matches!(error.kind(), KmsErrorKind::NotFound | KmsErrorKind::Throttled));
            let is_read = !unseen || !waits;
            if is_read && !now.has_work() {
                return Ok(now);
            }
            let left: Vec<String> = now.items.iter().flat_map(Item::differences).collect();
            if !waits {
                let text = format!("everything was done, but AWS does not show it yet: {}", left.join("; "));
                return Err(
                    Failure::new(Exit::Incomplete, "not-settled", text).hint("run the same command again in a minute")
                );
            }
            let may_be_set = now.has_work()
                && now.unallowed().is_empty()
                && now.items.iter().flat_map(|item| &item.steps).all(|planned| planned.step.may_be_made_again());
            if again && may_be_set && begun.elapsed() > SET_AGAIN {
                again = false;
                now.maker(app).make(&now.items).1?;
            } else {
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }

    fn maker<'a>(&'a self, app: &'a App) -> apply::Maker<'a> {
        apply::Maker::new(app, self.kms.as_ref(), self.around.as_deref(), &self.desired, &self.found, &self.allowed)
    }
}

/// Ends what the record of a killed run left open. The calls it made are found by reading, whatever the record says.
pub fn close_interrupted(app: &App, survey: &Survey) -> Result<(), Failure> {
    let Some(mut journal) = journal(app)? else { return Ok(()) };
    for event in [KEY_CREATED, KEY_CHANGED] {
        journal.close_dead(&survey.desired.master.aliases[0], event)?;
    }
    Ok(())
}

/// The audit chain, where there is a database that has one. Without one CloudTrail is the record.
fn journal(app: &App) -> Result<Option<Journal>, Failure> {
    if app.settings.database.is_none() {
        return Ok(None);
    }
    match Journal::open(app) {
        Ok(journal) => Ok(Some(journal)),
        Err(failure) if failure.exit == Exit::Unreachable || failure.code.starts_with("schema-") => {
            app.ui.warn(&format!("this run is recorded by CloudTrail alone: {failure}"));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
