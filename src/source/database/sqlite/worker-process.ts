/**
 * The service's end of a process that holds one SQLite database. SQLite's calls are synchronous and cannot be
 * interrupted, so they run over there; an abort kills the process, and SQLite's journal takes the work back.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { extname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { abortError, HoldfastError, throwIfAborted } from '../../../errors.ts';
import { FrameReader } from './frame-reader.ts';
import {
  FRAME,
  frameHeader,
  messageFrame,
  type Reply,
  type Request,
  type Requests,
  ROW_CREDITS,
  type Verb,
} from './protocol.ts';

/** What the process may inherit: nothing of the service's settings, secrets or Node options. */
const INHERITED_ENVIRONMENT = ['PATH', 'TMPDIR', 'SQLITE_TMPDIR', 'LANG', 'SystemRoot', 'TEMP', 'TMP'];

/**
 * It handles chunk after chunk and keeps none, so a small young generation (MB) costs it no time and saves 30 MB; it
 * calls the collector itself.
 */
const V8_FLAGS = ['--max-semi-space-size=1', '--expose-gc'];

/** How the process opens the database. EXAMINE reads, and takes a file that does not exist for an empty database. */
export type OpenMode = 'READ' | 'WRITE' | 'EXAMINE';

/** A running process; every call fails once it is gone. Requests queue up: one is answered at a time. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #stdin: Writable;
  readonly #frames: FrameReader;
  readonly #exited: Promise<void>;
  #ending = 'ended';
  #errorOutput = '';
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;

  /**
   * @param path - the database file
   * @param busyTimeoutMs - how long a statement waits for locks of others, milliseconds
   */
  constructor(path: string, mode: OpenMode, busyTimeoutMs: number) {
    const extension = extname(fileURLToPath(import.meta.url));
    const script = fileURLToPath(new URL(`./worker/main${extension}`, import.meta.url));
    const child = spawn(
      process.execPath,
      [
        '--no-warnings',
        ...V8_FLAGS,
        ...(extension === '.ts' ? ['--experimental-strip-types'] : []),
        script,
        path,
        mode,
        String(busyTimeoutMs),
      ],
      {
        // The fourth is a lifeline: it closes when this process dies, and the child ends with it.
        stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
        env: environment(),
      },
    );
    this.#child = child;
    const streams = child.stdio;
    // With stdio 'pipe' Node types these as nullable only because other settings exist.
    this.#stdin = streams[0] as Writable;
    this.#frames = new FrameReader(streams[1] as Readable);
    for (const stream of streams) stream?.on('error', () => {});
    streams[2]?.on('data', (chunk: Buffer) => {
      this.#errorOutput = (this.#errorOutput + chunk.toString()).slice(-4096);
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#ending = `could not be started: ${error.message}`;
        streams[1]?.destroy();
        resolve();
      });
      // Not 'close': that waits for somebody to read what is left in the pipes.
      child.once('exit', (code, killedBy) => {
        this.#ending = killedBy === null ? `ended with code ${code}` : `was ended by ${killedBy}`;
        resolve();
      });
    });
  }

  /** Asks and waits for the answer. An abort kills the process. */
  async request<V extends Verb>(
    verb: V,
    ask: Requests[V]['ask'],
    signal?: AbortSignal,
  ): Promise<Requests[V]['answer']> {
    const release = await this.#turn();
    try {
      return await this.#killedBy(signal, async () => {
        this.#send(verb, ask);
        return await this.#answer<V>();
      });
    } finally {
      release();
    }
  }

  /** The row lines of a table. Leaving the loop early stops the process's reading, not the process. */
  async *rows(ask: Requests['rows']['ask'], signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const release = await this.#turn();
    const kill = () => this.kill();
    signal.addEventListener('abort', kill, { once: true });
    let reading = false;
    try {
      throwIfAborted(signal);
      reading = true;
      this.#send('rows', ask);
      this.#stdin.write(messageFrame({ more: ROW_CREDITS }));
      for (;;) {
        const frame = await this.#frames.next();
        throwIfAborted(signal);
        if (frame === undefined) throw await this.#lost();
        if (frame.kind === FRAME.MESSAGE) {
          reading = false;
          openReply(frame.chunk);
          return;
        }
        if (frame.last) this.#stdin.write(messageFrame({ more: 1 }));
        if (frame.chunk.length > 0) yield frame.chunk;
      }
    } finally {
      signal.removeEventListener('abort', kill);
      if (reading) await this.#stopRows();
      release();
    }
  }

  /** Sends row lines after a request, no faster than the process takes them. */
  async load(
    ask: Requests['load']['ask'],
    lines: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<number> {
    const release = await this.#turn();
    try {
      return await this.#killedBy(signal, async () => {
        this.#send('load', ask);
        let answered = false;
        const answer = this.#answer<'load'>().finally(() => {
          answered = true;
        });
        // It may fail while the lines are still being sent; that is seen when it is awaited below.
        const settled = answer.then(
          () => {},
          () => {},
        );
        for await (const chunk of lines) {
          if (answered || signal.aborted) break;
          this.#stdin.write(frameHeader(FRAME.DATA, chunk.length));
          if (!this.#stdin.write(chunk)) await Promise.race([once(this.#stdin, 'drain'), settled]);
        }
        if (!answered) this.#stdin.write(messageFrame({ end: true }));
        return await answer;
      });
    } catch (error) {
      // Half a table is over there, and perhaps half a frame on its way: nothing more can be asked.
      this.kill();
      throw error;
    } finally {
      release();
    }
  }

  /** Ends the process at once. What it had not committed is taken back by whoever opens the database next. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets the process finish what it was asked, closes the database and waits for its end. Never throws. */
  async close(): Promise<void> {
    this.#stdin.end();
    await this.#gone();
  }

  /** Ends the process at once and waits until it is gone. Never throws. */
  async terminate(): Promise<void> {
    this.kill();
    await this.#gone();
  }

  /** True while a request is being answered. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  async #gone(): Promise<void> {
    await this.#exited;
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  async #turn(): Promise<() => void> {
    const before = this.#queue;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue = promise;
    this.#waiting += 1;
    await before;
    return () => {
      this.#waiting -= 1;
      resolve();
    };
  }

  async #killedBy<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (signal === undefined) return await work();
    throwIfAborted(signal);
    const kill = () => this.kill();
    signal.addEventListener('abort', kill, { once: true });
    try {
      return await work();
    } catch (error) {
      throw signal.aborted ? abortError(signal) : error;
    } finally {
      signal.removeEventListener('abort', kill);
    }
  }

  #send<V extends Verb>(verb: V, ask: Requests[V]['ask']): void {
    // The verb and its own ask make a Request; TypeScript cannot see that through the generic.
    this.#stdin.write(messageFrame({ verb, ...ask } as Request));
  }

  async #answer<V extends Verb>(): Promise<Requests[V]['answer']> {
    const frame = await this.#frames.next();
    if (frame === undefined) throw await this.#lost();
    // The process answers each verb with the value the protocol gives it.
    return openReply(frame.chunk) as Requests[V]['answer'];
  }

  async #stopRows(): Promise<void> {
    this.#stdin.write(messageFrame({ stop: true }));
    for (;;) {
      const frame = await this.#frames.next();
      if (frame === undefined || frame.kind === FRAME.MESSAGE) return;
    }
  }

  async #lost(): Promise<HoldfastError> {
    await this.#exited;
    return new HoldfastError('SOURCE_UNREACHABLE', `The process that holds the database ${this.#ending}.`, {
      hint: 'Try again. If it happens again, see whether this host has run out of memory.',
      cause: this.#errorOutput === '' ? undefined : new Error(this.#errorOutput),
    });
  }
}

function environment(): NodeJS.ProcessEnv {
  const compileCache = getCompileCacheDir();
  return {
    ...Object.fromEntries(
      INHERITED_ENVIRONMENT.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    // With a cache Node need not load its TypeScript compiler, 35 MB, for each process.
    ...(compileCache !== undefined && { NODE_COMPILE_CACHE: compileCache }),
    // glibc would keep freed chunks of every thread apart: 10 MB for nothing, since one thread does the work.
    MALLOC_ARENA_MAX: '1',
  };
}

function openReply(payload: Buffer): unknown {
  // Written by our own process, from the type Reply.
  const reply = JSON.parse(payload.toString()) as Reply;
  if (reply.ok) return reply.value;
  throw new HoldfastError(reply.code, reply.message, reply.hint === undefined ? {} : { hint: reply.hint });
}
