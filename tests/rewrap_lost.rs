//! What was committed is told, whoever did not hear of it: COMMITs whose answer is lost, an audit chain that cannot be written half-way.

use crate::support::cli::Ran;
use crate::support::plain::Plain;
use crate::support::wire::{self, Loss};
use crate::support::wrappings::{another_key, direct_plain, kept, opened, stored};
use postgres::Client;
use scrybe_keys::core::kms::Context;
use serde_json::{Value, json};

const REPLACING: &str = "INSERT INTO scrybe_keys.dek_wrapping";
const BINDING: &str = "UPDATE scrybe_keys.binding SET key_arn";

fn to(key: &str) -> [&str; 11] {
    ["rewrap", "--all", "--to", key, "--bind", "--reason", "lost", "--application-can-use", key, "--yes", "--json"]
}

/// Two organizations, a key to move to, and the command through a connection that loses one commit.
fn run_through(marker: &'static str, loss: Loss) -> (Plain, String, Ran) {
    let plain = Plain::with_kms().bound();
    for org in ["acme", "zenith"] {
        plain.add_organization(org);
    }
    let next = another_key(&direct_plain(&plain));
    let url = wire::serve(&plain.database.url, plain.database.port, marker, loss);
    let ran = plain.run_with("DATABASE_URL", &url, &to(&next));
    (plain, next, ran)
}

/// Bodies of outcomes with this event, oldest first.
fn outcomes(sql: &mut Client, event: &str) -> Vec<Value> {
    let select = "SELECT body FROM scrybe_keys.audit WHERE event = $1 AND phase = 'outcome' ORDER BY seq";
    sql.query(select, &[&event]).unwrap().iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
}

fn open_intents(sql: &mut Client) -> i64 {
    let open = "SELECT count(*) FROM scrybe_keys.audit i WHERE phase = 'intent' AND NOT EXISTS \
                (SELECT FROM scrybe_keys.audit o WHERE o.intent_id = i.intent_id AND o.phase = 'outcome')";
    sql.query_one(open, &[]).unwrap().get(0)
}

/// Both DEKs are under the new key, each was replaced once, the database is bound to it, and the chain is whole.
#[track_caller]
fn all_is_done(plain: &Plain, next: &str) {
    let (kms, mut sql) = (direct_plain(plain), plain.sql());
    assert!(stored(&mut sql).values().all(|text| opened(&kms, text, &Context::new()).0 == next));
    assert_eq!(kept(&mut sql).len(), 2);
    let bound: String = sql.query_one("SELECT key_arn FROM scrybe_keys.binding", &[]).unwrap().get(0);
    assert_eq!((bound.as_str(), open_intents(&mut sql)), (next, 0));
    let rewrapped: i64 =
        outcomes(&mut sql, "DEK_REWRAPPED").iter().map(|body| body["rewrapped"].as_i64().unwrap()).sum();
    assert_eq!(rewrapped, 2, "the chain tells of every replacement, once");
    plain.run_with("AWS_KMS_KEY_ID", next, &["audit", "verify"]).expect(0);
}

#[test]
fn rewrap_asks_what_became_of_a_commit_whose_answer_was_lost() {
    let (plain, next, ran) = run_through(REPLACING, Loss::Answer);
    let answer = ran.expect(0).json();
    assert_eq!((&answer["data"]["counts"]["rewrapped"], &answer["changed"]), (&json!(2), &json!(true)));
    all_is_done(&plain, &next);
    assert!(outcomes(&mut plain.sql(), "DEK_REWRAP_FAILED").is_empty());
}

#[test]
fn rewrap_says_that_nothing_was_done_only_when_the_commit_was_lost_itself() {
    let (plain, next, ran) = run_through(REPLACING, Loss::Commit);
    let answer = ran.expect(8).json();
    assert_eq!((&answer["data"]["counts"]["rewrapped"], &answer["changed"]), (&json!(0), &json!(false)), "{answer:#}");
    let mut sql = plain.sql();
    assert!(kept(&mut sql).is_empty());
    let failed = outcomes(&mut sql, "DEK_REWRAP_FAILED");
    assert_eq!((failed.len(), &failed[0]["rewrapped"], open_intents(&mut sql)), (1, &json!(0), 0));
    plain.run(&to(&next)).expect(0);
    all_is_done(&plain, &next);
}

