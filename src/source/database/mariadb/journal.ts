/**
 * What a restore leaves in the database while it runs: a journal, new tables, guards, later old tables. One RENAME
 * moves tables and journal, so the journal's name tells whether it has happened; what remains is done from the
 * journal, by whoever comes to it.
 */
import { HoldfastError } from '../../../errors.ts';
import { quoteName, quoteText, type RestoreNames } from './names.ts';
import { lastingRefusal, serverErrorNumber } from './refusal.ts';
import type { MariadbSession } from './session.ts';

/** AFTER: once the tables are swapped, in this order. UNDO: when the restore is taken back. */
export type StepKind = 'AFTER' | 'UNDO';

/** A statement of the journal. */
export interface Step {
  readonly kind: StepKind;
  readonly sql: string;
  /** What it makes, as people know it; missing where it only prepares something. */
  readonly object?: string;
}

/** Means "it is there already" or "it is gone already": what a step meant that ran before its end was noted. */
const ALREADY_DONE = [1050, 1061, 1091, 1304, 1359, 1360, 1537, 1826];

/** Makes the journal; with it a restore can be found. */
export async function createJournal(
  session: MariadbSession,
  names: RestoreNames,
  signal: AbortSignal,
): Promise<void> {
  await session.execute(
    `CREATE TABLE ${quoteName(names.journal)} (id INT AUTO_INCREMENT PRIMARY KEY, kind VARCHAR(16) NOT NULL,
       done TINYINT NOT NULL DEFAULT 0, object TEXT NOT NULL, step LONGTEXT NOT NULL)
     ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
     COMMENT 'A restore by Holdfast is at work; it removes this table itself'`,
    signal,
  );
}

/** Notes steps before anything relies on them. */
export async function note(
  session: MariadbSession,
  names: RestoreNames,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<void> {
  for (const { kind, sql, object = '' } of steps) {
    const values = [kind, object, sql].map(quoteText).join(', ');
    await session.execute(
      `INSERT INTO ${quoteName(names.journal)} (kind, object, step) VALUES (${values})`,
      signal,
    );
  }
}

/** Whether a table of this name is there. */
export async function tableExists(
  session: MariadbSession,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  const rows = await session.query(
    `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(session.database)} AND TABLE_NAME = ${quoteText(name)}`,
    signal,
  );
  return rows.length > 0;
}

/**
 * Does what is left to do after the swap, and opens the tables again. Idempotent. There is no way back from here, so
 * what the server refuses to make is passed over: tables that stay closed would be worse than a view that is missing.
 * Returns what that was, and why.
 */
export async function finishSwap(
  session: MariadbSession,
  names: RestoreNames,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const { table, key } of await keysOfOldTables(session, names, signal)) {
    await tolerant(session, `ALTER TABLE ${quoteName(table)} DROP FOREIGN KEY ${quoteName(key)}`, signal);
  }
  const journal = quoteName(names.swapped);
  const steps = await session.query(
    `SELECT id, step, done, object FROM ${journal} WHERE kind = 'AFTER' ORDER BY id`,
    signal,
  );
  for (const [id, sql, done, object] of steps) {
    // Settings are the session's: they count for what follows even when they were noted as done.
    const isSetting = /^SET /.test(sql ?? '');
    if (done === '1' && !isSetting) continue;
    try {
      await tolerant(session, sql ?? '', signal);
    } catch (error) {
      const reason = lastingRefusal(error);
      if (reason === undefined) throw error;
      refused.push(`${object || 'A statement of the structure'} could not be made again: ${reason}.`);
    }
    if (!isSetting) await session.execute(`UPDATE ${journal} SET done = 1 WHERE id = ${Number(id)}`, signal);
  }
  await session.repin(signal);
  await dropGuards(session, names, signal);
  await dropTables(session, `${names.prefix}o`, signal);
  return refused;
}

