// The application's own way to re-encrypt: 100 rows read at a time, each written by itself in the transaction its ORM makes of an update:
// BEGIN, SELECT the id, UPDATE ... RETURNING the whole row, COMMIT. "updatedAt" is left alone, which spares it some work.
// Standard input: {table, columns: [[name, type]], owned (SQL), from, to (base64 DEKs)}. Standard output: rows, cells, seconds.
'use strict';

const { Client } = require('pg');
const { open, seal, task } = require('./cells.cjs');

const PAGE = 100;

async function main() {
  const { table, columns, owned, from, to } = await task();
  const [old, target] = [Buffer.from(from, 'base64'), Buffer.from(to, 'base64')];
  const client = new Client();
  await client.connect();
  const names = columns.map(([name]) => `t."${name}"`).join(', ');
  const sets = columns.map(([name], n) => `"${name}" = $${n + 2}`).join(', ');
  const read = {
    name: 'read',
    text: `SELECT t.id, ${names} FROM "${table}" t WHERE ${owned} AND t.id > $1 ORDER BY t.id LIMIT ${PAGE}`,
  };
  const find = { name: 'find', text: `SELECT t.id FROM "${table}" t WHERE t.id = $1 AND 1=1` };
  const write = { name: 'write', text: `UPDATE "${table}" t SET ${sets} WHERE t.id = $1 AND 1=1 RETURNING *` };
  const done = { rows: 0, cells: 0, darkCellSeconds: 0, seconds: 0 };
  const began = process.hrtime.bigint();
  const elapsed = () => Number(process.hrtime.bigint() - began) / 1e9;
  for (let last = ''; ; ) {
    const { rows } = await client.query({ ...read, values: [last] });
    if (rows.length === 0) break;
    for (const row of rows) {
      last = row.id;
      const values = [];
      let cells = 0;
      for (const [name, type] of columns) {
        const stored = row[name];
        if (stored === null || stored === '') {
          values.push(stored);
          continue;
        }
        const plaintext = open(old, stored);
        if (plaintext === null) throw new Error(`${table} ${row.id}: ${name} does not open`);
        const sealed = seal(target, plaintext, stored);
        values.push(type === 'jsonb' ? JSON.stringify(sealed) : sealed);
        cells += 1;
      }
      if (cells === 0) continue;
      await client.query('BEGIN');
      await client.query({ ...find, values: [row.id] });
      await client.query({ ...write, values: [row.id, ...values] });
      await client.query('COMMIT');
      done.rows += 1;
      done.cells += cells;
      done.darkCellSeconds += cells * elapsed();
    }
  }
  done.seconds = elapsed();
  await client.end();
  process.stdout.write(JSON.stringify(done) + '\n');
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
