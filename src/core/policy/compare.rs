//! Whether two policy documents mean the same, and if not, what differs: one line a difference, the statement named.
//! Order, case of actions, a list of one, an account id for its root ARN, and a document's Id mean nothing to AWS and nothing here.

use super::actions::canonical;
use super::arn::Who;
use super::document::{Condition, Document, Effect, Principal, Statement, Words};
use std::collections::BTreeSet;

impl Document {
    /// The same meaning in one spelling: lists sorted, each word once, actions as KMS spells them, accounts as root ARNs, conditions sorted.
    /// Statements keep their order.
    pub fn normalised(&self) -> Document {
        Document { statements: self.statements.iter().map(normalised).collect(), ..self.clone() }
    }
}

fn normalised(statement: &Statement) -> Statement {
    let actions = |words: &Words| sorted(words.iter().map(canonical));
    let resources = |words: &Words| sorted(words.iter().map(str::to_owned));
    let mut conditions: Vec<Condition> = statement
        .conditions
        .iter()
        .map(|c| Condition {
            operator: c.operator.clone(),
            key: c.key.to_lowercase(),
            values: sorted(c.values.iter().cloned()).0,
        })
        .collect();
    conditions.sort();
    conditions.dedup();
    Statement {
        principal: statement.principal.as_ref().map(principal),
        not_principal: statement.not_principal.as_ref().map(principal),
        action: statement.action.as_ref().map(actions),
        not_action: statement.not_action.as_ref().map(actions),
        resource: statement.resource.as_ref().map(resources),
        not_resource: statement.not_resource.as_ref().map(resources),
        conditions,
        ..statement.clone()
    }
}

fn sorted(words: impl Iterator<Item = String>) -> Words {
    Words(words.collect::<BTreeSet<_>>().into_iter().collect())
}

fn principal(principal: &Principal) -> Principal {
    let mut kinds: Vec<(String, Words)> = Vec::new();
    for (kind, word) in principal.each() {
        let word = match Who::parse(word) {
            // The partition is the account's own: it cannot differ.
            Who::Account(account) if kind == "AWS" => format!("arn:aws:iam::{account}:root"),
            _ => word.to_owned(),
        };
        match kinds.iter_mut().find(|(known, _)| known == kind) {
            Some((_, words)) => words.0.push(word),
            None => kinds.push((kind.to_owned(), Words(vec![word]))),
        }
    }
    kinds.sort_by(|a, b| a.0.cmp(&b.0));
    let all: Vec<_> = kinds.into_iter().map(|(kind, words)| (kind, sorted(words.0.into_iter()))).collect();
    match all.as_slice() {
        [(kind, words)] if kind == "AWS" && words.0 == ["*"] => Principal::Anyone,
        _ => Principal::Named(all),
    }
}

/// What `found` has or lacks against `wanted`, one line each; empty when they mean the same. Statements are matched by Sid,
/// those without one (or with one that stands twice) by what they say.
pub fn differences(found: &Document, wanted: &Document) -> Vec<String> {
    let (found, wanted) = (found.normalised(), wanted.normalised());
    let mut lines = Vec::new();
    let version = |d: &Document| d.version.clone().unwrap_or_else(|| "2008-10-17".to_owned());
    if version(&found) != version(&wanted) {
        lines.push(format!("its version is {}, wanted is {}", version(&found), version(&wanted)));
    }
    let mut left: Vec<usize> = (0..found.statements.len()).collect();
    let mut missing = Vec::new();
    for (index, statement) in wanted.statements.iter().enumerate() {
        match left.iter().position(|at| found.statements[*at] == *statement) {
            Some(at) => drop(left.remove(at)),
            None => missing.push(index),
        }
    }
    for index in missing {
        let statement = &wanted.statements[index];
        let same_sid = left.iter().position(|at| statement.sid.is_some() && found.statements[*at].sid == statement.sid);
        match same_sid {
            Some(at) => {
                let other = &found.statements[left.remove(at)];
                lines.extend(within(other, statement).map(|what| format!("{}: {what}", title(&wanted, index))));
            }
            None => lines.push(format!("{} is wanted and missing", title(&wanted, index))),
        }
    }
    lines.extend(left.into_iter().map(|at| format!("{} is there and not wanted", title(&found, at))));
    lines
}

