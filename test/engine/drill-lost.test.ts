/** Faults of the server of a drill, which say nothing of the backup. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import type { ScratchGround } from '../../src/source/source.ts';
import { TestEngine } from '../support/engine.ts';
import { type Application, postgresApplication } from '../support/engine-application.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres-database.ts';

let holdfast: TestEngine;
let application: Application;
let admin: TestDatabase;
/** Whether the answer to CREATE DATABASE is lost. */
let lost = false;
let made = 0;

beforeAll(async () => {
  holdfast = await TestEngine.start(({ openDatabase }) => ({
    openDatabase: async (settings) => {
      const database = await openDatabase(settings);
      const { scratch } = database;
      const create: ScratchGround['create'] = async (name, like, signal) => {
        const scratchMade = await scratch.create(name, like, signal);
        made += 1;
        if (!lost) return scratchMade;
        throw new HoldfastError('SOURCE_UNREACHABLE', 'The connection was lost.');
      };
      return Object.assign(database, { scratch: { ...scratch, create } });
    },
  }));
  application = await postgresApplication(join(holdfast.root, 'app'), inject('postgresUrl'));
  admin = await createTestDatabase(inject('postgresUrl'));
});
afterAll(async () => {
  await holdfast.remove();
  await application.dispose();
  await admin.dispose();
});

test('a server whose answer was lost is asked to drop what it may have made', async () => {
  const { engine, actor } = holdfast;
  const { database } = application.definition;
  const owner = database?.kind === 'POSTGRESQL' ? new URL(database.url).username : '';
  await admin.asAdmin(`ALTER ROLE ${owner} CREATEDB`);
  const drill = { url: null, onOwnServer: true };
  const { id } = await engine.createSource(actor, { ...application.definition, drill });
  const { backupId } = await holdfast.backUp(id);
  lost = true;
  const record = await holdfast.finished(await engine.verifyBackup(actor, { backupId, level: 'RESTORE' }));
  expect(record).toMatchObject({ status: 'FAILED', error: { code: 'SOURCE_UNREACHABLE', phase: 'SCRATCH' } });
  expect(record.warnings).toEqual([]);
  lost = false;
  expect(made).toBe(1);
  const name = `holdfast_drill_${record.id.replaceAll('-', '')}`;
  expect(await admin.query(`SELECT datname FROM pg_database WHERE datname = '${name}'`)).toEqual([]);
});

test.each(['58030', 'XX000'])(
  'a disk or a program that fails there (SQLSTATE %s) is no verdict',
  async (state) => {
    const source = await createTestDatabase(inject('postgresUrl'));
    try {
      await source.execute(
        `CREATE FUNCTION twice(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 2 * n; END'`,
        'CREATE TABLE counted (n int)',
        'CREATE INDEX ON counted (public.twice(n))',
        'INSERT INTO counted VALUES (1), (2)',
        `CREATE OR REPLACE FUNCTION twice(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'could not read block 3' USING ERRCODE = '${state}'; END $$`,
      );
      await admin.asAdmin(`ALTER ROLE ${new URL(source.url).username} CREATEDB`);
      const { engine, actor } = holdfast;
      const { id } = await engine.createSource(actor, {
        name: `Fails with ${state}`,
        database: { kind: 'POSTGRESQL', url: source.url },
        excludedTables: [],
        clearedColumns: [],
        trees: [],
        configTrees: [],
        envFile: null,
        drill: { url: null, onOwnServer: true },
      });
      const { backupId } = await holdfast.backUp(id);
      const record = await holdfast.finished(
        await engine.verifyBackup(actor, { backupId, level: 'RESTORE' }),
      );
      expect(record).toMatchObject({ status: 'FAILED', error: { code: 'SOURCE_UNREACHABLE' } });
      expect(record.error?.message).toContain('could not read block 3');
      expect(
        await holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } }),
      ).toMatchObject({
        lastVerdict: null,
      });
    } finally {
      await source.dispose();
    }
  },
);
