//! Keys, KMS and settings that are not as they should be: refused before anything is changed, saying what and what to type next.

use crate::support::cli::Ran;
use crate::support::foreign::{Check, Seed};
use crate::support::world::{REGION, World};
use scrybe_keys::core::kms::Kms;
use scrybe_keys::local::{Fault, FaultKind};

fn clinic() -> Option<World> {
    World::ready(Seed { orgs: 2, ..Seed::default() })
}

/// Runs, expects the exit code and every text, and that not one row of the application changed.
#[track_caller]
fn is_refused(world: &World, arguments: &[&str], code: i32, says: &[&str]) -> Ran {
    let before = world.digest();
    let ran = world.run(arguments).expect(code);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for text in says {
        assert!(said.contains(text), "{text:?} is not said in {ran:?}");
    }
    assert_eq!(world.digest(), before, "something changed: {ran:?}");
    ran
}

const ROTATE: [&str; 7] = ["rotate", "--all", "--reason", "test", "--settle", "0s", "--yes"];
const RE_ENCRYPT: [&str; 5] = ["re-encrypt", "--all", "--settle", "0s", "--yes"];

#[test]
fn faults_duplicate_active_deks_are_refused_until_resolved() {
    let Some(world) = clinic() else { return };
    world.application_flips("insert");
    is_refused(&world, &ROTATE, 5, &["active", world.org()]);
    let health = world.run(&["health", "--json"]).expect(3);
    assert!(health.problem_codes().iter().any(|c| c.contains("active") || c.contains("duplicate")), "{health:?}");
    // Which version cells go to is no question even then: the application seals with the highest.
    let moved = world.run(&[&RE_ENCRYPT[..], &["--json"]].concat()).expect(0);
    assert!(moved.problem_codes().iter().any(|c| c == "duplicate-active-deks"), "{moved:?}");
    is_refused(&world, &ROTATE, 5, &["active", world.org()]);
    world.application_flips("deactivate");
    world.check(Check::version(2));
    world.run(&ROTATE).expect(0);
    world.check(Check::version(3));
}

#[test]
fn faults_duplicate_versions_are_refused() {
    let Some(world) = clinic() else { return };
    world.application_flips("both");
    world
        .sql()
        .execute("UPDATE \"EncryptionKey\" SET \"keyVersion\" = 2 WHERE \"organizationId\" = $1", &[&world.org()])
        .unwrap();
    is_refused(
        &world,
        &["rotate", "--org", world.org(), "--reason", "test", "--settle", "0s", "--yes"],
        5,
        &["version", world.org()],
    );
    world.check(Check::half_way());
}

#[test]
fn faults_a_dek_that_kms_refuses_stops_its_organization() {
    let Some(world) = clinic() else { return };
    let damage = "UPDATE \"EncryptionKey\" SET \"encryptedDek\" = overlay(\"encryptedDek\" placing 'AAAAAAAA' from length(\"encryptedDek\") - 20) \
                  WHERE \"organizationId\" = $1 RETURNING id";
    let id: String = world.sql().query_one(damage, &[&world.org()]).unwrap().get(0);
    let ran = is_refused(
        &world,
        &["rotate", "--org", world.org(), "--reason", "test", "--settle", "0s", "--yes"],
        5,
        &["InvalidCiphertext"],
    );
    assert!(
        format!("{}{}", ran.stdout, ran.stderr).contains(&id) || ran.stderr.contains(world.org()),
        "neither the DEK row nor the organization is named: {ran:?}"
    );
    world
        .run(&["rotate", "--org", &world.seeded.organizations[1], "--reason", "test", "--settle", "0s", "--yes"])
        .expect(0);
    assert_eq!(world.versions(world.org()), [(1, true)]);
}

#[test]
fn faults_a_disabled_cmk_is_refused() {
    let Some(world) = clinic() else { return };
    let arn = world.seeded.key_arn.clone().unwrap();
    world.kms.direct(REGION).disable_key(&arn).unwrap();
    is_refused(&world, &ROTATE, 5, &["DisabledException", "scrybe-keys health"]);
    world.kms.direct(REGION).enable_key(&arn).unwrap();
    world.run(&ROTATE).expect(0);
    world.check(Check::version(2));
}

#[test]
fn faults_a_kms_that_denies_is_exit_6() {
    let Some(world) = clinic() else { return };
    for operation in ["GenerateDataKey", "Decrypt"] {
        world.kms.engine.add_fault(Fault {
            operation: operation.to_owned(),
            nth: 1,
            times: 1000,
            fault: FaultKind::Denied,
        });
        is_refused(&world, &ROTATE, 6, &["AccessDenied", operation]);
        world.kms.engine.clear_faults();
    }
    world.check(Check::version(1));
}

#[test]
fn faults_a_kms_that_always_throttles_is_exit_8() {
    let Some(world) = clinic() else { return };
    world.kms.engine.add_fault(Fault {
        operation: "*".to_owned(),
        nth: 1,
        times: 100_000,
        fault: FaultKind::Throttled,
    });
    is_refused(&world, &ROTATE, 8, &["hrottl"]);
    world.kms.engine.clear_faults();
    world.run(&ROTATE).expect(0);
}

