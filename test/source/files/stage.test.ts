import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, link as hardLink, lstat, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTree, FileTrees, TreeEntry, TreeStage } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import {
  bytes,
  collect,
  directory,
  each,
  file,
  fill,
  isRoot,
  link,
  makeScratch,
  never,
  picture,
  removeScratch,
  touch,
  treeAt,
} from './scratch.ts';

let scratch: string;
let target: string;
let files: FileTrees;

beforeEach(async () => {
  scratch = await makeScratch();
  target = join(scratch, 'tree');
  await mkdir(target);
  files = openFileTrees({ roots: [scratch] });
});
afterEach(() => removeScratch(scratch));

async function stageOf(tree: FileTree = treeAt(target)): Promise<TreeStage> {
  return files.stageTree(tree, 'r1', never);
}

async function put(stage: TreeStage, entry: TreeEntry, content = ''): Promise<void> {
  await stage.put(entry, entry.kind === 'FILE' ? bytes(content) : undefined, never);
}

async function restore(
  entries: readonly [TreeEntry, string?][],
  tree: FileTree = treeAt(target),
): Promise<void> {
  const stage = await stageOf(tree);
  for (const [entry, content] of entries) await put(stage, entry, content);
  const plan = await stage.finish(never);
  await files.swap(plan);
  await files.discardPrevious(plan);
}

describe('staging a tree', () => {
  it('a walked tree comes back the same: kinds, content, modes, times, links, odd names', async () => {
    await fill(target, { '.env': 'S=1', '[...slug]/a..b': 'page', 'bin/tool': '#!/bin/sh', empty: '' });
    await mkdir(join(target, 'closed'));
    await writeFile(Buffer.concat([Buffer.from(`${target}/closed/caf`), Buffer.of(0xe9)]), 'latin');
    await writeFile(join(target, 'big'), Buffer.alloc(3_000_001, 'big'));
    await symlink('../outside', join(target, 'out'));
    await symlink(Buffer.of(0xff), join(target, 'bin/odd'));
    await chmod(join(target, 'bin/tool'), 0o4755);
    await chmod(join(target, '.env'), 0o600);
    await chmod(join(target, 'closed'), 0o2550);
    touch(join(target, 'bin/tool'), '1700000000.123456789');
    touch(join(target, 'empty'), '-1.5');
    touch(join(target, 'out'), '1600000000.5');
    touch(join(target, 'closed'), '1500000000.25');
    const before = picture(target);
    const entries = await collect(files.walk(treeAt(target), () => {}, never));

    const stage = await stageOf();
    for (const entry of entries) {
      const opened =
        entry.kind === 'FILE' ? await files.open(treeAt(target), entry.path, () => {}, never) : undefined;
      await stage.put(entry, opened?.content, never);
    }
    const plan = await stage.finish(never);
    await rm(target, { recursive: true });
    await files.swap(plan);

    expect(picture(target)).toEqual(before);
    expect(await files.compare(treeAt(target), each(entries), never)).toMatchObject({
      added: 0,
      changed: 0,
      removed: 0,
      unchanged: entries.length,
    });
  });

  it('replaces the whole tree, and leaves nothing beside it', async () => {
    await fill(target, { old: 'o', 'd/gone': 'g' });
    await chmod(target, 0o710);
    await restore([[directory('d', 0o700)], [file('d/new', 'n', 0o640), 'n']]);
    expect(picture(scratch)).toEqual(['/tree 710 dir', '/tree/d 700 dir', '/tree/d/new 640 n']);
  });

  it('makes a tree that does not exist yet', async () => {
    await rm(target, { recursive: true });
    await restore([[file('a', 'x'), 'x']]);
    expect(picture(scratch)).toEqual(['/tree 755 dir', '/tree/a 644 x']);
  });

  it('nobody else can look into the stage, and the target is untouched, until the swap', async () => {
    await fill(target, { a: 'old' });
    const stage = await stageOf();
    await put(stage, directory('d', 0o777));
    const staged = join(scratch, '.tree.holdfast-r1-new');
    expect(lstatSync(staged).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(staged, 'd')).mode & 0o777).toBe(0o700);
    await stage.finish(never);
    expect(picture(target)).toEqual(['/a 644 old']);
    await stage.abort();
  });

  it('a link to the tree is kept; what it leads to is replaced', async () => {
    await symlink(target, join(scratch, 'current'));
    await restore([[file('a', 'x'), 'x']], treeAt(join(scratch, 'current')));
    expect(picture(scratch)).toEqual([`/current -> ${target}`, '/tree 755 dir', '/tree/a 644 x']);
  });

  it.skipIf(!isRoot)('things keep their owners, new ones get that of their directory', async () => {
    await fill(target, { 'd/old': 'o' });
    for (const path of ['', 'd']) await chown(join(target, path), 1234, 1235);
    await chown(join(target, 'd/old'), 4321, 4322);
    await restore([
      [directory('d')],
      [file('d/new', ''), ''],
      [file('d/old', '', 0o4755), ''],
      [link('d/soft', 'old')],
    ]);
    const owners = await Promise.all(
      ['', 'd', 'd/new', 'd/old', 'd/soft'].map((path) => lstat(join(target, path))),
    );
    expect(owners.map(({ uid, gid }) => `${uid}:${gid}`)).toEqual([
      '1234:1235',
      '1234:1235',
      '1234:1235',
      '4321:4322',
      '1234:1235',
    ]);
    expect(lstatSync(join(target, 'd/old')).mode & 0o7777).toBe(0o4755);
  });
});

