//! Every verb at its most talkative, and none of it holds a key or a plaintext: raw, in hexadecimal or in base64.
//!
//! The foreign seed knows every DEK and plaintext it made, and check.py every DEK the product made since. Searched: stdout,
//! stderr, the audit chain, every other table of the tool's own, and what the tool left in its home.

use crate::support::cli::Ran;
use crate::support::foreign::{Check, Seed};
use crate::support::world::{Secret, World};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Every text in which a key of 32 bytes would give itself away, whole or in halves, at any base64 phase.
fn faces(secret: &Secret) -> Vec<Vec<u8>> {
    match secret {
        Secret::Plaintext(text) => {
            let marked = text.split(['<', '>']).nth(1).filter(|m| m.len() > 12).unwrap_or(text);
            vec![marked.as_bytes().to_vec(), STANDARD_NO_PAD.encode(marked).as_bytes()[..12].to_vec()]
        }
        Secret::Dek(hexadecimal) => {
            let key: Vec<u8> =
                (0..64).step_by(2).map(|n| u8::from_str_radix(&hexadecimal[n..n + 2], 16).unwrap()).collect();
            let mut all = vec![key.clone(), hexadecimal.clone().into_bytes(), hexadecimal.to_uppercase().into_bytes()];
            for half in [&key[..16], &key[16..]] {
                let spelled: String = half.iter().map(|b| format!("{b:02x}")).collect();
                all.extend([half.to_vec(), spelled.clone().into_bytes(), spelled.to_uppercase().into_bytes()]);
                let list = half.iter().map(u8::to_string).collect::<Vec<_>>();
                all.extend([list.join(", ").into_bytes(), list.join(",").into_bytes()]);
            }
            for phase in 0..3 {
                let middle = &key[phase..phase + (key.len() - phase) / 3 * 3];
                all.extend([
                    STANDARD.encode(middle).into_bytes(),
                    URL_SAFE.encode(middle).into_bytes(),
                    URL_SAFE_NO_PAD.encode(&middle[..15]).into_bytes(),
                ]);
            }
            all
        }
    }
}

fn holds(text: &[u8], face: &[u8]) -> bool {
    memchr::memmem::find(text, face).is_some()
}

#[test]
fn secrecy_the_search_finds_what_it_is_to_find() {
    let key = [0xA7u8, 0x01, 0xFE].iter().copied().cycle().take(32).collect::<Vec<u8>>();
    let hexadecimal: String = key.iter().map(|b| format!("{b:02x}")).collect();
    let faces = faces(&Secret::Dek(hexadecimal.clone()));
    for leak in [
        hexadecimal.clone(),
        hexadecimal.to_uppercase(),
        STANDARD.encode(&key),
        format!("{key:?}"),
        STANDARD.encode([&[1u8][..], &key].concat()),
        URL_SAFE_NO_PAD.encode(&key),
    ] {
        assert!(faces.iter().any(|face| holds(leak.as_bytes(), face)), "{leak} would not be found");
    }
}

#[test]
fn secrecy_no_verb_shows_a_key_or_a_plaintext() {
    let flaws = vec!["corrupted", "foreign-key", "plaintext", "nested", "orphan"];
    let Some(world) =
        World::unbound(scrybe_keys::db::application::Shape::Full, Seed { orgs: 2, flaws, ..Seed::default() })
    else {
        return;
    };
    let org = world.org();
    let mut said: Vec<Ran> = Vec::new();
    let mut run = |arguments: &[&str]| {
        for form in [&["-vv"][..], &["-vv", "--json"]] {
            let ran = world.run(&[arguments, form].concat());
            assert!(ran.status.code().is_some_and(|code| code != 1), "an internal fault: {ran:?}");
            said.push(ran);
        }
    };
    run(&["init"]);
    run(&["context"]);
    run(&["health", "--deep", "--record"]);
    run(&["census", "--list-unopenable"]);
    run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--dry-run"]);
    run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]);
    run(&["rotate", "--revert", "--org", org, "--reason", "test", "--settle", "0s", "--yes"]);
    run(&["re-encrypt", "--all", "--settle", "0s", "--include-plaintext", "--unwrap-nested", "--yes"]);
    run(&["rotate-cmk", "--reason", "test", "--yes"]);
    run(&["rewrap", "--old-material", "--reason", "test", "--yes"]);
    run(&["keys", "list"]);
    run(&["keys", "show", org, "--deep"]);
    run(&["jobs", "list"]);
    run(&["jobs", "status", "latest"]);
    run(&["jobs", "failures", "latest"]);
    run(&["jobs", "retry-failed", "latest", "--yes"]);
    run(&["audit", "log"]);
    run(&["audit", "verify"]);
    run(&["health", "--deep"]);
    run(&["rotate", "--org", "nobody", "--reason", "test", "--yes"]);
    // A death in the middle of it leaves no more than that.
    world
        .sql()
        .batch_execute(
            "UPDATE \"EncryptionKey\" SET \"encryptedDek\" = 'dev:' || \"encryptedDek\" WHERE \"keyVersion\" = 1",
        )
        .unwrap();
    run(&["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"]);
    world.sql().batch_execute("UPDATE \"EncryptionKey\" SET \"encryptedDek\" = substr(\"encryptedDek\", 5) WHERE \"encryptedDek\" LIKE 'dev:%'").unwrap();
    let mut crash = world.run_with(
        "SCRYBE_KEYS_CRASH_AT",
        "batch-before-commit",
        &["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes", "-vv"],
    );
    crash.arguments.push_str(" (crashing)");
    said.push(crash);
    assert!(
        said.iter().filter(|ran| ran.stderr.len() + ran.stdout.len() > 40).count() > said.len() / 2,
        "most of it said nothing"
    );

    let _ = world.try_check(&Check::half_way());
    let mut searched: Vec<(String, Vec<u8>)> =
        said.iter().map(|r| (r.arguments.clone(), format!("{}\n{}", r.stdout, r.stderr).into_bytes())).collect();
    let mut sql = world.sql();
    let tables = sql.query("SELECT tablename FROM pg_tables WHERE schemaname = 'scrybe_keys'", &[]).unwrap();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let text: String = sql
            .query_one(&format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM scrybe_keys.\"{table}\" t"), &[])
            .unwrap()
            .get(0);
        searched.push((format!("table {table}"), text.into_bytes()));
    }
    assert!(
        searched.iter().any(|(place, text)| place == "table audit" && text.len() > 1000),
        "the audit chain is empty"
    );
    for file in std::fs::read_dir(world.path("")).unwrap().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if file.path().is_file() && !["secrets.jsonl", "manifest.json"].contains(&name.as_str()) {
            searched.push((format!("file {name}"), std::fs::read(file.path()).unwrap()));
        }
    }
    let password = world.environment["DATABASE_URL"].split(['@', ':']).nth(2).unwrap().as_bytes().to_vec();
    let secrets = world.secrets();
    assert!(
        secrets.iter().filter(|s| matches!(s, Secret::Dek(_))).count() >= 6,
        "the keys made by the product are among them"
    );
    for (place, text) in &searched {
        assert!(!holds(text, &password), "the database password is shown by {place}");
        for secret in &secrets {
            let face = faces(secret).into_iter().find(|face| holds(text, face));
            let kind = if matches!(secret, Secret::Dek(_)) { "a DEK" } else { "a plaintext" };
            assert!(
                face.is_none(),
                "{kind} is shown by `{place}` as {:?}",
                face.map(|f| String::from_utf8_lossy(&f).into_owned())
            );
        }
        assert!(!holds(text, b"enc:v1:"), "an envelope is shown by `{place}`");
    }
}
