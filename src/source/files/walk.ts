/**
 * Walks a tree: depth first, names in byte order, a directory before what is in it. Memory holds the listing
 * of each directory on the way down and nothing else. Links are never followed.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { throwIfAborted } from '../../errors.ts';
import type { FileTree, SkippedEntry, TreeEntry } from '../file-trees.ts';
import { type HeldDirectory, holdChild, holdDirectory } from './held-directory.ts';
import { bytesToName, latin1ToName } from './name-bytes.ts';
import type { Selection } from './select.ts';
import { belongsToRestore } from './sibling-names.ts';
import { isMissing, sourceError, whySkipped } from './system-errors.ts';

const PERMISSIONS = 0o7777n;
/** How many names are examined at once. */
const BATCH = 32;
/** A slow reader (a backup writing big files) gets what stands on the disk now, not what stood there long ago. */
const FRESH_MS = 50;

/** One thing met on the way. */
export interface Visit {
  /** Relative to the tree. */
  readonly path: string;
  readonly stat: BigIntStats;
  /** A path for node:fs that cannot be turned into another by swapping a parent; until the walk goes on. */
  readonly at: string | Buffer;
}

/** How to go through a tree. */
export interface Route {
  /** False: not even looked at. */
  wants(path: string): boolean;
  /** True: a directory of this path is entered. */
  enters(path: string): boolean;
  /** What to do about something that cannot be read: note it, or throw. */
  onFailure(path: string, error: unknown): void;
}

interface Level {
  readonly directory: HeldDirectory;
  /** Relative path with its slash, `''` at the top. */
  readonly prefix: string;
  readonly names: readonly string[];
  next: number;
  batch: Examined[];
}

interface Examined {
  readonly name: string;
  readonly stat: BigIntStats | { readonly error: unknown };
  readonly examinedAt: number;
}

async function examine(directory: HeldDirectory, name: string): Promise<Examined> {
  const examinedAt = performance.now();
  const stat = await lstat(directory.child(name), { bigint: true }).catch((error: unknown) => ({ error }));
  return { name, stat, examinedAt };
}

async function openLevel(directory: HeldDirectory, prefix: string): Promise<Level> {
  try {
    return { directory, prefix, names: await directory.names(), next: 0, batch: [] };
  } catch (error) {
    await directory.handle.close();
    throw error;
  }
}

/** The next thing of a level that is wanted, freshly examined; undefined at its end. */
async function nextOf(level: Level, route: Route): Promise<Examined | undefined> {
  if (level.batch.length === 0) {
    const wanted: string[] = [];
    while (wanted.length < BATCH && level.next < level.names.length) {
      const name = latin1ToName(level.names[level.next] ?? '');
      level.next += 1;
      if (route.wants(level.prefix + name)) wanted.push(name);
    }
    level.batch = await Promise.all(wanted.map((name) => examine(level.directory, name)));
  }
  const examined = level.batch.shift();
  if (examined === undefined || performance.now() - examined.examinedAt < FRESH_MS) return examined;
  return examine(level.directory, examined.name);
}

/**
 * Goes through the directory at `root` (a real path) by `route`. A root that cannot be opened is thrown as the
 * system error it is.
 */
export async function* traverse(root: string, route: Route, signal: AbortSignal): AsyncGenerator<Visit> {
  const levels: Level[] = [await openLevel(await holdDirectory(root), '')];
  try {
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      throwIfAborted(signal);
      const examined = await nextOf(level, route);
      if (examined === undefined) {
        levels.pop();
        await level.directory.handle.close();
        continue;
      }
      const { name, stat } = examined;
      const path = level.prefix + name;
      if ('error' in stat) {
        route.onFailure(path, stat.error);
        continue;
      }
      yield { path, stat, at: level.directory.child(name) };
      if (!stat.isDirectory() || !route.enters(path)) continue;
      try {
        levels.push(await openLevel(await holdChild(level.directory, name), `${path}/`));
      } catch (error) {
        route.onFailure(path, error);
      }
    }
  } finally {
    await Promise.all(levels.map((level) => level.directory.handle.close()));
  }
}

/** Things that are neither file, directory nor link; undefined for those. */
export function specialKind(stat: BigIntStats): string | undefined {
  if (stat.isFile() || stat.isDirectory() || stat.isSymbolicLink()) return undefined;
  if (stat.isSocket()) return 'a socket';
  if (stat.isFIFO()) return 'a named pipe';
  return 'a device';
}

/** The entry for something met, given its kind is one that is backed up. */
async function entryOf({ path, stat, at }: Visit): Promise<TreeEntry> {
  const attributes = { path, mode: Number(stat.mode & PERMISSIONS), mtimeNs: String(stat.mtimeNs) };
  if (stat.isDirectory()) return { ...attributes, kind: 'DIRECTORY' };
  if (stat.isFile()) return { ...attributes, kind: 'FILE', sizeBytes: Number(stat.size) };
  const target = bytesToName(await readlink(at, { encoding: 'buffer' }));
  return { ...attributes, kind: 'SYMLINK', target };
}

/**
 * Everything of a tree that its backups hold. `root` is where the tree really is.
 * @throws HoldfastError SOURCE_UNREACHABLE when the tree itself cannot be read.
 */
export async function* walkTree(
  tree: FileTree,
  root: string,
  selection: Selection,
  onSkipped: (skipped: SkippedEntry) => void,
  signal: AbortSignal,
): AsyncGenerator<TreeEntry> {
  const onFailure = (path: string, error: unknown): void => {
    const reason = whySkipped(error);
    if (reason === undefined) throw error;
    onSkipped({ path, reason, ...(!isMissing(error) && { unread: true }) });
  };
  const route: Route = {
    wants: (path) => selection.takes(path) || selection.enters(path) || belongsToRestore(path),
    enters: (path) => selection.enters(path),
    onFailure,
  };
  try {
    for await (const visit of traverse(root, route, signal)) {
      const { path, stat } = visit;
      if (belongsToRestore(path)) {
        onSkipped({ path, reason: 'it is the staging area of a restore' });
        continue;
      }
      if (!(stat.isDirectory() ? selection.enters(path) : selection.takes(path))) continue;
      const special = specialKind(stat);
      if (special !== undefined) {
        onSkipped({ path, reason: `it is ${special}` });
        continue;
      }
      const entry = await entryOf(visit).catch((error: unknown) => onFailure(path, error));
      if (entry !== undefined) yield entry;
    }
  } catch (error) {
    throw sourceError(error, 'reading', tree.path);
  }
}
