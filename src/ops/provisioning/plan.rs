//! What is to be done: for every part, what differs between wanted and found, and the AWS calls that mend it, one step each.
//!
//! Steps stand in the order they are made in, and that order fails safe: first what records and warns, then the key with its policy from its
//! first moment, last the aliases by which the application finds it. A run that ends anywhere leaves nothing that is used and not watched.

use super::desired::{Audit, Desired, LogKey};
use super::found::{Found, Reading};
use super::plan_keys as keys;
use super::plan_watch as watch;
use crate::core::policy::Document;
use crate::core::problem::{Problem, Severity};
use crate::core::surroundings::{AwsError, Subscriber};
use crate::core::watch::WATCHES;
use crate::error::Failure;
use serde::Serialize;
use std::collections::BTreeSet;

/// What the operator must agree to by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Replace a policy (of a key, bucket or topic) or lifecycle rules that say something else
    Policy,
    /// Point an alias that names another key at this one
    Alias,
    /// Take over a key that this tool did not make
    Adopt,
}

impl Allow {
    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Allow::Policy => "policy",
            Allow::Alias => "alias",
            Allow::Adopt => "adopt",
        }
    }
}

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Master,
    Log,
}

/// One AWS call that changes something.
#[derive(Clone, Debug)]
pub enum Step {
    CreateKey(Which),
    TagKey(Which),
    DescribeAs(Which),
    PutKeyPolicy(Which),
    Rotate(Which),
    CreateAlias(Which, String),
    MoveAlias(Which, String),
    Replicate(String),
    PutReplicaPolicy(String),
    ReplicaAlias { region: String, alias: String, moved: bool },
    CreateBucket,
    BlockPublicAccess,
    VersionBucket,
    PutBucketPolicy,
    SealBucket,
    AgeBucket,
    LockBucket,
    CreateLogGroup,
    KeepLogs,
    CreateTopic,
    PutTopicPolicy,
    Subscribe(Subscriber),
    CreateTrail,
    UpdateTrail,
    RecordAll,
    StartLogging,
    PutFilter(usize),
    PutAlarm(usize),
}

impl Step {
    /// False for what AWS refuses, or makes twice, when it is asked again before it shows what was made.
    pub fn may_be_made_again(&self) -> bool {
        !matches!(
            self,
            Step::CreateKey(_) | Step::Replicate(_) | Step::CreateAlias(..) | Step::ReplicaAlias { moved: false, .. }
        )
    }

    /// What it does, in words: begins with a verb.
    pub fn doing(&self) -> String {
        let fixed = match self {
            Step::CreateKey(_) => "make the key with its policy and tags",
            Step::TagKey(_) => "set its tags",
            Step::DescribeAs(_) => "set its description",
            Step::PutKeyPolicy(_) => "set its policy",
            Step::Rotate(_) => "turn automatic rotation on",
            Step::CreateAlias(_, alias) => return format!("make {alias}"),
            Step::MoveAlias(_, alias) => return format!("move {alias}"),
            Step::Replicate(region) => return format!("copy the key into {region} with its policy and tags"),
            Step::PutReplicaPolicy(region) => return format!("set the policy of the copy in {region}"),
            Step::ReplicaAlias { region, alias, moved: false } => return format!("make {alias} in {region}"),
            Step::ReplicaAlias { region, alias, moved: true } => return format!("move {alias} in {region}"),
            Step::CreateBucket => "make the bucket",
            Step::BlockPublicAccess => "block public access",
            Step::VersionBucket => "keep earlier versions",
            Step::PutBucketPolicy => "set its policy: CloudTrail writes, nobody talks in clear",
            Step::SealBucket => "encrypt it",
            Step::AgeBucket => "set how log files age and expire",
            Step::LockBucket => "lock objects",
            Step::CreateLogGroup => "make the log group",
            Step::KeepLogs => "set how long events are kept",
            Step::CreateTopic => "make the topic",
            Step::PutTopicPolicy => "let the alarms of this account speak through it",
            Step::Subscribe(who) => return format!("subscribe {}:{}", who.protocol, who.endpoint),
            Step::CreateTrail => "make the trail: every region, validated log files",
            Step::UpdateTrail => "set where it writes and what it keeps",
            Step::RecordAll => "record every management event",
            Step::StartLogging => "start it: a new trail records nothing",
            Step::PutFilter(index) => return format!("make the filter {}", WATCHES[*index].name),
            Step::PutAlarm(index) => return format!("make the alarm {}", WATCHES[*index].name),
        };
        fixed.to_owned()
    }
}

