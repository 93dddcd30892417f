/** Writing names and values into SQL text, for statements that take no parameters (DDL, COPY, LOCK). */
import type { TableName } from '../../source.ts';

/** A quoted identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A quoted, schema-qualified name. */
export function quoteTable(table: TableName): string {
  return table.schema === null
    ? quoteName(table.name)
    : `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

/** A string literal that means the same whatever `standard_conforming_strings` is. */
export function quoteText(text: string): string {
  const escaped = text.replaceAll("'", "''");
  return escaped.includes('\\') ? `E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`;
}

/** How people read a table's name in messages. */
export function tableLabel(table: TableName): string {
  return table.schema === null ? table.name : `${table.schema}.${table.name}`;
}

/** A key for maps. */
export function tableKey(table: TableName): string {
  return JSON.stringify([table.schema, table.name]);
}
