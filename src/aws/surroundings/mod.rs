//! The adapter to what stands around a master key: S3, CloudTrail, CloudWatch Logs, CloudWatch, SNS. One file for each.
//!
//! What is not there is told from what is refused by the code on the wire. A bucket is only ever touched if this account owns it.

mod alarms;
mod bucket;
mod logs;
mod topic;
mod trail;

use super::connect::{Connection, Options};
use super::transport::{CheckEndpoint, is_loopback};
use crate::core::kms::{KmsError, KmsErrorKind, Traced};
use crate::core::surroundings::AwsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;

/// Whether a call (service, operation) may be sent at all: `core::permissions` as the running verb's row has it.
pub type May = Box<dyn Fn(&'static str, &'static str) -> Result<(), KmsError> + Send + Sync>;

/// The services around KMS through the SDK.
pub struct AwsSurroundings {
    s3: aws_sdk_s3::Client,
    trails: aws_sdk_cloudtrail::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    alarms: aws_sdk_cloudwatch::Client,
    topics: aws_sdk_sns::Client,
    region: String,
    account: String,
    may: May,
    // Last: clients go before what they run on.
    connection: Connection,
}

impl AwsSurroundings {
    /// Makes the clients for `account`. Nothing is sent yet. `Invalid` for an endpoint that is neither https nor loopback.
    pub fn connect(options: &Options, account: &str, may: May) -> Result<AwsSurroundings, KmsError> {
        let connection = Connection::open(options)?;
        let s3 = aws_sdk_s3::config::Builder::from(&connection.settings(options, "s3"))
            // Names of buckets are not names of hosts on this machine.
            .force_path_style(connection.endpoint(options, "s3").is_some_and(is_loopback))
            .interceptor(CheckEndpoint);
        let trails = aws_sdk_cloudtrail::config::Builder::from(&connection.settings(options, "cloudtrail"));
        let logs = aws_sdk_cloudwatchlogs::config::Builder::from(&connection.settings(options, "logs"));
        let alarms = aws_sdk_cloudwatch::config::Builder::from(&connection.settings(options, "cloudwatch"));
        let topics = aws_sdk_sns::config::Builder::from(&connection.settings(options, "sns"));
        Ok(AwsSurroundings {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            trails: aws_sdk_cloudtrail::Client::from_conf(trails.interceptor(CheckEndpoint).build()),
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(logs.interceptor(CheckEndpoint).build()),
            alarms: aws_sdk_cloudwatch::Client::from_conf(alarms.interceptor(CheckEndpoint).build()),
            topics: aws_sdk_sns::Client::from_conf(topics.interceptor(CheckEndpoint).build()),
            region: options.region.clone(),
            account: account.to_owned(),
            may,
            connection,
        })
    }

    fn call<O, E>(
        &self,
        service: &'static str,
        operation: &'static str,
        sent: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<Traced<O>, AwsError>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        (self.may)(service, operation).map_err(|error| AwsError { service, error })?;
        self.connection.call(operation, sent).map_err(|error| {
            let kind = of_code(error.code.as_deref().unwrap_or_default()).unwrap_or(error.kind);
            AwsError { service, error: KmsError { kind, ..error } }
        })
    }
}

/// Codes that only these services use, beside those of `KmsErrorKind::of_code`.
fn of_code(code: &str) -> Option<KmsErrorKind> {
    Some(match code {
        "NoSuchBucket"
        | "NotFound"
        | "NoSuchBucketPolicy"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchPublicAccessBlockConfiguration"
        | "ObjectLockConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError"
        | "ResourceNotFoundException"
        | "TrailNotFoundException"
        | "NotFoundException" => KmsErrorKind::NotFound,
        "Forbidden" | "AuthorizationError" | "AuthorizationErrorException" | "AllAccessDisabled" => {
            KmsErrorKind::Denied
        }
        "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "ResourceAlreadyExistsException"
        | "TrailAlreadyExistsException" => KmsErrorKind::AlreadyExists,
        "MaximumNumberOfTrailsExceededException"
        | "TooManyBuckets"
        | "TopicLimitExceeded"
        | "SubscriptionLimitExceeded" => KmsErrorKind::LimitExceeded,
        "InsufficientS3BucketPolicyException"
        | "InsufficientEncryptionPolicyException"
        | "InvalidCloudWatchLogsLogGroupArnException"
        | "InvalidCloudWatchLogsRoleArnException"
        | "CloudWatchLogsDeliveryUnavailableException"
        | "S3BucketDoesNotExistException"
        | "InvalidKmsKeyIdException"
        | "KmsKeyDisabledException"
        | "KmsKeyNotFoundException"
        | "MalformedPolicy"
        | "InvalidBucketName"
        | "InvalidBucketState"
        | "InvalidParameter"
        | "InvalidParameterException"
        | "InvalidParameterValue"
        | "IllegalLocationConstraintException"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed" => KmsErrorKind::Invalid,
        "OperationAborted" | "OperationAbortedException" | "ConflictException" | "ConcurrentModificationException" => {
            KmsErrorKind::Throttled
        }
        _ => return None,
    })
}

/// `None` for what is not there.
fn if_there<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == KmsErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A request that could not be put together: our own mistake, or a value AWS has no shape for.
fn unsendable(service: &'static str, operation: &'static str, why: impl std::fmt::Display) -> AwsError {
    AwsError { service, error: KmsError::new(KmsErrorKind::Invalid, operation, why.to_string()) }
}
