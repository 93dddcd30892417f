/** What stands in sqlite_schema, without what SQLite makes by itself. */
import type { Connection } from './open-database.ts';

/** What sqlite_schema calls the kind of an object. */
export type ObjectType = 'table' | 'index' | 'view' | 'trigger';

/** One object of the schema. */
export interface SchemaObject {
  readonly type: ObjectType;
  readonly name: string;
  /** The table or view it belongs to; its own name for those. */
  readonly table: string;
  /** As SQLite keeps it. */
  readonly sql: string;
}

/** Every object that somebody made, tables before what belongs to them, else in the order they were made. */
export function schemaObjects(db: Connection): SchemaObject[] {
  return db
    .prepare<[], SchemaObject>(
      `SELECT type, name, tbl_name AS "table", sql FROM main.sqlite_schema
       WHERE sql NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type <> 'table', rowid`,
    )
    .all()
    .filter((object) => !isMarker(object.name, object.sql));
}

/** True while an object is there. */
export function stands(db: Connection, { type, name }: SchemaObject): boolean {
  return (
    db.prepare('SELECT 1 FROM main.sqlite_schema WHERE type = ? AND name = ?').get(type, name) !== undefined
  );
}

/** True for a table that holds no rows itself: its module does, or other tables. */
export function isVirtual({ type, sql }: SchemaObject): boolean {
  return type === 'table' && /^CREATE\s+VIRTUAL\s/i.test(sql);
}

/** The table that a committed restore leaves until its journal is gone: see ../outcome.ts. */
export function isMarker(name: string, sql: string | null): boolean {
  return /^holdfast_restore_[0-9A-Za-z]+$/.test(name) && sql === `CREATE TABLE "${name}" (holdfast INTEGER)`;
}
