import { lstatSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileTrees, SwapPlan } from '../../../src/source/file-trees.ts';
import { openFileTrees } from '../../../src/source/files/file-trees.ts';
import { bytes, file, fill, makeScratch, never, picture, removeScratch, treeAt } from './scratch.ts';

const OLD = ['/tree 755 dir', '/tree/a 644 old'];
const NEW = ['/tree 755 dir', '/tree/a 644 new'];

let scratch: string;
let target: string;
let files: FileTrees;

beforeEach(async () => {
  scratch = await makeScratch();
  target = join(scratch, 'tree');
  files = openFileTrees({ roots: [scratch] });
});
afterEach(() => removeScratch(scratch));

async function staged(): Promise<SwapPlan> {
  const stage = await files.stageTree(treeAt(target), 'r1', never);
  await stage.put(file('a', 'new'), bytes('new'), never);
  // The plan is kept in a journal: it has to survive JSON.
  return JSON.parse(JSON.stringify(await stage.finish(never))) as SwapPlan;
}

/** The steps of a swap by hand; a crash happens after the first so many of them. */
const overExisting: readonly ((plan: SwapPlan) => void)[] = [
  ({ target: to, previous }) => renameSync(to, previous),
  ({ target: to, staged: from }) => renameSync(from, to),
];
const overNothing: readonly ((plan: SwapPlan) => void)[] = [
  ({ previous }) => symlinkSync('holdfast:nothing-was-here', previous),
  ({ target: to, staged: from }) => renameSync(from, to),
];
/** The steps of putting back, after a whole swap. */
const backOverExisting: readonly ((plan: SwapPlan) => void)[] = [
  ({ target: to, staged: from }) => renameSync(to, from),
  ({ target: to, previous }) => renameSync(previous, to),
  ({ staged: from }) => renameSync(from, from.replace(/-new$/, '-gone')),
];
const backOverNothing: readonly ((plan: SwapPlan) => void)[] = [
  ({ target: to, staged: from }) => renameSync(to, from),
  ({ previous }) => rmSync(previous),
  ({ staged: from }) => renameSync(from, from.replace(/-new$/, '-gone')),
];

const situations = [
  {
    name: 'over an existing tree',
    exists: true,
    before: OLD,
    forward: overExisting,
    backward: backOverExisting,
  },
  { name: 'where nothing was', exists: false, before: [], forward: overNothing, backward: backOverNothing },
] as const;

describe.each(situations)('a swap $name', ({ exists, before, forward, backward }) => {
  beforeEach(async () => {
    if (exists) await fill(target, { a: 'old' });
  });

  it.each([0, 1, 2])('crashed after step %i is finished by swap(), again and again', async (steps) => {
    const plan = await staged();
    for (const step of forward.slice(0, steps)) step(plan);
    await files.swap(plan);
    await files.swap(plan);
    expect(picture(target)).toEqual(['/a 644 new']);
    await files.discardPrevious(plan);
    await files.discardPrevious(plan);
    await files.swap(plan);
    expect(picture(scratch)).toEqual(NEW);
  });

  it.each([0, 1, 2])('crashed after step %i is undone by swapBack(), again and again', async (steps) => {
    const plan = await staged();
    for (const step of forward.slice(0, steps)) step(plan);
    await files.swapBack(plan);
    await files.swapBack(plan);
    expect(picture(scratch)).toEqual(before);
  });

  it.each([1, 2, 3])('whose undoing crashed after step %i is undone all the same', async (steps) => {
    const plan = await staged();
    await files.swap(plan);
    for (const step of backward.slice(0, steps)) step(plan);
    await files.swapBack(plan);
    expect(picture(scratch)).toEqual(before);
  });

  it('can be undone until the replaced tree is discarded', async () => {
    const plan = await staged();
    await files.swap(plan);
    await files.swapBack(plan);
    expect(picture(scratch)).toEqual(before);
  });

  it('is completed both ways although an application made a new tree in its middle; nothing of that is lost', async () => {
    for (const direction of ['swap', 'swapBack'] as const) {
      await rm(scratch, { recursive: true });
      await mkdir(scratch);
      if (exists) await fill(target, { a: 'old' });
      const plan = await staged();
      forward[0]?.(plan);
      await fill(target, { log: 'made in the middle' });
      await files[direction](plan);
      if (direction === 'swap') await files.discardPrevious(plan);
      expect(picture(scratch)).toEqual([
        '/.tree.holdfast-r1-aside 755 dir',
        '/.tree.holdfast-r1-aside/log 644 made in the middle',
        ...(direction === 'swap' ? NEW : before),
      ]);
    }
  });

  it('takes no notice of an empty directory that an application made in its middle', async () => {
    const plan = await staged();
    forward[0]?.(plan);
    await mkdir(target);
    await files.swap(plan);
    await files.discardPrevious(plan);
    expect(picture(scratch)).toEqual(NEW);
  });

  it('does not lose the old tree to a discard that comes too early', async () => {
    const plan = await staged();
    forward[0]?.(plan);
    await expect(files.discardPrevious(plan)).rejects.toMatchObject({ code: 'SOURCE_BUSY' });
    await files.swapBack(plan);
    expect(picture(scratch)).toEqual(before);
  });

  it('whose discard crashed half-way is discarded by the next call', async () => {
    const plan = await staged();
    await files.swap(plan);
    await rename(plan.previous, plan.previous.replace(/-old$/, '-gone'));
    await files.discardPrevious(plan);
    expect(picture(scratch)).toEqual(NEW);
  });

  it('is not begun over when the restore begins again', async () => {
    const plan = await staged();
    forward[0]?.(plan);
    await expect(files.stageTree(treeAt(target), 'r1', never)).rejects.toMatchObject({ code: 'SOURCE_BUSY' });
    await files.swapBack(plan);
  });
});

