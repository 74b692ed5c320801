//! The port to what stands around a master key: the bucket that keeps its log, the log group that watches it, the trail between them, the
//! alarms and the topic they speak through. Plain sync types; one adapter (`aws::surroundings`). `core::watch` knows the alarms themselves.
//!
//! Every change is one AWS call and may be made twice: what is created is found by its name, what is set is set whole.
//! Reading answers `None` for what is not there; a refusal is an error, never an absence.

use super::kms::{KmsError, KmsErrorKind};
use std::fmt;

/// An AWS call that failed, with the service that refused it.
#[derive(Clone, Debug)]
pub struct AwsError {
    /// As endpoints and IAM name it: `s3`, `cloudtrail`, `logs`, `cloudwatch`, `sns`, `kms`.
    pub service: &'static str,
    pub error: KmsError,
}

impl AwsError {
    /// What an operator can do about it.
    pub fn kind(&self) -> KmsErrorKind {
        self.error.kind
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.error.to_string();
        write!(f, "{} {}", self.service, said.strip_prefix("kms ").unwrap_or(&said))
    }
}

impl std::error::Error for AwsError {}

impl From<KmsError> for AwsError {
    fn from(error: KmsError) -> AwsError {
        AwsError { service: "kms", error }
    }
}

/// How objects of a bucket age: days since they were written. Non-current versions expire as current ones do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    pub infrequent_days: u32,
    pub archive_days: u32,
    pub expire_days: u32,
}

/// Who may end an object lock early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Whoever has s3:BypassGovernanceRetention.
    Governance,
    /// Nobody, root included. Cannot be undone.
    Compliance,
}

impl LockMode {
    /// AWS's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        }
    }
}

/// Object lock of a bucket: the retention that new objects get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectLock {
    pub mode: LockMode,
    pub days: u32,
}

/// A bucket as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    pub versioned: bool,
    /// All four flags.
    pub public_access_blocked: bool,
    /// As JSON.
    pub policy: Option<String>,
    /// The KMS key objects are sealed with unless they say otherwise; `None` for S3's own.
    pub key: Option<String>,
    /// S3 Bucket Keys: with them CloudTrail cannot create or update a trail under a key of its own (CloudTrail User Guide).
    pub bucket_key: bool,
    /// The rule of this tool, if it is there and whole.
    pub lifecycle: Option<Lifecycle>,
    /// Ids of other lifecycle rules: they may take objects away earlier.
    pub other_rules: Vec<String>,
    pub lock: Option<ObjectLock>,
}

/// A log group as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Days; `None` keeps for ever.
    pub retention_days: Option<u32>,
    pub created_at: Option<jiff::Timestamp>,
}

impl LogGroup {
    /// True when keeping events for so many days takes none away that are there now.
    pub fn loses_nothing_at(&self, days: u32, now: jiff::Timestamp) -> bool {
        let oldest = now.checked_sub(jiff::SignedDuration::from_hours(24 * i64::from(days))).ok();
        self.retention_days.is_some_and(|kept| kept <= days)
            || self.created_at.zip(oldest).is_some_and(|(at, oldest)| at > oldest)
    }
}

/// Who hears of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subscriber {
    /// `email`, `https`, `sqs`, …
    pub protocol: String,
    pub endpoint: String,
}

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// As JSON.
    pub policy: Option<String>,
    /// The KMS key its messages are encrypted with.
    pub key: Option<String>,
    /// Each with whether its owner has confirmed it.
    pub subscribers: Vec<(Subscriber, bool)>,
}

/// What a trail is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTrail {
    pub name: String,
    pub bucket: String,
    /// KMS key of the log files; `None` for S3's own.
    pub key: Option<String>,
    /// Log group (ARN ending in `:*`) and the role by which CloudTrail writes to it.
    pub logs: Option<(String, String)>,
}

/// A trail as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    pub arn: String,
    pub home_region: Option<String>,
    pub bucket: String,
    pub key: Option<String>,
    pub logs: Option<(String, String)>,
    pub multi_region: bool,
    pub validates: bool,
    pub global_events: bool,
    pub logging: bool,
    /// Why the last delivery to the bucket or the log group failed.
    pub delivery_error: Option<String>,
    /// When a log file last reached the bucket.
    pub delivered_at: Option<jiff::Timestamp>,
    /// Why not every KMS call is recorded; `None` when all are.
    pub unrecorded: Option<String>,
    /// True when its selectors record more than management events, which setting them anew would end.
    pub records_more: bool,
}

