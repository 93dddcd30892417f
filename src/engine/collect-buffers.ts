/**
 * Buffers lie outside of V8's heap. It lets 64 MB of them become garbage before it looks which can go, and a process
 * never gives back what it once grew to. While a record moves bytes, garbage is collected at a quarter of that: some 40 MB
 * less at the peak (`npm run bench -- memory`). Young garbage alone would not do: buffers on their way through a
 * pipe outlive it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How often buffers are counted, milliseconds. */
const EVERY_MS = 20;
/** Bytes of buffers that may come together on top of those in use. */
const GARBAGE_BYTES = 14 * 1024 * 1024;

setFlagsFromString('--expose-gc');
// The one name that the flag gives to new contexts.
const collect = runInNewContext('gc') as () => void;

let users = 0;
let timer: NodeJS.Timeout | undefined;
let most = GARBAGE_BYTES;

function collectWhenMany(): void {
  if (process.memoryUsage().arrayBuffers <= most) return;
  collect();
  most = process.memoryUsage().arrayBuffers + GARBAGE_BYTES;
}

/** Keeps garbage among the buffers of this process small until the returned function is called; once. */
export function collectBuffers(): () => void {
  users += 1;
  timer ??= setInterval(collectWhenMany, EVERY_MS).unref();
  return () => {
    users -= 1;
    if (users > 0) return;
    clearInterval(timer);
    timer = undefined;
    most = GARBAGE_BYTES;
  };
}
