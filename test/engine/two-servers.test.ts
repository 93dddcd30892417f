/** Two servers that share a catalog. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { EngineParts } from '../../src/engine/parts.ts';
import { EVERYTHING, TestEngine } from '../support/engine.ts';
import { sqliteApplication } from '../support/engine-application.ts';
import { withPoints } from '../support/kill-points.ts';

let home: string;
let first: TestEngine;
let second: TestEngine;
let sourceId: string;
const logged: string[] = [];
const reached = Promise.withResolvers<void>();
const released = Promise.withResolvers<void>();

function named(parts: EngineParts, name: string): EngineParts {
  const keep = (_details: object, message: string): void => {
    logged.push(message);
  };
  const log = { info: keep, warn: keep, error: keep };
  return { ...parts, log, identity: { owner: `this-host/1/${name}`, isDead: () => false } };
}

beforeAll(async () => {
  // The renewal of leases uses an interval, which the test winds on itself.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  home = await mkdtemp(join(tmpdir(), 'holdfast-two-'));
  first = await TestEngine.start((parts) => {
    const known = named(parts, 'first');
    const hold = async (point: string): Promise<void> => {
      if (point !== 'before file a.txt') return;
      reached.resolve();
      await released.promise;
    };
    return { ...known, ...withPoints(known, hold) };
  }, home);
  second = await TestEngine.start((parts) => named(parts, 'second'), home);
  const application = await sqliteApplication(join(first.root, 'app'));
  sourceId = (await first.engine.createSource(first.actor, application.definition)).id;
});

afterAll(async () => {
  vi.useRealTimers();
  released.resolve();
  await second.stop();
  await first.stop();
  await rm(home, { recursive: true, force: true });
});

test('a record that is canceled at the one stops at the other, which runs it', async () => {
  const { id } = await first.engine.createBackup(first.actor, { sourceId, selection: EVERYTHING });
  await reached.promise;
  await second.engine.cancelRecord(second.actor, id);
  await vi.advanceTimersByTimeAsync(8000);
  await expect
    .poll(() => logged, { timeout: 10_000 })
    .toContain('a record is canceled: another server was asked to');
  released.resolve();
  expect(await first.finished(id)).toMatchObject({ status: 'CANCELED', error: { code: 'CANCELED' } });
  expect(await first.leftovers()).toEqual([]);
});
