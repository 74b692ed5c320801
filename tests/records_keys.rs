//! `keys`: what the table says, what our records say, and whether each DEK unwraps when asked.

use crate::support::plain::Plain;

#[test]
fn versions_are_listed_newest_first_and_unwrapped_only_when_asked() {
    let plain = Plain::with_kms().bound();
    let dek = plain.add_organization("acme");
    plain.add_organization("zenith");
    plain.sql().batch_execute("INSERT INTO \"EncryptionKey\" (id, \"organizationId\", \"encryptedDek\", \"keyVersion\", \"isActive\") VALUES ('older', 'acme', 'QUJD', 0, false)").unwrap();
    let before = plain.kms.as_ref().unwrap().engine.requests(0).iter().filter(|r| r.operation == "Decrypt").count();
    let list = plain.run(&["keys", "list", "--json"]).expect(0).json();
    let keys = list["data"]["keys"].as_array().unwrap();
    let seen: Vec<_> = keys
        .iter()
        .map(|k| {
            (k["organizationId"].as_str().unwrap(), k["version"].as_i64().unwrap(), k["active"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(seen, [("acme", 1, true), ("acme", 0, false), ("zenith", 1, true)]);
    assert!(keys.iter().all(|k| k["opens"].is_null() && k["ageDays"] == 0));
    let after = plain.kms.as_ref().unwrap().engine.requests(0).iter().filter(|r| r.operation == "Decrypt").count();
    assert_eq!(before, after, "listing must not unwrap");
    let deep = plain.run(&["keys", "show", "acme", "--deep", "--json"]).expect(3);
    assert_eq!(deep.problem_codes(), ["dek-does-not-open"]);
    let deep = deep.json();
    let keys = deep["data"]["keys"].as_array().unwrap();
    assert_eq!((keys[0]["dekId"].as_str().unwrap(), &keys[0]["opens"]), (dek.as_str(), &true.into()));
    assert_eq!(keys[0]["keyArn"].as_str(), plain.key_arn.as_deref());
    assert_eq!(keys[0]["fingerprint"].as_str().unwrap().len(), 16);
    assert_eq!(keys[1]["opens"], false);
}

#[test]
fn an_unknown_organization_is_refused() {
    let plain = Plain::without_kms().bound();
    plain.run(&["keys", "show", "nobody"]).expect(5).says("nobody").says("keys list");
    plain.run(&["keys", "list", "--org", "nobody"]).expect(5);
    plain.run(&["keys", "list"]).expect(0);
}

#[test]
fn text_and_uuid_ids_read_alike_and_times_are_utc() {
    let plain = Plain::without_kms().bound();
    let mut sql = plain.sql();
    sql.batch_execute(
        "DROP TABLE \"EncryptionKey\" CASCADE;
         CREATE TABLE \"EncryptionKey\" (id uuid PRIMARY KEY, \"organizationId\" uuid NOT NULL, \"encryptedDek\" varchar(300), \"keyVersion\" smallint, \"isActive\" boolean, \"createdAt\" timestamp(3), \"rotatedAt\" timestamptz);
         INSERT INTO \"EncryptionKey\" VALUES ('11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222', 'QUJD', 7, true, '2026-01-02 03:04:05.678', '2026-01-02 04:04:05.678+01')",
    )
    .unwrap();
    // A server that keeps another time zone must not shift times without zone.
    sql.batch_execute(&format!("ALTER DATABASE {} SET timezone = 'America/Los_Angeles'", plain.database.name)).unwrap();
    let list = plain.run(&["keys", "show", "22222222-2222-4222-8222-222222222222", "--json"]).expect(0).json();
    let key = &list["data"]["keys"][0];
    assert_eq!(key["version"], 7);
    assert_eq!(key["createdAt"], "2026-01-02T03:04:05.678Z");
    assert_eq!(key["rotatedAt"], "2026-01-02T03:04:05.678Z");
}
