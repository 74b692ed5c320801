//! The data map held against the database: which of its tables and columns are really here, which relations hold their rows, of what types,
//! under what triggers and row security. Everything the walk, the census and the flip build their SQL from is resolved here, read-only.
//!
//! A `LiveTable` is one heap: a plain table, or one leaf of a partitioned table, or one table of an inheritance tree. All SQL names the heap
//! itself (`ONLY`), never a parent: PostgreSQL cannot tell by `tableoid` which leaves a plan may leave out, so a batch through the
//! parent would look into every leaf for each row. Rights, triggers and row security that count are therefore the leaf's own.

mod key;
mod paths;
mod relations;
mod sizes;

use super::{DbError, Session, table};
use crate::core::data_map::{ColumnKind, DataMap, SealedTable, Tier};
pub use key::{Key, KeyColumn};
pub use paths::LivePath;
use relations::Found;
pub(super) use relations::TREE;
pub use sizes::{LogicalReplication, LogicalSlot, Sizes};
use std::collections::BTreeSet;

/// The map as it stands in this database.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub schema: String,
    /// One for each heap, in the map's order.
    pub tables: Vec<LiveTable>,
    /// Tables with text and jsonb columns that the map does not know.
    pub unmapped: Vec<UnmappedTable>,
}

/// One heap of a mapped table that exists.
#[derive(Clone, Debug)]
pub struct LiveTable {
    /// The map's table: what reports, counts and `--model` say.
    pub name: String,
    /// The heap's own name, unlike any other's: what a chunk and a row without its table mean. A plain table's is `name`.
    pub relation: String,
    /// Quoted and schema-qualified.
    pub sql_name: String,
    pub key: Key,
    pub columns: Vec<LiveColumn>,
    pub organization: LivePath,
    /// User triggers, and rules, that fire on UPDATE.
    pub update_triggers: Vec<String>,
    /// Row security applies to this role.
    pub row_security: bool,
    /// Planner's estimate of rows.
    pub rows: i64,
    /// Heap blocks.
    pub blocks: i64,
    /// Heap and TOAST.
    pub bytes: i64,
    /// Number of the heap's file; see `Session::file_of`.
    pub file: i64,
    pub replica_identity: ReplicaIdentity,
    /// Publications that carry its updates.
    pub publications: Vec<String>,
    /// Stored generated columns that PostgreSQL computes anew when a sealed column is written.
    pub computed: Vec<String>,
}

/// A sealed column that exists.
#[derive(Clone, Debug)]
pub struct LiveColumn {
    pub name: String,
    pub kind: ColumnKind,
    pub tier: Tier,
}

/// A table with columns in which only somebody's mistake would put a cell.
#[derive(Clone, Debug)]
pub struct UnmappedTable {
    pub name: String,
    /// For FROM: quoted, schema-qualified; a partitioned table with its partitions, any other without its children.
    pub sql_from: String,
    pub columns: Vec<String>,
}

/// What of a row's old version logical replication is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaIdentity {
    Nothing,
    /// Its primary key, if it has one.
    Default,
    Index,
    /// All of it: an update logs the row twice.
    Full,
}

impl ReplicaIdentity {
    fn parse(text: &str) -> ReplicaIdentity {
        match text {
            "n" => ReplicaIdentity::Nothing,
            "i" => ReplicaIdentity::Index,
            "f" => ReplicaIdentity::Full,
            _ => ReplicaIdentity::Default,
        }
    }
}

