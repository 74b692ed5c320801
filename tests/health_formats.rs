//! `health` for programs: Prometheus exposition that a strict parser takes, a textfile that is never half there, Nagios's line and codes.

use crate::support::cli::Ran;
use crate::support::plain::{Plain, run_in};
use scrybe_keys::core::kms::Kms;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

/// Samples by series, labels as written.
type Samples = BTreeMap<String, f64>;

/// Takes the text exposition format 0.0.4 and nothing looser: HELP and TYPE once and before their samples, a family in one piece, legal names,
/// legal escapes, a number, no series twice, a line feed at the end.
fn parsed(text: &str) -> Result<Samples, String> {
    let (mut samples, mut helped, mut typed) = (Samples::new(), BTreeSet::new(), BTreeSet::new());
    let mut family = String::new();
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    for line in text.lines() {
        let bad = |why: &str| Err(format!("{why}: {line:?}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, help)) = rest.split_once(' ') else { return bad("HELP without a text") };
            if !is_name(name) || !helped.insert(name.to_owned()) || unescaped(help, false).is_none() {
                return bad("HELP of a bad or known name");
            }
            family = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { return bad("TYPE without a kind") };
            let kinds = ["counter", "gauge", "histogram", "summary", "untyped"];
            if name != family || !kinds.contains(&kind) || !typed.insert(name.to_owned()) {
                return bad("TYPE that does not follow its HELP");
            }
            continue;
        }
        let end = line.find(['{', ' ']).ok_or_else(|| format!("no value: {line:?}"))?;
        let name = &line[..end];
        if name != family || !typed.contains(name) {
            return bad("a sample outside its family");
        }
        let value = match line[end..].strip_prefix('{') {
            Some(rest) => labels(rest).ok_or_else(|| format!("labels: {line:?}"))?,
            None => &line[end..],
        };
        let Some(number) = value.strip_prefix(' ') else { return bad("no space before the value") };
        let Ok(number) = number.parse::<f64>() else { return bad("not a number") };
        if samples.insert(line[..line.len() - value.len()].to_owned(), number).is_some() {
            return bad("a series twice");
        }
    }
    if helped != typed {
        return Err("a HELP without TYPE".to_owned());
    }
    Ok(samples)
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// What stands behind the closing brace.
fn labels(mut rest: &str) -> Option<&str> {
    let mut seen = BTreeSet::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        if !is_name(name) || name.contains(':') || !seen.insert(name) {
            return None;
        }
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        unescaped(&after[..end], true)?;
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return rest.strip_prefix('}'),
        }
    }
}

/// A text with its escapes taken back; `None` for an escape that the format does not know.
fn unescaped(text: &str, quotes: bool) -> Option<String> {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '\\' => out.push('\\'),
                'n' => out.push('\n'),
                '"' if quotes => out.push('"'),
                _ => return None,
            },
            c if c.is_control() => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[test]
fn health_formats_the_parser_is_strict() {
    let head = "# HELP a b\n# TYPE a gauge\n";
    for good in ["a 1\n", "a{x=\"1\"} 1\na{x=\"2\"} 0\n", "a{x=\"q\\\"\\\\\\n\",y=\"\"} -1.5\n"] {
        assert!(parsed(&format!("{head}{good}")).is_ok(), "{good}");
    }
    for bad in [
        "a 1",
        "a one\n",
        "b 1\n",
        "a{x=\"1\"} 1\na{x=\"1\"} 2\n",
        "a{x=\"\\u\"} 1\n",
        "a{x=1} 1\n",
        "a{1=\"x\"} 1\n",
        "a{x=\"1\" 1\n",
        "a\n",
        "a{x=\"1\",x=\"2\"} 1\n",
        "# HELP a c\na 1\n",
        "a 1\n# TYPE a gauge\n",
        "a{x=\"\u{1b}\"} 1\n",
    ] {
        assert!(parsed(&format!("{head}{bad}")).is_err(), "{bad:?} was taken");
    }
}

fn well() -> Plain {
    let plain = Plain::with_kms().bound();
    plain.add_organization("acme-clinic");
    plain
}

