//! The audit key's policy: the key that seals the trail's log files. It is never the master key that the trail watches
//! (a disabled key stops delivery, and an incident disables the master key; CloudTrail User Guide, "Configure KMS key policies for CloudTrail").
//! CloudTrail may seal and not open; auditors may open, through S3 only. Source: CloudTrail user guide, "Configure KMS key policies".

use super::arn::{Who, is_account};
use super::document::{Condition, Document, Principal, Statement};
use super::key_policy::{BuildError, QUESTIONS, named, root, sized};

/// Who gets what on an audit key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReaders {
    /// Twelve digits.
    pub account: String,
    /// `aws`, `aws-us-gov` or `aws-cn`.
    pub partition: String,
    /// Of the bucket.
    pub region: String,
    /// Manage the key and cannot open what is under it.
    pub administrators: Vec<String>,
    /// Read log files through S3.
    pub auditors: Vec<String>,
    /// ARN of the trail whose files are sealed.
    pub trail_arn: String,
}

/// The audit key's policy. Errors: an account or principal that is none, or a policy over 32 KB.
pub fn for_audit_key(who: &AuditReaders) -> Result<Document, BuildError> {
    let AuditReaders { account, partition, region, administrators, auditors, trail_arn } = who;
    if !is_account(account) {
        return Err(BuildError::Account(account.clone()));
    }
    for arn in administrators.iter().chain(auditors) {
        match Who::parse(arn) {
            Who::Role { .. } | Who::User { .. } if administrators.contains(arn) && auditors.contains(arn) => {
                let (first, second) = ("an administrator of the audit key", "an auditor");
                return Err(BuildError::TwoRoles { principal: arn.clone(), first, second });
            }
            Who::Role { .. } | Who::User { .. } => {}
            _ => return Err(BuildError::Principal(arn.clone())),
        }
    }
    let cloudtrail = || Principal::service("cloudtrail.amazonaws.com");
    let of_trail = || Condition::new("StringEquals", "aws:SourceArn", [trail_arn.as_str()]);
    let context = format!("arn:{partition}:cloudtrail:*:{account}:trail/*");
    let mut all = vec![
        root(partition, account),
        Statement::allow("CloudTrailSeals", cloudtrail(), &["kms:GenerateDataKey*"])
            .when(of_trail())
            .when(Condition::new("StringLike", "kms:EncryptionContext:aws:cloudtrail:arn", [context])),
        Statement::allow("CloudTrailDescribes", cloudtrail(), &["kms:DescribeKey"]).when(of_trail()),
    ];
    if !administrators.is_empty() {
        let manage = [&QUESTIONS[..], &MANAGEMENT].concat();
        all.push(Statement::allow("KeyManagement", named(&[administrators]), &manage));
        let never = ["kms:CreateGrant", "kms:Decrypt", "kms:ReEncryptFrom"];
        all.push(Statement::deny("NoReadingByAdministrators", named(&[administrators]), &never));
    }
    if !auditors.is_empty() {
        let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        all.push(Statement::allow("AuditorsReadThroughS3", named(&[auditors]), &["kms:Decrypt"]).when(Condition::new(
            "StringEquals",
            "kms:ViaService",
            [format!("s3.{region}.{suffix}")],
        )));
        all.push(Statement::allow("AuditReading", named(&[auditors]), &QUESTIONS));
    }
    sized(Document::of(all))
}

const MANAGEMENT: [&str; 6] = [
    "kms:CreateAlias",
    "kms:EnableKeyRotation",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn readers() -> AuditReaders {
        AuditReaders {
            account: "111122223333".into(),
            partition: "aws".into(),
            region: "us-west-2".into(),
            administrators: vec!["arn:aws:iam::111122223333:role/admin".into()],
            auditors: vec!["arn:aws:iam::111122223333:role/auditor".into()],
            trail_arn: "arn:aws:cloudtrail:us-west-2:111122223333:trail/phi".into(),
        }
    }

    #[test]
    fn cloudtrail_may_seal_for_this_trail_alone_and_not_open() {
        let document = for_audit_key(&readers()).unwrap();
        let mut service =
            document.statements.iter().filter(|s| s.principal == Some(Principal::service("cloudtrail.amazonaws.com")));
        assert!(service.clone().count() == 2);
        assert!(service.all(|s| {
            s.conditions.iter().any(|c| c.key == "aws:SourceArn" && c.values == [readers().trail_arn])
                && !s.action.as_ref().unwrap().iter().any(|a| super::super::matches_pattern(a, "kms:Decrypt"))
        }));
    }

    #[test]
    fn nobody_opens_what_they_administer() {
        let mut both = readers();
        both.auditors = both.administrators.clone();
        assert!(matches!(for_audit_key(&both), Err(BuildError::TwoRoles { .. })));
        let china = AuditReaders { partition: "aws-cn".into(), region: "cn-north-1".into(), ..readers() };
        assert!(for_audit_key(&china).unwrap().to_json().contains("s3.cn-north-1.amazonaws.com.cn"));
    }
}
