import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres-database.ts';

const never = new AbortController().signal;
const noSnapshot = { preRestoreBackup: 'NONE' } as const;

const SCHEMA = `
  CREATE SCHEMA sales;
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL, joined timestamptz, session text, mood mood, tags text[], photo bytea
  );
  CREATE TABLE sales.purchase (
    id serial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customer, amount numeric(20,5),
    details jsonb, doubled numeric GENERATED ALWAYS AS (amount * 2) STORED
  );
  CREATE TABLE department (id int PRIMARY KEY, head_id int, name text);
  CREATE TABLE employee (id int PRIMARY KEY, department_id int REFERENCES department, manager_id int REFERENCES employee);
  ALTER TABLE department ADD FOREIGN KEY (head_id) REFERENCES employee;
  CREATE TABLE log (id int PRIMARY KEY, line text);
  INSERT INTO customer (name, joined, session, mood, tags, photo) VALUES
    ('Ada', '2026-01-02 03:04:05.678901+00', 's1', 'good', '{a,"b,c",NULL}', '\\x00ff0a'),
    (E'Line\\nbreak\\t"quoted" \\\\ ☃', 'infinity', NULL, NULL, '{}', '');
  INSERT INTO sales.purchase (customer_id, amount, details) VALUES
    (1, 123456789012345.12345, '{"n": 9007199254740993, "x": null}'), (2, NULL, 'null'), (2, 0.00001, '[]');
  INSERT INTO department VALUES (1, NULL, 'Research');
  INSERT INTO employee VALUES (1, 1, 1), (2, 1, 1);
  UPDATE department SET head_id = 1;
  INSERT INTO log VALUES (1, 'kept');
`;
const TABLES = ['customer', 'sales.purchase', 'department', 'employee'];

let holdfast: TestEngine;
let database: TestDatabase;
let sourceId: string;
let backupId: string;
let whole: unknown;

async function rows(tables: readonly string[] = TABLES): Promise<unknown> {
  const content: unknown[] = [];
  for (const table of tables)
    content.push(await database.query(`SELECT t::text FROM ${table} t ORDER BY id`));
  return content;
}

async function wreck(): Promise<void> {
  await database.execute(
    'DELETE FROM sales.purchase WHERE id = 1',
    "UPDATE customer SET name = 'nobody', mood = 'bad'",
    "INSERT INTO customer (name) VALUES ('Eve')",
    'UPDATE department SET head_id = 2',
    'UPDATE employee SET manager_id = 2',
    "INSERT INTO log VALUES (2, 'also kept') ON CONFLICT DO NOTHING",
  );
}

beforeAll(async () => {
  holdfast = await TestEngine.start();
  database = await createTestDatabase(inject('postgresUrl'));
  await database.execute(SCHEMA);
  const env = join(holdfast.root, 'env');
  await mkdir(env);
  await writeFile(join(env, '.env'), 'SECRET=1\n', { mode: 0o600 });
  const config = join(holdfast.root, 'config');
  await mkdir(config);
  await writeFile(join(config, 'app.json'), '{}');
  const source = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Shop',
    database: { kind: 'POSTGRESQL', url: database.url },
    excludedTables: [{ schema: 'public', name: 'log' }],
    clearedColumns: [{ table: { schema: 'public', name: 'customer' }, columns: ['session'] }],
    trees: [],
    configTrees: [{ name: 'config', path: config, include: [], exclude: [] }],
    envFile: { path: join(env, '.env'), restorePath: join(env, 'restored.env') },
  });
  sourceId = source.id;
  backupId = (await holdfast.backUp(sourceId, { ...EVERYTHING, envFile: true })).backupId;
  // What is cleared on restore is part of the bundle, and NULL afterwards.
  await database.execute('UPDATE customer SET session = NULL');
  whole = await rows();
});

afterAll(async () => {
  await holdfast.remove();
  await database.dispose();
});

beforeEach(wreck);

