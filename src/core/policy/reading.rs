//! A policy document from the JSON that a person or AWS wrote.
//!
//! | element | read from | written as |
//! | --- | --- | --- |
//! | Statement | a list, or one object | a list |
//! | Action, Resource, condition values, principal lists | a text, or a list of texts | a text where there is one, else a list |
//! | Principal | `"*"`, or an object by kind | as it was read |
//! | numbers and booleans of conditions | as they are | as text, which means the same to AWS |
//! | anything else | as it is | as it is, last |
//!
//! What AWS could not read either (a statement that is a number, a key that stands twice) is `Malformed`, with its line where JSON gives one.

use super::document::{Condition, Document, Effect, Principal, Statement, Words};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Text that is no policy document, and where it stopped being one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct Malformed {
    /// From 1; absent where the JSON is fine but its shape is not.
    pub line: Option<usize>,
    pub message: String,
}

impl Malformed {
    fn shape(message: impl Into<String>) -> Malformed {
        Malformed { line: None, message: message.into() }
    }
}

impl Document {
    /// Reads what a person or AWS wrote: the document itself, or the answer of `aws kms get-key-policy`, which holds it as text.
    pub fn parse(json: &str) -> Result<Document, Malformed> {
        let Value::Object(mut map) = strict_json(json)? else {
            return Err(Malformed::shape("a policy document is a JSON object"));
        };
        if !map.contains_key("Statement")
            && let Some(Value::String(inner)) = map.get("Policy")
        {
            let Value::Object(inner) = strict_json(inner)? else {
                return Err(Malformed::shape("its Policy is not a JSON object"));
            };
            map = inner;
        }
        let mut document = Document::default();
        let mut seen = false;
        for (key, value) in map {
            match key.as_str() {
                "Version" => document.version = Some(text(value, "Version")?),
                "Id" => document.id = Some(text(value, "Id")?),
                "Statement" => {
                    seen = true;
                    let all = match value {
                        Value::Array(many) => many,
                        one => vec![one],
                    };
                    document.statements =
                        all.into_iter().zip(1..).map(|(s, n)| Statement::read(s, n)).collect::<Result<_, _>>()?;
                }
                _ => {
                    document.other.insert(key, value);
                }
            }
        }
        if seen { Ok(document) } else { Err(Malformed::shape("it has no Statement: this is no policy document")) }
    }
}

impl Statement {
    fn read(value: Value, number: usize) -> Result<Statement, Malformed> {
        let Value::Object(map) = value else {
            return Err(Malformed::shape(format!("statement {number} is not an object")));
        };
        let at = |name: &str| format!("statement {number}: {name}");
        let mut statement = Statement::default();
        for (key, value) in map {
            match key.as_str() {
                "Sid" => statement.sid = Some(text(value, &at("Sid"))?),
                "Effect" => {
                    statement.effect = match text(value, &at("Effect"))?.as_str() {
                        "Allow" => Effect::Allow,
                        "Deny" => Effect::Deny,
                        other => Effect::Unknown(other.to_owned()),
                    }
                }
                "Principal" => statement.principal = Some(Principal::read(value, &at("Principal"))?),
                "NotPrincipal" => statement.not_principal = Some(Principal::read(value, &at("NotPrincipal"))?),
                "Action" => statement.action = Some(Words::read(value, &at("Action"))?),
                "NotAction" => statement.not_action = Some(Words::read(value, &at("NotAction"))?),
                "Resource" => statement.resource = Some(Words::read(value, &at("Resource"))?),
                "NotResource" => statement.not_resource = Some(Words::read(value, &at("NotResource"))?),
                "Condition" => statement.conditions = conditions(value, &at("Condition"))?,
                _ => {
                    statement.other.insert(key, value);
                }
            }
        }
        Ok(statement)
    }
}

impl Words {
    fn read(value: Value, place: &str) -> Result<Words, Malformed> {
        let wrong = || Malformed::shape(format!("{place} is neither a text nor a list of texts"));
        match value {
            Value::String(one) => Ok(Words(vec![one])),
            Value::Array(many) => many
                .into_iter()
                .map(|word| if let Value::String(word) = word { Ok(word) } else { Err(wrong()) })
                .collect::<Result<_, _>>()
                .map(Words),
            _ => Err(wrong()),
        }
    }
}

impl Principal {
    fn read(value: Value, place: &str) -> Result<Principal, Malformed> {
        match value {
            Value::String(star) if star == "*" => Ok(Principal::Anyone),
            Value::Object(kinds) => kinds
                .into_iter()
                .map(|(kind, words)| Ok((kind.clone(), Words::read(words, &format!("{place} {kind}"))?)))
                .collect::<Result<_, _>>()
                .map(Principal::Named),
            _ => Err(Malformed::shape(format!("{place} is neither \"*\" nor an object such as {{\"AWS\": …}}"))),
        }
    }
}

