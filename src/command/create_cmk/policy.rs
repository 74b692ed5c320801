//! `create-cmk policy`: the key policy that would be sent, and what is wrong with one that somebody wrote.

use super::iam::account_of;
use crate::app::{App, Outcome};
use crate::core::kms::Caller;
use crate::core::policy::{Document, KeyKind, LintContext, Malformed, Who, lint};
use crate::core::problem::Problem;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ops::provisioning::{self, Asked, LogKey};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum What {
    /// Print the key policy that create-cmk would send in this environment
    ///
    /// Built from provision.roles of the configuration; their account is taken for the key's. Makes no call.
    ///
    /// Example: scrybe-keys create-cmk policy show --environment staging
    ///
    /// Changes nothing. Exit codes: 0, 2, 3 (the linter found something in it).
    Show {
        /// Of which key
        #[arg(long, value_name = "KIND", default_value = "master")]
        kind: Kind,
    },
    /// Look for traps in a key policy: a file, or - for stdin; needs no AWS, no database and no settings
    ///
    /// Takes the document itself, or the answer of `aws kms get-key-policy`. What IAM policies add is not seen.
    ///
    /// Example: aws kms get-key-policy --key-id KEY | scrybe-keys create-cmk policy lint - --as "$(aws sts get-caller-identity --query Arn --output text)"
    ///
    /// Changes nothing. Exit codes: 0 (nothing found), 2 (no policy document), 3 (findings).
    Lint(Lint),
}

#[derive(clap::Args)]
pub struct Lint {
    /// Policy document in JSON; - reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who would send it: ARN of a user, role or session, for the lockout check
    #[arg(long = "as", value_name = "ARN")]
    caller: Option<String>,
    /// What the key is for; some traps are traps for one kind only
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Wraps data keys; called by the application
    Master,
    /// Seals the trail's log files
    Audit,
}

impl Kind {
    fn of_key(self) -> KeyKind {
        match self {
            Kind::Master => KeyKind::MasterKey,
            Kind::Audit => KeyKind::AuditKey,
        }
    }
}

/// More than any policy; enough to say that one is too large.
const MOST: u64 = 4 * 1024 * 1024;

impl What {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        match self {
            What::Show { kind } => show(app, kind),
            What::Lint(args) => args.run(app),
        }
    }
}

fn show(app: &App, kind: Kind) -> Result<Outcome, Failure> {
    let document = policy_for(app, kind)?;
    let problems = lint(&document, &LintContext { kind: kind.of_key(), ..LintContext::default() });
    problems.iter().for_each(|problem| app.ui.warn(&one_line(problem)));
    let data = json!({ "policy": document.to_value(), "bytes": document.to_json().len() });
    let exit = if problems.is_empty() { Exit::Done } else { Exit::Findings };
    Ok(Outcome { exit, problems, ..Outcome::done(data, document.to_pretty())? })
}

/// The policy that `create-cmk` would send for this environment. Makes no call.
pub fn policy_for(app: &App, kind: Kind) -> Result<Document, Failure> {
    let nothing = |what: &str| {
        Failure::usage("no-such-policy", format!("the configuration says nothing of {what}"))
            .hint("`scrybe-keys init` writes a commented example into the configuration file")
    };
    let roles = app.settings.provision.as_ref().and_then(|section| section.value.roles.as_ref());
    let arn = roles.and_then(|roles| roles.all().find(|arn| account_of(arn).is_some()));
    let arn = arn.ok_or_else(|| match kind {
        Kind::Master => Failure { code: "no-roles", ..nothing("provision.roles") },
        Kind::Audit => nothing("provision.roles, which would name the account"),
    })?;
    let caller = Caller { account: account_of(arn).unwrap_or_default().to_owned(), arn: arn.to_owned() };
    let desired = provisioning::desired(app, caller, &Asked::default())?;
    match (kind, desired.audit.map(|audit| audit.key)) {
        (Kind::Master, _) => desired.master.policy.ok_or_else(|| nothing("provision.roles")),
        (Kind::Audit, Some(LogKey::Own(key))) => key.policy.ok_or_else(|| nothing("a policy of the audit key")),
        (Kind::Audit, _) => Err(nothing("an audit key of its own (provision.audit.key)")),
    }
}

impl Lint {
    fn run(self, app: &App) -> Result<Outcome, Failure> {
        if let Some(arn) = &self.caller
            && !matches!(Who::parse(arn), Who::User { .. } | Who::Role { .. } | Who::Session { .. } | Who::Account(_))
        {
            return Err(Failure::usage("bad-principal", format!("--as {arn}: no ARN of a user, role or session"))
                .hint("aws sts get-caller-identity --query Arn --output text"));
        }
        let name = if self.file == Path::new("-") { "stdin".to_owned() } else { self.file.display().to_string() };
        let text = read(&self.file, &name)?;
        let document = Document::parse(&text).map_err(|malformed| refused(&name, &malformed))?;
        let kind = self.kind.map(Kind::of_key).unwrap_or_default();
        let problems = lint(&document, &LintContext { caller_arn: self.caller, account: None, kind });
        let data = json!({
            "file": name,
            "statements": document.statements.len(),
            "bytes": document.to_json().len(),
            "findings": problems.len(),
        });
        let text = if problems.is_empty() {
            let count = document.statements.len();
            format!("{name}: {count} statement{} read, nothing found.\n", if count == 1 { "" } else { "s" })
        } else {
            shown(app, &problems)
        };
        let exit = if problems.is_empty() { Exit::Done } else { Exit::Findings };
        Ok(Outcome { exit, problems, ..Outcome::done(data, text)? })
    }
}

fn shown(app: &App, problems: &[Problem]) -> String {
    let rows: Vec<Vec<String>> = problems
        .iter()
        .map(|p| vec![word(p), p.code.clone(), p.subject.clone(), format!("{}; {}", p.message, p.hint)])
        .collect();
    app.ui.table(&["severity", "code", "statement", "what is wrong, and what to do"], &rows, &[])
}

fn word(problem: &Problem) -> String {
    format!("{:?}", problem.severity).to_lowercase()
}

fn one_line(problem: &Problem) -> String {
    format!("{} {} ({}): {}; {}", word(problem), problem.subject, problem.code, problem.message, problem.hint)
}

fn read(file: &Path, name: &str) -> Result<String, Failure> {
    let unreadable = |error| Failure::usage("unreadable", format!("cannot read {name}")).caused_by(error);
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(unreadable)?)
    };
    let mut bytes = Vec::new();
    from.take(MOST).read_to_end(&mut bytes).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        refused(name, &Malformed { line: Some(line), message: "not UTF-8".to_owned() })
    })
}

fn refused(name: &str, malformed: &Malformed) -> Failure {
    let place = malformed.line.map_or(name.to_owned(), |line| format!("{name}:{line}"));
    Failure::usage("no-policy-document", format!("{place}: {}", malformed.message))
        .hint("aws kms get-key-policy --key-id KEY --output text --query Policy")
}