describe('a PostgreSQL database whose owner is no superuser', () => {
  test('comes back exactly: values, cycles, sequences; cleared columns empty, excluded tables untouched', async () => {
    const restored = await holdfast.restore(restoreOf(backupId, noSnapshot));
    expect(restored).toMatchObject({
      status: 'SUCCEEDED',
      error: null,
      result: { rowsRestored: 8, proven: true },
    });
    expect(await rows()).toEqual(whole);
    expect(await database.query('SELECT line FROM log ORDER BY id')).toEqual([['kept'], ['also kept']]);
    expect(await database.query("INSERT INTO customer (name) VALUES ('next') RETURNING id")).toEqual([['3']]);
    expect(await database.query('INSERT INTO sales.purchase (customer_id) VALUES (1) RETURNING id')).toEqual([
      ['4'],
    ]);
    await database.execute('DELETE FROM sales.purchase WHERE id = 4', 'DELETE FROM customer WHERE id = 3');
    // The keys that were set aside are back.
    await expect(database.execute('INSERT INTO employee VALUES (9, 77, 1)')).rejects.toThrow('foreign key');
    await expect(database.execute('UPDATE department SET head_id = 99')).rejects.toThrow('foreign key');
  });

  test('is restored in part: other tables stay, keys that reach outside warn', async () => {
    const selection = {
      ...EVERYTHING,
      tables: [{ schema: 'sales', name: 'purchase' }],
      trees: [],
      configTrees: [],
    };
    const others = await rows(['department', 'employee']);
    const restored = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, selection }));
    expect(restored).toMatchObject({
      status: 'SUCCEEDED',
      result: { rowsRestored: 3, filesRestored: 0, proven: true },
    });
    expect(restored.warnings).toEqual([expect.stringContaining('references public.customer')]);
    expect(await rows(['department', 'employee'])).toEqual(others);
    expect(await database.query('SELECT name FROM customer WHERE id = 1')).toEqual([['nobody']]);
    expect(await rows(['sales.purchase'])).toEqual([(whole as unknown[])[1]]);
  });

  test('is planned: rows now and in the bundle, what stays, what would be refused; nothing changes', async () => {
    const before = await rows();
    const request = { bundle: { backupId }, sourceId: null, selection: EVERYTHING };
    const plan = await holdfast.engine.restorePlan(holdfast.actor, request, never);
    expect(plan.refusals).toEqual([]);
    expect(plan.untouchedTables).toEqual([{ schema: 'public', name: 'log' }]);
    expect(plan.tables.find((table) => table.name === 'purchase')).toMatchObject({
      rowsInBundle: 3,
      drift: [],
    });
    expect(plan.tables.findIndex((table) => table.name === 'customer')).toBeLessThan(
      plan.tables.findIndex((table) => table.name === 'purchase'),
    );
    await database.execute("INSERT INTO customer (name) VALUES ('moves no hash')");
    const again = await holdfast.engine.restorePlan(holdfast.actor, request, never);
    expect(again.hash).toBe(plan.hash);
    await database.execute("DELETE FROM customer WHERE name = 'moves no hash'");
    expect(await rows()).toEqual(before);
  });

  test('whose structure changed since the plan refuses PLAN_CHANGED; that does not fit, SCHEMA_MISMATCH', async () => {
    const request = { bundle: { backupId }, sourceId: null, selection: EVERYTHING };
    const { hash } = await holdfast.engine.restorePlan(holdfast.actor, request, never);
    await database.execute('ALTER TABLE customer ADD COLUMN phone text');
    try {
      const before = await rows();
      expect(await holdfast.restore(restoreOf(backupId, { ...noSnapshot, planHash: hash }))).toMatchObject({
        status: 'FAILED',
        error: { code: 'PLAN_CHANGED', phase: 'PLAN' },
      });
      expect(await holdfast.restore(restoreOf(backupId, noSnapshot))).toMatchObject({
        status: 'FAILED',
        error: { code: 'SCHEMA_MISMATCH', phase: 'PLAN', message: expect.stringContaining('phone') },
        result: { targetState: 'WHOLLY_OLD' },
      });
      expect(await rows()).toEqual(before);
    } finally {
      await database.execute('ALTER TABLE customer DROP COLUMN phone');
    }
  });

  test('that the application holds locked makes the restore SOURCE_BUSY, or lose its sessions when asked', async () => {
    const session = await database.connect('shop');
    const ended = new Promise((resolve) => session.once('error', resolve));
    await session.query('BEGIN');
    await session.query('SELECT * FROM customer');
    const before = await rows();
    const busy = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, lockTimeoutMs: 200 }));
    expect(busy).toMatchObject({ status: 'FAILED', error: { code: 'SOURCE_BUSY', phase: 'CLEAR_TABLES' } });
    expect(await rows()).toEqual(before);
    const restored = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, endSessions: true }));
    expect(restored.status).toBe('SUCCEEDED');
    await ended;
    expect(await rows()).toEqual(whole);
  });

  test('is left alone by a restore whose rows it does not take', async () => {
    await database.execute("ALTER TABLE customer ADD CONSTRAINT no_ada CHECK (name <> 'Ada')");
    try {
      const before = await rows();
      const record = await holdfast.restore(restoreOf(backupId, noSnapshot));
      expect(record).toMatchObject({
        status: 'FAILED',
        error: { phase: 'LOAD_TABLES', message: expect.stringContaining('customer') },
        result: { targetState: 'WHOLLY_OLD' },
      });
      expect(await rows()).toEqual(before);
    } finally {
      await database.execute('ALTER TABLE customer DROP CONSTRAINT no_ada');
    }
  });

  test('refuses a cleared column that may not be NULL, before anything is touched', async () => {
    await holdfast.engine.updateSource(holdfast.actor, sourceId, {
      clearedColumns: [{ table: { schema: 'public', name: 'customer' }, columns: ['name'] }],
    });
    const record = await holdfast.restore(restoreOf(backupId, noSnapshot));
    await holdfast.engine.updateSource(holdfast.actor, sourceId, {
      clearedColumns: [{ table: { schema: 'public', name: 'customer' }, columns: ['session'] }],
    });
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { phase: 'PLAN', message: expect.stringContaining('NOT NULL') },
    });
  });

  test('is not restored over by a bundle of another kind of database', async () => {
    const plain = await holdfast.engine.createSource(holdfast.actor, {
      name: 'Only files',
      database: null,
      excludedTables: [],
      clearedColumns: [],
      trees: [],
      configTrees: [{ name: 'config', path: join(holdfast.root, 'config'), include: [], exclude: [] }],
      envFile: null,
    });
    const record = await holdfast.restore(
      restoreOf(backupId, { ...noSnapshot, sourceId: plain.id, allowForeignSource: true }),
    );
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { phase: 'PLAN', message: expect.stringContaining('no database') },
    });
  });
});