fn title(document: &Document, index: usize) -> String {
    let name = document.name_of(index);
    if name.starts_with("statement ") { name } else { format!("statement {name}") }
}

fn within<'a>(found: &'a Statement, wanted: &'a Statement) -> impl Iterator<Item = String> + 'a {
    let effect = (found.effect != wanted.effect)
        .then(|| format!("its effect is {}, wanted is {}", shown(&found.effect), shown(&wanted.effect)));
    let mut parts: Vec<(&str, BTreeSet<String>, BTreeSet<String>)> = vec![
        ("principal", principals(&found.principal), principals(&wanted.principal)),
        ("NotPrincipal", principals(&found.not_principal), principals(&wanted.not_principal)),
        ("action", words(&found.action), words(&wanted.action)),
        ("NotAction", words(&found.not_action), words(&wanted.not_action)),
        ("resource", words(&found.resource), words(&wanted.resource)),
        ("NotResource", words(&found.not_resource), words(&wanted.not_resource)),
        ("condition", conditions(&found.conditions), conditions(&wanted.conditions)),
    ];
    let others = |s: &Statement| s.other.iter().map(|(key, value)| format!("{key} {value}")).collect();
    parts.push(("element", others(found), others(wanted)));
    effect.into_iter().chain(parts.into_iter().flat_map(|(what, found, wanted)| {
        let more = found.difference(&wanted).map(|word| format!("{what} {word} is there and not wanted"));
        let less = wanted.difference(&found).map(|word| format!("{what} {word} is wanted and missing"));
        more.chain(less).collect::<Vec<_>>()
    }))
}

fn shown(effect: &Effect) -> &str {
    Some(effect.as_str()).filter(|word| !word.is_empty()).unwrap_or("none")
}

fn words(words: &Option<Words>) -> BTreeSet<String> {
    words.iter().flat_map(Words::iter).map(str::to_owned).collect()
}

fn principals(principal: &Option<Principal>) -> BTreeSet<String> {
    let each = principal.iter().flat_map(Principal::each);
    each.map(|(kind, word)| if kind == "AWS" { word.to_owned() } else { format!("{kind} {word}") }).collect()
}

