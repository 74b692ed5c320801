//! One policy document: typed where its meaning counts, complete where it does not. `reading` is its parser, with the table of what is read.
//! Written, its elements stand in the order of AWS's own documents, and a list of one is a text.

use serde_json::{Map, Value};

/// A whole policy. Statements keep their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// `2012-10-17`; absent means `2008-10-17` to AWS.
    pub version: Option<String>,
    pub id: Option<String>,
    pub statements: Vec<Statement>,
    /// Elements nobody here knows.
    pub other: Map<String, Value>,
}

/// One statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub principal: Option<Principal>,
    pub not_principal: Option<Principal>,
    pub action: Option<Words>,
    pub not_action: Option<Words>,
    pub resource: Option<Words>,
    pub not_resource: Option<Words>,
    pub conditions: Vec<Condition>,
    /// Elements nobody here knows.
    pub other: Map<String, Value>,
}

/// What a statement does. AWS knows two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
    /// Another word, or none (empty).
    Unknown(String),
}

impl Default for Effect {
    fn default() -> Effect {
        Effect::Unknown(String::new())
    }
}

/// To whom a statement applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// `"*"`.
    Anyone,
    /// By kind (`AWS`, `Service`, `Federated`, `CanonicalUser`), in the order they stand.
    Named(Vec<(String, Words)>),
}

/// One text or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

/// One line of a condition block. All of a statement's conditions must hold; of the values one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// e.g. `StringEquals`, `ForAllValues:StringEquals`, `BoolIfExists`.
    pub operator: String,
    /// e.g. `kms:ViaService`.
    pub key: String,
    pub values: Vec<String>,
}

impl Words {
    /// A list in the order given.
    pub fn of<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Words {
        Words(words.into_iter().map(Into::into).collect())
    }

    /// Each word.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn to_value(&self) -> Value {
        match self.0.as_slice() {
            [one] => Value::from(one.as_str()),
            many => Value::from(many.to_vec()),
        }
    }
}

impl Effect {
    /// AWS's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
            Effect::Unknown(word) => word,
        }
    }
}

impl Principal {
    /// These ARNs, account ids or `*`.
    pub fn aws<T: Into<String>>(arns: impl IntoIterator<Item = T>) -> Principal {
        Principal::Named(vec![("AWS".to_owned(), Words::of(arns))])
    }

    /// One AWS service, e.g. `cloudtrail.amazonaws.com`.
    pub fn service(name: &str) -> Principal {
        Principal::Named(vec![("Service".to_owned(), Words::of([name]))])
    }

    /// Every principal with its kind; `Anyone` is `AWS *`.
    pub fn each(&self) -> Vec<(&str, &str)> {
        match self {
            Principal::Anyone => vec![("AWS", "*")],
            Principal::Named(kinds) => {
                kinds.iter().flat_map(|(kind, words)| words.iter().map(move |word| (kind.as_str(), word))).collect()
            }
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Principal::Anyone => Value::from("*"),
            Principal::Named(kinds) => {
                Value::Object(kinds.iter().map(|(kind, words)| (kind.clone(), words.to_value())).collect())
            }
        }
    }
}

