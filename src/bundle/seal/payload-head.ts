/** What stands before the chunks of a payload, of whichever kind. */
import type { ChunkCipher } from './chunks.ts';

/** The header of a payload, and what its chunks are sealed with. */
export interface PayloadHead {
  readonly header: Buffer;
  readonly cipher: ChunkCipher;
}
