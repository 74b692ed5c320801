//! The data map: which tables and columns are sealed, how rows find their organization, where the DEKs are,
//! and how the application behaves. The built-in map is the clinic application; a config file can replace it.
//!
//! Names here are bare identifiers from configuration: only `db::quote` turns them into SQL. Never a value, never a secret.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything the tool knows about an application's sealed data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataMap {
    /// PostgreSQL schema of the application's tables.
    #[serde(default = "public")]
    pub schema: String,
    pub tables: Vec<SealedTable>,
    pub deks: DekTable,
    /// Where organizations are listed; absent when the application has no such table.
    #[serde(default)]
    pub organizations: Option<OrganizationTable>,
    /// How the application opens cells.
    #[serde(default)]
    pub opens: Opens,
    /// Seconds an application process may go on using a DEK it has cached.
    #[serde(default = "five_minutes")]
    pub cache_seconds: u64,
    /// Encryption context for KMS: keys to text in which `{organization}` stands for the organization's id.
    #[serde(default)]
    pub encryption_context: BTreeMap<String, String>,
}

/// A table with sealed columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SealedTable {
    pub table: String,
    /// Columns that name a row: `id: id`, or `id: [orgId, number]` where only several together are unique.
    #[serde(default = "id", with = "key_columns")]
    pub id: Vec<String>,
    pub organization: OrganizationPath,
    pub columns: Vec<SealedColumn>,
    /// May be absent from a deployment without being an error.
    #[serde(default)]
    pub optional: bool,
}

/// A sealed column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SealedColumn {
    pub column: String,
    #[serde(default)]
    pub kind: ColumnKind,
    #[serde(default)]
    pub tier: Tier,
    #[serde(default)]
    pub optional: bool,
}

/// How the stored text sits in its column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// `text`: the envelope itself.
    #[default]
    Text,
    /// `jsonb`: a JSON string holding the envelope; the plaintext is a JSON document.
    Jsonb,
}

/// Sensitivity, which decides the prefix of what is sealed anew; existing cells keep theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// `enc:v1:`
    #[default]
    Standard,
    /// `enc:t2:v1:`
    High,
}

/// How a row finds its organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum OrganizationPath {
    /// A column of the row itself.
    Column(String),
    /// `column` of the row names `key` of `table`, whose `organization` column is meant.
    Through { column: String, table: String, key: String, organization: String },
}

/// The application's DEK table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DekTable {
    pub table: String,
    pub id: String,
    pub organization: String,
    pub wrapped: String,
    pub version: String,
    pub active: String,
    pub created_at: String,
    pub rotated_at: String,
}

/// The application's table of organizations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OrganizationTable {
    pub table: String,
    pub id: String,
    /// Set to the organization's own id where it is NULL when the first DEK is made.
    #[serde(default)]
    pub key_marker: Option<String>,
}

/// With which versions the application opens a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opens {
    /// The active row of the highest version only: every flip makes cells dark.
    #[default]
    ActiveOnly,
    /// Any version: nothing is dark.
    AnyVersion,
}

/// A data map that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDataMap {
    #[error("the data map names no table")]
    NoTables,
    #[error("the data map names no sealed column of table `{0}`")]
    NoColumns(String),
    #[error("the data map names `{0}` twice")]
    Twice(String),
    #[error("the data map has an empty name under `{0}`")]
    Empty(&'static str),
    #[error("the data map has a control character in a name under `{0}`")]
    Control(&'static str),
}

/// One column as a bare name, several as a list.
mod key_columns {
    use serde::de::value::SeqAccessDeserializer;
    use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
    use serde::{Serialize, Serializer};
    use std::fmt;

    pub fn serialize<S: Serializer>(columns: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match columns {
            [one] => serializer.serialize_str(one),
            several => several.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Vec<String>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column or a list of columns")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Vec<String>, E> {
                Ok(vec![name.to_owned()])
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list))
            }
        }
        deserializer.deserialize_any(Names)
    }
}

fn public() -> String {
    "public".to_owned()
}
fn id() -> Vec<String> {
    vec!["id".to_owned()]
}
fn five_minutes() -> u64 {
    300
}

impl DataMap {
    /// The clinic application.
    pub fn clinic() -> DataMap {
        let own = || OrganizationPath::Column("orgId".to_owned());
        let client = || OrganizationPath::Through {
            column: "clientId".to_owned(),
            table: "Client".to_owned(),
            key: "id".to_owned(),
            organization: "orgId".to_owned(),
        };
        let column =
            |column: &str, kind, tier, optional| SealedColumn { column: column.to_owned(), kind, tier, optional };
        let table = |table: &str, organization, columns, optional| SealedTable {
            table: table.to_owned(),
            id: id(),
            organization,
            columns,
            optional,
        };
        use ColumnKind::{Jsonb, Text};
        use Tier::{High, Standard};
        DataMap {
            schema: public(),
            tables: vec![
                table(
                    "FormSubmission",
                    own(),
                    vec![column("data", Jsonb, Standard, false), column("aiExtractedData", Jsonb, Standard, false)],
                    false,
                ),
                table("Note", own(), vec![column("content", Text, Standard, false)], false),
                table(
                    "Call",
                    client(),
                    vec![
                        column("transcriptRaw", Text, Standard, false),
                        column("transcriptJson", Jsonb, Standard, false),
                        column("extractedFields", Jsonb, Standard, false),
                        column("aiSummary", Jsonb, Standard, false),
                        column("confidenceScores", Jsonb, Standard, false),
                    ],
                    false,
                ),
                table("Message", own(), vec![column("content", Text, Standard, false)], false),
                table(
                    "Client",
                    own(),
                    vec![column("ssn", Text, High, true), column("healthConditions", Jsonb, High, true)],
                    false,
                ),
                table("ClientInsurance", client(), vec![column("memberId", Text, High, false)], true),
            ],
            deks: DekTable {
                table: "EncryptionKey".to_owned(),
                id: "id".to_owned(),
                organization: "organizationId".to_owned(),
                wrapped: "encryptedDek".to_owned(),
                version: "keyVersion".to_owned(),
                active: "isActive".to_owned(),
                created_at: "createdAt".to_owned(),
                rotated_at: "rotatedAt".to_owned(),
            },
            organizations: Some(OrganizationTable {
                table: "Organization".to_owned(),
                id: "id".to_owned(),
                key_marker: Some("encryptionKeyId".to_owned()),
            }),
            opens: Opens::ActiveOnly,
            cache_seconds: five_minutes(),
            encryption_context: BTreeMap::new(),
        }
    }

