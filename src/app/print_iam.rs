//! `--print-iam`: what a verb asks of AWS, as an IAM policy, from the table that the code itself is held to (`core::permissions`).
//!
//! It stands on any verb, with or without the verb's own arguments, so it is looked for before clap insists on those. Nothing is asked: no
//! AWS, no database; of the settings only key and region, where they can be read. The policy goes to stdout, when each action is needed to
//! stderr. Behind `--`, and among the words of a command that is handed on, it is somebody else's flag.

use super::manner::Manner;
use super::{Outcome, ending};
use crate::command::Cli;
use crate::config::{Env, Flags, Origin, Settings};
use crate::core::permissions::{self, Action, Place, Resource};
use crate::error::Failure;
use crate::exit::Ended;
use crate::ui::{Terminal, Ui};
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};
use std::ffi::OsString;

/// A command line that asks for the policy of its verb.
pub(super) struct Asked {
    /// Words of the verb, or of the group of verbs; empty for the whole tool.
    words: Vec<String>,
    /// The global flags with their values.
    globals: Vec<OsString>,
}

#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
struct Globals {
    #[command(flatten)]
    flags: Flags,
}

/// Whether `--print-iam` is among our own words. `None` also where clap has something to say first: help, or a verb there is not.
pub(super) fn asked(argv: &[OsString]) -> Option<Asked> {
    let mut root = Cli::command();
    root.build();
    let mut at = &root;
    let mut asked = Asked { words: Vec::new(), globals: vec!["scrybe-keys".into()] };
    let mut found = false;
    let mut argv = argv.iter().skip(1);
    while let Some(word) = argv.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            break;
        }
        if text == "--print-iam" {
            found = true;
        } else if text.starts_with('-') && text.len() > 1 {
            let (name, value) = text.split_once('=').map_or((&*text, None), |(name, value)| (name, Some(value)));
            let is = |a: &&clap::Arg| match name.strip_prefix("--") {
                Some(long) => a.get_long() == Some(long) || a.get_all_aliases().is_some_and(|all| all.contains(&long)),
                None => a.get_short().is_some_and(|short| name.ends_with(short)),
            };
            let argument = at.get_arguments().find(is)?;
            if matches!(argument.get_id().as_str(), "help" | "version") {
                return None;
            }
            let is_global = root.get_arguments().any(|a| a.get_id() == argument.get_id());
            asked.globals.extend(is_global.then(|| word.clone()));
            if argument.get_action().takes_values() && value.is_none() {
                let value = argv.next();
                asked.globals.extend(value.filter(|_| is_global).cloned());
            }
        } else if let Some(inner) = at.find_subcommand(&*text) {
            asked.words.push(inner.get_name().to_owned());
            at = inner;
        } else if at.get_positionals().any(clap::Arg::is_trailing_var_arg_set) {
            break;
        } else if at.has_subcommands() {
            return None;
        }
    }
    found.then_some(asked)
}

impl Asked {
    /// Prints it. Exit 0; 2 when a global flag is wrong.
    pub(super) fn answer(
        self,
        env: &Env,
        terminal: &Terminal,
        asked: Manner,
        no_color: bool,
        run_id: uuid::Uuid,
    ) -> Ended {
        // A policy has one form for people and files.
        let manner = if asked == Manner::Json { Manner::Json } else { Manner::Person };
        let mut flags = match Globals::try_parse_from(&self.globals) {
            Ok(globals) => globals.flags,
            Err(error) => return ending::unparsed(&error, terminal, manner, no_color, run_id),
        };
        flags.json |= manner == Manner::Json;
        let ui = Ui::new(terminal, &flags, no_color);
        let result = self.outcome(&ui, &flags, env);
        ending::finish(&ui, "print-iam", run_id, None, manner, result)
    }

    fn outcome(&self, ui: &Ui, flags: &Flags, env: &Env) -> Result<Outcome, Failure> {
        let name = self.words.join(" ");
        let actions = self.actions()?;
        let place = match Settings::load(flags, env) {
            Ok(settings) => place(&settings),
            Err(failure) => {
                ui.say(&format!("The key is left open, since the settings cannot be read: {failure}"));
                Place::default()
            }
        };
        let policy = permissions::policy_for(&actions, &place);
        let shown = if name.is_empty() { "scrybe-keys as a whole" } else { &name };
        if policy.statements.is_empty() {
            let sandbox = actions.iter().any(|action| action.resource == Resource::Sandbox);
            let why = if sandbox { ": it talks to the sandbox's own endpoint" } else { "" };
            ui.say(&format!("{shown} needs no permission of AWS{why}."));
        } else {
            ui.say(&format!("What {shown} needs, and when:\n{}", table(ui, &actions)));
            ui.say("Words in capitals stand for what is not known here: replace them.");
        }
        let data = json!({
            "verb": name,
            "actions": actions.iter().map(|action| as_json(action, &place)).collect::<Vec<_>>(),
            "policy": policy.to_value(),
        });
        Outcome::done(data, policy.to_pretty())
    }