#[track_caller]
fn samples(text: &str) -> Samples {
    parsed(text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

fn check(samples: &Samples, name: &str) -> f64 {
    samples[&format!("scrybe_keys_health_check{{check=\"{name}\"}}")]
}

#[test]
fn health_formats_prometheus_counts_what_was_not_looked_at_as_not_made() {
    let plain = well();
    let shallow = samples(&plain.run(&["health", "--format", "prometheus"]).expect(0).stdout);
    for name in ["canGenerateDataKey", "canEncryptDecrypt", "deks open"] {
        assert_eq!(check(&shallow, name), 3.0, "{name}");
    }
    assert_eq!((check(&shallow, "keyEnabled"), shallow["scrybe_keys_health_verdict"]), (0.0, 3.0));
    assert!(!shallow.contains_key("scrybe_keys_dek_opened"), "what nobody tried is absent");
    let deep = samples(&plain.run(&["health", "--deep", "--format", "prometheus", "--quiet"]).expect(0).stdout);
    assert_eq!(
        (deep["scrybe_keys_health_verdict"], deep["scrybe_keys_dek_opened"], deep["scrybe_keys_up"]),
        (0.0, 1.0, 1.0)
    );
    assert_eq!(deep["scrybe_keys_cmk_state{state=\"Enabled\"}"], 1.0);
    assert_eq!(deep["scrybe_keys_cmk_rotation_period_days"], 90.0);
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!((now - deep["scrybe_keys_health_last_run_timestamp_seconds"]).abs() < 60.0);
    assert!(deep.keys().all(|series| !series.contains("acme")), "an organization is named: {deep:?}");
}

#[test]
fn health_formats_prometheus_tells_one_broken_thing_from_another() {
    let plain = well();
    let kms = plain.kms.as_ref().unwrap().direct("us-west-2");
    kms.schedule_key_deletion(plain.key_arn.as_deref().unwrap(), 10).unwrap();
    plain.sql().batch_execute("UPDATE \"EncryptionKey\" SET \"createdAt\" = now() - interval '200 days'").unwrap();
    let broken = samples(&plain.run(&["health", "--format", "prometheus"]).expect(3).stdout);
    assert_eq!((check(&broken, "keyEnabled"), check(&broken, "dek age")), (2.0, 1.0));
    assert_eq!((broken["scrybe_keys_cmk_enabled"], broken["scrybe_keys_dek_oldest_active_days"]), (0.0, 200.0));
    assert!((9.0..=10.0).contains(&broken["scrybe_keys_cmk_days_to_deletion"]), "{broken:?}");
    assert_eq!(broken["scrybe_keys_health_problem{code=\"dek-over-age\"}"], 1.0);
    assert_eq!(broken["scrybe_keys_health_problems{severity=\"critical\"}"], 1.0);
    // A database that cannot be asked: its numbers are absent, its checks not made, and the exporter is down.
    let gone = plain
        .run_with("DATABASE_URL", "postgresql://a:b@127.0.0.1:9/c", &["health", "--format", "prometheus"])
        .expect(8);
    let gone = samples(&gone.stdout);
    assert_eq!((gone["scrybe_keys_up"], check(&gone, "database"), check(&gone, "dek versions")), (0.0, 2.0, 3.0));
    assert!(!gone.contains_key("scrybe_keys_dek_versions") && !gone.contains_key("scrybe_keys_jobs_unfinished"));
}

#[test]
fn health_formats_textfile_is_replaced_whole_and_learns_of_every_failure() {
    let plain = well();
    let path = plain.home().join("scrybe.prom");
    let file = path.to_str().unwrap();
    let read = || samples(&std::fs::read_to_string(&path).unwrap());
    plain.run(&["health", "--textfile", file]).expect(0).says("CHECK");
    assert_eq!(
        (read()["scrybe_keys_up"], std::fs::metadata(&path).unwrap().permissions().mode() & 0o777),
        (1.0, 0o644)
    );
    // Settings that cannot be, another world, a database that is gone, a run cut short.
    let failing: [(&str, &str, &[&str], i32); 4] = [
        ("AWS_ENDPOINT_URL", "http://example.com", &[], 2),
        ("SCRYBE_ENV", "staging", &[], 5),
        ("DATABASE_URL", "postgresql://a:b@127.0.0.1:9/c", &[], 8),
        ("TZ", "UTC", &["--timeout", "1ms"], 8),
    ];
    for (variable, value, more, code) in failing {
        std::fs::write(&path, "# HELP old old\n# TYPE old gauge\nold 1\n").unwrap();
        let command = [&["health", "--textfile", file][..], more].concat();
        plain.run_with(variable, value, &command).expect(code);
        let now = read();
        assert_eq!(now.get("scrybe_keys_up"), Some(&0.0), "{variable}: {now:?}");
        assert!(now.contains_key("scrybe_keys_health_last_run_timestamp_seconds") && !now.contains_key("old"));
    }
    let left: Vec<_> = std::fs::read_dir(plain.home()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    // A place that takes no file is said, and the answer is given all the same.
    plain.run(&["health", "--textfile", "/does/not/exist/a.prom"]).expect(2).says("cannot be written").says("CHECK");
}

/// The first line's status word, summary and perfdata.
#[track_caller]
fn line(ran: &Ran) -> (String, String, String) {
    let first = ran.stdout.lines().next().unwrap_or_else(|| panic!("nothing is said: {ran:?}"));
    let (summary, perfdata) = first.split_once(" | ").unwrap_or((first, ""));
    let (word, summary) = summary.split_once(" - ").unwrap_or_else(|| panic!("no status: {ran:?}"));
    assert!(!summary.contains('|') && !perfdata.contains('|') && ran.stdout.matches('|').count() <= 1, "{ran:?}");
    (word.to_owned(), summary.to_owned(), perfdata.to_owned())
}

#[test]
fn health_formats_nagios_has_its_own_words_and_codes() {
    let plain = well();
    let nagios = ["health", "--format", "nagios"];
    let ok = plain.run(&[&nagios[..], &["--quiet"]].concat()).expect(0);
    let (word, summary, perfdata) = line(&ok);
    assert_eq!(word, "OK");
    assert!(summary.contains("3 not asked for (--deep)"), "{summary}");
    for item in perfdata.split(' ') {
        let (label, values) = item.split_once('=').unwrap_or_else(|| panic!("perfdata: {item}"));
        assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{label}");
        assert!(values.split(';').all(|v| v.is_empty() || v.parse::<i64>().is_ok()), "{item}");
    }
    assert!(perfdata.contains("dek_oldest_days=0;90;;0"), "{perfdata}");
    assert!(!line(&plain.run(&[&nagios[..], &["--deep"]].concat()).expect(0)).1.contains("not asked for"));

    let id = plain.key_arn.clone().unwrap();
    let kms = plain.kms.as_ref().unwrap().direct("us-west-2");
    kms.disable_key_rotation(&id).unwrap();
    let warned = plain.run(&nagios).expect(1);
    assert_eq!(line(&warned).0, "WARNING");
    assert!(warned.stdout.lines().nth(1).unwrap().starts_with("warning: rotation-off"), "{warned:?}");
    let lenient = plain.run(&[&nagios[..], &["--fail-on", "critical"]].concat()).expect(0);
    assert!(line(&lenient).1.contains("1 warning"), "it is still said");
    kms.disable_key(&id).unwrap();
    assert_eq!(line(&plain.run(&nagios).expect(2)).0, "CRITICAL");
    let gone = plain.run_with("DATABASE_URL", "postgresql://a:b@127.0.0.1:9/c", &nagios).expect(2);
    assert_eq!(line(&gone).0, "CRITICAL");
}

#[test]
fn health_formats_nagios_says_unknown_when_nobody_could_look() {
    let plain = Plain::without_kms().bound();
    plain.add_organization("acme");
    let nagios = ["health", "--format=nagios"];
    let no_key = plain.run(&nagios).expect(3);
    assert_eq!(line(&no_key).0, "UNKNOWN", "a master key that is not there to be looked at is not green: {no_key:?}");
    assert!(no_key.stdout.contains("not made: keyExists: provider dev has no master key"));
    let other_world = plain.run_with("SCRYBE_ENV", "staging", &nagios).expect(3);
    assert!(line(&other_world).1.contains("SCRYBE_ENV says staging"));
    let bad_settings = plain.run_with("AWS_ENDPOINT_URL", "http://example.com", &nagios).expect(3);
    assert_eq!(line(&bad_settings).0, "UNKNOWN");
    assert_eq!(line(&plain.run(&["health", "--format", "nagios", "--no-such-flag"]).expect(3)).0, "UNKNOWN");
    assert_eq!(line(&plain.run(&["health", "--format", "nagios", "--timeout", "1ms"]).expect(3)).0, "UNKNOWN");
}

#[test]
fn health_formats_nagios_is_not_ok_when_the_answer_was_not_left_where_it_belongs() {
    let plain = well();
    let lost = ["health", "--format", "nagios", "--textfile", "/does/not/exist/a.prom"];
    let (word, summary, _) = line(&plain.run(&lost).expect(3));
    assert_eq!(word, "UNKNOWN");
    assert!(summary.contains("/does/not/exist/a.prom cannot be written"), "{summary}");
    let (role, password) = plain.add_role();
    plain.sql().batch_execute(&format!("GRANT USAGE ON SCHEMA scrybe_keys TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA scrybe_keys, public TO {role}")).unwrap();
    let environment = plain.environment_as(&role, &password);
    assert_eq!(line(&run_in(&environment, &["health", "--format", "nagios"]).expect(0)).0, "OK");
    let unrecorded = run_in(&environment, &["health", "--format", "nagios", "--record"]).expect(3);
    assert!(line(&unrecorded).1.contains("recording KEY_HEALTH_CHECK"), "{unrecorded:?}");
    // What is worse stays worse.
    plain.kms.as_ref().unwrap().direct("us-west-2").disable_key(plain.key_arn.as_deref().unwrap()).unwrap();
    assert_eq!(line(&plain.run(&lost).expect(2)).0, "CRITICAL");
}

#[test]
fn health_formats_json_is_the_same_object() {
    let plain = well();
    let data = |arguments: &[&str]| -> Value { plain.run(arguments).expect(0).json()["data"].clone() };
    assert_eq!(data(&["health", "--format", "json"]), data(&["health", "--json"]));
    plain.run(&["health", "--format", "nagios", "--json"]).expect(2).says("two-forms");
    plain.run(&["health", "--format", "json", "--environment", "nowhere"]).expect(2).says("scrybe-keys/usage/1");
}
