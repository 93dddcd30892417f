import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { deflateRawSync, constants as zlib, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BundledSchema } from '../../src/bundle/bundle.ts';
import { bundleFormat, createBundleFormat } from '../../src/bundle/bundle-format.ts';
import { type Compression, compressionSchema } from '../../src/bundle/manifest.ts';
import {
  asFile,
  bytesOf,
  collectingSink,
  draftOf,
  file,
  listEntries,
  never,
  openBundle,
  symlink,
  verifyBundle,
  withSpool,
  writeBundle,
} from './sample-bundle.ts';
import { forgeBundle, forgedFile } from './zip-builder.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const METHODS = { STORE: 0, DEFLATE_1: 8, DEFLATE_6: 8, ZSTD: 93 } as const;

/** The methods by names of entries, as the central directory has them. */
function methodsOf(bundle: Buffer): Record<string, number> {
  const methods: Record<string, number> = {};
  const signature = Buffer.from([0x50, 0x4b, 0x01, 0x02]);
  for (let at = bundle.indexOf(signature); at >= 0; at = bundle.indexOf(signature, at + 46)) {
    const name = bundle.toString('latin1', at + 46, at + 46 + bundle.readUInt16LE(at + 28));
    methods[name] = bundle.readUInt16LE(at + 10);
  }
  return methods;
}

const rows = Array.from(
  { length: 40_000 },
  (_, id) => `{"id":${id},"text":"row ${id} of many, many, many rows"}\n`,
);
const schema: BundledSchema = {
  before: [{ object: 'TABLE t', sql: `CREATE TABLE t (id int) -- ${'x'.repeat(300)}` }],
  after: [],
  notCarried: [],
};
const random = randomBytes(1_500_000);
const sample = {
  schema,
  tables: [{ schema: null, name: 't', chunks: rows }],
  files: [
    file('big', 'some content, '.repeat(200_000)),
    file('mixed', Buffer.concat([Buffer.alloc(3 * MIB), random])),
    file('photo', random),
    file('small', 'small content, '.repeat(10)),
    file('tiny', 'a'),
    file('empty', ''),
    symlink('link', 'tiny'),
  ],
};

