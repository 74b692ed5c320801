//! What the current role may not do yet, said as the GRANT to run, before anything is changed.
//!
//! A right on a partitioned table is one on statements that name it. Cells are read and written leaf by leaf, so it is the leaves' own rights
//! that are asked for, in whatever schema they lie; the same of inheritance children. Only what is read through its parent needs none.
//!
//! Only catalogue functions are asked, so the questions need no privilege themselves. A table that is not there is skipped:
//! whoever needs it says that it is missing. Owners and superusers have everything and get an empty list.

use super::catalog::TREE;
use super::{DbError, SCHEMA, Session, ident, table};
use crate::core::data_map::{DataMap, OrganizationPath};
use postgres::Row;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a role is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// `health`, `census`, `keys`: SELECT only.
    Read,
    /// `rewrap`: also replace wrappings in the DEK table and keep the old ones.
    Rewrap,
    /// `rewrap --bind`: also change the binding, while nobody else writes the DEK table.
    Rebind,
    /// `re-encrypt`: also write sealed columns, jobs and the audit chain.
    Move,
    /// `rotate`: also write the DEK table.
    Rotate,
    /// `init`: make or upgrade the tool's schema.
    Install,
}

/// One privilege that is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// The statement to run, with its semicolon.
    pub sql: String,
    /// What needs it.
    pub why: String,
}

/// What the role holds on one table.
#[derive(Clone, Copy, Default)]
struct Held {
    select: bool,
    insert: bool,
    update: bool,
    delete: bool,
    /// UPDATE on at least one column.
    update_somewhere: bool,
    /// A partition of a table in the same schema: whoever reads that one reads this one too.
    read_with_root: bool,
}

/// Kept wrappings: nobody reads or adds to them but `rewrap`, and nobody changes them.
const WRAPPINGS: &str = "dek_wrapping";

/// Schema and table.
type Name = (String, String);

impl Held {
    fn holds(self, verb: &str) -> bool {
        match verb {
            "SELECT" => self.select,
            "INSERT" => self.insert,
            "UPDATE" => self.update,
            _ => self.delete,
        }
    }
}

/// Everything the catalogue says, in a handful of questions: a role may be far from its server.
struct Asked {
    role: String,
    /// By schema and table, in order.
    tables: BTreeMap<Name, Held>,
    /// What holds the rows of each mapped table.
    heaps: BTreeMap<String, Vec<Name>>,
    /// Columns of the application's tables, and whether the role may update them.
    columns: BTreeMap<(Name, String), bool>,
    /// USAGE on the schemas that exist.
    schemas: BTreeMap<String, bool>,
    may_append: bool,
    sees_sessions: bool,
    missing: Vec<Grant>,
}

impl Session {
    /// Every GRANT the current role lacks for `need`, in an order that can be run as it stands.
    pub fn missing_privileges(&mut self, map: &DataMap, need: Need) -> Result<Vec<Grant>, DbError> {
        if need == Need::Install {
            return self.missing_to_install();
        }
        let mut asked = self.ask_privileges(map)?;
        asked.read(map);
        if matches!(need, Need::Rewrap | Need::Rebind) {
            asked.write_wrappings(map, need);
        }
        if need >= Need::Move {
            asked.probe_everything(map);
            asked.write_cells(map, need);
            asked.write_records();
        }
        if need >= Need::Rotate {
            asked.write_deks(map);
        }
        Ok(asked.missing)
    }