describe('a swap plan', () => {
  it('whose stage was removed is an error, and can still be undone', async () => {
    await fill(target, { a: 'old' });
    const plan = await staged();
    overExisting[0]?.(plan);
    await rm(plan.staged, { recursive: true });
    await expect(files.swap(plan)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await files.swapBack(plan);
    expect(picture(scratch)).toEqual(OLD);
  });

  it('that reaches outside the roots or names other places is refused', async () => {
    await fill(target, { a: 'old' });
    await fill(scratch, { 'outside/.x.holdfast-r1-new': '', 'other/x': '' });
    const plan = await staged();
    const narrow = openFileTrees({ roots: [join(scratch, 'other')] });
    const refused = [
      () => narrow.swap(plan),
      () => narrow.swapBack(plan),
      () => narrow.discardPrevious(plan),
      () => files.swap({ ...plan, staged: join(scratch, 'outside') }),
      () => files.swapBack({ ...plan, staged: join(scratch, 'outside/.x.holdfast-r1-new') }),
      () => files.discardPrevious({ ...plan, previous: join(scratch, 'other') }),
    ];
    for (const call of refused) await expect(call()).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await symlink(join(scratch, 'other'), join(scratch, 'link'));
    const moved = (path: string) => path.replace(scratch, join(scratch, 'link'));
    const through = {
      target: moved(plan.target),
      staged: moved(plan.staged),
      previous: moved(plan.previous),
    };
    await expect(files.swap(through)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    expect(readdirSync(scratch).sort()).toEqual([
      '.tree.holdfast-r1-new',
      'link',
      'other',
      'outside',
      'tree',
    ]);
  });

  it('works for a tree that is itself a root, and for names as long as they get', async () => {
    const long = join(scratch, 'n'.repeat(255));
    for (const path of [target, long]) {
      await fill(path, { a: 'old' });
      const rooted = openFileTrees({ roots: [path] });
      const stage = await rooted.stageTree(treeAt(path), 'r1', never);
      await stage.put(file('a', 'new'), bytes('new'), never);
      const plan = await stage.finish(never);
      await rooted.swap(plan);
      await rooted.discardPrevious(plan);
      expect(picture(path)).toEqual(['/a 644 new']);
    }
    expect(readdirSync(scratch)).toHaveLength(2);
  });
});

describe('a single file', () => {
  const stageEnv = (path: string, mode = 0o600) =>
    files.stageFile(path, mode, bytes('NEW=', '1'), 'r1', never);

  it('is made with its mode, replaced and put back like a tree', async () => {
    const path = join(scratch, '.env');
    const made = await stageEnv(path);
    expect(lstatSync(made.staged).mode & 0o777).toBe(0o600);
    await files.swap(made);
    await files.discardPrevious(made);
    expect(picture(scratch)).toEqual(['/.env 600 NEW=1']);

    await writeFile(path, '');
    const replaced = await stageEnv(path, 0o640);
    await files.swap(replaced);
    expect(picture(scratch).slice(0, 1)).toEqual(['/..env.holdfast-r1-old 600 ']);
    await files.swapBack(replaced);
    expect(picture(scratch)).toEqual(['/.env 600 ']);
  });

  it('behind a link is replaced where it is, and the link stays', async () => {
    await fill(scratch, { 'shared/env': 'OLD=1' });
    await symlink('shared/env', join(scratch, '.env'));
    const plan = await stageEnv(join(scratch, '.env'));
    await files.swap(plan);
    await files.discardPrevious(plan);
    expect(picture(scratch)).toEqual(['/.env -> shared/env', '/shared 755 dir', '/shared/env 600 NEW=1']);
  });

  it('is refused where a directory is, outside the roots, and without a directory to be in', async () => {
    await mkdir(join(scratch, 'd'));
    await symlink('/nowhere', join(scratch, 'broken'));
    await expect(stageEnv(join(scratch, 'd'))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(stageEnv('/etc/holdfast-test')).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await expect(stageEnv(join(scratch, 'broken'))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await expect(stageEnv(join(scratch, 'no/.env'))).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(readdirSync(scratch).sort()).toEqual(['broken', 'd']);
  });

  it('whose content fails leaves nothing', async () => {
    const broken = (async function* () {
      yield Buffer.from('x');
      throw new RangeError('broken');
    })();
    const staging = files.stageFile(join(scratch, '.env'), 0o600, broken, 'r1', never);
    await expect(staging).rejects.toThrow('broken');
    expect(readdirSync(scratch)).toEqual([]);
  });
});
