import { readFile } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { BundleLimits, BundleWriter } from '../../src/bundle/bundle.ts';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import { HoldfastError } from '../../src/errors.ts';
import {
  collectingSink,
  directory,
  draftOf,
  file,
  fill,
  listEntries,
  never,
  openBundle,
  symlink,
  withSpool,
  writeBundle,
} from './sample-bundle.ts';

const described = { schema: 'public', name: 't', columns: [], primaryKey: [], foreignKeys: [] };

/** Opens a writer, lets `work` fail, aborts as the engine does; what stayed behind and what was thrown. */
async function failing(
  work: (writer: BundleWriter, sink: Writable) => Promise<unknown>,
  options: { sink?: Writable; limits?: Partial<BundleLimits> } = {},
) {
  const sink = options.sink ?? collectingSink().sink;
  const { value, left } = await withSpool(async (spoolDirectory) => {
    const writer = createBundleFormat({ limits: options.limits ?? {} }).createWriter({
      sink,
      spoolDirectory,
    });
    const error: unknown = await work(writer, sink).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    await writer.abort();
    await writer.abort();
    return error;
  });
  expect(left).toEqual([]);
  expect(sink.destroyed).toBe(true);
  return value;
}

async function* endlessRows(onRow: () => void = () => {}): AsyncGenerator<Buffer> {
  for (let id = 0; ; id++) {
    onRow();
    yield Buffer.from(`{"id":${id},"text":"${id}${'x'.repeat(1000)}"}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a bundle that cannot be finished leaves nothing behind', () => {
  test('when it is canceled in the middle of a table', async () => {
    const controller = new AbortController();
    let closed = false;
    async function* rows() {
      try {
        let count = 0;
        yield* endlessRows(() => {
          if (++count === 300) controller.abort();
        });
      } finally {
        closed = true;
      }
    }
    const error = await failing((writer) => writer.addTable(described, rows(), () => {}, controller.signal));
    expect(error).toMatchObject({ code: 'CANCELED' });
    expect(closed).toBe(true);
  });

  test('when it is canceled while the sink takes nothing', async () => {
    const controller = new AbortController();
    const stalled = new Writable({ write: () => controller.abort() });
    const error = await failing(
      (writer) => writer.addTable(described, endlessRows(), () => {}, controller.signal),
      { sink: stalled },
    );
    expect(error).toMatchObject({ code: 'CANCELED' });
  });

  test('when it is canceled while the source gives nothing', async () => {
    const controller = new AbortController();
    async function* rows() {
      yield Buffer.from('{}\n');
      controller.abort();
      await new Promise(() => {});
    }
    const error = await failing((writer) => writer.addTable(described, rows(), () => {}, controller.signal));
    expect(error).toMatchObject({ code: 'CANCELED' });
  });

  test('when the source fails, with the source’s own error', async () => {
    const gone = new HoldfastError('SOURCE_UNREACHABLE', 'The connection is gone.');
    async function* rows() {
      yield Buffer.from('{"id":1}\n');
      throw gone;
    }
    expect(await failing((writer) => writer.addTable(described, rows(), () => {}, never))).toBe(gone);
    const content = Readable.from(rows());
    expect(await failing((writer) => writer.addFile(file('a'), content, () => {}, never))).toBe(gone);
    expect(content.destroyed).toBe(true);
  });

  test('when the storage fails, with the storage’s own error', async () => {
    const full = new HoldfastError('STORAGE_FULL', 'No room was left.');
    let taken = 0;
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken += chunk.length;
        done(taken > 2000 ? full : null);
      },
    });
    expect(
      await failing((writer) => writer.addTable(described, endlessRows(), () => {}, never), { sink }),
    ).toBe(full);
  });

  test('when the storage fails at the very end', async () => {
    const full = new HoldfastError('STORAGE_FULL', 'No room was left.');
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(), final: (done) => done(full) });
    const error = await failing(
      async (writer) =>
        writer.finish(draftOf(await fill(writer, { files: [file('a')] }), [file('a')]), never),
      { sink },
    );
    expect(error).toBe(full);
  });

  test('when rows end in the middle, or are no rows', async () => {
    const rowsOf = (text: string) => Readable.from([Buffer.from(text)]);
    for (const text of ['{"id":1}\n{"id"', '[1]\n', '\n', '{"id":1\n']) {
      const error = await failing((writer) => writer.addTable(described, rowsOf(text), () => {}, never));
      expect(String(error), text).toMatch(/row lines of public\.t/);
    }
  });
});

describe('what could not be read is not written', () => {
  test.each<[string, Partial<BundleLimits>, RegExp]>([
    ['a row', { rowBytes: 20 }, /row of public\.t/],
    ['an entry', { entryBytes: 30 }, /db\/t\.json/],
    ['a number of entries', { entries: 3 }, /number of files/],
    ['a manifest', { manifestBytes: 100 }, /manifest/],
  ])('%s beyond the limit is refused while writing', async (_, limits, words) => {
    const error = await failing(
      async (writer) => {
        const rows = Readable.from([Buffer.from(`{"id":1,"text":"${'x'.repeat(50)}"}\n`)]);
        const table = await writer.addTable(described, rows, () => {}, never);
        return writer.finish(draftOf([table]), never);
      },
      { limits },
    );
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(String(error)).toMatch(words);
  });

  test.each(['../a', '/a', '', 'a//b', 'a\0b'])('a path %j', async (path) => {
    expect(
      await failing((writer) => writer.addFile(file(path), Readable.from([]), () => {}, never)),
    ).toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('while it is written', () => {
  test('progress adds up to what was written', async () => {
    const { value } = await withSpool(async (spoolDirectory) => {
      const { sink } = collectingSink();
      const writer = createBundleFormat({ partBytes: 5000 }).createWriter({ sink, spoolDirectory });
      const sum = { rows: 0, bytes: 0, files: 0 };
      const onProgress = (p: { rows?: number; bytes?: number; files?: number }) => {
        sum.rows += p.rows ?? 0;
        sum.bytes += p.bytes ?? 0;
        sum.files += p.files ?? 0;
      };
      const chunks = Array.from({ length: 500 }, (_, id) =>
        Buffer.from(`{"id":${id},"text":"${'x'.repeat(100)}"}\n`),
      );
      const table = await writer.addTable(described, Readable.from(chunks), onProgress, never);
      const written = await writer.addFile(
        file('a'),
        Readable.from([Buffer.alloc(300_000)]),
        onProgress,
        never,
      );
      await writer.addFile(symlink('l', 'a'), undefined, onProgress, never);
      await writer.finish(draftOf([table], [file('a')]), never);
      expect(table.parts.slice(0, 3)).toEqual(['db/t.json', 'db/t.part2.json', 'db/t.part3.json']);
      return { sum, table, written };
    });
    expect(value.sum).toEqual({ rows: 500, bytes: value.table.bytes + 300_000, files: 2 });
    expect(value.written.sizeBytes).toBe(300_000);
  });

  test('names in a bundle tell people what they are', async () => {
    const names = [
      'Src',
      'src',
      'src/[...slug].ts',
      'src/a b.txt',
      'src/CON',
      'src/Grüße',
      'src/trailing.',
      'src/x',
    ];
    const files = names.map((path) => (path.toLowerCase() === 'src' ? directory(path) : file(path)));
    const tables = [
      { schema: 'public', name: 'orders', chunks: [] },
      { schema: 'sales', name: 'orders', chunks: [] },
      { schema: 'public', name: 'Orders', chunks: [] },
      { schema: 'public', name: 'sales.orders', chunks: [] },
    ];
    const reader = await openBundle(await writeBundle({ tables, files }));
    expect((await listEntries(reader)).map((entry) => entry.entry)).toEqual([
      'db/orders.json',
      'db/sales.orders.json',
      'db/Orders~2.json',
      'db/sales.orders~2.json',
      'files/app/Src/',
      'files/app/src~2/',
      'files/app/src~2/%5B...slug%5D.ts',
      'files/app/src~2/a%20b.txt',
      'files/app/src~2/%43ON',
      'files/app/src~2/Gr%C3%BC%C3%9Fe',
      'files/app/src~2/trailing%2E',
      'files/app/src~2/x',
    ]);
  });

  test('the manifest carries the version of this program', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    expect((await openBundle(await writeBundle({}))).manifest.tool).toEqual({ name: 'holdfast', version });
  });
});
