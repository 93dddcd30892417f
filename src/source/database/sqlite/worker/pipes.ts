/**
 * The process's end of the protocol. Reads and writes block: that is the backpressure, and there is nothing else
 * to do meanwhile. When the service is gone, so is the process.
 */
import { readSync, writeSync } from 'node:fs';
import { systemErrorCode } from '../../../../errors.ts';
import {
  type Control,
  FRAME,
  FRAME_HEADER_BYTES,
  frameHeader,
  messageFrame,
  type Reply,
  type Request,
} from '../protocol.ts';

const STDIN = 0;
const STDOUT = 1;
const header = Buffer.alloc(FRAME_HEADER_BYTES);

/** The next request; undefined when the service wants no more. */
export function readRequest(): Request | undefined {
  for (;;) {
    const frame = readFrame();
    if (frame === undefined) return undefined;
    if (frame.kind !== FRAME.MESSAGE) continue;
    // Written by the service, our own parent, from the types Request and Control.
    const message = JSON.parse(frame.payload.toString()) as Request | Control;
    // Credits and a `stop` that crossed the end of the rows.
    if ('verb' in message) return message;
  }
}

/** Sends the answer to a request. */
export function sendReply(reply: Reply): void {
  writeAll(messageFrame(reply));
}

/** Sends row lines as the service grants credits for them, until they or its interest end. */
export function sendRows(chunks: Iterable<Buffer>): void {
  let credits = 0;
  for (const chunk of chunks) {
    while (credits === 0) {
      const frame = readFrame();
      if (frame === undefined) return;
      // As above: from our own parent.
      const control = JSON.parse(frame.payload.toString()) as Control;
      if ('stop' in control) return;
      if ('more' in control) credits += control.more;
    }
    credits -= 1;
    writeAll(frameHeader(FRAME.DATA, chunk.length));
    writeAll(chunk);
    collectGarbage(chunk.length);
  }
}

/** The row lines the service sends after `load`. */
export function* receivedLines(): Generator<Buffer, void, undefined> {
  for (;;) {
    const frame = readFrame();
    if (frame === undefined) process.exit(0);
    if (frame.kind === FRAME.MESSAGE) return;
    yield frame.payload;
    collectGarbage(frame.payload.length);
  }
}

function readFrame(): { kind: number; payload: Buffer } | undefined {
  if (!fill(header)) return undefined;
  const payload = Buffer.allocUnsafe(header.readUInt32LE(1));
  const kind = header.readUInt8(0);
  return fill(payload) ? { kind, payload } : undefined;
}

function fill(target: Buffer): boolean {
  for (let at = 0; at < target.length; ) {
    const start = at;
    const read = blocking(() => readSync(STDIN, target, start, target.length - start, null));
    if (read === 0) return false;
    at += read;
  }
  return true;
}

function writeAll(bytes: Buffer): void {
  try {
    for (let at = 0; at < bytes.length; ) {
      const start = at;
      at += blocking(() => writeSync(STDOUT, bytes, start, bytes.length - start));
    }
  } catch (error) {
    // The service is gone; nobody is left to tell.
    if (systemErrorCode(error) === 'EPIPE') process.exit(0);
    throw error;
  }
}

const idle = new Int32Array(new SharedArrayBuffer(4));

/** The pipes block, unless a system or a Node made them not to: then they are asked again a little later. */
function blocking(transfer: () => number): number {
  for (;;) {
    try {
      return transfer();
    } catch (error) {
      if (systemErrorCode(error) !== 'EAGAIN') throw error;
      Atomics.wait(idle, 0, 0, 1);
    }
  }
}

/** Bytes that pass before what they left behind is collected: of the young generation, and of all. */
const COLLECT_EVERY = { minor: 2 * 1024 * 1024, major: 8 * 1024 * 1024 } as const;
const uncollected = { minor: 0, major: 0 };

/** Buffers lie outside of V8's heap, so it does not hurry to free them: they would pile up to a hundred MB. */
function collectGarbage(bytes: number): void {
  uncollected.minor += bytes;
  uncollected.major += bytes;
  if (uncollected.minor < COLLECT_EVERY.minor) return;
  uncollected.minor = 0;
  // Some live through a minor collection by chance, and only a major one frees them then.
  const type = uncollected.major < COLLECT_EVERY.major ? 'minor' : 'major';
  if (type === 'major') uncollected.major = 0;
  globalThis.gc?.({ type });
}