/// The map names something that is not there, or is not what it says.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the data map names table {schema}.{table}, which is not in the database")]
    NoTable { schema: String, table: String },
    #[error("the data map names column {table}.{column}, which is not in the database")]
    NoColumn { table: String, column: String },
    #[error("column {table}.{column} is of type {found}, the data map says {wanted}")]
    WrongType { table: String, column: String, found: String, wanted: &'static str },
    #[error("column {table}.{column} is generated: PostgreSQL computes it, nobody can write it")]
    Generated { table: String, column: String },
    #[error("table {table} has no primary key or unique index on {id}{}: rows cannot be named", in_brackets(.why))]
    NoKey { table: String, id: String, why: String },
    #[error("table {table} is a partition of {parent}")]
    Partition { table: String, parent: String },
    #[error("partition {relation} of table {table} is a foreign table: its rows are in another server")]
    Foreign { table: String, relation: String },
    #[error("table {relation} belongs to two tables of the data map, {first} and {second}")]
    Shared { relation: String, first: String, second: String },
    #[error("the data map knows no table {name}, only {known}")]
    UnknownModel { name: String, known: String },
    #[error("{0}")]
    Db(#[from] DbError),
}

fn in_brackets(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({why})") }
}

impl LiveTable {
    /// `ONLY "s"."T"`: this heap, and none that inherits from it.
    pub fn only(&self) -> String {
        format!("ONLY {}", self.sql_name)
    }

    /// `FROM ONLY "s"."T" AS t` with the organization's join.
    pub fn from(&self) -> String {
        format!("{} AS t{}", self.only(), self.organization.join)
    }

    /// True when a row's organization is found through another table.
    pub fn joins(&self) -> bool {
        !self.organization.join.is_empty()
    }

    /// Bytes of a row, heap and TOAST, as far as the estimate of rows goes; 0 where there is none.
    pub fn row_bytes(&self) -> i64 {
        if self.rows > 0 { self.bytes / self.rows } else { 0 }
    }
}

impl Catalog {
    /// Only the tables named, in the map's order. No names: all.
    pub fn only(mut self, models: &[String]) -> Result<Catalog, CatalogError> {
        if models.is_empty() {
            return Ok(self);
        }
        if let Some(name) = models.iter().find(|m| !self.tables.iter().any(|t| t.name == **m)) {
            let mut known: Vec<&str> = self.tables.iter().map(|t| t.name.as_str()).collect();
            known.dedup();
            return Err(CatalogError::UnknownModel { name: name.clone(), known: known.join(", ") });
        }
        self.tables.retain(|t| models.contains(&t.name));
        Ok(self)
    }

    /// Every heap and its file: other ones later mean that a table was rewritten, or that a partition came or went.
    pub fn heaps(&self) -> Vec<(&str, i64)> {
        self.tables.iter().map(|live| (live.relation.as_str(), live.file)).collect()
    }

    /// A heap by its own name.
    pub fn table(&self, relation: &str) -> Option<&LiveTable> {
        self.tables.iter().find(|t| t.relation == relation)
    }
}

impl Session {
    /// Resolves the map. Reads system catalogs only. A partition attached later is in the next one.
    pub fn catalog(&mut self, map: &DataMap) -> Result<Catalog, CatalogError> {
        let found = self.read_relations(map)?;
        let mut tables: Vec<LiveTable> = Vec::new();
        for sealed in &map.tables {
            for live in live_tables(map, sealed, &found)? {
                if let Some(other) = tables.iter().find(|t| t.relation == live.relation) {
                    let (first, second) = (other.name.clone(), live.name);
                    return Err(CatalogError::Shared { relation: live.relation, first, second });
                }
                tables.push(live);
            }
        }
        let unmapped = unmapped(map, &found, &tables);
        Ok(Catalog { schema: map.schema.clone(), tables, unmapped })
    }

    /// Tables of the catalog and of its schema whose row security applies to this role; reading them past it would be an error.
    pub fn row_secured(&mut self, catalog: &Catalog) -> Result<Vec<String>, DbError> {
        let mut all: Vec<String> =
            catalog.tables.iter().filter(|t| t.row_security).map(|t| t.relation.clone()).collect();
        let rows = self.client.query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND row_security_active(c.oid) ORDER BY 1",
            &[&catalog.schema],
        )?;
        for row in rows {
            let name = row.get(0);
            if !all.contains(&name) {
                all.push(name);
            }
        }
        Ok(all)
    }
}