    /// Refuses a map that cannot be meant: nothing to move, a table or column named twice, an empty name.
    pub fn check(&self) -> Result<(), BadDataMap> {
        let named = |what: &'static str, name: &str| match name {
            "" => Err(BadDataMap::Empty(what)),
            name if name.chars().any(char::is_control) => Err(BadDataMap::Control(what)),
            _ => Ok(()),
        };
        named("schema", &self.schema)?;
        if self.tables.is_empty() {
            return Err(BadDataMap::NoTables);
        }
        let mut tables = BTreeSet::new();
        for table in &self.tables {
            named("table", &table.table)?;
            if table.id.is_empty() {
                return Err(BadDataMap::Empty("id"));
            }
            if !tables.insert(&table.table) {
                return Err(BadDataMap::Twice(table.table.clone()));
            }
            if table.columns.is_empty() {
                return Err(BadDataMap::NoColumns(table.table.clone()));
            }
            let mut columns = BTreeSet::new();
            let keys = table.id.iter().map(|name| ("id", name));
            let sealed = table.columns.iter().map(|sealed| ("column", &sealed.column));
            for (what, name) in keys.chain(sealed) {
                named(what, name)?;
                if !columns.insert(name) {
                    return Err(BadDataMap::Twice(format!("{}.{name}", table.table)));
                }
            }
        }
        let DekTable { table, id, organization, wrapped, version, active, created_at, rotated_at } = &self.deks;
        [table, id, organization, wrapped, version, active, created_at, rotated_at]
            .into_iter()
            .try_for_each(|name| named("deks", name))
    }

    /// The KMS encryption context of an organization's DEKs; empty for the clinic application.
    pub fn context_for(&self, organization: &super::ids::OrgId) -> super::kms::Context {
        self.encryption_context
            .iter()
            .map(|(k, v)| (k.clone(), v.replace("{organization}", organization.as_str())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_cannot_be_meant_is_refused() {
        assert_eq!(DataMap::clinic().check(), Ok(()));
        let broken = |change: fn(&mut DataMap)| {
            let mut map = DataMap::clinic();
            change(&mut map);
            map.check().unwrap_err()
        };
        assert_eq!(broken(|m| m.tables.clear()), BadDataMap::NoTables);
        assert_eq!(broken(|m| m.tables[1].columns.clear()), BadDataMap::NoColumns("Note".into()));
        assert_eq!(broken(|m| m.tables[1].table = "Call".into()), BadDataMap::Twice("Call".into()));
        assert_eq!(broken(|m| m.tables[2].columns[1].column = "id".into()), BadDataMap::Twice("Call.id".into()));
        assert_eq!(broken(|m| m.tables[2].id.push("id".into())), BadDataMap::Twice("Call.id".into()));
        assert_eq!(broken(|m| m.tables[2].id.clear()), BadDataMap::Empty("id"));
        assert_eq!(broken(|m| m.tables[2].id.push(String::new())), BadDataMap::Empty("id"));
        assert_eq!(broken(|m| m.deks.active.clear()), BadDataMap::Empty("deks"));
        assert_eq!(broken(|m| m.schema = "a\n".into()), BadDataMap::Control("schema"));
    }

    #[test]
    fn a_key_is_one_column_or_a_list() {
        let key = |id: &str| {
            let text = format!("{{\"table\": \"T\", {id}\"organization\": {{\"column\": \"o\"}}, \"columns\": []}}");
            serde_json::from_str::<SealedTable>(&text)
        };
        assert_eq!(key("").unwrap().id, ["id"]);
        for id in ["\"id\": \"n\", ", "\"id\": [\"a\", \"b\"], "] {
            let table = key(id).unwrap();
            let again: SealedTable = serde_json::from_value(serde_json::to_value(&table).unwrap()).unwrap();
            assert_eq!(again, table);
        }
        assert_eq!(key("\"id\": [\"a\", \"b\"], ").unwrap().id, ["a", "b"]);
        assert!(key("\"id\": 7, ").unwrap_err().to_string().contains("a column or a list of columns"));
    }

    #[test]
    fn the_context_template_names_the_organization() {
        let mut map = DataMap::clinic();
        map.encryption_context.insert("tenantId".into(), "t-{organization}".into());
        let org = super::super::ids::OrgId::parse("abc").unwrap();
        assert_eq!(map.context_for(&org).get("tenantId").map(String::as_str), Some("t-abc"));
    }
}
