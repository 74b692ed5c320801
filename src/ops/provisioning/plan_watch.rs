//! The surroundings' part of the plan: bucket, log group, trail, topic, filters, alarms.

use super::desired::{Alarms, Audit, Desired, LogKey};
use super::found::Found;
use super::plan::{Allow, Item, Step, log_key_arn, policy_differences, shortly};
use super::plan_keys::is_master;
use crate::core::policy::Document;
use crate::core::surroundings::{LockMode, ObjectLock, Trail};
use crate::core::watch::WATCHES;

/// Bucket, log group, trail.
pub fn audit(desired: &Desired, audit: &Audit, found: &Found) -> Vec<Item> {
    let mut all = vec![bucket(audit, found)];
    if let Some(group) = &audit.logs {
        all.push(match &found.log_group {
            Err(why) => Item::unread("log group", &group.name, why),
            Ok(there) => {
                let mut item = Item { absent: there.is_none(), ..Item::new("log group", &group.name) };
                if there.is_none() {
                    item.step(Step::CreateLogGroup, "make it");
                }
                let wanted = group.retention_days;
                match there {
                    None => item.step(Step::KeepLogs, format!("keep events for {wanted} days")),
                    Some(now) if now.retention_days == Some(wanted) => {}
                    Some(now) => {
                        let kept = now.retention_days.map_or("for ever".to_owned(), |days| format!("for {days} days"));
                        let what = format!("events are kept {kept} instead of for {wanted} days");
                        match now.loses_nothing_at(wanted, jiff::Timestamp::now()) {
                            true => item.step(Step::KeepLogs, what),
                            false => item.guarded(Step::KeepLogs, what, &[Allow::Policy]),
                        }
                    }
                }
                item
            }
        });
    }
    all.push(trail(desired, audit, found));
    all
}

fn bucket(audit: &Audit, found: &Found) -> Item {
    let there = match &found.bucket {
        Err(why) => return Item::unread("log bucket", &audit.bucket, why),
        Ok(there) => there,
    };
    let mut item = Item { absent: there.is_none(), ..Item::new("log bucket", &audit.bucket) };
    if there.is_none() {
        item.step(Step::CreateBucket, "make it");
    }
    let now = there.clone().unwrap_or_default();
    if !now.public_access_blocked {
        item.critical = there.is_some();
        item.step(Step::BlockPublicAccess, "public access is not blocked");
    }
    if !now.versioned {
        item.step(Step::VersionBucket, "it keeps no earlier versions");
    }
    match now.policy.as_deref().map(|policy| policy_differences(policy, &audit.bucket_policy)) {
        None => {
            item.step(Step::PutBucketPolicy, "it has no policy: CloudTrail may not write, anybody may talk in clear")
        }
        Some(differs) if !differs.is_empty() => {
            item.guarded(Step::PutBucketPolicy, shortly("its policy differs", &differs), &[Allow::Policy]);
        }
        Some(_) => {}
    }
    let key = log_key_arn(audit, &found.log_key);
    if now.key.as_deref().is_some_and(|key| is_master(found, key)) {
        item.critical = true;
        item.step(Step::SealBucket, "it is sealed by the key whose use it records");
    } else if now.bucket_key {
        item.step(Step::SealBucket, "S3 Bucket Keys are on: CloudTrail cannot set up a trail under a key of its own");
    } else if now.key != key || (there.is_none() && matches!(audit.key, LogKey::Own(_))) {
        item.step(Step::SealBucket, format!("seal it {}", by(audit)));
    }
    if now.lifecycle != Some(audit.lifecycle) || !now.other_rules.is_empty() {
        let l = audit.lifecycle;
        let days = format!("{}, {} and {} days", l.infrequent_days, l.archive_days, l.expire_days);
        match now.other_rules.as_slice() {
            // Log files that are there now would go.
            [] if now.lifecycle.is_some_and(|found| found.expire_days > l.expire_days) => {
                let kept = now.lifecycle.map_or(0, |found| found.expire_days);
                let what = format!("log files are kept for {kept} days instead of {}", l.expire_days);
                item.guarded(Step::AgeBucket, what, &[Allow::Policy]);
            }
            [] => item.step(Step::AgeBucket, format!("infrequent access, archive and expiry after {days}")),
            others => {
                let what = format!("other lifecycle rules may take log files away: {}", others.join(", "));
                item.guarded(Step::AgeBucket, what, &[Allow::Policy]);
            }
        }
    }
    match (audit.lock, now.lock) {
        (Some(wanted), found) if !found.is_some_and(|found| holds(found, wanted)) => {
            let what = format!("lock objects for {} days ({})", wanted.days, wanted.mode.as_str());
            item.step(Step::LockBucket, what);
        }
        _ => {}
    }
    item
}