describe('what backups leave out', () => {
  const tree = () => treeAt(target, { exclude: ['cache', '**/*.log'] });

  it('survives a restore as it is: files, directories, links, modes', async () => {
    await fill(target, {
      'cache/deep/x': 'cached',
      'app/today.log': 'log',
      'app/page': 'old',
      'gone/y.log': 'kept',
    });
    await fill(target, { 'gone/z': 'z' });
    await symlink('/nowhere', join(target, 'cache/soft'));
    await mkdir(join(target, 'cache/empty'), { mode: 0o710 });
    await chmod(join(target, 'cache'), 0o701);
    await chmod(join(target, 'app/today.log'), 0o600);
    touch(join(target, 'cache/deep'), '1500000000.5');
    await restore([[directory('app')], [file('app/page', 'new'), 'new']], tree());
    expect(picture(scratch)).toEqual([
      '/tree 755 dir',
      '/tree/app 755 dir',
      '/tree/app/page 644 new',
      '/tree/app/today.log 600 log',
      '/tree/cache 701 dir',
      '/tree/cache/deep 755 dir',
      '/tree/cache/deep/x 644 cached',
      '/tree/cache/empty 710 dir',
      '/tree/cache/soft -> /nowhere',
      '/tree/gone 755 dir',
      '/tree/gone/y.log 644 kept',
    ]);
    expect((await stat(join(target, 'cache/deep'), { bigint: true })).mtimeNs).toBe(
      1_500_000_000_500_000_000n,
    );
  });

  it('is everything that include does not name', async () => {
    await fill(target, { 'docs/a': 'old', other: 'kept', 'x/y/z': 'kept too' });
    await restore(
      [[directory('docs')], [file('docs/b', 'b'), 'b']],
      treeAt(target, { include: ['docs/**'] }),
    );
    expect(picture(target)).toEqual([
      '/docs 755 dir',
      '/docs/b 644 b',
      '/other 644 kept',
      '/x 755 dir',
      '/x/y 755 dir',
      '/x/y/z 644 kept too',
    ]);
  });

  it('is linked, not copied: what is written to it during the restore is kept, and it costs no room', async () => {
    await fill(target, { 'a.log': 'one' });
    const stage = await stageOf(tree());
    const plan = await stage.finish(never);
    await writeFile(join(target, 'a.log'), ' two', { flag: 'a' });
    await files.swap(plan);
    expect(readFileSync(join(target, 'a.log'), 'utf8')).toBe('one two');
  });

  it('includes the sockets and pipes of a running application', async () => {
    execFileSync('mkfifo', [join(target, 'pipe')]);
    const server = createServer().listen(join(target, 'app.sock'));
    await new Promise((resolve) => server.once('listening', resolve));
    await restore([[file('a', ''), '']]);
    expect(picture(target)).toEqual(['/a 644 ', '/app.sock special', '/pipe special']);
    server.close();
  });

  it('gives way where the bundle holds the same path', async () => {
    await fill(target, { 'old.log': 'live' });
    await restore([[file('old.log', 'from the bundle'), 'from the bundle']], tree());
    expect(picture(target)).toEqual(['/old.log 644 from the bundle']);
  });

  it('never goes through a link of the bundle; the restore is refused with what to do', async () => {
    await fill(target, { 'app/a.log': 'log' });
    await mkdir(join(scratch, 'elsewhere'));
    const stage = await stageOf(tree());
    await put(stage, link('app', '../elsewhere'));
    await expect(stage.finish(never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      hint: expect.stringContaining('Move it away'),
    });
    await stage.abort();
    expect(picture(scratch)).toEqual([
      '/elsewhere 755 dir',
      '/tree 755 dir',
      '/tree/app 755 dir',
      '/tree/app/a.log 644 log',
    ]);
  });

  it.skipIf(!isRoot)('is copied where the file cannot be linked', async () => {
    // Hard links of one file are limited in number; here the limit of ext4 is not worth reaching, so another
    // user's file is used, which `fs.protected_hardlinks` keeps a plain user from linking.
    await fill(target, { 'theirs.log': 'kept' });
    await chmod(join(target, 'theirs.log'), 0o644);
    for (const path of [scratch, target]) await chown(path, 65_534, 65_534);
    const script = `
      import { openFileTrees } from '${join(import.meta.dirname, '../../../src/source/files/file-trees.ts')}';
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const signal = new AbortController().signal;
      const files = openFileTrees({ roots: [${JSON.stringify(scratch)}] });
      const tree = { name: 't', path: ${JSON.stringify(target)}, include: [], exclude: ['*.log'] };
      const stage = await files.stageTree(tree, 'r1', signal);
      await files.swap(await stage.finish(signal));`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script]);
    expect(picture(target)).toEqual(['/theirs.log 644 kept']);
  });
});

