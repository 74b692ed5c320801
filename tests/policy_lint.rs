//! The linter, on documents written by hand: each file of `tests/policies` is named for the one code it must give
//! (`CODE.json`, `CODE--what-is-special.json`); `clean*` gives none. And what this tool builds itself is clean.

use scrybe_keys::core::policy::{
    AuditReaders, Document, KeyKind, LintContext, Principals, for_audit_key, for_master_key, lint,
};
use scrybe_keys::core::problem::Severity;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ACCOUNT: &str = "111122223333";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies")
}

/// File stem and text, by name.
fn by_hand() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    assert!(all.len() > 50);
    all
}

fn code_of(name: &str) -> &str {
    name.split_once("--").map_or(name, |(code, _)| code)
}

/// What is known beside the document: the clean ones must stay clean for a caller too.
fn context(name: &str) -> LintContext {
    let caller = |arn: &str| LintContext { caller_arn: Some(arn.to_owned()), ..LintContext::default() };
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/admin/ann");
    match code_of(name) {
        "locks-out-caller" | "may-lock-out-caller" | "clean" => caller(&session),
        "log-under-master-key" | "via-service-shuts-out" => {
            LintContext { kind: KeyKind::MasterKey, ..LintContext::default() }
        }
        "no-root-statement" => LintContext { account: Some(ACCOUNT.to_owned()), ..LintContext::default() },
        _ => LintContext::default(),
    }
}

#[test]
fn policy_lint_finds_each_trap_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, text) in by_hand() {
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: BTreeSet<String> = lint(&document, &context(&name)).into_iter().map(|p| p.code).collect();
        let expected = BTreeSet::from([code_of(&name).to_owned()]);
        let expected = if code_of(&name) == "clean" { BTreeSet::new() } else { expected };
        if found != expected {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn policy_lint_names_the_statement_and_what_to_do() {
    for (name, text) in by_hand() {
        let document = Document::parse(&text).unwrap();
        let sids: BTreeSet<String> = (0..document.statements.len()).map(|n| document.name_of(n)).collect();
        for problem in lint(&document, &context(&name)) {
            assert!(problem.subject == "document" || sids.contains(&problem.subject), "{name}: {}", problem.subject);
            assert!(!problem.message.is_empty() && !problem.message.ends_with('.'), "{name}: {}", problem.message);
            assert!(!problem.hint.is_empty() && !problem.hint.ends_with('.'), "{name}: {}", problem.hint);
            assert!(problem.severity >= Severity::Warning, "{name}");
        }
    }
    let subject = |name: &str| {
        let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let found = lint(&Document::parse(&text).unwrap(), &context(name));
        (found[0].subject.clone(), found[0].hint.clone())
    };
    assert_eq!(subject("unknown-action"), ("Use".to_owned(), "did you mean kms:GenerateDataKey?".to_owned()));
    assert_eq!(subject("everything--service-user").0, "statement 2");
    assert_eq!(subject("two-roles").0, "Recovery");
}

/// Every code that the source can give has a document here.
#[test]
fn policy_lint_has_a_document_for_every_code() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/policy/lint");
    let mut given: BTreeSet<String> = ["not-principal", "not-action", "not-resource"].map(str::to_owned).into();
    for entry in std::fs::read_dir(source).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // However the call is broken into lines.
        let text: String = text.split_whitespace().collect();
        for severity in ["Critical,\"", "Warning,\""] {
            given.extend(text.split(severity).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    assert!(given.len() > 40, "{given:?}");
    let tried: BTreeSet<String> =
        by_hand().iter().map(|(name, _)| code_of(name).to_owned()).filter(|code| code != "clean").collect();
    assert_eq!(given, tried, "codes in the source on the left, documents on the right");
}

fn roles(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("arn:aws:iam::{ACCOUNT}:role/{name}")).collect()
}

fn everybody() -> Principals {
    Principals {
        account: ACCOUNT.to_owned(),
        policy_administrators: roles(&["pipeline"]),
        administrators: roles(&["KeyManagementAdmin", "second"]),
        application: roles(&["app", "worker"]),
        application_encrypts: true,
        emergency: roles(&["EmergencyKeyAdmin"]),
        recovery: roles(&["KeyRecoveryAdmin"]),
        destroyers: roles(&["KeyDestroyer"]),
        auditors: roles(&["Auditor"]),
        rewrap: roles(&["Rewrap"]),
        ..Principals::default()
    }
}

#[track_caller]
fn assert_clean(document: &Document, caller: Option<&str>, kind: KeyKind) {
    let context = LintContext {
        caller_arn: caller.map(|name| format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/ann")),
        account: Some(ACCOUNT.to_owned()),
        kind,
    };
    let found = lint(document, &context);
    assert!(found.is_empty(), "{found:#?}\n{}", document.to_pretty());
}

#[test]
fn policy_that_is_built_is_clean() {
    let with_context = Principals { encryption_context_keys: vec!["org_id".into(), "purpose".into()], ..everybody() };
    let nobody = Principals { account: ACCOUNT.to_owned(), ..Principals::default() };
    for who in [everybody(), with_context, nobody] {
        let document = for_master_key(&who).unwrap();
        // The pipeline is named; an administrator of the account comes in through IAM.
        for caller in [None, Some("pipeline"), Some("AccountAdmin")] {
            assert_clean(&document, caller, KeyKind::MasterKey);
        }
    }
    let readers = AuditReaders {
        account: ACCOUNT.to_owned(),
        partition: "aws".to_owned(),
        region: "us-west-2".to_owned(),
        administrators: roles(&["KeyManagementAdmin"]),
        auditors: roles(&["Auditor"]),
        trail_arn: format!("arn:aws:cloudtrail:us-west-2:{ACCOUNT}:trail/phi"),
    };
    assert_clean(&for_audit_key(&readers).unwrap(), Some("pipeline"), KeyKind::AuditKey);
}

#[test]
fn policy_that_is_built_shuts_out_administrators_who_would_send_it() {
    let document = for_master_key(&everybody()).unwrap();
    let context = LintContext {
        caller_arn: Some(format!("arn:aws:sts::{ACCOUNT}:assumed-role/KeyManagementAdmin/ann")),
        ..LintContext::default()
    };
    let found = lint(&document, &context);
    assert_eq!(
        found.iter().map(|p| (p.code.as_str(), p.subject.as_str())).collect::<Vec<_>>(),
        [("locks-out-caller", "NoPolicyByOthers")]
    );
}