fn conditions(value: Value, place: &str) -> Result<Vec<Condition>, Malformed> {
    let wrong = |what: &str| Malformed::shape(format!("{place}{what} is not an object"));
    let Value::Object(block) = value else { return Err(wrong("")) };
    let mut all = Vec::new();
    for (operator, keys) in block {
        let Value::Object(keys) = keys else { return Err(wrong(&format!(" {operator}"))) };
        for (key, values) in keys {
            let values = match values {
                Value::Array(many) => many,
                one => vec![one],
            };
            let values = values
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text),
                    Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
                    _ => Err(Malformed::shape(format!("{place} {operator} {key} holds something that is no value"))),
                })
                .collect::<Result<_, _>>()?;
            all.push(Condition { operator: operator.clone(), key, values });
        }
    }
    Ok(all)
}

fn text(value: Value, place: &str) -> Result<String, Malformed> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Malformed::shape(format!("{place} is not a text"))),
    }
}

/// JSON in which no key stands twice: the second would silently win over the first.
fn strict_json(text: &str) -> Result<Value, Malformed> {
    struct Strict;
    impl<'de> Visitor<'de> for Strict {
        type Value = Value;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }
        fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
            Ok(Value::from(value))
        }
        fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
            Ok(Value::from(value))
        }
        fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
            Ok(Value::from(value))
        }
        fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
            Ok(Value::from(value))
        }
        fn visit_str<E>(self, value: &str) -> Result<Value, E> {
            Ok(Value::from(value))
        }
        fn visit_unit<E>(self) -> Result<Value, E> {
            Ok(Value::Null)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
            let mut list = Vec::new();
            while let Some(Checked(value)) = from.next_element()? {
                list.push(value);
            }
            Ok(Value::Array(list))
        }
        fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
            let mut map = Map::new();
            while let Some(key) = from.next_key::<String>()? {
                if map.contains_key(&key) {
                    return Err(de::Error::custom(format!("key {key} stands twice")));
                }
                let Checked(value) = from.next_value()?;
                map.insert(key, value);
            }
            Ok(Value::Object(map))
        }
    }
    struct Checked(Value);
    impl<'de> de::Deserialize<'de> for Checked {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Checked, D::Error> {
            from.deserialize_any(Strict).map(Checked)
        }
    }
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str::<Checked>(text).map(|checked| checked.0).map_err(|error| {
        let said = error.to_string();
        let message = said.split_once(" at line ").map_or(said.as_str(), |(what, _)| what).to_owned();
        Malformed { line: Some(error.line()).filter(|line| *line > 0), message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_by_hand_loses_nothing() {
        let by_hand = json!({
            "Version": "2008-10-17",
            "Id": "old",
            "Statement": {
                "Sid": "1", "Effect": "Permit", "NotPrincipal": {"AWS": ["111122223333", "*"], "Federated": "idp"},
                "NotAction": ["kms:*"], "NotResource": "x", "Condition": {"StringEqualz": {"kms:What": ["a", "b"]}, "Bool": {"x:y": "true"}},
                "Comment": {"by": ["ann"]}
            },
            "Owner": 7
        });
        let read = Document::parse(&by_hand.to_string()).unwrap();
        assert_eq!(read.statements[0].effect, Effect::Unknown("Permit".into()));
        let written = read.to_value();
        assert_eq!(written["Statement"][0]["Comment"], by_hand["Statement"]["Comment"]);
        assert_eq!(written["Statement"][0]["Condition"], by_hand["Statement"]["Condition"]);
        assert_eq!(written["Owner"], 7);
        assert_eq!(Document::parse(&written.to_string()).unwrap(), read);
    }

    #[test]
    fn numbers_and_booleans_of_conditions_are_values() {
        let text = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Condition":{"Bool":{"a:b":true},"NumericLessThan":{"c:d":[30,7]}}}]}"#;
        let read = Document::parse(text).unwrap();
        assert_eq!(read.statements[0].conditions[0].values, ["true"]);
        assert_eq!(read.statements[0].conditions[1].values, ["30", "7"]);
        assert_eq!(read.statements[0].principal, Some(Principal::Anyone));
    }

    #[test]
    fn what_aws_prints_is_read_as_it_is() {
        let inner = Document::of(vec![Statement::allow("A", Principal::aws(["111122223333"]), &["kms:*"])]);
        let printed = json!({"Policy": inner.to_json(), "PolicyName": "default"}).to_string();
        assert_eq!(Document::parse(&printed).unwrap(), inner);
    }

    #[test]
    fn what_is_no_policy_says_where() {
        let refused = |text: &str| Document::parse(text).unwrap_err();
        assert_eq!(refused("{\n \"Statement\": [\n}").line, Some(3));
        let twice = refused("{\"Statement\": [{\n\"Action\": \"a\",\n\"Action\": \"b\"}]}");
        assert_eq!((twice.line, twice.message.as_str()), (Some(3), "key Action stands twice"));
        assert_eq!(refused("[]").to_string(), "a policy document is a JSON object");
        assert_eq!(refused("{\"Version\": \"2012-10-17\"}").line, None);
        assert!(refused("{\"Statement\": [{}, 5]}").message.starts_with("statement 2 "));
        assert!(refused("{\"Statement\": [{\"Action\": 5}]}").message.contains("statement 1: Action"));
        assert!(refused("{\"Statement\": [{\"Principal\": \"ann\"}]}").message.contains("Principal"));
    }
}
