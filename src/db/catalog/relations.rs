//! What PostgreSQL's catalogs say: tables and columns of the schema, and the relations that hold a mapped table's rows.
//!
//! A plain table holds its own rows. A partitioned one holds none: its leaves do, wherever they lie. A table with inheritance children holds
//! its own and they hold theirs. Each of them has a heap, indexes, triggers, row security and privileges of its own. Read in one snapshot,
//! a handful of questions however many leaves there are. What is made of it: `catalog`.

use super::ReplicaIdentity;
use crate::core::data_map::DataMap;
use crate::db::{DbError, Session};
use std::collections::{BTreeMap, BTreeSet};

/// Tables of the schema by name, with their columns.
#[derive(Default)]
pub(super) struct Columns {
    pub tables: BTreeMap<String, Table>,
}

/// A table of the schema.
#[derive(Default)]
pub(super) struct Table {
    /// It has partitions, and no rows of its own.
    pub partitioned: bool,
    /// The partitioned table that it is a partition of, as PostgreSQL names it.
    pub root: Option<String>,
    /// Reading that one reads this one too: it lies in the same schema.
    pub read_with_root: bool,
    pub columns: BTreeMap<String, Column>,
}

/// A column of a table.
pub(super) struct Column {
    /// Name of its type, such that casting to it neither cuts nor pads.
    pub type_name: String,
    pub generated: bool,
}

/// A relation that holds rows of a mapped table.
pub(super) struct Relation {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// A foreign table: its rows are in another server.
    pub foreign: bool,
    pub rows: i64,
    pub blocks: i64,
    pub bytes: i64,
    pub file: i64,
    pub row_security: bool,
    pub update_triggers: Vec<String>,
    pub identity: ReplicaIdentity,
    pub publications: Vec<String>,
    /// Plain columns by which it was chosen among its siblings, the root's first.
    pub partition_columns: Vec<String>,
    /// Stored generated columns, and a column that each depends on.
    pub computed: Vec<(String, String)>,
}

/// What tells a relation's rows apart.
#[derive(Default)]
pub(super) struct Uniqueness {
    not_null: BTreeSet<String>,
    indexes: Vec<UniqueIndex>,
}

struct UniqueIndex {
    name: String,
    columns: BTreeSet<String>,
    /// Why it does not count, e.g. `is partial`.
    flaw: Option<&'static str>,
}

/// Everything the catalog is made from.
pub(super) struct Found {
    pub columns: Columns,
    /// By mapped table.
    pub relations: BTreeMap<String, Vec<Relation>>,
    /// By relation, and of partitioned tables too.
    pub uniqueness: BTreeMap<u32, Uniqueness>,
    /// Object id of each mapped table.
    pub roots: BTreeMap<String, u32>,
}

impl Columns {
    pub fn knows(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    pub fn type_of(&self, table: &str, column: &str) -> Option<&str> {
        Some(&self.tables.get(table)?.columns.get(column)?.type_name)
    }
}

impl Uniqueness {
    /// True when these columns, none of them ever NULL, name one row; else why not.
    pub fn names_rows(&self, columns: &[String]) -> Result<(), String> {
        let wanted: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        let within = |index: &&UniqueIndex| {
            !index.columns.is_empty() && index.columns.iter().all(|column| wanted.contains(column.as_str()))
        };
        let unique = self.indexes.iter().filter(within).any(|index| index.flaw.is_none());
        let nullable: Vec<&str> = columns.iter().map(String::as_str).filter(|c| !self.not_null.contains(*c)).collect();
        if unique && nullable.is_empty() {
            return Ok(());
        }
        let mut why: Vec<String> = nullable.iter().map(|column| format!("column {column} may be NULL")).collect();
        if !unique {
            let flawed = self.indexes.iter().filter(within);
            why.extend(flawed.filter_map(|index| Some(format!("unique index {} {}", index.name, index.flaw?))));
        }
        Err(why.join(", "))
    }
}

const COLUMNS: &str = "SELECT c.relname::text, c.relkind = 'p', root.oid::regclass::text, coalesce(root.relnamespace = c.relnamespace, false),
        a.attname::text, format_type(a.atttypid, -1), a.attgenerated <> ''
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_class root ON c.relispartition AND root.oid = pg_partition_root(c.oid)
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'";

/// Tables named `$2` of schema `$1` with all that is under them: `tree (root, oid)`.
pub(in crate::db) const TREE: &str = "WITH RECURSIVE tree (root, oid) AS (
        SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'p')
        UNION SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid)";

/// Before PostgreSQL 15 a partition's copy of its parent's row trigger was marked internal; a foreign key's triggers always are.
const RELATIONS: &str = "SELECT r.relname::text, r.oid, c.oid, n.nspname::text, c.relname::text, c.relkind::text,
        greatest(c.reltuples, 0)::bigint,
        coalesce(pg_relation_size(c.oid) / current_setting('block_size')::bigint, 0),
        coalesce(pg_relation_size(c.oid) + coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0), 0),
        coalesce(pg_relation_filenode(c.oid)::bigint, 0),
        row_security_active(c.oid),
        ARRAY(SELECT g.tgname::text FROM pg_trigger g
              WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D' AND g.tgtype & 16 = 16 AND (NOT g.tgisinternal
                  OR g.tgparentid <> 0 AND current_setting('server_version_num')::int < 150000)
              UNION ALL SELECT 'rule ' || w.rulename FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type = '2' AND w.ev_enabled <> 'D'
              ORDER BY 1),
        c.relreplident::text,
        ARRAY(SELECT format('%I.%I', pn.nspname, pc.relname) FROM pg_class pc JOIN pg_namespace pn ON pn.oid = pc.relnamespace
              WHERE pc.oid = c.oid OR pc.oid IN (SELECT relid FROM pg_partition_ancestors(c.oid))),
        ARRAY(SELECT a.attname::text FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS p (relid, n)
              JOIN pg_partitioned_table q ON q.partrelid = p.relid CROSS JOIN unnest(q.partattrs::int2[]) WITH ORDINALITY AS k (attnum, n)
              JOIN pg_attribute a ON a.attrelid = p.relid AND a.attnum = k.attnum ORDER BY p.n DESC, k.n)
    FROM tree JOIN pg_class r ON r.oid = tree.root JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence <> 't' ORDER BY r.relname, c.oid <> r.oid, n.nspname, c.relname";