describe('what a stage refuses', () => {
  it('paths that are unsafe, whatever the bundle says', async () => {
    const stage = await stageOf();
    for (const path of [
      '',
      '/etc/x',
      '..',
      '../x',
      'a/../x',
      './x',
      'a//b',
      'a/',
      'a\0b',
      '\ud800',
      'x'.repeat(300),
    ]) {
      await expect(put(stage, file(path, '')), path).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    }
    for (const to of ['', 'a\0b', 'x'.repeat(5000)]) {
      await expect(put(stage, link('soft', to))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    }
    await stage.abort();
    expect(picture(scratch)).toEqual(['/tree 755 dir']);
  });

  it('to write through a link or a file', async () => {
    await mkdir(join(scratch, 'outside'));
    const stage = await stageOf();
    await put(stage, link('soft', join(scratch, 'outside')));
    await put(stage, file('plain', ''));
    for (const path of ['soft/x', 'plain/x', 'soft/a/b']) {
      await expect(put(stage, file(path, '')), path).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(put(stage, directory(path)), path).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    }
    await stage.abort();
    expect(readdirSync(join(scratch, 'outside'))).toEqual([]);
  });

  it('the same path twice, children before parents, content of another length, a time that is no number', async () => {
    const stage = await stageOf();
    await put(stage, file('a', ''));
    await put(stage, directory('d'));
    for (const twice of [file('a', ''), directory('a'), link('a', 'x'), directory('d'), file('d', '')]) {
      await expect(put(stage, twice)).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    }
    await expect(put(stage, file('no/parent', ''))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(put(stage, file('long', 'x'), 'xx')).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
    await expect(put(stage, file('short', 'xx'), 'x')).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
    await expect(put(stage, directory('time', 0o755, 'soon'))).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
    });
    await stage.abort();
  });

  it('a target outside the roots, of the wrong kind, or whose directory is missing', async () => {
    await fill(scratch, { plain: 'x' });
    const inside = openFileTrees({ roots: [target] });
    const refusal = (path: string, trees = files) => trees.stageTree(treeAt(path), 'r1', never);
    await expect(refusal(join(scratch, 'plain'), inside)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await expect(refusal(join(scratch, 'plain'))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(refusal(join(scratch, 'no/tree'))).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await expect(files.stageTree(treeAt(target), '../x', never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(picture(scratch)).toEqual(['/plain 644 x', '/tree 755 dir']);
  });

  it('a content that fails, with the error it failed with', async () => {
    const stage = await stageOf();
    const broken = (async function* () {
      yield Buffer.from('x');
      throw new RangeError('broken pipe of the test');
    })();
    await expect(stage.put(file('a', 'xx'), broken, never)).rejects.toThrow('broken pipe of the test');
    await stage.abort();
    expect(picture(scratch)).toEqual(['/tree 755 dir']);
  });

  it.skipIf(!isRoot)(
    'a directory around the target that cannot be written, before anything is touched',
    async () => {
      await fill(target, { a: 'a' });
      for (const path of [scratch, target]) await chmod(path, 0o755);
      const script = `
      import { openFileTrees } from '${join(import.meta.dirname, '../../../src/source/files/file-trees.ts')}';
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const files = openFileTrees({ roots: [${JSON.stringify(scratch)}] });
      const tree = { name: 't', path: ${JSON.stringify(target)}, include: [], exclude: [] };
      await files.stageTree(tree, 'r1', new AbortController().signal).catch((error) => console.log(error.code, error.hint));`;
      const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      expect(printed).toMatch(/^SOURCE_UNREACHABLE Give the user that runs Holdfast access/);
      expect(picture(scratch)).toEqual(['/tree 755 dir', '/tree/a 644 a']);
    },
  );
});

describe.skipIf(!isRoot)('a live file that no backup can read', () => {
  /** Restores `entries` over a tree with an unreadable `only.txt`, as a user who is not root. */
  async function restoreOver(entries: readonly string[], exclude: readonly string[] = []): Promise<string> {
    await fill(target, { 'only.txt': 'the only copy', 'old.txt': 'old' });
    for (const path of [scratch, target, join(target, 'only.txt'), join(target, 'old.txt')]) {
      await chown(path, 65_534, 65_534);
    }
    await chmod(join(target, 'only.txt'), 0o000);
    const script = `
      import { openFileTrees } from '${join(import.meta.dirname, '../../../src/source/files/file-trees.ts')}';
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const signal = new AbortController().signal;
      const files = openFileTrees({ roots: [${JSON.stringify(scratch)}] });
      const tree = { name: 't', path: ${JSON.stringify(target)}, include: [], exclude: ${JSON.stringify(exclude)} };
      const stage = await files.stageTree(tree, 'r1', signal);
      const attributes = { kind: 'FILE', mode: 0o644, mtimeNs: '0', sizeBytes: 3 };
      for (const path of ${JSON.stringify(entries)}) {
        await stage.put({ ...attributes, path }, (async function* () { yield Buffer.from('new'); })(), signal);
      }
      const plan = await stage.finish(signal).catch(async (error) => {
        console.log(error.code, error.message, error.hint);
        await stage.abort();
      });
      if (plan) { await files.swap(plan); await files.discardPrevious(plan); }`;
    return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  }

  it('is not taken away by a restore that does not bring it', async () => {
    const printed = await restoreOver(['new.txt']);
    expect(printed).toMatch(/^SOURCE_UNREACHABLE .*only\.txt" cannot be read .* exclude it from the tree/);
    expect(picture(scratch)).toEqual([
      '/tree 755 dir',
      '/tree/old.txt 644 old',
      '/tree/only.txt 0 the only copy',
    ]);
  });

  it('is replaced by a restore that brings it, and stays when it is left out', async () => {
    expect(await restoreOver(['only.txt'])).toBe('');
    expect(picture(target)).toEqual(['/only.txt 644 new']);
    expect(await restoreOver(['new.txt'], ['only.txt'])).toBe('');
    expect(picture(target)).toEqual(['/new.txt 644 new', '/only.txt 0 the only copy']);
  });
});

describe('giving up a stage', () => {
  it('leaves nothing, at any point, however often', async () => {
    await fill(target, { a: 'a', 'cache/x': 'x' });
    const before = picture(scratch);
    const begun = await stageOf();
    await begun.abort();
    await begun.abort();
    const filled = await stageOf();
    await put(filled, directory('closed', 0o000));
    await put(filled, file('closed/x', 'x'), 'x');
    await filled.abort();
    const finished = await stageOf(treeAt(target, { exclude: ['cache'] }));
    await put(finished, directory('closed', 0o000));
    await finished.finish(never);
    await finished.abort();
    expect(picture(scratch)).toEqual(before);
  });

  it.skipIf(!isRoot)(
    'removes directories that are closed to their own owner, for a user who is not root',
    async () => {
      await fill(target, { 'd/x': 'x' });
      for (const path of [scratch, target, join(target, 'd')]) await chown(path, 65_534, 65_534);
      await chmod(join(target, 'd'), 0o000);
      const script = `
      import { openFileTrees } from '${join(import.meta.dirname, '../../../src/source/files/file-trees.ts')}';
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const signal = new AbortController().signal;
      const files = openFileTrees({ roots: [${JSON.stringify(scratch)}] });
      const tree = { name: 't', path: ${JSON.stringify(join(target, 'new'))}, include: [], exclude: [] };
      const stage = await files.stageTree(tree, 'r1', signal);
      const attributes = { mode: 0, mtimeNs: '0' };
      await stage.put({ kind: 'DIRECTORY', path: 'closed', ...attributes }, undefined, signal);
      await stage.put({ kind: 'DIRECTORY', path: 'closed/too', ...attributes }, undefined, signal);
      await stage.finish(signal);
      await stage.abort();
      const whole = { name: 'w', path: ${JSON.stringify(target)}, include: [], exclude: [] };
      const plan = await (await files.stageTree({ ...whole, exclude: ['none'] }, 'r2', signal)).finish(signal)
        .catch((error) => console.log(error.code));
      if (plan) await files.swap(plan);`;
      const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      // What cannot be looked into cannot be kept: better no restore than one that loses it.
      expect(printed).toBe('SOURCE_UNREACHABLE\n');
      expect(readdirSync(target)).toEqual(['d']);
    },
  );

  it('a canceled stage stops and can be removed', async () => {
    const abort = new AbortController();
    const stage = await files.stageTree(treeAt(target), 'r1', abort.signal);
    const endless = (async function* () {
      for (;;) {
        yield Buffer.from('x');
        abort.abort();
      }
    })();
    const entry: TreeEntry = { ...file('a', ''), kind: 'FILE', sizeBytes: 1_000 };
    await expect(stage.put(entry, endless, abort.signal)).rejects.toMatchObject({ code: 'CANCELED' });
    await expect(stage.finish(abort.signal)).rejects.toMatchObject({ code: 'CANCELED' });
    await stage.abort();
    expect(picture(scratch)).toEqual(['/tree 755 dir']);
  });

  it('what a killed process left is swept, or replaced by the same restore begun again', async () => {
    const killed = await stageOf();
    await put(killed, file('half', ''));
    await files.sweep(target, 'other');
    expect(readdirSync(scratch)).toContain('.tree.holdfast-r1-new');
    await files.sweep(target, 'r1');
    await files.sweep(target, 'r1');
    expect(picture(scratch)).toEqual(['/tree 755 dir']);

    await put(await stageOf(), file('half', ''));
    const again = await stageOf();
    await put(again, file('whole', ''));
    await files.swap(await again.finish(never));
    expect(picture(target)).toEqual(['/whole 644 ']);
  });

  it('a swap that has begun is not swept', async () => {
    const plan = await (await stageOf()).finish(never);
    await files.swap(plan);
    await files.sweep(target, 'r1');
    expect(readdirSync(scratch)).toContain('.tree.holdfast-r1-old');
    await files.discardPrevious(plan);
  });

  it('removing the replaced tree does not follow its links or touch its other hard links', async () => {
    await fill(scratch, { 'outside/precious': 'p', elsewhere: 'e' });
    await symlink(join(scratch, 'outside'), join(target, 'soft'));
    await hardLink(join(scratch, 'elsewhere'), join(target, 'hard'));
    await restore([]);
    expect(picture(scratch)).toEqual([
      '/elsewhere 644 e',
      '/outside 755 dir',
      '/outside/precious 644 p',
      '/tree 755 dir',
    ]);
  });
});
