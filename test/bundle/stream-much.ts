/**
 * A process of its own for memory.test.ts: writes a bundle with a table and a file of the given size each and the
 * given compression and sealing (NONE, KEY), reads it back, and prints how far its memory rose above where it was after a first small bundle.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import { compressionSchema } from '../../src/bundle/manifest.ts';
import type { Sealing } from '../../src/bundle/sealing.ts';
import { openLocalFile } from '../../src/storage/local-file.ts';
import { draftOf, file, never } from './sample-bundle.ts';

const CHUNK_ROWS = 500;
const compression = compressionSchema.parse(process.argv[3]);
const key = Buffer.alloc(32, 1);
const sealing: Sealing = process.argv[4] === 'KEY' ? { mode: 'KEY', keyId: 'key', key } : { mode: 'NONE' };

function* rowChunks(bytes: number): Generator<Buffer> {
  for (let made = 0, id = 0; made < bytes; ) {
    let text = '';
    for (let i = 0; i < CHUNK_ROWS; i++, id++)
      text += `{"id":${id},"name":"row number ${id}","text":"${'lorem ipsum '.repeat(8)}"}\n`;
    made += text.length;
    yield Buffer.from(text);
  }
}

function* fileChunks(bytes: number): Generator<Buffer> {
  const chunk =
    sealing.mode === 'NONE' ? Buffer.alloc(65_536, 'some content of a file; ') : randomBytes(65_536);
  for (let made = 0; made < bytes; made += chunk.length) yield chunk;
}

async function roundTrip(directory: string, bytes: number): Promise<void> {
  const path = join(directory, `${bytes}.zip`);
  const writer = bundleFormat.createWriter({
    sink: createWriteStream(path),
    spoolDirectory: directory,
    compression,
    sealing,
  });
  const described = { schema: null, name: 't', columns: [], primaryKey: [], foreignKeys: [] };
  const table = await writer.addTable(described, Readable.from(rowChunks(bytes)), () => {}, never);
  const { content: _, ...big } = file('big');
  await writer.addFile(big, Readable.from(fileChunks(bytes)), () => {}, never);
  await writer.finish(draftOf([table], [big]), never);
  const reader = await bundleFormat.openReader(await openLocalFile(path, 'bundle'), never, {
    unlock: { key: async () => key },
  });
  await reader.verifyContent(() => {}, never);
  await reader.close();
}

const directory = await mkdtemp(join(tmpdir(), 'holdfast-memory-'));
let peak = 0;
const timer = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
try {
  await roundTrip(directory, 20_000_000);
  const before = peak;
  await roundTrip(directory, Number(process.argv[2]));
  console.log(JSON.stringify({ before, peak }));
} finally {
  clearInterval(timer);
  await rm(directory, { recursive: true, force: true });
}
