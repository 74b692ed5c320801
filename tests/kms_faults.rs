//! What the AWS adapter makes of every way a KMS can fail, over the real SDK and real connections: kinds, request ids, and how often each
//! call was sent. The engine's own log counts: what must not be sent twice is seen once.

use crate::support::kms_bench::{ELSEWHERE, REGION, client, open, options, serve};
use scrybe_keys::aws::{AwsKms, Options, Patience};
use scrybe_keys::core::kms::{Context, KeyState, Kms, KmsErrorKind as Kind, NewKey, ReEncrypt, Rehearsal};
use scrybe_keys::local::endpoint::Serving;
use scrybe_keys::local::{Engine, Fault, FaultKind};
use std::process::Command;
use std::time::{Duration, Instant};

/// A client over the wire, a key, and the engine behind it.
pub struct World {
    pub engine: Engine,
    pub kms: AwsKms,
    pub key: String,
    pub serving: Serving,
    _dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let engine = open(dir.path());
        let serving = serve(engine.clone());
        // Patience for a loaded machine, but not for a withheld answer.
        let patience = Patience {
            attempt: Duration::from_secs(2),
            attempts: Some((3, Duration::from_millis(20))),
            ..Patience::default()
        };
        let kms = AwsKms::connect(&Options { patience, ..options(&serving.url(), REGION) }).unwrap();
        let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
        World { engine, kms, key, serving, _dir: dir }
    }

    pub fn fail(&self, operation: &str, times: u32, fault: FaultKind) {
        self.engine.add_fault(Fault { operation: operation.to_owned(), nth: 1, times, fault });
    }

    pub fn sent(&self, operation: &str) -> usize {
        self.engine.requests(0).iter().filter(|r| r.operation == operation).count()
    }
}

#[test]
fn kms_faults_a_throttled_read_is_tried_again_and_then_reported() {
    let world = World::new();
    world.fail("GenerateDataKey", 2, FaultKind::Throttled);
    world.kms.generate_data_key(&world.key, &Context::new()).unwrap();
    assert_eq!(world.sent("GenerateDataKey"), 3);

    world.fail("GenerateDataKey", 3, FaultKind::Throttled);
    let error = world.kms.generate_data_key(&world.key, &Context::new()).err().unwrap();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Throttled, Some("ThrottlingException")));
    let last = world.engine.requests(0).pop().unwrap();
    assert_eq!(error.request_id.as_deref(), Some(last.request_id.as_str()), "the last attempt's id is kept");
    assert_eq!(world.sent("GenerateDataKey"), 6);
}

#[test]
fn kms_faults_a_denial_is_final() {
    let world = World::new();
    world.fail("Decrypt", 1, FaultKind::Denied);
    let made = world.kms.generate_data_key(&world.key, &Context::new()).unwrap().value;
    let error = world.kms.decrypt(None, &made.wrapped, &Context::new()).err().unwrap();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Denied, Some("AccessDeniedException")));
    assert!(error.request_id.is_some());
    assert_eq!(world.sent("Decrypt"), 1);

    world.fail("GetCallerIdentity", 1, FaultKind::Denied);
    let error = world.kms.caller().unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Denied, Some("AccessDenied")), "STS speaks XML");
    assert!(error.request_id.is_some());
}

#[test]
fn kms_faults_a_server_error_is_tried_again_and_leaves_the_outcome_open() {
    let world = World::new();
    world.fail("DescribeKey", 2, FaultKind::ServerError);
    world.kms.describe_key(&world.key).unwrap();
    world.fail("DescribeKey", 3, FaultKind::ServerError);
    let error = world.kms.describe_key(&world.key).unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Unreachable, Some("KMSInternalException")));
    assert!(error.is_ambiguous() && error.request_id.is_some());
}

#[test]
fn kms_faults_an_answer_that_never_comes_ends_in_time() {
    let world = World::new();
    world.fail("Decrypt", 10, FaultKind::Timeout);
    let made = world.kms.generate_data_key(&world.key, &Context::new()).unwrap().value;
    let began = Instant::now();
    let error = world.kms.decrypt(None, &made.wrapped, &Context::new()).err().unwrap();
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(world.sent("Decrypt"), 3);
}

#[test]
fn kms_faults_a_lost_answer_to_a_read_is_asked_again() {
    let world = World::new();
    let made = world.kms.generate_data_key(&world.key, &Context::new()).unwrap().value;
    world.fail("Decrypt", 1, FaultKind::ReplyLost);
    let opened = world.kms.decrypt(None, &made.wrapped, &Context::new()).unwrap().value;
    assert_eq!(opened.plaintext.as_slice(), made.dek.expose());
    assert_eq!(world.sent("Decrypt"), 2);
}

