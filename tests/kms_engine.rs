//! The embedded engine itself: its file, its lock, its clock, its wire, and what kill -9 leaves.

use crate::support::kms_bench::{REGION, client, kek, open, serve};
use crate::support::kms_wire::{http, kms_request};
use scrybe_keys::core::kms::{Context, KeyState, Kms, KmsErrorKind as Kind, NewKey};
use scrybe_keys::local::{Engine, InProcess, Kek, Options};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn in_process(engine: &Engine) -> InProcess {
    InProcess::new(engine.clone(), REGION)
}

#[test]
fn kms_engine_keys_outlive_the_process_that_made_them() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let key = in_process(&engine).create_key(&NewKey::default()).unwrap().value;
    in_process(&engine).create_alias("alias/kept", &key.key_id).unwrap();
    engine.advance(3 * DAY).unwrap();
    let made = in_process(&engine).generate_data_key("alias/kept", &Context::new()).unwrap().value;
    drop(engine);

    let engine = open(dir.path());
    let opened = in_process(&engine).decrypt(Some(&key.arn), &made.wrapped, &Context::new()).unwrap().value;
    assert_eq!(opened.plaintext.as_slice(), made.dek.expose());
    let ahead = engine.now().duration_since(jiff::Timestamp::now());
    assert!(ahead.as_hours() >= 71, "the virtual clock is kept: {ahead:?}");
}

#[test]
fn kms_engine_files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    in_process(&engine).create_key(&NewKey::default()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let kms = dir.path().join("kms");
    assert_eq!(mode(&kms), 0o700);
    for file in ["state", "lock", "holder"] {
        assert_eq!(mode(&kms.join(file)), 0o600, "{file}");
    }
    drop(engine);
    std::fs::set_permissions(kms.join("state"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let _engine = open(dir.path());
    assert_eq!(mode(&kms.join("state")), 0o600, "narrowed again");
}

#[test]
fn kms_engine_a_second_opener_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let second = || Engine::open(&dir.path().join("kms"), kek()).err().unwrap();
    assert_eq!(second().kind, Kind::StoreInUse);
    assert!(second().message.contains(&format!("process {}", std::process::id())), "{}", second().message);

    let serving = serve(engine.clone());
    assert!(second().message.contains(&serving.url()), "{}", second().message);
    drop(serving);
    assert!(second().message.contains("no endpoint"), "{}", second().message);
    drop(engine);
    open(dir.path());
}

#[test]
fn kms_engine_another_kek_or_a_damaged_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    in_process(&engine).create_key(&NewKey::default()).unwrap();
    drop(engine);
    let state = dir.path().join("kms/state");
    let whole = std::fs::read(&state).unwrap();
    let broken = |kek: Kek| {
        let before = std::fs::read(&state).ok();
        let error = Engine::open(&dir.path().join("kms"), kek).err().unwrap();
        assert_eq!(error.kind, Kind::StoreBroken, "{error}");
        assert_eq!(std::fs::read(&state).ok(), before, "something was written");
    };
    broken(Kek::parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap());
    for place in [0, 7, 8, 19, 20, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&state, damaged).unwrap();
        broken(kek());
    }
    for length in [0, 8, 20, whole.len() - 1] {
        std::fs::write(&state, &whole[..length]).unwrap();
        broken(kek());
    }
    std::fs::remove_file(&state).unwrap();
    broken(kek());
    std::fs::write(&state, &whole).unwrap();
    open(dir.path());
}

