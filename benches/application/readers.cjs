// Readers that follow the application's rule: read a row, then open its cell with the active version's DEK, and with no other.
// `warm` readers are processes that keep the DEK in memory for the cache time after they fetched it, their caches expiring one after the other;
// `cold` ones ask for the active version at every read, as processes do whose cache was dropped right after the flip.
// Standard input: {kms, table, column, organization, cacheSeconds, readsPerSecond, processes}. Reads until SIGTERM, then says what failed and when.
'use strict';

const { Pool } = require('pg');
const { open, unwrap, task } = require('./cells.cjs');

const KEYS =
  'SELECT id, "encryptedDek", "keyVersion", "isActive" FROM "EncryptionKey" WHERE "organizationId" = $1 ORDER BY "keyVersion" DESC';

async function main() {
  const asked = await task();
  const pool = new Pool({ max: 8 });
  const unwrapped = new Map();
  const keys = async () => (await pool.query({ name: 'keys', text: KEYS, values: [asked.organization] })).rows;
  const dek = async (row) => {
    if (!unwrapped.has(row.id)) unwrapped.set(row.id, await unwrap(asked.kms, row.encryptedDek));
    return unwrapped.get(row.id);
  };
  const fetched = async () => {
    const row = (await keys()).find((key) => key.isActive);
    return { version: row.keyVersion, key: await dek(row), at: Date.now() };
  };
  const ids = (
    await pool.query(`SELECT id FROM "${asked.table}" WHERE "orgId" = $1 AND "${asked.column}" <> ''`, [asked.organization])
  ).rows.map((row) => row.id);

  // Caches filled at different times, as those of processes that were not started together.
  const caches = [];
  for (let n = 0; n < asked.processes; n += 1) {
    const cache = await fetched();
    cache.at -= (n * asked.cacheSeconds * 1000) / asked.processes;
    caches.push(cache);
  }
  const holders = {
    cold: () => fetched(),
    warm: async (n) => {
      const at = n % caches.length;
      if (Date.now() - caches[at].at > asked.cacheSeconds * 1000) caches[at] = await fetched();
      return caches[at];
    },
  };

  // Which version a cell is under, for the cause of a failure; the application itself does not look.
  const versionOf = async (stored) => {
    for (const row of await keys()) if (open(await dek(row), stored) !== null) return row.keyVersion;
    return null;
  };

  const said = {};
  let stopping = false;
  process.on('SIGTERM', () => (stopping = true));
  const read = async (kind, n) => {
    const id = ids[Math.floor(Math.random() * ids.length)];
    const text = `SELECT "${asked.column}" AS cell FROM "${asked.table}" WHERE id = $1`;
    const { rows } = await pool.query({ name: 'read', text, values: [id] });
    const held = await holders[kind](n);
    const at = Date.now();
    said[kind].opens += 1;
    if (open(held.key, rows[0].cell) !== null) return;
    const version = await versionOf(rows[0].cell);
    // Under an older version than the one held: not moved yet. Under a newer one: this process's cache is stale.
    const cause = version === null ? 'broken' : version < held.version ? 'dark' : 'stale';
    said[kind].failures.push([at / 1000, cause]);
  };
  const loop = async (kind) => {
    said[kind] = { opens: 0, failures: [] };
    const running = new Set();
    const began = Date.now();
    for (let n = 0; !stopping; n += 1) {
      const wait = began + (n * 1000) / asked.readsPerSecond - Date.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const one = read(kind, n).finally(() => running.delete(one));
      running.add(one);
      if (running.size >= 16) await Promise.race(running);
    }
    await Promise.all(running);
  };
  process.stdout.write('ready\n');
  await Promise.all(Object.keys(holders).map(loop));
  await pool.end();
  process.stdout.write(JSON.stringify(said) + '\n');
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