#[test]
fn kms_faults_a_lost_answer_to_a_deletion_is_looked_up_and_never_sent_again() {
    for fault in [FaultKind::ReplyLost, FaultKind::Timeout] {
        let world = World::new();
        world.fail("ScheduleKeyDeletion", 1, fault);
        let scheduled = world.kms.schedule_key_deletion(&world.key, 7);
        if fault == FaultKind::ReplyLost {
            let key = scheduled.unwrap().value;
            assert_eq!(key.state, KeyState::PendingDeletion);
            assert!(key.deletion_at.is_some());
        } else {
            assert!(scheduled.unwrap_err().is_ambiguous(), "nothing was done, so nothing may be claimed");
        }
        assert_eq!(world.sent("ScheduleKeyDeletion"), 1);
    }
    let world = World::new();
    world.kms.schedule_key_deletion(&world.key, 7).unwrap();
    world.fail("CancelKeyDeletion", 1, FaultKind::ReplyLost);
    world.kms.cancel_key_deletion(&world.key).unwrap();
    assert_eq!(world.kms.describe_key(&world.key).unwrap().value.state, KeyState::Disabled);
    assert_eq!(world.sent("CancelKeyDeletion"), 1);
}

#[test]
fn kms_faults_a_deletion_that_ran_before_is_no_success_of_ours() {
    let world = World::new();
    world.kms.schedule_key_deletion(&world.key, 30).unwrap();
    let error = world.kms.schedule_key_deletion(&world.key, 7).unwrap_err();
    assert_eq!(error.kind, Kind::KeyUnusable);
}

#[test]
fn kms_faults_a_lost_answer_to_an_alias_is_looked_up_and_never_sent_again() {
    let world = World::new();
    world.fail("CreateAlias", 1, FaultKind::ReplyLost);
    world.kms.create_alias("alias/scrybe", &world.key).unwrap();
    assert_eq!(world.sent("CreateAlias"), 1);

    world.fail("CreateAlias", 1, FaultKind::ServerError);
    assert!(world.kms.create_alias("alias/never-made", &world.key).unwrap_err().is_ambiguous());

    world.fail("DeleteAlias", 1, FaultKind::ReplyLost);
    world.kms.delete_alias("alias/scrybe").unwrap();
    assert_eq!(world.sent("DeleteAlias"), 1);
    assert!(world.kms.list_aliases().unwrap().value.is_empty());
}

#[test]
fn kms_faults_a_lost_answer_to_a_new_key_finds_that_key_and_makes_no_second() {
    let world = World::new();
    world.fail("CreateKey", 1, FaultKind::ReplyLost);
    let made = world.kms.create_key(&NewKey { description: "found".to_owned(), ..NewKey::default() }).unwrap().value;
    assert_eq!(made.description, "found");
    assert_eq!(world.sent("CreateKey"), 2, "one for the world, one here");
    world.kms.generate_data_key(&made.key_id, &Context::new()).unwrap();

    world.fail("CreateKey", 1, FaultKind::ServerError);
    let error = world.kms.create_key(&NewKey::default()).unwrap_err();
    assert!(error.is_ambiguous() && error.message.contains("scrybe-keys:request"), "{error}");
    assert_eq!(world.sent("CreateKey"), 3);
}

#[test]
fn kms_faults_a_rehearsal_fails_like_any_call() {
    let world = World::new();
    let none = Context::new();
    let call = || Rehearsal::GenerateDataKey { key: &world.key, context: &none };
    world.fail("GenerateDataKey", 1, FaultKind::Denied);
    assert_eq!(world.kms.rehearse(call()).unwrap_err().kind, Kind::Denied);
    world.fail("GenerateDataKey", 2, FaultKind::Throttled);
    world.kms.rehearse(call()).unwrap();
    let last = world.engine.requests(0).pop().unwrap();
    assert_eq!((last.operation.as_str(), last.outcome.as_str()), ("GenerateDataKey", "DryRunOperationException"));
}

#[test]
fn kms_faults_a_hard_limit_is_not_throttling() {
    let world = World::new();
    let tags = (0..51).map(|n| (format!("tag-{n}"), "x".to_owned())).collect();
    let error = world.kms.tag_key(&world.key, &tags).unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::LimitExceeded, Some("LimitExceededException")));
    assert_eq!(world.sent("TagResource"), 1);
}

#[test]
fn kms_faults_nobody_listening_is_unreachable_and_quick() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let began = Instant::now();
    let error = client(&format!("http://127.0.0.1:{port}"), REGION).describe_key("alias/any").unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn kms_faults_clear_text_to_another_machine_is_refused() {
    for endpoint in ["http://kms.us-west-2.amazonaws.com", "http://192.0.2.1:4566", "not a url"] {
        let error = AwsKms::connect(&options(endpoint, REGION)).err().unwrap();
        assert_eq!(error.kind, Kind::Invalid, "{endpoint}");
    }
}

#[test]
fn kms_faults_the_application_names_itself() {
    let world = World::new();
    let agent = world.engine.requests(0)[0].user_agent.clone().unwrap();
    assert!(agent.contains(concat!("app/scrybe-keys-", env!("CARGO_PKG_VERSION"))), "{agent}");
}

