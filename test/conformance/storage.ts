/** What every storage must do; each implementation's test runs it. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import type { Storage, StoredObject } from '../../src/storage/storage.ts';

/** A fresh, empty storage and the way to get rid of it. */
export interface StorageUnderTest {
  readonly storage: Storage;
  readonly remove: () => Promise<void>;
}

const never = new AbortController().signal;

async function put(storage: Storage, key: string, content: Buffer): Promise<StoredObject> {
  const upload = await storage.create(key, never);
  await pipeline(Readable.from([content]), upload.writable);
  return upload.commit();
}

async function get(storage: Storage, key: string): Promise<Buffer> {
  const file = await storage.open(key, never);
  try {
    return await buffer(file.read(0, file.sizeBytes, never));
  } finally {
    await file.close();
  }
}

async function keys(storage: Storage, folder: string): Promise<string[]> {
  const found = await Readable.from(storage.list(folder, never)).toArray();
  return found.map((object) => object.key).sort();
}

/** Runs the suite against storages that `make` makes. */
export function describeStorage(name: string, make: () => Promise<StorageUnderTest>): void {
  describe(`${name} keeps the storage contract`, () => {
    let storage: Storage;
    let remove: () => Promise<void>;
    beforeEach(async () => {
      ({ storage, remove } = await make());
    });
    afterEach(() => remove());

    test('what was stored is read back byte for byte, whole and in ranges', async () => {
      const content = randomBytes(3_000_017);
      const stored = await put(storage, 'w1/a.zip', content);
      expect(stored).toMatchObject({ key: 'w1/a.zip', sizeBytes: content.length });
      expect((await get(storage, 'w1/a.zip')).equals(content)).toBe(true);
      const file = await storage.open('w1/a.zip', never);
      expect(file.sizeBytes).toBe(content.length);
      for (const [start, end] of [
        [0, 1],
        [999_999, 2_000_003],
        [content.length - 1, content.length],
        [5, 5],
      ] as const) {
        expect((await buffer(file.read(start, end, never))).equals(content.subarray(start, end))).toBe(true);
      }
      await file.close();
      await file.close();
    });

    test('an empty object is an object', async () => {
      await put(storage, 'w1/empty.zip', Buffer.alloc(0));
      expect(await storage.stat('w1/empty.zip', never)).toMatchObject({ sizeBytes: 0 });
      expect(await get(storage, 'w1/empty.zip')).toHaveLength(0);
    });

    test('nothing is visible before commit, and nothing stays after abort', async () => {
      const upload = await storage.create('w1/a.zip', never);
      await pipeline(Readable.from([Buffer.from('half')]), upload.writable);
      expect(await storage.stat('w1/a.zip', never)).toBeUndefined();
      expect(await keys(storage, 'w1')).toEqual([]);
      await expect(storage.open('w1/a.zip', never)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await upload.abort();
      await upload.abort();
      expect(await storage.stat('w1/a.zip', never)).toBeUndefined();
      expect(await keys(storage, 'w1')).toEqual([]);
    });

    test('an existing object is never overwritten', async () => {
      await put(storage, 'w1/a.zip', Buffer.from('first'));
      const upload = await storage.create('w1/a.zip', never);
      await pipeline(Readable.from([Buffer.from('second')]), upload.writable);
      await expect(upload.commit()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      await upload.abort();
      expect((await get(storage, 'w1/a.zip')).toString()).toBe('first');
      expect(await keys(storage, 'w1')).toEqual(['w1/a.zip']);
    });

    test('of many uploads to one key at once exactly one lands', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => put(storage, 'w1/race.zip', Buffer.from(`upload ${i}`))),
      );
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
      expect(winners).toHaveLength(1);
      expect((await get(storage, 'w1/race.zip')).toString()).toBe(`upload ${winners[0]}`);
    });

    test('an aborted signal stops an upload with CANCELED and leaves nothing', async () => {
      const controller = new AbortController();
      const upload = await storage.create('w1/a.zip', controller.signal);
      upload.writable.write(Buffer.from('begun'));
      controller.abort();
      await expect(pipeline(Readable.from([Buffer.from('more')]), upload.writable)).rejects.toThrow();
      await expect(upload.commit()).rejects.toMatchObject({ code: 'CANCELED' });
      await upload.abort();
      expect(await keys(storage, 'w1')).toEqual([]);
    });

    test('an aborted signal is refused before anything is touched', async () => {
      const aborted = AbortSignal.abort();
      await expect(storage.create('w1/a.zip', aborted)).rejects.toMatchObject({ code: 'CANCELED' });
      await expect(storage.stat('w1/a.zip', aborted)).rejects.toMatchObject({ code: 'CANCELED' });
      await expect(storage.delete('w1/a.zip', aborted)).rejects.toMatchObject({ code: 'CANCELED' });
    });

    test('an aborted signal stops a read', async () => {
      await put(storage, 'w1/a.zip', randomBytes(2_000_000));
      const controller = new AbortController();
      const file = await storage.open('w1/a.zip', never);
      const reading = async () => {
        for await (const _ of file.read(0, file.sizeBytes, controller.signal)) controller.abort();
      };
      await expect(reading()).rejects.toMatchObject({ code: 'CANCELED' });
      await file.close();
    });

    test('an open object stays readable when it is deleted meanwhile', async () => {
      await put(storage, 'w1/a.zip', Buffer.from('still here'));
      const file = await storage.open('w1/a.zip', never);
      await storage.delete('w1/a.zip', never);
      expect((await buffer(file.read(0, file.sizeBytes, never))).toString()).toBe('still here');
      await file.close();
      expect(await storage.stat('w1/a.zip', never)).toBeUndefined();
    });

    test('deleting what is not there succeeds', async () => {
      await storage.delete('w1/nothing.zip', never);
      await put(storage, 'w1/a.zip', Buffer.from('x'));
      await storage.delete('w1/a.zip', never);
      await storage.delete('w1/a.zip', never);
      expect(await keys(storage, 'w1')).toEqual([]);
    });

    test('a folder lists its own objects only, and an unknown folder is empty', async () => {
      await put(storage, 'w1/a.zip', Buffer.from('1'));
      await put(storage, 'w1/b.zip', Buffer.from('22'));
      await put(storage, 'w10/c.zip', Buffer.from('333'));
      await put(storage, 'w1/deep/d.zip', Buffer.from('4444'));
      expect(await keys(storage, 'w1')).toEqual(['w1/a.zip', 'w1/b.zip']);
      expect(await keys(storage, 'w1/deep')).toEqual(['w1/deep/d.zip']);
      expect(await keys(storage, 'unknown')).toEqual([]);
    });

    test('a folder is there from the first upload into it on, also when its last object is deleted', async () => {
      expect(await storage.hasFolder('w1', never)).toBe(false);
      await put(storage, 'w1/a.zip', Buffer.from('1'));
      expect(await storage.hasFolder('w1', never)).toBe(true);
      expect(await storage.hasFolder('w2', never)).toBe(false);
      await storage.delete('w1/a.zip', never);
      expect(await storage.hasFolder('w1', never)).toBe(true);
      await expect(storage.hasFolder('../w1', never)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    });

    test('sweeping a key removes unfinished uploads to it and nothing else', async () => {
      await put(storage, 'w1/a.zip', Buffer.from('kept'));
      const other = await storage.create('w1/a.zip.b.zip', never);
      other.writable.write('living');
      await storage.sweep('w1/a.zip', never);
      await pipeline(Readable.from([Buffer.from(' on')]), other.writable);
      await other.commit();
      expect((await get(storage, 'w1/a.zip.b.zip')).toString()).toBe('living on');
      expect((await get(storage, 'w1/a.zip')).toString()).toBe('kept');
      await storage.sweep('unknown/a.zip', never);
    });

    test.each([
      'a.zip',
      '',
      '/',
      '/a/b.zip',
      'a/',
      'a//b.zip',
      '../b.zip',
      'a/../b.zip',
      'a/..',
      'a/.hidden',
      '.a/b.zip',
      'a/b\0.zip',
      'a/b c.zip',
      'a\\b/c.zip',
      'a/é.zip',
      'C:/b.zip',
      `a/${'n'.repeat(300)}`,
    ])('%j is no key', async (key) => {
      const refused = { code: 'UNSAFE_PATH' };
      await expect(storage.create(key, never)).rejects.toMatchObject(refused);
      await expect(storage.open(key, never)).rejects.toMatchObject(refused);
      await expect(storage.stat(key, never)).rejects.toMatchObject(refused);
      await expect(storage.delete(key, never)).rejects.toMatchObject(refused);
      await expect(storage.sweep(key, never)).rejects.toBeInstanceOf(HoldfastError);
    });
  });
}
