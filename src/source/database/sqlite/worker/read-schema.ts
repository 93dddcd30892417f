import type { SchemaScript, SchemaStatement } from '../../../schema-script.ts';
import { readHeaderValue } from './header-values.ts';
import type { Connection } from './open-database.ts';
import { isVirtual, type SchemaObject, schemaObjects } from './schema-objects.ts';
import { quoteText } from './sql-names.ts';

const DEFAULT_PAGE_SIZE = 4096;

/**
 * The structure as the words that SQLite itself keeps. Virtual tables come as rows of sqlite_schema, as sqlite3's
 * `.dump` writes them: the tables that hold their content are made and filled like all others, and no module
 * has to be there that would make them a second time.
 */
export function readSchema(db: Connection): SchemaScript {
  const objects = schemaObjects(db);
  const tables = objects.filter((object) => object.type === 'table').sort(byName);
  const belonging = (type: SchemaObject['type']) =>
    // Those of one table in the order they were made: triggers fire in an order, and the planner looks at indexes in one.
    objects.filter((object) => object.type === type).sort(byTable);
  return {
    before: [
      ...fileSettings(db),
      ...tables
        .filter((table) => !isVirtual(table))
        .map(({ name, sql }) => ({ object: `TABLE ${name}`, sql })),
    ],
    after: [
      ...virtualTables(tables.filter(isVirtual)),
      ...belonging('index').map(({ name, sql }) => ({ object: `INDEX ${name}`, sql })),
      ...objects
        .filter((object) => object.type === 'view')
        .sort(byName)
        .map(({ name, sql }) => ({ object: `VIEW ${name}`, sql })),
      ...belonging('trigger').map(({ name, sql }) => ({
        object: `TRIGGER ${name}`,
        sql,
        compound: true as const,
      })),
      ...(['application_id', 'user_version'] as const).map((name) =>
        pragma(name, String(readHeaderValue(db, name))),
      ),
    ],
    notCarried: [],
  };
}

/** What can be chosen only before the first table is made; named when it is not what SQLite chooses. */
function fileSettings(db: Connection): SchemaStatement[] {
  const encoding = String(db.pragma('encoding', { simple: true }));
  const pageSize = Number(db.pragma('main.page_size', { simple: true }));
  const autoVacuum = Number(db.pragma('main.auto_vacuum', { simple: true }));
  return [
    ...(encoding === 'UTF-8' ? [] : [pragma('encoding', quoteText(encoding))]),
    ...(pageSize === DEFAULT_PAGE_SIZE ? [] : [pragma('page_size', String(pageSize))]),
    ...(autoVacuum === 0 ? [] : [pragma('auto_vacuum', String(autoVacuum))]),
  ];
}

function virtualTables(tables: readonly SchemaObject[]): SchemaStatement[] {
  if (tables.length === 0) return [];
  return [
    pragma('writable_schema', 'ON'),
    ...tables.map(({ name, sql }) => ({
      object: `VIRTUAL TABLE ${name}`,
      sql: virtualTableSql(name, sql),
    })),
    pragma('writable_schema', 'OFF'),
  ];
}

/** The statement that makes a virtual table without its module. */
export function virtualTableSql(name: string, sql: string): string {
  const quoted = quoteText(name);
  return `INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ${quoted}, ${quoted}, 0, ${quoteText(sql)})`;
}

function pragma(name: string, value: string): SchemaStatement {
  return { object: `PRAGMA ${name}`, sql: `PRAGMA ${name} = ${value}` };
}

function byName(a: SchemaObject, b: SchemaObject): number {
  return compare(a.name, b.name);
}

function byTable(a: SchemaObject, b: SchemaObject): number {
  return compare(a.table, b.table);
}

/** By code units: the same on every host, and sort() keeps the order of equals. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
