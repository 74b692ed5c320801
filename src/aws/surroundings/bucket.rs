//! S3: the bucket that keeps the log. Every call says whose bucket it must be: a name lost to another account is refused, not written to.

use super::{AwsSurroundings, if_there, unsendable};
use crate::core::surroundings::{AwsError, Bucket, Buckets, Lifecycle, LockMode, ObjectLock};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    DefaultRetention, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Transition, TransitionStorageClass,
    VersioningConfiguration,
};

const SERVICE: &str = "s3";
/// The lifecycle rule of this tool.
const RULE: &str = "scrybe-keys-retention";

impl Buckets for AwsSurroundings {
    fn bucket(&self, name: &str) -> Result<Option<Bucket>, AwsError> {
        let owner = &self.account;
        let head = self.s3.head_bucket().bucket(name).expected_bucket_owner(owner).send();
        if if_there(self.call(SERVICE, "HeadBucket", head))?.is_none() {
            return Ok(None);
        }
        let versioning = self.s3.get_bucket_versioning().bucket(name).expected_bucket_owner(owner).send();
        let versioning = self.call(SERVICE, "GetBucketVersioning", versioning)?.value;
        let block = self.s3.get_public_access_block().bucket(name).expected_bucket_owner(owner).send();
        let block = if_there(self.call(SERVICE, "GetPublicAccessBlock", block))?
            .and_then(|block| block.value.public_access_block_configuration);
        let policy = self.s3.get_bucket_policy().bucket(name).expected_bucket_owner(owner).send();
        let policy = if_there(self.call(SERVICE, "GetBucketPolicy", policy))?.and_then(|found| found.value.policy);
        let sealed = self.s3.get_bucket_encryption().bucket(name).expected_bucket_owner(owner).send();
        let sealed = if_there(self.call(SERVICE, "GetBucketEncryption", sealed))?
            .and_then(|found| found.value.server_side_encryption_configuration);
        let ageing = self.s3.get_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(owner).send();
        let ageing = if_there(self.call(SERVICE, "GetBucketLifecycleConfiguration", ageing))?
            .and_then(|found| found.value.rules)
            .unwrap_or_default();
        let lock = self.s3.get_object_lock_configuration().bucket(name).expected_bucket_owner(owner).send();
        let lock = if_there(self.call(SERVICE, "GetObjectLockConfiguration", lock))?
            .and_then(|found| found.value.object_lock_configuration);
        let (ours, others): (Vec<_>, Vec<_>) = ageing.iter().partition(|rule| rule.id() == Some(RULE));
        Ok(Some(Bucket {
            versioned: versioning.status == Some(BucketVersioningStatus::Enabled),
            public_access_blocked: block.is_some_and(|b| {
                let flags =
                    [b.block_public_acls, b.ignore_public_acls, b.block_public_policy, b.restrict_public_buckets];
                flags.into_iter().all(|flag| flag == Some(true))
            }),
            policy,
            bucket_key: sealed.as_ref().is_some_and(|s| s.rules().iter().any(|r| r.bucket_key_enabled() == Some(true))),
            key: sealed.and_then(|sealed| {
                let rule = sealed.rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default)?;
                rule.kms_master_key_id.filter(|_| rule.sse_algorithm == ServerSideEncryption::AwsKms)
            }),
            lifecycle: ours.first().and_then(|rule| lifecycle(rule)),
            other_rules: others.iter().map(|rule| rule.id().unwrap_or("without a name").to_owned()).collect(),
            lock: lock.and_then(|lock| locked(&lock)),
        }))
    }

    fn create_bucket(&self, name: &str, locked: bool) -> Result<(), AwsError> {
        let mut call = self.s3.create_bucket().bucket(name).object_lock_enabled_for_bucket(locked);
        // The one region that must not be named (S3 API: CreateBucket).
        if self.region != "us-east-1" {
            let place = BucketLocationConstraint::from(self.region.as_str());
            let place = CreateBucketConfiguration::builder().location_constraint(place).build();
            call = call.create_bucket_configuration(place);
        }
        self.call(SERVICE, "CreateBucket", call.send()).map(drop)
    }

    fn block_public_access(&self, bucket: &str) -> Result<(), AwsError> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let call = self.s3.put_public_access_block().bucket(bucket).expected_bucket_owner(&self.account);
        self.call(SERVICE, "PutPublicAccessBlock", call.public_access_block_configuration(all).send()).map(drop)
    }

    fn version_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let call = self.s3.put_bucket_versioning().bucket(bucket).expected_bucket_owner(&self.account);
        self.call(SERVICE, "PutBucketVersioning", call.versioning_configuration(on).send()).map(drop)
    }

    fn put_bucket_policy(&self, bucket: &str, policy: &str) -> Result<(), AwsError> {
        let call = self.s3.put_bucket_policy().bucket(bucket).expected_bucket_owner(&self.account).policy(policy);
        self.call(SERVICE, "PutBucketPolicy", call.send()).map(drop)
    }

    fn seal_bucket(&self, bucket: &str, key: Option<&str>) -> Result<(), AwsError> {
        const OPERATION: &str = "PutBucketEncryption";
        let with = match key {
            Some(arn) => ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::AwsKms)
                .kms_master_key_id(arn),
            None => ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256),
        };
        let with = with.build().map_err(|e| unsendable(SERVICE, OPERATION, e))?;
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(with)
            .bucket_key_enabled(false)
            .build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let rules = rules.map_err(|e| unsendable(SERVICE, OPERATION, e))?;
        let call = self.s3.put_bucket_encryption().bucket(bucket).expected_bucket_owner(&self.account);
        self.call(SERVICE, OPERATION, call.server_side_encryption_configuration(rules).send()).map(drop)
    }

    fn age_bucket(&self, bucket: &str, lifecycle: Lifecycle) -> Result<(), AwsError> {
        const OPERATION: &str = "PutBucketLifecycleConfiguration";
        let move_to = |class, after: u32| Transition::builder().days(after.cast_signed()).storage_class(class).build();
        let rule = LifecycleRule::builder()
            .id(RULE)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .transitions(move_to(TransitionStorageClass::StandardIa, lifecycle.infrequent_days))
            .transitions(move_to(TransitionStorageClass::Glacier, lifecycle.archive_days))
            .expiration(LifecycleExpiration::builder().days(lifecycle.expire_days.cast_signed()).build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder().noncurrent_days(lifecycle.expire_days.cast_signed()).build(),
            )
            .build()
            .map_err(|e| unsendable(SERVICE, OPERATION, e))?;
        let rules = BucketLifecycleConfiguration::builder().rules(rule).build();
        let rules = rules.map_err(|e| unsendable(SERVICE, OPERATION, e))?;
        let call = self.s3.put_bucket_lifecycle_configuration().bucket(bucket).expected_bucket_owner(&self.account);
        self.call(SERVICE, OPERATION, call.lifecycle_configuration(rules).send()).map(drop)
    }

    fn lock_bucket(&self, bucket: &str, lock: ObjectLock) -> Result<(), AwsError> {
        let mode = match lock.mode {
            LockMode::Governance => ObjectLockRetentionMode::Governance,
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let kept = DefaultRetention::builder().mode(mode).days(lock.days.cast_signed()).build();
        let wanted = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .rule(ObjectLockRule::builder().default_retention(kept).build())
            .build();
        let call = self.s3.put_object_lock_configuration().bucket(bucket).expected_bucket_owner(&self.account);
        self.call(SERVICE, "PutObjectLockConfiguration", call.object_lock_configuration(wanted).send()).map(drop)
    }
}

