/** A list that grows with the number of files, waiting on disk until the bundle is finished. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, systemErrorCode } from '../errors.ts';

const CHUNK_BYTES = 256 * 1024;

function spoolError(error: unknown): HoldfastError {
  const code = systemErrorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError(
      'STORAGE_FULL',
      'No room was left in the staging area for the list of entries.',
      {
        hint: 'Free space in the staging area, then try again.',
        cause: error,
      },
    );
  }
  return new HoldfastError('STORAGE_UNAVAILABLE', 'The staging area cannot be written or read.', {
    hint: 'Check that the staging directory exists and is writable.',
    cause: error,
  });
}

/** Bytes on disk under no name: they are gone with the process, however that ends. */
export class DiskSpool {
  readonly #directory: string;
  #opening: Promise<FileHandle> | undefined;
  #closed = false;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #bytes = 0;

  /** @param directory where the file is made with the first bytes */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Adds bytes. @throws STORAGE_FULL, STORAGE_UNAVAILABLE */
  async add(bytes: Buffer): Promise<void> {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= CHUNK_BYTES) await this.#flush();
  }

  /** Everything that was added. @throws STORAGE_FULL, STORAGE_UNAVAILABLE */
  async *content(): AsyncGenerator<Buffer> {
    await this.#flush();
    const file = await this.#file();
    for (let position = 0; position < this.#bytes; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, this.#bytes - position));
      const bytesRead = await reading(file, chunk, position);
      position += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  /** Gives the disk space back. Idempotent; never throws. */
  async close(): Promise<void> {
    this.#closed = true;
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.then((file) => file.close()).catch(() => {});
  }

  #file(): Promise<FileHandle> {
    if (this.#closed) throw spoolError(new Error('the spool is closed'));
    this.#opening ??= openNameless(this.#directory);
    return this.#opening;
  }

  async #flush(): Promise<void> {
    const chunk = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    const file = await this.#file();
    const start = this.#bytes;
    this.#bytes += chunk.length;
    try {
      for (let written = 0; written < chunk.length; ) {
        written += (await file.write(chunk, written, chunk.length - written, start + written)).bytesWritten;
      }
    } catch (error) {
      throw spoolError(error);
    }
  }
}

async function openNameless(directory: string): Promise<FileHandle> {
  const path = join(directory, `spool-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(path, 'wx+', 0o600);
    // Without a name it needs no cleaning up, not even after a crash.
    await rm(path);
    return file;
  } catch (error) {
    throw spoolError(error);
  }
}

async function reading(file: FileHandle, into: Buffer, position: number): Promise<number> {
  try {
    const { bytesRead } = await file.read(into, 0, into.length, position);
    if (bytesRead > 0) return bytesRead;
  } catch (error) {
    throw spoolError(error);
  }
  throw spoolError(new Error('the spool was cut short'));
}
