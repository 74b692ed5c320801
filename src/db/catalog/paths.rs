//! How a row finds its organization, held against the columns that are really here.
//!
//! Where the map says that a table carries the organization itself and the column is not there, a path that the map uses for
//! another table through a column this one has is taken instead (some deployments find a note's organization through its client).

use super::CatalogError;
use super::relations::Columns;
use crate::core::data_map::{DataMap, OrganizationPath, SealedTable};
use crate::db::{ident, table};

/// How a row finds its organization, resolved.
#[derive(Clone, Debug)]
pub struct LivePath {
    /// Empty, or ` LEFT JOIN … AS o ON …`; the table itself is `t`.
    pub join: String,
    /// Expression naming the organization.
    pub expression: String,
    /// PostgreSQL's name of its type, for casts.
    pub type_name: String,
}

pub(super) fn resolve(map: &DataMap, sealed: &SealedTable, all: &Columns) -> Result<LivePath, CatalogError> {
    let here = |column: &str| all.type_of(&sealed.table, column).is_some();
    let path = match &sealed.organization {
        OrganizationPath::Column(column) if !here(column) => map
            .tables
            .iter()
            .map(|t| &t.organization)
            .find(|p| matches!(p, OrganizationPath::Through { column, table, .. } if here(column) && *table != sealed.table))
            .unwrap_or(&sealed.organization),
        path => path,
    };
    let type_of = |table: &str, column: &str| {
        if !all.knows(table) {
            return Err(CatalogError::NoTable { schema: map.schema.clone(), table: table.to_owned() });
        }
        let missing = || CatalogError::NoColumn { table: table.to_owned(), column: column.to_owned() };
        all.type_of(table, column).map(str::to_owned).ok_or_else(missing)
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
            let join =
                format!(" LEFT JOIN {} AS o ON o.{} = t.{}", table(&map.schema, other), ident(key), ident(column));
            LivePath {
                join,
                expression: format!("o.{}", ident(organization)),
                type_name: type_of(other, organization)?,
            }
        }
    })
}
