/**
 * Turns a batch of LOAD DATA text into one INSERT, for servers that take no files from clients (local_infile = 0).
 * IGNORE makes the server treat values as LOAD DATA does, so that both are checked in the same way afterwards.
 */
import { formOf, type LiveColumn } from './column-values.ts';
import { quoteName } from './names.ts';

const TAB = 0x09;
const LINE_END = 0x0a;
const BACKSLASH = 0x5c;
const HEX_TAG = 0x58;

/** What the letter behind a backslash stands for, where that is not the letter itself. */
const LETTERS: Readonly<Record<number, number>> = { 110: 0x0a, 114: 0x0d, 116: 0x09, 48: 0x00, 90: 0x1a };

/** The statement that inserts the rows of `text`. */
export function insertSql(into: string, columns: readonly LiveColumn[], text: Buffer): string {
  const rows: string[] = [];
  let values: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    // Escaped ones are letters: what stands for itself here ends a field.
    if (byte !== TAB && byte !== LINE_END) continue;
    const column = columns[values.length];
    if (column !== undefined) values.push(literal(text.subarray(start, at), column));
    start = at + 1;
    if (byte === TAB) continue;
    rows.push(`(${values.join(',')})`);
    values = [];
  }
  const names = columns.map((column) => quoteName(column.name)).join(', ');
  return `INSERT IGNORE INTO ${into} (${names}) VALUES\n${rows.join(',\n')}`;
}

function literal(field: Buffer, column: LiveColumn): string {
  if (field.length === 2 && field[0] === BACKSLASH && field[1] === 0x4e) return 'NULL';
  switch (formOf(column)) {
    case 'HEX':
      return `x'${unescaped(field).toString('hex')}'`;
    case 'TAGGED': {
      const content = field.subarray(1);
      const value = field[0] === HEX_TAG ? `x'${content.toString('latin1')}'` : quoted(content);
      return `CONVERT(${value} USING ${column.charset ?? 'utf8mb4'})`;
    }
    default:
      return quoted(field);
  }
}

/** The escapes of LOAD DATA are those of SQL's own literals. */
function quoted(field: Buffer): string {
  return `'${field.toString('utf8').replaceAll("'", "''")}'`;
}

function unescaped(field: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(field.length);
  let length = 0;
  for (let at = 0; at < field.length; at += 1) {
    let byte = field[at] ?? 0;
    if (byte === BACKSLASH) {
      at += 1;
      byte = field[at] ?? 0;
      byte = LETTERS[byte] ?? byte;
    }
    bytes[length] = byte;
    length += 1;
  }
  return bytes.subarray(0, length);
}