#[test]
fn kms_engine_a_disk_that_takes_nothing_costs_the_change_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey::default()).unwrap().value;
    let before = std::fs::read(dir.path().join("kms/state")).unwrap();
    // A directory where the next state would be written: every save fails.
    std::fs::create_dir(dir.path().join("kms/state.next")).unwrap();
    let error = kms.disable_key(&key.key_id).unwrap_err();
    assert!(error.is_ambiguous() && error.code.as_deref() == Some("KMSInternalException"), "{error}");
    assert_eq!(kms.create_key(&NewKey::default()).unwrap_err().kind, Kind::Unreachable);
    assert_eq!(kms.describe_key(&key.key_id).unwrap().value.state, KeyState::Enabled, "memory and disk agree");
    kms.generate_data_key(&key.key_id, &Context::new()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("kms/state")).unwrap(), before);
    std::fs::remove_dir(dir.path().join("kms/state.next")).unwrap();
    kms.disable_key(&key.key_id).unwrap();
}

#[test]
fn kms_engine_key_material_is_sealed_on_disk_and_gone_after_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey { description: "marker-on-disk".to_owned(), ..NewKey::default() }).unwrap().value;
    let state = std::fs::read(dir.path().join("kms/state")).unwrap();
    for visible in [key.key_id.as_bytes(), b"marker-on-disk", b"materials"] {
        assert!(!state.windows(visible.len()).any(|w| w == visible), "the file is not sealed");
    }
    kms.create_alias("alias/doomed", &key.key_id).unwrap();
    let made = kms.generate_data_key(&key.key_id, &Context::new()).unwrap().value;
    let pending = kms.schedule_key_deletion(&key.key_id, 7).unwrap().value;
    assert_eq!(pending.state, KeyState::PendingDeletion);

    engine.advance(7 * DAY - Duration::from_secs(3600)).unwrap();
    assert_eq!(kms.describe_key(&key.key_id).unwrap().value.state, KeyState::PendingDeletion);
    engine.advance(Duration::from_secs(3700)).unwrap();
    assert_eq!(kms.describe_key(&key.key_id).unwrap_err().kind, Kind::NotFound);
    assert!(kms.list_aliases().unwrap().value.is_empty(), "its aliases went with it");
    assert_eq!(kms.cancel_key_deletion(&key.key_id).unwrap_err().kind, Kind::NotFound);
    assert!(kms.decrypt(None, &made.wrapped, &Context::new()).is_err());
    drop((kms, engine));
    let engine = open(dir.path());
    assert!(in_process(&engine).decrypt(None, &made.wrapped, &Context::new()).is_err(), "the file kept it");
}

#[test]
fn kms_engine_no_bit_of_a_ciphertext_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey::default()).unwrap().value;
    // Two keys and two materials, so that a changed name could hit one that exists.
    kms.create_key(&NewKey::default()).unwrap();
    kms.enable_key_rotation(&key.key_id, 90).unwrap();
    let made = kms.generate_data_key(&key.key_id, &Context::new()).unwrap().value;
    engine.advance(91 * DAY).unwrap();
    for place in 0..made.wrapped.len() {
        for bit in 0..8 {
            let mut altered = made.wrapped.clone();
            altered[place] ^= 1 << bit;
            let error = kms.decrypt(None, &altered, &Context::new()).err();
            let kind = error.unwrap_or_else(|| panic!("bit {bit} of byte {place} may be flipped")).kind;
            assert!(matches!(kind, Kind::InvalidCiphertext | Kind::Denied), "byte {place}: {kind:?}");
        }
    }
    kms.decrypt(None, &made.wrapped, &Context::new()).unwrap();
}

