/**
 * What people write themselves, as a peer: `node naive-export.ts <url> <file>` reads every table of PostgreSQL in
 * pages by its id as objects, as `findMany` gives them, and writes JSON.stringify of each row through one gzip at
 * level 1. Bytes are written as base64; no digest, no checksum, no snapshot, no structure.
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import pg from 'pg';

const PAGE_ROWS = 1000;

const [address, file] = process.argv.slice(2);
if (address === undefined || file === undefined) throw new Error('It takes an address and a file.');

const client = new pg.Client({ connectionString: address });
await client.connect();
await pipeline(Readable.from(lines(client)), createGzip({ level: 1 }), createWriteStream(file));
await client.end();

async function* lines(database: pg.Client): AsyncGenerator<string> {
  const { rows: tables } = await database.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  for (const { name } of tables) {
    let after = '0';
    for (;;) {
      const { rows } = await database.query<{ id: string }>(
        `SELECT * FROM ${name} WHERE id > $1 ORDER BY id LIMIT ${PAGE_ROWS}`,
        [after],
      );
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last.id;
      yield rows.map(toLine).join('');
    }
  }
}

function toLine(row: Readonly<Record<string, unknown>>): string {
  const values = Object.entries(row).map(([name, value]) => [
    name,
    Buffer.isBuffer(value) ? value.toString('base64') : value,
  ]);
  return `${JSON.stringify(Object.fromEntries(values))}\n`;
}
