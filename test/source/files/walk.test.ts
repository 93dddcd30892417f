import { execFileSync } from 'node:child_process';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTrees, SkippedEntry, TreeEntry } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import { compareInTreeOrder } from '../../../src/source/files/tree-order.ts';
import {
  collect,
  fill,
  isRoot,
  makeScratch,
  never,
  removeScratch,
  skippedList,
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

async function paths(globs: Parameters<typeof treeAt>[1] = {}): Promise<string[]> {
  const entries = await collect(files.walk(treeAt(root, globs), () => {}, never));
  return entries.map((entry) => entry.path);
}

describe('walking a tree', () => {
  it('gives every legal name: dotfiles, brackets, dots, line breaks, bytes that are not UTF-8', async () => {
    await fill(root, { '.env': '', '[...slug]/page': '', 'a..b': '', '...': '', 'line\nbreak': '', é: '' });
    await writeFile(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]), 'latin');
    expect(await paths()).toEqual([
      '...',
      '.env',
      '[...slug]',
      '[...slug]/page',
      'a..b',
      'caf\udce9',
      'line\nbreak',
      'é',
    ]);
  });

  it('goes depth first in byte order, parents before children, the same every time', async () => {
    await fill(root, { 'b/z': '', 'b/a/x': '', 'b!': '', 'b.txt': '', B: '', '🎉': '', '\uffee': '' });
    const walked = await paths();
    expect(walked).toEqual(['B', 'b', 'b/a', 'b/a/x', 'b/z', 'b!', 'b.txt', '\uffee', '🎉']);
    expect([...walked].sort(compareInTreeOrder)).toEqual(walked);
  });

  it('keeps order and completeness in a directory of many names', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `f${index}`);
    await fill(root, Object.fromEntries(names.map((name) => [name, ''])));
    expect(await paths()).toEqual(names.sort());
  });

  it('tells kind, size, mode and time to the nanosecond', async () => {
    await fill(root, { 'd/tool': '12345', 'd/empty': '' });
    await chmod(join(root, 'd/tool'), 0o4755);
    await chmod(join(root, 'd/empty'), 0o600);
    await chmod(join(root, 'd'), 0o1750);
    touch(join(root, 'd/tool'), '1700000000.123456789');
    touch(join(root, 'd/empty'), '-1.5');
    touch(join(root, 'd'), '1600000000.000000001');
    expect(await collect(files.walk(treeAt(root), () => {}, never))).toEqual([
      { kind: 'DIRECTORY', path: 'd', mode: 0o1750, mtimeNs: '1600000000000000001' },
      { kind: 'FILE', path: 'd/empty', mode: 0o600, mtimeNs: '-1500000000', sizeBytes: 0 },
      { kind: 'FILE', path: 'd/tool', mode: 0o4755, mtimeNs: '1700000000123456789', sizeBytes: 5 },
    ]);
  });

  it('gives links as links and follows none: not out, not in, not to themselves', async () => {
    await fill(root, { 'in/file': 'x' });
    await symlink('/etc', join(root, 'out'));
    await symlink('in', join(root, 'to-in'));
    await symlink('.', join(root, 'loop'));
    await symlink(Buffer.of(0x78, 0xff), join(root, 'odd'));
    const entries = await collect(files.walk(treeAt(root), () => {}, never));
    const links = entries.flatMap((entry) => (entry.kind === 'SYMLINK' ? [[entry.path, entry.target]] : []));
    expect(entries.map((entry) => entry.path)).toEqual(['in', 'in/file', 'loop', 'odd', 'out', 'to-in']);
    expect(links).toEqual([
      ['loop', '.'],
      ['odd', 'x\udcff'],
      ['out', '/etc'],
      ['to-in', 'in'],
    ]);
  });

  it('takes what the globs select, and does not enter what they exclude', async () => {
    await fill(root, { 'src/a.ts': '', 'src/node_modules/x/y.ts': '', 'docs/b.md': '', 'c.ts': '' });
    expect(await paths({ include: ['**/*.ts'], exclude: ['**/node_modules'] })).toEqual([
      'c.ts',
      'docs',
      'src',
      'src/a.ts',
    ]);
    expect(await paths({ include: ['src/*.ts'] })).toEqual(['src', 'src/a.ts']);
  });

  it('lists sockets and pipes as skipped, with the reason', async () => {
    await fill(root, { a: '' });
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const server = createServer().listen(join(root, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const { list, note } = skippedList();
    const entries = await collect(files.walk(treeAt(root), note, never));
    server.close();
    expect(entries.map((entry) => entry.path)).toEqual(['a']);
    expect(list).toEqual([
      { path: 'pipe', reason: 'it is a named pipe' },
      { path: 'socket', reason: 'it is a socket' },
    ]);
  });

  it('does not back up the staging area of a restore, and says so', async () => {
    await fill(root, { 'up/a': '', '.up.holdfast-r1-new/a': '', 'x/.y.holdfast-r1-old': '' });
    const { list, note } = skippedList();
    const entries = await collect(files.walk(treeAt(root), note, never));
    expect(entries.map((entry) => entry.path)).toEqual(['up', 'up/a', 'x']);
    expect(list.map((skipped) => skipped.path)).toEqual(['.up.holdfast-r1-new', 'x/.y.holdfast-r1-old']);
  });

  it('a directory that vanishes while it is walked is skipped and named; the rest is still taken', async () => {
    await fill(root, { 'a/x': '', 'b/y': '', 'c/z': '' });
    const { list, note } = skippedList();
    const seen: string[] = [];
    for await (const entry of files.walk(treeAt(root), note, never)) {
      seen.push(entry.path);
      if (entry.path === 'b') await rm(join(root, 'b'), { recursive: true });
    }
    expect(seen).toEqual(['a', 'a/x', 'b', 'c', 'c/z']);
    expect(list).toEqual([{ path: 'b', reason: 'it vanished while the tree was read' }]);
  });

  it('a directory swapped for a link while it is walked does not lead out', async () => {
    await fill(root, { 'tree/a/x': '', 'tree/b/y': '', 'secret/s': '' });
    const { list, note } = skippedList();
    const seen: string[] = [];
    for await (const entry of files.walk(treeAt(join(root, 'tree')), note, never)) {
      seen.push(entry.path);
      if (entry.path === 'b') {
        await rename(join(root, 'tree/b'), join(root, 'moved'));
        await symlink(join(root, 'secret'), join(root, 'tree/b'));
      }
    }
    expect(seen).toEqual(['a', 'a/x', 'b']);
    expect(list.map((skipped) => skipped.path)).toEqual(['b']);
  });

  it.skipIf(!isRoot)('what may not be read is skipped and named, by a user who is not root', async () => {
    await fill(root, { 'open/a': 'a', 'locked/b': 'b', 'locked-file': 'c' });
    await chmod(join(root, 'locked'), 0o000);
    await chmod(join(root, 'locked-file'), 0o000);
    await chmod(root, 0o755);
    const report = asNobody(root);
    expect(report.entries.map((entry) => entry.path)).toEqual(['locked', 'locked-file', 'open', 'open/a']);
    expect(report.skipped).toEqual([
      { path: 'locked', reason: 'it cannot be read: permission denied', unread: true },
      { path: 'locked-file', reason: 'it cannot be read: permission denied', unread: true },
    ]);
    expect(report.contents).toEqual(['a']);
  });

  it('a tree that is not there is SOURCE_UNREACHABLE and named as it was configured', async () => {
    const walk = collect(files.walk(treeAt(join(root, 'gone')), () => {}, never));
    await expect(walk).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining(join(root, 'gone')),
    });
  });

  it('stops when it is canceled', async () => {
    await fill(root, { a: '', b: '', c: '' });
    const abort = new AbortController();
    const seen: string[] = [];
    const walking = (async () => {
      for await (const entry of files.walk(treeAt(root), () => {}, abort.signal)) {
        seen.push(entry.path);
        abort.abort();
      }
    })();
    await expect(walking).rejects.toMatchObject({ code: 'CANCELED' });
    expect(seen).toEqual(['a']);
  });

  it('reaches the bottom of a deep tree', async () => {
    const deep = Array.from({ length: 120 }, (_, depth) => `d${depth}`).join('/');
    await mkdir(join(root, deep), { recursive: true });
    expect((await paths()).at(-1)).toBe(deep);
  });
});

interface Report {
  entries: TreeEntry[];
  skipped: SkippedEntry[];
  contents: string[];
}

/** Walks and reads a tree in a child process of another user. */
function asNobody(tree: string): Report {
  const script = `
    import { openFileTrees } from '${join(import.meta.dirname, '../../../src/source/files/file-trees.ts')}';
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    const tree = { name: 't', path: ${JSON.stringify(tree)}, include: [], exclude: [] };
    const files = openFileTrees({ roots: [tree.path] });
    const signal = new AbortController().signal;
    const skipped = []; const note = (entry) => skipped.push(entry);
    const entries = await Array.fromAsync(files.walk(tree, note, signal));
    const contents = [];
    for (const entry of entries.filter((entry) => entry.kind === 'FILE')) {
      const opened = await files.open(tree, entry.path, note, signal);
      if (opened) contents.push(Buffer.concat(await Array.fromAsync(opened.content)).toString());
    }
    console.log(JSON.stringify({ entries, skipped, contents }));`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  // The script above prints exactly this.
  return JSON.parse(printed) as Report;
}
