//! The data map held against the database: which of its tables and columns are really here, of what types, under what
//! triggers and row security. Everything the walk, the census and the flip build their SQL from is resolved here, once, read-only.
//!
//! Where the map says that a table carries the organization itself and the column is not there, a path that the map uses for
//! another table through a column this one has is taken instead (some deployments find a note's organization through its client).

use super::{DbError, Session, ident, table};
use crate::core::data_map::{ColumnKind, DataMap, OrganizationPath, SealedTable, Tier};
use std::collections::{BTreeMap, BTreeSet};

/// The map as it stands in this database.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub schema: String,
    pub tables: Vec<LiveTable>,
    /// Text and jsonb columns of the schema that the map does not know: table, column.
    pub unmapped: Vec<(String, String)>,
}

/// A mapped table that exists.
#[derive(Clone, Debug)]
pub struct LiveTable {
    pub name: String,
    /// Quoted and schema-qualified.
    pub sql_name: String,
    pub id: String,
    /// PostgreSQL's name of the id's type, for casts.
    pub id_type: String,
    pub columns: Vec<LiveColumn>,
    pub organization: LivePath,
    /// User triggers that fire on UPDATE.
    pub update_triggers: Vec<String>,
    /// Row security applies to this role.
    pub row_security: bool,
    /// Planner's estimate of rows.
    pub rows: i64,
    /// Heap blocks.
    pub blocks: i64,
}

/// A sealed column that exists.
#[derive(Clone, Debug)]
pub struct LiveColumn {
    pub name: String,
    pub kind: ColumnKind,
    pub tier: Tier,
}

/// How a row finds its organization, resolved.
#[derive(Clone, Debug)]
pub struct LivePath {
    /// Empty, or ` LEFT JOIN … AS o ON …`; the table itself is `t`.
    pub join: String,
    /// Expression naming the organization.
    pub expression: String,
    pub type_name: String,
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
    #[error("table {table} has no primary key on {id}: rows cannot be named")]
    NoKey { table: String, id: String },
    #[error("the data map knows no table {name}, only {known}")]
    UnknownModel { name: String, known: String },
    #[error("{0}")]
    Db(#[from] DbError),
}

impl LiveTable {
    /// `FROM "s"."T" AS t` with the organization's join.
    pub fn from(&self) -> String {
        format!("{} AS t{}", self.sql_name, self.organization.join)
    }

    /// `t."id"`.
    pub fn id_sql(&self) -> String {
        format!("t.{}", ident(&self.id))
    }

    /// True when a row's organization is found through another table.
    pub fn joins(&self) -> bool {
        !self.organization.join.is_empty()
    }
}

struct Column {
    type_name: String,
}

impl Catalog {
    /// Only the tables named, in the map's order. No names: all.
    pub fn only(mut self, models: &[String]) -> Result<Catalog, CatalogError> {
        if models.is_empty() {
            return Ok(self);
        }
        if let Some(name) = models.iter().find(|m| !self.tables.iter().any(|t| t.name == **m)) {
            let known = self.tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(CatalogError::UnknownModel { name: name.clone(), known });
        }
        self.tables.retain(|t| models.contains(&t.name));
        Ok(self)
    }

    /// A table by name.
    pub fn table(&self, name: &str) -> Option<&LiveTable> {
        self.tables.iter().find(|t| t.name == name)
    }
}

impl Session {
    /// Resolves the map. Reads system catalogs only.
    pub fn catalog(&mut self, map: &DataMap) -> Result<Catalog, CatalogError> {
        let mut columns: BTreeMap<String, BTreeMap<String, Column>> = BTreeMap::new();
        let rows = self
            .client
            .query(
                "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
                   AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)",
                &[&map.schema],
            )
            .map_err(DbError::from)?;
        for row in rows {
            columns.entry(row.get(0)).or_default().insert(row.get(1), Column { type_name: row.get(2) });
        }
        let mut tables = Vec::new();
        for sealed in &map.tables {
            match self.live_table(map, sealed, &columns)? {
                Some(live) if !live.columns.is_empty() => tables.push(live),
                _ => {}
            }
        }
        let known: BTreeSet<(&str, &str)> =
            map.tables.iter().flat_map(|t| t.columns.iter().map(|c| (t.table.as_str(), c.column.as_str()))).collect();
        let unmapped = columns
            .iter()
            .filter(|(table, _)| **table != map.deks.table)
            .flat_map(|(table, all)| all.iter().map(move |(column, facts)| (table, column, facts)))
            .filter(|(_, _, facts)| matches!(facts.type_name.as_str(), "text" | "character varying" | "jsonb" | "json"))
            .filter(|(table, column, _)| !known.contains(&(table.as_str(), column.as_str())))
            .map(|(table, column, _)| (table.clone(), column.clone()))
            .collect();
        Ok(Catalog { schema: map.schema.clone(), tables, unmapped })
    }

