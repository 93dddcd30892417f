/** The directory in which a replacement of a tree grows: its own, private until the end, on the target's disk. */
import { type FileHandle, lchown, lstat, lutimes, mkdir, open, symlink } from 'node:fs/promises';
import { joinPath, parentOf } from './confine.ts';
import { DirectorySpool } from './directory-spool.ts';
import { fsPath } from './name-bytes.ts';
import { removeSibling } from './remove-tree.ts';
import { inRole } from './sibling-names.ts';
import { isMissing } from './system-errors.ts';
import { type Attributes, type Owner, secondsOf, setAttributes, settleFile } from './write-file.ts';

/** How many written files may wait for the disk at once. */
const SYNCS_AT_ONCE = 8;
const PRIVATE = 0o700;

/** What stands where the parent of something is to be: a directory, nothing, or something else (a link, a file). */
export type ParentState = 'DIRECTORY' | 'MISSING' | 'OCCUPIED';

/** True when this process may give files away. */
export function canSetOwner(): boolean {
  return process.geteuid?.() === 0;
}

export class StageArea {
  /** Real path of the directory. */
  readonly root: string;
  readonly #spool: DirectorySpool;
  readonly #syncs = new Set<Promise<void>>();
  #syncFailure: { readonly error: unknown } | undefined;
  /** Directory last found to be one, all the way up; nothing in here is ever replaced, so it stays true. */
  #knownDirectory = '';

  private constructor(root: string, spool: DirectorySpool) {
    this.root = root;
    this.#spool = spool;
  }

  /** Makes the directory at `root`, which must not exist; a failure leaves nothing. */
  static async create(root: string): Promise<StageArea> {
    await mkdir(fsPath(root), { mode: PRIVATE });
    try {
      return new StageArea(root, await DirectorySpool.create(inRole(root, 'spool')));
    } catch (error) {
      await removeSibling(root);
      throw error;
    }
  }

  /** The path for node:fs of something in here. */
  at(path: string): string | Buffer {
    return fsPath(joinPath(this.root, path));
  }

  /** Looks at every directory above `path`; nothing may be written beneath a link. */
  async parentState(path: string): Promise<ParentState> {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent === '' || parent === this.#knownDirectory) return 'DIRECTORY';
    const names = parent.split('/');
    for (let depth = 1; depth <= names.length; depth++) {
      try {
        const stat = await lstat(this.at(names.slice(0, depth).join('/')));
        if (!stat.isDirectory()) return 'OCCUPIED';
      } catch (error) {
        if (isMissing(error)) return 'MISSING';
        throw error;
      }
    }
    this.#knownDirectory = parent;
    return 'DIRECTORY';
  }

  /** The owner of the directory that `path` is in. */
  async ownerOfParent(path: string): Promise<Owner> {
    return lstat(fsPath(parentOf(joinPath(this.root, path))));
  }

  /** Makes a directory; its mode and time come with {@link seal}. EEXIST when something is there. */
  async makeDirectory(
    path: string,
    { mode, mtimeNs, owner }: Attributes & { mtimeNs: string },
  ): Promise<void> {
    secondsOf(mtimeNs);
    await mkdir(this.at(path), { mode: PRIVATE });
    if (owner !== undefined) await lchown(this.at(path), owner.uid, owner.gid);
    await this.#spool.add({ path, mode, mtimeNs });
  }

  /** Makes a link. EEXIST when something is there. */
  async makeLink(path: string, target: string, mtimeNs: string, owner: Owner | undefined): Promise<void> {
    const seconds = secondsOf(mtimeNs);
    await symlink(fsPath(target), this.at(path));
    if (owner !== undefined) await lchown(this.at(path), owner.uid, owner.gid);
    await lutimes(this.at(path), seconds, seconds);
  }

  /**
   * Takes a written file, sets its attributes and syncs it while the next ones are written. A failure is thrown
   * by a later call or by {@link seal}.
   */
  async settle(handle: FileHandle, attributes: Attributes, label: string): Promise<void> {
    const sync = settleFile(handle, attributes, label)
      .catch((error: unknown) => {
        this.#syncFailure ??= { error };
      })
      .finally(() => this.#syncs.delete(sync));
    this.#syncs.add(sync);
    if (this.#syncs.size >= SYNCS_AT_ONCE) await Promise.race(this.#syncs);
    if (this.#syncFailure !== undefined) throw this.#syncFailure.error;
  }

  /** Gives every directory its mode and time, children first, syncs all of it and removes the notes. */
  async seal(root: Attributes): Promise<void> {
    await Promise.all(this.#syncs);
    if (this.#syncFailure !== undefined) throw this.#syncFailure.error;
    for await (const { path, mode, mtimeNs } of this.#spool.backwards()) {
      // The owner was set when it was made, when nobody else could come this far.
      await finishDirectory(this.at(path), { mode, mtimeNs, owner: undefined });
    }
    await this.#spool.remove();
    await finishDirectory(fsPath(this.root), root);
  }

  /** Removes everything. Idempotent. */
  async remove(): Promise<void> {
    await Promise.all(this.#syncs);
    await this.#spool.remove();
    await removeSibling(this.root);
  }
}

async function finishDirectory(at: string | Buffer, attributes: Attributes): Promise<void> {
  const handle = await open(at, 'r');
  try {
    await setAttributes(handle, attributes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
