import { Readable, Writable } from 'node:stream';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundleFormat } from '../src/bundle/bundle-format.ts';
import type { Compression } from '../src/bundle/manifest.ts';
import type { Sealing, Unlocking } from '../src/bundle/sealing.ts';
import { letGo, letGoIfWhole } from '../src/let-go.ts';
import { asFile, bytesOf, draftOf, file, listEntries, never, withSpool } from './bundle/sample-bundle.ts';
import { keySealing, keyUnlock, noise } from './bundle/seal/sealed-sample.ts';

describe('a buffer that is let go', () => {
  test('is empty, with all that it lay in', () => {
    const memory = Buffer.allocUnsafeSlow(100_000);
    const other = memory.subarray(50_000);
    letGo(memory.subarray(0, 100));
    expect([memory.length, other.length]).toEqual([0, 0]);
    letGo(memory);
    letGoIfWhole(memory);
  });

  test('stays when it lies behind something else, is small, or shares its memory with everybody', () => {
    const memory = Buffer.allocUnsafeSlow(100_000);
    letGo(memory.subarray(1));
    expect(memory.length).toBe(100_000);
    const small = Buffer.allocUnsafeSlow(1000);
    letGo(small);
    expect(small.length).toBe(1000);
    // Until one lies at the very beginning of the pool.
    for (let i = 0; i < 200; i++) {
      const pooled = Buffer.from(`a string that lies in the pool ${i}`);
      letGo(pooled);
      letGoIfWhole(pooled);
      expect(pooled.toString()).toBe(`a string that lies in the pool ${i}`);
    }
    const shared = Buffer.from(new SharedArrayBuffer(100_000));
    letGo(shared);
    expect(shared.length).toBe(100_000);
  });

  test('stays when it may be a part of something that somebody looks at', () => {
    const memory = Buffer.allocUnsafeSlow(100_000);
    letGoIfWhole(memory.subarray(0, 80_000));
    expect(memory.length).toBe(100_000);
    letGoIfWhole(memory.subarray(0, 99_000));
    expect(memory.length).toBe(0);
  });
});

/** A storage that frees what it was given, as a backup does. */
function freeingSink(): { readonly sink: Writable; readonly content: () => Buffer } {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 64 * 1024,
    write(chunk: Buffer, _encoding, done) {
      // Only once others had their turn: a chunk that is written over meanwhile is found.
      setImmediate(() => {
        chunks.push(Buffer.from(chunk));
        letGo(chunk);
        done();
      });
    },
  });
  return { sink, content: () => Buffer.concat(chunks) };
}

/** Rows in one buffer that is overwritten for each chunk, as sources give them. */
async function* inReusedBuffer(lines: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  const reused = Buffer.allocUnsafeSlow(chunkBytes);
  for (let at = 0; at < lines.length; at += chunkBytes) {
    const length = lines.copy(reused, 0, at, at + chunkBytes);
    yield reused.subarray(0, length);
    reused.fill('!');
  }
}

/** A file's content: streams read ahead, so each chunk has memory of its own. */
function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield Buffer.from(bytes.subarray(at, at + 64 * 1024));
}

/** Takes rows as a database that is loaded does: what was taken is freed. */
async function takeRows(rows: AsyncIterable<Buffer>): Promise<Buffer> {
  const taken: Buffer[] = [];
  for await (const chunk of rows) {
    taken.push(Buffer.from(chunk));
    letGoIfWhole(chunk);
  }
  return Buffer.concat(taken);
}

const random = noise(900_000);
const tables = {
  narrow: Array.from({ length: 30_000 }, (_, id) => `{"id":${id},"name":"customer ${id % 977}"}\n`).join(''),
  large: [1, 700_000, 300_000, 1_900_000]
    .map((bytes, id) => `{"id":${id},"text":"${'lorem ipsum '.repeat(bytes / 12)}"}\n`)
    .join(''),
  blobs: [random, random.subarray(5000), random.subarray(0, 100_000)]
    .map((blob) => `{"data":"\\\\x${blob.toString('hex')}"}\n`)
    .join(''),
};
const files = {
  noise: noise(1_500_017),
  text: Buffer.from('a line of a log file\n'.repeat(60_000)),
  small: Buffer.from('x'),
  none: Buffer.alloc(0),
};

describe('bundles through freed and overwritten memory', () => {
  let sealings: Record<string, { readonly sealing: Sealing; readonly unlock: Unlocking }>;

  beforeAll(async () => {
    const identity = await generateIdentity();
    sealings = {
      NONE: { sealing: { mode: 'NONE' }, unlock: {} },
      KEY: { sealing: keySealing, unlock: keyUnlock },
      RECIPIENT: {
        sealing: { mode: 'RECIPIENT', recipients: [await identityToRecipient(identity)] },
        unlock: { identities: [identity] },
      },
    };
  });

  const compressions: readonly Compression[] = ['STORE', 'DEFLATE_1', 'DEFLATE_6', 'ZSTD'];
  const ways = compressions.flatMap((compression) =>
    ['NONE', 'KEY', 'RECIPIENT'].map((mode) => [compression, mode] as const),
  );

  test.each(ways)('%s, sealed by %s, give back every byte', async (compression, mode) => {
    const way = sealings[mode];
    if (way === undefined) throw new Error(`there is no way ${mode}`);
    const { value: bundle } = await withSpool(async (spoolDirectory) => {
      const { sink, content } = freeingSink();
      const writer = bundleFormat.createWriter({ sink, spoolDirectory, compression, sealing: way.sealing });
      const written = [];
      for (const [name, lines] of Object.entries(tables)) {
        const table = { schema: null, name, columns: [], primaryKey: [], foreignKeys: [] };
        const rows = inReusedBuffer(Buffer.from(lines), 200_000);
        written.push(await writer.addTable(table, rows, () => {}, never));
      }
      const entries = Object.entries(files).map(([path, bytes]) => file(path, bytes));
      for (const { content: bytes = Buffer.alloc(0), ...entry } of entries) {
        const stream = Readable.from(chunksOf(bytes), { objectMode: false });
        await writer.addFile(entry, stream, () => {}, never);
      }
      await writer.finish(draftOf(written, entries), never);
      return content();
    });
    const reader = await bundleFormat.openReader(asFile(bundle), never, { unlock: way.unlock });
    const report = await reader.verifyContent(() => {}, never);
    expect(report).toMatchObject({ contentChecked: true, files: 4 });
    for (const table of reader.manifest.database?.tables ?? []) {
      const lines = tables[table.name as keyof typeof tables];
      expect((await takeRows(reader.readTable(table, never))).equals(Buffer.from(lines))).toBe(true);
    }
    for (const entry of await listEntries(reader)) {
      if (entry.kind !== 'FILE') continue;
      const read = await bytesOf(reader.readFile(entry, never));
      expect(read.equals(files[entry.path as keyof typeof files])).toBe(true);
    }
    await reader.close();
  });
});
