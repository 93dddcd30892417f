/** GET /health (the process answers) and GET /ready (its parts can be used). Anonymous, so they tell no details. */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { sendJson } from './answer.ts';
import type { ServerParts } from './parts.ts';

/** Milliseconds a check may take before its part counts as failed. */
const CHECK_LIMIT_MS = 5_000;

/** Says that the process lives. */
export function sendHealth(response: ServerResponse): void {
  sendJson(response, 200, { status: 'ok' });
}

/** Says whether each part can be used: 200 when all can, else 503. Why not is in the log. */
export async function sendReadiness(
  { checks, log }: Pick<ServerParts, 'checks' | 'log'>,
  response: ServerResponse,
): Promise<void> {
  const outcomes = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const done = new AbortController();
      const tooLate = delay(CHECK_LIMIT_MS, undefined, { signal: done.signal, ref: false }).then(() => {
        throw new Error(`no answer within ${CHECK_LIMIT_MS} ms`);
      });
      try {
        await Promise.race([check(), tooLate]);
        return [name, 'ok'] as const;
      } catch (error) {
        log.warn({ check: name, err: error }, 'not ready');
        return [name, 'failed'] as const;
      } finally {
        tooLate.catch(() => {});
        done.abort();
      }
    }),
  );
  const ready = outcomes.every(([, outcome]) => outcome === 'ok');
  sendJson(response, ready ? 200 : 503, {
    status: ready ? 'ready' : 'unavailable',
    checks: Object.fromEntries(outcomes),
  });
}
