/**
 * The canary of a self-test: a small SQLite database with every kind of odd value, and a tree of files with odd names,
 * modes and links. Made in a directory of its own, and destroyed.
 */
import { chmod, lstat, lutimes, mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, systemErrorCode } from '../errors.ts';
import type { FileTree, FileTrees } from '../source/file-trees.ts';
import type { SchemaScript } from '../source/schema-script.ts';
import type { Database, ScratchGround } from '../source/source.ts';
import { scratchName } from './drill-ground.ts';
import type { EngineParts } from './parts.ts';

/** Where a canary lives. */
export interface CanaryPlace {
  readonly directory: string;
  readonly tree: FileTree;
  /** Sees this directory alone. */
  readonly trees: FileTrees;
  /** The file beside which the canary's database is made. */
  readonly server: string;
  readonly ground: ScratchGround;
  readonly databaseName: string;
}

/** The directory of a self-test, which its record's id names. */
export function canaryDirectory(parts: EngineParts, recordId: string): string {
  return join(parts.directories.temporary, recordId, 'self-test');
}

/** Makes the directory of a canary, and what reaches into it. */
export async function openCanaryPlace(parts: EngineParts, recordId: string): Promise<CanaryPlace> {
  const directory = canaryDirectory(parts, recordId);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const server = join(directory, 'ground.sqlite');
  await writeFile(server, '');
  const { scratch } = await parts.openDatabase({ kind: 'SQLITE', path: server });
  return {
    directory,
    tree: { name: 'canary', path: join(directory, 'files'), include: [], exclude: [] },
    trees: parts.openScratchTrees(directory),
    server,
    ground: scratch,
    databaseName: scratchName(recordId),
  };
}

const SCHEMA: SchemaScript = {
  before: [
    {
      object: 'TABLE parent',
      sql: 'CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)',
    },
    {
      object: 'TABLE "odd values"',
      sql: 'CREATE TABLE "odd values" (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id), "the ""value""" ANY)',
    },
  ],
  after: [{ object: 'INDEX by_parent', sql: 'CREATE INDEX by_parent ON "odd values" (parent)' }],
  notCarried: [],
};

const TABLES = [
  { schema: null, name: 'parent', columns: ['id', 'name'] },
  { schema: null, name: 'odd values', columns: ['id', 'parent', 'the "value"'] },
];

/** As row lines write them: what does not survive a careless way through JSON, SQL or a program. */
const ODD_VALUES: readonly string[] = [
  'null',
  '0',
  '9007199254740993',
  '-9223372036854775808',
  '9223372036854775807',
  '0.1',
  '1.7976931348623157e308',
  '9e999',
  '""',
  '"null"',
  '"\'; DROP TABLE parent; --"',
  '"line\\nbreak\\ttab \\\\ \\"quoted\\""',
  '"\u00e9\u4e16\u754c \u{1f426}"',
  '{"$text":"61006200"}',
  '{"$text":"FFFE"}',
  '{"$blob":""}',
  '{"$blob":"00FF0D0A7F"}',
];

const PARENTS = `${[1, 2].map((id) => `{"id":${id},"name":"parent ${id}"}`).join('\n')}\n`;
const VALUES = `${ODD_VALUES.map(
  (value, index) => `{"id":${index + 1},"parent":${(index % 2) + 1},"the \\"value\\"":${value}}`,
).join('\n')}\n`;

/** Makes the canary. */
export async function makeCanary(
  place: CanaryPlace,
  recordId: string,
  signal: AbortSignal,
): Promise<Database> {
  const database = await makeDatabase(place, recordId, signal);
  await makeFiles(place.tree.path);
  return database;
}

