/** The whole service as a user starts it, in a process of its own, driven through the typed client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CreateBackupInput,
  type CreateSourceInput,
  createClient,
  type HoldfastClient,
  type RestoreBackupInput,
  unwrap,
} from '../../client/sdk/index.ts';
import { familyCpu } from './process-tree.ts';
import type { Scratch } from './scratch.ts';
import type { LoopDelay } from './watch-loop.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const WATCH_LOOP = join(import.meta.dirname, 'watch-loop.ts');
const START_WITHIN_MS = 60_000;

/** One finished record. */
export interface Finished {
  readonly recordId: string;
  /** From the request to the last event, as the client sees it. */
  readonly seconds: number;
  /** CPU seconds of the service and what it started, meanwhile. */
  readonly cpuSeconds: number;
  /** Each phase by its name. */
  readonly phases: ReadonlyMap<string, PhaseFigures>;
}

/** What one phase took. */
export interface PhaseFigures {
  /** By the record's own clock. */
  readonly seconds: number;
  /** CPU seconds between the events that the phase and the next one had begun. */
  readonly cpuSeconds: number;
}

/** How a backup is made; what is not said is as the service has it. */
export type BackupSettings = Pick<CreateBackupInput, 'compression' | 'encryption'>;

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
    const options = await startArguments();
    const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('HOLDFAST_'));
    const child = spawn(process.execPath, ['--import', WATCH_LOOP, ...options, '--ready-file', readyFile], {
      cwd: REPOSITORY,
      env: {
        ...Object.fromEntries(inherited),
        HOLDFAST_DATA: join(home, 'data'),
        HOLDFAST_ROOTS: roots.join(':'),
        HOLDFAST_PORT: '0',
      },
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    });
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

  /** Makes a backup. */
  async backUp(
    sourceId: string,
    settings: BackupSettings = {},
  ): Promise<Finished & { backupId: string; bytes: number }> {
    const finished = await this.#follow(
      async () => unwrap(await this.#client.createBackup({ sourceId, ...settings })).record.id,
    );
    const backup = (await this.#client.record(finished.recordId))?.backup;
    if (backup == null) throw new Error('The record of the backup names no backup.');
    return { ...finished, backupId: backup.id, bytes: Number(backup.sizeBytes) };
  }

  async verify(backupId: string): Promise<Finished> {
    return await this.#follow(async () => unwrap(await this.#client.verifyBackup({ backupId })).record.id);
  }

  async restore(input: RestoreBackupInput): Promise<Finished> {
    return await this.#follow(async () => unwrap(await this.#client.restoreBackup(input)).record.id);
  }

  async deleteBackup(backupId: string): Promise<void> {
    unwrap(await this.#client.deleteBackup({ backupId }));
  }

  async stop(): Promise<void> {
    await stopped(this.#child);
  }

  /** Its process. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('The service does not run.');
    return pid;
  }

  /** How late its event loop ran since this was asked before. */
  async loopDelay(): Promise<LoopDelay> {
    const answered = once(this.#child, 'message');
    this.#child.send('tell');
    // Sent by our own watch-loop.ts.
    return (await answered)[0] as LoopDelay;
  }

  /** Starts a record and follows it to its end, as somebody who watches would. */
  async #follow(start: () => Promise<string>): Promise<Finished> {
    const begun = performance.now();
    const cpuBefore = familyCpu(this.pid);
    const recordId = await start();
    const seconds = new Map<string, number>();
    const cpu = new Map<string, number>();
    let current: { name: string; cpu: number } | undefined;
    const settle = (cpuNow: number): void => {
      if (current !== undefined) cpu.set(current.name, cpuNow - current.cpu);
    };
    for await (const { record } of this.#client.followRecord(recordId)) {
      const { status, error, phases } = record;
      if (error != null) {
        throw new Error(`${error.code} in ${error.phase}: ${error.message} ${error.hint ?? ''}`);
      }
      if (status === 'CANCELED') throw new Error('The record was canceled.');
      for (const { name, startedAt, finishedAt } of phases) {
        if (finishedAt != null) seconds.set(name, (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000);
      }
      const name = phases.at(-1)?.name;
      if (name === undefined || name === current?.name) continue;
      const cpuNow = familyCpu(this.pid);
      settle(cpuNow);
      current = { name, cpu: cpuNow };
    }
    const took = (performance.now() - begun) / 1000;
    const cpuNow = familyCpu(this.pid);
    settle(cpuNow);
    return {
      recordId,
      seconds: took,
      cpuSeconds: cpuNow - cpuBefore,
      phases: new Map(
        [...seconds].map(([name, each]) => [name, { seconds: each, cpuSeconds: cpu.get(name) ?? 0 }]),
      ),
    };
  }
}

/** What `npm start` gives to Node, so that the service is measured as users start it; `npm run bench` has built it. */
async function startArguments(): Promise<string[]> {
  const text = await readFile(join(REPOSITORY, 'package.json'), 'utf8');
  // Our own package.json.
  const { start } = (JSON.parse(text) as { scripts: { start: string } }).scripts;
  const [node, ...options] = start.split(' ');
  if (node !== 'node') throw new Error(`npm start is expected to run node, not "${start}".`);
  return options;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
