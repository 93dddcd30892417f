/** A range of a file as one piece; for what is small. */
import type { RandomAccess } from '../storage/storage.ts';

/** Reads `[start, end)` into memory. */
export async function readRange(
  file: RandomAccess,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(end - start);
  let length = 0;
  for await (const chunk of file.read(start, end, signal)) length += (chunk as Buffer).copy(whole, length);
  return whole;
}
