/**
 * Brings what backups leave out from the live tree into the stage, so that a restore does not take it away:
 * what the globs leave out, staging areas of other restores, and sockets, pipes and devices. Files are hard
 * links wherever possible: they cost no room, and what an application still writes into them is kept too.
 * Where the bundle holds the same path, the bundle wins.
 */
import { type BigIntStats, constants } from 'node:fs';
import { link, lstat, open, readlink } from 'node:fs/promises';
import { HoldfastError, systemErrorCode } from '../../errors.ts';
import { bytesToName, printable } from './name-bytes.ts';
import type { Selection } from './select.ts';
import { canSetOwner, type StageArea } from './stage-area.ts';
import { isMissing, sourceError } from './system-errors.ts';
import { specialKind, traverse, type Visit } from './walk.ts';
import { type Attributes, writeContent } from './write-file.ts';

const PERMISSIONS = 0o7777n;
/** Hard links can be refused: by the file system, between mounts, by `fs.protected_hardlinks`, by their number. */
const NOT_LINKABLE = new Set(['EPERM', 'EACCES', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function attributesOf(stat: BigIntStats): Attributes & { mtimeNs: string } {
  return {
    mode: Number(stat.mode & PERMISSIONS),
    mtimeNs: String(stat.mtimeNs),
    owner: canSetOwner() ? { uid: Number(stat.uid), gid: Number(stat.gid) } : undefined,
  };
}

/** Undefined when the call failed because something is there already. */
async function unlessThere<T>(made: Promise<T>): Promise<T | undefined> {
  try {
    return await made;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/** One directory on the way down to what is being carried. */
interface Ancestor {
  readonly path: string;
  readonly stat: BigIntStats;
}

/** Carries things from a live tree into a stage. */
class Carrier {
  readonly #stage: StageArea;
  readonly #label: string;
  readonly #signal: AbortSignal;
  #ancestors: Ancestor[] = [];

  constructor(stage: StageArea, label: string, signal: AbortSignal) {
    this.#stage = stage;
    this.#label = label;
    this.#signal = signal;
  }

  /** Tells where the walk is, whether or not anything there is carried. */
  pass({ path, stat }: Visit): void {
    this.#ancestors = this.#ancestors.filter((ancestor) => path.startsWith(`${ancestor.path}/`));
    if (stat.isDirectory()) this.#ancestors.push({ path, stat });
  }

  async carry(visit: Visit): Promise<void> {
    const { path, stat } = visit;
    await this.#makeParents(path);
    if (stat.isDirectory()) await this.#makeDirectory({ path, stat });
    else if (stat.isSymbolicLink()) await this.#carryLink(visit);
    else await this.#carryFile(visit);
  }

  /**
   * Refuses when a live file is in no bundle because nobody could read it: the restore would take away the only
   * copy there is. Call it for files that the stage does not get from here.
   */
  async requireExpendable({ path, at }: Visit): Promise<void> {
    try {
      await (await open(at, READ)).close();
    } catch (error) {
      if (isMissing(error) || (await this.#isStaged(path))) return;
      throw new HoldfastError(
        'SOURCE_UNREACHABLE',
        `"${printable(`${this.#label}/${path}`)}" cannot be read and is not in the backup, so the restore would take away its only copy.`,
        {
          hint: 'Give the user that runs Holdfast permission to read it, or exclude it from the tree so that it stays. Nothing was replaced.',
          cause: error,
        },
      );
    }
  }

  async #isStaged(path: string): Promise<boolean> {
    if ((await this.#stage.parentState(path)) !== 'DIRECTORY') return false;
    const staged = await lstat(this.#stage.at(path)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    return staged !== undefined;
  }

  async #makeParents(path: string): Promise<void> {
    const state = await this.#stage.parentState(path);
    if (state === 'OCCUPIED') throw this.#occupied(path);
    if (state === 'DIRECTORY') return;
    for (const ancestor of this.#ancestors) {
      if (ancestor.path !== path) await this.#makeDirectory(ancestor);
    }
  }

  async #makeDirectory({ path, stat }: Ancestor): Promise<void> {
    const made = await unlessThere(this.#stage.makeDirectory(path, attributesOf(stat)).then(() => true));
    if (made === undefined && (await this.#stage.parentState(`${path}/`)) !== 'DIRECTORY') {
      throw this.#occupied(path);
    }
  }

  async #carryLink({ path, stat, at }: Visit): Promise<void> {
    const target = bytesToName(await readlink(at, { encoding: 'buffer' }));
    const { mtimeNs, owner } = attributesOf(stat);
    await unlessThere(this.#stage.makeLink(path, target, mtimeNs, owner));
  }

  async #carryFile({ path, stat, at }: Visit): Promise<void> {
    try {
      await unlessThere(link(at, this.#stage.at(path)));
    } catch (error) {
      if (!NOT_LINKABLE.has(systemErrorCode(error) ?? '')) throw error;
      // Whoever made a socket, pipe or device makes it anew; there is nothing in it to lose.
      if (specialKind(stat) === undefined) await this.#copy(path, stat, at);
    }
  }

  async #copy(path: string, stat: BigIntStats, at: string | Buffer): Promise<void> {
    const label = `${this.#label}/${path}`;
    const source = await open(at, READ);
    // A read stream without an encoding gives Buffers.
    const content: AsyncIterable<Buffer> = source.createReadStream();
    const copied = writeContent(this.#stage.at(path), content, undefined, label, this.#signal);
    try {
      const handle = await unlessThere(copied);
      if (handle !== undefined) await this.#stage.settle(handle, attributesOf(stat), label);
    } finally {
      await source.close();
    }
  }

  #occupied(path: string): HoldfastError {
    const label = printable(`${this.#label}/${path}`);
    return new HoldfastError(
      'INVALID_INPUT',
      `"${label}" is left out of backups and stays, but the bundle holds a file or link where a directory is needed for it.`,
      { hint: 'Move it away, or change the globs of the tree so that it is part of the backup.' },
    );
  }
}

/**
 * Carries what is left out of backups from the live tree at `root` into `stage`, which holds all of the bundle.
 * @throws HoldfastError SOURCE_UNREACHABLE when something cannot be kept, or would be lost because it can be read
 * by no backup; STORAGE_FULL; INVALID_INPUT when the
 * bundle holds a file where a directory has to stay; CANCELED.
 */
export async function carryOver(
  root: string,
  stage: StageArea,
  selection: Selection,
  label: string,
  signal: AbortSignal,
): Promise<void> {
  const everywhere = {
    wants: () => true,
    enters: () => true,
    onFailure: (path: string, error: unknown): void => {
      // What vanished needs no keeping; what cannot be read would be lost.
      if (systemErrorCode(error) !== 'ENOENT') throw sourceError(error, 'keeping', `${label}/${path}`);
    },
  };
  const carrier = new Carrier(stage, label, signal);
  try {
    for await (const visit of traverse(root, everywhere, signal)) {
      const { path, stat } = visit;
      carrier.pass(visit);
      const isBackedUp = stat.isDirectory()
        ? selection.enters(path)
        : selection.takes(path) && specialKind(stat) === undefined;
      if (isBackedUp) {
        if (stat.isFile()) await carrier.requireExpendable(visit);
        continue;
      }
      await carrier.carry(visit).catch((error: unknown) => {
        everywhere.onFailure(path, error);
      });
    }
  } catch (error) {
    throw sourceError(error, 'keeping what backups leave out of', label);
  }
}
