/** The structure of a database as DDL, from what SHOW CREATE prints. */
import type { LeftOut, SchemaScript, SchemaStatement } from '../../source.ts';
import { createTableSql, splitCreateTable } from './create-statement.ts';
import { isOwnName, quoteName, quoteText } from './names.ts';
import type { MariadbSession, TextRow } from './session.ts';

/** The script for the whole database. */
export async function readSchema(session: MariadbSession, signal: AbortSignal): Promise<SchemaScript> {
  const before: SchemaStatement[] = [];
  const indexes: SchemaStatement[] = [];
  const foreignKeys: SchemaStatement[] = [];
  const notCarried: LeftOut[] = [];
  const schema = quoteText(session.database);
  const names = (
    await session.query(
      `SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema} ORDER BY TABLE_NAME`,
      signal,
    )
  ).filter(([name]) => !isOwnName(name ?? ''));
  const owner = await currentUser(session, signal);
  const [defaults] = await session.query('SELECT @@character_set_database, @@collation_database', signal);
  notCarried.push({
    name: `DATABASE ${session.database}`,
    reason: `Its default character set (${defaults?.[0]}) and collation (${defaults?.[1]}) belong to CREATE DATABASE; every table names its own.`,
  });
  for (const [name = ''] of names.filter(([, type]) => type === 'SEQUENCE')) {
    before.push({ object: `SEQUENCE ${name}`, sql: await sequenceSql(session, name ?? '', signal) });
  }
  for (const [name = '', type] of names) {
    if (name === null || (type !== 'BASE TABLE' && type !== 'SYSTEM VERSIONED')) continue;
    const parts = splitCreateTable(await showCreate(session, 'TABLE', name, 1, signal));
    const table = quoteName(name);
    before.push({ object: `TABLE ${name}`, sql: createTableSql(parts, table) });
    if (parts.indexes.length > 0) {
      indexes.push({
        object: `INDEX ${name}`,
        sql: `ALTER TABLE ${table}\n  ${parts.indexes.map((index) => `ADD ${index}`).join(',\n  ')}`,
      });
    }
    for (const key of parts.foreignKeys) {
      foreignKeys.push({ object: `FOREIGN KEY ${name}`, sql: `ALTER TABLE ${table} ADD ${key}` });
    }
  }
  const routines = await readRoutines(session, schema, owner, signal);
  const views = await readViews(session, names, owner, signal);
  const triggers = await readTriggers(session, owner, signal);
  const events = await readEvents(session, schema, owner, signal);
  return {
    before,
    after: [...indexes, ...foreignKeys, ...routines, ...views, ...triggers, ...events],
    notCarried,
  };
}

/** The triggers (of some tables), in the order in which they fire. */
export async function readTriggers(
  session: MariadbSession,
  owner: string,
  signal: AbortSignal,
  ofTables?: ReadonlySet<string>,
): Promise<SchemaStatement[]> {
  const rows = await session.query(
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${quoteText(session.database)}
      ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`,
    signal,
  );
  const statements: SchemaStatement[] = [];
  for (const [name = '', table] of rows) {
    if (name === null || isOwnName(name) || ofTables?.has(table ?? '') === false) continue;
    // Trigger, sql_mode, statement, character_set_client, collation_connection
    const [row] = await session.query(`SHOW CREATE TRIGGER ${quoteName(name)}`, signal);
    statements.push(...inItsSettings(`TRIGGER ${name}`, row?.[2], row?.[1], row?.[3], row?.[4], owner));
  }
  return statements;
}

/** Who is asked for with SQL SECURITY DEFINER when nobody is named. */
export async function currentUser(session: MariadbSession, signal: AbortSignal): Promise<string> {
  const [row] = await session.query('SELECT CURRENT_USER()', signal);
  const [, user = '', host = ''] = /^(.*)@([^@]*)$/s.exec(row?.[0] ?? '') ?? [];
  return `DEFINER=${quoteName(user)}@${quoteName(host)} `;
}

async function readRoutines(
  session: MariadbSession,
  schema: string,
  owner: string,
  signal: AbortSignal,
): Promise<SchemaStatement[]> {
  const rows = await session.query(
    `SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema}
        AND ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE') ORDER BY ROUTINE_TYPE, ROUTINE_NAME`,
    signal,
  );
  const statements: SchemaStatement[] = [];
  for (const [type, name] of rows) {
    // Name, sql_mode, statement, character_set_client, collation_connection, database collation
    const [row] = await session.query(`SHOW CREATE ${type} ${quoteName(name ?? '')}`, signal);
    statements.push(...inItsSettings(`${type} ${name}`, row?.[2], row?.[1], row?.[3], row?.[4], owner));
  }
  return statements;
}

