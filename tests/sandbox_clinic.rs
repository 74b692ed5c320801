//! The invented clinic: what is loaded opens, has the shapes and sizes of a clinic, and is the same for the same number.

use scrybe_keys::core::data_map::{ColumnKind, DataMap, OrganizationPath, Tier};
use scrybe_keys::core::database_url::DatabaseUrl;
use scrybe_keys::core::envelope::{self, Stored};
use scrybe_keys::core::ids::OrgId;
use scrybe_keys::core::kms::{Kms, NewKey};
use scrybe_keys::core::seal::{Bench, Cipher};
use scrybe_keys::db::Session;
use scrybe_keys::local::{Engine, InProcess, Kek};
use scrybe_keys::ops::sandbox::clinic::Spec;
use scrybe_keys::ops::sandbox::clinic::load::load;
use scrybe_keys::ops::sandbox::cluster::{Cluster, Options};
use scrybe_keys::ops::signal::Interrupt;
use scrybe_keys::ops::wrapping::Vault;
use std::collections::BTreeMap;
use std::sync::Arc;

const SPEC: Spec = Spec {
    seed: 5,
    organizations: 3,
    clients: 120,
    notes: 2_000,
    calls: 60,
    messages: 300,
    forms: 200,
    without_client_tier2: false,
};

struct Clinic {
    _cluster: Cluster,
    url: String,
    vault: Vault,
}

fn clinic(dir: &std::path::Path, spec: &Spec) -> Clinic {
    let cluster = Cluster::start(&dir.join("cluster"), Options { durable: false, ..Options::default() }).unwrap();
    postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls)
        .unwrap()
        .batch_execute("CREATE DATABASE clinic")
        .unwrap();
    let url = cluster.url("clinic");
    let kek = Kek::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let kms = InProcess::new(Engine::open(&dir.join("kms"), kek).unwrap(), "us-west-2");
    let key = kms.create_key(&NewKey::default()).unwrap().value.arn;
    let vault = Vault::of_kms(Arc::new(kms), &key, DataMap::clinic());
    let address = DatabaseUrl::parse(&url).unwrap();
    let connect = || Ok(Session::open(&address, false)?);
    let now = jiff::Timestamp::now();
    load(spec, &vault, &connect, 2, now, &Interrupt::default(), &|_| {}).unwrap();
    Clinic { _cluster: cluster, url, vault }
}

/// Every cell of the map: (table.column, row id) to its organization's plaintext; panics on a cell that does not open.
fn opened(clinic: &Clinic, map: &DataMap) -> BTreeMap<(String, String), Option<String>> {
    let mut client = postgres::Client::connect(&clinic.url, postgres::NoTls).unwrap();
    let mut session = Session::open(&DatabaseUrl::parse(&clinic.url).unwrap(), false).unwrap();
    let mut ciphers = BTreeMap::new();
    for org in client.query("SELECT id FROM \"Organization\"", &[]).unwrap() {
        let org: String = org.get(0);
        let rows = session.dek_rows(&DataMap::clinic(), &OrgId::parse(&org).unwrap()).unwrap();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].active && rows[0].version.0 == 1);
        ciphers.insert(org, Cipher::new(&clinic.vault.unwrap(&rows[0]).unwrap().0));
    }
    let (mut all, mut bench) = (BTreeMap::new(), Bench::default());
    for table in &map.tables {
        let (join, org) = match &table.organization {
            OrganizationPath::Column(column) => (String::new(), format!("t.\"{column}\"")),
            OrganizationPath::Through { .. } => {
                ("JOIN \"Client\" c ON c.id = t.\"clientId\"".to_owned(), "c.\"orgId\"".to_owned())
            }
        };
        for column in &table.columns {
            let value = match column.kind {
                ColumnKind::Text => format!("t.\"{}\"", column.column),
                ColumnKind::Jsonb => format!("t.\"{}\" #>> '{{}}'", column.column),
            };
            let query = format!("SELECT t.id, {org}, {value} FROM \"{}\" t {join}", table.table);
            let rows = client.query(&query, &[]).unwrap();
            let in_table: i64 =
                client.query_one(&format!("SELECT count(*) FROM \"{}\"", table.table), &[]).unwrap().get(0);
            assert_eq!(rows.len() as i64, in_table, "{}: rows without an organization", table.table);
            for row in rows {
                let (id, org, stored): (String, String, Option<String>) = (row.get(0), row.get(1), row.get(2));
                let plain = stored.map(|stored| match envelope::read(&stored) {
                    Stored::Empty => String::new(),
                    Stored::Sealed(sealed) => {
                        assert_eq!(sealed.tier, column.tier, "{}.{}", table.table, column.column);
                        let (_, plain) = bench.open([&ciphers[&org]], sealed).unwrap();
                        String::from_utf8(plain.to_vec()).unwrap()
                    }
                    other => panic!("{}.{} of {id} is not sealed: {other:?}", table.table, column.column),
                });
                if column.kind == ColumnKind::Jsonb
                    && let Some(plain) = &plain
                {
                    serde_json::from_str::<serde_json::Value>(plain).unwrap();
                }
                all.insert((format!("{}.{}", table.table, column.column), id), plain);
            }
        }
    }
    all
}

#[test]
fn everything_opens_and_looks_like_a_clinic() {
    let dir = tempfile::tempdir().unwrap();
    let clinic = clinic(dir.path(), &SPEC);
    let cells = opened(&clinic, &DataMap::clinic());
    let of = |name: &'static str| cells.iter().filter(move |((column, _), _)| column == name).map(|(_, plain)| plain);
    assert_eq!(of("Note.content").count(), 2_000);
    assert_eq!(of("Call.transcriptRaw").count(), 60);
    assert!(of("Note.content").any(|p| p.as_deref() == Some("")), "no empty note");
    assert!(of("Call.transcriptRaw").any(Option::is_none), "no call without a transcript");
    assert!(of("FormSubmission.aiExtractedData").any(Option::is_none));
    assert!(of("Client.ssn").flatten().all(|p| p.len() == 11));
    assert!(of("Call.transcriptRaw").flatten().all(|p| (5_000..41_000).contains(&p.len())));
    assert!(of("Note.content").flatten().all(|p| p.is_empty() || (400..2_400).contains(&p.len())));
    assert_eq!(DataMap::clinic().tables[4].columns[0].tier, Tier::High);
    let mut client = postgres::Client::connect(&clinic.url, postgres::NoTls).unwrap();
    let first: i64 = client
        .query_one("SELECT max(n) FROM (SELECT count(*) AS n FROM \"Note\" GROUP BY \"orgId\") x", &[])
        .unwrap()
        .get(0);
    assert_eq!(first, 1_000, "the first organization owns half");
}

#[test]
fn the_same_number_makes_the_same_clinic() {
    let spec = Spec { notes: 300, calls: 10, messages: 40, forms: 30, without_client_tier2: true, ..SPEC };
    let mut map = DataMap::clinic();
    map.tables.retain(|t| t.table != "Client");
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = opened(&clinic(one.path(), &spec), &map);
    assert_eq!(first, opened(&clinic(two.path(), &spec), &map));
    assert!(first.len() > 300);
}
