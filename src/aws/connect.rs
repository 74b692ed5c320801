//! How a client is made: runtime, timeouts, retries, credentials, endpoint.
//!
//! Whatever is not given in `Options` the SDK takes from its usual places (environment, profile, SSO, container, instance metadata).

use super::failure;
use super::transport::{CheckEndpoint, NeverRetryLimits, is_acceptable_endpoint, is_loopback, without_proxy};
use crate::core::kms::{KmsError, KmsErrorKind};
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// How to connect.
pub struct Options {
    pub region: String,
    /// https, or http on loopback; `None` leaves it to the SDK (real AWS, unless its own variables say otherwise).
    pub endpoint: Option<String>,
    /// The same for KMS alone; goes before `endpoint`.
    pub kms_endpoint: Option<String>,
    /// Stands in CloudTrail's userAgent. Letters, digits and `-._/` as AWS allows them, at most 50.
    pub app_name: String,
    /// Fixed credentials; `None` takes the SDK's chain.
    pub credentials: Option<AccessKey>,
    pub patience: Patience,
}

impl Options {
    /// The usual way to talk to `region`.
    pub fn new(region: impl Into<String>) -> Options {
        Options {
            region: region.into(),
            endpoint: None,
            kms_endpoint: None,
            app_name: concat!("scrybe-keys/", env!("CARGO_PKG_VERSION")).to_owned(),
            credentials: None,
            patience: Patience::default(),
        }
    }
}

/// Static AWS credentials. No Debug.
pub struct AccessKey {
    pub id: String,
    pub secret: Zeroizing<String>,
    pub session_token: Option<Zeroizing<String>>,
}

/// How long to wait, how often to try.
#[derive(Clone, Debug)]
pub struct Patience {
    pub connect: Duration,
    /// One attempt, from connecting to the last byte.
    pub attempt: Duration,
    /// All attempts of one call.
    pub operation: Duration,
    /// Attempts of an idempotent call and the first pause between two; `None` takes the SDK's setting (`AWS_MAX_ATTEMPTS`, three).
    pub attempts: Option<(u32, Duration)>,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(5),
            operation: Duration::from_secs(20),
            attempts: None,
        }
    }
}

/// Longest that finding credentials may take: instance metadata alone is bounded to one try of a second.
const CREDENTIALS: Duration = Duration::from_secs(15);

/// AWS KMS through the SDK. Owns its runtime.
pub struct AwsKms {
    pub(super) kms: aws_sdk_kms::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) region: String,
    credentials: SharedCredentialsProvider,
    credentials_found: AtomicBool,
    // Last: clients go before what they run on.
    pub(super) runtime: tokio::runtime::Runtime,
}

impl AwsKms {
    /// Makes a client. Nothing is sent yet. `Invalid` for an endpoint that is neither https nor loopback.
    pub fn connect(options: &Options) -> Result<AwsKms, KmsError> {
        let invalid = |message: String| KmsError::new(KmsErrorKind::Invalid, "Connect", message);
        let given = options.endpoint.iter().chain(&options.kms_endpoint);
        if let Some(endpoint) = given.into_iter().find(|e| !is_acceptable_endpoint(e)) {
            return Err(invalid(format!("the AWS endpoint {endpoint} is neither https nor loopback")));
        }
        let app_name = AppName::new(options.app_name.replace('/', "-"))
            .map_err(|_| invalid(format!("`{}` cannot be an application name for AWS", options.app_name)))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aws")
            .enable_all()
            .build()
            .map_err(|e| {
                KmsError::new(KmsErrorKind::Unknown, "Connect", format!("no thread for the AWS client: {e}"))
            })?;
        let region = Region::new(options.region.clone());
        let patience = &options.patience;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.connect)
            .operation_attempt_timeout(patience.attempt)
            .operation_timeout(patience.operation)
            .build();
        let (shared, credentials) = runtime.block_on(async {
            let credentials = match &options.credentials {
                Some(key) => SharedCredentialsProvider::new(Credentials::new(
                    key.id.clone(),
                    key.secret.to_string(),
                    key.session_token.as_ref().map(|token| token.to_string()),
                    None,
                    "scrybe-keys",
                )),
                None => {
                    let second = Duration::from_secs(1);
                    let metadata =
                        imds::Client::builder().max_attempts(1).connect_timeout(second).read_timeout(second).build();
                    let chain = DefaultCredentialsChain::builder().region(region.clone()).imds_client(metadata);
                    SharedCredentialsProvider::new(chain.build().await)
                }
            };
            let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
                .region(region)
                .app_name(app_name)
                .timeout_config(timeouts)
                .credentials_provider(credentials.clone());
            if let Some(endpoint) = &options.endpoint {
                loader = loader.endpoint_url(endpoint);
            }
            if let Some((attempts, pause)) = patience.attempts {
                loader = loader
                    .retry_config(RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(pause));
            }
            (loader.load().await, credentials)
        });
        let mut kms =
            aws_sdk_kms::config::Builder::from(&shared).interceptor(CheckEndpoint).retry_classifier(NeverRetryLimits);
        let mut sts = aws_sdk_sts::config::Builder::from(&shared).interceptor(CheckEndpoint);
        if let Some(endpoint) = &options.kms_endpoint {
            kms = kms.endpoint_url(endpoint);
        }
        if options.kms_endpoint.as_deref().or(shared.endpoint_url()).is_some_and(is_loopback) {
            kms = kms.http_client(without_proxy());
        }
        if shared.endpoint_url().is_some_and(is_loopback) {
            sts = sts.http_client(without_proxy());
        }
        Ok(AwsKms {
            kms: aws_sdk_kms::Client::from_conf(kms.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            region: options.region.clone(),
            credentials,
            credentials_found: AtomicBool::new(false),
            runtime,
        })
    }

    /// Finds credentials once, so that their absence is told apart from an unreachable KMS.
    pub(super) fn find_credentials(&self, operation: &'static str) -> Result<(), KmsError> {
        if self.credentials_found.load(Ordering::Relaxed) {
            return Ok(());
        }
        let found = self
            .runtime
            .block_on(async { tokio::time::timeout(CREDENTIALS, self.credentials.provide_credentials()).await });
        match found {
            Ok(Ok(_)) => {
                self.credentials_found.store(true, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(error)) => Err(failure::no_credentials(operation, &error)),
            Err(_) => {
                let message = format!("finding AWS credentials took longer than {} s", CREDENTIALS.as_secs());
                Err(KmsError::new(KmsErrorKind::NoCredentials, operation, message))
            }
        }
    }
}
