import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import type { SchemaStatement } from '../../../../../src/source/schema-script.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { putBack } from '../../../../support/postgres-round-trip.ts';

const nothing = { tables: [], rows: [], sequences: [] };
const table = { object: 'TABLE public.t', sql: 'CREATE TABLE public.t (id int)' };

describe('a script that no backup wrote', () => {
  let target: TestDatabase;
  beforeEach(async () => {
    target = await createTestDatabase(inject('postgresUrl'));
  });
  afterEach(() => target.dispose());

  const restoring = (before: readonly SchemaStatement[], after: readonly SchemaStatement[] = []) =>
    putBack(openPostgres(target.url), nothing, {
      schema: { mode: 'CREATE', script: { before, after, notCarried: [] } },
    });

  const tables = () =>
    target.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`);

  it.each([
    'COMMIT',
    'rollback',
    'BEGIN',
    'END',
    'ABORT',
    'START TRANSACTION',
    'SAVEPOINT holdfast_body',
    "PREPARE TRANSACTION 'x'",
    '/* CREATE */ COMMIT',
    '-- CREATE\nCOMMIT',
    'DROP SCHEMA public CASCADE',
    "COPY public.t TO PROGRAM 'true'",
    'DO $$ BEGIN COMMIT; END $$',
    "SELECT pg_read_file('x')",
    'SET session_replication_role = replica',
    'SET ROLE postgres',
    'ALTER SYSTEM SET fsync = off',
    'ALTER DATABASE postgres RENAME TO x',
    'ALTER ROLE postgres SUPERUSER',
    "CREATE ROLE intruder SUPERUSER PASSWORD 'x'",
    'CREATE DATABASE intruder',
    '',
  ])('is refused before anything is done: %s', async (sql) => {
    await expect(restoring([table], [{ object: 'TABLE public.u', sql }])).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
      message: expect.stringContaining('TABLE public.u'),
    });
    expect(await tables()).toEqual([]);
  });

  it.each([
    'CREATE TABLE public.u (id int); COMMIT; CREATE TABLE public.v (id int)',
    'CREATE TABLE public.u (id int); ROLLBACK',
  ])('cannot end the transaction by a second statement: %s', async (sql) => {
    await expect(restoring([table, { object: 'TABLE public.u', sql }], [])).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('TABLE public.u cannot be made'),
    });
    expect(await tables()).toEqual([]);
  });
});
