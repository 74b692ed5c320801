//! The resource policies around the key: of the log's key, its bucket, the alarms' topic.
//!
//! CloudTrail needs GetBucketAcl on the bucket and PutObject below AWSLogs/ACCOUNT with `bucket-owner-full-control`, both bound to this one
//! trail (CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail"). Nobody may talk to the bucket in clear.

use crate::core::policy::{self, AuditReaders, Condition, Document, Principal, Statement};
use crate::core::provision::RolesPart;
use crate::error::Failure;

const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
const CLOUDWATCH: &str = "cloudwatch.amazonaws.com";

/// The policy of the key that seals the log.
pub fn audit_key(
    account: &str,
    partition: &str,
    trail_arn: &str,
    region: &str,
    roles: &RolesPart,
) -> Result<Document, Failure> {
    let readers = AuditReaders {
        account: account.to_owned(),
        partition: partition.to_owned(),
        region: region.to_owned(),
        trail_arn: trail_arn.to_owned(),
        administrators: roles.administrators.clone(),
        auditors: roles.auditors.clone(),
    };
    policy::for_audit_key(&readers)
        .map_err(|e| Failure::usage("bad-roles", e.to_string()).hint("correct the roles of the provision section"))
}

/// The policy of the bucket that keeps the log.
pub fn bucket(partition: &str, account: &str, bucket: &str, trail_arn: &str) -> Document {
    let arn = format!("arn:{partition}:s3:::{bucket}");
    let of_trail = || Condition::new("StringEquals", "aws:SourceArn", [trail_arn]);
    let owned = Condition::new("StringEquals", "s3:x-amz-acl", ["bucket-owner-full-control"]);
    Document {
        version: Some("2012-10-17".to_owned()),
        statements: vec![
            Statement::allow("CloudTrailLooksAtTheBucket", Principal::service(CLOUDTRAIL), &["s3:GetBucketAcl"])
                .on([arn.clone()])
                .when(of_trail()),
            Statement::allow("CloudTrailWritesItsLog", Principal::service(CLOUDTRAIL), &["s3:PutObject"])
                .on([format!("{arn}/AWSLogs/{account}/*")])
                .when(owned)
                .when(of_trail()),
            Statement::deny("NobodyTalksInClear", Principal::Anyone, &["s3:*"])
                .on([arn.clone(), format!("{arn}/*")])
                .when(Condition::new("Bool", "aws:SecureTransport", ["false"])),
        ],
        ..Document::default()
    }
}

/// The policy of the topic: the account manages it, the alarms of this account speak through it.
pub fn topic(partition: &str, account: &str, topic_arn: &str) -> Document {
    let root = format!("arn:{partition}:iam::{account}:root");
    const MANAGE: &[&str] = &[
        "sns:GetTopicAttributes",
        "sns:SetTopicAttributes",
        "sns:AddPermission",
        "sns:RemovePermission",
        "sns:DeleteTopic",
        "sns:Subscribe",
        "sns:ListSubscriptionsByTopic",
        "sns:Publish",
    ];
    Document {
        version: Some("2012-10-17".to_owned()),
        statements: vec![
            Statement::allow("TheAccountManages", Principal::aws([root]), MANAGE).on([topic_arn]),
            Statement::allow("AlarmsSpeak", Principal::service(CLOUDWATCH), &["sns:Publish"])
                .on([topic_arn])
                .when(Condition::new("StringEquals", "aws:SourceAccount", [account])),
        ],
        ..Document::default()
    }
}
