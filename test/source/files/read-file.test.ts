import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, open, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTrees, OpenedFile } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import { collect, makeScratch, never, removeScratch, skippedList, treeAt } from './scratch.ts';

let root: string;
let files: FileTrees;

beforeEach(async () => {
  root = await makeScratch();
  files = openFileTrees({ roots: [root] });
});
afterEach(() => removeScratch(root));

async function opened(path: string, signal = never): Promise<OpenedFile> {
  const { list, note } = skippedList();
  const file = await files.open(treeAt(root), path, note, signal);
  if (file === undefined) throw new Error(list[0]?.reason);
  return file;
}

async function read(file: OpenedFile): Promise<Buffer> {
  return Buffer.concat(await collect<Buffer>(file.content));
}

describe('reading a file for backup', () => {
  it('gives every byte of empty, small and big files, and no warning', async () => {
    for (const size of [0, 1, 262_144, 3_000_001]) {
      const content = Buffer.alloc(size, 'holdfast');
      await writeFile(join(root, 'file'), content);
      const file = await opened('file');
      expect((await read(file)).equals(content), `${size} bytes`).toBe(true);
      expect(await file.changedWhileRead()).toBeUndefined();
    }
  });

  it('opens names that are not UTF-8', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]), 'latin');
    expect(String(await read(await opened('caf\udce9')))).toBe('latin');
  });

  it('a file that grows ends where it ended when it was opened, and the warning says so', async () => {
    await writeFile(join(root, 'log'), 'x'.repeat(10));
    const file = await opened('log');
    await appendFile(join(root, 'log'), 'y'.repeat(10));
    expect(String(await read(file))).toBe('x'.repeat(10));
    expect(await file.changedWhileRead()).toBe(
      'grew from 10 to 20 bytes while it was read; the first 10 are kept',
    );
  });

  it('a file that shrinks gives what is left, and the warning says so', async () => {
    await writeFile(join(root, 'file'), 'x'.repeat(20));
    const file = await opened('file');
    await truncate(join(root, 'file'), 5);
    expect((await read(file)).length).toBe(5);
    expect(await file.changedWhileRead()).toBe('shrank from 20 to 5 bytes while it was read');
  });

  it('a file that is written over in the same size is noticed', async () => {
    await writeFile(join(root, 'file'), 'before');
    const file = await opened('file');
    await writeFile(join(root, 'file'), 'after!');
    await utimes(join(root, 'file'), 1, 1);
    await read(file);
    expect(await file.changedWhileRead()).toBe('was modified while it was read');
  });

  it('what vanished or is no file any more is skipped and named', async () => {
    await mkdir(join(root, 'directory'));
    await symlink('/etc/passwd', join(root, 'link'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const { list, note } = skippedList();
    for (const path of ['gone', 'directory', 'link', 'pipe', 'directory/gone']) {
      expect(await files.open(treeAt(root), path, note, never)).toBeUndefined();
    }
    expect(list).toEqual([
      { path: 'gone', reason: 'it vanished while the tree was read' },
      { path: 'directory', reason: 'it is no longer a file', unread: true },
      { path: 'link', reason: 'it was replaced by a link while the tree was read', unread: true },
      { path: 'pipe', reason: 'it is no longer a file', unread: true },
      { path: 'directory/gone', reason: 'it vanished while the tree was read' },
    ]);
  });

  it('a file that is deleted once it is open is still read to its end', async () => {
    await writeFile(join(root, 'file'), 'content');
    const file = await opened('file');
    await rm(join(root, 'file'));
    expect(String(await read(file))).toBe('content');
  });

  it('cancelling ends the stream with CANCELED and closes the file', async () => {
    await writeFile(join(root, 'file'), Buffer.alloc(2_000_000));
    const abort = new AbortController();
    const file = await opened('file', abort.signal);
    const reading = finished(file.content.on('data', () => abort.abort()));
    await expect(reading).rejects.toMatchObject({ code: 'CANCELED' });
    expect(file.content.closed).toBe(true);
    await expect(opened('file', abort.signal)).rejects.toMatchObject({ code: 'CANCELED' });
  });

  it('reading thousands of files leaves none open', async () => {
    await writeFile(join(root, 'file'), 'x');
    const before = await openDescriptors();
    for (let round = 0; round < 200; round++) {
      const file = await opened('file');
      if (round % 2 === 0) await read(file);
      else file.content.destroy();
      await file.changedWhileRead();
    }
    expect(await openDescriptors()).toBeLessThanOrEqual(before + 1);
  });
});

/** The number the next opened file gets: it grows when files are left open. */
async function openDescriptors(): Promise<number> {
  const probe = await open(join(root, 'file'));
  const { fd } = probe;
  await probe.close();
  return fd;
}
