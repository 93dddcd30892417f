/** What a drill needs, what it may not do, and what real databases come to. */
import { copyFileSync, existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { BundleReader } from '../../src/bundle/bundle.ts';
import type { RecordRow, VerifyLevel } from '../../src/catalog/catalog.ts';
import { TestEngine } from '../support/engine.ts';
import { type Application, postgresApplication } from '../support/engine-application.ts';
import { forgeBackup } from '../support/forged-backup.ts';
import { createTestDatabase } from '../support/postgres-database.ts';
import { loadScript } from '../support/postgres-load.ts';

const data = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const never = new AbortController().signal;

let holdfast: TestEngine;
let application: Application;
let sourceId: string;
let backupId: string;
/** Makes readers look as if the key of the bundle were not held. */
let locked = false;

function lockedReader(reader: BundleReader): BundleReader {
  return {
    manifest: reader.manifest,
    signature: reader.signature,
    locked: true,
    entries: () => refuse(),
    readTable: () => refuse(),
    readRows: () => refuse(),
    readSchema: () => refuse(),
    readFile: () => refuse(),
    verifyContent: async () => ({
      contentChecked: false,
      entries: 0,
      rows: 0,
      bytes: 0,
      files: 0,
      tables: [],
    }),
    close: () => reader.close(),
  };
}

function refuse(): never {
  throw new Error('a locked bundle was asked for content');
}

beforeAll(async () => {
  holdfast = await TestEngine.start(({ bundles }) => ({
    bundles: {
      createWriter: (options) => bundles.createWriter(options),
      async openReader(file, signal, options) {
        const reader = await bundles.openReader(file, signal, options);
        return locked ? lockedReader(reader) : reader;
      },
    },
  }));
  application = await postgresApplication(join(holdfast.root, 'app'), inject('postgresUrl'));
  sourceId = (await holdfast.engine.createSource(holdfast.actor, application.definition)).id;
  backupId = (await holdfast.backUp(sourceId)).backupId;
});

afterAll(async () => {
  await holdfast.remove();
  await application.dispose();
});

afterEach(() => {
  locked = false;
});

async function verify(level: VerifyLevel, id = backupId): Promise<RecordRow> {
  return await holdfast.finished(await holdfast.engine.verifyBackup(holdfast.actor, { backupId: id, level }));
}

describe('a PostgreSQL source', () => {
  test('that says nothing of drills refuses them before anything is done, and says what to set', async () => {
    const { engine, actor, opened } = holdfast;
    const records = await opened.prisma.record.count();
    await expect(engine.verifyBackup(actor, { backupId, level: 'RESTORE' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      field: 'level',
      hint: expect.stringMatching(/drill\.url .* drill\.onOwnServer/),
    });
    expect(await opened.prisma.record.count()).toBe(records);
    const { drill } = await engine.testSource(actor, sourceId, never);
    expect(drill).toEqual({ possible: false, reason: expect.stringContaining('drill.onOwnServer') });
  });

  test('whose user may not make databases says so, and what to grant; then its own server serves', async () => {
    const { engine, actor } = holdfast;
    await engine.updateSource(actor, sourceId, { drill: { onOwnServer: true } });
    expect((await engine.testSource(actor, sourceId, never)).drill).toMatchObject({
      possible: false,
      reason: expect.stringContaining('CREATEDB'),
    });
    expect(await verify('RESTORE')).toMatchObject({
      status: 'FAILED',
      error: { code: 'INVALID_INPUT', phase: 'SCRATCH', hint: expect.stringContaining('CREATEDB') },
      result: null,
    });
    const { database } = application.definition;
    const owner = database?.kind === 'POSTGRESQL' ? new URL(database.url).username : '';
    const admin = await createTestDatabase(inject('postgresUrl'));
    try {
      await admin.asAdmin(`ALTER ROLE ${owner} CREATEDB`);
      expect((await engine.testSource(actor, sourceId, never)).drill).toEqual({
        possible: true,
        reason: null,
      });
      const record = await verify('RESTORE');
      expect(record).toMatchObject({ status: 'SUCCEEDED', warnings: [], result: { verdict: 'PASSED' } });
      const left = await admin.query("SELECT datname FROM pg_database WHERE datname LIKE 'holdfast_drill_%'");
      expect(left).toEqual([]);
    } finally {
      await admin.dispose();
    }
  });

  test('keeps its scratch server when something else of it changes, and loses it when told', async () => {
    const { engine, actor, parts } = holdfast;
    const url = inject('postgresUrl');
    await engine.updateSource(actor, sourceId, { drill: { url, onOwnServer: false } });
    await engine.updateSource(actor, sourceId, { name: 'Renamed' });
    const find = () => parts.catalog.sources.find(actor.workspaceId, sourceId);
    expect((await find())?.drill).toEqual({ url, onOwnServer: false });
    await engine.updateSource(actor, sourceId, { drill: { url: null } });
    expect((await find())?.drill).toEqual({ url: null, onOwnServer: false });
    await expect(
      engine.updateSource(actor, sourceId, { drill: { url: 'mariadb://root@localhost/mysql' } }),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await engine.updateSource(actor, sourceId, { drill: { url } });
  });
});

describe('the levels', () => {
  test('CHECKSUM looks at the file alone', async () => {
    const record = await verify('CHECKSUM');
    expect(record.phases.map(({ name }) => name)).toEqual(['CHECKSUM']);
    expect(record).toMatchObject({
      status: 'SUCCEEDED',
      progress: { fraction: 1 },
      result: { level: 'CHECKSUM', verdict: 'PASSED', rowsChecked: 0 },
    });
  });

  test('RESTORE makes no drill of a bundle that nobody trusted signed: its structure is code', async () => {
    const { engine, actor } = holdfast;
    const { id } = await engine.createSource(actor, {
      ...application.definition,
      name: 'forged',
      drill: { url: null, onOwnServer: true },
    });
    const forged = await holdfast.backUp(id);
    await forgeBackup(holdfast, forged.backupId, { unsigned: true });
    const record = await holdfast.finished(
      await engine.verifyBackup(actor, { backupId: forged.backupId, level: 'RESTORE' }),
    );
    expect(record).toMatchObject({
      status: 'SUCCEEDED',
      result: { verdict: 'UNPROVEN', message: expect.stringContaining('not signed'), restoreSeconds: null },
    });
    expect(record.phases.map(({ name }) => name)).toEqual(['CHECKSUM', 'CONTENT']);
  });

  test.each<VerifyLevel>(['CONTENT', 'RESTORE'])(
    '%s of a bundle whose key is not held proves nothing, and says so',
    async (level) => {
      locked = true;
      const record = await verify(level);
      expect(record).toMatchObject({
        status: 'SUCCEEDED',
        result: { verdict: 'UNPROVEN', message: expect.stringContaining('its key is not held') },
      });
      expect(record.phases.map(({ name }) => name)).toEqual(['CHECKSUM', 'CONTENT']);
      const standing = () => holdfast.opened.prisma.backup.findUniqueOrThrow({ where: { id: backupId } });
      expect(await standing()).toMatchObject({ lastVerdict: 'UNPROVEN' });
      // Nor does a look at the file alone prove what could not be looked into.
      expect(await verify('CHECKSUM')).toMatchObject({ result: { verdict: 'PASSED' } });
      expect(await standing()).toMatchObject({ lastVerdict: 'UNPROVEN' });
    },
  );
});

describe('sample databases (run when ../shared/data is beside the repository)', () => {
  test.skipIf(!existsSync(join(data, 'chinook.sqlite')))('Chinook is proven on SQLite', async () => {
    const path = join(holdfast.root, 'chinook/chinook.sqlite');
    await mkdir(join(holdfast.root, 'chinook'));
    copyFileSync(join(data, 'chinook.sqlite'), path);
    await proves({ kind: 'SQLITE', path }, 11);
  });

  test.skipIf(!existsSync(data))('Sakila is proven on PostgreSQL', async () => {
    const database = await createTestDatabase(inject('postgresUrl'));
    try {
      await loadScript(database.adminUrl, join(data, 'sakila-postgres-schema.sql'));
      await loadScript(database.adminUrl, join(data, 'sakila-postgres-data.sql'));
      await proves({ kind: 'POSTGRESQL', url: database.adminUrl }, 21);
    } finally {
      await database.dispose();
    }
  });

  async function proves(
    database: { kind: 'SQLITE'; path: string } | { kind: 'POSTGRESQL'; url: string },
    tables: number,
  ): Promise<void> {
    const { engine, actor, opened } = holdfast;
    const source = await engine.createSource(actor, {
      name: database.kind,
      database,
      excludedTables: [],
      clearedColumns: [],
      trees: [],
      configTrees: [],
      envFile: null,
      drill: { url: null, onOwnServer: true },
    });
    const backup = await holdfast.backUp(source.id);
    const record = await verify('RESTORE', backup.backupId);
    expect(record).toMatchObject({ status: 'SUCCEEDED', error: null, result: { verdict: 'PASSED' } });
    expect(record.warnings).toEqual([]);
    const [certificate] = await opened.prisma.certificate.findMany({ where: { backupId: backup.backupId } });
    expect(certificate?.tables).toHaveLength(tables);
    expect(await holdfast.leftovers()).toEqual([]);
  }
});
