//! Three guards inside the SDK: where a request may go, that nobody stands between it and loopback, and what is never sent again.

use aws_sdk_kms::config::interceptors::{BeforeTransmitInterceptorContextRef, InterceptorContext};
use aws_sdk_kms::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_kms::error::BoxError;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// True for a URL on this machine.
pub fn is_loopback(endpoint: &str) -> bool {
    let Ok(url) = url::Url::parse(endpoint) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A client for endpoints on loopback: the default one would send plaintext keys in clear to whatever HTTP_PROXY names.
pub fn without_proxy() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

/// True for https anywhere and http on loopback.
pub fn is_acceptable_endpoint(endpoint: &str) -> bool {
    match url::Url::parse(endpoint) {
        Ok(url) if url.scheme() == "https" => url.host().is_some(),
        Ok(url) if url.scheme() == "http" => is_loopback(endpoint),
        _ => false,
    }
}

/// A request was about to leave in clear for another machine.
#[derive(Debug, thiserror::Error)]
#[error("the AWS endpoint {origin} is neither https nor loopback")]
pub struct InsecureEndpoint {
    origin: String,
}

/// Looks at every request just before it is sent, wherever its endpoint came from (code, environment, profile).
#[derive(Debug)]
pub struct CheckEndpoint;

impl Intercept for CheckEndpoint {
    fn name(&self) -> &'static str {
        "CheckEndpoint"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri();
        if is_acceptable_endpoint(uri) {
            return Ok(());
        }
        let origin = url::Url::parse(uri).map_or_else(|_| "?".to_owned(), |url| url.origin().ascii_serialization());
        Err(InsecureEndpoint { origin }.into())
    }
}

/// KMS uses LimitExceededException for hard limits; the SDK takes it for throttling and would send the call again.
#[derive(Debug)]
pub struct NeverRetryLimits;

impl ClassifyRetry for NeverRetryLimits {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        // The service's errors are unmodelled or of one type per operation; the code on the wire is the same for all.
        let named = context.response().filter(|r| r.status().as_u16() == 400).and_then(|r| r.body().bytes());
        match named {
            Some(body) if memchr::memmem::find(body, b"LimitExceededException").is_some() => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "NeverRetryLimits"
    }
}

#[cfg(test)]
mod tests {
    use super::is_acceptable_endpoint;

    #[test]
    fn clear_text_stays_on_this_machine() {
        for good in
            ["https://kms.us-west-2.amazonaws.com", "http://127.0.0.1:4566", "http://localhost:1/", "http://[::1]:80"]
        {
            assert!(is_acceptable_endpoint(good), "{good}");
        }
        for bad in [
            "http://kms.example.com",
            "http://10.0.0.1:4566",
            "http://127.0.0.1.example.com",
            "ftp://localhost",
            "localhost:1",
            "",
        ] {
            assert!(!is_acceptable_endpoint(bad), "{bad}");
        }
    }
}
