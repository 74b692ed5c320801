//! The application's way in Rust: pages of 100 rows, each row opened, sealed and written by itself, a commit each. What a straightforward
//! program gains by its language alone; the engine is measured beside it.
//!
//! Standard input: one JSON object `{table, columns: [[name, type]], owned, from, to}` (DEKs in base64); PostgreSQL by `PG*` variables.
//! Standard output: one JSON object with rows, cells, seconds and dark cell-seconds. Run by `benches/measure`.
#![allow(clippy::print_stdout, reason = "the answer goes to standard output")]
#![allow(clippy::disallowed_methods, reason = "a bench reads its own environment")]
#![allow(clippy::unwrap_used, reason = "a bench that meets what it does not expect stops")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres::types::ToSql;
use postgres::{Client, NoTls};
use scrybe_keys::core::cell::content;
use scrybe_keys::core::data_map::ColumnKind;
use scrybe_keys::core::dek::Dek;
use scrybe_keys::core::envelope::{self, Stored};
use scrybe_keys::core::seal::{Bench, Cipher};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::time::Instant;
use zeroize::Zeroizing;

const PAGE: usize = 100;

#[derive(Deserialize)]
struct Task {
    table: String,
    columns: Vec<(String, String)>,
    owned: String,
    from: String,
    to: String,
}

fn main() {
    let mut input = Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut input).unwrap();
    let task: Task = serde_json::from_str(&input).unwrap();
    let done = walk(&task, &mut connect());
    println!("{done}");
}

fn connect() -> Client {
    let variable = |name: &str| std::env::var(name).unwrap();
    postgres::Config::new()
        .host(&variable("PGHOST"))
        .port(variable("PGPORT").parse().unwrap())
        .user(&variable("PGUSER"))
        .password(variable("PGPASSWORD"))
        .dbname(&variable("PGDATABASE"))
        .connect(NoTls)
        .unwrap()
}

fn cipher(dek: &str) -> Cipher {
    Cipher::new(&Dek::parse(Zeroizing::new(STANDARD.decode(dek).unwrap())).unwrap())
}

fn walk(task: &Task, client: &mut Client) -> Value {
    let table = &task.table;
    let (old, target) = (cipher(&task.from), cipher(&task.to));
    let mut bench = Bench::default();
    let names: Vec<String> = task.columns.iter().map(|(name, _)| format!("t.\"{name}\"::text")).collect();
    let sets: Vec<String> = task
        .columns
        .iter()
        .enumerate()
        .map(|(n, (name, kind))| match kind.as_str() {
            "jsonb" => format!("\"{name}\" = to_jsonb(${}::text)", n + 2),
            _ => format!("\"{name}\" = ${}", n + 2),
        })
        .collect();
    let read = client
        .prepare(&format!(
            "SELECT t.id, {} FROM \"{table}\" t WHERE {} AND t.id > $1 ORDER BY t.id LIMIT {PAGE}",
            names.join(", "),
            task.owned
        ))
        .unwrap();
    let write = client.prepare(&format!("UPDATE \"{table}\" t SET {} WHERE t.id = $1", sets.join(", "))).unwrap();
    let (mut rows, mut cells, mut dark) = (0u64, 0u64, 0.0);
    let began = Instant::now();
    let mut last = String::new();
    loop {
        let page = client.query(&read, &[&last]).unwrap();
        let Some(end) = page.last() else { break };
        last = end.get(0);
        for row in &page {
            let id: String = row.get(0);
            let values: Vec<Option<String>> =
                (0..task.columns.len()).map(|n| resealed(task, &mut bench, &old, &target, n, row.get(n + 1))).collect();
            let sealed = values.iter().flatten().filter(|value| !value.is_empty()).count() as u64;
            if sealed == 0 {
                continue;
            }
            let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&id];
            parameters.extend(values.iter().map(|value| value as &(dyn ToSql + Sync)));
            client.execute(&write, &parameters).unwrap();
            rows += 1;
            cells += sealed;
            dark += sealed as f64 * began.elapsed().as_secs_f64();
        }
    }
    json!({"rows": rows, "cells": cells, "seconds": began.elapsed().as_secs_f64(), "darkCellSeconds": dark})
}

/// A column's new value: the same plaintext under the other key; NULL and empty stay as they are.
fn resealed(
    task: &Task,
    bench: &mut Bench,
    old: &Cipher,
    target: &Cipher,
    column: usize,
    raw: Option<String>,
) -> Option<String> {
    let raw = raw?;
    let kind = if task.columns[column].1 == "jsonb" { ColumnKind::Jsonb } else { ColumnKind::Text };
    let (text, _) = content(kind, &raw);
    match envelope::read(&text) {
        Stored::Empty => Some(raw.clone()),
        Stored::Plain(_) => panic!("{} holds a value that was never sealed", task.table),
        Stored::Sealed(found) => {
            let tier = found.tier;
            bench.open([old], found).unwrap();
            Some(bench.reseal(target, tier).unwrap().to_owned())
        }
    }
}
