/** A range of a file as one piece; for what is small. */
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';

/** Reads `[start, end)` into memory. @throws HoldfastError STORAGE_UNAVAILABLE when the storage gives another number of bytes */
export async function readRange(
  file: RandomAccess,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(end - start);
  let length = 0;
  for await (const chunk of file.read(start, end, signal)) {
    // Streams of a RandomAccess hold buffers.
    const bytes = chunk as Buffer;
    bytes.copy(whole, length);
    length += bytes.length;
  }
  if (length !== whole.length) {
    throw new HoldfastError(
      'STORAGE_UNAVAILABLE',
      `The storage gave ${length} of ${whole.length} bytes of a bundle.`,
      { hint: 'Check that the storage is healthy, then try again.' },
    );
  }
  return whole;
}
