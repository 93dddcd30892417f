/** A Holdfast server of the demo's own, as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
/** Milliseconds a server may take to start, and to stop. */
const START_WITHIN = 60_000;
const STOP_WITHIN = 15_000;

/** What the server writes once it listens. */
interface Ready {
  readonly url: string;
  readonly apiKey: string;
}

/** A running server. */
export interface DemoServer extends Ready {
  readonly pid: number | undefined;
  /** Aborted when the server ends without having been asked to. */
  readonly died: AbortSignal;
  stop(): Promise<void>;
}

function environment(directory: string, roots: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('HOLDFAST_'));
  return {
    ...Object.fromEntries(inherited),
    HOLDFAST_DATA: join(directory, 'holdfast'),
    HOLDFAST_ROOTS: roots,
    HOLDFAST_HOST: '127.0.0.1',
    HOLDFAST_PORT: '0',
    HOLDFAST_DEVELOPMENT: 'true',
  };
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function waitUntilReady(child: ChildProcess, readyFile: string, signal: AbortSignal): Promise<Ready> {
  const deadline = Date.now() + START_WITHIN;
  while (Date.now() < deadline && !hasEnded(child)) {
    const text = await readFile(readyFile, 'utf8').catch(() => undefined);
    // The server promises this shape, and to write it in one step.
    if (text !== undefined) return JSON.parse(text) as Ready;
    await delay(50, undefined, { signal });
  }
  throw new Error('The server did not start.');
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
  await ended;
  clearTimeout(overdue);
}

/**
 * Starts a server whose data lie in `directory` and whose sources may lie in `roots`.
 * @throws {Error} with the end of its log when it does not start
 */
export async function startServer(
  directory: string,
  roots: string,
  signal: AbortSignal,
): Promise<DemoServer> {
  const readyFile = join(directory, 'ready.json');
  const logFile = join(directory, 'server.log');
  const log = await open(logFile, 'w');
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--ready-file', readyFile], {
    env: environment(directory, roots),
    stdio: ['ignore', log.fd, log.fd],
    // Not in the terminal's process group: Ctrl-C reaches the demo alone, which then stops the server in order.
    detached: true,
  });
  await once(child, 'spawn');
  await log.close();
  const died = new AbortController();
  let stopping = false;
  child.once('exit', (code, signalName) => {
    if (!stopping)
      died.abort(new Error(`The server ended by itself (${signalName ?? `exit code ${code}`}).`));
  });
  const stop = (): Promise<void> => {
    stopping = true;
    return stopChild(child);
  };
  try {
    const ready = await waitUntilReady(child, readyFile, signal);
    return { ...ready, pid: child.pid, died: died.signal, stop };
  } catch (cause) {
    await stop();
    const tail = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
    throw new Error(`The server did not start. The end of its log:\n${tail}`, { cause });
  }
}