    /// The verb's row; of a group the rows of all its verbs.
    fn actions(&self) -> Result<Vec<Action>, Failure> {
        let path = self.words.join("-");
        let under = |verb: &str| path.is_empty() || verb == path || verb.starts_with(&format!("{path}-"));
        let is_verb = permissions::is_listed(&path);
        let rows: Vec<&str> =
            permissions::verbs().filter(|verb| if is_verb { *verb == path } else { under(verb) }).collect();
        if rows.is_empty() {
            return Err(Failure::internal(format!("core::permissions has no row for {path}")));
        }
        let mut all: Vec<Action> = Vec::new();
        for action in rows.into_iter().flat_map(permissions::of) {
            let same = |known: &Action| {
                (known.service, known.operation, known.resource) == (action.service, action.operation, action.resource)
            };
            match all.iter_mut().find(|known| same(known)) {
                None => all.push(*action),
                // What one verb always needs, the group always needs.
                Some(known) if action.when.is_empty() => known.when = "",
                Some(_) => {}
            }
        }
        Ok(all)
    }
}

fn place(settings: &Settings) -> Place {
    let mut place = Place::default();
    if settings.region.origin != Origin::Default {
        place.region = settings.region.value.clone();
    }
    let key = settings.key.as_ref().map(|key| key.value.as_str()).unwrap_or_default();
    if let ["arn", partition, "kms", region, account, resource] = key.splitn(6, ':').collect::<Vec<_>>()[..] {
        (place.partition, place.region, place.account) = (partition.to_owned(), region.to_owned(), account.to_owned());
        if resource.starts_with("key/") {
            place.key = key.to_owned();
        }
    } else if !key.is_empty() && !key.starts_with("alias/") {
        place.key = key.to_owned();
    }
    if let Some(audit) = settings.provision.as_ref().and_then(|section| section.value.audit.as_ref()) {
        let bucket =
            audit.bucket.as_ref().map(|name| (Resource::Bucket, format!("arn:{}:s3:::{name}", place.partition)));
        let role = audit.logs_role.clone().map(|arn| (Resource::LogsRole, arn));
        place.named.extend(bucket.into_iter().chain(role));
    }
    place
}

fn table(ui: &Ui, actions: &[Action]) -> String {
    let rows: Vec<Vec<String>> = actions
        .iter()
        .filter(|action| action.resource != Resource::Sandbox)
        .map(|action| {
            let names = permissions::iam_actions(action.service, action.operation);
            let names = if names.is_empty() {
                format!("{}:{} (free)", action.service, action.operation)
            } else {
                names.join(", ")
            };
            vec![names, if action.when.is_empty() { "always".to_owned() } else { action.when.to_owned() }]
        })
        .collect();
    ui.table(&["action", "when"], &rows, &[]).trim_end().to_owned()
}

fn as_json(action: &Action, place: &Place) -> Value {
    json!({
        "service": action.service,
        "operation": action.operation,
        "iamActions": permissions::iam_actions(action.service, action.operation),
        "resources": place.arns(action.resource),
        "when": Some(action.when).filter(|when| !when.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        asked(&argv).map(|asked| asked.words)
    }

    #[test]
    fn it_is_found_wherever_it_stands_and_only_where_it_is_ours() {
        assert_eq!(words("x rotate --print-iam"), Some(vec!["rotate".into()]));
        assert_eq!(words("x --print-iam --key rotate jobs list"), Some(vec!["jobs".into(), "list".into()]));
        assert_eq!(words("x -v rotate --org a --print-iam --reason"), Some(vec!["rotate".into()]));
        assert_eq!(words("x --print-iam"), Some(vec![]));
        assert_eq!(words("x keys show acme --print-iam"), Some(vec!["keys".into(), "show".into()]));
        for other in [
            "x rotate",
            "x sandbox exec -- scrybe-keys rotate --print-iam",
            "x sandbox exec scrybe-keys rotate --print-iam",
            "x rotate --print-iam --help",
            "x rotate --print-iam -h",
            "x frobnicate --print-iam",
            "x rotate --frobnicate --print-iam",
        ] {
            assert_eq!(words(other), None, "{other}");
        }
    }

    #[test]
    fn a_value_is_no_flag() {
        assert_eq!(words("x rotate --reason --print-iam"), None);
    }
}