    fn missing_to_install(&mut self) -> Result<Vec<Grant>, DbError> {
        let row = self.client.query_one(
            "SELECT current_database()::text, has_database_privilege(current_database(), 'CREATE'), \
             (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1), \
             (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = $1), current_user::text",
            &[&SCHEMA],
        )?;
        let (database, may_create, role): (String, bool, String) = (row.get(0), row.get(1), ident(row.get(4)));
        let (sql, why) = match row.get::<_, Option<bool>>(2) {
            None if !may_create => {
                (format!("GRANT CREATE ON DATABASE {} TO {role};", ident(&database)), "making the tool's schema")
            }
            Some(false) => {
                (format!("GRANT {} TO {role};", ident(row.get(3))), "upgrading the tool's schema, which that role owns")
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![Grant { sql, why: why.to_owned() }])
    }

    fn ask_privileges(&mut self, map: &DataMap) -> Result<Asked, DbError> {
        let schema = map.schema.as_str();
        let role: String = self.client.query_one("SELECT current_user::text", &[])?.get(0);
        let mapped: Vec<&str> = map.tables.iter().map(|t| t.table.as_str()).collect();
        let mut oids: Vec<u32> = Vec::new();
        let mut heaps: BTreeMap<String, Vec<Name>> = BTreeMap::new();
        let under = format!(
            "{TREE} SELECT r.relname::text, c.oid, n.nspname::text, c.relname::text FROM tree JOIN pg_class r ON r.oid = tree.root \
             JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND c.relpersistence <> 't' ORDER BY 1, 3, 4"
        );
        for row in self.client.query(&under, &[&schema, &mapped])? {
            oids.push(row.get(1));
            heaps.entry(row.get(0)).or_default().push((row.get(2), row.get(3)));
        }
        let mut all_schemas: BTreeSet<&str> = heaps.values().flatten().map(|(of, _)| of.as_str()).collect();
        all_schemas.extend([schema, SCHEMA]);
        let all_schemas: Vec<&str> = all_schemas.into_iter().collect();
        let tables = self.client.query(
            "SELECT n.nspname::text, c.relname::text, has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT'), \
             has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE'), has_any_column_privilege(c.oid, 'UPDATE'), \
             coalesce(root.relnamespace = c.relnamespace, false) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_class root ON c.relispartition AND root.oid = pg_partition_root(c.oid) \
             WHERE n.nspname IN ($1, $2) AND c.relkind IN ('r', 'p') OR c.oid = ANY ($3)",
            &[&schema, &SCHEMA, &oids],
        )?;
        let columns = self.client.query(
            "SELECT n.nspname::text, c.relname::text, a.attname::text, has_column_privilege(c.oid, a.attnum, 'UPDATE') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE (n.nspname = $1 AND c.relkind IN ('r', 'p') OR c.oid = ANY ($2)) AND a.attnum > 0 AND NOT a.attisdropped",
            &[&schema, &oids],
        )?;
        let schemas = self.client.query(
            "SELECT nspname::text, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ANY ($1)",
            &[&all_schemas],
        )?;
        let others = self.client.query_one(
            "SELECT pg_has_role('pg_read_all_stats', 'USAGE'), \
             (SELECT coalesce(bool_and(has_function_privilege(p.oid, 'EXECUTE')), false) FROM pg_proc p \
              JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = 'audit_append')",
            &[&SCHEMA],
        )?;
        let held = |row: &Row| Held {
            select: row.get(2),
            insert: row.get(3),
            update: row.get(4),
            delete: row.get(5),
            update_somewhere: row.get(6),
            read_with_root: row.get(7),
        };
        Ok(Asked {
            role: ident(&role),
            tables: tables.iter().map(|row| ((row.get(0), row.get(1)), held(row))).collect(),
            columns: columns.iter().map(|row| (((row.get(0), row.get(1)), row.get(2)), row.get(3))).collect(),
            heaps,
            schemas: schemas.iter().map(|row| (row.get(0), row.get(1))).collect(),
            sees_sessions: others.get(0),
            may_append: others.get(1),
            missing: Vec::new(),
        })
    }
}

impl Asked {
    fn read(&mut self, map: &DataMap) {
        self.schema(&map.schema, "reading the application's tables");
        self.table(&map.schema, &map.deks.table, "SELECT", "reading the DEKs");
        let mut tables: BTreeSet<&str> = map.tables.iter().map(|t| t.table.as_str()).collect();
        tables.extend(map.organizations.iter().map(|o| o.table.as_str()));
        tables.extend(map.tables.iter().filter_map(|t| match &t.organization {
            OrganizationPath::Through { table, .. } => Some(table.as_str()),
            OrganizationPath::Column(_) => None,
        }));
        for name in tables {
            self.table(&map.schema, name, "SELECT", "reading cells and their organization");
        }
        for (schema, name) in self.heaps_of(map) {
            self.schema(&schema, "reading cells");
            self.table(&schema, &name, "SELECT", "reading cells where they lie");
        }
        self.schema(SCHEMA, "reading the tool's records");
        for name in self.tables_of(SCHEMA).iter().filter(|name| *name != WRAPPINGS) {
            self.table(SCHEMA, name, "SELECT", "reading the tool's records");
        }
    }

    /// The closing census looks for envelopes in columns the map does not know, so it reads every table of the schema.
    fn probe_everything(&mut self, map: &DataMap) {
        for name in self.tables_of(&map.schema) {
            self.table(&map.schema, &name, "SELECT", "the closing census, which looks for cells everywhere");
        }
    }

