//! The calls, one by one, in the order of the plan. After each the process may be killed: the next run reads again and does what is left.
//!
//! Nothing is made twice: a key carries its tags from its first moment and is found by them, everything else is found by its name and set
//! whole. CreateKey and ReplicateKey are sent once. What AWS does not see yet (a new key, a policy just set) is tried again for half a minute.

use super::desired::{Audit, Desired, Key as WantedKey, LogGroup, LogKey};
use super::found::Found;
use super::plan::{Allow, Item, Step, Which};
use super::plan_keys::makes_anew;
use crate::app::App;
use crate::core::kms::{Kms, KmsError, KmsErrorKind, NewKey, NewReplica};
use crate::core::surroundings::{AwsError, NewTrail, Surroundings};
use crate::core::watch::WATCHES;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::crash;
use std::time::{Duration, Instant};

/// How long a call is tried again that fails because AWS does not see yet what was just made (KMS: "usually a few seconds").
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a key is looked for a second time and then made: CreateKey has no token that would make it safe to send twice.
const LOOK_TWICE: Duration = Duration::from_millis(700);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// One run's hands.
pub struct Maker<'a> {
    app: &'a App,
    kms: &'a dyn Kms,
    around: Option<&'a dyn Surroundings>,
    desired: &'a Desired,
    /// ARNs as soon as they are known.
    master: Option<String>,
    log_key: Option<String>,
    /// True when something was made in this run that AWS may not show everywhere yet.
    fresh: bool,
}