/// A step and why.
pub struct Planned {
    pub step: Step,
    /// What differs, for the plan.
    pub what: String,
    /// What must be agreed to by name: all of these.
    pub needs: Vec<Allow>,
}

/// How a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    InPlace,
    Create,
    Change,
    Adopt,
    /// Differs in a way no call can mend.
    CannotChange,
    /// Could not be read, or cannot be there in this world.
    Unknown,
}

impl State {
    /// As tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::InPlace => "in place",
            State::Create => "create",
            State::Change => "change",
            State::Adopt => "adopt",
            State::CannotChange => "cannot change",
            State::Unknown => "unknown",
        }
    }
}

/// One part of what is wanted.
pub struct Item {
    /// `master key`, `log bucket`, …
    pub part: &'static str,
    pub name: String,
    pub steps: Vec<Planned>,
    /// What is wrong and cannot be mended by a call, each with what to do.
    pub fixed: Vec<(String, String)>,
    pub unknown: Option<AwsError>,
    /// True when the part is not there at all.
    pub absent: bool,
    /// Leads to evidence or data being lost now: the part matters most.
    pub critical: bool,
}

impl Item {
    /// A part with nothing to do yet.
    pub fn new(part: &'static str, name: impl Into<String>) -> Item {
        Item {
            part,
            name: name.into(),
            steps: Vec::new(),
            fixed: Vec::new(),
            unknown: None,
            absent: false,
            critical: false,
        }
    }

    /// A part that could not be read.
    pub fn unread(part: &'static str, name: impl Into<String>, why: &AwsError) -> Item {
        Item { unknown: Some(why.clone()), ..Item::new(part, name) }
    }

    /// Another call.
    pub fn step(&mut self, step: Step, what: impl Into<String>) {
        self.steps.push(Planned { step, what: what.into(), needs: Vec::new() });
    }

    /// Another call that must be agreed to by name.
    pub fn guarded(&mut self, step: Step, what: impl Into<String>, needs: &[Allow]) {
        self.steps.push(Planned { step, what: what.into(), needs: needs.to_vec() });
    }

    /// Something wrong that no call mends.
    pub fn stuck(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.fixed.push((what.into(), next.into()));
    }

    /// How the part stands.
    pub fn state(&self) -> State {
        match () {
            () if self.unknown.is_some() => State::Unknown,
            () if !self.fixed.is_empty() => State::CannotChange,
            () if self.absent => State::Create,
            () if self.steps.iter().any(|planned| planned.needs.contains(&Allow::Adopt)) => State::Adopt,
            () if !self.steps.is_empty() => State::Change,
            () => State::InPlace,
        }
    }

    /// What is wrong or unknown about it; `mend` is the command that mends what can be mended.
    pub fn problems(&self, mend: &str) -> Vec<Problem> {
        let subject = format!("{} {}", self.part, self.name);
        let mut all = Vec::new();
        if let Some(error) = &self.unknown {
            let failure = Failure::from(error.clone());
            let hint = failure.hints.first().cloned().unwrap_or_default();
            all.push(Problem::new(Severity::Unknown, failure.code, &subject, failure.message, hint));
        }
        for (what, next) in &self.fixed {
            all.push(Problem::new(Severity::Critical, "cannot-change", &subject, what, next));
        }
        if matches!(self.state(), State::Create | State::Change | State::Adopt) {
            let severity = if self.critical || self.absent { Severity::Critical } else { Severity::Warning };
            let needs: BTreeSet<&str> = self.steps.iter().flat_map(|p| &p.needs).map(|needs| needs.as_str()).collect();
            let mend = match needs.is_empty() {
                true => mend.to_owned(),
                false => format!("{mend} --allow {}", needs.into_iter().collect::<Vec<_>>().join(",")),
            };
            all.push(Problem::new(severity, "drift", &subject, self.differences().join("; "), mend));
        }
        all
    }