/// A lock that is stricter than asked for stays.
fn holds(found: ObjectLock, wanted: ObjectLock) -> bool {
    let strict = |lock: ObjectLock| lock.mode == LockMode::Compliance;
    found.days >= wanted.days && (strict(found) || !strict(wanted))
}

fn by(audit: &Audit) -> &'static str {
    match audit.key {
        LogKey::Own(_) => "with a key of its own",
        LogKey::Service => "with S3's own key",
        LogKey::Other(_) => "with the configured key",
    }
}

fn trail(desired: &Desired, audit: &Audit, found: &Found) -> Item {
    let there = match &found.trail {
        Err(why) => return Item::unread("trail", &audit.trail, why),
        Ok(there) => there,
    };
    let mut item = Item { absent: there.is_none(), ..Item::new("trail", &audit.trail) };
    let Some(now) = there else {
        item.step(Step::CreateTrail, "make it: every region, with validated log files");
        item.step(Step::StartLogging, "start it: a new trail records nothing");
        return item;
    };
    if let Some(home) = now.home_region.as_deref().filter(|home| *home != desired.region) {
        let next = format!("give audit.trail another name, or use --region {home}");
        item.stuck(format!("it is at home in {home} and can only be changed there"), next);
        return item;
    }
    let differs = trail_differences(audit, found, now);
    if !differs.is_empty() {
        item.step(Step::UpdateTrail, differs.join("; "));
    }
    match &now.unrecorded {
        // Setting its selectors anew would end what else it records.
        Some(why) if now.records_more => item.guarded(Step::RecordAll, why.clone(), &[Allow::Policy]),
        Some(why) => item.step(Step::RecordAll, why.clone()),
        None => {}
    }
    if !now.logging {
        item.critical = true;
        item.step(Step::StartLogging, "it is stopped: nothing is recorded");
    }
    item
}

fn trail_differences(audit: &Audit, found: &Found, now: &Trail) -> Vec<String> {
    let mut differs = Vec::new();
    let mut unless = |holds: bool, what: &str| {
        if !holds {
            differs.push(what.to_owned());
        }
    };
    unless(now.bucket == audit.bucket, &format!("it writes to bucket {}", now.bucket));
    unless(now.multi_region, "it records one region only");
    unless(now.validates, "its log files are not validated");
    unless(now.global_events, "it leaves out global services (IAM, STS)");
    let sealed_by_master = now.key.as_deref().is_some_and(|key| is_master(found, key));
    unless(!sealed_by_master, "it is sealed by the key it watches");
    if !sealed_by_master {
        unless(now.key == log_key_arn(audit, &found.log_key), "its log files are sealed by another key");
    }
    if let Some(group) = &audit.logs {
        let wanted = (group.arn.clone(), group.role.clone());
        unless(now.logs.as_ref() == Some(&wanted), "it does not write to the log group that alarms watch");
    }
    differs
}

/// Topic, filters, alarms.
pub fn alarms(audit: &Audit, alarms: &Alarms, found: &Found) -> Vec<Item> {
    vec![topic(alarms, found), filters(audit, alarms, found), spoken(alarms, found)]
}