fn conditions(conditions: &[Condition]) -> BTreeSet<String> {
    conditions.iter().map(|c| format!("{} {} = {}", c.operator, c.key, c.values.join(" | "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Document {
        Document::parse(&value.to_string()).unwrap()
    }

    fn one(statement: serde_json::Value) -> Document {
        read(json!({"Version": "2012-10-17", "Statement": [statement]}))
    }

    #[test]
    fn spelling_makes_no_difference() {
        let ours = one(json!({"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": ["1", "2"]}}}));
        let theirs = read(json!({"Id": "key-default-1", "Version": "2012-10-17", "Statement":
            {"Condition": {"StringEquals": {"KMS:callerAccount": ["2", "1", "1"]}}, "Resource": ["*"],
            "Action": ["kms:generatedatakey", "KMS:Decrypt", "kms:Decrypt"], "Principal": {"AWS": ["111122223333"]},
            "Effect": "Allow", "Sid": "Use"}}));
        assert_eq!(differences(&theirs, &ours), Vec::<String>::new());
        assert_eq!(theirs.normalised().statements, ours.normalised().statements);
        let star = |p| one(json!({"Effect": "Deny", "Principal": p, "Action": "kms:*", "Resource": "*"}));
        assert!(differences(&star(json!("*")), &star(json!({"AWS": ["*"]}))).is_empty());
    }

    #[test]
    fn every_difference_names_its_statement() {
        let wanted = one(
            json!({"Sid": "ApplicationUse", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
            "Action": ["kms:Decrypt"], "Resource": "*"}),
        );
        let found = read(json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
            {"Sid": "ApplicationUse", "Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/other"},
             "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}));
        assert_eq!(
            differences(&found, &wanted),
            [
                "statement ApplicationUse: its effect is Deny, wanted is Allow",
                "statement ApplicationUse: principal arn:aws:iam::111122223333:role/other is there and not wanted",
                "statement ApplicationUse: principal arn:aws:iam::111122223333:role/app is wanted and missing",
                "statement ApplicationUse: action kms:Encrypt is there and not wanted",
                "statement ApplicationUse: condition Bool aws:securetransport = true is there and not wanted",
                "statement 1 is there and not wanted",
            ]
        );
        assert_eq!(differences(&Document::of(vec![]), &wanted), ["statement ApplicationUse is wanted and missing"]);
    }

    #[test]
    fn statements_without_a_name_are_matched_by_what_they_say() {
        let statement = |action: &str| json!({"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"});
        let two = read(json!({"Statement": [statement("kms:Decrypt"), statement("kms:Encrypt")]}));
        let turned = read(json!({"Statement": [statement("kms:Encrypt"), statement("kms:Decrypt")]}));
        assert!(differences(&two, &turned).is_empty());
        let twice = read(json!({"Statement": [statement("kms:Encrypt"), statement("kms:Encrypt")]}));
        assert_eq!(
            differences(&twice, &two),
            ["statement 1 is wanted and missing", "statement 2 is there and not wanted"]
        );
    }

    /// A statement of words that AWS might have, and the same in other spelling.
    fn two_spellings() -> impl Strategy<Value = (Statement, Statement)> {
        let actions =
            prop::sample::subsequence(vec!["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:Get*"], 1..4);
        let people = prop::sample::subsequence(vec!["111122223333", "arn:aws:iam::111122223333:role/a", "*"], 1..3);
        let values = prop::sample::subsequence(vec!["a", "b", "c"], 1..3);
        (actions, people, values, any::<bool>()).prop_map(|(actions, people, values, denies)| {
            let make = if denies { Statement::deny } else { Statement::allow };
            let one = make("S", Principal::aws(people.clone()), &actions)
                .when(Condition::new("StringEquals", "kms:ViaService", values.clone()))
                .when(Condition::new("Bool", "kms:GrantIsForAWSResource", ["true"]));
            let root =
                |who: &str| if who == "111122223333" { format!("arn:aws:iam::{who}:root") } else { who.to_owned() };
            let shouted: Vec<String> = actions.iter().rev().chain(&actions).map(|a| a.to_uppercase()).collect();
            let shouted: Vec<&str> = shouted.iter().map(String::as_str).collect();
            let other = make("S", Principal::aws(people.into_iter().rev().map(root)), &shouted)
                .when(Condition::new("Bool", "KMS:grantisforawsresource", ["true"]))
                .when(Condition::new("StringEquals", "kms:ViaService", values.into_iter().rev()));
            (one, other)
        })
    }

    proptest! {
        #[test]
        fn spelling_never_makes_a_difference_and_a_word_more_always_does(
            pairs in prop::collection::vec(two_spellings(), 1..4),
        ) {
            let (ones, others): (Vec<Statement>, Vec<Statement>) = pairs
                .into_iter()
                .enumerate()
                .map(|(n, (one, other))| {
                    let sid = Some(format!("S{n}"));
                    (Statement { sid: sid.clone(), ..one }, Statement { sid, ..other })
                })
                .unzip();
            let (ones, mut others) = (Document::of(ones), Document::of(others));
            others.statements.reverse();
            prop_assert_eq!(differences(&others, &ones), Vec::<String>::new());
            prop_assert_eq!(ones.normalised().normalised(), ones.normalised());
            prop_assert_eq!(Document::parse(&ones.to_pretty()).expect("written by us"), ones.clone());
            let mut more = ones.clone();
            more.statements[0].action.as_mut().expect("it has one").0.push("kms:CreateGrant".to_owned());
            prop_assert_eq!(
                differences(&more, &ones),
                ["statement S0: action kms:CreateGrant is there and not wanted"]
            );
        }
    }

    #[test]
    fn a_missing_version_is_the_old_one() {
        let old = read(json!({"Statement": []}));
        assert_eq!(differences(&old, &Document::of(vec![])), ["its version is 2008-10-17, wanted is 2012-10-17"]);
    }
}