    /// What differs, in words.
    pub fn differences(&self) -> Vec<String> {
        let unknown = self.unknown.iter().map(ToString::to_string);
        let fixed = self.fixed.iter().map(|(what, _)| what.clone());
        let what = |planned: &Planned| if self.absent { planned.step.doing() } else { planned.what.clone() };
        unknown.chain(fixed).chain(self.steps.iter().map(what)).collect()
    }
}

/// Everything wanted beside everything found, in the order of the steps.
pub fn items(desired: &Desired, found: &Found, has_surroundings: bool, allowed: &[Allow]) -> Vec<Item> {
    let mut all = Vec::new();
    if let Some(audit) = &desired.audit {
        if has_surroundings {
            all.extend(keys::log_key(audit, found));
            all.extend(watch::audit(desired, audit, found));
            if let Some(alarms) = &desired.alarms {
                all.extend(watch::alarms(audit, alarms, found));
            }
        } else {
            let mut item = Item::new("trail", &audit.trail);
            item.stuck("provider local has no CloudTrail: nothing outside records its use", "--kms aws");
            all.push(item);
        }
    }
    all.extend(keys::master(desired, found, allowed));
    // What hangs on a part that is wrong beyond mending waits for it: no log is sealed, no alias moved, no copy made by a wrong key.
    for (cause, parts) in [("log key", &["log bucket", "trail"][..]), ("master key", &["replica", "aliases"])] {
        let is_stuck = |item: &Item| item.part == cause && !item.fixed.is_empty();
        if all.iter().any(is_stuck) {
            for item in all.iter_mut().filter(|item| parts.contains(&item.part) && !item.steps.is_empty()) {
                item.stuck(format!("it waits for the {cause}"), format!("mend the {cause} first"));
            }
        }
    }
    // No new key, and no name for one, that nothing would record.
    let unrecorded = desired.audit.is_some() && !matches!(&found.trail, Ok(Some(trail)) if trail.logging);
    if unrecorded && all.iter().any(|item| matches!(item.part, "trail" | "log key") && !item.fixed.is_empty()) {
        let absent = all.iter().any(|item| item.part == "master key" && item.absent);
        for item in all.iter_mut().filter(|item| matches!(item.part, "master key" | "aliases") && absent) {
            item.stuck("it waits for the trail that would record its use", "mend the trail first");
        }
    }
    // A part that is wrong beyond mending is left alone.
    all.iter_mut().filter(|item| !item.fixed.is_empty()).for_each(|item| item.steps.clear());
    all
}

/// Every difference of a policy, or that it cannot be read as one.
pub fn policy_differences(found: &str, wanted: &Document) -> Vec<String> {
    match Document::parse(found) {
        Ok(found) => crate::core::policy::differences(&found, wanted),
        Err(error) => vec![format!("it is no policy document: {error}")],
    }
}

/// One line for a list of differences.
pub fn shortly(name: &str, differences: &[String]) -> String {
    match differences {
        [] => name.to_owned(),
        [one] => format!("{name}: {one}"),
        [one, rest @ ..] => format!("{name}: {one}; and {} more", rest.len()),
    }
}

/// The same for a key of the log's own, where one is wanted.
pub fn log_key_arn_of(desired: &Desired, found: &Found) -> Option<String> {
    desired.audit.as_ref().and_then(|audit| log_key_arn(audit, &found.log_key))
}

/// The ARN of the key that seals the log, as far as it is known by now.
pub fn log_key_arn(audit: &Audit, found: &Reading<Option<super::found::Key>>) -> Option<String> {
    match &audit.key {
        LogKey::Service => None,
        LogKey::Other(arn) => Some(arn.clone()),
        LogKey::Own(_) => found.as_ref().ok()?.as_ref().map(|key| key.about.arn.clone()),
    }
}
