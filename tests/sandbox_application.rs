//! The clinic application's schema, in both deployments, on a real server.

use scrybe_keys::db::application::{Shape, schema};
use scrybe_keys::ops::sandbox::cluster::{Cluster, Options};

#[test]
fn both_deployments_have_every_column_of_the_built_in_map() {
    let dir = tempfile::tempdir().unwrap();
    let cluster =
        Cluster::start(&dir.path().join("cluster"), Options { durable: false, ..Options::default() }).unwrap();
    let mut admin = postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls).unwrap();
    for (name, shape) in [("clinic", Shape::Full), ("small_clinic", Shape::WithoutClientTier2)] {
        admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut db = postgres::Client::connect(&cluster.url(name), postgres::NoTls).unwrap();
        db.batch_execute(&schema(shape)).unwrap();
        for table in scrybe_keys::core::data_map::DataMap::clinic().tables {
            for column in table.columns {
                let there: bool = db
                    .query_one(
                        "SELECT EXISTS (SELECT FROM information_schema.columns WHERE table_name = $1 AND column_name = $2)",
                        &[&table.table, &column.column],
                    )
                    .unwrap()
                    .get(0);
                let expected = !(shape == Shape::WithoutClientTier2 && table.table == "Client");
                assert_eq!(there, expected, "{name}: {}.{}", table.table, column.column);
            }
        }
        let indexes: i64 =
            db.query_one("SELECT count(*) FROM pg_indexes WHERE tablename = 'Note'", &[]).unwrap().get(0);
        assert_eq!(indexes, 7);
    }
}