#[test]
fn rewrap_leaves_the_intent_open_when_nobody_can_tell() {
    let (plain, next, ran) = run_through(REPLACING, Loss::AnswerAndServer);
    let ran = ran.expect(8).says("commit-unknown");
    assert_eq!(ran.json()["data"]["counts"]["notReached"], 2, "{ran:?}");
    let mut sql = plain.sql();
    assert_eq!((kept(&mut sql).len(), open_intents(&mut sql)), (1, 1), "it was committed, and nobody says otherwise");
    assert!(outcomes(&mut sql, "DEK_REWRAP_FAILED").is_empty());
    plain.run(&to(&next)).expect(0);
    all_is_done(&plain, &next);
    assert_eq!(outcomes(&mut sql, "DEK_REWRAPPED")[0]["derived"], true);
}

#[test]
fn rewrap_asks_whether_the_database_was_bound_when_that_answer_was_lost() {
    let (plain, next, ran) = run_through(BINDING, Loss::Answer);
    assert_eq!(ran.expect(0).json()["data"]["binding"]["changed"], true);
    all_is_done(&plain, &next);
    let told = outcomes(&mut plain.sql(), "DATABASE_REBOUND");
    assert_eq!((told.len(), &told[0]["done"]), (1, &json!(true)));
}

#[test]
fn rewrap_leaves_the_binding_to_the_next_run_when_nobody_can_tell() {
    let (plain, next, ran) = run_through(BINDING, Loss::AnswerAndServer);
    ran.expect(8).says("commit-unknown");
    assert_eq!(open_intents(&mut plain.sql()), 1);
    plain.run(&to(&next)).expect(0);
    all_is_done(&plain, &next);
    let told = outcomes(&mut plain.sql(), "DATABASE_REBOUND");
    assert_eq!((told.len(), &told[0]["done"], &told[0]["derived"]), (1, &json!(true), &json!(true)));
}

#[test]
fn rewrap_tells_what_it_did_before_the_audit_chain_failed() {
    for (event, phase, rewrapped, bound) in [
        ("DEK_REWRAPPED", "outcome", 1, false),
        ("DATABASE_REBOUND", "intent", 2, false),
        ("DATABASE_REBOUND", "outcome", 2, true),
    ] {
        let plain = Plain::with_kms().bound();
        for org in ["acme", "zenith"] {
            plain.add_organization(org);
        }
        let (next, mut sql) = (another_key(&direct_plain(&plain)), plain.sql());
        sql.batch_execute(&format!(
            "CREATE FUNCTION public.no_record() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no record'; END $$;
             CREATE TRIGGER no_record BEFORE INSERT ON scrybe_keys.audit FOR EACH ROW
             WHEN (NEW.event = '{event}' AND NEW.phase = '{phase}') EXECUTE FUNCTION public.no_record()"
        ))
        .unwrap();
        let ran = plain.run(&to(&next));
        assert_ne!(ran.code(), 0, "{event} {phase}");
        let answer = ran.json();
        let counts = &answer["data"]["counts"];
        assert_eq!(
            (&answer["changed"], &counts["rewrapped"], &counts["notReached"], &answer["data"]["binding"]["changed"]),
            (&json!(true), &json!(rewrapped), &json!(2 - rewrapped), &json!(bound)),
            "{event} {phase}: {answer:#}"
        );
        assert_eq!(kept(&mut sql).len(), rewrapped);
        sql.batch_execute("DROP TRIGGER no_record ON scrybe_keys.audit").unwrap();
        plain.run(&to(&next)).expect(0);
        all_is_done(&plain, &next);
    }
}