/// The heaps of a mapped table; none where it is absent, or has none of its columns, and may.
fn live_tables(map: &DataMap, sealed: &SealedTable, found: &Found) -> Result<Vec<LiveTable>, CatalogError> {
    let Some(here) = found.columns.tables.get(&sealed.table) else {
        if sealed.optional {
            return Ok(Vec::new());
        }
        return Err(CatalogError::NoTable { schema: map.schema.clone(), table: sealed.table.clone() });
    };
    if let Some(parent) = &here.root {
        return Err(CatalogError::Partition { table: sealed.table.clone(), parent: parent.clone() });
    }
    let missing = |column: &String| CatalogError::NoColumn { table: sealed.table.clone(), column: column.clone() };
    if let Some(column) = sealed.id.iter().find(|column| !here.columns.contains_key(*column)) {
        return Err(missing(column));
    }
    let mut columns = Vec::new();
    for column in &sealed.columns {
        let Some(found) = here.columns.get(&column.column) else {
            if column.optional {
                continue;
            }
            return Err(missing(&column.column));
        };
        let (table, name) = (sealed.table.clone(), column.column.clone());
        let (wanted, fits) = match column.kind {
            ColumnKind::Text => ("text", matches!(found.type_name.as_str(), "text" | "character varying")),
            ColumnKind::Jsonb => ("jsonb", found.type_name == "jsonb"),
        };
        if !fits {
            return Err(CatalogError::WrongType { table, column: name, found: found.type_name.clone(), wanted });
        }
        if found.generated {
            return Err(CatalogError::Generated { table, column: name });
        }
        columns.push(LiveColumn { name, kind: column.kind, tier: column.tier });
    }
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let organization = paths::resolve(map, sealed, &found.columns)?;
    let key = key_columns(sealed, found);
    let mut all = Vec::new();
    for relation in found.relations.get(&sealed.table).into_iter().flatten() {
        let own_name =
            if relation.schema == map.schema { relation.name.clone() } else { table(&relation.schema, &relation.name) };
        if relation.foreign {
            return Err(CatalogError::Foreign { table: sealed.table.clone(), relation: own_name });
        }
        if let Err(why) = names_rows(found, relation.oid, &key) {
            let id = if key.len() == 1 { key[0].clone() } else { format!("({})", key.join(", ")) };
            return Err(CatalogError::NoKey { table: own_name, id, why });
        }
        let typed = key.iter().map(|name| {
            let type_name = found.columns.type_of(&sealed.table, name).expect("it was looked up").to_owned();
            KeyColumn { name: name.clone(), type_name }
        });
        let is_sealed = |name: &str| columns.iter().any(|c| c.name == name);
        let computed: BTreeSet<String> =
            relation.computed.iter().filter(|(_, from)| is_sealed(from)).map(|(name, _)| name.clone()).collect();
        all.push(LiveTable {
            name: sealed.table.clone(),
            relation: own_name,
            sql_name: table(&relation.schema, &relation.name),
            key: Key::new(typed.collect()),
            columns: columns.clone(),
            organization: organization.clone(),
            update_triggers: relation.update_triggers.clone(),
            row_security: relation.row_security,
            rows: relation.rows,
            blocks: relation.blocks,
            bytes: relation.bytes,
            file: relation.file,
            replica_identity: relation.identity,
            publications: relation.publications.clone(),
            computed: computed.into_iter().collect(),
        });
    }
    Ok(all)
}

/// The columns that name a row: the map's. In a partitioned table that is not unique by them as a whole, the columns it is partitioned by are
/// added where that makes every leaf's rows unique: then a name means one row of the table, whichever leaf it is in.
fn key_columns(sealed: &SealedTable, found: &Found) -> Vec<String> {
    let (own, relations) = (&sealed.id, found.relations.get(&sealed.table).map_or(&[][..], Vec::as_slice));
    if found.roots.get(&sealed.table).is_some_and(|root| names_rows(found, *root, own).is_ok()) {
        return own.clone();
    }
    let mut wider = own.clone();
    for column in relations.iter().flat_map(|relation| &relation.partition_columns) {
        if !wider.contains(column) {
            wider.push(column.clone());
        }
    }
    if relations.iter().all(|relation| names_rows(found, relation.oid, &wider).is_ok()) { wider } else { own.clone() }
}

/// Why these columns do not name a relation's rows.
fn names_rows(found: &Found, relation: u32, columns: &[String]) -> Result<(), String> {
    found.uniqueness.get(&relation).map_or(Err(String::new()), |uniqueness| uniqueness.names_rows(columns))
}

fn unmapped(map: &DataMap, found: &Found, live: &[LiveTable]) -> Vec<UnmappedTable> {
    // A child of a mapped table has its sealed columns, under its own name.
    let relations = live.iter().flat_map(|t| [(t.name.as_str(), t), (t.relation.as_str(), t)]);
    let computed = relations.clone().flat_map(|(name, t)| t.computed.iter().map(move |column| (name, column.as_str())));
    let sealed = relations.flat_map(|(name, t)| t.columns.iter().map(move |c| (name, c.name.as_str())));
    let own = map.tables.iter().flat_map(|t| t.columns.iter().map(|c| (t.table.as_str(), c.column.as_str())));
    let known: BTreeSet<(&str, &str)> = own.chain(sealed).chain(computed).collect();
    let mut all = Vec::new();
    for (name, here) in found.columns.tables.iter().filter(|(name, t)| **name != map.deks.table && !t.read_with_root) {
        let text = |type_name: &str| matches!(type_name, "text" | "character varying" | "jsonb" | "json");
        let columns: Vec<String> = here
            .columns
            .iter()
            .filter(|(column, facts)| text(&facts.type_name) && !known.contains(&(name.as_str(), column.as_str())))
            .map(|(column, _)| column.clone())
            .collect();
        if !columns.is_empty() {
            let only = if here.partitioned { "" } else { "ONLY " };
            let sql_from = format!("{only}{}", table(&map.schema, name));
            all.push(UnmappedTable { name: name.clone(), sql_from, columns });
        }
    }
    all
}
