/**
 * What comes of a record, by kind: the JSON kept in `Record.result`. Null while there is nothing to tell.
 * Counts are numbers, exact below 2^53. A dead or failed record may have a result too: a restore always says
 * in which state it left its target.
 */
import type { Verdict, VerifyLevel } from '../catalog/catalog.ts';

/** What went into a bundle. */
export type CreateResult = {
  kind: 'CREATE';
  tables: number;
  rows: number;
  files: number;
  /** Content before compression. */
  bytes: number;
};

/** Database and files are together one or the other, never a mixture. */
export type TargetState = 'WHOLLY_OLD' | 'WHOLLY_NEW';

/** What a restore did. */
export type RestoreResult = {
  kind: 'RESTORE';
  targetState: TargetState;
  dryRun: boolean;
  /** True when the work was done and taken back: by a dry run, a cancellation or a failure. */
  rolledBack: boolean;
  /** True when every table was read back and its rows and digest matched the bundle. */
  proven: boolean;
  rowsRestored: number;
  filesRestored: number;
  /** In restore order; `digest` is the content digest of what was read back, 32 hex digits. */
  tables: { schema: string | null; name: string; rows: number; digest: string }[];
  trees: { area: 'files' | 'config'; name: string; files: number }[];
  envFileRestored: boolean;
  /** The backup made of the target beforehand; null when none was. */
  preRestoreBackupId: string | null;
  /** Who said in which state the target is, when its database could not be asked; absent when it was. */
  decidedBy?: string;
};

/** What a verification found. */
export type VerifyResult = {
  kind: 'VERIFY';
  /** Absent in results of before there were levels: CONTENT. */
  level?: VerifyLevel;
  verdict: Verdict;
  /** One sentence for people. */
  message: string;
  entriesChecked: number;
  rowsChecked: number;
  bytesChecked: number;
  /** What a drill took to restore; null or absent without one that passed. */
  restoreSeconds?: number | null;
  /** The first hundred faults. `entry` is null for the bundle as a whole. */
  problems: { entry: string | null; message: string }[];
};

/** What became of each backup a rotation looked at. */
export type RotateResult = {
  kind: 'ROTATE';
  deleted: number;
  kept: number;
  freedBytes: number;
  verdicts: {
    backupId: string;
    backupName: string;
    keep: boolean;
    reason: string;
    /** Why it could not be deleted although it should have been; null otherwise. */
    failure: string | null;
  }[];
};

/** What was imported; the backup is the record's. */
export type ImportResult = {
  kind: 'IMPORT';
  tables: number;
  rows: number;
  files: number;
  bytes: number;
};

/** The steps of a self-test, in order. */
export type SelfTestStepName = 'COLLECT' | 'BACK_UP' | 'DESTROY' | 'RESTORE' | 'VERIFY' | 'CLEAN_UP';

/** How far a step of a self-test is; SKIPPED when an earlier one kept it from beginning. */
export type SelfTestStepStatus = 'WAITING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED' | 'SKIPPED';

/** How a self-test went; kept up to date while it runs. */
export type SelfTestResult = {
  kind: 'SELF_TEST';
  steps: {
    name: SelfTestStepName;
    status: SelfTestStepStatus;
    /** ISO 8601. */
    startedAt: string | null;
    finishedAt: string | null;
    seconds: number | null;
  }[];
};

/** The value of `Record.result`. */
export type RecordResult =
  | CreateResult
  | RestoreResult
  | VerifyResult
  | RotateResult
  | ImportResult
  | SelfTestResult;
