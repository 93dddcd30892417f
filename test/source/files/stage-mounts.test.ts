import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTrees } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import { bytes, file, fill, makeScratch, never, picture, removeScratch, treeAt } from './scratch.ts';

/** Mounts a small file system; false where that is not permitted. */
function mount(at: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=100', 'tmpfs', at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let scratch: string;
let mounted: string;
let isMounted: boolean;
let files: FileTrees;

beforeEach(async () => {
  scratch = await makeScratch();
  mounted = join(scratch, 'mounted');
  await mkdir(mounted);
  isMounted = mount(mounted);
  files = openFileTrees({ roots: [scratch] });
});
afterEach(async () => {
  if (isMounted) execFileSync('umount', [mounted]);
  await removeScratch(scratch);
});

describe('file systems of their own (needs the right to mount)', () => {
  it('a full disk is STORAGE_FULL with the path and what to do, and leaves nothing', async ({ skip }) => {
    if (!isMounted) skip('mounting is not permitted here');
    const tree = join(mounted, 'tree');
    await fill(tree, { a: 'old' });
    const stage = await files.stageTree(treeAt(tree), 'r1', never);
    const block = Buffer.alloc(64 * 1024);
    const tooMuch = bytes(...Array.from({ length: 32 }, () => block));
    const entry = { ...file('big', ''), kind: 'FILE', sizeBytes: 32 * block.length } as const;
    await expect(stage.put(entry, tooMuch, never)).rejects.toMatchObject({
      code: 'STORAGE_FULL',
      message: expect.stringContaining(join(tree, 'big')),
      hint: expect.stringContaining('Free space'),
    });
    await stage.abort();
    expect(picture(mounted)).toEqual(['/tree 755 dir', '/tree/a 644 old']);
  });

  it('a disk without room for one more name is STORAGE_FULL too', async ({ skip }) => {
    if (!isMounted) skip('mounting is not permitted here');
    const stage = await files.stageTree(treeAt(join(mounted, 'tree')), 'r1', never);
    const many = async (): Promise<void> => {
      for (let index = 0; index < 200; index++) await stage.put(file(`f${index}`, ''), bytes(), never);
    };
    await expect(many()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await stage.abort();
    expect(picture(mounted)).toEqual([]);
  });

  it('a full disk while the env file is staged leaves the old one alone', async ({ skip }) => {
    if (!isMounted) skip('mounting is not permitted here');
    await fill(mounted, { '.env': 'OLD=1' });
    const content = bytes(Buffer.alloc(2_000_000));
    await expect(files.stageFile(join(mounted, '.env'), 0o600, content, 'r1', never)).rejects.toMatchObject({
      code: 'STORAGE_FULL',
    });
    expect(picture(mounted)).toEqual(['/.env 644 OLD=1']);
  });

  it('a mount point, or a tree that contains one, is refused before anything is touched', async ({
    skip,
  }) => {
    if (!isMounted) skip('mounting is not permitted here');
    for (const path of [mounted, scratch]) {
      const trees = openFileTrees({ roots: ['/'] });
      await expect(trees.stageTree(treeAt(path), 'r1', never)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('mount point'),
      });
    }
    expect(picture(scratch)).toEqual(['/mounted 1777 dir']);
  });
});
