/** Compares catalog and storage when the server starts and from time to time. */
import { HoldfastError } from '../errors.ts';
import type { EngineParts } from './parts.ts';
import { reconcileStorage } from './reconcile-storage.ts';

/**
 * Begins now, without being waited for; what fails is logged, and tried again the next time.
 * @param everyMs from the end of one pass to the begin of the next, milliseconds; 0 for the one at the start alone
 * @returns stops it; resolves when nothing of it runs
 */
export function startReconciliation(parts: EngineParts, everyMs: number): () => Promise<void> {
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void>;
  const run = (): void => {
    running = reconcileAll(parts, stopped.signal).then(() => {
      if (everyMs === 0 || stopped.signal.aborted) return;
      timer = setTimeout(run, everyMs);
      timer.unref();
    });
  };
  run();
  return async () => {
    clearTimeout(timer);
    stopped.abort(new HoldfastError('CANCELED', 'The server was stopped.'));
    await running;
  };
}

/** Every workspace that has backups; never throws. */
async function reconcileAll(parts: EngineParts, signal: AbortSignal): Promise<void> {
  try {
    for (const workspaceId of await parts.catalog.backups.workspaces()) {
      if (signal.aborted) return;
      try {
        const counts = await reconcileStorage(parts, workspaceId, false, signal);
        parts.log.info({ workspaceId, ...counts }, 'catalog and storage were compared');
      } catch (error) {
        if (signal.aborted) return;
        parts.log.error({ err: error, workspaceId }, 'catalog and storage could not be compared');
      }
    }
  } catch (error) {
    parts.log.error({ err: error }, 'catalog and storage could not be compared');
  }
}
