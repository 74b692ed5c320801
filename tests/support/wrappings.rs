//! What tests of rewrapping look at: DEK rows, kept wrappings, records, and the calls that KMS saw.

use super::plain::Plain;
use super::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres::Client;
use scrybe_keys::core::kms::{Context, Kms, NewKey};
use scrybe_keys::local::InProcess;
use std::collections::BTreeMap;

pub const REGION: &str = "us-west-2";

/// Another key in this region: its ARN.
pub fn another_key(kms: &InProcess) -> String {
    let key = kms.create_key(&NewKey::default()).unwrap().value;
    kms.enable_key_rotation(&key.key_id, 90).unwrap();
    key.arn
}

/// Stored texts by DEK row.
pub fn stored(sql: &mut Client) -> BTreeMap<String, String> {
    let rows = sql.query("SELECT id, \"encryptedDek\" FROM \"EncryptionKey\"", &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Everything else of the DEK table, as one text.
pub fn everything_else(sql: &mut Client) -> String {
    let select = "SELECT string_agg((to_jsonb(k) - 'encryptedDek')::text, E'\\n' ORDER BY id) FROM \"EncryptionKey\" k";
    sql.query_one(select, &[]).unwrap().get(0)
}

/// Kept wrappings: DEK row, old text, its key, reason; in the order they were replaced.
pub fn kept(sql: &mut Client) -> Vec<(String, String, String, String)> {
    let select = "SELECT dek_id, wrapped, key_arn, reason FROM scrybe_keys.dek_wrapping ORDER BY wrapping_id";
    let rows = sql.query(select, &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

/// The key and the DEK that a stored text opens to, whatever key it is under.
pub fn opened(kms: &InProcess, stored: &str, context: &Context) -> (String, Vec<u8>) {
    let answer = kms.decrypt(None, &STANDARD.decode(stored).unwrap(), context).unwrap().value;
    (answer.key_arn, answer.plaintext.to_vec())
}

/// How often the endpoint was asked for an operation that it carried out or refused, rehearsals not counted.
pub fn calls(requests: &[scrybe_keys::local::Request], operation: &str) -> usize {
    let real = |outcome: &str| outcome != "DryRunOperationException";
    requests.iter().filter(|r| r.operation == operation && real(&r.outcome)).count()
}

/// The engine of a world, in process.
pub fn direct(world: &World) -> InProcess {
    world.kms.direct(REGION)
}

/// The engine of a clinic without cells, in process.
pub fn direct_plain(plain: &Plain) -> InProcess {
    plain.kms.as_ref().unwrap().direct(REGION)
}
