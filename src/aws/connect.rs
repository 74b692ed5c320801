//! How a client is made: runtime, timeouts, retries, credentials, endpoint.
//!
//! Whatever is not given in `Options` the SDK takes from its usual places (environment, profile, SSO, container, instance metadata).

use super::failure;
use super::transport::{CheckEndpoint, NeverRetryLimits, is_acceptable_endpoint, is_loopback, without_proxy};
use crate::core::kms::{KmsError, KmsErrorKind, Traced};
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// How to connect.
pub struct Options {
    pub region: String,
    /// https, or http on loopback; `None` leaves it to the SDK (real AWS, unless its own variables say otherwise).
    pub endpoint: Option<String>,
    /// The same for one service (`kms`, `sts`, `s3`, …); goes before `endpoint`.
    pub endpoints: BTreeMap<&'static str, String>,
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
            endpoints: BTreeMap::new(),
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

/// What every client of one connection shares: settings, credentials, the runtime they run on.
pub(super) struct Connection {
    shared: aws_config::SdkConfig,
    credentials: SharedCredentialsProvider,
    credentials_found: AtomicBool,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl Connection {
    /// Makes ready to talk to `options.region`. Nothing is sent yet.
    pub(super) fn open(options: &Options) -> Result<Connection, KmsError> {
        let invalid = |message: String| KmsError::new(KmsErrorKind::Invalid, "Connect", message);
        let given = options.endpoint.iter().chain(options.endpoints.values());
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
        Ok(Connection { shared, credentials, credentials_found: AtomicBool::new(false), runtime })
    }

    /// Settings of one service's client: its own endpoint if it has one, and no proxy between us and loopback.
    pub(super) fn settings(&self, options: &Options, service: &str) -> aws_config::SdkConfig {
        let mut settings = self.shared.to_builder();
        if let Some(endpoint) = options.endpoints.get(service) {
            settings = settings.endpoint_url(endpoint);
        }
        if self.endpoint(options, service).is_some_and(is_loopback) {
            settings = settings.http_client(without_proxy());
        }
        settings.build()
    }

    /// Where a service is talked to, unless it is AWS itself.
    pub(super) fn endpoint<'a>(&'a self, options: &'a Options, service: &str) -> Option<&'a str> {
        options.endpoints.get(service).map(String::as_str).or(self.shared.endpoint_url())
    }

    /// One call, answered.
    pub(super) fn call<O, E>(
        &self,
        operation: &'static str,
        sent: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<Traced<O>, KmsError>
    where
        O: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.find_credentials(operation)?;
        match self.runtime.block_on(sent) {
            Ok(value) => {
                let request_id = value.request_id().map(str::to_owned);
                tracing::debug!(operation, request_id, "aws answered");
                Ok(Traced { value, request_id })
            }
            Err(error) => {
                let error = failure::explain(operation, error);
                tracing::debug!(operation, code = error.code, request_id = error.request_id, "aws refused or failed");
                Err(error)
            }
        }
    }

    /// Finds credentials once, so that their absence is told apart from an unreachable service.
    fn find_credentials(&self, operation: &'static str) -> Result<(), KmsError> {
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

/// AWS KMS through the SDK.
pub struct AwsKms {
    pub(super) kms: aws_sdk_kms::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) region: String,
    // Last: clients go before what they run on. Shared with siblings in other regions.
    pub(super) connection: Arc<Connection>,
}

impl AwsKms {
    /// Makes a client. Nothing is sent yet. `Invalid` for an endpoint that is neither https nor loopback.
    pub fn connect(options: &Options) -> Result<AwsKms, KmsError> {
        let connection = Connection::open(options)?;
        let kms = aws_sdk_kms::config::Builder::from(&connection.settings(options, "kms"))
            .interceptor(CheckEndpoint)
            .retry_classifier(NeverRetryLimits);
        let sts = aws_sdk_sts::config::Builder::from(&connection.settings(options, "sts")).interceptor(CheckEndpoint);
        Ok(AwsKms {
            kms: aws_sdk_kms::Client::from_conf(kms.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            region: options.region.clone(),
            connection: Arc::new(connection),
        })
    }

    /// The same client in another region.
    pub(super) fn sibling(&self, region: &str) -> AwsKms {
        let kms = self.kms.config().to_builder().region(Region::new(region.to_owned())).build();
        let sts = self.sts.config().to_builder().region(Region::new(region.to_owned())).build();
        AwsKms {
            kms: aws_sdk_kms::Client::from_conf(kms),
            sts: aws_sdk_sts::Client::from_conf(sts),
            region: region.to_owned(),
            connection: Arc::clone(&self.connection),
        }
    }
}
