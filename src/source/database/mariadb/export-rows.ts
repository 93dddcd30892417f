/** The row lines of a table: small columns come from the server as finished JSON, big ones as bytes. */
import { HoldfastError } from '../../../errors.ts';
import {
  formOf,
  isSentRaw,
  jsonExpression,
  type LiveColumn,
  longestJson,
  rawExpression,
} from './column-values.ts';
import { quotedHex, quotedText } from './json-bytes.ts';
import { quoteText } from './names.ts';
import type { MariadbSession } from './session.ts';

/** The server builds at most so much JSON in one piece, bytes: it gives nothing beyond its max_allowed_packet. */
const PIECE_BYTES = 512 * 1024;
/** Size of the chunks given out, bytes; one row may be bigger. */
const CHUNK_BYTES = 128 * 1024;

const NULL = Buffer.from('null');
const LINE_END = Buffer.from('}\n');

/** One value of a result row. */
interface Piece {
  readonly expression: string;
  /** The columns in it, for messages. */
  readonly columns: string;
  /** What stands before a value sent as bytes; undefined when the server wrote the JSON. */
  readonly raw: { readonly key: Buffer; readonly form: 'HEX' | 'TEXT' | 'TAGGED' } | undefined;
}

/**
 * The row lines of a table with the given columns, in their order.
 * @param from The quoted table.
 * @param label The table as people read it.
 */
export async function* exportRows(
  session: MariadbSession,
  from: string,
  label: string,
  columns: readonly LiveColumn[],
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const pieces = piecesOf(columns);
  const sql = `SELECT ${pieces.map((piece) => piece.expression).join(', ')} FROM ${from}`;
  let pending: Buffer[] = [];
  let bytes = 0;
  for await (const row of session.stream(sql, signal)) {
    for (let n = 0; n < pieces.length; n += 1) {
      const piece = pieces[n];
      if (piece !== undefined) bytes += addValue(pending, piece, row[n] ?? null, label);
    }
    pending.push(LINE_END);
    bytes += LINE_END.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(pending);
    pending = [];
    bytes = 0;
  }
  if (pending.length > 0) yield Buffer.concat(pending);
}

function addValue(line: Buffer[], piece: Piece, value: Buffer | null, label: string): number {
  if (piece.raw === undefined) {
    if (value === null) throw unprintable(label, piece.columns);
    line.push(value);
    return value.length;
  }
  const { key, form } = piece.raw;
  const parts = [key, ...(value === null ? [NULL] : jsonOf(value, form))];
  line.push(...parts);
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function jsonOf(value: Buffer, form: 'HEX' | 'TEXT' | 'TAGGED'): Buffer[] {
  if (form === 'HEX') return quotedHex(value);
  if (form === 'TEXT') return quotedText(value);
  const content = value.subarray(1);
  return value[0] === 0x54 ? quotedText(content) : [Buffer.from('{"$hex":"'), content, Buffer.from('"}')];
}

function piecesOf(columns: readonly LiveColumn[]): Piece[] {
  const pieces: Piece[] = [];
  let parts: string[] = [];
  let names: string[] = [];
  let longest = 0;
  const flush = () => {
    if (parts.length > 0) {
      pieces.push({ expression: `CONCAT(${parts.join(', ')})`, columns: names.join(', '), raw: undefined });
    }
    parts = [];
    names = [];
    longest = 0;
  };
  for (const [n, column] of columns.entries()) {
    const key = `${n === 0 ? '{' : ','}${JSON.stringify(column.name)}:`;
    if (isSentRaw(column)) {
      flush();
      const form = formOf(column);
      if (form === 'NUMBER' || form === 'ENUM') throw new Error(`${column.name} is never sent raw`);
      pieces.push({
        expression: rawExpression(column),
        columns: column.name,
        raw: { key: Buffer.from(key), form },
      });
      continue;
    }
    if (longest + longestJson(column) > PIECE_BYTES) flush();
    parts.push(quoteText(key), jsonExpression(column));
    names.push(column.name);
    longest += longestJson(column);
  }
  flush();
  if (pieces.length === 0) pieces.push({ expression: "'{'", columns: 'none', raw: undefined });
  return pieces;
}

function unprintable(label: string, columns: string): HoldfastError {
  return new HoldfastError(
    'SOURCE_UNREACHABLE',
    `The server cannot print a row of table ${label} (one of the columns ${columns}).`,
    { hint: 'Raise max_allowed_packet of the server to 16 MiB or more.' },
  );
}
