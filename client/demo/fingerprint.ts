/**
 * The demo's own measure of what the application has, made without Holdfast: every row of every table, and content,
 * mode, time and link target of every path.
 */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** A table: how many rows, and a SHA-256 over all of them. */
export interface TableFingerprint {
  readonly rows: number;
  readonly digest: string;
}

/** Everything the application has. */
export interface Fingerprint {
  readonly tables: ReadonlyMap<string, TableFingerprint>;
  /** What is at each path, in words that differ whenever anything about it does. */
  readonly paths: ReadonlyMap<string, string>;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The bytes a value stands for, with its type and length: no two different values give the same. */
function encoded(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`blob:${value.length}:`), value]);
  const text = Object.is(value, -0) ? '-0' : String(value);
  return Buffer.from(`${value === null ? 'null' : typeof value}:${Buffer.byteLength(text)}:${text}`);
}

function fingerprintTable(database: Database.Database, table: string): TableFingerprint {
  const keys = database
    .prepare<[string], string>('SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk')
    .pluck()
    .all(table);
  const rows = database
    .prepare<[], unknown[]>(`SELECT * FROM ${quoted(table)} ORDER BY ${keys.map(quoted).join(', ')}`)
    .raw()
    .safeIntegers();
  const hash = createHash('sha256');
  let count = 0;
  for (const row of rows.iterate()) {
    count += 1;
    for (const value of row) hash.update(encoded(value));
  }
  return { rows: count, digest: hash.digest('hex') };
}

function fingerprintDatabase(path: string): Map<string, TableFingerprint> {
  const database = new Database(path, { readonly: true });
  try {
    const tables = database
      .prepare<[], string>(
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
      )
      .pluck()
      .all();
    return new Map(tables.map((table) => [table, fingerprintTable(database, table)]));
  } finally {
    database.close();
  }
}

async function fingerprintPath(path: string): Promise<string> {
  const { mode, mtimeNs, size } = await lstat(path, { bigint: true });
  const attributes = `mode ${mode.toString(8)}, modified ${mtimeNs}`;
  if ((mode & 0o170000n) === 0o120000n) return `link to ${await readlink(path)}, ${attributes}`;
  if ((mode & 0o170000n) === 0o040000n) return `directory, ${attributes}`;
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  return `${size} bytes ${digest}, ${attributes}`;
}

async function fingerprintTree(root: string, below = '', found = new Map<string, string>()) {
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    found.set(path, await fingerprintPath(join(root, path)));
    if (entry.isDirectory()) await fingerprintTree(root, path, found);
  }
  return found;
}

/** Measures a database file and a tree of files. */
export async function takeFingerprint(database: string, tree: string): Promise<Fingerprint> {
  return { tables: fingerprintDatabase(database), paths: await fingerprintTree(tree) };
}

/** Keys of two maps whose values differ, or that only one of them has. */
function differing<V>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  alike: (one: V, other: V) => boolean,
): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((key) => {
    const one = before.get(key);
    const other = after.get(key);
    return one === undefined || other === undefined || !alike(one, other);
  });
}

/** What differs between two fingerprints; empty when nothing does. */
export function differences(
  before: Fingerprint,
  after: Fingerprint,
): { readonly tables: string[]; readonly paths: string[] } {
  return {
    tables: differing(
      before.tables,
      after.tables,
      (one, other) => one.rows === other.rows && one.digest === other.digest,
    ),
    paths: differing(before.paths, after.paths, (one, other) => one === other),
  };
}
