/** A temporary directory and everything else that has to go when a bench ends, also by Ctrl-C. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a bench may leave to be cleaned up. */
export interface Scratch {
  readonly directory: string;
  /** Runs `work` when the bench ends, the last one first, before the directory is removed. */
  atEnd(work: () => Promise<void>): void;
}

/** Runs a bench in a directory of its own, and removes that and what the bench started. */
export async function withScratch<T>(bench: (scratch: Scratch) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  // A database server may run as another user; mkdtemp's 0700 would keep it out.
  await chmod(directory, 0o755);
  const works: (() => Promise<void>)[] = [];
  const cleanUp = async (): Promise<void> => {
    for (const work of works.splice(0).reverse()) {
      await work().catch((error: unknown) => console.error('left behind:', error));
    }
    await rm(directory, { recursive: true, force: true });
  };
  const onSignal = (): void => {
    void cleanUp().finally(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    return await bench({ directory, atEnd: (work) => works.push(work) });
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    await cleanUp();
  }
}