    fn write_cells(&mut self, map: &DataMap, need: Need) {
        for sealed in &map.tables {
            for (schema, name) in self.heaps.get(&sealed.table).cloned().unwrap_or_default() {
                for column in &sealed.columns {
                    self.column(&schema, &name, &column.column, "moving cells");
                }
            }
        }
        // FOR SHARE on the target's DEK row asks for UPDATE on at least one column; rotation asks for the whole table anyway.
        let deks = self.tables.get(&(map.schema.clone(), map.deks.table.clone()));
        if need == Need::Move && deks.is_some_and(|held| !held.update_somewhere) {
            self.column(&map.schema, &map.deks.table, &map.deks.active, "holding the target DEK still during a batch");
        }
        if !self.sees_sessions {
            let sql = format!("GRANT pg_read_all_stats TO {};", self.role);
            self.lacks(sql, "seeing the age of other sessions' transactions, which the closing census waits for");
        }
    }

    fn write_records(&mut self) {
        let tables = self.tables_of(SCHEMA);
        if !tables.is_empty() && !self.may_append {
            let sql = format!("GRANT EXECUTE ON FUNCTION {SCHEMA}.audit_append TO {};", self.role);
            self.lacks(sql, "writing the audit chain");
        }
        let own_rules = ["audit", "audit_head", "binding", WRAPPINGS, "schema_history"];
        let kept = |name: &&String| !own_rules.contains(&name.as_str());
        for name in tables.iter().filter(kept) {
            for verb in ["INSERT", "UPDATE", "DELETE"] {
                self.table(SCHEMA, name, verb, "keeping the tool's records");
            }
        }
    }

    fn write_wrappings(&mut self, map: &DataMap, need: Need) {
        let d = &map.deks;
        self.column(&map.schema, &d.table, &d.wrapped, "replacing a DEK's wrapping");
        if need == Need::Rebind {
            // LOCK TABLE … IN SHARE ROW EXCLUSIVE MODE is not satisfied by column privileges.
            self.table(&map.schema, &d.table, "UPDATE", "keeping the DEK table still while the binding changes");
            self.table(SCHEMA, "binding", "UPDATE", "changing the binding");
        }
        if !self.tables_of(SCHEMA).is_empty() && !self.may_append {
            let sql = format!("GRANT EXECUTE ON FUNCTION {SCHEMA}.audit_append TO {};", self.role);
            self.lacks(sql, "writing the audit chain");
        }
        for (name, verb) in [(WRAPPINGS, "SELECT"), (WRAPPINGS, "INSERT"), ("dek", "INSERT"), ("dek", "UPDATE")] {
            self.table(SCHEMA, name, verb, "keeping replaced wrappings and the tool's records");
        }
    }

    fn write_deks(&mut self, map: &DataMap) {
        // LOCK TABLE … IN SHARE ROW EXCLUSIVE MODE is not satisfied by column privileges.
        for verb in ["INSERT", "UPDATE"] {
            self.table(&map.schema, &map.deks.table, verb, "making a new DEK active");
        }
        if let Some(organizations) = &map.organizations
            && let Some(marker) = &organizations.key_marker
        {
            self.column(&map.schema, &organizations.table, marker, "marking an organization's first DEK");
        }
    }

    /// Tables of a schema, but for those that are read with the table they are partitions of.
    fn tables_of(&self, schema: &str) -> Vec<String> {
        let own = self.tables.iter().filter(|((of, _), held)| of == schema && !held.read_with_root);
        own.map(|((_, name), _)| name.clone()).collect()
    }

    fn heaps_of(&self, map: &DataMap) -> Vec<Name> {
        map.tables.iter().filter_map(|sealed| self.heaps.get(&sealed.table)).flatten().cloned().collect()
    }

    fn schema(&mut self, schema: &str, why: &str) {
        if self.schemas.get(schema) == Some(&false) {
            self.lacks(format!("GRANT USAGE ON SCHEMA {} TO {};", ident(schema), self.role), why);
        }
    }

    fn table(&mut self, schema: &str, name: &str, verb: &str, why: &str) {
        let held = self.tables.get(&(schema.to_owned(), name.to_owned()));
        if held.is_some_and(|held| !held.holds(verb)) {
            self.lacks(format!("GRANT {verb} ON {} TO {};", table(schema, name), self.role), why);
        }
    }

    fn column(&mut self, schema: &str, name: &str, column: &str, why: &str) {
        let name_of = (schema.to_owned(), name.to_owned());
        if self.columns.get(&(name_of, column.to_owned())) == Some(&false) {
            let sql = format!("GRANT UPDATE ({}) ON {} TO {};", ident(column), table(schema, name), self.role);
            self.lacks(sql, why);
        }
    }

    fn lacks(&mut self, sql: String, why: &str) {
        if !self.missing.iter().any(|known| known.sql == sql) {
            self.missing.push(Grant { sql, why: why.to_owned() });
        }
    }
}