const PUBLISHED: &str = "SELECT format('%I.%I', v.schemaname, v.tablename), p.pubname::text
    FROM pg_publication p JOIN pg_publication_tables v ON v.pubname = p.pubname WHERE p.pubupdate ORDER BY 2";

const NOT_NULL: &str = "SELECT a.attrelid, a.attname::text FROM pg_attribute a
    WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated
                      AND a.attnum = ANY (k.conkey))";

const UNIQUE: &str = "SELECT i.indrelid, x.relname::text, i.indisvalid AND i.indislive, i.indpred IS NULL, i.indexprs IS NULL, i.indimmediate,
        ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = ANY ($1) AND i.indisunique ORDER BY 2";

/// A generated column's dependencies hang on its expression, before PostgreSQL 15 on the column.
const COMPUTED: &str = "SELECT DISTINCT a.attrelid, a.attname::text, s.attname::text
    FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN pg_depend p ON (p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                         OR p.classid = 'pg_class'::regclass AND p.objid = a.attrelid AND p.objsubid = a.attnum)
        AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid > 0 AND p.refobjsubid <> a.attnum
    JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = p.refobjsubid
    WHERE a.attrelid = ANY ($1) AND a.attgenerated = 's' ORDER BY 1, 2, 3";

impl Session {
    pub(super) fn read_relations(&mut self, map: &DataMap) -> Result<Found, DbError> {
        let mut t = self
            .client
            .build_transaction()
            .isolation_level(postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let mut columns = Columns::default();
        for row in t.query(COLUMNS, &[&map.schema])? {
            let table = columns.tables.entry(row.get(0)).or_insert_with(|| Table {
                partitioned: row.get(1),
                root: row.get(2),
                read_with_root: row.get(3),
                columns: BTreeMap::new(),
            });
            table.columns.insert(row.get(4), Column { type_name: row.get(5), generated: row.get(6) });
        }
        let mut published: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in t.query(PUBLISHED, &[])? {
            published.entry(row.get(0)).or_default().push(row.get(1));
        }
        let names: Vec<&str> = map.tables.iter().map(|sealed| sealed.table.as_str()).collect();
        let mut relations: BTreeMap<String, Vec<Relation>> = BTreeMap::new();
        let (mut oids, mut roots) = (BTreeSet::new(), BTreeMap::new());
        for row in t.query(&format!("{TREE} {RELATIONS}"), &[&map.schema, &names])? {
            let (mapped, oid): (String, u32) = (row.get(0), row.get(2));
            roots.insert(mapped.clone(), row.get(1));
            oids.insert(oid);
            let kind: &str = row.get(5);
            if kind == "p" {
                continue;
            }
            let known_as: Vec<String> = row.get(13);
            let publications: BTreeSet<&String> =
                known_as.iter().flat_map(|name| published.get(name)).flatten().collect();
            relations.entry(mapped).or_default().push(Relation {
                oid,
                schema: row.get(3),
                name: row.get(4),
                foreign: kind == "f",
                rows: row.get(6),
                blocks: row.get(7),
                bytes: row.get(8),
                file: row.get(9),
                row_security: row.get(10),
                update_triggers: row.get(11),
                identity: ReplicaIdentity::parse(row.get(12)),
                publications: publications.into_iter().cloned().collect(),
                partition_columns: row.get(14),
                computed: Vec::new(),
            });
        }
        let oids: Vec<u32> = oids.into_iter().collect();
        let mut uniqueness: BTreeMap<u32, Uniqueness> = BTreeMap::new();
        for row in t.query(NOT_NULL, &[&oids])? {
            uniqueness.entry(row.get(0)).or_default().not_null.insert(row.get(1));
        }
        for row in t.query(UNIQUE, &[&oids])? {
            let flaws = ["is not valid", "is partial", "is on an expression", "is deferrable"];
            let flaw = (0..flaws.len()).find(|n| !row.get::<_, bool>(n + 2)).map(|n| flaws[n]);
            let columns: Vec<String> = row.get(6);
            let index = UniqueIndex { name: row.get(1), columns: columns.into_iter().collect(), flaw };
            uniqueness.entry(row.get(0)).or_default().indexes.push(index);
        }
        for row in t.query(COMPUTED, &[&oids])? {
            let oid: u32 = row.get(0);
            for relation in relations.values_mut().flatten().filter(|relation| relation.oid == oid) {
                relation.computed.push((row.get(1), row.get(2)));
            }
        }
        t.rollback()?;
        Ok(Found { columns, relations, uniqueness, roots })
    }
}