async function makeDatabase(
  { ground, databaseName }: CanaryPlace,
  recordId: string,
  signal: AbortSignal,
): Promise<Database> {
  const { database } = await ground.create(databaseName, undefined, signal);
  const transaction = await database.beginRestore(
    {
      schema: { mode: 'CREATE', script: SCHEMA },
      tables: TABLES,
      clearedColumns: [],
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      endSessions: false,
      restoreId: recordId,
    },
    signal,
  );
  try {
    await transaction.clear(signal);
    for (const [index, rowLines] of [PARENTS, VALUES].entries()) {
      const table = TABLES[index];
      if (table !== undefined) await transaction.load(table, once(rowLines), signal);
    }
    const counter = { schema: null, name: 'parent', lastValue: '41', isCalled: true };
    await transaction.finish([counter], signal);
    await transaction.commit();
    return database;
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

/** Nobody else is in the canary's database. Milliseconds. */
export const LOCK_TIMEOUT_MS = 30_000;

async function* once(text: string): AsyncGenerator<Buffer> {
  // A buffer of its own, since the database may give its memory back.
  const bytes = Buffer.alloc(Buffer.byteLength(text));
  bytes.write(text);
  yield bytes;
}

/**
 * In 2001: what is restored must not be as new as the restore. Seconds; a time that every file system and the times
 * of Node.js, which are fractions of seconds, keep to the last digit.
 */
const LONG_AGO = 1_000_000_000.5;

async function makeFiles(root: string): Promise<void> {
  for (const name of ['', 'empty', '.hidden', '[...slug]', 'read only', 'shared'])
    await mkdir(join(root, name));
  const large = Buffer.alloc(300_000, 'canary ');
  const files: readonly (readonly [string, Buffer | string, number])[] = [
    ['empty.txt', '', 0o644],
    ['.hidden/.secret', 'not for everybody', 0o600],
    ['[...slug]/..page..', 'dots that lead nowhere', 0o644],
    ['read only/file', 'stays as it is', 0o400],
    ['run.sh', '#!/bin/sh\nexit 0\n', 0o755],
    ['large.bin', large, 0o640],
    ['line\nbreak \u00e9\u4e16 "quoted" \\ %41', 'an odd name', 0o644],
  ];
  for (const [name, content, mode] of files) {
    const path = join(root, name);
    await writeFile(path, content);
    await settle(path, mode);
  }
  await writeOddBytes(root);
  const links = { link: 'large.bin', 'broken link': 'nowhere/at all' };
  for (const [name, target] of Object.entries(links)) {
    await symlink(target, join(root, name));
    await lutimes(join(root, name), LONG_AGO, LONG_AGO);
  }
  // Last: what is put into a directory changes its time.
  const directories = {
    empty: 0o755,
    '.hidden': 0o700,
    '[...slug]': 0o755,
    shared: 0o1777,
    'read only': 0o555,
  };
  for (const [name, mode] of Object.entries(directories)) await settle(join(root, name), mode);
}

async function settle(path: string | Buffer, mode: number): Promise<void> {
  await chmod(path, mode);
  await utimes(path, LONG_AGO, LONG_AGO);
}

/** A name that is no UTF-8, where the file system takes one. */
async function writeOddBytes(root: string): Promise<void> {
  const path = Buffer.concat([Buffer.from(`${root}/latin1-`), Buffer.from([0xe9])]);
  try {
    await writeFile(path, 'a name of single bytes');
  } catch (error) {
    if (['EILSEQ', 'EINVAL'].includes(systemErrorCode(error) ?? '')) return;
    throw error;
  }
  await settle(path, 0o644);
}

/** Destroys the canary, database and files. @throws HoldfastError when something of it is still there */
export async function destroyCanary(
  { ground, databaseName, tree }: CanaryPlace,
  signal: AbortSignal,
): Promise<void> {
  await ground.drop(databaseName, signal);
  await removeWholly(tree.path);
  const left = await lstat(tree.path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (left !== undefined)
    throw new HoldfastError('INTERNAL', 'The canary is still there after it was destroyed.');
}

/** Removes a directory, those in it that are read-only too. Idempotent. */
export async function removeWholly(directory: string): Promise<void> {
  await makeWritable(directory);
  await rm(directory, { recursive: true, force: true });
}

async function makeWritable(directory: string): Promise<void> {
  try {
    await chmod(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      // Links are no directories here, so nothing outside is reached.
      if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
    }
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
