/** The structure of a database as DDL, from what SHOW CREATE prints. */
import type { LeftOut } from '../../left-out.ts';
import type { SchemaScript, SchemaStatement } from '../../schema-script.ts';
import { createTableSql, splitCreateTable } from './create-statement.ts';
import { isOwnName, quoteName, quoteText } from './names.ts';
import { serverErrorNumber } from './refusal.ts';
import type { MariadbSession, TextRow } from './session.ts';
import { unqualifiedTriggerSql } from './trigger-statement.ts';

/** A privilege is lacking, or the server hides that the thing is there. */
const DENIED = [1044, 1142, 1143, 1227, 1305, 1370, 1539];

/** Where a script grows. */
interface Reading {
  readonly session: MariadbSession;
  /** The database, as a literal. */
  readonly schema: string;
  /** The clause that names the user who reads. */
  readonly owner: string;
  readonly notCarried: LeftOut[];
  readonly signal: AbortSignal;
}

/** The script for the whole database. */
export async function readSchema(session: MariadbSession, signal: AbortSignal): Promise<SchemaScript> {
  const reading = await beginReading(session, signal);
  const before: SchemaStatement[] = [];
  const indexes: SchemaStatement[] = [];
  const foreignKeys: SchemaStatement[] = [];
  const names = (
    await session.query(
      `SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = ${reading.schema} ORDER BY TABLE_NAME`,
      signal,
    )
  ).filter(([name]) => !isOwnName(name ?? ''));
  for (const [name] of names.filter(([, type]) => type === 'SEQUENCE')) {
    const [row] = await session.query(`SHOW CREATE SEQUENCE ${quoteName(name ?? '')}`, signal);
    before.push({ object: `SEQUENCE ${name}`, sql: row?.[1] ?? '' });
  }
  for (const [name, type] of names) {
    if (type !== 'BASE TABLE' && type !== 'SYSTEM VERSIONED') continue;
    const table = quoteName(name ?? '');
    const [row] = await session.query(`SHOW CREATE TABLE ${table}`, signal);
    const parts = splitCreateTable(row?.[1] ?? '');
    before.push({ object: `TABLE ${name}`, sql: createTableSql(parts, table) });
    if (parts.indexes.length > 0) {
      const added = parts.indexes.map((index) => `ADD ${index}`).join(',\n  ');
      indexes.push({ object: `INDEX ${name}`, sql: `ALTER TABLE ${table}\n  ${added}` });
    }
    for (const key of parts.foreignKeys) {
      foreignKeys.push({ object: `FOREIGN KEY ${name}`, sql: `ALTER TABLE ${table} ADD ${key}` });
    }
  }
  const after = [
    ...indexes,
    ...foreignKeys,
    await databaseDefaults(reading),
    ...(await readRoutines(reading)),
    ...(await readViews(reading, names)),
    ...(await triggersOf(reading, undefined)),
    ...(await readEvents(reading)),
  ];
  return { before, after, notCarried: reading.notCarried };
}

