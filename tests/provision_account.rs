//! `create-cmk` on an empty account: everything is made, a second run finds nothing to do, and each thing broken alone is found and mended.

use crate::support::account::{ACCOUNT, Account, REGION, SECTION, foreign};
use crate::support::cluster::Database;
use crate::support::emulators::{Emulator, MINISTACK, MOTO};
use scrybe_keys::core::kms::{Kms, NewKey};
use scrybe_keys::db::application::Shape;
use serde_json::{Value, json};

fn state(answer: &Value, part: &str) -> String {
    let items = answer["data"]["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["part"] == part).unwrap_or_else(|| panic!("no {part} in {answer:#}"));
    item["state"].as_str().unwrap().to_owned()
}

/// Parts that are not in place.
fn differing(answer: &Value) -> Vec<String> {
    let items = answer["data"]["items"].as_array().unwrap();
    let others = items.iter().filter(|item| item["state"] != "in-place");
    others.map(|item| item["part"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_empty_account_is_provisioned_and_the_second_run_has_nothing_to_do() {
    let Some(account) = Account::empty(SECTION) else { return };
    let plan = account.create(&["--dry-run", "--json"]).expect(3).json();
    assert!(plan["data"]["items"].as_array().unwrap().iter().all(|item| item["state"] != "in-place"), "{plan:#}");
    assert_eq!((account.keys(), &plan["changed"]), (0, &json!(false)), "a dry run changes nothing");
    account.create(&[]).expect(4).says("needs consent");
    assert_eq!(account.keys(), 0);

    let env_file = account.path("app.env");
    let made = account.create(&["--yes", "--json", "--env-file", env_file.to_str().unwrap()]).expect(0).json();
    assert_eq!(made["changed"], true);
    assert_eq!(differing(&made), Vec::<String>::new());
    let outputs = &made["data"]["outputs"];
    let arn = outputs["kms_key_arn"].as_str().unwrap();
    assert!(arn.starts_with(&format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/")), "{arn}");
    assert_eq!(outputs["kms_key_alias"], "alias/scrybe-phi-master-key-staging");
    assert_eq!(outputs["audit_logs_bucket"], format!("scrybe-audit-logs-staging-{ACCOUNT}"));
    assert_eq!(outputs["cloudtrail_arn"], format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/scrybe-keys-staging"));
    let written = std::fs::read_to_string(&env_file).unwrap();
    assert_eq!(written, outputs["environment_config"].as_str().unwrap());
    assert!(written.contains(&format!("AWS_KMS_KEY_ARN={arn}\n")) && written.contains("AWS_KMS_REGION=us-west-2\n"));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(env_file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let second = account.create(&["--json"]).expect(0).json();
    assert_eq!((&second["changed"], &second["data"]["plan"]["calls"]), (&json!(false), &json!(0)));
    assert_eq!(second["data"]["outputs"], *outputs);
    account.create(&["--dry-run"]).expect(0).says("in place");
    assert_eq!(account.keys(), 2, "the master key and the log's own");

    // Somebody else's eyes.
    let kms = account.direct();
    let id = outputs["kms_key_id"].as_str().unwrap();
    let tags = kms.key_tags(id).unwrap().value;
    for (name, value) in [
        ("Name", "scrybe-phi-master-key-staging"),
        ("Purpose", "PHI_PROTECTION"),
        ("DataClass", "PHI"),
        ("Environment", "staging"),
        ("ManagedBy", "scrybe-keys"),
        ("Owner", "security"),
    ] {
        assert_eq!(tags.get(name).map(String::as_str), Some(value), "{tags:?}");
    }
    let rotation = kms.key_rotation_status(id).unwrap().value;
    assert_eq!((rotation.enabled, rotation.period_days), (true, Some(90)));
    let trail = account.foreign("cloudtrail", "GetTrail", json!({"Name": "scrybe-keys-staging"}))["Trail"].clone();
    assert_eq!((&trail["IsMultiRegionTrail"], &trail["LogFileValidationEnabled"]), (&json!(true), &json!(true)));
    let sealed_by = trail["KmsKeyId"].as_str().unwrap();
    assert!(sealed_by.starts_with("arn:aws:kms:") && sealed_by != arn, "the log is sealed by another key: {sealed_by}");
    let status = account.foreign("cloudtrail", "GetTrailStatus", json!({"Name": "scrybe-keys-staging"}));
    assert_eq!(status["IsLogging"], true);
    let bucket = format!("scrybe-audit-logs-staging-{ACCOUNT}");
    let rules = account.foreign("s3", "GetBucketLifecycleConfiguration", json!({"Bucket": bucket}))["Rules"][0].clone();
    assert_eq!(rules["Expiration"]["Days"], 2557);
    let moves: Vec<(&Value, &Value)> =
        rules["Transitions"].as_array().unwrap().iter().map(|t| (&t["StorageClass"], &t["Days"])).collect();
    assert_eq!(moves, [(&json!("STANDARD_IA"), &json!(90)), (&json!("GLACIER"), &json!(365))]);
    let block = account.foreign("s3", "GetPublicAccessBlock", json!({"Bucket": bucket}));
    assert!(block["PublicAccessBlockConfiguration"].as_object().unwrap().values().all(|flag| *flag == json!(true)));
    let alarms = account.foreign("cloudwatch", "DescribeAlarms", json!({"AlarmNamePrefix": "scrybe-keys-staging-"}));
    let alarms = alarms["MetricAlarms"].as_array().unwrap().clone();
    assert_eq!(alarms.len(), 7);
    let filters = json!({"logGroupName": "/scrybe-keys/staging/cloudtrail"});
    let filters = account.foreign("logs", "DescribeMetricFilters", filters)["metricFilters"].clone();
    for alarm in &alarms {
        let metric = &alarm["MetricName"];
        let fed = filters.as_array().unwrap().iter().any(|f| f["metricTransformations"][0]["metricName"] == *metric);
        assert!(fed, "the alarm {} watches a metric that nothing feeds", alarm["AlarmName"]);
        assert_eq!(alarm["AlarmActions"][0], format!("arn:aws:sns:{REGION}:{ACCOUNT}:scrybe-keys-staging-alarms"));
    }
}

/// Breaks one thing, says which parts must be found to differ, and what must be allowed to mend it.
struct Break {
    name: &'static str,
    parts: &'static [&'static str],
    allow: Option<&'static str>,
    does: fn(&Account),
}

const TRAIL: &str = "scrybe-keys-staging";
const ALIAS: &str = "alias/scrybe-phi-master-key-staging";

fn master(account: &Account) -> String {
    account.direct().describe_key("alias/scrybe-phi-staging").unwrap().value.key_id
}

fn bucket() -> Value {
    json!(format!("scrybe-audit-logs-staging-{ACCOUNT}"))
}

const BREAKS: &[Break] = &[
    Break {
        name: "rotation off",
        parts: &["master key"],
        allow: None,
        does: |a| drop(a.direct().disable_key_rotation(&master(a)).unwrap()),
    },
    Break {
        name: "rotation slower",
        parts: &["master key"],
        allow: None,
        does: |a| drop(a.direct().enable_key_rotation(&master(a), 365).unwrap()),
    },
    Break {
        name: "alias moved",
        parts: &["aliases"],
        allow: Some("alias"),
        does: |a| {
            let other = a.direct().create_key(&NewKey::default()).unwrap().value.key_id;
            a.direct().update_alias(ALIAS, &other).unwrap();
        },
    },
    Break {
        name: "alias deleted",
        parts: &["aliases"],
        allow: None,
        does: |a| drop(a.direct().delete_alias(ALIAS).unwrap()),
    },
    Break {
        name: "policy edited",
        parts: &["master key"],
        allow: Some("policy"),
        does: |a| {
            let id = master(a);
            let policy = a.direct().key_policy(&id).unwrap().value;
            let mut policy: Value = serde_json::from_str(&policy).unwrap();
            policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "Backdoor", "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:role/contractor"}, "Action": "kms:Decrypt", "Resource": "*"}));
            a.direct().put_key_policy(&id, &policy.to_string()).unwrap();
        },
    },
    Break {
        name: "tags gone",
        parts: &["master key"],
        allow: None,
        does: |a| drop(a.direct().untag_key(&master(a), &["DataClass".to_owned()]).unwrap()),
    },
    Break {
        name: "trail stopped",
        parts: &["trail"],
        allow: None,
        does: |a| drop(a.foreign("cloudtrail", "StopLogging", json!({"Name": TRAIL}))),
    },
    Break {
        name: "log files not validated",
        parts: &["trail"],
        allow: None,
        does: |a| {
            a.foreign("cloudtrail", "UpdateTrail", json!({"Name": TRAIL, "EnableLogFileValidation": false}));
        },
    },
    Break {
        name: "trail sealed by the key it watches",
        parts: &["trail"],
        allow: None,
        does: |a| {
            let arn = a.direct().describe_key(&master(a)).unwrap().value.arn;
            a.foreign("cloudtrail", "UpdateTrail", json!({"Name": TRAIL, "KmsKeyId": arn}));
        },
    },
    Break {
        name: "trail leaves KMS out",
        parts: &["trail"],
        allow: None,
        does: |a| {
            let without_kms = json!({"ReadWriteType": "All", "IncludeManagementEvents": true,
                "ExcludeManagementEventSources": ["kms.amazonaws.com"]});
            a.foreign("cloudtrail", "PutEventSelectors", json!({"TrailName": TRAIL, "EventSelectors": [without_kms]}));
        },
    },
    Break {
        name: "trail deleted",
        parts: &["trail"],
        allow: None,
        does: |a| drop(a.foreign("cloudtrail", "DeleteTrail", json!({"Name": TRAIL}))),
    },
    Break {
        name: "alarm deleted",
        parts: &["alarms"],
        allow: None,
        does: |a| {
            a.foreign("cloudwatch", "DeleteAlarms", json!({"AlarmNames": ["scrybe-keys-staging-key-disabled"]}));
        },
    },
    Break {
        name: "alarm switched off",
        parts: &["alarms"],
        allow: None,
        does: |a| {
            a.foreign("cloudwatch", "DisableAlarmActions", json!({"AlarmNames": ["scrybe-keys-staging-kms-denied"]}));
        },
    },
    Break {
        name: "metric filter deleted",
        parts: &["metric filters"],
        allow: None,
        does: |a| {
            let filter = json!({"logGroupName": "/scrybe-keys/staging/cloudtrail", "filterName": "scrybe-keys-staging-key-disabled"});
            a.foreign("logs", "DeleteMetricFilter", filter);
        },
    },
    Break {
        name: "log group keeps for ever",
        parts: &["log group"],
        allow: None,
        does: |a| {
            let group = json!({"logGroupName": "/scrybe-keys/staging/cloudtrail"});
            a.foreign("logs", "DeleteRetentionPolicy", group);
        },
    },
    Break {
        name: "bucket key switched on",
        parts: &["log bucket"],
        allow: None,
        does: |a| {
            let now = a.foreign("s3", "GetBucketEncryption", json!({"Bucket": bucket()}));
            let mut rules = now["ServerSideEncryptionConfiguration"].clone();
            rules["Rules"][0]["BucketKeyEnabled"] = json!(true);
            a.foreign(
                "s3",
                "PutBucketEncryption",
                json!({"Bucket": bucket(), "ServerSideEncryptionConfiguration": rules}),
            );
        },
    },
    Break {
        name: "alarm watches one dimension only",
        parts: &["alarms"],
        allow: None,
        does: |a| {
            let all =
                a.foreign("cloudwatch", "DescribeAlarms", json!({"AlarmNames": ["scrybe-keys-staging-grant-created"]}));
            let now = &all["MetricAlarms"][0];
            let narrowed = json!({"AlarmName": now["AlarmName"], "Namespace": now["Namespace"], "MetricName": now["MetricName"],
                "AlarmActions": now["AlarmActions"], "Statistic": "Sum", "Period": 300, "EvaluationPeriods": 1, "Threshold": 1.0,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
                "Dimensions": [{"Name": "KeyId", "Value": "x"}]});
            a.foreign("cloudwatch", "PutMetricAlarm", narrowed);
        },
    },
    Break {
        name: "log retention shortened",
        parts: &["log group"],
        allow: None,
        does: |a| {
            let short = json!({"logGroupName": "/scrybe-keys/staging/cloudtrail", "retentionInDays": 1});
            a.foreign("logs", "PutRetentionPolicy", short);
        },
    },
    Break {
        name: "bucket public",
        parts: &["log bucket"],
        allow: None,
        does: |a| drop(a.foreign("s3", "DeletePublicAccessBlock", json!({"Bucket": bucket()}))),
    },
    Break {
        name: "bucket without versions",
        parts: &["log bucket"],
        allow: None,
        does: |a| {
            let off = json!({"Bucket": bucket(), "VersioningConfiguration": {"Status": "Suspended"}});
            a.foreign("s3", "PutBucketVersioning", off);
        },
    },
    Break {
        name: "log expires early",
        parts: &["log bucket"],
        allow: Some("policy"),
        does: |a| {
            let early =
                json!({"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}});
            let rules = json!({"Bucket": bucket(), "LifecycleConfiguration": {"Rules": [early]}});
            a.foreign("s3", "PutBucketLifecycleConfiguration", rules);
        },
    },
    Break {
        name: "bucket policy replaced",
        parts: &["log bucket"],
        allow: Some("policy"),
        does: |a| {
            let other = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:DeleteObjectVersion",
                "Principal": {"AWS": "arn:aws:iam::111122223333:role/contractor"},
                "Resource": format!("arn:aws:s3:::{}/*", bucket().as_str().unwrap())}]});
            a.foreign("s3", "PutBucketPolicy", json!({"Bucket": bucket(), "Policy": other.to_string()}));
        },
    },
    Break {
        name: "topic policy replaced",
        parts: &["topic"],
        allow: Some("policy"),
        does: |a| {
            let arn = format!("arn:aws:sns:{REGION}:{ACCOUNT}:scrybe-keys-staging-alarms");
            let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": arn}]});
            let set = json!({"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": open.to_string()});
            a.foreign("sns", "SetTopicAttributes", set);
        },
    },
];

#[test]
fn every_kind_of_drift_is_found_by_dry_run_and_by_health_and_mended_by_a_run() {
    let Some(account) = Account::empty(SECTION) else { return };
    account.create(&["--yes"]).expect(0);
    for Break { name, parts, allow, does } in BREAKS {
        does(&account);
        let plan = account.create(&["--dry-run", "--json"]).expect(3).json();
        assert_eq!(differing(&plan), *parts, "{name}: {plan:#}");
        let health = account.run(&["health", "--json"]);
        let found: Vec<Value> = health.json()["problems"].as_array().unwrap().clone();
        let drift: Vec<&Value> = found.iter().filter(|p| p["code"] == "drift").collect();
        assert_eq!(drift.len(), parts.len(), "{name}: {found:#?}");
        assert!(drift[0]["subject"].as_str().unwrap().starts_with(parts[0]), "{name}: {drift:#?}");
        let next = drift[0]["hint"].as_str().unwrap();
        assert!(next.starts_with("scrybe-keys create-cmk --environment staging"), "{name}: {next}");
        match allow {
            Some(allow) => {
                account.create(&["--yes"]).expect(4).says(&format!("--allow {allow}"));
                assert_eq!(differing(&account.create(&["--dry-run", "--json"]).json()), *parts, "{name} is left alone");
                assert!(next.ends_with(&format!("--allow {allow}")), "{name}: {next}");
                account.create(&["--yes", "--allow", allow]).expect(0);
            }
            None => drop(account.create(&["--yes"]).expect(0)),
        }
        account.create(&["--dry-run"]).expect(0);
    }
}

#[test]
fn ministack_alone_serves_every_part() {
    let Some(mut account) = Account::empty(SECTION) else { return };
    account.environment.retain(|name, _| !name.starts_with("AWS_ENDPOINT_URL_"));
    account.create(&["--yes"]).expect(0);
    let second = account.create(&["--json"]).expect(0).json();
    assert_eq!(second["changed"], false);
    let keys = foreign(&account.around.url(), "kms", "ListKeys", json!({}));
    assert_eq!(keys["Keys"].as_array().unwrap().len(), 2);
}

#[test]
fn moto_serves_all_but_the_alarms_and_the_way_back_from_its_buckets() {
    // The Rust CloudWatch client speaks CBOR alone, which moto does not answer.
    let (without_alarms, _) = SECTION.split_once("    alarms:").unwrap();
    let settings = [("MOTO_ACCOUNT_ID", ACCOUNT)];
    let (Some(moto), Some(_)) = (Emulator::start_with(&MOTO, &settings), Emulator::start(&MINISTACK)) else { return };
    let Some(mut account) = Account::empty(without_alarms) else { return };
    account.environment.retain(|name, _| !name.starts_with("AWS_ENDPOINT_URL_"));
    account.environment.insert("AWS_ENDPOINT_URL".to_owned(), moto.url());
    // moto answers GetBucketVersioning under another name than AWS does, so the bucket it made cannot be read back: unknown, never in place.
    account.create(&["--yes"]).expect(3).says("alarms: nobody is told").says("GetBucketVersioning");
    let made = account.create(&["--dry-run", "--json"]).expect(8).json();
    assert_eq!((differing(&made), state(&made, "log bucket")), (vec!["log bucket".to_owned()], "unknown".to_owned()));
    assert_eq!(made["data"]["plan"]["calls"], 0, "{made:#}");
    let keys = foreign(&moto.url(), "kms", "ListKeys", json!({}));
    assert_eq!(keys["Keys"].as_array().unwrap().len(), 2);
    foreign(&moto.url(), "cloudtrail", "StopLogging", json!({"Name": TRAIL}));
    assert_eq!(state(&account.create(&["--dry-run", "--json"]).expect(8).json(), "trail"), "change");
    account.create(&["--yes"]).expect(8).says("nothing was changed");
}

#[test]
fn without_a_section_flags_alone_make_a_usable_key_and_say_what_is_missing() {
    let Some(account) = Account::empty("") else { return };
    let said = account.create(&["--yes"]).expect(0).says("not configured: roles:");
    drop(said.says("not configured: audit:").says("not configured: alarms:"));
    let key = account.direct().describe_key(ALIAS).unwrap().value;
    assert!(!key.multi_region);
    assert!(account.direct().key_rotation_status(&key.key_id).unwrap().value.enabled);
    assert_eq!(account.keys(), 1);
    account.create(&[]).expect(0).says("Nothing to do");
}

#[test]
fn a_database_at_hand_may_be_bound_keeps_the_record_and_must_be_of_the_same_world() {
    let Some(mut account) = Account::empty("") else { return };
    let database = Database::fresh(Shape::Full);
    account.environment.insert("DATABASE_URL".to_owned(), database.url.clone());
    account.create(&["--yes"]).expect(0).says("scrybe-keys init binds the database to this key");
    account.run(&["init"]).expect(0);
    let bound = account.run(&["context", "--json"]).expect(0).stdout;
    assert!(bound.contains(&account.direct().describe_key(ALIAS).unwrap().value.arn), "{bound}");
    account.direct().disable_key_rotation(&master(&account)).unwrap();
    account.create(&["--yes"]).expect(0);
    let log = account.run(&["audit", "log", "--event", "KEY_SURROUNDINGS_CHANGED", "--json"]).expect(0).json();
    let phases: Vec<&Value> = log["data"]["records"].as_array().unwrap().iter().map(|r| &r["phase"]).collect();
    assert_eq!(phases.len(), 2, "{log:#}");
    // Killed, the record stays open until the next run has looked.
    account.direct().disable_key_rotation(&master(&account)).unwrap();
    account.run_with("SCRYBE_KEYS_CRASH_AT", "provision-call:1", &["create-cmk", "--yes"]);
    let open = account.run(&["health", "--json"]).problem_codes();
    assert!(open.contains(&"audit-open-intent".to_owned()), "{open:?}");
    account.create(&[]).expect(0).says("Nothing to do");
    let open = account.run(&["health", "--json"]).problem_codes();
    assert!(!open.contains(&"audit-open-intent".to_owned()), "{open:?}");
    account.run(&["audit", "verify"]).expect(0);
    account.create(&["--yes", "--environment", "production"]).expect(5).says("staging").says("production");
    assert_eq!(account.keys(), 1, "nothing is made for a world the database is not of");
    // A database that is not there is no reason to stop.
    account.environment.insert("DATABASE_URL".to_owned(), "postgresql://nobody@127.0.0.1:1/none".to_owned());
    account.direct().disable_key_rotation(&master(&account)).unwrap();
    account.create(&["--yes"]).expect(0).says("the database could not be asked").says("recorded by CloudTrail alone");
}