#[test]
fn kms_engine_rotates_by_its_clock_and_keeps_old_material() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey::default()).unwrap().value;
    kms.enable_key_rotation(&key.key_id, 90).unwrap();
    let before = kms.generate_data_key(&key.key_id, &Context::new()).unwrap().value;
    engine.advance(91 * DAY).unwrap();
    let after = kms.generate_data_key(&key.key_id, &Context::new()).unwrap().value;
    assert_ne!(before.material_id, after.material_id);
    assert_eq!(kms.describe_key(&key.key_id).unwrap().value.material_id, after.material_id);
    for made in [&before, &after] {
        let opened = kms.decrypt(None, &made.wrapped, &Context::new()).unwrap().value;
        assert_eq!(opened.plaintext.as_slice(), made.dek.expose());
        assert_eq!(opened.material_id, made.material_id);
    }
    // A disabled key is not rotated; on re-enable an overdue one rotates at once.
    kms.disable_key(&key.key_id).unwrap();
    engine.advance(200 * DAY).unwrap();
    assert_eq!(kms.describe_key(&key.key_id).unwrap().value.material_id, after.material_id);
    kms.enable_key(&key.key_id).unwrap();
    assert_ne!(kms.describe_key(&key.key_id).unwrap().value.material_id, after.material_id);
    let next = kms.key_rotation_status(&key.key_id).unwrap().value.next_at.unwrap();
    assert!(next > engine.now());
}

#[test]
fn kms_engine_takes_account_and_clock_from_its_opener() {
    let dir = tempfile::tempdir().unwrap();
    let at: jiff::Timestamp = "2031-02-03T04:05:06Z".parse().unwrap();
    let options = |account: &str| Options { account: Some(account.to_owned()), clock: Arc::new(move || at) };
    let engine = Engine::open_with(dir.path(), kek(), options("999988887777")).unwrap();
    let key = in_process(&engine).create_key(&NewKey::default()).unwrap().value;
    assert!(key.arn.starts_with("arn:aws:kms:us-west-2:999988887777:key/"), "{}", key.arn);
    assert_eq!(key.created_at, Some(at));
    assert_eq!(in_process(&engine).caller().unwrap().value.account, "999988887777");
    drop(engine);
    let error = Engine::open_with(dir.path(), kek(), options("111122223333")).err().unwrap();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
}

