import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { bundleFormat } from '../../../src/bundle/bundle-format.ts';
import type { Sealing } from '../../../src/bundle/sealing.ts';
import { collectingSink, draftOf, file, fill, never, withSpool } from '../sample-bundle.ts';
import { keySealing, noise, sample } from './sealed-sample.ts';

const { content: _, ...big } = file('big');

describe('a writer that seals', () => {
  test('fails with what its sink fails with, and leaves nothing behind', async () => {
    const { left } = await withSpool(async (spoolDirectory) => {
      let room = 500_000;
      const sink = new Writable({
        write(chunk: Buffer, _encoding, done) {
          room -= chunk.length;
          done(room < 0 ? new Error('no room left') : null);
        },
      });
      const writer = bundleFormat.createWriter({ sink, spoolDirectory, sealing: keySealing });
      const written = writer.addFile(big, Readable.from(endless()), () => {}, never);
      await expect(written).rejects.toThrow('no room left');
      await writer.abort();
      expect(sink.destroyed).toBe(true);
    });
    expect(left).toEqual([]);
  });

  test('waits for its sink instead of filling memory', async () => {
    await withSpool(async (spoolDirectory) => {
      // Takes nothing, ever.
      const sink = new Writable({ highWaterMark: 1, write: () => {} });
      const writer = bundleFormat.createWriter({ sink, spoolDirectory, sealing: keySealing });
      const canceled = new AbortController();
      let given = 0;
      const content = async function* (): AsyncGenerator<Buffer> {
        for (; given < 64 * 2 ** 20; given += 2 ** 16) {
          yield noise(2 ** 16);
          // Once the pipe is full, nobody asks for more, and only the signal ends it.
          clearTimeout(idle);
          idle = setTimeout(() => canceled.abort(), 300);
        }
      };
      let idle: NodeJS.Timeout | undefined;
      const written = writer.addFile(big, Readable.from(content()), () => {}, canceled.signal);
      await expect(written).rejects.toMatchObject({ code: 'CANCELED' });
      expect(given).toBeLessThan(16 * 2 ** 20);
      await writer.abort();
    });
  });

  test('stops at once when it is canceled at its end, with a sink that is stuck', async () => {
    await withSpool(async (spoolDirectory) => {
      const sink = new Writable({ highWaterMark: 1, write: () => {} });
      const writer = bundleFormat.createWriter({ sink, spoolDirectory, sealing: keySealing });
      const tables = await fill(writer, { files: sample.files?.slice(0, 1) ?? [] });
      const canceled = new AbortController();
      const finished = writer.finish(draftOf(tables, [big]), canceled.signal);
      canceled.abort();
      await expect(finished).rejects.toMatchObject({ code: 'CANCELED' });
      await writer.abort();
    });
  });

  test.each<[string, Sealing]>([
    ['a recipient that is none', { mode: 'RECIPIENT', recipients: ['age1nobody'] }],
    ['no recipient', { mode: 'RECIPIENT', recipients: [] }],
    ['no passphrase', { mode: 'PASSPHRASE', passphrase: '' }],
  ])('refuses %s', async (_name, sealing) => {
    const { left } = await withSpool(async (spoolDirectory) => {
      const { sink, content } = collectingSink();
      const writer = bundleFormat.createWriter({ sink, spoolDirectory, sealing });
      const finished = writer.finish(draftOf([]), never);
      await expect(finished).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      await writer.abort();
      expect(content()).toHaveLength(0);
    });
    expect(left).toEqual([]);
  });
});

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield noise(2 ** 16);
}
