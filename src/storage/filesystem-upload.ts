/** One object on its way into a folder: written under a hidden name, then linked to its own in one step. */
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Writable } from 'node:stream';
import { abortError, systemErrorCode } from '../errors.ts';
import type { StorageKey, StorageUpload, StoredObject } from './storage.ts';
import { objectExists, storageError } from './storage-error.ts';

/** How much is taken in before the producer has to wait. */
const BUFFERED_BYTES = 1024 * 1024;
/** What a file system says that knows no hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Makes names that were added to or removed from a directory survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeFully(handle: FileHandle, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) {
    for (let written = 0; written < chunk.length; ) {
      written += (await handle.write(chunk, written, chunk.length - written)).bytesWritten;
    }
  }
}

/** A stream into an open file whose errors are the contract's. It leaves the file open: commit still syncs it. */
function fileWritable(handle: FileHandle): Writable {
  const settle = (work: Promise<void>, done: (error?: Error | null) => void) => {
    work.then(
      () => done(),
      (error: unknown) => done(storageError(error, 'write a bundle')),
    );
  };
  return new Writable({
    highWaterMark: BUFFERED_BYTES,
    write(chunk: Buffer, _encoding, done) {
      settle(writeFully(handle, [chunk]), done);
    },
    writev(items, done) {
      // Strings are turned into buffers before they get here (decodeStrings), so every chunk is one.
      settle(
        writeFully(
          handle,
          items.map((item) => item.chunk as Buffer),
        ),
        done,
      );
    },
  });
}

/** Gives `temporary` the name `final`, refusing to overwrite. Returns once the name is there. */
async function publish(temporary: string, final: string): Promise<void> {
  try {
    // A hard link, unlike rename, fails when the name is taken: no window in which to lose an older object.
    await link(temporary, final);
  } catch (error) {
    if (!NO_LINKS.has(systemErrorCode(error) ?? '')) throw error;
    const taken = await lstat(final).then(
      () => true,
      (missing: unknown) => {
        if (systemErrorCode(missing) === 'ENOENT') return false;
        throw missing;
      },
    );
    if (taken) throw Object.assign(new Error('the name is taken'), { code: 'EEXIST' });
    await rename(temporary, final);
  }
}

/**
 * Begins an upload.
 * @param temporary a name in the same folder as `final` that nobody else uses
 * @throws STORAGE_FULL, STORAGE_UNAVAILABLE
 */
export async function beginUpload(
  key: StorageKey,
  temporary: string,
  final: string,
  signal: AbortSignal,
): Promise<StorageUpload> {
  const handle = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
    throw storageError(error, 'begin a bundle');
  });
  const writable = fileWritable(handle);
  // Whoever writes sees the error; without any listener it would end the process after the writer has gone.
  writable.on('error', () => {});
  const onAbort = () => writable.destroy(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  let closing: Promise<void> | undefined;
  const closeFile = () => {
    closing ??= handle.close();
    return closing;
  };
  let published = false;
  let committed = false;

  async function makeVisible(): Promise<StoredObject> {
    await handle.sync();
    const { size, mtime } = await handle.stat();
    await closeFile();
    await publish(temporary, final);
    published = true;
    await rm(temporary, { force: true });
    await syncDirectory(dirname(final));
    return { key, sizeBytes: size, modifiedAt: mtime };
  }

  return {
    writable,
    async commit() {
      if (writable.errored) throw storageError(writable.errored, 'write a bundle');
      if (!writable.writableFinished)
        throw new Error(`commit of ${basename(final)} before its stream had ended`);
      signal.removeEventListener('abort', onAbort);
      try {
        const stored = await makeVisible();
        committed = true;
        return stored;
      } catch (error) {
        if (systemErrorCode(error) === 'EEXIST') throw objectExists(key);
        throw storageError(error, 'store a bundle durably');
      }
    },
    async abort() {
      signal.removeEventListener('abort', onAbort);
      if (committed) return;
      writable.destroy();
      try {
        await closeFile();
        await rm(temporary, { force: true });
        if (published) await rm(final, { force: true });
        await syncDirectory(dirname(final));
      } catch (error) {
        throw storageError(error, 'remove an unfinished bundle');
      }
    },
  };
}
