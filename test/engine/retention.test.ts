import { describe, expect, test } from 'vitest';
import type { BackupSummary } from '../../src/catalog/catalog.ts';
import { judge, type RetentionFacts, type RetentionPolicy } from '../../src/engine/retention.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const FACTS: RetentionFacts = { now: NOW, failingSources: new Set(), inUse: new Set() };

function backup(id: string, ageDays: number, change: Partial<BackupSummary> = {}): BackupSummary {
  return {
    id,
    name: id,
    sourceId: 'source',
    jobId: null,
    trigger: 'MANUAL',
    pinned: false,
    missing: false,
    createdAt: new Date(NOW.getTime() - ageDays * 24 * 60 * 60 * 1000),
    sizeBytes: 1n,
    lastVerdict: null,
    lastVerifiedAt: null,
    ...change,
  };
}

function policy(keepLast: number | null, keepDays: number | null = null): RetentionPolicy {
  return { keepLast, keepDays };
}

function kept(backups: readonly BackupSummary[], rules: RetentionPolicy, facts = FACTS): string[] {
  return judge(backups, rules, facts)
    .filter((verdict) => verdict.keep)
    .map((verdict) => verdict.backup.id)
    .sort();
}

const FIVE = [backup('a', 1), backup('b', 2), backup('c', 3), backup('d', 10), backup('e', 20)];

describe('retention', () => {
  test('keeps the last so many', () => {
    expect(kept(FIVE, policy(2))).toEqual(['a', 'b']);
  });

  test('keeps what is not older than so many days, to the hour', () => {
    expect(kept(FIVE, policy(null, 3))).toEqual(['a', 'b', 'c']);
    expect(kept(FIVE, policy(null, 2))).toEqual(['a', 'b']);
  });

  test('keeps what any rule keeps, not only what all of them keep', () => {
    expect(kept(FIVE, policy(4, 2))).toEqual(['a', 'b', 'c', 'd']);
    expect(kept(FIVE, policy(1, 10))).toEqual(['a', 'b', 'c', 'd']);
  });

  test('says why for each backup', () => {
    const reasons = judge(FIVE, policy(2), FACTS).map((verdict) => verdict.reason);
    expect(reasons[0]).toContain('newest successful');
    expect(reasons[1]).toContain('keepLast');
    expect(reasons[4]).toContain('no rule keeps it');
  });

  test('never deletes the newest backup, however old it is', () => {
    expect(kept([backup('old', 400), backup('older', 500)], policy(null, 7))).toEqual(['old']);
  });

  test('never deletes the newest verified, a pinned one or one that is being read', () => {
    const backups = [
      backup('newest', 1),
      backup('plain', 2),
      backup('verified', 3, { lastVerdict: 'PASSED' }),
      backup('verified before', 4, { lastVerdict: 'PASSED' }),
      backup('pinned', 5, { pinned: true }),
      backup('read', 6),
    ];
    expect(kept(backups, policy(1), { ...FACTS, inUse: new Set(['read']) })).toEqual([
      'newest',
      'pinned',
      'read',
      'verified',
    ]);
  });

  test('gives no place to missing and corrupt ones, so they push no good one out', () => {
    const backups = [
      backup('gone', 1, { missing: true }),
      backup('corrupt', 2, { lastVerdict: 'FAILED' }),
      backup('good', 3),
      backup('good too', 4),
      backup('one too many', 5),
    ];
    expect(kept(backups, policy(2))).toEqual(['good', 'good too']);
  });

  test('deletes nothing of a source whose latest backup failed', () => {
    const facts = { ...FACTS, failingSources: new Set(['source']) };
    const others = backup('other', 30, { sourceId: 'another source' });
    const more = backup('other too', 31, { sourceId: 'another source' });
    expect(kept([...FIVE, others, more], policy(1), facts)).toEqual(['a', 'b', 'c', 'd', 'e', 'other']);
  });

  test('judges each source and job by itself', () => {
    const backups = [
      backup('a1', 1),
      backup('a2', 2),
      backup('b1', 50, { sourceId: 'b' }),
      backup('b2', 60, { sourceId: 'b' }),
      backup('j1', 70, { jobId: 'job' }),
      backup('j2', 80, { jobId: 'job' }),
    ];
    expect(kept(backups, policy(1))).toEqual(['a1', 'b1', 'j1']);
  });

  test('has a rule of its own for pre-restore snapshots: three, or a week', () => {
    const snapshots = [1, 2, 3, 6, 8, 9].map((age) => backup(`s${age}`, age, { trigger: 'PRE_RESTORE' }));
    expect(kept([...snapshots, ...FIVE], policy(5))).toEqual([
      'a',
      'b',
      'c',
      'd',
      'e',
      's1',
      's2',
      's3',
      's6',
    ]);
  });

  test.each([
    ['a negative count', policy(-1)],
    ['a negative number of days beside a good rule', policy(3, -1)],
    ['a fraction', policy(1.5)],
    ['not a number', policy(Number.NaN)],
    ['rules that keep nothing', policy(0, 0)],
    ['no rule at all', policy(null, null)],
  ])('refuses %s and judges nothing', (_what, rules) => {
    expect(() => judge(FIVE, rules, FACTS)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});
