//! What the current role may not do yet, said as the GRANT to run, before anything is changed.
//!
//! Only catalogue functions are asked, so the questions need no privilege themselves. A table that is not there is skipped:
//! whoever needs it says that it is missing. Owners and superusers have everything and get an empty list.

use super::{DbError, SCHEMA, Session, ident, table};
use crate::core::data_map::{DataMap, OrganizationPath};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a role is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// `health`, `census`, `keys`: SELECT only.
    Read,
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

struct Asked<'s> {
    session: &'s mut Session,
    role: String,
    missing: Vec<Grant>,
}

impl Session {
    /// Every GRANT the current role lacks for `need`, in an order that can be run as it stands.
    pub fn missing_privileges(&mut self, map: &DataMap, need: Need) -> Result<Vec<Grant>, DbError> {
        let role: String = self.client.query_one("SELECT current_user::text", &[])?.get(0);
        let mut asked = Asked { session: self, role: ident(&role), missing: Vec::new() };
        if need == Need::Install {
            asked.install()?;
            return Ok(asked.missing);
        }
        asked.read(map)?;
        if need >= Need::Move {
            asked.probe_everything(map)?;
            asked.write_cells(map)?;
            asked.write_records()?;
        }
        if need >= Need::Rotate {
            asked.write_deks(map)?;
        }
        Ok(asked.missing)
    }
}

