/** Bundles of one table whose rows are any bytes, and of which everything else is told as it is. */
import { createHash } from 'node:crypto';
import { databaseOf } from './sample-bundle.ts';
import { type ForgedFile, forgeBundle, sha256 } from './zip-builder.ts';

/** The content digest as docs/bundle-format.md defines it. */
export function digestOf(rows: readonly Buffer[]): string {
  const firsts = rows.map((row) => createHash('sha256').update(row).digest().subarray(0, 16));
  const sum = firsts.reduce((total, first) => total + BigInt(`0x${first.toString('hex')}`), 0n);
  return (sum % 2n ** 128n).toString(16).padStart(32, '0');
}

/** What is told of rows other than what is true. */
export interface ToldOfRows {
  readonly rows: number;
  readonly digest?: string;
  readonly stored?: boolean;
}

/** @param content of the table's only part, `db/t.json` */
export function forgeRows(content: string | Buffer, { rows, digest, stored }: ToldOfRows): Buffer {
  const bytes = Buffer.from(content);
  const lines = bytes.toString('latin1').split('\n').slice(1, -2);
  const part: ForgedFile = {
    record: {
      kind: 'TABLE_PART',
      entry: 'db/t.json',
      schema: null,
      table: 't',
      part: 1,
      rows,
      size: bytes.length,
      sha256: sha256(bytes),
      digest: digest ?? digestOf(lines.map((line) => Buffer.from(line.replace(/,$/, ''), 'latin1'))),
    },
    zip: { content: bytes, ...(stored === undefined ? {} : { stored }) },
  };
  const table = { schema: null, name: 't', columns: [], primaryKey: [], foreignKeys: [] };
  const tables = [{ ...table, rowCount: rows, bytes: bytes.length, parts: ['db/t.json'] }];
  return forgeBundle([part], { manifest: (m) => ({ ...m, database: databaseOf(tables) }) });
}
