/**
 * Runs in a process of its own: holds one SQLite database and does one request of the service after another, all
 * of it synchronously. See ../protocol.ts. Arguments: path, an OpenMode, busy timeout in milliseconds.
 */
import { flushCompileCache } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { HoldfastError } from '../../../../errors.ts';
import type { Reply, Request } from '../protocol.ts';
import { describeDatabase } from './describe.ts';
import { exportRows } from './export-rows.ts';
import { loadRows } from './load-rows.ts';
import { emptyDatabase, isMissing, openDatabase } from './open-database.ts';
import { readRequest, receivedLines, sendReply, sendRows } from './pipes.ts';
import { readSchema } from './read-schema.ts';
import { TableReplacement } from './replace-tables.ts';
import { rowCounts, sequencesOf } from './row-counts.ts';
import { quoteName } from './sql-names.ts';
import { toHoldfastError } from './sqlite-error.ts';

/**
 * The service's death closes the lifeline (descriptor 3). This thread sees it also while the main one is deep in
 * SQLite, and ends the process; the journal takes back what was not committed.
 */
const LIFELINE = `
  const { Socket } = require('node:net');
  const end = () => process.kill(process.pid, 'SIGKILL');
  new Socket({ fd: 3 }).on('error', end).on('close', end).resume();
`;
// With its output kept apart it does not touch this process's, which would make the pipes non-blocking.
new Worker(LIFELINE, { eval: true, stdout: true, stderr: true }).unref();

const [path = '', mode = 'READ', busyTimeoutMs = '5000'] = process.argv.slice(2);
let opened: ReturnType<typeof openDatabase> | undefined;
let replacement: TableReplacement | undefined;

function database() {
  opened ??=
    mode === 'EXAMINE' && isMissing(path)
      ? emptyDatabase()
      : openDatabase(path, mode === 'WRITE', Number(busyTimeoutMs));
  return opened;
}

function replacing(): TableReplacement {
  if (replacement === undefined) throw new Error('beginRestore comes first');
  return replacement;
}

function perform(request: Request): unknown {
  const db = database();
  switch (request.verb) {
    case 'describe':
      // One transaction, so that the structure is of one moment.
      return db.transaction(() => describeDatabase(db, path))();
    case 'countRows':
      return db.transaction(() => rowCounts(db, request.tables))();
    case 'beginSnapshot': {
      db.exec('BEGIN');
      // The first read takes the snapshot.
      db.prepare('SELECT count(*) FROM sqlite_schema').get();
      const instant = new Date().toISOString();
      return { description: describeDatabase(db, path), instant };
    }
    case 'rows':
      sendRows(exportRows(db, request.table, request.columns));
      return null;
    case 'sequences':
      return sequencesOf(db, request.tables);
    case 'schema':
      return readSchema(db);
    case 'beginRestore':
      replacement = new TableReplacement(db, request.request);
      return null;
    case 'clear':
      replacing().clear();
      return null;
    case 'load': {
      const cleared = replacing().clearedColumnsOf(request.table);
      return loadRows(db, request, cleared, receivedLines());
    }
    case 'finish':
      replacing().finish(request.sequences);
      return null;
    case 'mark':
      db.exec(`CREATE TABLE ${quoteName(request.marker)} (holdfast INTEGER)`);
      return null;
    case 'commit':
      db.exec('COMMIT');
      return null;
    case 'rollback':
      if (db.inTransaction) db.exec('ROLLBACK');
      return null;
    case 'settle':
      // Taking the lock rolls back what a dead process left behind.
      db.exec('BEGIN IMMEDIATE; ROLLBACK');
      return null;
    case 'outcome': {
      // The write lock is free only when the restore's own transaction has ended.
      db.exec('BEGIN IMMEDIATE');
      const found = tableExists(request.marker);
      db.exec('ROLLBACK');
      return found ? 'COMMITTED' : 'ROLLED_BACK';
    }
    case 'forget':
      if (tableExists(request.marker)) db.exec(`DROP TABLE IF EXISTS ${quoteName(request.marker)}`);
      return null;
  }
}

function tableExists(name: string): boolean {
  return (
    database().prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !==
    undefined
  );
}

function answer(request: Request): Reply {
  try {
    return { ok: true, value: perform(request) };
  } catch (error) {
    const { code, message, hint }: HoldfastError = toHoldfastError(error, path);
    return hint === undefined ? { ok: false, code, message } : { ok: false, code, message, hint };
  }
}

// Most of these processes are killed when their work is done: the next one shall find the cache all the same.
flushCompileCache();
for (let request = readRequest(); request !== undefined; request = readRequest()) sendReply(answer(request));
opened?.close();
process.exit(0);
