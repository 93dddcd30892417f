import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTrees } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import { collect, fill, makeScratch, never, removeScratch, skippedList, treeAt } from './scratch.ts';

let scratch: string;
let root: string;
let files: FileTrees;

beforeEach(async () => {
  scratch = await makeScratch();
  root = join(scratch, 'root');
  await fill(scratch, { 'root/tree/a.txt': 'a', 'outside/secret': 's', 'root2/x': 'x' });
  files = openFileTrees({ roots: [root] });
});
afterEach(() => removeScratch(scratch));

describe('paths inside the configured roots', () => {
  it('passes directories, files and files that are yet to be made', async () => {
    await files.check(join(root, 'tree'), 'DIRECTORY');
    await files.check(root, 'DIRECTORY');
    await files.check(join(root, 'tree/a.txt'), 'FILE');
    await files.check(join(root, 'tree/new.env'), 'NEW_FILE');
    await files.check(join(root, 'tree/a.txt'), 'NEW_FILE');
  });

  it('refuses what is outside, whether it exists or not, in the same words', async () => {
    await symlink(join(scratch, 'outside'), join(root, 'way-out'));
    await symlink('/nowhere/at/all', join(root, 'broken'));
    const outside = [
      join(scratch, 'outside'),
      join(scratch, 'outside/missing'),
      join(scratch, 'root2'),
      scratch,
      '/',
      join(root, '../outside'),
      join(root, 'way-out'),
      join(root, 'way-out/secret'),
      join(root, 'broken'),
      join(root, 'broken/child'),
    ];
    for (const path of outside) {
      const refused = await files.check(path, 'NEW_FILE').catch((error: unknown) => error);
      expect(refused, path).toMatchObject({ code: 'UNSAFE_PATH' });
      expect(String(refused)).not.toContain('/nowhere');
    }
  });

  it('refuses relative paths, missing ones and ones of the wrong kind, each with its own code', async () => {
    await expect(files.check('tree', 'DIRECTORY')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(files.check(join(root, 'no'), 'DIRECTORY')).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
    await expect(files.check(join(root, 'no/no'), 'NEW_FILE')).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
    await expect(files.check(join(root, 'tree'), 'FILE')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(files.check(join(root, 'tree/a.txt'), 'DIRECTORY')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  it('without roots nothing is allowed, with "/" everything', async () => {
    await expect(openFileTrees({ roots: [] }).check(root, 'DIRECTORY')).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
    });
    await openFileTrees({ roots: ['/'] }).check(root, 'DIRECTORY');
    expect(() => openFileTrees({ roots: ['data'] })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    );
  });

  it('a tree behind a link is read when the link stays inside, and refused when it leads out', async () => {
    await symlink(join(root, 'tree'), join(root, 'current'));
    await symlink(join(scratch, 'outside'), join(root, 'leak'));
    const { list, note } = skippedList();
    const entries = await collect(files.walk(treeAt(join(root, 'current')), note, never));
    expect(entries.map((entry) => entry.path)).toEqual(['a.txt']);
    expect(list).toEqual([]);
    await expect(collect(files.walk(treeAt(join(root, 'leak')), note, never))).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
    });
  });

  it('a root that is itself a link counts by where it leads', async () => {
    await symlink(root, join(scratch, 'linked-root'));
    const linked = openFileTrees({ roots: [join(scratch, 'linked-root')] });
    await linked.check(join(scratch, 'linked-root/tree'), 'DIRECTORY');
    await linked.check(join(root, 'tree'), 'DIRECTORY');
  });

  it('a file is not opened through a directory that became a link after the walk', async () => {
    await fill(root, { 'tree/sub/file': 'mine' });
    await mkdir(join(scratch, 'trap'));
    await writeFile(join(scratch, 'trap/file'), 'not yours');
    const tree = treeAt(join(root, 'tree'));
    const { list, note } = skippedList();
    await collect(files.walk(tree, note, never));
    await rename(join(root, 'tree/sub'), join(scratch, 'moved'));
    await symlink(join(scratch, 'trap'), join(root, 'tree/sub'));
    expect(await files.open(tree, 'sub/file', note, never)).toBeUndefined();
    expect(list.map((skipped) => skipped.path)).toEqual(['sub/file']);
  });

  it('a path that leaves its tree is never opened', async () => {
    const { note } = skippedList();
    for (const path of ['../root2/x', '/etc/passwd', 'a/../../x', '', 'a//b', './a', 'a\0b']) {
      await expect(files.open(treeAt(join(root, 'tree')), path, note, never), path).rejects.toMatchObject({
        code: 'UNSAFE_PATH',
      });
    }
  });
});

describe("directories of Holdfast's own", () => {
  it('are not backed up or replaced, nor is anything in or around them, links resolved', async () => {
    await fill(scratch, { 'root/app/holdfast/catalog.sqlite': 'c', 'root/app/uploads/a': 'a' });
    await symlink(join(root, 'app'), join(root, 'way-around'));
    await symlink(join(root, 'app/holdfast'), join(scratch, 'data'));
    const apart = openFileTrees({ roots: [root], forbidden: [join(scratch, 'data')] });
    const refused = {
      code: 'UNSAFE_PATH',
      message: expect.stringContaining('Holdfast keeps its own data'),
    };
    for (const path of [join(root, 'app/holdfast'), join(root, 'app'), join(root, 'way-around'), root]) {
      const tree = treeAt(path);
      await expect(apart.check(path, 'DIRECTORY'), path).rejects.toMatchObject(refused);
      await expect(collect(apart.walk(tree, skippedList().note, never)), path).rejects.toMatchObject(refused);
      await expect(apart.stageTree(tree, 'r1', never), path).rejects.toMatchObject(refused);
    }
    const file = join(root, 'way-around/holdfast/catalog.sqlite');
    await expect(apart.check(file, 'FILE')).rejects.toMatchObject(refused);
    await expect(apart.check(join(root, 'app/holdfast/new'), 'NEW_FILE')).rejects.toMatchObject(refused);
    await apart.check(join(root, 'app/uploads'), 'DIRECTORY');
  });

  it('are not moved by a swap whose target came to hold them after it was staged', async () => {
    const own = join(root, 'tree/holdfast');
    const plan = await (await files.stageTree(treeAt(join(root, 'tree')), 'r1', never)).finish(never);
    await mkdir(own);
    const apart = openFileTrees({ roots: [root], forbidden: [own] });
    await expect(apart.swap(plan)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});
