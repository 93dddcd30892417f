import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BundledSchema, BundledStatement } from '../../src/bundle/bundle.ts';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import type { Manifest } from '../../src/bundle/manifest.ts';
import {
  asFile,
  databaseOf,
  draftOf,
  listEntries,
  never,
  openBundle,
  verifyBundle,
  writeBundle,
} from './sample-bundle.ts';
import { type ForgedFile, forgeBundle, forgedFile, forgedScript } from './zip-builder.ts';

const run = promisify(execFile);

const TITLE =
  '-- A script of a Holdfast bundle. The comment before a statement tells what it makes and its bytes.\n';
const schemaOf = (before: BundledStatement[], after: BundledStatement[] = []): BundledSchema => ({
  before,
  after,
  notCarried: [],
});

async function scriptsOf(bundle: Buffer): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-schema-'));
  try {
    await writeFile(join(folder, 'b.zip'), bundle);
    const read = async (entry: string) => (await run('unzip', ['-p', join(folder, 'b.zip'), entry])).stdout;
    return [await read('db/schema.sql'), await read('db/schema-after.sql')];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('the schema comes back as it went in', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom(
      'a;\n;\n\n-- {"object":"x","bytes":1}\n',
      ';;',
      '$0$',
      '\r\n',
      '\u2028',
      '\ufeff',
      'x -- y',
      '/*',
    ),
  );
  const statement = fc
    .record({ object: text, sql: text, compound: fc.boolean() })
    .filter(({ sql }) => !sql.includes('\0'))
    .map(({ object, sql, compound }) => ({ object, sql, ...(compound ? { compound: true as const } : {}) }));
  const script = fc.array(statement, { maxLength: 6 });

  test('whatever is in its names and statements, for every kind of database', async () => {
    const schema = fc.record({
      before: script,
      after: script,
      notCarried: fc.array(fc.record({ name: text, reason: text }), { maxLength: 2 }),
    });
    const kind = fc.constantFrom('SQLITE' as const, 'POSTGRESQL' as const, 'MARIADB' as const);
    await fc.assert(
      fc.asyncProperty(schema, kind, async (written, of) => {
        const content = await writeBundle({ schema: written, kind: of });
        const reader = await openBundle(content);
        expect(await reader.readSchema(never)).toEqual(written);
        expect((await listEntries(reader)).map((entry) => entry.entry)).toEqual([
          'db/schema.sql',
          'db/schema-after.sql',
        ]);
        expect(await verifyBundle(content)).toMatchObject({ entries: 2 });
      }),
      { numRuns: 60 },
    );
  });

  test('and a bundle of rows alone has none', async () => {
    expect(await (await openBundle(await writeBundle({}))).readSchema(never)).toBeNull();
  });

  test('no name leaves its comment, and no client splits a routine', async () => {
    const evil = 'TABLE a\nDROP TABLE b;\r\nDROP TABLE c;';
    const routine = {
      object: 'PROCEDURE p',
      sql: 'CREATE PROCEDURE p() BEGIN SELECT 1;; END',
      compound: true as const,
    };
    const content = await writeBundle({
      kind: 'MARIADB',
      schema: schemaOf([{ object: evil, sql: 'CREATE TABLE a (id int)' }], [routine]),
    });
    const [before = '', after = ''] = await scriptsOf(content);
    const lines = before.split(/[\n\r]/).filter((line) => line !== '' && !line.startsWith('-- '));
    expect(lines).toEqual(['CREATE TABLE a (id int)', ';']);
    expect(after).toContain(`DELIMITER $0$\n${routine.sql}\n$0$\nDELIMITER ;\n`);
  });

  test('sqlite3 runs the scripts as they are', async () => {
    const content = await writeBundle({
      kind: 'SQLITE',
      schema: schemaOf(
        [
          {
            object: 'TABLE t',
            sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, n text -- a note\n) -- and another',
          },
        ],
        [
          {
            object: 'TRIGGER g',
            sql: "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET n = 'a;b'; SELECT 1; END",
            compound: true,
          },
        ],
      ),
    });
    const script = `${(await scriptsOf(content)).join('')}INSERT INTO t (id) VALUES (7);\nSELECT * FROM t;\n`;
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-schema-'));
    try {
      await writeFile(join(folder, 's.sql'), script);
      const { stdout } = await run('sh', ['-c', 'sqlite3 -bail x.db < s.sql'], { cwd: folder });
      expect(stdout).toBe('7|a;b\n');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('a schema that could not be read is not written', () => {
  test.each<[string, BundledStatement]>([
    ['a NUL', { object: 'TABLE t', sql: 'CREATE\0TABLE t' }],
    ['a lone surrogate', { object: 'TABLE t', sql: 'CREATE TABLE "\ud800"' }],
    ['nothing', { object: 'TABLE t', sql: '' }],
  ])('a statement that holds %s', async (_, statement) => {
    const writing = writeBundle({ schema: schemaOf([], [statement]) });
    await expect(writing).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /TABLE t/ });
  });

  test('a name that no reader takes for a header', async () => {
    const schema = schemaOf([{ object: `TABLE ${'\\'.repeat(33_000)}`, sql: 'CREATE TABLE t (id)' }]);
    await expect(writeBundle({ schema })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: /The name of .* is too long/,
    });
  });

  test('more than the limit', async () => {
    const format = createBundleFormat({ limits: { schemaBytes: 100 } });
    const schema = schemaOf([{ object: 'TABLE t', sql: 'x'.repeat(100) }]);
    await expect(writeBundle({ schema }, format)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: /db\/schema\.sql/,
    });
  });

  test('a compound statement for MariaDB, when nobody said that it is one', async () => {
    const schema = schemaOf([{ object: 'TRIGGER t', sql: 'CREATE TRIGGER t', compound: true }]);
    await expect(writeBundle({ schema, kind: 'MARIADB' })).resolves.toBeDefined();
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-schema-'));
    const writer = createBundleFormat().createWriter({ sink: new PassThrough(), spoolDirectory: folder });
    try {
      const written = await writer.addSchema(schema, never);
      const database = { ...databaseOf([]), kind: 'MARIADB' as const, schema: written };
      await expect(writer.finish({ ...draftOf([]), database }, never)).rejects.toThrow('MariaDB');
    } finally {
      await writer.abort();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('a forged schema is refused', () => {
  const names = { before: 'db/schema.sql', after: 'db/schema-after.sql', notCarried: [] };
  const forge = (scripts: readonly ForgedFile[], schema: unknown = names) =>
    forgeBundle(scripts, {
      manifest: (m: Manifest) => ({
        ...m,
        database: { ...databaseOf([]), schema },
      }),
    });
  const statement = (header: string, rest: string) => `${TITLE}-- ${header}\n${rest}`;
  const honest = statement('{"object":"TABLE t","bytes":3}', 'abc\n;\n\n');
  const [before, after] = [forgedScript('BEFORE', honest), forgedScript('AFTER', TITLE)];

  test('but the forger can make one that is accepted', async () => {
    const content = forge([before, after]);
    expect(await verifyBundle(content)).toMatchObject({ entries: 2 });
    expect(await (await openBundle(content)).readSchema(never)).toEqual(
      schemaOf([{ object: 'TABLE t', sql: 'abc' }]),
    );
  });

  test.each<[string, readonly ForgedFile[], unknown, RegExp]>([
    ['one script is missing', [before], names, /db\/schema-after\.sql of its manifest is missing/],
    ['both are missing', [], names, /is missing/],
    ['the manifest does not name them', [before, after], null, /no script of its manifest/],
    [
      'a script stands in the other’s place',
      [forgedScript('BEFORE', TITLE, { place: 'AFTER' }), after],
      names,
      /no script/,
    ],
    ['the manifest names one for both', [before], { ...names, after: 'db/schema.sql' }, /twice/],
    [
      'a script lies outside of db/',
      [forgedScript('BEFORE', TITLE, { entry: 'files/schema.sql' }), after],
      { ...names, before: 'files/schema.sql' },
      /no script/,
    ],
    [
      'a third script',
      [before, after, forgedScript('AFTER', TITLE, { entry: 'db/more.sql' })],
      names,
      /no script/,
    ],
    ['a file poses as one', [forgedFile('db/schema.sql', 'a'), after], names, /nothing in its manifest/],
  ])('before anything is given out when %s', async (_, scripts, schema, words) => {
    await expect(openBundle(forge(scripts, schema))).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
      message: words,
    });
  });

  test('when a script comes twice', async () => {
    await expect(openBundle(forge([before, before, after]))).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
    });
  });

  test('when a script is bigger than the limit, before it is unpacked', async () => {
    const content = forge([before, after]);
    await expect(openBundle(content, { schemaBytes: honest.length - 1 })).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
      message: /limit/,
    });
  });

  test('when its content is not what is recorded', async () => {
    const other = forgedScript('BEFORE', honest, { sha256: '0'.repeat(64) });
    const reader = await openBundle(forge([other, after]));
    await expect(reader.readSchema(never)).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
      message: /db\/schema\.sql/,
    });
  });

  test.each<[string, string | Buffer]>([
    ['no title', honest.slice(TITLE.length)],
    ['a length that reaches beyond the end', statement('{"object":"t","bytes":300}', 'abc\n;\n\n')],
    ['a length that is too short', statement('{"object":"t","bytes":2}', 'abc\n;\n\n')],
    [
      'a length that takes in the next statement’s beginning',
      statement('{"object":"t","bytes":4}', 'abc\n;\n\n'),
    ],
    ['a negative length', statement('{"object":"t","bytes":-1}', 'abc\n;\n\n')],
    ['an empty statement', statement('{"object":"t","bytes":0}', '\n;\n\n')],
    ['a header that is no JSON', statement('{"object":"t"', 'abc\n;\n\n')],
    ['a header with a field too many', statement('{"object":"t","bytes":3,"run":"x"}', 'abc\n;\n\n')],
    ['a header without an end', `${TITLE}-- {${' '.repeat(70_000)}`],
    ['a command of the client between the statements', `${honest}\\! rm -rf /\n`],
    [
      'a command of the client as delimiter',
      statement('{"object":"t","bytes":3,"compound":true,"delimiter":"\\n"}', ''),
    ],
    ['a delimiter that is not there', statement('{"object":"t","bytes":3,"delimiter":";;"}', 'abc\n;\n\n')],
    ['a NUL', statement('{"object":"t","bytes":3}', 'a\0c\n;\n\n')],
    ['no UTF-8', Buffer.from(honest.replace('abc', 'a\xffc'), 'latin1')],
  ])('when it holds %s', async (_, script) => {
    const content = forge([forgedScript('BEFORE', script), after]);
    const reader = await openBundle(content);
    const refused = { code: 'INVALID_MANIFEST', message: /db\/schema\.sql/ };
    await expect(reader.readSchema(never)).rejects.toMatchObject(refused);
    await expect(reader.verifyContent(() => {}, never)).rejects.toMatchObject(refused);
  });

  test('and closes the file', async () => {
    const source = asFile(forge([before]));
    await expect(createBundleFormat().openReader(source, never)).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
    });
    expect(source.closed()).toBe(1);
  });
});
