import { type ChildProcess, spawn } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { openSqlite } from '../../../../src/source/database/sqlite/sqlite.ts';
import {
  contentOf,
  inDatabase,
  linesOf,
  loadAll,
  makeDatabase,
  query,
  tablesOf,
  takeBackup,
  unhurried,
} from '../../../support/sqlite-database.ts';
import { killedRestore } from '../../../support/sqlite-killed-restore.ts';

const MODES = ['DELETE', 'WAL'] as const;

function livingDatabase(mode: string): string {
  return makeDatabase(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, a)`, (db) => {
    const insert = db.prepare("INSERT INTO t (a) VALUES ('before')");
    db.transaction(() => {
      for (let row = 0; row < 20_000; row += 1) insert.run();
    })();
  });
}

/** The processes that are started while the test runs. */
function watchProcesses(): ChildProcess[] {
  const started: ChildProcess[] = [];
  // The channel's message is the ChildProcess, as Node documents it.
  const note = (message: unknown) => started.push((message as { process: ChildProcess }).process);
  diagnostics.subscribe('child_process', note);
  onTestFinished(() => void diagnostics.unsubscribe('child_process', note));
  return started;
}

test.each(MODES)('a %s database whose restoring process is killed is wholly old', async (mode) => {
  const path = livingDatabase(mode);
  const database = openSqlite(path);
  const before = contentOf(path);
  const taken = await takeBackup(database);
  const processes = watchProcesses();
  const restore = await loadAll(database, taken);
  const ticket = await restore.ticket();
  processes[0]?.kill('SIGKILL');
  await expect(restore.commit()).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('SIGKILL'),
  });
  expect(await database.outcome(ticket, unhurried)).toBe('ROLLED_BACK');
  expect(contentOf(path)).toEqual(before);
  await restore.rollback();
  await database.forget(ticket, unhurried);
  expect(contentOf(path)).toEqual(before);
});

test('a crashed restore is rolled back by a mere look at the database, too', async () => {
  const path = livingDatabase('DELETE');
  const database = openSqlite(path);
  const taken = await takeBackup(database);
  const processes = watchProcesses();
  await loadAll(database, taken, { restoreId: 'x'.repeat(32) });
  const [worker] = processes;
  worker?.kill('SIGKILL');
  if (worker !== undefined) await once(worker, 'exit');
  expect((await takeBackup(database)).lines).toEqual(taken.lines);
});

test.each(MODES)(
  'after a commit in a %s database the outcome says so until it is forgotten',
  async (mode) => {
    const path = livingDatabase(mode);
    const database = openSqlite(path);
    const before = contentOf(path);
    const taken = await takeBackup(database);
    const restore = await loadAll(database, taken);
    const ticket = await restore.ticket();
    await restore.commit();
    expect(JSON.parse(JSON.stringify(ticket))).toEqual(ticket);
    expect(await database.outcome(ticket, unhurried)).toBe('COMMITTED');
    const description = await database.describe(unhurried);
    expect([description.tables.map((table) => table.name), description.leftOut]).toEqual([['t'], []]);
    await database.forget(ticket, unhurried);
    await database.forget(ticket, unhurried);
    expect(await database.outcome(ticket, unhurried)).toBe('ROLLED_BACK');
    expect(contentOf(path)).toEqual(before);
  },
);

const restoredRows = Array.from({ length: 200_000 }, (_, id) => `{"id":${id},"a":"restored"}\n`).join('');

test.each([
  ['BEFORE COMMIT', 'ROLLED_BACK', [['before', 20_000]]],
  ['AFTER COMMIT', 'COMMITTED', [['restored', 200_000]]],
] as const)(
  'a service killed %s leaves a database that is wholly one or the other, and nobody in it',
  async (when, outcome, rows) => {
    const path = livingDatabase('DELETE');
    const request = {
      tables: [{ schema: null, name: 't', columns: ['id', 'a'] }],
      clearedColumns: [],
      lockTimeoutMs: 1000,
      endSessions: false,
      restoreId: 'killed-1',
    };
    const ticket = await killedRestore({ path, request, rows: [restoredRows], sequences: [], when });
    expect(await openSqlite(path).outcome(ticket, unhurried)).toBe(outcome);
    expect(query(path, 'SELECT a, count(*) FROM t GROUP BY a')).toEqual(rows);
  },
);

/** Counting this view would take hours. */
const SLOW_VIEW = `
  CREATE TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000) SELECT i FROM c;
  CREATE VIEW slow AS SELECT a.i FROM n a, n b, n c WHERE a.i + b.i + c.i = -1`;

test('a service killed in the middle of one long statement leaves nobody in the database', async () => {
  const path = makeDatabase(SLOW_VIEW);
  const sqlite = new URL('../../../../src/source/database/sqlite/sqlite.ts', import.meta.url).href;
  const program = `import { openSqlite } from ${JSON.stringify(sqlite)};
    const view = { schema: null, name: 'slow' };
    await openSqlite(${JSON.stringify(path)}).countRows([view], new AbortController().signal);`;
  const service = spawn(
    process.execPath,
    ['--no-warnings', '--experimental-strip-types', '--input-type=module', '--eval', program],
    { stdio: 'inherit', env: {} },
  );
  onTestFinished(() => void service.kill('SIGKILL'));
  await expect.poll(() => isInUse(path), { timeout: 20_000 }).toBe(true);
  service.kill('SIGKILL');
  await expect.poll(() => isInUse(path), { timeout: 20_000 }).toBe(false);
});

test('aborting a load ends its process and leaves the database as it was', async () => {
  const path = livingDatabase('DELETE');
  const database = openSqlite(path);
  const before = contentOf(path);
  const tables = tablesOf(await takeBackup(database));
  const processes = watchProcesses();
  const restore = await database.beginRestore(
    { tables, clearedColumns: [], lockTimeoutMs: 1000, endSessions: false, restoreId: 'aborted' },
    unhurried,
  );
  await restore.clear(unhurried);
  const abort = new AbortController();
  const endless = async function* () {
    for (let id = 1; ; id += 1) {
      if (id === 50_000) abort.abort();
      yield Buffer.from(`{"id":${id},"a":"x"}\n`);
    }
  };
  const [table] = tables;
  if (table === undefined) throw new Error('no table');
  await expect(restore.load(table, endless(), abort.signal)).rejects.toMatchObject({ code: 'CANCELED' });
  await restore.rollback();
  expect(processes.map((worker) => worker.exitCode ?? worker.signalCode)).not.toContain(null);
  expect(contentOf(path)).toEqual(before);
});

test('aborting in the middle of one long statement ends it', async () => {
  const path = makeDatabase(SLOW_VIEW);
  const processes = watchProcesses();
  const abort = new AbortController();
  const counting = openSqlite(path).countRows([{ schema: null, name: 'slow' }], abort.signal);
  const [worker] = processes;
  if (worker === undefined) throw new Error('no process was started');
  // It holds the database open once it counts.
  await expect.poll(() => isInUse(path), { timeout: 20_000 }).toBe(true);
  abort.abort();
  await expect(counting).rejects.toMatchObject({ code: 'CANCELED' });
  expect(worker.signalCode).toBe('SIGKILL');
});

function isInUse(path: string): boolean {
  try {
    inDatabase(path, (db) => db.exec('BEGIN EXCLUSIVE; ROLLBACK'));
    return false;
  } catch {
    return true;
  }
}

test('aborting a reader ends its process', async () => {
  const path = livingDatabase('DELETE');
  const processes = watchProcesses();
  const snapshot = await openSqlite(path).openSnapshot(unhurried);
  onTestFinished(() => snapshot.close());
  const [table] = snapshot.description.tables;
  if (table === undefined) throw new Error('no table');
  const abort = new AbortController();
  const reading = (async () => {
    for await (const _chunk of snapshot.readRows(table, abort.signal)) abort.abort();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'CANCELED' });
  await snapshot.close();
  expect(processes[0]?.signalCode).toBe('SIGKILL');
});

test('what is aborted before it begins starts no process', async () => {
  const processes = watchProcesses();
  const database = openSqlite(makeDatabase('CREATE TABLE t (a)'));
  const aborted = AbortSignal.abort();
  await expect(database.describe(aborted)).rejects.toMatchObject({ code: 'CANCELED' });
  await expect(database.openSnapshot(aborted)).rejects.toMatchObject({ code: 'CANCELED' });
  expect(processes).toEqual([]);
});

test('a snapshot whose process is killed fails with an error that says so', async () => {
  const path = livingDatabase('DELETE');
  const processes = watchProcesses();
  const snapshot = await openSqlite(path).openSnapshot(unhurried);
  processes[0]?.kill('SIGKILL');
  const [table] = snapshot.description.tables;
  if (table === undefined) throw new Error('no table');
  await expect(linesOf(snapshot.readRows(table, unhurried))).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    hint: expect.any(String),
  });
  await snapshot.close();
});
