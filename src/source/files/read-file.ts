/**
 * Opens one file of a tree for backup. What is read is what the file held when it was opened, as far as the
 * file lets it: at most the bytes it had then (a log that grows for ever must end), fewer when it shrinks.
 * Whatever happened to it meanwhile is found by comparing its state before and after, and said.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { abortError, throwIfAborted } from '../../errors.ts';
import type { OpenedFile, SkippedEntry } from '../file-trees.ts';
import { joinPath } from './confine.ts';
import { isAt } from './held-directory.ts';
import { fsPath } from './name-bytes.ts';
import { requireSafeRelativePath } from './relative-path.ts';
import { isMissing, sourceError, whySkipped } from './system-errors.ts';

/** Bytes asked for at once. */
const CHUNK = 256 * 1024;

// O_NONBLOCK: a pipe that took the file's place must not hold the backup until somebody writes to it.
const OPEN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** In words how a file changed between two looks at it; undefined when it did not. */
function changeBetween(before: BigIntStats, after: BigIntStats): string | undefined {
  if (after.size > before.size) {
    return `grew from ${before.size} to ${after.size} bytes while it was read; the first ${before.size} are kept`;
  }
  if (after.size < before.size) return `shrank from ${before.size} to ${after.size} bytes while it was read`;
  return after.mtimeNs === before.mtimeNs ? undefined : 'was modified while it was read';
}

/** The content of an open file as a stream that closes it. */
class FileContent extends Readable {
  readonly #handle: FileHandle;
  readonly #before: BigIntStats;
  readonly #label: string;
  readonly #size: number;
  #position = 0;
  #change: string | undefined;

  constructor(handle: FileHandle, before: BigIntStats, label: string) {
    super({ highWaterMark: CHUNK });
    this.#handle = handle;
    this.#before = before;
    this.#label = label;
    this.#size = Number(before.size);
  }

  /** What changed; known when the stream ended. */
  get change(): string | undefined {
    return this.#change;
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk),
      (error: unknown) => this.destroy(asError(sourceError(error, 'reading', this.#label))),
    );
  }

  async #next(): Promise<Buffer | null> {
    const wanted = Math.min(CHUNK, this.#size - this.#position);
    const buffer = Buffer.allocUnsafe(wanted);
    const { bytesRead } =
      wanted > 0 ? await this.#handle.read(buffer, 0, wanted, this.#position) : { bytesRead: 0 };
    if (bytesRead > 0) {
      this.#position += bytesRead;
      return buffer.subarray(0, bytesRead);
    }
    this.#change = changeBetween(this.#before, await this.#handle.stat({ bigint: true }));
    return null;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#handle.close().then(
      () => callback(error),
      () => callback(error),
    );
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * Opens the file at `path` of the tree that really is at `root`. Undefined, after telling `onSkipped`, when it
 * vanished, is no file any more, or cannot be read.
 * @throws HoldfastError UNSAFE_PATH when `path` would leave the tree; CANCELED.
 */
export async function openFile(
  root: string,
  path: string,
  label: string,
  onSkipped: (skipped: SkippedEntry) => void,
  signal: AbortSignal,
): Promise<OpenedFile | undefined> {
  throwIfAborted(signal);
  requireSafeRelativePath(path);
  const real = joinPath(root, path);
  let handle: FileHandle | undefined;
  try {
    handle = await open(fsPath(real), OPEN_FILE);
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) {
      onSkipped({ path, reason: 'it is no longer a file', unread: true });
    } else if (!(await isAt(handle, real))) {
      onSkipped({ path, reason: 'it was moved while the tree was read', unread: true });
    } else {
      return opened(new FileContent(handle, before, label), signal);
    }
    await handle.close();
    return undefined;
  } catch (error) {
    await handle?.close();
    const reason = whySkipped(error);
    if (reason === undefined) throw sourceError(error, 'reading', label);
    onSkipped({ path, reason, ...(!isMissing(error) && { unread: true }) });
    return undefined;
  }
}

function opened(content: FileContent, signal: AbortSignal): OpenedFile {
  const closed = new Promise<void>((resolve) => content.once('close', resolve));
  const onAbort = (): void => {
    content.destroy(abortError(signal));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  content.once('close', () => signal.removeEventListener('abort', onAbort));
  return {
    content,
    changedWhileRead: async () => {
      await closed;
      return content.change;
    },
  };
}
