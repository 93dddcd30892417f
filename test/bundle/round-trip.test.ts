import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import { addTotals, ContentDigest, NO_ROWS } from '../../src/bundle/content-digest.ts';
import {
  bytesOf,
  directory,
  file,
  listEntries,
  never,
  openBundle,
  type SampleFile,
  symlink,
  verifyBundle,
  writeBundle,
} from './sample-bundle.ts';

/** Cuts bytes at the given places, so that chunks end anywhere. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let start = 0;
  return ends.map((end) => {
    const chunk = bytes.subarray(start, end);
    start = end;
    return chunk;
  });
}

const rowLine = fc
  .dictionary(
    fc.string({ unit: 'binary' }),
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true }),
      fc.constant(null),
      fc.constant(',\n],}'),
    ),
  )
  .map((row) => JSON.stringify(row));
const tableName = fc.oneof(
  fc.constantFrom(
    'orders',
    'Orders',
    'ORDERS',
    'con',
    'a.b',
    '..',
    '.',
    'a/b',
    'x'.repeat(300),
    'orders.part2',
    'ключ',
    ' ',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
);

describe('a bundle gives back what went into it', () => {
  test('any rows of any tables, however they were cut, in any size of part', async () => {
    const table = fc.record({
      schema: fc.constantFrom(null, 'public', 'sales', 'Sales', 'a.b'),
      name: tableName,
      rows: fc.array(rowLine, { maxLength: 30 }),
      cuts: fc.array(fc.nat(), { maxLength: 12 }),
    });
    const bundle = fc.uniqueArray(table, {
      maxLength: 4,
      selector: (t) => JSON.stringify([t.schema, t.name]),
    });
    await fc.assert(
      fc.asyncProperty(bundle, fc.integer({ min: 1, max: 400 }), async (tables, partBytes) => {
        const lines = tables.map((t) => Buffer.from(t.rows.map((row) => `${row}\n`).join('')));
        const content = await writeBundle(
          { tables: tables.map((t, i) => ({ ...t, chunks: cut(lines[i] ?? Buffer.alloc(0), t.cuts) })) },
          createBundleFormat({ partBytes }),
        );
        const reader = await openBundle(content);
        for (const [i, written] of (reader.manifest.database?.tables ?? []).entries()) {
          expect(written).toMatchObject({ schema: tables[i]?.schema, name: tables[i]?.name });
          expect(written.rowCount).toBe(tables[i]?.rows.length);
          expect((await bytesOf(reader.readTable(written, never))).equals(lines[i] ?? Buffer.alloc(0))).toBe(
            true,
          );
        }
        const report = await reader.verifyContent(() => {}, never);
        expect(report.rows).toBe(tables.reduce((sum, t) => sum + t.rows.length, 0));
      }),
      { numRuns: 60 },
    );
  });

  test('any tree of any legal names', async () => {
    const name = fc
      .oneof(
        fc.constantFrom(
          '[...slug]',
          'a..b',
          '..foo',
          '...',
          'trailing.',
          'trailing ',
          'CON',
          'nul.txt',
          'aux',
          'é',
          'É',
          'README',
          'readme',
          'a~2',
          'C:',
          'back\\slash',
          'new\nline',
          '%41',
          '-rf',
          '\udc80',
          '\udcff\udc81x',
        ),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
        fc.string({ unit: fc.constantFrom('a', 'A'), minLength: 1, maxLength: 3 }),
        fc.constantFrom('x', 'ü').map((c) => c.repeat(c === 'x' ? 255 : 127)),
      )
      .filter((n) => n !== '.' && n !== '..' && !/[\0/]/.test(n) && n.length <= 255);
    const tree = fc.uniqueArray(
      fc.tuple(name, fc.uniqueArray(name, { maxLength: 4 }), fc.uint8Array({ maxLength: 50 })),
      {
        maxLength: 8,
        selector: ([n]) => n,
      },
    );
    await fc.assert(
      fc.asyncProperty(tree, async (top) => {
        const files: SampleFile[] = top.flatMap(([n, children, bytes], i) =>
          children.length > 0
            ? [directory(n), ...children.map((child) => file(`${n}/${child}`, Buffer.from(bytes)))]
            : [i % 3 === 0 ? symlink(n, '../../outside\\or "not"') : file(n, Buffer.from(bytes))],
        );
        const reader = await openBundle(await writeBundle({ files }));
        const entries = await listEntries(reader);
        expect(entries.map((e) => ('path' in e ? e.path : ''))).toEqual(files.map((f) => f.path));
        for (const [i, entry] of entries.entries()) {
          const { content, ...written } = files[i] ?? file('');
          expect(entry).toMatchObject(written);
          if (entry.kind !== 'FILE') continue;
          expect((await bytesOf(reader.readFile(entry, never))).equals(content ?? Buffer.alloc(0))).toBe(
            true,
          );
        }
        expect(new Set(entries.map((e) => e.entry.toLowerCase())).size).toBe(entries.length);
      }),
      { numRuns: 60 },
    );
  });

  test('a row of many megabytes crosses chunks in both directions', async () => {
    const big = JSON.stringify({ id: 1, blob: 'ab'.repeat(4_000_000) });
    const lines = Buffer.from(`{"id":0}\n${big}\n{"id":2}\n`);
    const chunks = Array.from({ length: Math.ceil(lines.length / 65_536) }, (_, i) =>
      lines.subarray(i * 65_536, (i + 1) * 65_536),
    );
    const reader = await openBundle(
      await writeBundle({ tables: [{ schema: 'public', name: 'blobs', chunks }] }),
    );
    const [table] = reader.manifest.database?.tables ?? [];
    if (table === undefined) throw new Error('no table');
    expect(table).toMatchObject({ rowCount: 3, parts: ['db/blobs.json'] });
    expect((await bytesOf(reader.readTable(table, never))).equals(lines)).toBe(true);
  });

  test('the env file, configuration and a table of the same names stay apart', async () => {
    const content = await writeBundle({
      tables: [{ schema: null, name: 'app', chunks: [] }],
      files: [
        file('a'),
        { ...file('a'), area: 'config' },
        { ...file('.env', 'SECRET=1', 0o600), area: 'env', tree: '' },
      ],
    });
    const reader = await openBundle(content);
    const names = (await listEntries(reader)).map((entry) => entry.entry);
    expect(names).toEqual(['db/app.json', 'files/app/a', 'config/app/a', 'env/.env']);
    expect(await verifyBundle(content)).toEqual({
      contentChecked: true,
      entries: 4,
      rows: 0,
      bytes: 3 + 1 + 1 + 8,
      files: 3,
      tables: [{ schema: null, name: 'app', rows: 0, digest: '0'.repeat(32) }],
    });
  });
});

describe('the content digest', () => {
  const digestOf = (chunks: readonly Buffer[]) => {
    const digest = new ContentDigest();
    for (const chunk of chunks) digest.update(chunk);
    return digest.totals();
  };

  test('depends neither on the order of rows nor on where chunks end, and parts add up', () => {
    fc.assert(
      fc.property(fc.array(rowLine), fc.array(fc.nat()), fc.nat(), (rows, cuts, split) => {
        const text = (some: readonly string[]) => Buffer.from(some.map((row) => `${row}\n`).join(''));
        const whole = digestOf([text(rows)]);
        expect(digestOf(cut(text(rows), cuts))).toEqual(whole);
        expect(digestOf([text(rows.toReversed())])).toEqual(whole);
        const at = split % (rows.length + 1);
        expect(addTotals(digestOf([text(rows.slice(0, at))]), digestOf([text(rows.slice(at))]))).toEqual(
          whole,
        );
        expect(addTotals(whole, NO_ROWS)).toEqual(whole);
      }),
    );
  });

  test('is the documented one', () => {
    expect(digestOf([Buffer.from('{}\n')])).toEqual({
      rows: 1,
      bytes: 3,
      digest: '44136fa355b3678a1146ad16f7e8649e',
    });
    expect(digestOf([])).toEqual(NO_ROWS);
  });

  test('notices a row that was lost, doubled or changed, and rows that end in the middle', () => {
    const whole = digestOf([Buffer.from('{"a":1}\n{"a":2}\n')]).digest;
    expect(digestOf([Buffer.from('{"a":1}\n')]).digest).not.toBe(whole);
    expect(digestOf([Buffer.from('{"a":1}\n{"a":2}\n{"a":2}\n')]).digest).not.toBe(whole);
    expect(digestOf([Buffer.from('{"a":1}\n{"a":3}\n')]).digest).not.toBe(whole);
    expect(() => digestOf([Buffer.from('{"a":1}\n{"a"')])).toThrow('middle of a row');
  });
});