    /// Tables of the schema whose row security applies to this role; reading them past it would be an error.
    pub fn row_secured(&mut self, schema: &str) -> Result<Vec<String>, DbError> {
        let rows = self.client.query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1",
            &[&schema],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    fn live_table(
        &mut self,
        map: &DataMap,
        sealed: &SealedTable,
        all: &BTreeMap<String, BTreeMap<String, Column>>,
    ) -> Result<Option<LiveTable>, CatalogError> {
        let Some(here) = all.get(&sealed.table) else {
            if sealed.optional {
                return Ok(None);
            }
            return Err(CatalogError::NoTable { schema: map.schema.clone(), table: sealed.table.clone() });
        };
        let missing = |column: &str| CatalogError::NoColumn { table: sealed.table.clone(), column: column.to_owned() };
        let id_type = here.get(&sealed.id).ok_or_else(|| missing(&sealed.id))?.type_name.clone();
        let mut columns = Vec::new();
        for column in &sealed.columns {
            let Some(found) = here.get(&column.column) else {
                if column.optional {
                    continue;
                }
                return Err(missing(&column.column));
            };
            let (wanted, fits) = match column.kind {
                ColumnKind::Text => ("text", matches!(found.type_name.as_str(), "text" | "character varying")),
                ColumnKind::Jsonb => ("jsonb", found.type_name == "jsonb"),
            };
            if !fits {
                let (table, column, found) = (sealed.table.clone(), column.column.clone(), found.type_name.clone());
                return Err(CatalogError::WrongType { table, column, found, wanted });
            }
            columns.push(LiveColumn { name: column.column.clone(), kind: column.kind, tier: column.tier });
        }
        let path = resolve_path(map, sealed, all)?;
        let facts = self
            .client
            .query_one(
                "SELECT greatest(c.reltuples, 0)::bigint, pg_relation_size(c.oid) / current_setting('block_size')::bigint,
                        row_security_active(c.oid),
                        coalesce((SELECT array_agg(g.tgname::text) FROM pg_trigger g
                                  WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 = 16), '{}'),
                        EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $3
                                WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                                  AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
                &[&map.schema, &sealed.table, &sealed.id],
            )
            .map_err(DbError::from)?;
        if !facts.get::<_, bool>(4) {
            return Err(CatalogError::NoKey { table: sealed.table.clone(), id: sealed.id.clone() });
        }
        Ok(Some(LiveTable {
            name: sealed.table.clone(),
            sql_name: table(&map.schema, &sealed.table),
            id: sealed.id.clone(),
            id_type,
            columns,
            organization: path,
            update_triggers: facts.get(3),
            row_security: facts.get(2),
            rows: facts.get(0),
            blocks: facts.get(1),
        }))
    }
}

fn resolve_path(
    map: &DataMap,
    sealed: &SealedTable,
    all: &BTreeMap<String, BTreeMap<String, Column>>,
) -> Result<LivePath, CatalogError> {
    let here = all.get(&sealed.table).expect("the caller looked it up");
    let path = match &sealed.organization {
        OrganizationPath::Column(column) if !here.contains_key(column) => map
            .tables
            .iter()
            .map(|t| &t.organization)
            .find(|p| matches!(p, OrganizationPath::Through { column, table, .. } if here.contains_key(column) && *table != sealed.table))
            .unwrap_or(&sealed.organization),
        path => path,
    };
    let type_of = |table: &str, column: &str| {
        let columns = all
            .get(table)
            .ok_or_else(|| CatalogError::NoTable { schema: map.schema.clone(), table: table.to_owned() })?;
        let found = columns.get(column);
        found
            .map(|c| c.type_name.clone())
            .ok_or_else(|| CatalogError::NoColumn { table: table.to_owned(), column: column.to_owned() })
    };
    Ok(match path {
        OrganizationPath::Column(column) => LivePath {
            join: String::new(),
            expression: format!("t.{}", ident(column)),
            type_name: type_of(&sealed.table, column)?,
        },
        OrganizationPath::Through { column, table: other, key, organization } => {
            type_of(&sealed.table, column)?;
            type_of(other, key)?;
            LivePath {
                join: format!(
                    " LEFT JOIN {} AS o ON o.{} = t.{}",
                    table(&map.schema, other),
                    ident(key),
                    ident(column)
                ),
                expression: format!("o.{}", ident(organization)),
                type_name: type_of(other, organization)?,
            }
        }
    })
}
