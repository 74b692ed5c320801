//! What an operator meets when `create-cmk` cannot go on: each says what, where and what to type next, and leaves nothing half made that the
//! next run does not finish.

use crate::support::account::{Account, SECTION};
use scrybe_keys::core::kms::{Kms, KmsErrorKind, NewKey};
use scrybe_keys::local::{Fault, FaultKind};
use serde_json::json;

const ALIAS: &str = "alias/scrybe-phi-master-key-staging";

fn fault(account: &Account, operation: &str, kind: FaultKind, times: u32) {
    account.kms.engine.add_fault(Fault { operation: operation.to_owned(), fault: kind, nth: 1, times });
}

#[test]
fn no_credentials_is_said_before_anything_else() {
    let Some(mut account) = Account::empty(SECTION) else { return };
    account.environment.retain(|name, _| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SECRET"));
    account.create(&["--yes"]).expect(6).says("give AWS credentials");
    assert_eq!(account.keys(), 0);
}

#[test]
fn no_environment_is_a_usage_error() {
    let Some(mut account) = Account::empty("") else { return };
    account.environment.remove("SCRYBE_KEYS_CONFIG");
    account.environment.insert("SCRYBE_KMS".to_owned(), "aws".to_owned());
    account.create(&["--yes"]).expect(2).says("--environment development, staging or production");
}

#[test]
fn one_denied_call_of_many_stops_there_and_the_next_run_goes_on() {
    let Some(account) = Account::empty(SECTION) else { return };
    fault(&account, "CreateAlias", FaultKind::Denied, 1);
    let denied = account.create(&["--yes", "--json"]).expect(6).says("CreateAlias").says("goes on from here");
    assert_eq!(denied.problem_codes(), ["kms-denied"]);
    account.create(&["--yes"]).expect(0);
    assert_eq!(account.keys(), 2);
    account.create(&["--dry-run"]).expect(0);
}

#[test]
fn what_may_not_be_read_is_unknown_and_nothing_is_overwritten() {
    let Some(account) = Account::empty(SECTION) else { return };
    account.create(&["--yes"]).expect(0);
    let id = account.direct().describe_key(ALIAS).unwrap().value.key_id;
    account.direct().disable_key_rotation(&id).unwrap();
    fault(&account, "GetKeyPolicy", FaultKind::Denied, 50);
    let denied = account.create(&["--yes", "--json"]).expect(6);
    drop(denied.says("GetKeyPolicy").says("nothing was changed"));
    assert!(!account.direct().key_rotation_status(&id).unwrap().value.enabled);
    account.kms.engine.clear_faults();
    let dry = account.create(&["--dry-run", "--json"]).expect(3).json();
    assert_eq!(dry["data"]["plan"]["calls"], 1);
}

#[test]
fn throttling_is_waited_out_and_one_that_does_not_end_is_said() {
    let Some(account) = Account::empty("") else { return };
    fault(&account, "EnableKeyRotation", FaultKind::Throttled, 2);
    account.create(&["--yes"]).expect(0);
    let Some(account) = Account::empty("") else { return };
    fault(&account, "ListAliases", FaultKind::Throttled, 100);
    let ran = account.create(&["--yes", "--json"]).expect(8);
    assert_eq!(ran.problem_codes(), ["kms-throttled"]);
    drop(ran.says("run the same command again in a minute"));
}

#[test]
fn an_answer_that_is_lost_makes_no_second_key() {
    let Some(account) = Account::empty(SECTION) else { return };
    fault(&account, "CreateKey", FaultKind::ReplyLost, 1);
    let _ = account.create(&["--yes"]);
    account.create(&["--yes"]).expect(0);
    assert_eq!(account.keys(), 2);
}

#[test]
fn an_alias_of_a_foreign_key_is_neither_moved_nor_adopted_unasked() {
    let Some(account) = Account::empty("") else { return };
    let foreign = account.direct().create_key(&NewKey::default()).unwrap().value;
    account.direct().create_alias(ALIAS, &foreign.key_id).unwrap();
    let refused = account.create(&["--yes", "--json"]).expect(4).says("--allow adopt").says("--allow alias");
    assert_eq!(refused.problem_codes(), ["allow-needed"]);
    assert_eq!((account.keys(), account.direct().key_tags(&foreign.key_id).unwrap().value.len()), (1, 0));

    account.create(&["--yes", "--allow", "adopt"]).expect(0);
    assert_eq!(account.keys(), 1, "the key was taken over");
    assert_eq!(account.direct().describe_key("alias/scrybe-phi-staging").unwrap().value.key_id, foreign.key_id);
    account.create(&[]).expect(0).says("Nothing to do");

    let Some(account) = Account::empty("") else { return };
    let foreign = account.direct().create_key(&NewKey::default()).unwrap().value;
    account.direct().create_alias(ALIAS, &foreign.key_id).unwrap();
    account.create(&["--yes", "--allow", "alias"]).expect(0);
    assert_eq!(account.keys(), 2, "a key of our own was made");
    assert_ne!(account.direct().describe_key(ALIAS).unwrap().value.key_id, foreign.key_id);
    assert_eq!(account.direct().key_tags(&foreign.key_id).unwrap().value.len(), 0, "the foreign key is left alone");
    account.create(&[]).expect(0).says("Nothing to do");
}

#[test]
fn a_window_out_of_range_is_refused_with_its_line() {
    for days in [6, 31] {
        let section = format!("provision:\n  staging:\n    key:\n      deletion-window-days: {days}\n");
        let Some(account) = Account::empty(&section) else { return };
        let refused = account.create(&["--yes", "--json"]).expect(2);
        assert_eq!(refused.problem_codes(), ["bad-provision"]);
        drop(refused.says("config.yaml:6: key.deletion-window-days must be from 7 to 30 days"));
        assert_eq!(account.keys(), 0);
    }
}

#[test]
fn a_wrong_region_makes_nothing_where_the_key_is_named() {
    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes"]).expect(0);
    let arn = account.direct().describe_key(ALIAS).unwrap().value.arn;
    account.create(&["--yes", "--key", &arn, "--region", "eu-west-1"]).expect(2).says("is in region us-west-2");
    let other = account.create(&["--dry-run", "--region", "eu-west-1", "--json"]).expect(3).json();
    assert_eq!(other["data"]["region"], "eu-west-1", "another region is another world, and the plan says so");
}

#[test]
fn a_key_that_is_being_deleted_or_disabled_is_said_and_not_recovered() {
    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes"]).expect(0);
    let id = account.direct().describe_key(ALIAS).unwrap().value.key_id;
    account.direct().disable_key(&id).unwrap();
    let dry = account.create(&["--dry-run", "--json"]).expect(3).says("KMS says Disabled").says("aws kms enable-key");
    assert_eq!(dry.problem_codes(), ["cannot-change"]);
    account.create(&["--yes"]).expect(3);
    account.direct().schedule_key_deletion(&id, 7).unwrap();
    account.create(&["--dry-run"]).expect(3).says("it will be deleted").says("cancel-key-deletion");
    account.create(&["--yes"]).expect(3);
    assert_eq!(account.keys(), 1, "no second key is made behind the first one's back");
}

#[test]
fn a_policy_that_would_lock_everybody_out_is_not_sent() {
    let Some(account) = Account::empty("") else { return };
    let refused = account.direct().create_key(&NewKey {
        policy: Some(json!({"Version": "2012-10-17", "Statement": []}).to_string()),
        ..NewKey::default()
    });
    assert_eq!(refused.unwrap_err().kind, KmsErrorKind::Invalid, "KMS itself refuses it");
    let both = "arn:aws:iam::111122223333:role/one-for-all";
    let section = format!(
        "provision:\n  staging:\n    roles:\n      administrators: [{both}]\n      application: [{both}]\n      emergency: [{both}]\n"
    );
    let Some(account) = Account::empty(&section) else { return };
    let refused = account.create(&["--yes", "--json"]).expect(2).says("one-for-all").says("kept apart");
    assert_eq!((refused.problem_codes(), account.keys()), (vec!["bad-roles".to_owned()], 0));
    // Who manages a key may not replace its policy: naming the caller there would lock it out.
    let section =
        "provision:\n  staging:\n    roles:\n      administrators: [arn:aws:iam::111122223333:user/embedded]\n";
    let Some(account) = Account::empty(section) else { return };
    let refused = account.create(&["--yes", "--json"]).expect(5).says("it denies you kms:PutKeyPolicy");
    assert_eq!((refused.problem_codes(), account.keys()), (vec!["dangerous-policy".to_owned()], 0));
}

#[test]
fn a_multi_region_key_has_its_copies_with_policy_and_aliases_and_a_lost_alias_there_is_drift() {
    let Some(account) = Account::empty("") else { return };
    let flags = ["--replica-region", "eu-west-1"];
    account.create(&[&["--yes"], &flags[..]].concat()).expect(0);
    let there = account.kms.direct("eu-west-1");
    let copy = there.describe_key(ALIAS).unwrap().value;
    assert_eq!(copy.key_id, account.direct().describe_key(ALIAS).unwrap().value.key_id);
    account.create(&flags).expect(0).says("Nothing to do");
    there.delete_alias(ALIAS).unwrap();
    account.create(&[&["--dry-run"], &flags[..]].concat()).expect(3).says("is missing there");
    account.create(&[&["--yes"], &flags[..]].concat()).expect(0);
    account.create(&flags).expect(0).says("Nothing to do");

    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes"]).expect(0);
    account.create(&["--yes", "--multi-region"]).expect(3).says("a key's kind is fixed when it is made");
}

#[test]
fn a_kms_that_shows_things_late_is_waited_for() {
    let Some(account) = Account::empty(SECTION) else { return };
    account.kms.engine.set_lag(3);
    account.create(&["--yes"]).expect(0);
    account.kms.engine.set_lag(0);
    account.create(&[]).expect(0).says("Nothing to do");
    assert_eq!(account.keys(), 2);
}

#[test]
fn adopting_a_key_does_not_overwrite_its_policy_unless_that_is_allowed_too() {
    let roles = "provision:\n  staging:\n    roles:\n      application: [arn:aws:iam::111122223333:role/clinic]\n";
    let Some(account) = Account::empty(roles) else { return };
    let foreign = account.direct().create_key(&NewKey::default()).unwrap().value;
    account.direct().create_alias(ALIAS, &foreign.key_id).unwrap();
    let policy = account.direct().key_policy(&foreign.key_id).unwrap().value;
    account.create(&["--yes", "--allow", "adopt"]).expect(4).says("--allow policy");
    assert_eq!(account.direct().key_policy(&foreign.key_id).unwrap().value, policy);
    let both = ["create-cmk", "--yes", "--allow", "adopt,policy"];
    let killed = account.run_with("SCRYBE_KEYS_CRASH_AT", "provision-call:1", &both);
    assert!(killed.status.code().is_none(), "{killed:?}");
    account.run(&both).expect(0);
    assert!(account.direct().key_policy(&foreign.key_id).unwrap().value.contains("role/clinic"));
    account.create(&[]).expect(0).says("Nothing to do");
}

#[test]
fn tags_that_could_not_be_read_make_no_second_key() {
    let Some(account) = Account::empty("") else { return };
    let killed = account.run_with("SCRYBE_KEYS_CRASH_AT", "provision-call:1", &["create-cmk", "--yes"]);
    assert!(killed.status.code().is_none(), "{killed:?}");
    fault(&account, "ListResourceTags", FaultKind::Throttled, 1);
    account.create(&["--yes"]).expect(8);
    fault(&account, "ListResourceTags", FaultKind::ServerError, 1);
    account.create(&["--yes"]).expect(8);
    account.create(&["--yes"]).expect(0);
    assert_eq!(account.keys(), 1);
}

#[test]
fn a_log_sealed_by_the_key_it_watches_is_never_made() {
    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes"]).expect(0);
    let arn = account.direct().describe_key(ALIAS).unwrap().value.arn;
    let section = format!("provision:\n  staging:\n    audit:\n      key: {arn}\n");
    let config = account.path("config.yaml");
    std::fs::write(&config, format!("environment: staging\nkms: aws\n{section}")).unwrap();
    let refused = account.create(&["--yes", "--json"]).expect(3).says("the log would be sealed by the key it watches");
    assert!(refused.problem_codes().iter().all(|code| code == "cannot-change"), "{refused:?}");
    let trails = account.foreign("cloudtrail", "ListTrails", json!({}));
    assert_eq!(trails["Trails"].as_array().map(Vec::len), Some(0), "{trails}");
}

#[test]
fn an_alias_is_not_moved_onto_a_key_that_cannot_be_used() {
    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes"]).expect(0);
    let id = account.direct().describe_key(ALIAS).unwrap().value.key_id;
    let other = account.direct().create_key(&NewKey::default()).unwrap().value.key_id;
    account.direct().update_alias(ALIAS, &other).unwrap();
    account.direct().disable_key(&id).unwrap();
    account.create(&["--yes", "--allow", "alias"]).expect(3).says("it waits for the master key");
    assert_eq!(account.direct().describe_key(ALIAS).unwrap().value.key_id, other);
}

#[test]
fn a_key_of_ours_that_waits_for_its_deletion_is_told_of() {
    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes"]).expect(0);
    let id = account.direct().describe_key(ALIAS).unwrap().value.key_id;
    account.direct().delete_alias(ALIAS).unwrap();
    account.direct().delete_alias("alias/scrybe-phi-staging").unwrap();
    account.direct().schedule_key_deletion(&id, 7).unwrap();
    account.create(&["--dry-run"]).expect(3).says("waits for its deletion").says("cancel-key-deletion").says(&id);
}

#[test]
fn a_copy_of_the_key_that_nobody_configured_is_critical() {
    let Some(account) = Account::empty("") else { return };
    account.create(&["--yes", "--replica-region", "eu-west-1"]).expect(0);
    let dry = account.create(&["--dry-run", "--json"]).expect(3).says("a copy of the key that is not configured");
    assert_eq!(dry.problem_codes(), ["cannot-change"]);
}

#[test]
fn a_policy_that_locks_the_caller_out_stops_the_whole_plan() {
    let Some(account) = Account::empty(SECTION) else { return };
    account.create(&["--yes"]).expect(0);
    // Whoever runs it from now on is an administrator: such a policy would lock it out, and is not sent.
    let config = account.path("config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let theirs = "arn:aws:iam::111122223333:user/embedded";
    account.foreign("cloudtrail", "StopLogging", json!({"Name": "scrybe-keys-staging"}));
    std::fs::write(&config, text.replace("arn:aws:iam::111122223333:role/KeyManagementAdmin", theirs)).unwrap();
    account.create(&["--yes", "--allow", "policy"]).expect(5).says("it denies you kms:PutKeyPolicy");
    std::fs::write(&config, text).unwrap();
    account.create(&["--yes"]).expect(0);
}

#[test]
fn an_env_file_with_other_settings_is_left_alone() {
    let Some(account) = Account::empty("") else { return };
    let file = account.path(".env");
    std::fs::write(&file, "DATABASE_URL=postgresql://app:secret@db/clinic\nAWS_KMS_KEY_ID=old\n").unwrap();
    account.create(&["--yes", "--env-file", file.to_str().unwrap()]).expect(5).says("would be lost");
    assert_eq!((account.keys(), std::fs::read_to_string(&file).unwrap().lines().count()), (0, 2));
    std::fs::write(&file, b"GREETING=caf\xe9\nAWS_KMS_KEY_ID=old\n").unwrap();
    account.create(&["--yes", "--env-file", file.to_str().unwrap()]).expect(5).says("would be lost");
    std::fs::write(&file, "AWS_KMS_KEY_ID=old\n").unwrap();
    account.create(&["--yes", "--env-file", file.to_str().unwrap()]).expect(0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("AWS_KMS_KEY_ARN=arn:aws:kms:"));
}

#[test]
fn what_was_done_before_a_refusal_is_said() {
    let Some(account) = Account::empty(SECTION) else { return };
    fault(&account, "CreateAlias", FaultKind::Denied, 1);
    let denied = account.create(&["--yes", "--json"]).expect(6).json();
    assert_eq!((&denied["changed"], denied["data"]["done"].as_array().unwrap().len()), (&json!(true), 2));
}

#[test]
fn a_setting_that_names_another_key_than_the_aliases_is_not_passed_over() {
    let Some(mut account) = Account::empty("provision:\n  staging: {}\n") else { return };
    account.create(&["--yes"]).expect(0);
    let other = account.direct().create_key(&NewKey::default()).unwrap().value.arn;
    account.environment.insert("AWS_KMS_KEY_ID".to_owned(), other.clone());
    let file = account.path("app.env");
    let dry = account.create(&["--json", "--env-file", file.to_str().unwrap()]).expect(3).says("AWS_KMS_KEY_ID says");
    assert!(
        dry.json()["data"]["outputs"].is_null() && !file.exists(),
        "a key that may be the wrong one is not handed on"
    );
    let health = account.run(&["health", "--json"]);
    assert!(health.problem_codes().contains(&"alias-elsewhere".to_owned()), "{health:?}");
    // Said by name it is looked after, and takes the aliases.
    account.create(&["--yes", "--key", &other, "--allow", "alias,adopt"]).expect(0);
    assert_eq!(account.direct().describe_key(ALIAS).unwrap().value.arn, other);
    account.create(&[]).expect(0).says("Nothing to do");
}

#[test]
fn log_files_that_are_there_are_not_made_to_expire_earlier_unasked() {
    let Some(account) = Account::empty(SECTION) else { return };
    account.create(&["--yes"]).expect(0);
    let config = account.path("config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("    audit:\n", "    audit:\n      expire-days: 400\n")).unwrap();
    account.create(&["--yes"]).expect(4).says("--allow policy").says("for 2557 days instead of 400");
    account.create(&["--yes", "--allow", "policy"]).expect(0);
    std::fs::write(&config, text).unwrap();
    account.create(&["--yes"]).expect(0);
}

#[test]
fn no_key_is_made_that_no_trail_would_record() {
    let Some(account) = Account::empty(SECTION) else { return };
    account.run_with("SCRYBE_KEYS_CRASH_AT", "provision-call:3", &["create-cmk", "--yes"]);
    let log_key = account.direct().describe_key("alias/scrybe-audit-staging").unwrap().value.key_id;
    account.direct().disable_key(&log_key).unwrap();
    account.create(&["--yes"]).expect(3).says("it waits for the trail").says("KMS says Disabled");
    assert_eq!(account.keys(), 1, "the master key is not made");
    account.direct().enable_key(&log_key).unwrap();
    account.create(&["--yes"]).expect(0);
}