/** Removes everything of a restore that was not swapped. Idempotent. */
export async function takeBack(
  session: MariadbSession,
  names: RestoreNames,
  signal: AbortSignal,
): Promise<void> {
  await session.repin(signal);
  await dropGuards(session, names, signal);
  await dropTables(session, `${names.prefix}n`, signal);
  if (!(await tableExists(session, names.journal, signal))) return;
  const journal = quoteName(names.journal);
  const steps = await session.query(
    `SELECT step FROM ${journal} WHERE kind = 'UNDO' ORDER BY id DESC`,
    signal,
  );
  for (const [sql] of steps) await tolerant(session, sql ?? '', signal);
  await session.execute(`DROP TABLE IF EXISTS ${journal}`, signal);
}

/** Removes what told that the swap happened. Idempotent. */
export async function removeTraces(
  session: MariadbSession,
  names: RestoreNames,
  signal: AbortSignal,
): Promise<void> {
  await dropTables(session, `${names.prefix}o`, signal);
  await session.execute(`DROP TABLE IF EXISTS ${quoteName(names.swapped)}`, signal);
}

/**
 * Ends the sessions of a restore, each of which holds a named lock as long as it lives.
 * @throws HoldfastError SOURCE_UNREACHABLE when they do not end.
 */
export async function endRestoreSessions(
  session: MariadbSession,
  names: RestoreNames,
  signal: AbortSignal,
): Promise<void> {
  for (const role of ['worker', 'loader', 'locker']) {
    const lock = quoteText(names.lock(role));
    for (;;) {
      const [row] = await session.query(`SELECT IS_USED_LOCK(${lock})`, signal);
      const holder = row?.[0] ?? null;
      if (holder === null) break;
      await session.terminate(holder, signal);
    }
  }
}

/** A server may notice a little late that a session of before has gone. */
const LETTING_GO_SECONDS = 5;

/** Takes the named lock that shows that a session of the restore lives. */
export async function holdName(
  session: MariadbSession,
  names: RestoreNames,
  role: 'worker' | 'loader' | 'locker',
  signal: AbortSignal,
): Promise<void> {
  const [row] = await session.query(
    `SELECT GET_LOCK(${quoteText(names.lock(role))}, ${LETTING_GO_SECONDS})`,
    signal,
  );
  if (row?.[0] === '1') return;
  throw new HoldfastError('SOURCE_BUSY', 'This restore is already at work in the database.', {
    hint: 'Wait until it has ended.',
  });
}

async function keysOfOldTables(
  session: MariadbSession,
  names: RestoreNames,
  signal: AbortSignal,
): Promise<{ table: string; key: string }[]> {
  const prefix = `${names.prefix}o`;
  const rows = await session.query(
    `SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS
      WHERE CONSTRAINT_SCHEMA = ${quoteText(session.database)} AND CONSTRAINT_TYPE = 'FOREIGN KEY'
        AND LEFT(TABLE_NAME, ${prefix.length}) = ${quoteText(prefix)}`,
    signal,
  );
  return rows.map(([table, key]) => ({ table: table ?? '', key: key ?? '' }));
}

async function dropGuards(session: MariadbSession, names: RestoreNames, signal: AbortSignal): Promise<void> {
  const rows = await session.query(
    `SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${quoteText(session.database)}
        AND LEFT(TRIGGER_NAME, ${names.prefix.length}) = ${quoteText(names.prefix)}`,
    signal,
  );
  for (const [name] of rows) {
    await session.execute(`DROP TRIGGER IF EXISTS ${quoteName(name ?? '')}`, signal);
  }
}

async function dropTables(session: MariadbSession, prefix: string, signal: AbortSignal): Promise<void> {
  const rows = await session.query(
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(session.database)}
        AND LEFT(TABLE_NAME, ${prefix.length}) = ${quoteText(prefix)}`,
    signal,
  );
  for (const [name] of rows) await session.execute(`DROP TABLE IF EXISTS ${quoteName(name ?? '')}`, signal);
}

async function tolerant(session: MariadbSession, sql: string, signal: AbortSignal): Promise<void> {
  try {
    await session.execute(sql, signal);
  } catch (error) {
    // 1005 means many things; with 121 a key of that name is there.
    const isThere =
      serverErrorNumber(error) === 1005 && error instanceof Error && /errno: 121/.test(error.message);
    if (!isThere && !ALREADY_DONE.includes(serverErrorNumber(error) ?? 0)) throw error;
  }
}
