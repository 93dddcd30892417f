import { chmod, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTrees, TreeEntry } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import {
  age,
  collect,
  each,
  file,
  fill,
  makeScratch,
  never,
  removeScratch,
  touch,
  treeAt,
} from './scratch.ts';

let root: string;
let files: FileTrees;

beforeEach(async () => {
  root = await makeScratch();
  files = openFileTrees({ roots: [root] });
});
afterEach(() => removeScratch(root));

function walked(): Promise<TreeEntry[]> {
  return collect(files.walk(treeAt(root), () => {}, never));
}

describe('comparing a live tree with a bundle', () => {
  it('finds nothing where nothing changed', async () => {
    await fill(root, { 'a/b': '1', c: '2', 'é/🎉': '3' });
    await symlink('c', join(root, 'link'));
    expect(await files.compare(treeAt(root), each(await walked()), never)).toEqual({
      added: 0,
      changed: 0,
      removed: 0,
      unchanged: 6,
      examples: [],
    });
  });

  it('tells size, mode, time, link target and kind apart, and what came and went', async () => {
    for (const name of ['size', 'mode', 'time', 'kind', 'gone', 'same'])
      await fill(root, { [`d/${name}`]: 'x' });
    await symlink('a', join(root, 'd/link'));
    const kept = await walked();
    await writeFile(join(root, 'd/size'), 'xy');
    await chmod(join(root, 'd/mode'), 0o600);
    await age(join(root, 'd/time'));
    await rm(join(root, 'd/kind'));
    await symlink('x', join(root, 'd/kind'));
    await rm(join(root, 'd/gone'));
    await rm(join(root, 'd/link'));
    await symlink('b', join(root, 'd/link'));
    await fill(root, { 'd/new': 'n' });
    const difference = await files.compare(treeAt(root), each(kept), never);
    expect(difference).toMatchObject({ added: 1, changed: 6, removed: 1, unchanged: 1 });
    const examples = difference.examples.map(({ path, change }) => `${change} ${path}`).sort();
    expect(examples).toEqual([
      'ADDED d/gone',
      'CHANGED d',
      'CHANGED d/kind',
      'CHANGED d/link',
      'CHANGED d/mode',
      'CHANGED d/size',
      'CHANGED d/time',
      'REMOVED d/new',
    ]);
  });

  it('a time that was restored as closely as the system can is the same time', async () => {
    await fill(root, { a: '' });
    touch(join(root, 'a'), '1700000000.123456700');
    const kept = file('a', '', 0o644, '1700000000123456789');
    expect(await files.compare(treeAt(root), each([kept]), never)).toMatchObject({ unchanged: 1 });
    touch(join(root, 'a'), '1700000000.123455');
    expect(await files.compare(treeAt(root), each([kept]), never)).toMatchObject({ changed: 1 });
  });

  it('gives ten examples at most, some of each kind of change', async () => {
    await fill(root, Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`r${index}`, ''])));
    const kept = Array.from({ length: 30 }, (_, index) => file(`a${String(index).padStart(2, '0')}`, ''));
    const difference = await files.compare(treeAt(root), each(kept), never);
    expect(difference).toMatchObject({ added: 30, removed: 30 });
    expect(difference.examples.filter((example) => example.change === 'ADDED')).toHaveLength(5);
    expect(difference.examples.filter((example) => example.change === 'REMOVED')).toHaveLength(5);
  });

  it('does not count what the globs leave out as removed', async () => {
    await fill(root, { a: '1', 'cache/x': '2' });
    const kept = (await walked()).filter((entry) => entry.path === 'a');
    const tree = treeAt(root, { exclude: ['cache'] });
    expect(await files.compare(tree, each(kept), never)).toMatchObject({ removed: 0, unchanged: 1 });
    const inCache = [...kept, file('cache/x', '2')];
    expect(await files.compare(tree, each(inCache), never)).toMatchObject({ added: 0, changed: 1 });
  });

  it('everything is added where the tree does not exist', async () => {
    const tree = treeAt(join(root, 'new'));
    expect(await files.compare(tree, each([file('a', '')]), never)).toMatchObject({ added: 1, removed: 0 });
  });

  it('entries out of order, twice or outside the tree are refused, not miscounted', async () => {
    const compare = (...entries: TreeEntry[]) => files.compare(treeAt(root), each(entries), never);
    await expect(compare(file('b', ''), file('a', ''))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(compare(file('a', ''), file('a', ''))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(compare(file('../a', ''))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});