impl Condition {
    /// One line of a condition block.
    pub fn new<T: Into<String>>(operator: &str, key: &str, values: impl IntoIterator<Item = T>) -> Condition {
        Condition {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// The operator without its set prefix and `IfExists`.
    pub fn base_operator(&self) -> &str {
        let bare = self.operator.split_once(':').map_or(self.operator.as_str(), |(_, rest)| rest);
        bare.strip_suffix("IfExists").unwrap_or(bare)
    }

    /// True when the condition holds where the request has no such key.
    pub fn passes_when_absent(&self) -> bool {
        self.operator.ends_with("IfExists") || self.operator.starts_with("ForAllValues:")
    }

    /// Condition keys are compared without case.
    pub fn is_on(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }
}

impl Statement {
    /// An Allow for the whole key (in a key policy `*` is the key the policy hangs on).
    pub fn allow(sid: &str, principal: Principal, actions: &[&str]) -> Statement {
        Statement {
            sid: Some(sid.to_owned()),
            effect: Effect::Allow,
            principal: Some(principal),
            action: Some(Words::of(actions.iter().copied())),
            resource: Some(Words::of(["*"])),
            ..Statement::default()
        }
    }

    /// The same as a Deny.
    pub fn deny(sid: &str, principal: Principal, actions: &[&str]) -> Statement {
        Statement { effect: Effect::Deny, ..Statement::allow(sid, principal, actions) }
    }

    /// Only where this holds too.
    pub fn when(mut self, condition: Condition) -> Statement {
        self.conditions.push(condition);
        self
    }

    /// On these resources. For IAM policies: a key policy knows only `*`.
    pub fn on<T: Into<String>>(mut self, resources: impl IntoIterator<Item = T>) -> Statement {
        self.resource = Some(Words::of(resources));
        self
    }

    /// Without a principal, as IAM wants its permission policies.
    pub fn for_iam(mut self) -> Statement {
        self.principal = None;
        self
    }

    fn to_value(&self) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        put("Sid", self.sid.as_deref().map(Value::from));
        put("Effect", Some(self.effect.as_str()).filter(|word| !word.is_empty()).map(Value::from));
        put("Principal", self.principal.as_ref().map(Principal::to_value));
        put("NotPrincipal", self.not_principal.as_ref().map(Principal::to_value));
        put("Action", self.action.as_ref().map(Words::to_value));
        put("NotAction", self.not_action.as_ref().map(Words::to_value));
        put("Resource", self.resource.as_ref().map(Words::to_value));
        put("NotResource", self.not_resource.as_ref().map(Words::to_value));
        let mut block = Map::new();
        for condition in &self.conditions {
            let keys = block.entry(condition.operator.as_str()).or_insert_with(|| Value::Object(Map::new()));
            let keys = keys.as_object_mut().expect("only objects are put in");
            keys.insert(condition.key.clone(), Words(condition.values.clone()).to_value());
        }
        put("Condition", Some(block).filter(|block| !block.is_empty()).map(Value::Object));
        map.extend(self.other.clone());
        Value::Object(map)
    }
}

impl Document {
    /// A document of the version everybody writes.
    pub fn of(statements: Vec<Statement>) -> Document {
        Document { version: Some("2012-10-17".to_owned()), statements, ..Document::default() }
    }

    /// As JSON, elements in the order AWS's own documents have.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        if let Some(version) = &self.version {
            map.insert("Version".to_owned(), Value::from(version.as_str()));
        }
        if let Some(id) = &self.id {
            map.insert("Id".to_owned(), Value::from(id.as_str()));
        }
        map.insert("Statement".to_owned(), Value::Array(self.statements.iter().map(Statement::to_value).collect()));
        map.extend(self.other.clone());
        Value::Object(map)
    }

    /// The compact text that is sent.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// For people: indented, with a line feed at the end.
    pub fn to_pretty(&self) -> String {
        format!("{:#}\n", self.to_value())
    }

    /// How a statement is called in findings: its Sid, or `statement N`.
    pub fn name_of(&self, index: usize) -> String {
        let sid = self.statements.get(index).and_then(|s| s.sid.as_deref()).filter(|sid| !sid.is_empty());
        sid.map_or_else(|| format!("statement {}", index + 1), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stand_in_awss_order() {
        let statement = Statement::allow("A", Principal::service("x.amazonaws.com"), &["kms:Decrypt"])
            .when(Condition::new("StringEquals", "a:b", ["1"]))
            .when(Condition::new("Bool", "e:f", ["true"]))
            .when(Condition::new("StringEquals", "c:d", ["2", "3"]));
        assert_eq!(
            Document::of(vec![statement]).to_json(),
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"a:b":"1","c:d":["2","3"]},"Bool":{"e:f":"true"}}}]}"#
        );
    }
}