impl<'a> Maker<'a> {
    /// Ready to make what `found` lacks.
    pub fn new(
        app: &'a App,
        kms: &'a dyn Kms,
        around: Option<&'a dyn Surroundings>,
        desired: &'a Desired,
        found: &Found,
        allowed: &[Allow],
    ) -> Maker<'a> {
        let arn = |key: &super::found::Key| key.about.arn.clone();
        let keeps = |key: &&super::found::Key| found.named || !makes_anew(key, allowed);
        let master = found.master.as_ref().ok().and_then(Option::as_ref).filter(keeps);
        let log_key = super::plan::log_key_arn_of(desired, found);
        Maker { app, kms, around, desired, master: master.map(arn), log_key, fresh: false }
    }

    /// Makes every step of every item: what was done, in words, and how it ended.
    pub fn make(&mut self, items: &[Item]) -> (Vec<String>, Result<(), Failure>) {
        let all: usize = items.iter().map(|item| item.steps.len()).sum();
        let mut done = Vec::new();
        for (item, planned) in items.iter().flat_map(|item| item.steps.iter().map(move |planned| (item, planned))) {
            if self.app.interrupt.asked() {
                let text = format!("stopped after {} of {all} calls", done.len());
                let failure = Failure::new(Exit::Incomplete, "interrupted", text);
                return (done, Err(failure.hint("run the same command again: it goes on")));
            }
            let said = format!("{}: {}", item.part, planned.step.doing());
            if let Err(error) = self.patiently(&planned.step) {
                let failure = Failure::from(error).during(format_args!("{said} (call {} of {all})", done.len() + 1));
                let failure = match done.len() {
                    0 => failure,
                    n => failure.hint(format!("{n} calls are done and stay: the same command goes on from here")),
                };
                return (done, Err(failure));
            }
            crash::point("provision-call");
            done.push(said);
            self.app.ui.say(&format!("{:>2}/{all}  {}", done.len(), done[done.len() - 1]));
        }
        (done, Ok(()))
    }

    fn patiently(&mut self, step: &Step) -> Result<(), AwsError> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.take(step) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if matches!(step, Step::CreateKey(_) | Step::Replicate(_))
                || !self.may_pass(&error)
                || begun.elapsed() + pause > PATIENCE
                || self.app.interrupt.asked()
            {
                return Err(error);
            }
            tracing::debug!(%error, "tried again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// True for a refusal that may only mean that AWS does not see yet what this run has made.
    fn may_pass(&self, error: &AwsError) -> bool {
        let code = error.error.code.as_deref().unwrap_or_default();
        error.kind() == KmsErrorKind::Throttled
            || self.fresh
                && (error.kind() == KmsErrorKind::NotFound
                    || matches!(
                        code,
                        "InsufficientS3BucketPolicyException"
                            | "InsufficientEncryptionPolicyException"
                            | "KmsKeyNotFoundException"
                            | "InvalidCloudWatchLogsLogGroupArnException"
                            | "S3BucketDoesNotExistException"
                    ))
    }

    fn take(&mut self, step: &Step) -> Result<(), AwsError> {
        match step {
            Step::CreateKey(which) => return self.create_key(*which),
            Step::Replicate(region) => return self.replicate(region),
            _ => {}
        }
        let this = &*self;
        match step {
            Step::CreateKey(_) | Step::Replicate(_) => Ok(()),
            Step::TagKey(which) => done(this.kms.tag_key(this.key(*which)?, &this.wanted(*which)?.tags)),
            Step::DescribeAs(which) => done(this.kms.describe_as(this.key(*which)?, &this.wanted(*which)?.description)),
            Step::PutKeyPolicy(which) => {
                done(this.kms.put_key_policy(this.key(*which)?, &policy_text(this.wanted(*which)?)))
            }
            Step::Rotate(which) => {
                done(this.kms.enable_key_rotation(this.key(*which)?, this.wanted(*which)?.rotation_days))
            }
            Step::CreateAlias(which, alias) => done(this.kms.create_alias(alias, this.key(*which)?)),
            Step::MoveAlias(which, alias) => done(this.kms.update_alias(alias, this.key(*which)?)),
            Step::PutReplicaPolicy(region) => {
                let there = this.kms.in_region(region)?;
                done(there.put_key_policy(&this.key_id()?, &policy_text(&this.desired.master)))
            }
            Step::ReplicaAlias { region, alias, moved } => {
                let there = this.kms.in_region(region)?;
                match moved {
                    true => done(there.update_alias(alias, &this.key_id()?)),
                    false => done(there.create_alias(alias, &this.key_id()?)),
                }
            }
            Step::CreateLogGroup | Step::KeepLogs | Step::PutFilter(_) => this.take_logs(step),
            Step::CreateTopic | Step::PutTopicPolicy | Step::Subscribe(_) | Step::PutAlarm(_) => this.take_alarms(step),
            Step::CreateTrail | Step::UpdateTrail | Step::RecordAll | Step::StartLogging => this.take_trail(step),
            _ => this.take_bucket(step),
        }?;
        let makes = matches!(
            step,
            Step::CreateBucket
                | Step::PutBucketPolicy
                | Step::PutKeyPolicy(_)
                | Step::CreateLogGroup
                | Step::CreateTrail
                | Step::CreateTopic
        );
        self.fresh |= makes;
        Ok(())
    }

    fn take_bucket(&self, step: &Step) -> Result<(), AwsError> {
        let (audit, s3) = (self.audit()?, self.around()?);
        let bucket = audit.bucket.as_str();
        match step {
            Step::CreateBucket => if_new(s3.create_bucket(bucket, audit.lock.is_some())),
            Step::BlockPublicAccess => s3.block_public_access(bucket),
            Step::VersionBucket => s3.version_bucket(bucket),
            Step::PutBucketPolicy => s3.put_bucket_policy(bucket, &audit.bucket_policy.to_json()),
            Step::SealBucket => s3.seal_bucket(bucket, self.log_key_arn(audit)?.as_deref()),
            Step::AgeBucket => s3.age_bucket(bucket, audit.lifecycle),
            Step::LockBucket => audit.lock.map_or(Ok(()), |lock| s3.lock_bucket(bucket, lock)),
            other => Err(impossible(&format!("{other:?} is no call to a bucket"))),
        }
    }

    fn take_logs(&self, step: &Step) -> Result<(), AwsError> {
        let (group, logs) = (self.group()?, self.around()?);
        match step {
            Step::CreateLogGroup => if_new(logs.create_log_group(&group.name)),
            Step::KeepLogs => logs.keep_logs(&group.name, group.retention_days),
            Step::PutFilter(index) => {
                let alarms = self.desired.alarms.as_ref().ok_or_else(|| impossible("no alarms are wanted"))?;
                logs.put_filter(&group.name, &WATCHES[*index].filter(&alarms.prefix))
            }
            other => Err(impossible(&format!("{other:?} is no call to a log group"))),
        }
    }

    fn take_alarms(&self, step: &Step) -> Result<(), AwsError> {
        let around = self.around()?;
        let alarms = self.desired.alarms.as_ref().ok_or_else(|| impossible("no alarms are wanted"))?;
        match step {
            Step::CreateTopic => around.create_topic(&alarms.topic),
            Step::PutTopicPolicy => around.put_topic_policy(&alarms.topic_arn, &alarms.topic_policy.to_json()),
            Step::Subscribe(who) => around.subscribe(&alarms.topic_arn, who),
            Step::PutAlarm(index) => {
                let watch = &WATCHES[*index];
                around.put_alarm(&watch.alarm(&alarms.prefix, &alarms.topic_arn), watch.why)
            }
            other => Err(impossible(&format!("{other:?} is no call to a topic or an alarm"))),
        }
    }

    fn take_trail(&self, step: &Step) -> Result<(), AwsError> {
        let (audit, around) = (self.audit()?, self.around()?);
        let trail = NewTrail {
            name: audit.trail.clone(),
            bucket: audit.bucket.clone(),
            key: self.log_key_arn(audit)?,
            logs: audit.logs.as_ref().map(|group| (group.arn.clone(), group.role.clone())),
        };
        match step {
            Step::CreateTrail => if_new(around.create_trail(&trail)),
            Step::UpdateTrail => around.update_trail(&trail),
            Step::RecordAll => around.record_all(&trail.name),
            Step::StartLogging => around.start_logging(&trail.name),
            other => Err(impossible(&format!("{other:?} is no call to a trail"))),
        }
    }

    fn create_key(&mut self, which: Which) -> Result<(), AwsError> {
        let wanted = self.wanted(which)?;
        // A run that was ended a moment ago may have made it, and KMS not have shown it yet.
        std::thread::sleep(LOOK_TWICE);
        if let Some(arn) = super::found::of_ours(self.kms, wanted)? {
            self.fresh = true;
            match which {
                Which::Master => self.master = Some(arn),
                Which::Log => self.log_key = Some(arn),
            }
            return Ok(());
        }
        let made = self.kms.create_key(&NewKey {
            description: wanted.description.clone(),
            tags: wanted.tags.clone(),
            policy: wanted.policy.as_ref().map(|policy| policy.to_json()),
            multi_region: wanted.multi_region,
        })?;
        self.fresh = true;
        match which {
            Which::Master => self.master = Some(made.value.arn),
            Which::Log => self.log_key = Some(made.value.arn),
        }
        Ok(())
    }

    fn replicate(&mut self, region: &str) -> Result<(), AwsError> {
        let wanted = &self.desired.master;
        let new = NewReplica {
            region: region.to_owned(),
            description: wanted.description.clone(),
            policy: wanted.policy.as_ref().map(|policy| policy.to_json()),
            tags: wanted.tags.clone(),
        };
        self.kms.replicate_key(self.key(Which::Master)?, &new)?;
        self.fresh = true;
        Ok(())
    }

    fn wanted(&self, which: Which) -> Result<&WantedKey, AwsError> {
        match (which, self.desired.audit.as_ref().map(|audit| &audit.key)) {
            (Which::Master, _) => Ok(&self.desired.master),
            (Which::Log, Some(LogKey::Own(key))) => Ok(key),
            (Which::Log, _) => Err(impossible("no key of its own is wanted for the log")),
        }
    }

    fn key(&self, which: Which) -> Result<&str, AwsError> {
        let known = match which {
            Which::Master => &self.master,
            Which::Log => &self.log_key,
        };
        known.as_deref().ok_or_else(|| impossible("a step came before its key"))
    }

    /// The id that a multi-Region key has in every region.
    fn key_id(&self) -> Result<String, AwsError> {
        Ok(self.key(Which::Master)?.rsplit('/').next().unwrap_or_default().to_owned())
    }

    fn log_key_arn(&self, audit: &Audit) -> Result<Option<String>, AwsError> {
        match &audit.key {
            LogKey::Service => Ok(None),
            LogKey::Other(arn) => Ok(Some(arn.clone())),
            LogKey::Own(_) => self.key(Which::Log).map(|arn| Some(arn.to_owned())),
        }
    }

    fn audit(&self) -> Result<&'a Audit, AwsError> {
        self.desired.audit.as_ref().ok_or_else(|| impossible("no log is wanted"))
    }

    fn group(&self) -> Result<&'a LogGroup, AwsError> {
        self.audit()?.logs.as_ref().ok_or_else(|| impossible("no log group is wanted"))
    }

    fn around(&self) -> Result<&'a dyn Surroundings, AwsError> {
        self.around.ok_or_else(|| impossible("this world has nothing but a KMS"))
    }
}

/// The policy that is sent; `Null` never is.
fn policy_text(key: &WantedKey) -> String {
    key.policy.as_ref().map(|policy| policy.to_json()).unwrap_or_default()
}

fn done<T>(answer: Result<T, KmsError>) -> Result<(), AwsError> {
    answer.map(drop).map_err(AwsError::from)
}

/// Made by an attempt whose answer was lost, or by somebody at the same time: it is there, and the next reading says whose it is.
fn if_new(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if error.error.code.as_deref() == Some("BucketAlreadyExists") => Err(error),
        Err(error) if error.kind() == KmsErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The plan asks for a step that its own parts rule out.
fn impossible(why: &str) -> AwsError {
    AwsError::from(KmsError::new(KmsErrorKind::Unknown, "plan", why))
}
