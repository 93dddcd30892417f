/** How the value of each type of column is written into row lines and read from them, losing nothing. */
import type { Column } from '../../source.ts';
import { quoteName } from './names.ts';

/** A column with what carrying its values takes. */
export interface LiveColumn extends Column {
  /** `DATA_TYPE` of the catalog, lower case: `varchar`, `bigint`, … */
  readonly baseType: string;
  /** Of text; null for everything else. */
  readonly charset: string | null;
  /** Of AUTO_INCREMENT. */
  readonly counting: boolean;
}

/**
 * What a value looks like in a row line. NUMBER: digits as the server prints them. TEXT: a string. HEX: a string of
 * hexadecimal digits, two a byte. ENUM: a label, or 0 for the error value. TAGGED: a string, or `{"$hex":"…"}` for text that Unicode cannot tell apart.
 */
export type ValueForm = 'NUMBER' | 'TEXT' | 'HEX' | 'ENUM' | 'TAGGED';

const NUMBERS = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'float', 'double']);
const BINARY = new Set([
  'binary',
  'varbinary',
  'tinyblob',
  'blob',
  'mediumblob',
  'longblob',
  'bit',
  'vector',
]);
const GEOMETRY = new Set([
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geometrycollection',
  'geomcollection',
]);
/** Values of these may be too big for a function of the server to build something of them. */
const BIG = new Set(['mediumtext', 'longtext', 'mediumblob', 'longblob', 'json', ...GEOMETRY]);
/** Every character of these has one code point, and every code point of theirs one character. */
const UNICODE_SAFE = new Set(['utf8mb4', 'utf8mb3', 'utf8', 'latin1']);
/** Bytes of the longest value of a type that is not BIG, when the column does not say it. */
const LONGEST: Readonly<Record<string, number>> = {
  text: 65_535,
  blob: 65_535,
  tinytext: 255,
  tinyblob: 255,
};

/** How a column's values are written. */
export function formOf(column: LiveColumn): ValueForm {
  const { baseType, charset } = column;
  if (NUMBERS.has(baseType)) return 'NUMBER';
  if (BINARY.has(baseType) || GEOMETRY.has(baseType)) return 'HEX';
  if (baseType === 'enum') return 'ENUM';
  if (charset === null || UNICODE_SAFE.has(charset) || baseType === 'json') return 'TEXT';
  return baseType === 'set' ? 'TEXT' : 'TAGGED';
}

/** True when the value is sent as it is, and this host writes the JSON. */
export function isSentRaw(column: LiveColumn): boolean {
  return BIG.has(column.baseType);
}

/** What is selected for a column that {@link isSentRaw}; TAGGED values begin with `T` (text) or `X` (hexadecimal). */
export function rawExpression(column: LiveColumn): string {
  const name = quoteName(column.name);
  if (column.baseType === 'json') return `CAST(${name} AS CHAR CHARACTER SET utf8mb4)`;
  switch (formOf(column)) {
    case 'HEX':
      return GEOMETRY.has(column.baseType) ? `CAST(${name} AS BINARY)` : name;
    case 'TAGGED':
      return `IF(${name} IS NULL, NULL, IF(${survivesUnicode(column)}, CONCAT('T', ${inUnicode(column)}), CONCAT('X', HEX(${name}))))`;
    default:
      return inUnicode(column);
  }
}

/** The JSON of a column's value, as an SQL expression that is never NULL. */
export function jsonExpression(column: LiveColumn): string {
  const value = jsonOfValue(column);
  return column.nullable ? `IFNULL(${value}, 'null')` : value;
}

/** At most so many bytes {@link jsonExpression} gives. */
export function longestJson(column: LiveColumn): number {
  const length = /\((\d+)/.exec(column.type)?.[1];
  const characters = LONGEST[column.baseType] ?? (length === undefined ? 64 : Number(length));
  return Math.max(64, characters * 6) + column.name.length * 6 + 8;
}

function jsonOfValue(column: LiveColumn): string {
  const name = quoteName(column.name);
  switch (formOf(column)) {
    case 'NUMBER':
      return numberText(column);
    case 'HEX':
      return column.baseType === 'bit'
        ? `CONCAT('"', LPAD(HEX(${name} + 0), ${2 * Math.ceil(bits(column) / 8)}, '0'), '"')`
        : `CONCAT('"', HEX(${name}), '"')`;
    case 'TAGGED':
      return `IF(${survivesUnicode(column)}, JSON_QUOTE(${inUnicode(column)}), CONCAT('{"$hex":"', HEX(${name}), '"}'))`;
    case 'ENUM':
      // Number 0 is the empty text that a lax server once put in the place of a wrong one.
      return `IF(${name} + 0 = 0, '0', JSON_QUOTE(${inUnicode(column)}))`;
    case 'TEXT':
      return column.charset === null ? `CONCAT('"', ${name}, '"')` : `JSON_QUOTE(${inUnicode(column)})`;
  }
}

function numberText(column: LiveColumn): string {
  const name = quoteName(column.name);
  // A float prints six digits; as a double it prints what it takes to tell it from its neighbours.
  if (column.baseType === 'float' || column.baseType === 'double') return `CAST(${name} AS DOUBLE)`;
  return /zerofill/i.test(column.type) ? `(${name} + 0)` : name;
}

function inUnicode(column: LiveColumn): string {
  const name = quoteName(column.name);
  return column.charset === 'utf8mb4' ? name : `CONVERT(${name} USING utf8mb4)`;
}

/** Some characters of East Asian sets share a code point or have none, and UTF-16 may hold half a pair. */
function survivesUnicode(column: LiveColumn): string {
  const name = quoteName(column.name);
  return `BINARY CONVERT(${inUnicode(column)} USING ${column.charset ?? 'utf8mb4'}) = BINARY ${name}`;
}

function bits(column: LiveColumn): number {
  return Number(/\((\d+)\)/.exec(column.type)?.[1] ?? '1');
}
