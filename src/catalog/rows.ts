/**
 * From Prisma's rows to the rows of the contract. They differ in the Json columns alone, which the repositories
 * of this folder are the only ones to write, from values of exactly these types. So a look at the outer shape is
 * enough to tell a damaged row from a good one, and history is never unreadable because a detail was added.
 */
import type { Manifest } from '../bundle/manifest.ts';
import type {
  BackupRow,
  CertificateRow,
  CertifiedTable,
  Json,
  PhaseState,
  ProgressState,
  RecordError,
  RecordEventRow,
  RecordRow,
} from './catalog.ts';
import type {
  Prisma,
  Backup as PrismaBackup,
  Certificate as PrismaCertificate,
  Record as PrismaRecord,
  RecordEvent,
} from './generated/client.ts';

function damaged(column: string): Error {
  return new Error(`The catalog is damaged: ${column} does not hold what was written to it.`);
}

function parseArray<T>(value: Prisma.JsonValue, column: string): T[] {
  if (!Array.isArray(value)) throw damaged(column);
  // Written by this folder from a T[]; see above.
  return value as unknown[] as T[];
}

function parseObject<T extends object>(value: Prisma.JsonValue, column: string): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(column);
  // Written by this folder from a T; see above.
  return value as object as T;
}

/** The phases of a record as its Json column holds them. */
export function parsePhases(value: Prisma.JsonValue): PhaseState[] {
  return parseArray<PhaseState>(value, 'Record.phases');
}

/** The counters of a record as its Json column holds them. */
export function parseProgress(value: Prisma.JsonValue): ProgressState {
  return parseObject<ProgressState>(value, 'Record.progress');
}

/** The warnings of a record as its Json column holds them. */
export function parseWarnings(value: Prisma.JsonValue): string[] {
  return parseArray<string>(value, 'Record.warnings');
}

/** The error of a record as its Json column holds it. */
export function parseRecordError(value: Prisma.JsonValue): RecordError | null {
  return value === null ? null : parseObject<RecordError>(value, 'Record.error');
}

/** The manifest of a backup as its Json column holds it. */
export function parseManifest(value: Prisma.JsonValue): Manifest {
  return parseObject<Manifest>(value, 'Backup.manifest');
}

/** A list in a Json column of a source. */
export function parseList<T>(value: Prisma.JsonValue, column: string): readonly T[] {
  return parseArray<T>(value, `Source.${column}`);
}

/** A record of Prisma as a record of the contract. */
export function toRecordRow(row: PrismaRecord): RecordRow {
  return {
    ...row,
    // Json and JsonValue differ in `undefined` properties only, which JSON has none of.
    request: row.request as Json,
    result: row.result as Json,
    phases: parsePhases(row.phases),
    progress: parseProgress(row.progress),
    warnings: parseWarnings(row.warnings),
    error: parseRecordError(row.error),
  };
}

/** An event of Prisma as an event of the contract. */
export function toRecordEventRow(row: RecordEvent): RecordEventRow {
  return {
    ...row,
    phase: row.phase === null ? null : parseObject<PhaseState>(row.phase, 'RecordEvent.phase'),
  };
}

/** A backup of Prisma as a backup of the contract. */
export function toBackupRow(row: PrismaBackup): BackupRow {
  return { ...row, manifest: parseManifest(row.manifest) };
}

/** A certificate of Prisma as a certificate of the contract. */
export function toCertificateRow(row: PrismaCertificate): CertificateRow {
  return { ...row, tables: parseArray<CertifiedTable>(row.tables, 'Certificate.tables') };
}

/** A value of the contract as Prisma takes it for a Json column. */
export function toJson(value: unknown): Prisma.InputJsonValue {
  // Contract types are plain data; `readonly` and missing index signatures alone keep them from fitting.
  return value as Prisma.InputJsonValue;
}