describe('the env file', () => {
  const onlyEnv = { database: false, tables: null, trees: [], configTrees: [], envFile: true };

  function env(name: string): string {
    return join(holdfast.root, 'env', name);
  }

  test('is not taken unless asked for, and the manifest says so', async () => {
    const plain = await holdfast.backUp(sourceId);
    const { manifest } = await holdfast.opened.prisma.backup.findUniqueOrThrow({
      where: { id: plain.backupId },
    });
    expect(manifest).toMatchObject({
      envFile: false,
      leftOut: expect.arrayContaining([expect.objectContaining({ name: 'env file' })]),
    });
    expect(JSON.stringify(manifest)).not.toContain('SECRET');
    const record = await holdfast.restore(restoreOf(plain.backupId, { ...noSnapshot, selection: onlyEnv }));
    expect(record).toMatchObject({
      status: 'FAILED',
      error: { message: expect.stringContaining('no env file') },
    });
  });

  test('is restored to its path beside the original, which stays as it is', async () => {
    await writeFile(env('.env'), 'SECRET=2\n');
    const record = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, selection: onlyEnv }));
    expect(record).toMatchObject({ status: 'SUCCEEDED', result: { envFileRestored: true } });
    expect(await readFile(env('restored.env'), 'utf8')).toBe('SECRET=1\n');
    expect(await readFile(env('.env'), 'utf8')).toBe('SECRET=2\n');
  });

  test.each([
    ['under its own name', '.env'],
    ['by another way to write its path', '../env/.env'],
    ['through a link', 'link.env'],
  ])('is not written over the original %s, unless told', async (_how, name) => {
    await writeFile(env('.env'), 'SECRET=3\n');
    await rm(env('link.env'), { force: true });
    await symlink('.env', env('link.env'));
    const restorePath = `${holdfast.root}/env/${name}`;
    await holdfast.engine.updateSource(holdfast.actor, sourceId, {
      envFile: { path: env('.env'), restorePath },
    });
    const refused = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, selection: onlyEnv }));
    expect(refused).toMatchObject({ status: 'FAILED', error: { code: 'UNSAFE_PATH', phase: 'PLAN' } });
    expect(await readFile(env('.env'), 'utf8')).toBe('SECRET=3\n');
    const told = await holdfast.restore(
      restoreOf(backupId, { ...noSnapshot, selection: onlyEnv, overwriteEnvFile: true }),
    );
    expect(told.error).toBeNull();
    expect(await readFile(env('.env'), 'utf8')).toBe('SECRET=1\n');
  });
});

test('config trees come back with the rest', async () => {
  await writeFile(join(holdfast.root, 'config/app.json'), '{"changed":true}');
  const selection = { ...EVERYTHING, database: false };
  expect((await holdfast.restore(restoreOf(backupId, { ...noSnapshot, selection }))).error).toBeNull();
  expect(await readFile(join(holdfast.root, 'config/app.json'), 'utf8')).toBe('{}');
});

test('a restore is undone by the snapshot that was made before it', async () => {
  const before = await rows();
  const restored = await holdfast.restore(restoreOf(backupId));
  expect(await rows()).toEqual(whole);
  const { preRestoreBackupId } = restored.result as { preRestoreBackupId: string };
  const undone = await holdfast.restore(restoreOf(preRestoreBackupId, noSnapshot));
  expect(undone.error).toBeNull();
  expect(await rows()).toEqual(before);
});

test('a dry run loads and proves everything, says so and leaves everything as it was', async () => {
  const before = await rows();
  const record = await holdfast.restore(restoreOf(backupId, { dryRun: true }));
  expect(record).toMatchObject({
    status: 'SUCCEEDED',
    result: { dryRun: true, rolledBack: true, rowsRestored: 8, targetState: 'WHOLLY_OLD' },
  });
  expect(record.phases.map((phase) => phase.name)).toContain('PROVE');
  expect(await rows()).toEqual(before);
  expect(await holdfast.leftovers()).toEqual([]);
});