#[test]
fn kms_faults_nothing_secret_reaches_the_request_log_or_an_error() {
    let world = World::new();
    let made = world.kms.generate_data_key(&world.key, &Context::new()).unwrap().value;
    let secret = b"plaintext-marker-0123456789";
    world.kms.encrypt(&world.key, secret, &Context::new()).unwrap();
    world.fail("Encrypt", 1, FaultKind::Denied);
    let error = world.kms.encrypt(&world.key, secret, &Context::new()).unwrap_err();
    let none = Context::new();
    let what = ReEncrypt {
        source: None,
        source_context: &none,
        target: &world.key,
        target_context: &none,
        wrapped: &made.wrapped,
    };
    let moved = world.kms.re_encrypt(what).unwrap().value;
    world.kms.rehearse(Rehearsal::ReEncrypt(what)).unwrap();
    world.kms.rehearse(Rehearsal::Encrypt { key: &world.key, context: &none }).unwrap();
    let policy =
        r#"{"Id":"policy-marker","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}"#;
    world.kms.put_key_policy(&world.key, policy).unwrap();
    let log = serde_json::to_string(&world.engine.requests(0)).unwrap();
    let seen = format!("{log} {error} {error:?}");
    for bytes in [made.dek.expose().as_slice(), secret] {
        assert!(!seen.contains(&base64(bytes)), "base64 of a secret");
        assert!(!seen.contains(&hex(bytes)), "hex of a secret");
    }
    for ciphertext in [&made.wrapped, &moved.wrapped] {
        assert!(!seen.contains(&base64(ciphertext)), "a ciphertext");
    }
    assert!(!seen.contains("plaintext-marker") && !seen.contains("policy-marker"));
    assert!(log.contains("ReEncrypt") && log.contains("PutKeyPolicy"), "{log}");
    assert!(log.contains("GenerateDataKey") && log.contains("AccessDeniedException"), "the log is not empty: {log}");
}

/// Two environments only the process itself can have: run again as a child with nothing but what is given.
#[test]
fn kms_faults_credentials_and_endpoints_of_the_environment() {
    const ME: &str = "kms_faults::kms_faults_credentials_and_endpoints_of_the_environment";
    match std::env::var("SCRYBE_TEST_CHILD").as_deref() {
        Ok("no-credentials") => {
            let began = Instant::now();
            let error = AwsKms::connect(&Options::new(REGION)).unwrap().describe_key("alias/any").unwrap_err();
            assert_eq!(error.kind, Kind::NoCredentials, "{error}");
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
        Ok("insecure-endpoint") => {
            let kms = AwsKms::connect(&Options::new(REGION)).unwrap();
            let sibling = kms.in_region(ELSEWHERE).unwrap();
            for error in [kms.describe_key("alias/any").unwrap_err(), sibling.describe_key("alias/any").unwrap_err()] {
                assert_eq!(error.kind, Kind::Invalid, "{error}");
                assert!(error.message.contains("neither https nor loopback"), "{error}");
            }
        }
        Ok("proxy") => {
            // With the endpoint of the environment and with one that was given.
            let given = std::env::var("AWS_ENDPOINT_URL").unwrap();
            let kms_alone = Options { endpoints: [("kms", given.clone())].into(), ..Options::new(REGION) };
            for options in [Options::new(REGION), options(&given, REGION), kms_alone] {
                let kms = AwsKms::connect(&options).unwrap();
                assert_eq!(kms.describe_key("alias/any").unwrap_err().kind, Kind::NotFound);
                kms.caller().unwrap();
                // Nor between us and a sibling in another region, which is at the same endpoint.
                let sibling = kms.in_region(ELSEWHERE).unwrap();
                assert_eq!(sibling.describe_key("alias/any").unwrap_err().kind, Kind::NotFound);
                sibling.caller().unwrap();
            }
        }
        _ => {
            let home = tempfile::tempdir().unwrap();
            let child = |name: &str, more: &[(&str, &str)]| {
                let output = Command::new(std::env::current_exe().unwrap())
                    .args([ME, "--exact", "--nocapture"])
                    .env_clear()
                    .env("HOME", home.path())
                    .env("SCRYBE_TEST_CHILD", name)
                    .envs(more.iter().copied())
                    .output()
                    .unwrap();
                let said =
                    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.contains("1 passed"), "{name}: {said}");
            };
            child("no-credentials", &[]);
            let keys = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "x")];
            for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"] {
                let mut more = keys.to_vec();
                more.push((variable, "http://192.0.2.1:4566"));
                child("insecure-endpoint", &more);
            }
            // A proxy would see plaintext keys: nobody may even knock.
            let dir = tempfile::tempdir().unwrap();
            let serving = serve(open(dir.path()));
            let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let (address, endpoint) = (format!("http://{}", proxy.local_addr().unwrap()), serving.url());
            let mut more = keys.to_vec();
            more.extend([("AWS_ENDPOINT_URL", endpoint.as_str()), ("HTTP_PROXY", &address), ("http_proxy", &address)]);
            child("proxy", &more);
            proxy.set_nonblocking(true).unwrap();
            assert_eq!(proxy.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
