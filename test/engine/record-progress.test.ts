import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_PROGRESS, type PhaseName, type PhaseState } from '../../src/catalog/catalog.ts';
import { ProgressMeter } from '../../src/engine/progress-meter.ts';
import { type RecordShape, recordProgress } from '../../src/engine/record-progress.ts';

const PHASES: Readonly<Record<RecordShape, readonly PhaseName[]>> = {
  CREATE: ['SNAPSHOT', 'TABLES', 'FILES', 'STORE', 'CATALOG'],
  RESTORE: [
    'CHECKSUM',
    'CONTENT',
    'PLAN',
    'PRE_RESTORE_BACKUP',
    'STAGE_FILES',
    'CLEAR_TABLES',
    'LOAD_TABLES',
    'CONSTRAINTS',
    'PROVE',
    'COMMIT',
  ],
  VERIFY: ['CHECKSUM', 'CONTENT'],
  VERIFY_CHECKSUM: ['CHECKSUM'],
  VERIFY_RESTORE: [
    'CHECKSUM',
    'CONTENT',
    'SCRATCH',
    'STAGE_FILES',
    'CLEAR_TABLES',
    'LOAD_TABLES',
    'CONSTRAINTS',
    'COMMIT',
    'PROVE',
    'CLEAN_UP',
  ],
  SELF_TEST: [
    'COLLECT',
    'SNAPSHOT',
    'TABLES',
    'FILES',
    'STORE',
    'DESTROY',
    'CHECKSUM',
    'CONTENT',
    'STAGE_FILES',
    'CLEAR_TABLES',
    'LOAD_TABLES',
    'CONSTRAINTS',
    'COMMIT',
    'PROVE',
    'CLEAN_UP',
  ],
  ROTATE: ['DELETE'],
  IMPORT: ['CHECKSUM', 'CONTENT', 'RECEIVE', 'CATALOG'],
};

function phase(index: number, name: PhaseName, fraction: number | null, done: boolean): PhaseState {
  return {
    index,
    name,
    status: done ? 'SUCCEEDED' : 'RUNNING',
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: done ? '2026-01-01T00:00:01.000Z' : null,
    progress: { ...NO_PROGRESS, fraction },
  };
}

describe('the fraction of a record', () => {
  test.each(Object.entries(PHASES))('of %s never goes back and is 1 only at the end', (kind, names) => {
    fc.assert(
      fc.property(
        // Which phases are passed (others are skipped), and the fractions each goes through.
        fc.array(
          fc.tuple(fc.boolean(), fc.array(fc.double({ min: 0, max: 0.99, noNaN: true }), { maxLength: 4 })),
          {
            minLength: names.length,
            maxLength: names.length,
          },
        ),
        (course) => {
          const passed: PhaseState[] = [];
          let before = 0;
          const see = (phases: readonly PhaseState[]): void => {
            // The kinds are the keys of PHASES.
            const { fraction } = recordProgress(kind as RecordShape, phases, false);
            expect(fraction).toBeGreaterThanOrEqual(before);
            expect(fraction).toBeLessThan(1);
            before = fraction ?? 0;
          };
          for (const [n, [takesPart, fractions]] of course.entries()) {
            const name = names[n];
            if (!takesPart || name === undefined) continue;
            const index = passed.length;
            for (const fraction of [null, ...fractions.sort((a, b) => a - b)]) {
              see([...passed, phase(index, name, fraction, false)]);
            }
            passed.push(phase(index, name, 1, true));
            see(passed);
          }
          expect(recordProgress(kind as RecordShape, passed, true).fraction).toBe(1);
        },
      ),
    );
  });

  test('counts rows once, though they are written, checked and proven', () => {
    const counted = { ...NO_PROGRESS, rows: 10, bytes: 100 };
    const phases = (['CONTENT', 'LOAD_TABLES', 'PROVE'] as const).map((name, index) => ({
      ...phase(index, name, 1, true),
      progress: counted,
    }));
    expect(recordProgress('RESTORE', phases, true)).toMatchObject({ rows: 10, bytes: 100 });
  });
});

describe('a phase', () => {
  test('never claims the end before it is there, though its totals were estimates', () => {
    let now = 0;
    const meter = new ProgressMeter(() => new Date(now));
    meter.expect({ rows: 10 });
    expect(meter.state(false).fraction).toBe(0);
    meter.add({ rows: 50 });
    now += 1000;
    expect(meter.state(false).fraction).toBeLessThan(1);
    expect(meter.state(true).fraction).toBe(1);
  });

  test('tells rate and time to go from what it has counted', () => {
    let now = 0;
    const meter = new ProgressMeter(() => new Date(now));
    meter.expect({ bytes: 4000 });
    meter.state(false);
    now += 1000;
    meter.add({ bytes: 1000 });
    expect(meter.state(false)).toMatchObject({ bytesPerSecond: 1000, etaSeconds: 3, fraction: 0.25 });
  });
});
