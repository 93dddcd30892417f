/** Runs one operation of an engine in a process of its own, which ends itself with SIGKILL at a point. */
import { parseArgs } from 'node:util';
import type { RestoreBackupRequest, VerifyBackupRequest } from '../../src/engine/engine.ts';
import { EVERYTHING, TestEngine } from './engine.ts';
import { withPoints } from './kill-points.ts';

/** What the process is told, as JSON. */
export interface ChildOrder {
  readonly directory: string;
  readonly killAt: string;
  readonly work:
    | { readonly kind: 'CREATE'; readonly sourceId: string }
    | { readonly kind: 'RESTORE'; readonly request: RestoreBackupRequest }
    | { readonly kind: 'VERIFY'; readonly request: VerifyBackupRequest }
    | { readonly kind: 'SELF_TEST' }
    | { readonly kind: 'RECOVER' };
}

const { positionals } = parseArgs({ allowPositionals: true });
// Written by engine-kill.ts beside this file.
const order = JSON.parse(positionals[0] ?? '') as ChildOrder;
const holdfast = await TestEngine.start(
  (parts) =>
    withPoints(parts, (point) => {
      if (point === order.killAt) process.kill(process.pid, 'SIGKILL');
    }),
  order.directory,
);
if (order.work.kind === 'CREATE') await holdfast.backUp(order.work.sourceId, EVERYTHING);
if (order.work.kind === 'RESTORE') await holdfast.restore(order.work.request);
if (order.work.kind === 'VERIFY') {
  await holdfast.finished(await holdfast.engine.verifyBackup(holdfast.actor, order.work.request));
}
if (order.work.kind === 'SELF_TEST') {
  await holdfast.finished(await holdfast.engine.runSelfTest(holdfast.actor, {}));
}
// Not reached when the point was; the parent tells by the exit code.
process.exit(3);