/// A metric filter of a log group; it counts 1 for each event that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub name: String,
    pub pattern: String,
    pub namespace: String,
    pub metric: String,
}

/// An alarm on such a metric: at least one event within five minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub name: String,
    pub namespace: String,
    pub metric: String,
    /// ARNs of topics, in order.
    pub actions: Vec<String>,
    /// False when somebody switched the actions off.
    pub speaks: bool,
    /// False when statistic, period, threshold, dimensions, unit or missing data differ from what this tool sets.
    pub fires: bool,
}

/// The bucket that keeps the log.
pub trait Buckets {
    fn bucket(&self, name: &str) -> Result<Option<Bucket>, AwsError>;
    /// `locked` makes object lock possible.
    fn create_bucket(&self, name: &str, locked: bool) -> Result<(), AwsError>;
    fn block_public_access(&self, bucket: &str) -> Result<(), AwsError>;
    fn version_bucket(&self, bucket: &str) -> Result<(), AwsError>;
    fn put_bucket_policy(&self, bucket: &str, policy: &str) -> Result<(), AwsError>;
    /// `key`: ARN; `None` for S3's own key.
    fn seal_bucket(&self, bucket: &str, key: Option<&str>) -> Result<(), AwsError>;
    /// Replaces every lifecycle rule.
    fn age_bucket(&self, bucket: &str, lifecycle: Lifecycle) -> Result<(), AwsError>;
    fn lock_bucket(&self, bucket: &str, lock: ObjectLock) -> Result<(), AwsError>;
}

/// The log group and the filters over it.
pub trait Logs {
    fn log_group(&self, name: &str) -> Result<Option<LogGroup>, AwsError>;
    fn create_log_group(&self, name: &str) -> Result<(), AwsError>;
    /// `days` is one of `RETENTIONS`.
    fn keep_logs(&self, group: &str, days: u32) -> Result<(), AwsError>;
    fn filters(&self, group: &str) -> Result<Vec<Filter>, AwsError>;
    fn put_filter(&self, group: &str, filter: &Filter) -> Result<(), AwsError>;
}

/// The topic that alarms speak through.
pub trait Topics {
    fn topic(&self, arn: &str) -> Result<Option<Topic>, AwsError>;
    fn create_topic(&self, name: &str) -> Result<(), AwsError>;
    fn put_topic_policy(&self, arn: &str, policy: &str) -> Result<(), AwsError>;
    fn subscribe(&self, arn: &str, who: &Subscriber) -> Result<(), AwsError>;
}

/// The trail from every call to bucket and log group.
pub trait Trails {
    fn trail(&self, name: &str) -> Result<Option<Trail>, AwsError>;
    fn create_trail(&self, trail: &NewTrail) -> Result<(), AwsError>;
    fn update_trail(&self, trail: &NewTrail) -> Result<(), AwsError>;
    /// Every management event, reads and writes, of every service.
    fn record_all(&self, trail: &str) -> Result<(), AwsError>;
    fn start_logging(&self, trail: &str) -> Result<(), AwsError>;
}

/// The alarms.
pub trait Alarms {
    /// Those whose names begin so.
    fn alarms(&self, prefix: &str) -> Result<Vec<Alarm>, AwsError>;
    fn put_alarm(&self, alarm: &Alarm, why: &str) -> Result<(), AwsError>;
}

/// The AWS services around KMS, of one account in one region.
pub trait Surroundings: Buckets + Logs + Topics + Trails + Alarms + Send + Sync {}

impl<T: Buckets + Logs + Topics + Trails + Alarms + Send + Sync> Surroundings for T {}

/// Days a log group can be told to keep (CloudWatch Logs API: PutRetentionPolicy). 2555, seven years without leap days, is not among them.
pub const RETENTIONS: &[u32] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_are_there_are_not_taken_away_unasked() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let (now, young, old) = (at("2026-06-01T00:00:00Z"), at("2026-05-01T00:00:00Z"), at("2024-01-01T00:00:00Z"));
        let group = |retention_days, created_at| LogGroup { retention_days, created_at };
        assert!(group(None, Some(young)).loses_nothing_at(400, now), "nothing in it is older than that");
        assert!(group(Some(30), Some(old)).loses_nothing_at(400, now), "longer than before");
        for losing in [group(None, Some(old)), group(Some(731), Some(old)), group(None, None)] {
            assert!(!losing.loses_nothing_at(400, now), "{losing:?}");
        }
    }
}
