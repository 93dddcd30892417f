/** Which backups a policy keeps, and why. Pure: no clock, no catalog. */
import type { BackupSummary } from '../catalog/catalog.ts';

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
