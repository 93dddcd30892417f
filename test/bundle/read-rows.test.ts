import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';
import { forgeRows } from './forged-rows.ts';
import { asFile, bytesOf, never, openBundle, verifyBundle, writeBundle } from './sample-bundle.ts';

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, id) => `{"id":${id},"text":"${'x'.repeat((id * 7) % 50)}"}\n`);

async function tableOf(rows: readonly string[], partBytes: number) {
  const content = await writeBundle(
    { tables: [{ schema: 'public', name: 't', chunks: rows }] },
    createBundleFormat({ partBytes }),
  );
  const reader = await openBundle(content);
  const [table] = reader.manifest.database?.tables ?? [];
  if (table === undefined) throw new Error('no table');
  return { content, reader, table };
}

describe('a page of rows', () => {
  test('is what it would be of the whole table, wherever it lies', async () => {
    const rows = rowsOf(300);
    const { reader, table } = await tableOf(rows, 700);
    expect(table.parts.length).toBeGreaterThan(10);
    await fc.assert(
      fc.asyncProperty(fc.nat(320), fc.nat(320), async (from, count) => {
        const page = await bytesOf(reader.readRows(table, { from, count }, never));
        expect(page.toString()).toBe(rows.slice(from, from + count).join(''));
      }),
      { numRuns: 80 },
    );
    const everything = { from: 0, count: Number.MAX_SAFE_INTEGER };
    expect((await bytesOf(reader.readRows(table, everything, never))).toString()).toBe(rows.join(''));
    expect(await bytesOf(reader.readRows(table, { from: 5, count: 0 }, never))).toHaveLength(0);
  });

  test('is read from its own parts alone', async () => {
    const rows = rowsOf(20_000);
    const { content, table } = await tableOf(rows, 60_000);
    const source = asFile(content);
    const read: [number, number][] = [];
    const spied: RandomAccess = {
      ...source,
      read: (start, end, signal) => {
        read.push([start, end]);
        return source.read(start, end, signal);
      },
    };
    const reader = await createBundleFormat().openReader(spied, never);
    read.length = 0;
    const page = await bytesOf(reader.readRows(table, { from: 12_000, count: 10 }, never));
    expect(page.toString()).toBe(rows.slice(12_000, 12_010).join(''));
    expect(read).toHaveLength(1);
    const [[start, end] = [0, 0]] = read;
    expect(end - start).toBeLessThan(content.length / 5);
  });

  test.each([
    { from: -1, count: 1 },
    { from: 0, count: -1 },
    { from: 0.5, count: 1 },
    { from: 0, count: Number.NaN },
  ])('%j is none', async (range) => {
    const { reader, table } = await tableOf(rowsOf(3), 1000);
    await expect(bytesOf(reader.readRows(table, range, never))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  test('of a table that the bundle does not hold is not there', async () => {
    const { reader, table } = await tableOf(rowsOf(3), 1000);
    const other = { ...table, name: 'other' };
    await expect(bytesOf(reader.readRows(other, { from: 0, count: 1 }, never))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('a part whose form or count is not what it should be', () => {
  const forgePart = (content: string, rows: number) => forgeRows(content, { rows });
  const readWhole = async (content: Buffer) => {
    const reader = await openBundle(content);
    const [table] = reader.manifest.database?.tables ?? [];
    if (table === undefined) throw new Error('no table');
    return bytesOf(reader.readTable(table, never));
  };

  test.each([
    ['[]\n', 0],
    ['[\n{}\n]\n', 1],
    ['[\n{"a":1},\n{"a":","}\n]\n', 2],
  ])('the right ones: %j', async (content, rows) => {
    expect(await verifyBundle(forgePart(content, rows))).toMatchObject({ rows });
    expect((await readWhole(forgePart(content, rows))).toString().split('\n')).toHaveLength(rows + 1);
  });

  test.each([
    ['[\n{}\n]\n', 2],
    ['[\n{},\n{}\n]\n', 1],
    ['', 0],
    ['\n', 0],
    ['[]', 0],
    ['[]\n\n', 0],
    ['[]\n[]\n', 0],
    ['[ ]\n', 0],
    ['{}\n', 1],
    ['[\n]\n', 0],
    ['[\n\n]\n', 1],
    ['[\n{}\n', 1],
    ['[\n{},\n]\n', 1],
    ['[\n{}\n]', 1],
    ['[\n{}\n]\n]\n', 1],
    ['[\n{}\n]\n{}\n', 1],
    ['[\n{}\n{}\n]\n', 2],
    ['[\n{,\n{}\n]\n', 2],
    ['[\n},\n{}\n]\n', 2],
    ['[\n1,\n{}\n]\n', 2],
    ['[\n ,\n{}\n]\n', 2],
    ['[\n{}, \n{}\n]\n', 2],
    ['[\n{},,\n{}\n]\n', 2],
    ['[\n{},{}\n]\n', 2],
  ])('%j with %d rows is refused by a verify, and by who reads it', async (content, rows) => {
    const refused = { code: 'INVALID_CHECKSUM', message: /db\/t\.json/ };
    await expect(verifyBundle(forgePart(content, rows))).rejects.toMatchObject(refused);
    await expect(readWhole(forgePart(content, rows))).rejects.toMatchObject(refused);
  });

  test('a row beyond the limit is refused by both', async () => {
    const content = forgePart(`[\n{"a":"${'x'.repeat(50)}"}\n]\n`, 1);
    await expect(verifyBundle(content, { rowBytes: 57 })).rejects.toMatchObject({
      message: /beyond 57 bytes/,
    });
    expect(await verifyBundle(content, { rowBytes: 58 })).toMatchObject({ rows: 1 });
  });
});

describe('a verify that goes on after damage', () => {
  const chunks = rowsOf(50);
  const damaged = async () => {
    const tables = ['a', 'b', 'c', 'd'].map((name) => ({ schema: null, name, chunks }));
    const content = await writeBundle({ tables });
    // In the middle of the data of b and of d: each local header comes right before its name and data.
    for (const name of ['db/b.json', 'db/d.json']) {
      const at = content.indexOf(name) + name.length + 40;
      content[at] = (content[at] ?? 0) ^ 0x55;
    }
    return content;
  };

  test('tells every damaged entry, in order', async () => {
    const reader = await openBundle(await damaged());
    const told: string[] = [];
    const report = await reader.verifyContent(
      () => {},
      never,
      (entry, error) => told.push(`${entry} ${error.code}`),
    );
    expect(told).toEqual(['db/b.json INVALID_CHECKSUM', 'db/d.json INVALID_CHECKSUM']);
    expect(report.entries).toBe(4);
  });

  test('and one that does not stops at the first', async () => {
    await expect(verifyBundle(await damaged())).rejects.toMatchObject({ message: /db\/b\.json/ });
  });
});

test('a verify that is canceled says so', async () => {
  const { content } = await tableOf(rowsOf(20_000), 60_000);
  const controller = new AbortController();
  const reader = await openBundle(content);
  const verifying = reader.verifyContent(() => controller.abort(), controller.signal);
  await expect(verifying).rejects.toMatchObject({ code: 'CANCELED' });
});
