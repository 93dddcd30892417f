import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import { MariadbSession } from '../../../../src/source/database/mariadb/session.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/mariadb-database.ts';
import { contents, type Taken, take } from '../../../support/mariadb-round-trip.ts';
import { loadTaken } from '../../../support/taken-tables.ts';

const serverUrl = inject('mariadbUrl');
const never = new AbortController().signal;
const TABLES = ['parent', 'child', 'outside'];

/** Rows and structure, as the server prints them. */
async function everything(database: TestDatabase): Promise<string> {
  const printed: unknown[] = [await contents(database, TABLES)];
  for (const table of TABLES) printed.push((await database.query(`SHOW CREATE TABLE ${table}`))[0]?.[1]);
  printed.push(
    await database.query(
      'SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1',
    ),
  );
  return JSON.stringify(printed);
}

async function tableNames(database: TestDatabase): Promise<unknown> {
  return await database.query(
    'SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1',
  );
}

/** Breaks the connection in place of the statement number `at` (from 0). Returns how many were begun. */
function breakAt(at: number): () => number {
  let begun = 0;
  const execute = MariadbSession.prototype.execute;
  vi.spyOn(MariadbSession.prototype, 'execute').mockImplementation(async function (
    this: MariadbSession,
    sql: string,
    signal: AbortSignal,
  ) {
    if (begun++ === at) {
      vi.restoreAllMocks();
      await this.kill();
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    }
    return await execute.call(this, sql, signal);
  });
  return () => begun;
}

describe.skipIf(serverUrl === null)('a commit that breaks off', () => {
  let database: TestDatabase;
  let source: Database;
  let taken: Taken;
  let old: string;
  beforeEach(async () => {
    database = await createTestDatabase(serverUrl ?? '');
    source = openMariadb(database.url);
    await database.execute(
      'CREATE TABLE parent (id INT AUTO_INCREMENT PRIMARY KEY, v TEXT)',
      'CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT child_parent FOREIGN KEY (p) REFERENCES parent (id))',
      'CREATE TABLE outside (id INT PRIMARY KEY, p INT, CONSTRAINT outside_parent FOREIGN KEY (p) REFERENCES parent (id))',
      'CREATE TRIGGER on_child BEFORE INSERT ON child FOR EACH ROW SET NEW.id = NEW.id',
      "INSERT INTO parent (v) VALUES ('new'), ('rows')",
      'INSERT INTO child VALUES (1, 1)',
      'INSERT INTO outside VALUES (1, 2)',
    );
    taken = await take(source, ['parent', 'child']);
    await database.execute("UPDATE parent SET v = 'old'", 'INSERT INTO child VALUES (2, 2)');
    old = await everything(database);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await database.dispose();
  });

  it('leaves the database wholly old or wholly new, whichever statement it breaks at', async () => {
    const names = await tableNames(database);
    const outcomes: string[] = [];
    let renewed = '';
    for (let at = 0; ; at += 1) {
      const restore = await loadTaken(source, taken, { restoreId: `restore-${at}` });
      const ticket = await restore.ticket();
      const begun = breakAt(at);
      const failure = await restore.commit().then(
        () => undefined,
        (error: unknown) => error,
      );
      vi.restoreAllMocks();
      await restore.rollback();
      if (failure !== undefined) expect(failure).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
      const outcome = await source.outcome(ticket, never);
      expect(await source.outcome(ticket, never)).toBe(outcome);
      await source.forget(ticket, never);
      const now = await everything(database);
      expect(await tableNames(database)).toEqual(names);
      if (outcome === 'ROLLED_BACK') expect(now).toBe(old);
      else {
        renewed ||= now;
        expect(now).toBe(renewed);
        expect(now).not.toBe(old);
        await database.execute("UPDATE parent SET v = 'old'", 'INSERT INTO child VALUES (2, 2)');
      }
      outcomes.push(outcome);
      if (failure === undefined) {
        expect(begun()).toBe(at);
        break;
      }
    }
    // First it goes back, and from the swap on it goes forward.
    expect([...outcomes].sort().reverse()).toEqual(outcomes);
    expect(new Set(outcomes)).toEqual(new Set(['ROLLED_BACK', 'COMMITTED']));
    expect(outcomes.length).toBeGreaterThan(20);
  }, 300_000);

  it('is brought to its end by an outcome that is itself interrupted again and again', async () => {
    const restore = await loadTaken(source, taken);
    const ticket = await restore.ticket();
    const execute = MariadbSession.prototype.execute;
    let swapped = false;
    vi.spyOn(MariadbSession.prototype, 'execute').mockImplementation(async function (
      this: MariadbSession,
      sql: string,
      signal: AbortSignal,
    ) {
      if (swapped) {
        await this.kill();
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      }
      const effect = await execute.call(this, sql, signal);
      swapped = sql.startsWith('RENAME TABLE');
      if (swapped) vi.restoreAllMocks();
      if (swapped) {
        await this.kill();
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      }
      return effect;
    });
    await expect(restore.commit()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    await restore.rollback();
    // What is between refuses writes and does not lose them.
    await expect(database.execute('INSERT INTO child VALUES (9, 1)')).rejects.toThrow('being restored');
    await expect(database.execute('INSERT INTO outside VALUES (9, 1)')).rejects.toThrow('being restored');
    for (let at = 4; ; at += 1) {
      breakAt(at);
      const outcome = await source.outcome(ticket, never).catch(() => undefined);
      vi.restoreAllMocks();
      if (outcome === undefined) continue;
      expect(outcome).toBe('COMMITTED');
      break;
    }
    await source.forget(ticket, never);
    expect(await database.query('SELECT v FROM parent ORDER BY id')).toEqual([['new'], ['rows']]);
    await database.execute('INSERT INTO child VALUES (9, 1)', 'INSERT INTO outside VALUES (9, 1)');
    await expect(database.execute('INSERT INTO outside VALUES (10, 77)')).rejects.toThrow('outside_parent');
  }, 120_000);
});