async function readViews(
  session: MariadbSession,
  names: readonly TextRow[],
  owner: string,
  signal: AbortSignal,
): Promise<SchemaStatement[]> {
  const views = new Map<string, { sql: string; charset: string; collation: string }>();
  for (const [name = '', type] of names) {
    if (type !== 'VIEW' || name === null) continue;
    const [row] = await session.query(`SHOW CREATE VIEW ${quoteName(name)}`, signal);
    views.set(name, { sql: row?.[1] ?? '', charset: row?.[2] ?? 'utf8mb4', collation: row?.[3] ?? '' });
  }
  const statements: SchemaStatement[] = [];
  const placed = new Set<string>();
  const place = (name: string) => {
    if (placed.has(name)) return;
    placed.add(name);
    const view = views.get(name);
    if (view === undefined) return;
    // What a view is made of stands in its text under its quoted name; a column of that name does no harm.
    for (const other of views.keys()) if (view.sql.includes(quoteName(other))) place(other);
    statements.push(...inItsSettings(`VIEW ${name}`, view.sql, null, view.charset, view.collation, owner));
  };
  for (const name of views.keys()) place(name);
  return statements;
}

async function readEvents(
  session: MariadbSession,
  schema: string,
  owner: string,
  signal: AbortSignal,
): Promise<SchemaStatement[]> {
  const rows = await session.query(
    `SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${schema} ORDER BY EVENT_NAME`,
    signal,
  );
  const statements: SchemaStatement[] = [];
  for (const [name] of rows) {
    // Event, sql_mode, time_zone, statement, character_set_client, collation_connection
    const [row] = await session.query(`SHOW CREATE EVENT ${quoteName(name ?? '')}`, signal);
    const statement = inItsSettings(`EVENT ${name}`, row?.[3], row?.[1], row?.[4], row?.[5], owner);
    statements.push({
      object: `SETTING EVENT ${name}`,
      sql: `SET time_zone = ${quoteText(row?.[2] ?? 'SYSTEM')}`,
    });
    statements.push(...statement);
  }
  return statements;
}

/** The statement, behind one that sets what it depends on: the server keeps both together. */
function inItsSettings(
  object: string,
  sql: string | null | undefined,
  sqlMode: string | null | undefined,
  charset: string | null | undefined,
  collation: string | null | undefined,
  owner: string,
): SchemaStatement[] {
  if (sql === null || sql === undefined || sql === '') return [];
  const settings = [
    ...(sqlMode === null || sqlMode === undefined ? [] : [`sql_mode = ${quoteText(sqlMode)}`]),
    ...(charset === null || charset === undefined ? [] : [`character_set_client = ${charset}`]),
    ...(collation ? [`collation_connection = ${collation}`] : []),
  ];
  return [
    { object: `SETTING ${object}`, sql: `SET ${settings.join(', ')}` },
    // Without the clause the user who restores is named: the same user in the usual case.
    { object, sql: sql.replace(owner, ''), compound: true },
  ];
}

async function sequenceSql(session: MariadbSession, name: string, signal: AbortSignal): Promise<string> {
  return await showCreate(session, 'SEQUENCE', name, 1, signal);
}

async function showCreate(
  session: MariadbSession,
  kind: string,
  name: string,
  column: number,
  signal: AbortSignal,
): Promise<string> {
  const [row] = await session.query(`SHOW CREATE ${kind} ${quoteName(name)}`, signal);
  return row?.[column] ?? '';
}
