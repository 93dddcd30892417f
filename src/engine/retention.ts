/** Which backups a policy keeps, and why. Pure: no clock, no catalog. */
import type { BackupSummary } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';

/** A backup stays if any rule keeps it; null rules say nothing. Counts and days are non-negative integers. */
export interface RetentionPolicy {
  readonly keepLast: number | null;
  /** Days, of 24 hours, counted back from now. */
  readonly keepDays: number | null;
}

/** What becomes of one backup, and the reason in words. */
export interface RetentionVerdict {
  readonly backup: BackupSummary;
  readonly keep: boolean;
  readonly reason: string;
}

/** What the rules need to know besides the backups. */
export interface RetentionFacts {
  readonly now: Date;
  /** Sources whose newest backup attempt failed: nothing of them is deleted. */
  readonly failingSources: ReadonlySet<string>;
  /** Backups that a running record reads. */
  readonly inUse: ReadonlySet<string>;
}

/** The rule of their own that pre-restore snapshots have: they are for undoing a restore, not for history. */
export const PRE_RESTORE_POLICY: RetentionPolicy = { keepLast: 3, keepDays: 7 };

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Refuses a policy that says nothing or something impossible.
 * @throws HoldfastError INVALID_INPUT
 */
export function checkPolicy(policy: RetentionPolicy): void {
  const rules = Object.entries({ keepLast: policy.keepLast, keepDays: policy.keepDays });
  for (const [field, value] of rules) {
    if (value !== null && (!Number.isInteger(value) || value < 0)) {
      throw new HoldfastError(
        'INVALID_INPUT',
        `${field} must be a whole number, 0 or more; it is ${value}.`,
        {
          field,
          hint: 'Leave a rule out to switch it off.',
        },
      );
    }
  }
  if (!rules.some(([, value]) => value !== null && value > 0)) {
    throw new HoldfastError('INVALID_INPUT', 'At least one retention rule must be positive.', {
      field: 'keepLast',
      hint: 'A policy that keeps nothing would delete every backup. Set keepLast or keepDays to 1 or more.',
    });
  }
}

/**
 * Judges every backup. Each source and job is a group of its own, and so are pre-restore snapshots.
 * @param backups of one workspace, in any order
 */
export function judge(
  backups: readonly BackupSummary[],
  policy: RetentionPolicy,
  facts: RetentionFacts,
): RetentionVerdict[] {
  checkPolicy(policy);
  return [...Map.groupBy(backups, groupOf).values()].flatMap((group) =>
    judgeGroup(group, group[0]?.trigger === 'PRE_RESTORE' ? PRE_RESTORE_POLICY : policy, facts),
  );
}

function groupOf(backup: BackupSummary): string {
  return JSON.stringify([backup.sourceId, backup.jobId, backup.trigger === 'PRE_RESTORE']);
}

function judgeGroup(
  group: readonly BackupSummary[],
  policy: RetentionPolicy,
  facts: RetentionFacts,
): RetentionVerdict[] {
  const newestFirst = [...group].sort(
    (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1),
  );
  const present = newestFirst.filter((backup) => !backup.missing && backup.lastVerdict !== 'FAILED');
  const newest = present[0];
  const newestVerified = present.find((backup) => backup.lastVerdict === 'PASSED');
  return newestFirst.map((backup) => {
    const kept =
      protection(backup, newest, newestVerified, facts) ?? keptByRule(backup, present, policy, facts.now);
    return kept === undefined
      ? { backup, keep: false, reason: 'no rule keeps it' }
      : { backup, keep: true, reason: kept };
  });
}

/** Safeguards that hold whatever the policy says. */
function protection(
  backup: BackupSummary,
  newest: BackupSummary | undefined,
  newestVerified: BackupSummary | undefined,
  facts: RetentionFacts,
): string | undefined {
  if (backup.pinned) return 'it is pinned';
  if (facts.inUse.has(backup.id)) return 'a running record is reading it';
  if (backup === newest) return 'it is the newest successful backup';
  if (backup === newestVerified) return 'it is the newest verified backup';
  if (backup.sourceId !== null && facts.failingSources.has(backup.sourceId)) {
    return 'the latest backup of its source failed';
  }
  return undefined;
}

/** Missing and corrupt backups take no place in `keepLast`: they would push good ones out. */
function keptByRule(
  backup: BackupSummary,
  present: readonly BackupSummary[],
  policy: RetentionPolicy,
  now: Date,
): string | undefined {
  const rank = present.indexOf(backup);
  if (policy.keepLast !== null && rank !== -1 && rank < policy.keepLast) {
    return `it is one of the last ${policy.keepLast} (keepLast)`;
  }
  const age = now.getTime() - backup.createdAt.getTime();
  if (policy.keepDays !== null && age <= policy.keepDays * DAY_MS) {
    return `it is not older than ${policy.keepDays} days (keepDays)`;
  }
  return undefined;
}
