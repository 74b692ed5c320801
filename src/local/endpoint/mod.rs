//! The second door: an AWS-compatible endpoint on loopback, so that the real SDK talks to the engine.
//!
//! KMS in JSON 1.1 (`X-Amz-Target: TrentService.X`) and STS GetCallerIdentity in query XML, on one port. Signatures are **not** verified:
//! any credentials do, and the region is taken from their scope, so never let this listen on anything but loopback (`serve` refuses).
//! Browsers are kept out: a foreign `Host`, a missing signature or an unmarked control request is refused.
//! `wire` is what AWS would see, `control` the tool's own path for tests and drills.

mod control;
mod wire;

use super::engine::Engine;
use crate::core::kms::{KmsError, KmsErrorKind};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Largest request body. KMS takes far less.
const MAX_BODY: usize = 256 * 1024;
/// How long a withheld answer keeps its connection open.
const WITHHELD: Duration = Duration::from_secs(120);
/// How often `stop` is asked.
const TICK: Duration = Duration::from_millis(50);

/// A served engine. Dropping it stops the server.
pub struct Serving {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until `stop` said so.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the KMS endpoint's thread panicked");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }
}

/// Serves the engine on its own thread until `stop` says true or the returned value is dropped. Refuses a listener that is not on loopback.
pub fn serve(
    engine: Engine,
    listener: TcpListener,
    stop: impl Fn() -> bool + Send + 'static,
) -> Result<Serving, KmsError> {
    let failed = |what: &str, e: std::io::Error| KmsError::new(KmsErrorKind::Unknown, "Serve", format!("{what}: {e}"));
    let address = listener.local_addr().map_err(|e| failed("the endpoint's address is unknown", e))?;
    if !address.ip().is_loopback() {
        return Err(KmsError::new(
            KmsErrorKind::Invalid,
            "Serve",
            format!("the endpoint listens on loopback only, not on {address}"),
        ));
    }
    listener.set_nonblocking(true).map_err(|e| failed("the endpoint cannot listen", e))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("kms-endpoint")
        .enable_all()
        .build()
        .map_err(|e| failed("the endpoint cannot start", e))?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(|e| failed("the endpoint cannot listen", e))?
    };
    engine.announce(Some(format!("http://{address}")));
    let dropped = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&dropped);
    let thread = std::thread::Builder::new()
        .name("kms-endpoint".to_owned())
        .spawn(move || {
            runtime.block_on(accept(engine.clone(), listener, move || asked.load(Ordering::Relaxed) || stop()));
            engine.announce(None);
            runtime.shutdown_timeout(Duration::from_secs(1));
        })
        .map_err(|e| failed("the endpoint's thread cannot start", e))?;
    Ok(Serving { address, stop: dropped, thread: Some(thread) })
}

async fn accept(engine: Engine, listener: tokio::net::TcpListener, stop: impl Fn() -> bool) {
    while !stop() {
        let stream = match tokio::time::timeout(TICK, listener.accept()).await {
            Err(_) => continue,
            Ok(Ok((stream, _))) => stream,
            Ok(Err(error)) => {
                // Out of file descriptors, most likely: they come back when connections end.
                tracing::warn!(%error, "the KMS endpoint could not accept a connection");
                tokio::time::sleep(TICK).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let engine = engine.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(engine.clone(), request));
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::trace!(%error, "a connection to the KMS endpoint ended early");
            }
        });
    }
}

/// The connection closes instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("scripted: the connection closes before the answer")]
struct HangUp;

type Reply = Response<Full<Bytes>>;

async fn answer(engine: Engine, request: Request<Incoming>) -> Result<Reply, HangUp> {
    if !from_loopback(&request) {
        return Ok(reply(StatusCode::FORBIDDEN, "text/plain", b"this endpoint serves loopback names only\n".to_vec()));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(reply(
            StatusCode::PAYLOAD_TOO_LARGE,
            "text/plain",
            b"the request body is too long or was cut off\n".to_vec(),
        ));
    };
    let body = body.to_bytes();
    if let Some(path) = head.uri.path().strip_prefix("/_scrybe/") {
        return Ok(control::answer(&engine, path, &head, &body));
    }
    match wire::answer(&engine, &head, &body) {
        wire::Answered::Reply(reply) => Ok(reply),
        wire::Answered::Nothing => {
            tokio::time::sleep(WITHHELD).await;
            Err(HangUp)
        }
        wire::Answered::HangUp => Err(HangUp),
    }
}

/// Guards against DNS rebinding: a page of a foreign name that resolves to loopback.
fn from_loopback(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    reply
}
