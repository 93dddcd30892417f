/**
 * Gives the memory of buffers back without waiting for the garbage collector. Buffers lie outside of V8's heap; as garbage,
 * some dozen megabytes of them would have the collector go through the whole heap, again and again.
 *
 * The memory is gone at once, for every view of it: what still reads it finds nothing, and native code that was given it
 * (a write or a compression under way) would read what is not there. So only who can promise all of this may call:
 *
 * - the buffer was handed over: whoever made it, and whoever passed it on, looks at it no more, and writes nothing into it;
 * - no call that was given it, or a part of it, is still under way: its callback came, and told of no error;
 * - nothing that was made of it is a view (`subarray`, `slice`, a typed array) that somebody keeps.
 */

/**
 * Views that share Node's pool, which everybody writes to, are never touched: the pool has this many bytes. What is
 * smaller is not worth the call.
 */
function isWorthIt(memory: ArrayBufferLike): memory is ArrayBuffer {
  return memory instanceof ArrayBuffer && memory.byteLength > Math.max(Buffer.poolSize, 8192);
}

/**
 * Frees all memory that `buffer` lies in, however little of it the buffer is; it is empty afterwards. For buffers whose memory
 * has no other user, such as what zlib gives back: the beginning of the room that it was given. Does nothing to what is small,
 * or was let go before.
 */
export function letGo({ buffer, byteOffset }: Buffer): void {
  // What begins further on shares its memory with what lies before.
  if (byteOffset === 0 && isWorthIt(buffer)) buffer.transfer(0);
}

/**
 * As {@link letGo}, for who was handed the buffer but cannot know what else may lie in its memory: frees it only when the buffer is
 * nearly all of it.
 */
export function letGoIfWhole(buffer: Buffer): void {
  // Row lines are a little shorter than the room that was made for them: a comma each.
  if (buffer.byteLength > 0.875 * buffer.buffer.byteLength) letGo(buffer);
}
