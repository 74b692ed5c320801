//! Every KMS the contract suite runs on: the engine in process, the engine behind its endpoint, and foreign emulators.

use crate::support::emulators::Emulator;
use crate::support::kms_wire::kms_request_to;
use scrybe_keys::aws::{AccessKey, AwsKms, Options, Patience};
use scrybe_keys::core::kms::Kms;
use scrybe_keys::local::endpoint::{self, Serving};
use scrybe_keys::local::{Engine, InProcess, Kek};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

pub const REGION: &str = "us-west-2";
pub const ELSEWHERE: &str = "eu-central-1";

/// Base64 of 32 bytes that protect nothing but test keys.
pub const KEK: &str = "c2NyeWJlLWtleXMtdGVzdC1rZWstMzItYnl0ZXMtLSE=";

/// One KMS, seen from two regions.
pub struct Bench {
    pub here: Box<dyn Kms>,
    pub elsewhere: Box<dyn Kms>,
    address: String,
    // Dropped after the clients.
    _serving: Option<Serving>,
    _emulator: Option<Emulator>,
    _dir: Option<tempfile::TempDir>,
}

impl Bench {
    /// The engine without a network; what the port does not have goes through its endpoint all the same.
    pub fn in_process() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let engine = open(dir.path());
        let serving = serve(engine.clone());
        Bench {
            here: Box::new(InProcess::new(engine.clone(), REGION)),
            elsewhere: Box::new(InProcess::new(engine, ELSEWHERE)),
            address: serving.address().to_string(),
            _serving: Some(serving),
            _emulator: None,
            _dir: Some(dir),
        }
    }

    /// The real SDK against the engine's endpoint.
    pub fn endpoint() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let serving = serve(open(dir.path()));
        Bench {
            here: Box::new(client(&serving.url(), REGION)),
            elsewhere: Box::new(client(&serving.url(), ELSEWHERE)),
            address: serving.address().to_string(),
            _serving: Some(serving),
            _emulator: None,
            _dir: Some(dir),
        }
    }

    /// The real SDK against a foreign emulator.
    pub fn emulator(emulator: Emulator) -> Bench {
        Bench {
            here: Box::new(client(&emulator.url(), REGION)),
            elsewhere: Box::new(client(&emulator.url(), ELSEWHERE)),
            address: emulator.url().trim_start_matches("http://").to_owned(),
            _serving: None,
            _emulator: Some(emulator),
            _dir: None,
        }
    }

    /// A call that the port does not have, by hand: the answer, or the error code (`status N` where there is none).
    pub fn raw(&self, region: &str, operation: &str, body: &Value) -> Result<Value, String> {
        let (status, answer) = kms_request_to(&self.address, region, operation, &body.to_string());
        match status {
            200 => Ok(answer),
            _ => Err(answer["__type"].as_str().map_or(format!("status {status}"), str::to_owned)),
        }
    }
}

/// The test key-encryption key.
pub fn kek() -> Kek {
    Kek::parse(KEK).unwrap()
}

/// An engine under the test KEK.
pub fn open(dir: &Path) -> Engine {
    Engine::open(&dir.join("kms"), kek()).unwrap()
}

/// The engine on a free port of loopback.
pub fn serve(engine: Engine) -> Serving {
    endpoint::serve(engine, TcpListener::bind("127.0.0.1:0").unwrap(), || false).unwrap()
}

/// How tests connect: fixed credentials, short pauses.
pub fn options(url: &str, region: &str) -> Options {
    Options {
        endpoint: Some(url.to_owned()),
        credentials: Some(AccessKey {
            id: "AKIATESTTESTTEST".to_owned(),
            secret: Zeroizing::new("not-a-secret".to_owned()),
            session_token: None,
        }),
        patience: Patience { attempts: Some((3, Duration::from_millis(20))), ..Patience::default() },
        ..Options::new(region)
    }
}

/// A client for an endpoint.
pub fn client(url: &str, region: &str) -> AwsKms {
    AwsKms::connect(&options(url, region)).unwrap()
}
