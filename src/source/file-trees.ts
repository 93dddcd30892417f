/**
 * The contract between the engine and the file trees, configuration directories and env files that are backed up.
 */
import type { Readable } from 'node:stream';

/** A directory that is backed up. */
export interface FileTree {
  /** Unique within its area; becomes the folder in the bundle. */
  readonly name: string;
  /** Absolute host path inside a configured root. */
  readonly path: string;
  /** Globs relative to `path`, `**` and dotfiles included; empty means everything. */
  readonly include: readonly string[];
  /** Globs that win over `include`. */
  readonly exclude: readonly string[];
}

/** One thing in a tree. Devices, sockets and pipes are never backed up. */
export type TreeEntry = {
  /**
   * Relative to the tree, `/` between names. Bytes that are not UTF-8 stand as lone surrogates U+DC80..U+DCFF
   * (see files/name-bytes.ts), so that every legal name survives JSON.
   */
  readonly path: string;
  /** Permission bits, `0o7777` at most. */
  readonly mode: number;
  /** Nanoseconds since 1970, decimal digits. */
  readonly mtimeNs: string;
} & (
  | { readonly kind: 'FILE'; readonly sizeBytes: number }
  | { readonly kind: 'DIRECTORY' }
  | { readonly kind: 'SYMLINK'; readonly target: string }
);

/** Something a walk could not take in; becomes a warning on the record. */
export interface SkippedEntry {
  readonly path: string;
  readonly reason: string;
  /** It is there and holds something, but could not be read: whoever replaces the tree would lose it. */
  readonly unread?: boolean;
}

/** A file that is backed up for its settings; off unless asked for, since it holds secrets. */
export interface EnvFile {
  /** Where it is read from. */
  readonly path: string;
  /** Where a restore writes it; null means it is not restored. */
  readonly restorePath: string | null;
}

/** A file opened for backup. */
export interface OpenedFile {
  readonly content: Readable;
  /** After the content ended: what changed while it was read ("grew from 10 to 20 bytes"), else undefined. */
  changedWhileRead(): Promise<string | undefined>;
}

/**
 * Where a restored tree or file stands and where it goes; JSON, kept in the journal. `target` is replaced by
 * `staged`, and stands at `previous` until the restore is decided. All are siblings on one file system.
 */
export interface SwapPlan {
  readonly target: string;
  readonly staged: string;
  readonly previous: string;
}

/** A tree that is being written beside its target. */
export interface TreeStage {
  /** Parents come before their children. `content` is given for files only and read to its end. */
  put(entry: TreeEntry, content: AsyncIterable<Buffer> | undefined, signal: AbortSignal): Promise<void>;
  /**
   * Keeps what the tree's globs leave out of backups (it stays as it is in the target), sets times, syncs
   * everything to disk and returns the swap to be done.
   */
  finish(signal: AbortSignal): Promise<SwapPlan>;
  /** Removes the stage. Idempotent; never throws. */
  abort(): Promise<void>;
}

/** Counts for the restore plan of one tree. */
export interface TreeDifference {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
  /** The first few paths of each, for people. */
  readonly examples: readonly { readonly path: string; readonly change: 'ADDED' | 'CHANGED' | 'REMOVED' }[];
}

/**
 * File trees of this host. Every path is checked against the configured roots, links resolved, each time it is
 * used: UNSAFE_PATH outside of them and where Holdfast keeps its own files, SOURCE_UNREACHABLE when it is not there or cannot be read.
 */
export interface FileTrees {
  /** Resolves when `path` is inside a root; for paths that need not exist yet its parent must. */
  check(path: string, expects: 'DIRECTORY' | 'FILE' | 'NEW_FILE'): Promise<void>;
  /**
   * Resolves nothing on disk: passes the globs of a tree when every one can be used.
   * INVALID_INPUT, naming the glob, when one is empty, absolute, leaves the tree, negates or could be slow to match.
   */
  checkGlobs(tree: FileTree): void;
  /** Where `path` really is, links resolved; names at its end that do not exist stand as they were given. */
  realPath(path: string): Promise<string>;
  /**
   * Everything selected in a tree, depth first, names of a directory in byte order, parents before children,
   * without the tree's own root. Never follows a link. What cannot be taken in goes to `onSkipped`.
   */
  walk(
    tree: FileTree,
    onSkipped: (skipped: SkippedEntry) => void,
    signal: AbortSignal,
  ): AsyncIterable<TreeEntry>;
  /** Undefined, after telling `onSkipped`, when the file vanished or cannot be read. */
  open(
    tree: FileTree,
    path: string,
    onSkipped: (skipped: SkippedEntry) => void,
    signal: AbortSignal,
  ): Promise<OpenedFile | undefined>;
  /** How the tree differs from `entries`, which come in the order of {@link walk}. Holds neither in memory. */
  compare(tree: FileTree, entries: AsyncIterable<TreeEntry>, signal: AbortSignal): Promise<TreeDifference>;
  /** Begins to stage a replacement of a tree, in a sibling named after `restoreId`. */
  stageTree(tree: FileTree, restoreId: string, signal: AbortSignal): Promise<TreeStage>;
  /** Stages a replacement of a single file; the file need not exist. */
  stageFile(
    path: string,
    mode: number,
    content: AsyncIterable<Buffer>,
    restoreId: string,
    signal: AbortSignal,
  ): Promise<SwapPlan>;
  /** Puts `staged` in the place of `target`, durably. Idempotent, also after a crash in its middle. */
  swap(plan: SwapPlan): Promise<void>;
  /** Undoes {@link swap}, however far it got, and removes `staged`. Idempotent. */
  swapBack(plan: SwapPlan): Promise<void>;
  /** Removes `previous` once the restore is decided. Idempotent. */
  discardPrevious(plan: SwapPlan): Promise<void>;
  /** Removes stages of `restoreId` beside `path` that no journal knows of. Idempotent. */
  sweep(path: string, restoreId: string): Promise<void>;
}
