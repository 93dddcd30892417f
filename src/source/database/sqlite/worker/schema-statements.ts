/**
 * What the statements of a schema make. Only what exports write is taken: a script may come from anywhere, and
 * ATTACH, for one, would reach other files.
 */
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaScript } from '../../../schema-script.ts';
import { virtualTableSql } from './read-schema.ts';
import type { ObjectType, SchemaObject } from './schema-objects.ts';
import { isKeyword, nameIn, type Token, tokensOf } from './sql-tokens.ts';

/** A setting of the file, or a number in its header. */
export interface Setting {
  readonly name: string;
  /** As it stands in SQL. */
  readonly value: string;
}

/** A script, understood. */
export interface ParsedSchema {
  /** Settings that only a new file takes. */
  readonly fileSettings: readonly Setting[];
  /** Tables without the virtual ones. */
  readonly tables: readonly SchemaObject[];
  readonly virtualTables: readonly SchemaObject[];
  /** Indexes, views and triggers, in the order they are to be made. */
  readonly rest: readonly SchemaObject[];
  readonly headerValues: readonly Setting[];
}

const FILE_SETTING = /^PRAGMA (encoding|page_size|auto_vacuum) = ('UTF-(?:8|16le|16be)'|\d{1,5})$/;
const HEADER_VALUE = /^PRAGMA (application_id|user_version) = (-?\d{1,10})$/;
const WRITABLE = /^PRAGMA writable_schema = (?:ON|OFF)$/;
const VIRTUAL_TABLE =
  /^INSERT INTO sqlite_schema \(type, name, tbl_name, rootpage, sql\) VALUES \('table', '(?:[^']|'')*', '(?:[^']|'')*', 0, '((?:[^']|'')*)'\)$/;

/** @throws HoldfastError INVALID_MANIFEST naming the statement that is none of a SQLite schema */
export function parseSchema({ before, after }: SchemaScript): ParsedSchema {
  const fileSettings: Setting[] = [];
  const headerValues: Setting[] = [];
  const virtualTables: SchemaObject[] = [];
  const objects: SchemaObject[] = [];
  for (const { object, sql } of [...before, ...after]) {
    const virtual = virtualTable(sql);
    const made = virtual ?? schemaObject(sql);
    if (virtual !== undefined) virtualTables.push(virtual);
    else if (made !== undefined) objects.push(made);
    else if (FILE_SETTING.test(sql)) fileSettings.push(setting(sql, FILE_SETTING));
    else if (HEADER_VALUE.test(sql)) headerValues.push(setting(sql, HEADER_VALUE));
    else if (!WRITABLE.test(sql)) throw notOurs(object);
  }
  return {
    fileSettings,
    headerValues,
    virtualTables,
    tables: objects.filter((object) => object.type === 'table'),
    rest: objects.filter((object) => object.type !== 'table'),
  };
}

function setting(sql: string, pattern: RegExp): Setting {
  const [, name = '', value = ''] = pattern.exec(sql) ?? [];
  return { name, value };
}

function virtualTable(sql: string): SchemaObject | undefined {
  const words = VIRTUAL_TABLE.exec(sql)?.[1]?.replaceAll("''", "'");
  if (words === undefined) return undefined;
  const [create, virtual, table, ...rest] = tokensOf(words);
  if (!isKeyword(create, 'CREATE') || !isKeyword(virtual, 'VIRTUAL') || !isKeyword(table, 'TABLE'))
    return undefined;
  const named = nameAfter(rest);
  if (named === undefined) return undefined;
  const name = nameIn(named);
  return sql === virtualTableSql(name, words) ? { type: 'table', name, table: name, sql: words } : undefined;
}

const TYPES: Readonly<Record<string, ObjectType>> = {
  TABLE: 'table',
  INDEX: 'index',
  VIEW: 'view',
  TRIGGER: 'trigger',
};

function schemaObject(sql: string): SchemaObject | undefined {
  const [create, ...words] = tokensOf(sql);
  if (!isKeyword(create, 'CREATE')) return undefined;
  const [kind, ...rest] = isKeyword(words[0], 'UNIQUE') ? words.slice(1) : words;
  const type = TYPES[kind?.text.toUpperCase() ?? ''];
  const named = nameAfter(rest);
  if (type === undefined || named === undefined) return undefined;
  if (type !== 'trigger' && rest.some((token) => token.text === ';')) return undefined;
  const name = nameIn(named);
  if (type === 'table' || type === 'view') return { type, name, table: name, sql };
  const on = rest.findIndex((token, place) => token !== named && place > 0 && isKeyword(token, 'ON'));
  const table = rest[on + 1];
  return on < 0 || table === undefined ? undefined : { type, name, table: nameIn(table), sql };
}

/** The name that follows the kind; undefined when it names a database too, as SQLite never keeps it. */
function nameAfter(tokens: readonly Token[]): Token | undefined {
  const exists = isKeyword(tokens[0], 'IF') && isKeyword(tokens[1], 'NOT') && isKeyword(tokens[2], 'EXISTS');
  const place = exists ? 3 : 0;
  return tokens[place + 1]?.text === '.' ? undefined : tokens[place];
}

function notOurs(object: string): HoldfastError {
  return new HoldfastError(
    'INVALID_MANIFEST',
    `The schema of the bundle holds a statement that no schema of SQLite has: ${JSON.stringify(object)}.`,
    { hint: 'Nothing was changed. Restore the rows alone, into a database that has the tables.' },
  );
}