impl Asked<'_> {
    fn install(&mut self) -> Result<(), DbError> {
        let row = self.session.client.query_one(
            "SELECT current_database()::text, has_database_privilege(current_database(), 'CREATE'), \
             (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1), \
             (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = $1)",
            &[&SCHEMA],
        )?;
        let (database, may_create): (String, bool) = (row.get(0), row.get(1));
        match row.get::<_, Option<bool>>(2) {
            None if !may_create => {
                let sql = format!("GRANT CREATE ON DATABASE {} TO {};", ident(&database), self.role);
                self.lacks(sql, "making the tool's schema")
            }
            Some(false) => {
                let sql = format!("GRANT {} TO {};", ident(row.get(3)), self.role);
                self.lacks(sql, "upgrading the tool's schema, which that role owns")
            }
            _ => {}
        }
        Ok(())
    }

    fn read(&mut self, map: &DataMap) -> Result<(), DbError> {
        self.schema(&map.schema, "reading the application's tables")?;
        self.table(&map.schema, &map.deks.table, "SELECT", "reading the DEKs")?;
        let mut tables: BTreeSet<&str> = map.tables.iter().map(|t| t.table.as_str()).collect();
        tables.extend(map.organizations.iter().map(|o| o.table.as_str()));
        tables.extend(map.tables.iter().filter_map(|t| match &t.organization {
            OrganizationPath::Through { table, .. } => Some(table.as_str()),
            OrganizationPath::Column(_) => None,
        }));
        for name in tables {
            self.table(&map.schema, name, "SELECT", "reading cells and their organization")?;
        }
        if self.installed()? {
            self.schema(SCHEMA, "reading the tool's records")?;
            for name in self.tables_of(SCHEMA)? {
                self.table(SCHEMA, &name, "SELECT", "reading the tool's records")?;
            }
        }
        Ok(())
    }

    fn write_cells(&mut self, map: &DataMap) -> Result<(), DbError> {
        for sealed in &map.tables {
            for column in &sealed.columns {
                self.column(&map.schema, &sealed.table, &column.column, "UPDATE", "moving cells")?;
            }
        }
        // FOR SHARE on the target's DEK row asks for UPDATE on at least one column.
        if !self.any_column(&map.schema, &map.deks.table, "UPDATE")? {
            let sql = format!(
                "GRANT UPDATE ({}) ON {} TO {};",
                ident(&map.deks.active),
                table(&map.schema, &map.deks.table),
                self.role
            );
            self.lacks(sql, "holding the target DEK still while a batch is written");
        }
        let sees_all = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')";
        if !self.session.client.query_one(sees_all, &[])?.get::<_, bool>(0) {
            let sql = format!("GRANT pg_read_all_stats TO {};", self.role);
            self.lacks(sql, "seeing the age of other sessions' transactions, which the closing census waits for");
        }
        Ok(())
    }

    /// The closing census looks for envelopes in columns the map does not know, so it reads every table of the schema.
    fn probe_everything(&mut self, map: &DataMap) -> Result<(), DbError> {
        for name in self.tables_of(&map.schema)? {
            let grant = format!("GRANT SELECT ON {} TO {};", table(&map.schema, &name), self.role);
            if !self.missing.iter().any(|known| known.sql == grant) {
                self.table(&map.schema, &name, "SELECT", "the closing census, which looks for cells everywhere")?;
            }
        }
        Ok(())
    }

    fn write_records(&mut self) -> Result<(), DbError> {
        if !self.installed()? {
            return Ok(());
        }
        for name in self.tables_of(SCHEMA)? {
            let verbs: &[&str] = match name.as_str() {
                "audit" | "audit_head" | "binding" | "schema_history" => &[],
                _ => &["INSERT", "UPDATE", "DELETE"],
            };
            for verb in verbs {
                self.table(SCHEMA, &name, verb, "keeping the tool's records")?;
            }
        }
        let may = "SELECT coalesce(bool_and(has_function_privilege(p.oid, 'EXECUTE')), false) FROM pg_proc p \
                   JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = 'audit_append'";
        if !self.session.client.query_one(may, &[&SCHEMA])?.get::<_, bool>(0) {
            let sql = format!("GRANT EXECUTE ON FUNCTION {SCHEMA}.audit_append TO {};", self.role);
            self.lacks(sql, "writing the audit chain");
        }
        Ok(())
    }

    fn write_deks(&mut self, map: &DataMap) -> Result<(), DbError> {
        // LOCK TABLE … IN SHARE ROW EXCLUSIVE MODE is not satisfied by column privileges.
        for verb in ["INSERT", "UPDATE"] {
            self.table(&map.schema, &map.deks.table, verb, "making a new DEK active")?;
        }
        let Some(organizations) = &map.organizations else { return Ok(()) };
        let Some(marker) = &organizations.key_marker else { return Ok(()) };
        self.column(&map.schema, &organizations.table, marker, "UPDATE", "marking an organization's first DEK")
    }

    fn installed(&mut self) -> Result<bool, DbError> {
        let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
        Ok(self.session.client.query_one(sql, &[&SCHEMA])?.get(0))
    }

    fn tables_of(&mut self, schema: &str) -> Result<Vec<String>, DbError> {
        let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1";
        Ok(self.session.client.query(sql, &[&schema])?.iter().map(|row| row.get(0)).collect())
    }

    fn schema(&mut self, schema: &str, why: &str) -> Result<(), DbError> {
        let sql =
            "SELECT coalesce(bool_and(has_schema_privilege(oid, 'USAGE')), true) FROM pg_namespace WHERE nspname = $1";
        if !self.session.client.query_one(sql, &[&schema])?.get::<_, bool>(0) {
            let sql = format!("GRANT USAGE ON SCHEMA {} TO {};", ident(schema), self.role);
            self.lacks(sql, why);
        }
        Ok(())
    }

    fn table(&mut self, schema: &str, name: &str, verb: &str, why: &str) -> Result<(), DbError> {
        let sql = "SELECT coalesce(bool_and(has_table_privilege(c.oid, $3)), true) FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
        if !self.session.client.query_one(sql, &[&schema, &name, &verb])?.get::<_, bool>(0) {
            let sql = format!("GRANT {verb} ON {} TO {};", table(schema, name), self.role);
            self.lacks(sql, why);
        }
        Ok(())
    }

    fn column(&mut self, schema: &str, name: &str, column: &str, verb: &str, why: &str) -> Result<(), DbError> {
        let sql = "SELECT coalesce(bool_and(has_column_privilege(c.oid, a.attnum, $4)), true) FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
                   WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND NOT a.attisdropped";
        if !self.session.client.query_one(sql, &[&schema, &name, &column, &verb])?.get::<_, bool>(0) {
            let sql = format!("GRANT {verb} ({}) ON {} TO {};", ident(column), table(schema, name), self.role);
            self.lacks(sql, why);
        }
        Ok(())
    }

    fn any_column(&mut self, schema: &str, name: &str, verb: &str) -> Result<bool, DbError> {
        let sql = "SELECT coalesce(bool_and(has_any_column_privilege(c.oid, $3)), true) FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
        Ok(self.session.client.query_one(sql, &[&schema, &name, &verb])?.get(0))
    }

    fn lacks(&mut self, sql: String, why: &str) {
        self.missing.push(Grant { sql, why: why.to_owned() });
    }
}
