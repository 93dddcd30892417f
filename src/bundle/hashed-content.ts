/** Content on its way through a check. */
import { createHash } from 'node:crypto';
import { wrongContent } from './refusal.ts';

/**
 * Passes content on, and fails at its end when it is not what it should be.
 * @throws INVALID_CHECKSUM naming the entry
 */
export async function* hashed(
  content: AsyncIterable<Buffer>,
  sha256: string,
  entry: string,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256) throw wrongContent(entry, 'does not match its SHA-256');
}

/** Reads content to its end, for what its checks say. */
export async function drain(
  content: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  for await (const chunk of content) onBytes(chunk.length);
}