/// Our rule, if it does what it is for: for every object, both transitions and both expiries.
fn lifecycle(rule: &LifecycleRule) -> Option<Lifecycle> {
    let everything = rule.filter().and_then(|f| f.prefix()).is_none_or(str::is_empty);
    let days = |class: &TransitionStorageClass| {
        let transition = rule.transitions().iter().find(|t| t.storage_class() == Some(class))?;
        transition.days()?.try_into().ok()
    };
    let expire_days: u32 = rule.expiration()?.days()?.try_into().ok()?;
    let noncurrent = rule.noncurrent_version_expiration()?.noncurrent_days()?;
    let whole = everything && *rule.status() == ExpirationStatus::Enabled && noncurrent == expire_days.cast_signed();
    whole.then_some(Lifecycle {
        infrequent_days: days(&TransitionStorageClass::StandardIa)?,
        archive_days: days(&TransitionStorageClass::Glacier)?,
        expire_days,
    })
}

fn locked(lock: &ObjectLockConfiguration) -> Option<ObjectLock> {
    let kept = lock.rule()?.default_retention()?;
    let mode = match kept.mode()? {
        ObjectLockRetentionMode::Compliance => LockMode::Compliance,
        ObjectLockRetentionMode::Governance => LockMode::Governance,
        _ => return None,
    };
    // S3 keeps what it was told: days or years.
    let days = kept.days().or_else(|| kept.years().map(|years| years * 365))?;
    Some(ObjectLock { mode, days: days.try_into().ok()? })
}
