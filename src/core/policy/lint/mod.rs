//! What is wrong with a key policy, before KMS or an incident finds out. Every finding names its statement, by Sid or number.
//!
//! `shape` reads each statement's elements, `reach` whom it names, `powers` what one principal has all together, `claims` conditions that
//! cannot match, `lockout` whether the caller could mend it. The codes are a contract: scripts match them. Each has a document of its own
//! under `tests/policies/`. What IAM policies add through the account-root statement is not seen here.

mod claims;
mod lockout;
mod powers;
mod reach;
mod shape;

use super::actions::{known, matches_pattern};
use super::arn::Who;
use super::document::{Condition, Document, Effect, Statement};
use crate::core::problem::{Problem, Severity};

/// What is known about the key beside its policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintContext {
    /// Who would send it: a user, a role, or a session of one.
    pub caller_arn: Option<String>,
    /// The key's account, twelve digits. Unknown: the caller's, else the one the policy's root statement names.
    pub account: Option<String>,
    pub kind: KeyKind,
}

/// What the key is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// Wraps DEKs: called by the application itself.
    MasterKey,
    /// Seals the trail's log files.
    AuditKey,
    #[default]
    Unknown,
}

/// Everything found, in the order of the statements; what concerns the whole document comes first. Empty: nothing was found.
pub fn lint(document: &Document, context: &LintContext) -> Vec<Problem> {
    let case = Case::of(document, context);
    let mut found = Vec::new();
    for rules in [shape::rules, reach::rules, powers::rules, claims::rules, lockout::rules] {
        rules(&case, &mut found);
    }
    found.sort_by_key(|finding| finding.at.map_or(0, |at| at + 1));
    found.into_iter().map(|finding| finding.problem).collect()
}

/// A finding and where it stands.
struct Finding {
    at: Option<usize>,
    problem: Problem,
}

type Found = Vec<Finding>;

/// A policy ready to be judged.
struct Case<'a> {
    document: &'a Document,
    kind: KeyKind,
    caller: Option<Who>,
    account: Option<String>,
    statements: Vec<View<'a>>,
}

/// One statement with its principals understood.
struct View<'a> {
    at: usize,
    name: String,
    statement: &'a Statement,
    /// Kind, text, meaning; of `Principal`, not of `NotPrincipal`.
    principals: Vec<(&'a str, &'a str, Who)>,
}

impl<'a> Case<'a> {
    fn of(document: &'a Document, context: &LintContext) -> Case<'a> {
        let statements: Vec<View> = document
            .statements
            .iter()
            .enumerate()
            .map(|(at, statement)| View {
                at,
                name: document.name_of(at),
                statement,
                principals: understood(statement),
            })
            .collect();
        let caller = context.caller_arn.as_deref().map(Who::parse);
        let of_root = || {
            let mut roots = statements.iter().filter(|view| view.gives_account_everything());
            roots.find_map(|view| view.principals.iter().find_map(|(_, _, who)| who.account()))
        };
        let account = context.account.as_deref().or(caller.as_ref().and_then(Who::account)).or_else(of_root);
        Case { document, kind: context.kind, account: account.map(str::to_owned), caller, statements }
    }

    fn allows(&self) -> impl Iterator<Item = &View<'a>> {
        self.statements.iter().filter(|view| view.statement.effect == Effect::Allow)
    }

    fn denies(&self) -> impl Iterator<Item = &View<'a>> {
        self.statements.iter().filter(|view| view.statement.effect == Effect::Deny)
    }

    /// The first Deny without a condition that takes this action from this principal.
    fn always_denies(&self, who: &Who, action: &str) -> Option<&View<'a>> {
        self.denies().find(|view| view.statement.conditions.is_empty() && view.names(who) && view.covers(action))
    }
}

fn understood(statement: &Statement) -> Vec<(&str, &str, Who)> {
    let each = statement.principal.iter().flat_map(|p| p.each());
    each.map(|(kind, text)| (kind, text, if kind == "AWS" { Who::parse(text) } else { Who::Other(text.to_owned()) }))
        .collect()
}

impl View<'_> {
    /// True when `Action` or `NotAction` covers `kms:NAME`.
    fn covers(&self, action: &str) -> bool {
        let among = |words: &super::Words| words.iter().any(|pattern| matches_pattern(pattern, action));
        match (&self.statement.action, &self.statement.not_action) {
            (Some(words), _) => among(words),
            (None, Some(words)) => !among(words),
            (None, None) => false,
        }
    }

    /// The first action of `names` (without `kms:`) that is covered.
    fn covers_any(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.covers(&format!("kms:{name}")))
    }

    /// `kms:*` or `*`.
    fn is_everything(&self) -> bool {
        let whole = |pattern: &str| known().all(|name| matches_pattern(pattern, &format!("kms:{name}")));
        self.statement.action.as_ref().is_some_and(|words| words.iter().any(whole))
    }

    /// True when `Principal` names this one: itself, its account, or everybody.
    fn names(&self, who: &Who) -> bool {
        self.principals.iter().any(|(kind, _, named)| {
            *kind == "AWS"
                && (named.names(who) || matches!(named, Who::Account(a) if who.account() == Some(a.as_str())))
        })
    }

    /// Roles, users and sessions, as they stand; accounts, services and everybody left out.
    fn people(&self) -> impl Iterator<Item = (&str, &Who)> {
        self.principals.iter().filter_map(|(_, text, who)| {
            matches!(who, Who::Role { .. } | Who::User { .. } | Who::Session { .. }).then_some((*text, who))
        })
    }

    fn is_for_anyone(&self) -> bool {
        self.principals.iter().any(|(_, _, who)| *who == Who::Anyone)
    }

    fn services(&self) -> impl Iterator<Item = &str> {
        self.principals.iter().filter(|(kind, ..)| *kind == "Service").map(|(_, text, _)| *text)
    }

    /// The statement that makes IAM count: PutKeyPolicy for an account, without a condition.
    fn gives_account_everything(&self) -> bool {
        self.statement.effect == Effect::Allow
            && self.statement.conditions.is_empty()
            && self.covers("kms:PutKeyPolicy")
            && self.statement.resource.as_ref().is_some_and(|words| words.iter().any(|word| word == "*"))
            && self.principals.iter().any(|(_, _, who)| matches!(who, Who::Account(_)))
    }

    fn conditions_on<'b>(&'b self, key: &'b str) -> impl Iterator<Item = &'b Condition> {
        self.statement.conditions.iter().filter(move |condition| condition.is_on(key))
    }

    /// True when a condition keeps the statement to some principals: one that must be there, on a key that tells who calls.
    fn is_narrowed(&self) -> bool {
        self.statement.conditions.iter().any(|condition| {
            NARROWING.iter().any(|key| condition.is_on(key))
                && !condition.passes_when_absent()
                && POSITIVE.contains(&condition.base_operator())
                && !condition.values.is_empty()
                && condition.values.iter().all(|value| !value.trim_matches('*').is_empty())
        })
    }

    fn finding(&self, severity: Severity, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { at: Some(self.at), problem: Problem::new(severity, code, self.name.clone(), message, hint) }
    }
}

/// Condition keys that tell who calls (IAM: global condition context keys; KMS: condition keys).
const NARROWING: [&str; 8] = [
    "kms:CallerAccount",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:userid",
];

const POSITIVE: [&str; 6] =
    ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "ArnLikeIgnoreCase"];

/// A finding about the whole document.
fn about_all(severity: Severity, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { at: None, problem: Problem::new(severity, code, "document", message, hint) }
}

/// One or more words for a sentence: `a, b and 3 more`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}
