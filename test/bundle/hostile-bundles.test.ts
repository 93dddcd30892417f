import { describe, expect, test } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { HoldfastError } from '../../src/errors.ts';
import { asFile, directory, file, never, symlink, verifyBundle, writeBundle } from './sample-bundle.ts';
import {
  buildZip,
  type ForgedFile,
  type Forgery,
  forgeBundle,
  forgedFile,
  forgedLink,
  sha256,
} from './zip-builder.ts';

async function refusal(content: Buffer): Promise<HoldfastError> {
  try {
    await verifyBundle(content);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('the bundle was accepted');
}

async function expectRefused(content: Buffer, code: ErrorCode, words: RegExp): Promise<void> {
  const error = await refusal(content);
  expect(error.message).toMatch(words);
  expect(error).toMatchObject({ code });
  expect(error.hint).toBeDefined();
}

/** Opening alone must refuse it: nothing may be given out. */
async function expectNotOpened(content: Buffer, code: ErrorCode, words: RegExp): Promise<void> {
  const source = asFile(content);
  await expect(bundleFormat.openReader(source, never)).rejects.toMatchObject({ code });
  expect(source.closed()).toBe(1);
  await expectRefused(content, code, words);
}

const honest: readonly ForgedFile[] = [forgedFile('files/app/a', 'a'), forgedFile('files/app/b', 'b')];

test('the forger itself makes bundles that are accepted', async () => {
  expect(await verifyBundle(forgeBundle(honest))).toMatchObject({ entries: 2, files: 2 });
  const legal = ['[...slug]', 'a..b', '..foo', 'C:\\x', 'new\nline', '...'];
  const files = legal.map((path, i) => forgedFile(`files/app/${i}`, path));
  expect(await verifyBundle(forgeBundle(files))).toMatchObject({ files: legal.length });
  expect(await verifyBundle(forgeBundle([forgedLink('files/app/l', 'l', '../../etc/passwd')]))).toMatchObject(
    { files: 1 },
  );
});

describe('names that leave their tree are refused before anything is given out', () => {
  test.each([
    ['traversal', 'files/app/../../../etc/passwd'],
    ['a dot', 'files/./app/a'],
    ['an absolute name', '/etc/passwd'],
    ['a drive', 'C:/windows/a'],
    ['a backslash', 'files\\..\\a'],
    ['a NUL', 'files/app/a\0.txt'],
    ['a control character', 'files/app/a\n'],
    ['an empty segment', 'files//a'],
    ['a byte beyond ASCII', 'files/app/\xe9'],
  ])('%s in the zip', async (_, name) => {
    await expectNotOpened(forgeBundle([forgedFile(name, 'a')]), 'UNSAFE_PATH', /name/);
  });

  test.each([
    '../a',
    'a/../../b',
    '/etc/passwd',
    'a//b',
    'a/',
    '.',
    '..',
    'a/./b',
    '',
    'a\0b',
    '\ud800',
    'x'.repeat(5000),
  ])('%j as a true name', async (path) => {
    await expectNotOpened(forgeBundle([forgedFile('files/app/a', path)]), 'UNSAFE_PATH', /name/);
  });

  test('a file below a link, however they are ordered', async () => {
    const link = forgedLink('files/app/l', 'l', '/etc');
    const below = forgedFile('files/app/l~2/passwd', 'l/passwd');
    const deep = forgedFile('files/app/l~2/a/b', 'l/a/b');
    await expectNotOpened(forgeBundle([link, below]), 'UNSAFE_PATH', /below a link/);
    await expectNotOpened(forgeBundle([below, link]), 'UNSAFE_PATH', /below a link/);
    await expectNotOpened(
      forgeBundle([link, forgedFile('files/app/k', 'k'), deep]),
      'UNSAFE_PATH',
      /below a link/,
    );
  });

  test('a link in one tree says nothing about another tree', async () => {
    const other = forgedFile('files/other/l/passwd', 'l/passwd', {}, { tree: 'other' });
    const content = forgeBundle([forgedLink('files/app/l', 'l', '/etc'), other], {
      manifest: (manifest) => ({
        ...manifest,
        trees: [
          ...manifest.trees,
          { area: 'files', name: 'other', include: [], exclude: [], fileCount: 0, bytes: 0 },
        ],
      }),
    });
    expect(await verifyBundle(content)).toMatchObject({ files: 2 });
  });

  test('a link without a target, or with a NUL in it', async () => {
    await expectNotOpened(forgeBundle([forgedLink('files/app/l', 'l', '')]), 'UNSAFE_PATH', /link/);
    await expectNotOpened(forgeBundle([forgedLink('files/app/l', 'l', 'a\0b')]), 'UNSAFE_PATH', /link/);
  });

  test('a link whose content is not the recorded target', async () => {
    const link = forgedLink('files/app/l', 'l', 'harmless');
    const record = { ...link.record, target: 'harmfull' } as typeof link.record;
    await expectRefused(forgeBundle([{ ...link, record }]), 'INVALID_CHECKSUM', /files\/app\/l/);
  });
});

describe('names that could be taken for one another are refused', () => {
  test.each([
    ['the same name twice', 'files/app/a', 'files/app/a'],
    ['names that differ in case', 'files/app/a', 'files/app/A'],
    ['a directory and a file', 'files/app/a', 'files/app/A/'],
  ])('%s', async (_, one, two) => {
    const second: ForgedFile = two.endsWith('/')
      ? {
          record: {
            kind: 'DIRECTORY',
            entry: two,
            area: 'files',
            tree: 'app',
            path: 'b',
            mode: 0o755,
            mtimeNs: '0',
          },
          zip: { content: Buffer.alloc(0), stored: true },
        }
      : forgedFile(two, 'b');
    await expectNotOpened(forgeBundle([forgedFile(one, 'a'), second]), 'UNSAFE_PATH', /differ in case/);
  });

  test('two entries with one true name', async () => {
    const files = [forgedFile('files/app/a', 'a'), forgedFile('files/app/b', 'a')];
    await expectNotOpened(forgeBundle(files), 'INVALID_MANIFEST', /twice/);
  });
});

describe('zip, list and manifest must tell of the same things', () => {
  const cases: [string, Forgery, ErrorCode, RegExp][] = [
    ['an entry that is not listed', { list: (lines) => lines.slice(1) }, 'INVALID_MANIFEST', /files\/app/],
    [
      'a listed entry that is missing',
      { zip: (entries) => entries.slice(1) },
      'INVALID_MANIFEST',
      /files\/app\/a/,
    ],
    [
      'entries in another order',
      { zip: ([a, b, ...rest]) => [b ?? fail(), a ?? fail(), ...rest] },
      'INVALID_MANIFEST',
      /files\/app/,
    ],
    [
      'an entry after the manifest',
      { zip: (entries) => [...entries, { name: 'files/app/z', content: Buffer.from('z') }] },
      'INVALID_MANIFEST',
      /after its manifest/,
    ],
    [
      'no list',
      { zip: (entries) => entries.filter((e) => e.name !== 'entries.ndjson') },
      'INVALID_MANIFEST',
      /entries\.ndjson/,
    ],
    [
      'no manifest',
      { zip: (entries) => entries.filter((e) => e.name !== 'manifest.json') },
      'INVALID_MANIFEST',
      /no manifest\.json/,
    ],
    [
      'two manifests',
      { zip: (entries) => [entries.at(-1) ?? fail(), ...entries] },
      'INVALID_MANIFEST',
      /manifest\.json/,
    ],
    ['a list of another hash', { listSha256: '0'.repeat(64) }, 'INVALID_CHECKSUM', /entries\.ndjson/],
    ['a list with a broken line', { list: (lines) => [...lines, '{'] }, 'INVALID_MANIFEST', /line 3/],
    [
      'a list with an endless line',
      { list: (lines) => [...lines, 'x'.repeat(200_000)] },
      'INVALID_MANIFEST',
      /too long/,
    ],
    [
      'a record with a field too many',
      { list: ([a = '', b = '']) => [a.replace('{', '{"evil":1,'), b] },
      'INVALID_MANIFEST',
      /line 1/,
    ],
    [
      'a tree that the manifest does not name',
      { manifest: (m) => ({ ...m, trees: [] }) },
      'INVALID_MANIFEST',
      /nothing in its manifest/,
    ],
    [
      'an env file that the manifest denies',
      {
        list: ([a = '', b = '']) => [
          a.replace('"area":"files"', '"area":"env"').replace('files/app/a', 'env/.env'),
          b,
        ],
        zip: ([a, ...rest]) => [{ ...(a ?? fail()), name: 'env/.env' }, ...rest],
      },
      'INVALID_MANIFEST',
      /nothing in its manifest/,
    ],
  ];
  test.each(cases)('%s', async (_, forgery, code, words) => {
    await expectNotOpened(forgeBundle(honest, forgery), code, words);
  });

  test('a table whose part is not there, or is another table’s', async () => {
    const table = (name: string, rowCount: number, parts: string[]) => ({
      schema: null,
      name,
      columns: [],
      primaryKey: [],
      foreignKeys: [],
      rowCount,
      bytes: 3,
      parts,
    });
    const content = Buffer.from('[]\n');
    const part: ForgedFile = {
      record: {
        kind: 'TABLE_PART',
        entry: 'db/t.json',
        schema: null,
        table: 't',
        part: 1,
        rows: 0,
        size: 3,
        sha256: sha256(content),
        digest: '0'.repeat(32),
      },
      zip: { content },
    };
    const withTables = (...tables: unknown[]): Forgery => ({
      manifest: (m) => ({
        ...m,
        database: {
          kind: 'SQLITE',
          serverVersion: '3',
          name: 'x',
          snapshotAt: m.createdAt,
          schemaFingerprint: '0'.repeat(64),
          appliedMigrations: [],
          sequences: [],
          schema: null,
          tables,
        },
      }),
    });
    expect(await verifyBundle(forgeBundle([part], withTables(table('t', 0, ['db/t.json']))))).toMatchObject({
      entries: 1,
    });
    const missing = withTables(table('t', 0, ['db/t.json']), table('u', 0, ['db/u.json']));
    await expectNotOpened(forgeBundle([part], missing), 'INVALID_MANIFEST', /db\/u\.json/);
    await expectNotOpened(
      forgeBundle([part], withTables(table('u', 0, ['db/t.json']))),
      'INVALID_MANIFEST',
      /db\/t\.json/,
    );
    await expectNotOpened(
      forgeBundle([part], withTables(table('t', 7, ['db/t.json']))),
      'INVALID_CHECKSUM',
      /0 rows instead of 7/,
    );
    const shared = withTables(table('t', 0, ['db/t.json']), table('u', 0, ['db/t.json']));
    await expectNotOpened(forgeBundle([part], shared), 'INVALID_MANIFEST', /twice/);
  });
});

describe('content that is not what is recorded names its entry', () => {
  test.each<[string, ForgedFile]>([
    ['another hash', forgedFile('files/app/a', 'a', {}, { sha256: '0'.repeat(64) })],
    ['another CRC', forgedFile('files/app/a', 'a', { crc: 1 })],
    ['another size in the list', forgedFile('files/app/a', 'a', {}, { size: 8 })],
    ['another size in both', forgedFile('files/app/a', 'a', { size: 8 }, { size: 8 })],
    ['another name in the local header', forgedFile('files/app/a', 'a', { localName: 'files/app/b' })],
    ['another CRC in the local header', forgedFile('files/app/a', 'a', { localCrc: 1 })],
    [
      'bytes hidden behind the compressed data',
      forgedFile('files/app/a', 'a', { trailing: Buffer.from('hidden') }),
    ],
    ['no deflate stream', forgedFile('files/app/a', 'a', { stored: true, method: 8 })],
    [
      'a decompression bomb',
      forgedFile('files/app/a', 'a', { content: Buffer.alloc(50_000_000), size: 100 }, { size: 100 }),
    ],
  ])('%s', async (_, forged) => {
    await expectRefused(forgeBundle([forged]), 'INVALID_CHECKSUM', /files\/app\/a/);
  });

  test('a bomb is stopped long before it is unpacked', async () => {
    const bomb = forgedFile(
      'files/app/a',
      'a',
      { content: Buffer.alloc(50_000_000), size: 100 },
      { size: 100 },
    );
    const reader = await bundleFormat.openReader(asFile(forgeBundle([bomb])), never);
    let bytes = 0;
    const read = async () => {
      for await (const chunk of reader.readFile(bomb.record, never)) bytes += chunk.length;
    };
    await expect(read()).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
    expect(bytes).toBeLessThan(1_000_000);
  });
});

describe('a zip that lies about its structure is refused', () => {
  test.each<[string, Buffer]>([
    [
      'two entries over the same bytes',
      forgeBundle(honest, {
        zip: ([a, b, ...rest]) => [a ?? fail(), { ...(b ?? fail()), offset: 0 }, ...rest],
      }),
    ],
    [
      'something before the first entry',
      forgeBundle(honest, { end: { prefix: Buffer.from('#!/bin/sh\n') } }),
    ],
    ['a comment', forgeBundle(honest, { end: { comment: 'PK' } })],
    ['fewer entries than listed', forgeBundle(honest, { end: { entries: 4 } })],
    ['more entries than listed', forgeBundle(honest, { end: { entries: 6 } })],
    ['a directory elsewhere', forgeBundle(honest, { end: { directoryOffset: 0 } })],
    ['encryption', forgeBundle([forgedFile('files/app/a', 'a', { flags: 1 })])],
    ['an unknown compression', forgeBundle([forgedFile('files/app/a', 'a', { method: 12 })])],
    [
      'a second name in an extra field',
      forgeBundle([forgedFile('files/app/a', 'a', { extra: Buffer.from('7570030001aabb', 'hex') })]),
    ],
    ['a link that is listed as a file', forgeBundle([forgedFile('files/app/a', 'a', { mode: 0o120777 })])],
    ['a device', forgeBundle([forgedFile('files/app/a', 'a', { mode: 0o060644 })])],
    ['no file at all', Buffer.alloc(0)],
    ['no zip', Buffer.from('hello')],
    ['an empty zip', buildZip([])],
    ['zeros', Buffer.alloc(100_000)],
  ])('%s', async (_, content) => {
    await expectNotOpened(content, 'INVALID_MANIFEST', /cannot be read/);
  });

  test('bytes hidden between the entries and the directory', async () => {
    const content = forgeBundle(honest, { end: { gap: Buffer.alloc(100) } });
    await expectNotOpened(content, 'INVALID_CHECKSUM', /manifest\.json is followed by something/);
  });

  test('more than the limits allow', async () => {
    const content = forgeBundle(honest);
    const limited = (limits: object) => bundleFormat.openReader(asFile(content), never, { limits });
    await expect(limited({ entries: 4 })).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(limited({ manifestBytes: 10 })).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(limited({ entryBytes: 10 })).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(limited({ totalBytes: 100 })).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(limited({ entries: 5 })).resolves.toBeDefined();
  });
});

describe('a manifest from elsewhere', () => {
  const withManifest = (manifest: unknown) =>
    forgeBundle([], { manifestBytes: Buffer.from(JSON.stringify(manifest)) });
  test('of a newer format is told as such, whatever else it holds', async () => {
    await expectNotOpened(withManifest({ formatVersion: 2, sealed: [true] }), 'FORMAT_TOO_NEW', /version 2/);
    const sealed = buildZip([
      { name: 'manifest.json', content: Buffer.from('{"formatVersion":9}') },
      { name: 'payload.zip.age', content: Buffer.from('sealed'), stored: true },
    ]);
    await expectNotOpened(sealed, 'FORMAT_TOO_NEW', /version 9/);
  });
  test.each([
    ['no version', {}],
    ['version 0', { formatVersion: 0 }],
    ['a version that is no number', { formatVersion: '1' }],
    ['nothing else', { formatVersion: 1 }],
    ['a list', []],
  ])('with %s is malformed', async (_, manifest) => {
    await expectNotOpened(withManifest(manifest), 'INVALID_MANIFEST', /manifest/);
  });
  test('that is no JSON, no UTF-8, nested too deep or too big is malformed', async () => {
    const raw = (manifestBytes: Buffer) => forgeBundle([], { manifestBytes });
    await expectNotOpened(raw(Buffer.from('{')), 'INVALID_MANIFEST', /no JSON/);
    await expectNotOpened(raw(Buffer.alloc(0)), 'INVALID_MANIFEST', /no JSON/);
    await expectNotOpened(
      raw(Buffer.from('{"formatVersion":1,"x":"\xff"}', 'latin1')),
      'INVALID_MANIFEST',
      /no JSON/,
    );
    await expectNotOpened(
      raw(Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)),
      'INVALID_MANIFEST',
      /too deep/,
    );
    await expectNotOpened(raw(Buffer.alloc(17 * 1024 * 1024, 0x20)), 'INVALID_MANIFEST', /limit/);
    const brackets = forgeBundle([], {
      manifest: (m) => ({ ...m, warnings: ['['.repeat(1000), '\\"[['.repeat(99)] }),
    });
    expect(await verifyBundle(brackets)).toMatchObject({ entries: 0 });
  });
});

describe('a damaged bundle', () => {
  const sample = () =>
    writeBundle({
      tables: [{ schema: 'public', name: 't', chunks: ['{"id":1,"name":"one"}\n{"id":2,"name":"two"}\n'] }],
      files: [
        directory('d'),
        file('d/x', 'some content that is compressed, some content'),
        symlink('link', 'd/x'),
        file('empty', ''),
      ],
    });

  test('that was cut short anywhere is refused as truncated', async () => {
    const content = await sample();
    for (let length = 0; length < content.length; length += length < 200 ? 7 : 13) {
      expect(await refusal(content.subarray(0, length)), `cut at ${length}`).toMatchObject({
        code: 'INVALID_MANIFEST',
      });
    }
  });
});

function fail(): never {
  throw new Error('the forged bundle has fewer entries than that');
}