describe.each(compressionSchema.options)('a bundle written with %s', (compression: Compression) => {
  const written = writeBundle(sample, createBundleFormat({ partBytes: 1_200_000 }), compression);

  test('gives everything back, and says on its manifest how it was compressed', async () => {
    const content = await written;
    const reader = await openBundle(content);
    expect(reader.manifest.compression).toBe(compression);
    expect(await reader.readSchema(never)).toEqual(schema);
    const [table] = reader.manifest.database?.tables ?? [];
    if (table === undefined) throw new Error('no table');
    expect(table.parts.length).toBeGreaterThan(1);
    expect((await bytesOf(reader.readTable(table, never))).toString()).toBe(rows.join(''));
    for (const entry of await listEntries(reader)) {
      if (entry.kind !== 'FILE') continue;
      const expected = sample.files.find((f) => f.path === entry.path);
      const found = await bytesOf(reader.readFile(entry, never));
      expect(found.equals(expected?.content ?? Buffer.alloc(0)), entry.path).toBe(true);
    }
    expect(await verifyBundle(content)).toMatchObject({ rows: rows.length, files: sample.files.length });
  });

  test('stores what was compressed before, and what is too small', async () => {
    const methods = methodsOf(await written);
    const used = METHODS[compression];
    expect(methods).toMatchObject({
      'db/t.json': used,
      'db/schema.sql': used,
      'files/app/big': used,
      'files/app/mixed': used,
      'files/app/small': used,
      'files/app/photo': 0,
      'files/app/tiny': 0,
      'files/app/empty': 0,
      'files/app/link': 0,
      'manifest.json': 8,
      'RESTORE.md': 8,
      'entries.ndjson': 8,
    });
  });

  test('can be asked by Python what it is and how it comes back', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-compression-'));
    try {
      await writeFile(join(folder, 'b.zip'), await written);
      const script = `
import json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
readable = [i.filename for i in z.infolist() if i.compress_type in (0, 8)]
for n in readable: z.read(n)
print(json.loads(z.read('manifest.json'))['compression'], 'bsdtar' in z.read('RESTORE.md').decode())`;
      const { stdout } = await run('python3', ['-c', script, join(folder, 'b.zip')]).catch((error: Error) => {
        if (/ENOENT/.test(error.message)) context.skip('python3 is not installed');
        throw error;
      });
      expect(stdout.trim()).toBe(`${compression} ${compression === 'ZSTD' ? 'True' : 'False'}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('and given up in the middle of an entry leaves nothing behind', async () => {
    const controller = new AbortController();
    const { left } = await withSpool(async (spoolDirectory) => {
      const { sink } = collectingSink();
      const writer = bundleFormat.createWriter({ sink, spoolDirectory, compression });
      let chunks = 0;
      async function* endless() {
        for (;;) {
          if (++chunks === 40) controller.abort();
          yield Buffer.alloc(65_536, 'content that goes on and on, ');
        }
      }
      const adding = writer.addFile(file('a'), Readable.from(endless()), () => {}, controller.signal);
      await expect(adding).rejects.toMatchObject({ code: 'CANCELED' });
      await writer.abort();
      expect(sink.destroyed).toBe(true);
    });
    expect(left).toEqual([]);
  });
});

test('deflate at level 6 makes smaller bundles than at level 1, and zstd smaller ones than none', async () => {
  const sizes = new Map<Compression, number>();
  const tables = [{ schema: null, name: 't', chunks: rows }];
  for (const compression of compressionSchema.options)
    sizes.set(compression, (await writeBundle({ tables }, bundleFormat, compression)).length);
  expect(sizes.get('DEFLATE_6')).toBeLessThan(sizes.get('DEFLATE_1') ?? 0);
  expect(sizes.get('ZSTD')).toBeLessThan((sizes.get('STORE') ?? 0) / 4);
});

describe('content compressed with zstd that is not what is recorded is refused', () => {
  const content = Buffer.alloc(400_000, 'content, ');
  const frame = zstdCompressSync(content);
  const forge = (packed: Buffer, told: Buffer = content) =>
    forgeBundle([forgedFile('files/app/a', 'a', { content: told, packed, method: 93 })]);

  test('but the forger can make one that is accepted', async () => {
    expect(await verifyBundle(forge(frame))).toMatchObject({ files: 1 });
    const small = Buffer.from('small');
    expect(await verifyBundle(forge(zstdCompressSync(small), small))).toMatchObject({ files: 1 });
  });

  test.each<[string, Buffer, Buffer?]>([
    ['bytes hidden behind the frame', Buffer.concat([frame, Buffer.from('hidden')])],
    ['a second frame', Buffer.concat([frame, zstdCompressSync(Buffer.from('hidden'))])],
    ['a frame cut short', frame.subarray(0, -20)],
    ['no frame', deflateRawSync(content)],
    ['another content', zstdCompressSync(Buffer.alloc(400_000, 'Content, '))],
    ['less than recorded', zstdCompressSync(content.subarray(1))],
    ['a bomb', zstdCompressSync(Buffer.alloc(200 * MIB))],
    ['a small bomb', zstdCompressSync(Buffer.alloc(MIB)), Buffer.from('small')],
    [
      'a window of 64 MB',
      zstdCompressSync(Buffer.alloc(64 * MIB, 'x'), { params: { [zlib.ZSTD_c_windowLog]: 26 } }),
      Buffer.alloc(64 * MIB, 'x'),
    ],
  ])('%s', async (_, packed, told) => {
    await expect(verifyBundle(forge(packed, told))).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
      message: /files\/app\/a/,
    });
  });

  test('and a bomb is stopped long before it is unpacked', async () => {
    const bomb = forgedFile('files/app/a', 'a', {
      content,
      packed: zstdCompressSync(Buffer.alloc(200 * MIB)),
      method: 93,
    });
    const reader = await bundleFormat.openReader(asFile(forgeBundle([bomb])), never);
    let bytes = 0;
    const read = async () => {
      for await (const chunk of reader.readFile(bomb.record, never)) bytes += chunk.length;
    };
    await expect(read()).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
    expect(bytes).toBeLessThanOrEqual(content.length);
  });
});

test('a sink that fails while blocks are still being packed fails the bundle with its own error', async () => {
  const full = new Error('no room');

  const { left } = await withSpool(async (spoolDirectory) => {
    let taken = 0;
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken += chunk.length;
        setImmediate(() => done(taken > 100_000 ? full : null));
      },
    });
    const writer = bundleFormat.createWriter({ sink, spoolDirectory });
    const work = async () => {
      for (let n = 0; ; n++)
        await writer.addFile(file(`f${n}`), Readable.from([randomBytes(40_000)]), () => {}, never);
    };
    await expect(work()).rejects.toBe(full);
    await expect(writer.finish(draftOf([]), never)).rejects.toBe(full);
    await writer.abort();
  });
  expect(left).toEqual([]);
});

describe('long values that hold nothing that occurred before', () => {
  const sizeOf = async (content: Buffer) => {
    const bundle = await writeBundle({ files: [file('a', content)] });
    const reader = await openBundle(bundle);
    const [entry] = await listEntries(reader);
    if (entry === undefined) throw new Error('no entry');
    expect((await bytesOf(reader.readFile(entry, never))).equals(content)).toBe(true);
    return bundle.length;
  };

  test('as hexadecimal take no more room than the bytes they stand for', async () => {
    const hexadecimal = Buffer.from(randomBytes(2 * MIB).toString('hex'));
    expect(deflateRawSync(hexadecimal, { level: 1 }).length).toBeGreaterThan(2.1 * MIB);
    expect(await sizeOf(hexadecimal)).toBeLessThan(2.07 * MIB);
  });

  test('but values that repeat themselves are packed as such', async () => {
    const value = randomBytes(15_000).toString('hex');
    expect(await sizeOf(Buffer.from(value.repeat(100)))).toBeLessThan(0.3 * MIB);
    expect(await sizeOf(Buffer.alloc(3 * MIB, '0'))).toBeLessThan(0.1 * MIB);
  });
});
