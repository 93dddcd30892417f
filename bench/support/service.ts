/** The whole service as a user starts it, in a process of its own, driven through the typed client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CreateSourceInput,
  createClient,
  type HoldfastClient,
  type RestoreBackupInput,
  unwrap,
} from '../../client/sdk/index.ts';
import { type PeakMemory, watchMemory } from './process-memory.ts';
import type { Scratch } from './scratch.ts';
import type { LoopDelay } from './watch-loop.ts';

const PROGRAM = join(import.meta.dirname, '../../src/main.ts');
const WATCH_LOOP = join(import.meta.dirname, 'watch-loop.ts');
const START_WITHIN_MS = 60_000;

/** What one record cost. */
export interface Cost {
  readonly seconds: number;
  readonly peak: PeakMemory;
  readonly loop: LoopDelay;
}

/** A running service with one workspace. */
export class Service {
  readonly #child: ChildProcess;
  readonly #client: HoldfastClient;

  private constructor(child: ChildProcess, client: HoldfastClient) {
    this.#child = child;
    this.#client = client;
  }

  /** @param roots directories its sources may lie in */
  static async start(scratch: Scratch, roots: readonly string[]): Promise<Service> {
    const home = join(scratch.directory, 'service');
    await mkdir(home);
    const readyFile = join(home, 'ready.json');
    const log = await open(join(home, 'log'), 'w');
    const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('HOLDFAST_'));
    const child = spawn(
      process.execPath,
      ['--import', WATCH_LOOP, PROGRAM, 'serve', '--ready-file', readyFile],
      {
        env: {
          ...Object.fromEntries(inherited),
          HOLDFAST_DATA: join(home, 'data'),
          HOLDFAST_ROOTS: roots.join(':'),
          HOLDFAST_PORT: '0',
        },
        stdio: ['ignore', log.fd, log.fd, 'ipc'],
      },
    );
    scratch.atEnd(() => stopped(child));
    await log.close();
    const deadline = Date.now() + START_WITHIN_MS;
    for (;;) {
      const text = await readFile(readyFile, 'utf8').catch(() => undefined);
      if (text !== undefined) {
        // The server promises this shape, and to write it in one step.
        const { url, apiKey } = JSON.parse(text) as { url: string; apiKey: string };
        return new Service(child, createClient({ url, apiKey }));
      }
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`The service did not start:\n${await readFile(join(home, 'log'), 'utf8')}`);
      }
      await delay(50);
    }
  }

  /** Adds a source; returns its id. */
  async createSource(input: CreateSourceInput): Promise<string> {
    return unwrap(await this.#client.createSource(input)).source.id;
  }

  /** Makes a backup; returns its id. */
  async backUp(sourceId: string): Promise<{ cost: Cost; backupId: string; bytes: number }> {
    const { cost, recordId } = await this.#measure(
      async () => unwrap(await this.#client.createBackup({ sourceId })).record.id,
    );
    const backup = (await this.#client.record(recordId))?.backup;
    if (backup == null) throw new Error('The record of the backup names no backup.');
    return { cost, backupId: backup.id, bytes: Number(backup.sizeBytes) };
  }

  async verify(backupId: string): Promise<Cost> {
    return (await this.#measure(async () => unwrap(await this.#client.verifyBackup({ backupId })).record.id))
      .cost;
  }

  async restore(input: RestoreBackupInput): Promise<Cost> {
    return (await this.#measure(async () => unwrap(await this.#client.restoreBackup(input)).record.id)).cost;
  }

  async deleteBackup(backupId: string): Promise<void> {
    unwrap(await this.#client.deleteBackup({ backupId }));
  }

  async stop(): Promise<void> {
    await stopped(this.#child);
  }

  /** Starts a record and follows it to its end, as somebody who watches would. */
  async #measure(start: () => Promise<string>): Promise<{ cost: Cost; recordId: string }> {
    await this.#loopDelay();
    const memory = watchMemory(this.#child.pid ?? 0);
    const begun = performance.now();
    try {
      const recordId = await start();
      for await (const event of this.#client.followRecord(recordId)) {
        const { status, error } = event.record;
        if (error != null)
          throw new Error(`${error.code} in ${error.phase}: ${error.message} ${error.hint ?? ''}`);
        if (status === 'CANCELED') throw new Error('The record was canceled.');
      }
      const seconds = (performance.now() - begun) / 1000;
      return { cost: { seconds, peak: memory.stop(), loop: await this.#loopDelay() }, recordId };
    } finally {
      memory.stop();
    }
  }

  async #loopDelay(): Promise<LoopDelay> {
    const answered = once(this.#child, 'message');
    this.#child.send('tell');
    // Sent by our own watch-loop.ts.
    return (await answered)[0] as LoopDelay;
  }
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
