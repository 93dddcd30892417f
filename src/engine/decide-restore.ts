/** decideRestore: a person says how a restore ended whose database will never tell. */
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { isFinished } from '../events/persisted-events.ts';
import type { Actor } from './engine.ts';
import { isHeldElsewhere, leaseUntil } from './lease.ts';
import type { EngineParts } from './parts.ts';
import type { TargetState } from './record-result.ts';
import type { RecordRunner } from './record-runner.ts';
import type { Recovery } from './recover.ts';
import { readJournal, writeJournal } from './restore-journal.ts';

/**
 * Writes the decision into the journal, for good, and lets recovery carry it out.
 * @throws HoldfastError NOT_FOUND, INVALID_INPUT (nothing is undecided), LOCK_HELD (the record is running)
 */
export async function decideRestore(
  parts: EngineParts,
  runner: RecordRunner,
  recovery: Recovery,
  actor: Actor,
  recordId: string,
  targetState: TargetState,
): Promise<RecordRow> {
  const row = await requireRestore(parts, actor, recordId);
  if (runner.isExecuting(recordId)) throw isRunning(row);
  await runner.keeping(row, () => decide(parts, actor, recordId, targetState));
  recovery.tryAgain(row);
  return await requireRecord(parts, actor, recordId);
}

async function decide(
  parts: EngineParts,
  actor: Actor,
  recordId: string,
  targetState: TargetState,
): Promise<void> {
  // Read again: recovery may just have had its answer.
  const row = await requireRestore(parts, actor, recordId);
  if (isHeldElsewhere(parts, row)) throw isRunning(row);
  const journal = await readJournal(parts, recordId);
  if (journal === undefined) throw nothingUndecided(row, 'It has not come to its commit.');
  const decided = targetState === 'WHOLLY_NEW' ? 'NEW' : 'OLD';
  if (journal.ticket === null) throw nothingUndecided(row, 'No database has a part in it.');
  if (journal.decided !== null) {
    const state = journal.decided === 'NEW' ? 'WHOLLY_NEW' : 'WHOLLY_OLD';
    throw nothingUndecided(row, `It is decided already: ${state}. Recovery carries that out.`);
  }
  const dead = row.leaseOwner !== null && parts.identity.isDead(row.leaseOwner) ? row.leaseOwner : undefined;
  if (!(await parts.catalog.records.claim(recordId, parts.identity.owner, leaseUntil(parts), dead))) {
    throw isRunning(row);
  }
  await writeJournal(parts, { ...journal, decided, decidedBy: actor.name });
  parts.log.warn({ recordId, decided, decidedBy: actor.name }, 'a restore was decided by a person');
}

async function requireRecord(parts: EngineParts, actor: Actor, recordId: string): Promise<RecordRow> {
  const row = await parts.catalog.records.find(actor.workspaceId, recordId);
  if (row === undefined) throw new HoldfastError('NOT_FOUND', 'There is no such record in this workspace.');
  return row;
}

async function requireRestore(parts: EngineParts, actor: Actor, recordId: string): Promise<RecordRow> {
  const row = await requireRecord(parts, actor, recordId);
  if (row.kind !== 'RESTORE') throw nothingUndecided(row, 'It is no restore.');
  if (isFinished(row)) throw nothingUndecided(row, `It has ended as ${row.status}.`);
  return row;
}

function nothingUndecided(row: RecordRow, why: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `Nothing of the record ${row.id} is to be decided. ${why}`, {
    field: 'recordId',
    hint: 'Only a restore whose database cannot be asked how it ended is decided by hand; its warnings say so.',
  });
}

function isRunning(row: RecordRow): HoldfastError {
  return new HoldfastError('LOCK_HELD', `The record ${row.id} is running.`, {
    hint: 'Wait for it to finish or cancel it. It is decided by hand only when its database does not answer.',
  });
}
