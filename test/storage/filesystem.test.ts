import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFilesystemStorage } from '../../src/storage/filesystem.ts';
import { describeStorage } from '../conformance/storage.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

describeStorage('filesystem', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-storage-'));
  return {
    storage: openFilesystemStorage(join(directory, 'not', 'there', 'yet')),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
});

describe('a storage in a directory', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-storage-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('an upload that its process did not finish is invisible, and swept by its key alone', async () => {
    const storage = openFilesystemStorage(directory);
    const abandoned = await storage.create('w/a.zip', never);
    await pipeline(Readable.from([Buffer.from('half')]), abandoned.writable);
    const living = await storage.create('w/b.zip', never);
    expect((await readdir(join(directory, 'w'))).every((name) => name.startsWith('.'))).toBe(true);
    await storage.sweep('w/a.zip', never);
    expect(await readdir(join(directory, 'w'))).toHaveLength(1);
    await pipeline(Readable.from([Buffer.from('whole')]), living.writable);
    await living.commit();
    expect(await readdir(join(directory, 'w'))).toEqual(['b.zip']);
  });

  test('a link in the folder is neither listed nor followed', async () => {
    const storage = openFilesystemStorage(join(directory, 'bundles'));
    await writeFile(join(directory, 'secret'), 'not a bundle');
    await mkdir(join(directory, 'bundles', 'w'));
    await symlink(join(directory, 'secret'), join(directory, 'bundles', 'w', 'link.zip'));
    expect(await Readable.from(storage.list('w', never)).toArray()).toEqual([]);
    await expect(storage.open('w/link.zip', never)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await expect(storage.stat('w/link.zip', never)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  test('when the whole directory disappears, nothing is called "not found"', async () => {
    const storage = openFilesystemStorage(join(directory, 'disk'));
    await rename(join(directory, 'disk'), join(directory, 'unmounted'));
    const refused = { code: 'STORAGE_UNAVAILABLE' };
    await expect(storage.stat('w/a.zip', never)).rejects.toMatchObject(refused);
    await expect(storage.open('w/a.zip', never)).rejects.toMatchObject(refused);
    await expect(storage.delete('w/a.zip', never)).rejects.toMatchObject(refused);
    await expect(storage.create('w/a.zip', never)).rejects.toMatchObject(refused);
    await expect(Readable.from(storage.list('w', never)).toArray()).rejects.toMatchObject(refused);
  });

  test('a path that is blocked by a file is unavailable, not "not found"', async () => {
    const storage = openFilesystemStorage(directory);
    await writeFile(join(directory, 'w'), 'a file where the folder should be');
    await expect(storage.stat('w/a.zip', never)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await expect(storage.open('w/a.zip', never)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  });

  test('an object that is cut short while it is read is an error, never a short read', async () => {
    const storage = openFilesystemStorage(directory);
    const upload = await storage.create('w/a.zip', never);
    await pipeline(Readable.from([randomBytes(600_000)]), upload.writable);
    await upload.commit();
    const file = await storage.open('w/a.zip', never);
    await writeFile(join(directory, 'w', 'a.zip'), 'short');
    await expect(buffer(file.read(0, 600_000, never))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await file.close();
  });
});

describe('a full disk', () => {
  let mountPoint: string;
  let mounted = false;
  beforeEach(async () => {
    mountPoint = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
    mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mountPoint]).then(
      () => true,
      () => false,
    );
  });
  afterEach(async () => {
    if (mounted) await run('umount', ['-l', mountPoint]);
    await rm(mountPoint, { recursive: true, force: true });
  });

  test('is STORAGE_FULL, leaves nothing behind, and the storage goes on working', async (context) => {
    context.skip(!mounted, 'mounting a small tmpfs is not permitted here');
    const storage = openFilesystemStorage(mountPoint);
    const upload = await storage.create('w/big.zip', never);
    function* tooMuch() {
      for (let i = 0; i < 64; i++) yield Buffer.alloc(64 * 1024, i);
    }
    await expect(pipeline(tooMuch, upload.writable)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await expect(upload.commit()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await upload.abort();
    expect(await readdir(join(mountPoint, 'w'))).toEqual([]);
    const small = await storage.create('w/small.zip', never);
    await pipeline(Readable.from([Buffer.from('fits')]), small.writable);
    expect(await small.commit()).toMatchObject({ sizeBytes: 4 });
  });
});
