/** A server that makes the scratch database of a drill, and whose answer is lost. */
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
let made = 0;

beforeAll(async () => {
  holdfast = await TestEngine.start(({ openDatabase }) => ({
    openDatabase: async (settings) => {
      const database = await openDatabase(settings);
      const { scratch } = database;
      const create: ScratchGround['create'] = async (name, like, signal) => {
        await scratch.create(name, like, signal);
        made += 1;
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

test('is asked to drop it, since it may be there', async () => {
  const { engine, actor } = holdfast;
  const { database } = application.definition;
  const owner = database?.kind === 'POSTGRESQL' ? new URL(database.url).username : '';
  await admin.asAdmin(`ALTER ROLE ${owner} CREATEDB`);
  const drill = { url: null, onOwnServer: true };
  const { id } = await engine.createSource(actor, { ...application.definition, drill });
  const { backupId } = await holdfast.backUp(id);
  const record = await holdfast.finished(await engine.verifyBackup(actor, { backupId, level: 'RESTORE' }));
  expect(record).toMatchObject({ status: 'FAILED', error: { code: 'SOURCE_UNREACHABLE', phase: 'SCRATCH' } });
  expect(record.warnings).toEqual([]);
  expect(made).toBe(1);
  const name = `holdfast_drill_${record.id.replaceAll('-', '')}`;
  expect(await admin.query(`SELECT datname FROM pg_database WHERE datname = '${name}'`)).toEqual([]);
});
