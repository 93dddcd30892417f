/** From the counters of phases to the counters of the whole record. Pure. */
import type { PhaseName, PhaseState, ProgressState, RecordKind, RecordRow } from '../catalog/catalog.ts';
import { levelOf } from './verify-request.ts';

/** Kinds of record, where those that go through other phases stand apart. */
export type RecordShape = RecordKind | 'VERIFY_CHECKSUM' | 'VERIFY_RESTORE';

/** The shape of a record. */
export function shapeOf(row: Pick<RecordRow, 'kind' | 'request'>): RecordShape {
  if (row.kind !== 'VERIFY') return row.kind;
  const level = levelOf(row);
  return level === 'CONTENT' ? 'VERIFY' : `VERIFY_${level}`;
}

/**
 * The phases a record of each kind goes through, in order, with the share of its time each usually takes. A phase
 * that is skipped counts as done once a later one starts.
 */
const SHARES: Readonly<Record<RecordShape, readonly (readonly [PhaseName, number])[]>> = {
  CREATE: [
    ['SNAPSHOT', 2],
    ['TABLES', 60],
    ['FILES', 30],
    ['STORE', 7],
    ['CATALOG', 1],
  ],
  RESTORE: [
    ['CHECKSUM', 4],
    ['CONTENT', 12],
    ['PLAN', 2],
    ['PRE_RESTORE_BACKUP', 22],
    ['STAGE_FILES', 12],
    ['CLEAR_TABLES', 2],
    ['LOAD_TABLES', 30],
    ['CONSTRAINTS', 5],
    ['PROVE', 10],
    ['COMMIT', 1],
    ['ROLL_BACK', 1],
  ],
  VERIFY: [
    ['CHECKSUM', 30],
    ['CONTENT', 70],
  ],
  VERIFY_CHECKSUM: [['CHECKSUM', 1]],
  VERIFY_RESTORE: [
    ['CHECKSUM', 6],
    ['CONTENT', 15],
    ['SCRATCH', 2],
    ['STAGE_FILES', 15],
    ['CLEAR_TABLES', 2],
    ['LOAD_TABLES', 35],
    ['CONSTRAINTS', 7],
    ['COMMIT', 1],
    ['PROVE', 15],
    ['CLEAN_UP', 2],
  ],
  SELF_TEST: [
    ['COLLECT', 10],
    ['SNAPSHOT', 5],
    ['TABLES', 5],
    ['FILES', 10],
    ['STORE', 10],
    ['DESTROY', 5],
    ['CHECKSUM', 5],
    ['CONTENT', 5],
    ['STAGE_FILES', 15],
    ['CLEAR_TABLES', 5],
    ['LOAD_TABLES', 5],
    ['CONSTRAINTS', 5],
    ['COMMIT', 5],
    ['PROVE', 5],
    ['CLEAN_UP', 5],
  ],
  ROTATE: [['DELETE', 1]],
  IMPORT: [
    ['CONTENT', 60],
    ['RECEIVE', 38],
    ['CATALOG', 2],
  ],
};

/** The phases whose counters say how much the record has done; the others count the same content again. */
const COUNTED: Readonly<Record<RecordShape, readonly PhaseName[]>> = {
  CREATE: ['TABLES', 'FILES'],
  RESTORE: ['STAGE_FILES', 'LOAD_TABLES'],
  VERIFY: ['CONTENT'],
  VERIFY_CHECKSUM: ['CHECKSUM'],
  VERIFY_RESTORE: ['CONTENT'],
  SELF_TEST: ['TABLES', 'FILES'],
  ROTATE: ['DELETE'],
  IMPORT: ['CONTENT'],
};

/** The progress of a record from its phases; `done` when it succeeded. */
export function recordProgress(
  kind: RecordShape,
  phases: readonly PhaseState[],
  done: boolean,
): ProgressState {
  const counted = phases.filter((phase) => COUNTED[kind].includes(phase.name));
  const current = phases.at(-1);
  const fraction = done ? 1 : overallFraction(kind, current);
  const sum = (pick: (progress: ProgressState) => number): number =>
    counted.reduce((total, phase) => total + pick(phase.progress), 0);
  const running = current?.status === 'RUNNING' ? current.progress : undefined;
  return {
    rows: sum((progress) => progress.rows),
    bytes: sum((progress) => progress.bytes),
    files: sum((progress) => progress.files),
    fraction,
    bytesPerSecond: running?.bytesPerSecond ?? 0,
    etaSeconds: eta(phases, fraction),
    currentItem: running?.currentItem ?? null,
  };
}

function overallFraction(kind: RecordShape, current: PhaseState | undefined): number {
  const shares = SHARES[kind];
  const total = shares.reduce((sum, [, share]) => sum + share, 0);
  const index = shares.findIndex(([name]) => name === current?.name);
  if (current === undefined || index === -1) return 0;
  const before = shares.slice(0, index).reduce((sum, [, share]) => sum + share, 0);
  const own = (shares[index]?.[1] ?? 0) * (current.progress.fraction ?? 0);
  return Math.min((before + own) / total, 0.99);
}

function eta(phases: readonly PhaseState[], fraction: number): number | null {
  const first = phases[0];
  const last = phases.at(-1);
  if (first === undefined || last?.status !== 'RUNNING' || fraction < 0.02 || fraction >= 1) return null;
  const elapsed = (Date.now() - Date.parse(first.startedAt)) / 1000;
  return Math.round((elapsed * (1 - fraction)) / fraction);
}
