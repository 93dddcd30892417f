/** Binds the verbs to their parts. */

import { HoldfastError } from '../errors.ts';
import { cancelRecord } from './cancel-record.ts';
import { createBackup } from './create-backup.ts';
import { createRecoveryKit, openRecoveryKit } from './create-recovery-kit.ts';
import { decideRestore } from './decide-restore.ts';
import { deleteBackup } from './delete-backup.ts';
import type { Engine } from './engine.ts';
import { executorOf } from './execute.ts';
import { importBackup } from './import-backup.ts';
import { importStored } from './import-stored.ts';
import { inspectBundle } from './inspect-bundle.ts';
import { listEntries } from './list-entries.ts';
import { findBundle } from './open-bundle.ts';
import type { EngineParts } from './parts.ts';
import { openEntry } from './read-entry.ts';
import { readRows } from './read-rows.ts';
import { receiveUpload } from './receive-upload.ts';
import { reconcileStorage } from './reconcile-storage.ts';
import { RecordRunner } from './record-runner.ts';
import { type Recovery, startRecovery } from './recover.ts';
import { restoreBackup } from './restore-backup.ts';
import { restorePlan } from './restore-plan.ts';
import { rotateBackups } from './rotate-backups.ts';
import { runSelfTest } from './self-test.ts';
import { distrustSigner, rotateEncryptionKey, trustSigner } from './signers.ts';
import { createSource, deleteSource, updateSource } from './sources.ts';
import { startReconciliation } from './start-reconciliation.ts';
import { testSource } from './test-source.ts';
import { instanceSigner } from './trust.ts';
import { unknownBundles } from './unknown-bundles.ts';
import { verifyBackup } from './verify-backup.ts';

/** An engine at work. */
export interface StartedEngine {
  readonly engine: Engine;
  /** Stops what is running, rolled back and written down, and starts nothing more. */
  stop(): Promise<void>;
}

/** What an engine does by itself. */
export interface EngineHabits {
  /** Between two comparisons of catalog and storage, milliseconds; 0 for the one at the start alone, null for none. */
  readonly reconcileEveryMs: number | null;
}

/** Recovers what an earlier process left, then takes requests. */
export async function startEngine(
  parts: EngineParts,
  { reconcileEveryMs }: EngineHabits = { reconcileEveryMs: null },
): Promise<StartedEngine> {
  const runner = new RecordRunner(parts, executorOf(parts));
  const recovery = await startRecovery(parts, runner);
  const stopReconciliation =
    reconcileEveryMs === null ? undefined : startReconciliation(parts, reconcileEveryMs);
  return {
    engine: bind(parts, runner, recovery),
    async stop() {
      await stopReconciliation?.();
      await recovery.stop();
      await runner.stop();
    },
  };
}

function bind(parts: EngineParts, runner: RecordRunner, recovery: Recovery): Engine {
  return {
    createSource: (actor, definition) => createSource(parts, actor, definition),
    updateSource: (actor, id, change) => updateSource(parts, runner, recovery, actor, id, change),
    deleteSource: (actor, id) => deleteSource(parts, runner, actor, id),
    testSource: (actor, id, signal) => testSource(parts, actor, id, signal),
    createBackup: (actor, request) => createBackup(parts, runner, actor, request),
    restorePlan: (actor, request, signal) => restorePlan(parts, actor, request, signal),
    restoreBackup: (actor, request) => restoreBackup(parts, runner, actor, request),
    verifyBackup: (actor, request) => verifyBackup(parts, runner, actor, request),
    inspectBundle: (actor, origin, signal) => inspectBundle(parts, actor, origin, signal),
    runSelfTest: (actor, request) => runSelfTest(parts, runner, actor, request),
    rotateBackups: (actor, request) => rotateBackups(parts, runner, actor, request),
    deleteBackup: (actor, backupId) => deleteBackup(parts, actor, backupId),
    async pinBackup(actor, backupId, pinned) {
      const backup = await parts.catalog.backups.setPinned(actor.workspaceId, backupId, pinned);
      if (backup === undefined)
        throw new HoldfastError('NOT_FOUND', 'There is no such backup in this workspace.');
      return backup;
    },
    importBackup: (actor, uploadId, sourceId, unlock) =>
      importBackup(parts, runner, actor, uploadId, sourceId, unlock),
    importStored: (actor, storageKey, sourceId, unlock) =>
      importStored(parts, runner, actor, storageKey, sourceId, unlock),
    unknownBundles: (actor, range, signal) => unknownBundles(parts, actor, range, signal),
    reconcileStorage: (actor, { dryRun }, signal) =>
      reconcileStorage(parts, actor.workspaceId, dryRun, signal),
    cancelRecord: (actor, recordId) => cancelRecord(parts, runner, actor.workspaceId, recordId),
    decideRestore: (actor, recordId, targetState) =>
      decideRestore(parts, runner, recovery, actor, recordId, targetState),
    receiveUpload: (actor, fileName, content, signal) =>
      receiveUpload(parts, actor, fileName, content, signal),
    readRows: (actor, backupId, table, range, signal, unlock) =>
      readRows(parts, actor, backupId, table, range, signal, unlock),
    listEntries: (actor, backupId, filter, range, signal, unlock) =>
      listEntries(parts, actor, backupId, filter, range, signal, unlock),
    openEntry: (workspaceId, backupId, position, signal, unlock) =>
      openEntry(parts, workspaceId, backupId, position, signal, unlock),
    signer: instanceSigner(parts),
    rotateEncryptionKey: (actor, request) => rotateEncryptionKey(parts, actor, request),
    trustSigner: (actor, request) => trustSigner(parts, actor, request),
    distrustSigner: (actor, signerId) => distrustSigner(parts, actor, signerId),
    createRecoveryKit: (actor, request) => createRecoveryKit(parts, actor, request),
    openRecoveryKit: (workspaceId, kitId) => openRecoveryKit(parts, workspaceId, kitId),
    async openBackup(workspaceId, backupId, signal) {
      const bundle = await findBundle(parts, workspaceId, { backupId });
      const backup = await parts.catalog.backups.find(workspaceId, backupId);
      if (backup === undefined)
        throw new HoldfastError('NOT_FOUND', 'There is no such backup in this workspace.');
      return { backup, file: await bundle.open(signal) };
    },
  };
}