#[test]
fn kms_engine_lists_in_pages_on_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let key = in_process(&engine).create_key(&NewKey::default()).unwrap().value;
    for n in 0..7 {
        in_process(&engine).create_alias(&format!("alias/page-{n}"), &key.key_id).unwrap();
    }
    let serving = serve(engine);
    let mut names = Vec::new();
    let mut marker = String::new();
    for page in 0..3 {
        let body = match marker.is_empty() {
            true => r#"{"Limit":3}"#.to_owned(),
            false => format!(r#"{{"Limit":3,"Marker":"{marker}"}}"#),
        };
        let (status, answer) = kms_request(&serving, "ListAliases", &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["Truncated"], page < 2, "{answer}");
        names.extend(answer["Aliases"].as_array().unwrap().iter().map(|a| a["AliasName"].as_str().unwrap().to_owned()));
        marker = answer["NextMarker"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(names, (0..7).map(|n| format!("alias/page-{n}")).collect::<Vec<_>>());
    let (status, answer) = kms_request(&serving, "ListAliases", r#"{"Marker":"alias/never-given"}"#);
    assert_eq!((status, &answer["__type"]), (400, &"InvalidMarkerException".into()), "{answer}");
}

#[test]
fn kms_engine_lists_materials_in_pages_and_the_first_one_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let kms = in_process(&engine);
    let key = kms.create_key(&NewKey::default()).unwrap().value.key_id;
    for _ in 0..4 {
        kms.rotate_on_demand(&key).unwrap();
    }
    let all: Vec<_> = kms.key_materials(&key).unwrap().value.into_iter().filter_map(|m| m.material_id).collect();
    let serving = serve(engine);
    for (include, expected) in [("ROTATIONS_ONLY", &all[1..]), ("ALL_KEY_MATERIAL", &all[..])] {
        let mut ids = Vec::new();
        let mut marker = String::new();
        loop {
            let body = format!(r#"{{"KeyId":"{key}","IncludeKeyMaterial":"{include}","Limit":2{marker}}}"#);
            let (status, answer) = kms_request(&serving, "ListKeyRotations", &body);
            assert_eq!(status, 200, "{answer}");
            let page = answer["Rotations"].as_array().unwrap();
            ids.extend(page.iter().map(|m| m["KeyMaterialId"].as_str().unwrap().to_owned()));
            match answer["NextMarker"].as_str() {
                Some(next) => marker = format!(r#","Marker":"{next}""#),
                None => break,
            }
        }
        assert_eq!(ids, expected, "{include}");
    }
    let (_, default) = kms_request(&serving, "ListKeyRotations", &format!(r#"{{"KeyId":"{key}"}}"#));
    assert_eq!(default["Rotations"].as_array().unwrap().len(), 4);
}

#[test]
fn kms_engine_refuses_on_the_wire_what_it_does_not_do() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let key = in_process(&engine).create_key(&NewKey::default()).unwrap().value.key_id;
    let serving = serve(engine);
    for (operation, body, code) in [
        ("GenerateMac", "{}".to_owned(), "UnknownOperationException"),
        ("GenerateDataKey", "{not json".to_owned(), "SerializationException"),
        ("GenerateDataKey", format!(r#"{{"KeyId":"{key}"}}"#), "ValidationException"),
        (
            "GenerateDataKey",
            format!(r#"{{"KeyId":"{key}","KeySpec":"AES_256","NumberOfBytes":32}}"#),
            "ValidationException",
        ),
        ("CreateKey", r#"{"KeySpec":"RSA_2048"}"#.to_owned(), "UnsupportedOperationException"),
    ] {
        let (status, answer) = kms_request(&serving, operation, &body);
        assert_eq!((status, answer["__type"].as_str()), (400, Some(code)), "{operation}: {answer}");
    }
    for (operation, body, code) in [
        ("ReEncrypt", format!(r#"{{"DestinationKeyId":"{key}"}}"#), "ValidationException"),
        ("Decrypt", format!(r#"{{"KeyId":"{key}"}}"#), "ValidationException"),
        // The modifier stands for the ciphertext in a rehearsal only, and not for the key.
        ("Decrypt", format!(r#"{{"KeyId":"{key}","DryRunModifiers":["IGNORE_CIPHERTEXT"]}}"#), "ValidationException"),
        ("Decrypt", r#"{"DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"]}"#.to_owned(), "ValidationException"),
        (
            "Decrypt",
            format!(r#"{{"KeyId":"{key}","DryRun":true,"DryRunModifiers":["IGNORE_ALL"]}}"#),
            "ValidationException",
        ),
        ("ListKeyRotations", format!(r#"{{"KeyId":"{key}","IncludeKeyMaterial":"SOME"}}"#), "ValidationException"),
        ("GetKeyPolicy", format!(r#"{{"KeyId":"{key}","PolicyName":"other"}}"#), "NotFoundException"),
        ("RetireGrant", r#"{"GrantToken":"AAAA"}"#.to_owned(), "InvalidGrantTokenException"),
        ("RetireGrant", format!(r#"{{"KeyId":"{key}"}}"#), "ValidationException"),
        ("ListGrants", format!(r#"{{"KeyId":"{key}","Limit":101}}"#), "ValidationException"),
    ] {
        let (status, answer) = kms_request(&serving, operation, &body);
        assert_eq!((status, answer["__type"].as_str()), (400, Some(code)), "{operation} {body}: {answer}");
    }
    // AWS knows DryRun on some operations only; on the others it is an unknown member and the call is made.
    assert_eq!(kms_request(&serving, "DisableKey", &format!(r#"{{"KeyId":"{key}","DryRun":true}}"#)).0, 200);
    let (_, described) = kms_request(&serving, "DescribeKey", &format!(r#"{{"KeyId":"{key}"}}"#));
    assert_eq!(described["KeyMetadata"]["KeyState"], "Disabled");
    let unsigned = http(&serving, "POST", "/", &[("X-Amz-Target", "TrentService.ListKeys")], "{}");
    assert!(unsigned.1.contains("MissingAuthenticationTokenException"), "{unsigned:?}");
}

#[test]
fn kms_engine_control_path_keeps_strangers_out() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let serving = serve(engine.clone());
    let health = http(&serving, "GET", "/_scrybe/health", &[], "");
    assert!(health.0 == 200 && health.1.contains("\"status\":\"ok\""), "{health:?}");

    let before = engine.now();
    let forward = r#"{"advanceSeconds":864000}"#;
    assert_eq!(http(&serving, "POST", "/_scrybe/clock", &[], forward).0, 403);
    assert!(engine.now().duration_since(before).as_hours() < 1);
    let marked = [("x-scrybe-control", "1")];
    assert_eq!(http(&serving, "POST", "/_scrybe/clock", &marked, forward).0, 200);
    assert!(engine.now().duration_since(before).as_hours() >= 240);

    let fault = r#"{"operation":"Decrypt","nth":2,"fault":"throttled"}"#;
    assert_eq!(http(&serving, "POST", "/_scrybe/faults", &marked, fault).0, 200);
    assert_eq!(engine.faults().len(), 1);
    assert_eq!(http(&serving, "POST", "/_scrybe/faults", &marked, r#"{"operation":"x","fault":"unheard-of"}"#).0, 400);
    assert_eq!(http(&serving, "DELETE", "/_scrybe/faults", &marked, "").0, 200);
    assert!(engine.faults().is_empty());

    let foreign = [("Host", "kms.attacker.example"), ("x-scrybe-control", "1")];
    assert_eq!(http(&serving, "POST", "/_scrybe/clock", &foreign, forward).0, 403);
    assert_eq!(http(&serving, "GET", "/_scrybe/requests?after=nonsense", &[], "").0, 400);
    assert_eq!(http(&serving, "GET", "/_scrybe/requests", &[], "").0, 200);
}

#[test]
fn kms_engine_serves_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let error = scrybe_keys::local::endpoint::serve(open(dir.path()), listener, || false).err().unwrap();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
}

/// Whatever was acknowledged before a kill -9 is there after it. The test runs itself again as the process to be killed.
#[test]
fn kms_engine_kill_9_loses_nothing_that_was_acknowledged() {
    const ME: &str = "kms_engine::kms_engine_kill_9_loses_nothing_that_was_acknowledged";
    if let Some(dir) = std::env::var_os("SCRYBE_TEST_ENDPOINT_DIR") {
        let serving = serve(open(Path::new(&dir)));
        println!("ENDPOINT {}", serving.url());
        // Never left behind by a parent that died first.
        std::thread::spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            std::process::exit(1);
        });
        serving.wait();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let start = || -> (Child, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([ME, "--exact", "--nocapture"])
            .env("SCRYBE_TEST_ENDPOINT_DIR", dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|l| Some(l.split_once("ENDPOINT ")?.1.to_owned()));
        let url = url.expect("the child says where it listens");
        (child, url)
    };
    let mut acknowledged = Vec::new();
    for round in 0..12u64 {
        let (mut child, url) = start();
        let began = std::time::Instant::now();
        // Some rounds end in the middle of a call, some between two.
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60 + 37 * round));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let kms = client(&url, REGION);
        while began.elapsed() < Duration::from_secs(20) {
            let Ok(key) = kms.create_key(&NewKey::default()) else { break };
            let Ok(made) = kms.generate_data_key(&key.value.key_id, &Context::new()) else { break };
            acknowledged.push((key.value.arn, made.value));
        }
        killer.join().unwrap();
    }
    assert!(acknowledged.len() > 12, "only {} keys were made before the kills", acknowledged.len());
    let engine = open(dir.path());
    for (arn, made) in acknowledged {
        let opened = in_process(&engine).decrypt(Some(&arn), &made.wrapped, &Context::new()).unwrap().value;
        assert_eq!(opened.plaintext.as_slice(), made.dek.expose());
    }
}
