/** Objects of the schema made from the words that SQLite keeps of them, and taken away. */
import { HoldfastError } from '../../../../errors.ts';
import type { Connection } from './open-database.ts';
import { isVirtual, type SchemaObject } from './schema-objects.ts';
import { quoteName } from './sql-names.ts';
import { nameIn, tokensOf } from './sql-tokens.ts';
import { isRefusal } from './sqlite-error.ts';

/** As often as this a word in double quotes that is no column is tried as the string it is meant to be. */
const MOST_STRINGS = 100;

/**
 * Makes an object that is not there. sqlite_schema holds the same words afterwards.
 *
 * @throws HoldfastError SCHEMA_MISMATCH naming it when SQLite refuses, INVALID_MANIFEST when it is several statements
 */
export function makeObject(db: Connection, object: SchemaObject): void {
  try {
    runTolerantly(db, object);
  } catch (error) {
    // So better-sqlite3 refuses text that goes on behind its first statement.
    if (error instanceof RangeError) throw notOne(object, error);
    if (!isRefusal(error)) throw error;
    const what = `${object.type} ${JSON.stringify(object.name)}`;
    const unique = /UNIQUE constraint failed/.test(error.message);
    throw new HoldfastError('SCHEMA_MISMATCH', `The ${what} cannot be made: ${error.message}.`, {
      hint: unique
        ? `Rows of ${JSON.stringify(object.table)} break its rule. Bring the table to the structure it had when the backup was made.`
        : 'It may need an extension, a function or a collation that the application brings and Holdfast has not.',
      cause: error,
    });
  }
}

function notOne({ type, name }: SchemaObject, cause: unknown): HoldfastError {
  return new HoldfastError(
    'INVALID_MANIFEST',
    `The schema of the bundle makes the ${type} ${JSON.stringify(name)} by more than one statement, which no backup does.`,
    { hint: 'The bundle was edited, and nothing was changed. Restore another backup.', cause },
  );
}

/** The tables that hold the content of a virtual table are made apart, so only its entry is missing. */
export function makeVirtualTable(db: Connection, { name, sql }: SchemaObject): void {
  db.pragma('writable_schema = ON');
  db.prepare(
    "INSERT INTO main.sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)",
  ).run(name, name, sql);
  reloadSchema(db);
}

/** Takes an object away with all that belongs to it. */
export function dropObject(db: Connection, object: SchemaObject): void {
  try {
    db.exec(`DROP ${object.type.toUpperCase()} main.${quoteName(object.name)}`);
  } catch (error) {
    if (!isVirtual(object) || !isRefusal(error)) throw error;
    // Its module is not there, so it has no say; the tables with its content are ordinary ones to SQLite.
    db.pragma('writable_schema = ON');
    db.prepare("DELETE FROM main.sqlite_schema WHERE type = 'table' AND name = ?").run(object.name);
    reloadSchema(db);
  }
}

/**
 * SQLite took words in double quotes for strings where they are no names, and applications rely on it; this build does
 * not. Such a word is put in single quotes, and the words are kept as they were.
 */
function runTolerantly(db: Connection, { type, name, sql }: SchemaObject): void {
  let words = sql;
  for (let strings = 0; ; strings += 1) {
    try {
      db.prepare(words).run();
      break;
    } catch (error) {
      const column = isRefusal(error)
        ? /^no such column: "?(.*?)"?(?: - |$)/.exec(error.message)?.[1]
        : undefined;
      const changed = column === undefined ? words : asString(words, column);
      if (changed === words || strings >= MOST_STRINGS) throw error;
      words = changed;
    }
  }
  if (words === sql) return;
  db.pragma('writable_schema = ON');
  db.prepare('UPDATE main.sqlite_schema SET sql = ? WHERE type = ? AND name = ?').run(sql, type, name);
  reloadSchema(db);
}

function asString(sql: string, word: string): string {
  let changed = '';
  let copied = 0;
  for (const token of tokensOf(sql)) {
    if (token.text[0] !== '"' || nameIn(token) !== word) continue;
    changed += `${sql.slice(copied, token.at)}'${word.replaceAll("'", "''")}'`;
    copied = token.at + token.text.length;
  }
  return changed + sql.slice(copied);
}

/** Makes this connection, and after the commit all others, see what was written into sqlite_schema by hand. */
function reloadSchema(db: Connection): void {
  db.pragma('writable_schema = RESET');
  db.pragma(`main.schema_version = ${Number(db.pragma('main.schema_version', { simple: true })) + 1}`);
}
