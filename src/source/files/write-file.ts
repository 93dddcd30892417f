/** Writes one file that must not exist yet: content, owner, mode and times, and all of it to the disk. */
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { printable } from './name-bytes.ts';
import { sourceError } from './system-errors.ts';

/** Who a file belongs to. Undefined wherever only root could set it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What a file or directory gets besides its content. */
export interface Attributes {
  readonly mode: number;
  /** Nanoseconds since 1970, decimal digits; null leaves the time of writing. */
  readonly mtimeNs: string | null;
  readonly owner: Owner | undefined;
}

const NANOSECONDS = 1_000_000_000n;
const FRACTION_DIGITS = 9;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const PRIVATE = 0o600;
const PERMISSIONS = 0o7777;

/**
 * Nanoseconds as the decimal seconds that node:fs takes, which it turns into a double: 238 ns apart at most.
 * A string, because numbers below zero are replaced by the present time.
 * @throws HoldfastError INVALID_MANIFEST when it is no number of 64 bits.
 */
export function secondsOf(mtimeNs: string): string {
  if (!/^-?\d{1,19}$/.test(mtimeNs)) {
    throw new HoldfastError('INVALID_MANIFEST', 'The bundle holds a modification time that is no number.');
  }
  const time = BigInt(mtimeNs);
  const size = time < 0n ? -time : time;
  const fraction = String(size % NANOSECONDS).padStart(FRACTION_DIGITS, '0');
  return `${time < 0n ? '-' : ''}${size / NANOSECONDS}.${fraction}`;
}

/** Sets what belongs to an open file or directory, in the order that keeps set-user-id bits. */
export async function setAttributes(handle: FileHandle, { mode, mtimeNs, owner }: Attributes): Promise<void> {
  if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
  await handle.chmod(mode & PERMISSIONS);
  if (mtimeNs !== null) await handle.utimes(secondsOf(mtimeNs), secondsOf(mtimeNs));
}

/**
 * Sets the attributes of a written file, brings everything to the disk and closes it.
 * @throws HoldfastError as {@link sourceError} says.
 */
export async function settleFile(handle: FileHandle, attributes: Attributes, label: string): Promise<void> {
  try {
    try {
      await setAttributes(handle, attributes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw sourceError(error, 'staging', label);
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written);
    written += bytesWritten;
  }
}

/**
 * Creates a file and streams content into it; hand the result to {@link settleFile}. `expectedBytes` undefined
 * takes any length. A failure leaves no file.
 * @throws HoldfastError INVALID_CHECKSUM when the content has another length; what `content` throws, as it is.
 */
export async function writeContent(
  at: string | Buffer,
  content: AsyncIterable<Buffer>,
  expectedBytes: number | undefined,
  label: string,
  signal: AbortSignal,
): Promise<FileHandle> {
  const handle = await open(at, CREATE, PRIVATE);
  try {
    let bytes = 0;
    for await (const chunk of content) {
      throwIfAborted(signal);
      bytes += chunk.length;
      if (expectedBytes !== undefined && bytes > expectedBytes) break;
      await writeAll(handle, chunk).catch((error: unknown) => {
        throw sourceError(error, 'staging', label);
      });
    }
    throwIfAborted(signal);
    if (expectedBytes !== undefined && bytes !== expectedBytes) {
      throw new HoldfastError(
        'INVALID_CHECKSUM',
        `The content of "${printable(label)}" is not the ${expectedBytes} bytes that the bundle lists.`,
        { hint: 'The bundle is damaged. Verify it and use another one.' },
      );
    }
    return handle;
  } catch (error) {
    await handle.close();
    await unlink(at);
    throw error;
  }
}
