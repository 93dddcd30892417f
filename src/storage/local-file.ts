/** Random access to one file of this host, for bundles in a storage folder and for uploads that wait in staging. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { HoldfastError, systemErrorCode, throwIfAborted } from '../errors.ts';
import type { RandomAccess } from './storage.ts';
import { objectNotFound, storageError } from './storage-error.ts';

const CHUNK_BYTES = 64 * 1024;

async function* readRange(
  handle: FileHandle,
  name: string,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let position = start;
  while (position < end) {
    throwIfAborted(signal);
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position).catch((error: unknown) => {
      throw storageError(error, `read ${name}`);
    });
    if (bytesRead === 0) {
      throw new HoldfastError(
        'STORAGE_UNAVAILABLE',
        `${name} ended before byte ${end}; it was cut short meanwhile.`,
      );
    }
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * Opens a regular file; it stays readable while open, also when it is deleted meanwhile.
 * @param name how messages call the file, instead of its host path
 * @throws NOT_FOUND only when there is certainly no such file, UNSAFE_PATH for a link or anything else that is
 *   no regular file, STORAGE_UNAVAILABLE otherwise
 */
export async function openLocalFile(path: string, name: string): Promise<RandomAccess> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a pipe that somebody put there must not wait for its other end.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') throw objectNotFound(name);
    if (systemErrorCode(error) === 'ELOOP') throw notAFile(name);
    throw storageError(error, `open ${name}`);
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw notAFile(name);
    return fileAccess(handle, name, stats.size);
  } catch (error) {
    await handle.close();
    throw storageError(error, `open ${name}`);
  }
}

/** The refusal of a link, pipe, directory or device where a stored file should be. */
export function notAFile(name: string): HoldfastError {
  return new HoldfastError('UNSAFE_PATH', `${name} is a link or no regular file; it is not read.`, {
    hint: 'Put the bundle itself in this place.',
  });
}

function fileAccess(handle: FileHandle, name: string, sizeBytes: number): RandomAccess {
  let closing: Promise<void> | undefined;
  return {
    sizeBytes,
    read(start, end, signal) {
      if (start < 0 || end < start || end > sizeBytes) {
        throw new RangeError(`bytes ${start} to ${end} lie outside of ${name} (${sizeBytes} bytes)`);
      }
      return Readable.from(readRange(handle, name, start, end, signal), {
        objectMode: false,
        highWaterMark: CHUNK_BYTES,
      });
    },
    close() {
      closing ??= handle.close().catch((error: unknown) => {
        throw storageError(error, `close ${name}`);
      });
      return closing;
    },
  };
}
