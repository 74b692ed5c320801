//! A clinic whose tables have another shape than the built-in map's: other keys, partitions, children. The map follows in a config file,
//! and the shape can be undone, so that the foreign checker finds the tables it knows.

use super::world::World;
use postgres::Client;
use scrybe_keys::core::data_map::DataMap;
use scrybe_keys::core::ids::OrgId;
use scrybe_keys::db::Session;
use scrybe_keys::db::catalog::{Catalog, LiveTable};
use scrybe_keys::db::cells::Rows;

/// The built-in map, changed, is what every command of this world goes by from now on.
pub fn use_map(world: &mut World, change: impl FnOnce(&mut DataMap)) -> DataMap {
    let mut map = DataMap::clinic();
    change(&mut map);
    let path = world.path("scrybe-keys.yaml");
    let text = serde_yaml::to_string(&std::collections::BTreeMap::from([("data-map", &map)])).unwrap();
    std::fs::write(&path, text).unwrap();
    world.environment.insert("SCRYBE_KEYS_CONFIG".to_owned(), path.to_str().unwrap().to_owned());
    map
}

/// Names another key of the notes in the map.
pub fn key_notes_by(world: &mut World, id: &[&str]) -> DataMap {
    use_map(world, |map| notes(map).id = id.iter().map(|name| (*name).to_owned()).collect())
}

fn notes(map: &mut DataMap) -> &mut scrybe_keys::core::data_map::SealedTable {
    map.tables.iter_mut().find(|table| table.table == "Note").unwrap()
}

/// The tool's own session on the world's database.
pub fn session(world: &World) -> Session {
    let url = scrybe_keys::core::database_url::DatabaseUrl::parse(&world.database.url).unwrap();
    Session::open(&url, false).unwrap()
}

/// The catalog as the tool reads it.
pub fn catalog(world: &World, map: &DataMap) -> Catalog {
    session(world).catalog(map).unwrap()
}

/// Notes by month, the older year by month's half too: three leaves and a level between. The key is that of a partitioned table: it
/// holds the column it is partitioned by.
pub const PARTITIONED: &str = r#"
    ALTER TABLE "Note" RENAME TO "Note_whole";
    CREATE TABLE "Note" (LIKE "Note_whole" INCLUDING DEFAULTS, PRIMARY KEY (id, "createdAt")) PARTITION BY RANGE ("createdAt");
    CREATE INDEX ON "Note" ("orgId");
    CREATE TABLE "Note_2025" PARTITION OF "Note" FOR VALUES FROM (MINVALUE) TO ('2026-01-01') PARTITION BY HASH (id);
    CREATE TABLE "Note_2025_a" PARTITION OF "Note_2025" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE "Note_2025_b" PARTITION OF "Note_2025" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE "Note_2026" PARTITION OF "Note" FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
    INSERT INTO "Note" SELECT * FROM "Note_whole";
    DROP TABLE "Note_whole";
    ANALYZE "Note";"#;

/// Every way to read a heap's rows of an organization gives each of them once, by the same name. Returns how many there are.
#[track_caller]
pub fn meets_every_row_once(session: &mut Session, live: &LiveTable, organization: &str) -> usize {
    let organization = OrgId::parse(organization).unwrap();
    let file = session.file_of(live).unwrap();
    let mut names = |rows: &Rows| {
        let window = session.window(live, &organization, rows).unwrap();
        window.into_iter().map(|place| place.id).collect::<Vec<_>>()
    };
    let mut all = names(&Rows::Blocks { from: 0, to: None, file });
    let mut by_name = names(&Rows::Ids(all.clone()));
    let (total, bounds) = session.chunk_bounds(live, &organization, 7).unwrap();
    let (mut lower, mut by_range) = (None, Vec::new());
    for upper in bounds.into_iter().map(Some).chain([None]) {
        let rows = Rows::Range { lower: lower.take(), upper: upper.clone() };
        let found: Vec<String> =
            session.window(live, &organization, &rows).unwrap().into_iter().map(|place| place.id).collect();
        assert!(found.len() <= 7, "{rows:?} of {} holds {} rows", live.relation, found.len());
        by_range.extend(found);
        lower = upper;
    }
    for list in [&mut all, &mut by_name, &mut by_range] {
        list.sort();
    }
    assert_eq!(by_name, all, "{}: rows by name", live.relation);
    assert_eq!(by_range, all, "{}: rows by range", live.relation);
    assert_eq!(total, all.len() as i64);
    all.len()
}

/// Count of a query.
pub fn count(sql: &mut Client, query: &str) -> i64 {
    sql.query_one(query, &[]).unwrap().get(0)
}