fn topic(alarms: &Alarms, found: &Found) -> Item {
    let there = match &found.topic {
        Err(why) => return Item::unread("topic", &alarms.topic, why),
        Ok(there) => there,
    };
    let mut item = Item { absent: there.is_none(), ..Item::new("topic", &alarms.topic) };
    if there.is_none() {
        item.step(Step::CreateTopic, "make it");
    }
    match there.as_ref().and_then(|topic| topic.policy.as_deref()) {
        None => item.step(Step::PutTopicPolicy, "let the alarms of this account speak through it"),
        Some(policy) if is_default_of_sns(policy, &alarms.account) => {
            item.step(Step::PutTopicPolicy, "let the alarms of this account speak through it");
        }
        Some(policy) => {
            let differs = policy_differences(policy, &alarms.topic_policy);
            if !differs.is_empty() {
                let what = shortly("its policy differs", &differs);
                item.guarded(Step::PutTopicPolicy, what, &[Allow::Policy]);
            }
        }
    }
    let sealed_by = there.as_ref().and_then(|topic| topic.key.as_deref());
    if let Some(key) = sealed_by.filter(|key| key.ends_with("alias/aws/sns") || is_master(found, key)) {
        let next = format!(
            "aws sns set-topic-attributes --topic-arn {} --attribute-name KmsMasterKeyId --attribute-value ''",
            alarms.topic_arn
        );
        item.stuck(format!("it is encrypted by {key}: alarms cannot speak through it"), next);
    }
    for who in &alarms.subscribers {
        if !there.iter().flat_map(|topic| &topic.subscribers).any(|(one, _)| one == who) {
            item.step(Step::Subscribe(who.clone()), format!("{}:{} is not subscribed", who.protocol, who.endpoint));
        }
    }
    item
}

/// What SNS gives a new topic: nobody wrote it. One statement for the account itself.
fn is_default_of_sns(policy: &str, account: &str) -> bool {
    let Ok(document) = Document::parse(policy) else { return false };
    let [only] = &document.statements[..] else { return false };
    only.sid.as_deref() == Some("__default_statement_ID")
        && only.conditions.len() == 1
        && only.conditions[0].is_on("aws:SourceOwner")
        && only.conditions[0].values == [account]
}

fn filters(audit: &Audit, alarms: &Alarms, found: &Found) -> Item {
    let name = format!("{}* ({})", alarms.prefix, WATCHES.len());
    let there = match &found.filters {
        Err(why) => return Item::unread("metric filters", name, why),
        Ok(there) => there,
    };
    let mut item = Item::new("metric filters", name);
    let group_is_there = matches!(&found.log_group, Ok(Some(_))) && audit.logs.is_some();
    for (index, watch) in WATCHES.iter().enumerate() {
        let wanted = watch.filter(&alarms.prefix);
        match there.iter().find(|filter| filter.name == wanted.name) {
            None => item.step(Step::PutFilter(index), format!("{} is missing", watch.name)),
            Some(filter) if *filter != wanted => {
                item.step(Step::PutFilter(index), format!("{} matches something else", watch.name));
            }
            Some(_) => {}
        }
    }
    item.absent = !group_is_there || item.steps.len() == WATCHES.len();
    item
}

fn spoken(alarms: &Alarms, found: &Found) -> Item {
    let name = format!("{}* ({})", alarms.prefix, WATCHES.len());
    let there = match &found.alarms {
        Err(why) => return Item::unread("alarms", name, why),
        Ok(there) => there,
    };
    let mut item = Item::new("alarms", name);
    for (index, watch) in WATCHES.iter().enumerate() {
        let wanted = watch.alarm(&alarms.prefix, &alarms.topic_arn);
        let what = match there.iter().find(|alarm| alarm.name == wanted.name) {
            None => format!("{} is missing", watch.name),
            Some(alarm) if !alarm.speaks => format!("{} is switched off", watch.name),
            Some(alarm) if !alarm.actions.contains(&alarms.topic_arn) => format!("{} tells nobody", watch.name),
            Some(alarm) if !alarm.fires || alarm.metric != wanted.metric || alarm.namespace != wanted.namespace => {
                format!("{} would not fire", watch.name)
            }
            Some(_) => continue,
        };
        item.step(Step::PutAlarm(index), what);
    }
    item.absent = item.steps.len() == WATCHES.len();
    item
}
