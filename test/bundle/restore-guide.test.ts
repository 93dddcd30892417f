import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { BundledSchema } from '../../src/bundle/bundle.ts';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import {
  bytesOf,
  file,
  listEntries,
  never,
  openBundle,
  type SampleBundle,
  writeBundle,
} from './sample-bundle.ts';

const run = promisify(execFile);

function installed(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const schemaOf = (schema: Partial<BundledSchema>): BundledSchema => ({
  before: [],
  after: [],
  notCarried: [],
  ...schema,
});

/** The indented commands of a guide that hold `words`. */
function commands(guide: string, words: string): string[] {
  return guide
    .split('\n')
    .filter((line) => line.startsWith('    ') && line.includes(words))
    .map((line) => line.trim());
}

describe('RESTORE.md', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function guideOf(sample: SampleBundle, compression: 'DEFLATE_1' | 'ZSTD' = 'DEFLATE_1') {
    await writeFile(join(folder, 'backup.zip'), await writeBundle(sample, bundleFormat, compression));
    return (await run('unzip', ['-p', 'backup.zip', 'RESTORE.md'], { cwd: folder })).stdout;
  }
  const inShell = (command: string) => run('sh', ['-ec', command], { cwd: folder });

  test('brings a PostgreSQL structure back with psql', async (context) => {
    context.skip(!installed('psql') || !installed('unzip'), 'psql or unzip is not installed');
    const guide = await guideOf({
      schema: schemaOf({
        before: [
          {
            object: 'FUNCTION public.first()\n\\! touch evil',
            sql: 'CREATE FUNCTION public.first() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 42; END',
            compound: true,
          },
          {
            object: 'FUNCTION public.later()',
            sql: "CREATE FUNCTION public.later() RETURNS int LANGUAGE sql AS 'SELECT id FROM public.t'",
          },
          {
            object: 'TABLE public.t',
            sql: 'CREATE TABLE public.t (id int DEFAULT public.first()) -- a note',
          },
        ],
        after: [{ object: 'INDEX public.i', sql: 'CREATE UNIQUE INDEX i ON public.t (id)' }],
      }),
    });
    const name = `structure_${process.pid}`;
    const url = new URL(inject('postgresUrl'));
    await run('psql', ['-qc', `CREATE DATABASE ${name}`, url.href]);
    url.pathname = `/${name}`;
    try {
      for (const command of [...commands(guide, ' > schema'), ...commands(guide, 'ON_ERROR_STOP')])
        await inShell(command.replace('NEW_DATABASE', `'${url.href}'`));
      const check = "INSERT INTO t DEFAULT VALUES; SELECT id, later(), to_regclass('public.i') FROM t";
      expect((await run('psql', ['-qAtc', check, url.href])).stdout).toBe('42|42|i\n');
      await expect(readFile(join(folder, 'evil'))).rejects.toMatchObject({ code: 'ENOENT' });
    } finally {
      await run('psql', ['-qc', `DROP DATABASE ${name} WITH (FORCE)`, inject('postgresUrl')]);
    }
  });

  test('brings a SQLite structure back with sqlite3', async (context) => {
    context.skip(!installed('sqlite3') || !installed('unzip'), 'sqlite3 or unzip is not installed');
    const guide = await guideOf({
      kind: 'SQLITE',
      schema: schemaOf({
        before: [{ object: 'TABLE t', sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY)' }],
        after: [{ object: 'VIEW v', sql: 'CREATE VIEW v AS SELECT count(*) AS n FROM t' }],
      }),
    });
    for (const command of [...commands(guide, ' > schema'), ...commands(guide, 'sqlite3 -bail')])
      await inShell(command);
    expect((await inShell("sqlite3 NEW.db 'INSERT INTO t VALUES (1); SELECT n FROM v'")).stdout).toBe('1\n');
  });

  test('names the client of each kind of database, and no scripts that are not there', async () => {
    const mariadb = await guideOf({ kind: 'MARIADB', schema: schemaOf({}) });
    expect(commands(mariadb, 'mariadb --default-character-set')).toHaveLength(2);
    expect(mariadb).toContain('LOAD DATA LOCAL INFILE');
    const rowsAlone = await guideOf({ tables: [{ schema: null, name: 't', chunks: [] }] });
    expect(rowsAlone).not.toContain('schema.sql');
    expect(rowsAlone).toContain('make the tables first');
  });

  test('tells how a bundle compressed with zstd is read, by bsdtar', async (context) => {
    const rows = Array.from({ length: 30_000 }, (_, id) => `{"id":${id},"text":"row ${id}"}\n`);
    const guide = await guideOf(
      { tables: [{ schema: null, name: 'TABLE', chunks: rows }], files: [file('a', 'a'.repeat(200_000))] },
      'ZSTD',
    );
    expect(guide).toContain('method 93');
    expect(guide.replaceAll('apt install', '')).not.toMatch(/unzip -/);
    context.skip(!installed('bsdtar'), 'bsdtar is not installed');
    const [extract = ''] = commands(guide, '| sed ');
    await inShell(extract);
    expect(await readFile(join(folder, 'TABLE.rows'), 'utf8')).toBe(rows.join(''));
    const reader = await openBundle(await readFile(join(folder, 'backup.zip')));
    const [, entry] = await listEntries(reader);
    if (entry === undefined) throw new Error('no file');
    const { stdout } = await run('bsdtar', ['-xOf', 'backup.zip', entry.entry], {
      cwd: folder,
      maxBuffer: 1e6,
    });
    expect(stdout).toBe((await bytesOf(reader.readFile(entry, never))).toString());
  });
});
