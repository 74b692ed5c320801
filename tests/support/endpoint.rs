//! The embedded KMS behind its AWS-compatible door, in a thread of the test: it survives every kill of the binary.

use scrybe_keys::local::endpoint::{Serving, serve};
use scrybe_keys::local::{Engine, InProcess, Kek};
use std::net::TcpListener;

/// One test's KMS.
pub struct Endpoint {
    pub url: String,
    /// For faults and the request log.
    pub engine: Engine,
    _serving: Serving,
    _dir: tempfile::TempDir,
}

impl Endpoint {
    /// An empty KMS on a free port.
    pub fn start() -> Endpoint {
        let dir = tempfile::tempdir().unwrap();
        let kek = Kek::parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
        let engine = Engine::open(&dir.path().join("kms"), kek).unwrap();
        let serving = serve(engine.clone(), TcpListener::bind(("127.0.0.1", 0)).unwrap(), || false).unwrap();
        Endpoint { url: serving.url(), engine, _serving: serving, _dir: dir }
    }

    /// The same engine without the wire, for what a test does to its keys.
    pub fn direct(&self, region: &str) -> InProcess {
        InProcess::new(self.engine.clone(), region)
    }
}