#[test]
fn faults_a_kms_hiccup_is_ridden_out() {
    let Some(world) = clinic() else { return };
    for (version, fault) in (2..).zip([FaultKind::Throttled, FaultKind::ServerError, FaultKind::ReplyLost]) {
        for operation in ["GenerateDataKey", "Decrypt"] {
            world.kms.engine.add_fault(Fault { operation: operation.to_owned(), nth: 2, times: 1, fault });
        }
        world.run(&ROTATE).expect(0);
        assert!(world.kms.engine.faults().is_empty(), "{fault:?} never happened");
        world.check(Check::version(version));
    }
}

#[test]
fn faults_a_kms_that_is_not_there_is_exit_8() {
    let Some(mut world) = clinic() else { return };
    let closed = { std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap() };
    world.environment.insert("AWS_ENDPOINT_URL".to_owned(), format!("http://{closed}"));
    is_refused(&world, &ROTATE, 8, &["kms"]);
}

#[test]
fn faults_the_wrong_region_is_refused_saying_both() {
    let Some(mut world) = clinic() else { return };
    world.environment.insert("AWS_REGION".to_owned(), "eu-central-1".to_owned());
    // The key's ARN names its own region: two settings contradict each other.
    is_refused(&world, &ROTATE, 2, &["eu-central-1", REGION]);
    // A bare key id does not: the binding knows better.
    let id = world.seeded.key_arn.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
    world.environment.insert("AWS_KMS_KEY_ID".to_owned(), id);
    is_refused(&world, &ROTATE, 5, &["eu-central-1", REGION]);
}

#[test]
fn faults_another_key_is_refused_saying_both() {
    let Some(mut world) = clinic() else { return };
    let other = world.kms.direct(REGION).create_key(&Default::default()).unwrap().value.arn;
    world.environment.insert("AWS_KMS_KEY_ID".to_owned(), other.clone());
    is_refused(&world, &ROTATE, 5, &[&other, world.seeded.key_arn.as_deref().unwrap()]);
}

#[test]
fn faults_another_provider_is_refused_saying_both() {
    let Some(mut world) = clinic() else { return };
    world.environment.insert("LOCAL_KEK".to_owned(), "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned());
    world.environment.insert("SCRYBE_LOCAL_KMS".to_owned(), world.path("kms").to_str().unwrap().to_owned());
    for provider in ["local", "dev"] {
        is_refused(&world, &[&ROTATE[..], &["--kms", provider]].concat(), 5, &[provider, "aws"]);
    }
}

#[test]
fn faults_another_environment_is_refused_saying_both() {
    let Some(mut world) = clinic() else { return };
    is_refused(&world, &[&ROTATE[..], &["--environment", "staging"]].concat(), 5, &["staging", "development"]);
    // Nobody says which world this is: neither the environment nor the file that `init` wrote.
    world.environment.remove("SCRYBE_ENV");
    world.environment.insert("HOME".to_owned(), world.path("nowhere").to_str().unwrap().to_owned());
    is_refused(&world, &ROTATE, 2, &["--environment"]);
}

#[test]
fn faults_a_database_that_was_never_bound_is_refused() {
    let Some(world) = World::unbound(scrybe_keys::db::application::Shape::Full, Seed { orgs: 1, ..Seed::default() })
    else {
        return;
    };
    is_refused(&world, &ROTATE, 5, &["scrybe-keys init"]);
}

#[test]
fn faults_a_dev_dek_never_passes_in_production() {
    let Some(mut world) =
        World::unbound(scrybe_keys::db::application::Shape::Full, Seed { orgs: 1, dev: true, ..Seed::default() })
    else {
        return;
    };
    let before = world.digest();
    world.environment.insert("SCRYBE_ENV".to_owned(), "production".to_owned());
    let bound = world.run(&["init"]);
    assert_ne!(bound.code(), 0, "{bound:?}");
    let ran = world.run(&ROTATE);
    assert!([2, 5].contains(&ran.code()), "{ran:?}");
    assert_eq!(world.digest(), before);
}

#[test]
fn faults_an_unknown_organization_is_named() {
    let Some(world) = clinic() else { return };
    let ran = is_refused(
        &world,
        &["rotate", "--org", "no-such-clinic", "--reason", "test", "--settle", "0s", "--yes"],
        5,
        &["no-such-clinic"],
    );
    assert!(ran.stdout.is_empty(), "{ran:?}");
    is_refused(
        &world,
        &["re-encrypt", "--org", "no-such-clinic", "--settle", "0s", "--yes", "--json"],
        5,
        &["no-such-clinic", "\"exitCode\""],
    );
}

#[test]
fn faults_an_unknown_model_is_named_beside_the_known_ones() {
    let Some(world) = clinic() else { return };
    is_refused(&world, &[&RE_ENCRYPT[..], &["--model", "Notes"]].concat(), 2, &["Notes", "FormSubmission", "Message"]);
}

#[test]
fn faults_no_consent_off_a_terminal_is_exit_4() {
    let Some(world) = clinic() else { return };
    is_refused(&world, &["rotate", "--all", "--reason", "test", "--settle", "0s"], 4, &["--yes"]);
    is_refused(&world, &["rotate", "--all", "--settle", "0s", "--yes"], 2, &["--reason"]);
    is_refused(&world, &["rotate", "--reason", "test", "--yes"], 2, &["--org", "--all", "--due"]);
}

#[test]
fn faults_a_newer_version_asked_for_than_the_active_one_is_refused() {
    let Some(world) = clinic() else { return };
    let before = world.digest();
    let ran = world.run(&[&RE_ENCRYPT[..], &["--to-version", "7"]].concat());
    assert!([2, 5].contains(&ran.code()), "{ran:?}");
    assert_eq!(world.digest(), before);
}
