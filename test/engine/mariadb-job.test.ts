import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { EVERYTHING, restoreOf, TestEngine } from '../support/engine.ts';
import { createTestDatabase, type TestDatabase } from '../support/mariadb-database.ts';

const serverUrl = inject('mariadbUrl');
const noSnapshot = { preRestoreBackup: 'NONE' } as const;

const SCHEMA = [
  `CREATE TABLE customer (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80) NOT NULL, joined DATETIME(6),
     session TEXT, mood ENUM('good', 'bad'), photo BLOB)`,
  `CREATE TABLE purchase (id INT AUTO_INCREMENT PRIMARY KEY, customer_id BIGINT UNSIGNED NOT NULL, amount DECIMAL(20, 5),
     details JSON, doubled DECIMAL(21, 5) AS (amount * 2) STORED, FOREIGN KEY (customer_id) REFERENCES customer (id))`,
  'CREATE TABLE department (id INT PRIMARY KEY, head_id INT, name TEXT)',
  'CREATE TABLE employee (id INT PRIMARY KEY, department_id INT, FOREIGN KEY (department_id) REFERENCES department (id))',
  'ALTER TABLE department ADD CONSTRAINT head FOREIGN KEY (head_id) REFERENCES employee (id)',
  'CREATE TABLE log (id INT PRIMARY KEY, line TEXT)',
  'CREATE VIEW names AS SELECT name FROM customer',
  `INSERT INTO customer (name, joined, session, mood, photo) VALUES
     ('Ada', '2026-01-02 03:04:05.678901', 's1', 'good', x'00ff0a'), ('Line\\nbreak\\t"quoted" \\\\ ☃', NULL, NULL, NULL, '')`,
  `INSERT INTO purchase (customer_id, amount, details) VALUES
     (1, 123456789012345.12345, '{"n": 9007199254740993, "x": null}'), (2, NULL, 'null'), (2, 0.00001, '[]')`,
  "INSERT INTO department VALUES (1, NULL, 'Research')",
  'INSERT INTO employee VALUES (1, 1), (2, 1)',
  'UPDATE department SET head_id = 1',
  "INSERT INTO log VALUES (1, 'kept')",
];
const TABLES = ['customer', 'purchase', 'department', 'employee'];

describe.skipIf(serverUrl === null)('a MariaDB database whose user has all privileges on it alone', () => {
  let holdfast: TestEngine;
  let database: TestDatabase;
  let sourceId: string;
  let backupId: string;
  let whole: unknown;

  async function rows(): Promise<unknown> {
    const content: unknown[] = [];
    for (const table of TABLES) content.push(await database.query(`SELECT * FROM ${table} ORDER BY id`));
    return content;
  }

  beforeAll(async () => {
    holdfast = await TestEngine.start();
    database = await createTestDatabase(serverUrl ?? '');
    await database.execute(...SCHEMA);
    const source = await holdfast.engine.createSource(holdfast.actor, {
      name: 'Shop',
      database: { kind: 'MARIADB', url: database.url },
      excludedTables: [{ schema: null, name: 'log' }],
      clearedColumns: [{ table: { schema: null, name: 'customer' }, columns: ['session'] }],
      trees: [],
      configTrees: [],
      envFile: null,
    });
    sourceId = source.id;
    backupId = (await holdfast.backUp(sourceId, EVERYTHING)).backupId;
    // What is cleared on restore is part of the bundle, and NULL afterwards.
    await database.execute('UPDATE customer SET session = NULL');
    whole = await rows();
  });

  afterAll(async () => {
    await holdfast.remove();
    await database.dispose();
  });

  beforeEach(async () => {
    await database.execute(
      'DELETE FROM purchase WHERE id = 1',
      "UPDATE customer SET name = 'nobody', mood = 'bad'",
      "INSERT INTO customer (name) VALUES ('Eve')",
      'UPDATE department SET head_id = 2',
      "INSERT IGNORE INTO log VALUES (2, 'also kept')",
    );
  });

  test('comes back exactly: values, cycles, counters; cleared columns empty, excluded tables untouched', async () => {
    const restored = await holdfast.restore(restoreOf(backupId, noSnapshot));
    expect(restored).toMatchObject({ status: 'SUCCEEDED', error: null, result: { rowsRestored: 8 } });
    expect(await rows()).toEqual(whole);
    expect(await database.query('SELECT line FROM log ORDER BY id')).toEqual([['kept'], ['also kept']]);
    await database.execute("INSERT INTO customer (name) VALUES ('next')");
    expect(await database.query("SELECT id FROM customer WHERE name = 'next'")).toEqual([['3']]);
    await database.execute('DELETE FROM customer WHERE id = 3');
    await expect(database.execute('UPDATE department SET head_id = 99')).rejects.toThrow('foreign key');
    const left = await database.query("SHOW TABLES LIKE 'holdfast%'");
    expect(left).toEqual([]);
  });

  test('is proven in part by its digests, and leaves the other tables', async () => {
    const selection = {
      ...EVERYTHING,
      tables: [{ schema: null, name: 'purchase' }],
      trees: [],
      configTrees: [],
    };
    const restored = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, selection }));
    expect(restored).toMatchObject({ status: 'SUCCEEDED', result: { rowsRestored: 3, proven: true } });
    expect(await database.query('SELECT name FROM customer WHERE id = 1')).toEqual([['nobody']]);
  });

  test('is as it was after a dry run', async () => {
    const before = await rows();
    const restored = await holdfast.restore(restoreOf(backupId, { ...noSnapshot, dryRun: true }));
    expect(restored).toMatchObject({ status: 'SUCCEEDED' });
    expect(await rows()).toEqual(before);
    expect(await database.query("SHOW TABLES LIKE 'holdfast%'")).toEqual([]);
  });

  test('comes into an empty database with its structure', async () => {
    const empty = await createTestDatabase(serverUrl ?? '');
    try {
      const target = await holdfast.engine.createSource(holdfast.actor, {
        name: 'Empty',
        database: { kind: 'MARIADB', url: empty.url },
        excludedTables: [],
        clearedColumns: [],
        trees: [],
        configTrees: [],
        envFile: null,
      });
      const order = restoreOf(backupId, { ...noSnapshot, sourceId: target.id, allowForeignSource: true });
      const restored = await holdfast.restore(order);
      expect(restored).toMatchObject({ status: 'SUCCEEDED', error: null });
      expect(await empty.query('SELECT id, name, HEX(photo) FROM customer ORDER BY id')).toEqual([
        ['1', 'Ada', '00FF0A'],
        ['2', 'Line\nbreak\t"quoted" \\ ☃', ''],
      ]);
      expect(await empty.query('SELECT name FROM names ORDER BY name')).toHaveLength(2);
      await expect(empty.execute('INSERT INTO purchase (customer_id) VALUES (99)')).rejects.toThrow(
        'foreign key',
      );
    } finally {
      await empty.dispose();
    }
  });
});
