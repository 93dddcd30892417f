import { expect, expectTypeOf, test } from 'vitest';
import type {
  BackupRow,
  LockRow,
  RecordEventRow,
  RecordEventType,
  RecordKind,
  RecordRow,
  RecordStatus,
  Role,
  Trigger,
  UploadRow,
  Verdict,
} from '../../src/catalog/catalog.ts';
import type * as Prisma from '../../src/catalog/generated/client.ts';
import { parseManifest, parsePhases, parseProgress, toRecordRow } from '../../src/catalog/rows.ts';
import type { DatabaseKind } from '../../src/source/source.ts';

type RecordJson = 'request' | 'phases' | 'progress' | 'warnings' | 'error' | 'result';

// The compiler is the test: `npm run typecheck` fails when one side changes alone.
test('rows of the contract and rows of Prisma have the same columns and types, but for Json columns', () => {
  expectTypeOf<Omit<RecordRow, RecordJson>>().toEqualTypeOf<Omit<Prisma.Record, RecordJson>>();
  expectTypeOf<keyof RecordRow>().toEqualTypeOf<keyof Prisma.Record>();
  expectTypeOf<Omit<BackupRow, 'manifest'>>().toEqualTypeOf<Omit<Prisma.Backup, 'manifest'>>();
  expectTypeOf<keyof BackupRow>().toEqualTypeOf<keyof Prisma.Backup>();
  expectTypeOf<Omit<RecordEventRow, 'phase'>>().toEqualTypeOf<Omit<Prisma.RecordEvent, 'phase'>>();
  expectTypeOf<keyof RecordEventRow>().toEqualTypeOf<keyof Prisma.RecordEvent>();
  expectTypeOf<LockRow>().toEqualTypeOf<Prisma.Lock>();
  expectTypeOf<UploadRow>().toEqualTypeOf<Prisma.Upload>();
});

test('enums of the contract and enums of Prisma have the same values', () => {
  expectTypeOf<Role>().toEqualTypeOf<Prisma.Role>();
  expectTypeOf<RecordKind>().toEqualTypeOf<Prisma.RecordKind>();
  expectTypeOf<RecordStatus>().toEqualTypeOf<Prisma.RecordStatus>();
  expectTypeOf<RecordEventType>().toEqualTypeOf<Prisma.RecordEventType>();
  expectTypeOf<Trigger>().toEqualTypeOf<Prisma.Trigger>();
  expectTypeOf<Verdict>().toEqualTypeOf<Prisma.Verdict>();
  expectTypeOf<DatabaseKind>().toEqualTypeOf<Prisma.DatabaseKind>();
  expectTypeOf(toRecordRow).parameter(0).toEqualTypeOf<Prisma.Record>();
});

test('a Json column that was damaged by hand is noticed and named', () => {
  expect(() => parsePhases({})).toThrow('Record.phases');
  expect(() => parseProgress([])).toThrow('Record.progress');
  expect(() => parseManifest('text')).toThrow('Backup.manifest');
});