/** The triggers of some tables, in the order in which they fire. */
export async function readTriggers(
  session: MariadbSession,
  tables: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly SchemaStatement[]> {
  return await triggersOf(await beginReading(session, signal), tables);
}

async function beginReading(session: MariadbSession, signal: AbortSignal): Promise<Reading> {
  const [row] = await session.query('SELECT CURRENT_USER()', signal);
  const [, user = '', host = ''] = /^(.*)@([^@]*)$/s.exec(row?.[0] ?? '') ?? [];
  const owner = `DEFINER=${quoteName(user)}@${quoteName(host)} `;
  return { session, schema: quoteText(session.database), owner, notCarried: [], signal };
}

/** What new tables and the parameters of routines get when they do not say it. */
async function databaseDefaults({ session, signal }: Reading): Promise<SchemaStatement> {
  const [row] = await session.query('SELECT @@character_set_database, @@collation_database', signal);
  return {
    object: 'DATABASE defaults',
    sql: `ALTER DATABASE CHARACTER SET ${row?.[0]} COLLATE ${row?.[1]}`,
  };
}

async function triggersOf(
  reading: Reading,
  tables: ReadonlySet<string> | undefined,
): Promise<SchemaStatement[]> {
  const rows = await reading.session.query(
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${reading.schema}
      ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`,
    reading.signal,
  );
  const statements: SchemaStatement[] = [];
  for (const [name = '', table] of rows) {
    if (name === null || isOwnName(name) || tables?.has(table ?? '') === false) continue;
    // Trigger, sql_mode, statement, character_set_client, collation_connection
    const row = await showCreate(reading, 'TRIGGER', name);
    const sql = unqualifiedTriggerSql(row[2] ?? '', name, table ?? '');
    statements.push(...inItsSettings(reading, `TRIGGER ${name}`, sql, row[1], row[3], row[4]));
  }
  return statements;
}

async function readRoutines(reading: Reading): Promise<SchemaStatement[]> {
  const rows = await reading.session.query(
    `SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${reading.schema}
      ORDER BY ROUTINE_TYPE, ROUTINE_NAME`,
    reading.signal,
  );
  const statements: SchemaStatement[] = [];
  for (const [type, name] of rows) {
    if (type !== 'FUNCTION' && type !== 'PROCEDURE') {
      reading.notCarried.push({ name: `${type} ${name}`, reason: 'Packages are not carried.' });
      continue;
    }
    // Name, sql_mode, statement, character_set_client, collation_connection, database collation
    const row = await showCreate(reading, type, name ?? '');
    statements.push(...inItsSettings(reading, `${type} ${name}`, row[2], row[1], row[3], row[4]));
  }
  return statements;
}

async function readViews(reading: Reading, names: readonly TextRow[]): Promise<SchemaStatement[]> {
  const views = new Map<string, TextRow>();
  for (const [name = '', type] of names) {
    if (type !== 'VIEW' || name === null) continue;
    if (await isBroken(reading.session, name, reading.signal)) {
      const reason = 'It reads a table, column or function that is not there any more.';
      reading.notCarried.push({ name: `VIEW ${name}`, reason });
      continue;
    }
    // View, statement, character_set_client, collation_connection
    views.set(name, await showCreate(reading, 'VIEW', name));
  }
  const statements: SchemaStatement[] = [];
  const placed = new Set<string>();
  const place = (name: string, row: TextRow) => {
    if (placed.has(name)) return;
    placed.add(name);
    // What a view is made of stands in its text under its quoted name; a column of that name does no harm.
    for (const [other, made] of views) if (row[1]?.includes(quoteName(other))) place(other, made);
    statements.push(...inItsSettings(reading, `VIEW ${name}`, row[1], null, row[2], row[3]));
  };
  for (const [name, row] of views) place(name, row);
  return statements;
}

/** The server keeps views of what was dropped, but would not make them again. */
export async function isBroken(session: MariadbSession, view: string, signal: AbortSignal): Promise<boolean> {
  try {
    await session.query(`SHOW COLUMNS FROM ${quoteName(view)}`, signal);
    return false;
  } catch (error) {
    // Also told where rights are lacking; then SHOW CREATE VIEW is refused too.
    return serverErrorNumber(error) === 1356;
  }
}

async function readEvents(reading: Reading): Promise<SchemaStatement[]> {
  const rows = await reading.session.query(
    `SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${reading.schema} ORDER BY EVENT_NAME`,
    reading.signal,
  );
  const statements: SchemaStatement[] = [];
  for (const [name] of rows) {
    // Event, sql_mode, time_zone, statement, character_set_client, collation_connection
    const row = await showCreate(reading, 'EVENT', name ?? '');
    const zone = `SET time_zone = ${quoteText(row[2] ?? 'SYSTEM')}`;
    const made = inItsSettings(reading, `EVENT ${name}`, row[3], row[1], row[4], row[5]);
    if (made.length > 0) statements.push({ object: `SETTING EVENT ${name}`, sql: zone }, ...made);
  }
  return statements;
}

/** The statement, behind one that sets what it depends on: the server keeps both together. */
function inItsSettings(
  { owner, notCarried }: Reading,
  object: string,
  sql: string | null | undefined,
  sqlMode: string | null | undefined,
  charset: string | null | undefined,
  collation: string | null | undefined,
): SchemaStatement[] {
  if (sql === null || sql === undefined || sql === '') {
    notCarried.push({ name: object, reason: 'The user of the source may not read its definition.' });
    return [];
  }
  const settings = [
    ...(sqlMode === null || sqlMode === undefined ? [] : [`sql_mode = ${quoteText(sqlMode)}`]),
    ...(charset ? [`character_set_client = ${charset}`] : []),
    ...(collation ? [`collation_connection = ${collation}`] : []),
  ];
  return [
    { object: `SETTING ${object}`, sql: `SET ${settings.join(', ')}` },
    // Without the clause the user who restores is named: the same user in the usual case.
    { object, sql: sql.replace(owner, ''), compound: true },
  ];
}

/** What SHOW CREATE tells; nothing when the user may not know. */
async function showCreate({ session, signal }: Reading, kind: string, name: string): Promise<TextRow> {
  try {
    return (await session.query(`SHOW CREATE ${kind} ${quoteName(name)}`, signal))[0] ?? [];
  } catch (error) {
    if (DENIED.includes(serverErrorNumber(error) ?? 0)) return [];
    throw error;
  }
}
