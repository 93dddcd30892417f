/** Fills one new table from row lines, a batch a statement. */
import { HoldfastError } from '../../../errors.ts';
import { formOf, type LiveColumn } from './column-values.ts';
import { insertSql } from './insert-sql.ts';
import { toLoadText } from './load-text.ts';
import { quoteName } from './names.ts';
import { type MariadbSession, ROWS_FILE } from './session.ts';

/**
 * The driver takes a whole file into memory: a batch has so many bytes, or is one bigger row. Beyond 1 MiB its own
 * buffer becomes 16 MiB, and bigger batches were not faster.
 */
const BATCH_BYTES = 900 * 1024;
/** An INSERT has to fit into max_allowed_packet, and bytes are twice as long in it. */
const INSERT_BYTES = 1024 * 1024;

/** The protocol counts warnings up to this number. */
const MOST_WARNINGS = 65_535;

/** What is to be loaded, and where. */
export interface Load {
  /** The table as people know it. */
  readonly label: string;
  /** The table to fill, quoted. */
  readonly into: string;
  readonly columns: readonly LiveColumn[];
  readonly cleared: ReadonlySet<string>;
}

/**
 * Loads the rows; returns how many the server took.
 * @throws HoldfastError SCHEMA_MISMATCH, naming table and row, when one does not land as it is.
 */
export async function loadRows(
  session: MariadbSession,
  load: Load,
  rows: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<number> {
  const sql = loadStatement(load);
  const [setting] = await session.query('SELECT @@GLOBAL.local_infile, @@max_allowed_packet', signal);
  const takesFiles = setting?.[0] === '1';
  const packetBytes = Number(setting?.[1]);
  const batches = toLoadText(rows, {
    table: load.label,
    columns: load.columns.map((column) => ({ name: column.name, form: formOf(column) })),
    cleared: load.cleared,
    batchBytes: takesFiles ? BATCH_BYTES : Math.min(INSERT_BYTES, Math.floor(packetBytes / 4)),
  });
  let loaded = 0;
  let next = batches.next();
  try {
    for (;;) {
      const { value: batch, done } = await next;
      if (done === true) break;
      // The next batch is made while the server takes this one; when it fails, that is told in its turn.
      next = batches.next();
      next.catch(() => undefined);
      const effect = takesFiles
        ? await session.loadFile(sql, batch.text, signal)
        : await session.execute(insertOf(load, batch.text, packetBytes), signal);
      const expected = Math.min(batch.withoutLabel, MOST_WARNINGS);
      if (effect.warnings !== expected || effect.affectedRows !== batch.rows) {
        throw await refusedRow(session, load.label, loaded, signal);
      }
      loaded += batch.rows;
    }
  } finally {
    // Lets go of the rows without waiting for a source that may never answer again.
    batches.return(undefined).catch(() => undefined);
  }
  return loaded;
}

/** The server ends the connection when it is sent more than it takes, and may do so before it says why. */
function insertOf({ label, into, columns }: Load, text: Buffer, packetBytes: number): string {
  const sql = insertSql(into, columns, text);
  if (Buffer.byteLength(sql) < packetBytes) return sql;
  throw new HoldfastError(
    'INVALID_INPUT',
    `A row of table ${label} is bigger than the MariaDB server takes in a statement.`,
    {
      hint: 'Raise max_allowed_packet of the server beyond twice the biggest value, or set local_infile = 1 there.',
    },
  );
}

/** With LOCAL the server makes warnings of errors and goes on: they are looked for after each batch. */
function loadStatement({ into, columns }: Load): string {
  const fields: string[] = [];
  const assignments: string[] = [];
  const anyTagged = columns.some((column) => formOf(column) === 'TAGGED');
  for (const [n, column] of columns.entries()) {
    const name = quoteName(column.name);
    const variable = `@holdfast_${n}`;
    if (formOf(column) !== 'TAGGED') {
      // With a SET that does not name it, the server takes a 0 in a counting column for a missing value.
      const viaSet = anyTagged && column.counting;
      fields.push(viaSet ? variable : name);
      if (viaSet) assignments.push(`${name} = ${variable}`);
      continue;
    }
    const charset = column.charset ?? 'utf8mb4';
    fields.push(variable);
    assignments.push(
      `${name} = IF(LEFT(${variable}, 1) = 'T', CONVERT(SUBSTRING(${variable}, 2) USING ${charset}), CONVERT(UNHEX(SUBSTRING(${variable}, 2)) USING ${charset}))`,
    );
  }
  const set = assignments.length === 0 ? '' : ` SET ${assignments.join(', ')}`;
  return `LOAD DATA LOCAL INFILE '${ROWS_FILE}' INTO TABLE ${into} CHARACTER SET utf8mb4
    FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'
    (${fields.join(', ') || '@holdfast_none'})${set}`;
}

/** Says which row did not land, without its values; a key names the row and may be told. */
async function refusedRow(
  session: MariadbSession,
  label: string,
  before: number,
  signal: AbortSignal,
): Promise<HoldfastError> {
  const [warning] = (await session.query('SHOW WARNINGS', signal)).sort(
    // An ENUM without a label (1265) may be meant.
    ([, one], [, other]) => Number(one === '1265') - Number(other === '1265'),
  );
  const number = Number(warning?.[1] ?? 0);
  const message = warning?.[2] ?? '';
  const row = / at row (\d+)/.exec(message)?.[1];
  const column = /for column (?:.*\.)?[`']([^`']+)[`']/.exec(message)?.[1];
  const place =
    row === undefined ? `A row of table ${label}` : `Row ${before + Number(row)} of table ${label}`;
  const what =
    number === 1062
      ? `: ${message}`
      : `${column === undefined ? '' : `, column "${column}"`}: the database does not take it (error ${number})`;
  return new HoldfastError('SCHEMA_MISMATCH', `${place}${what}.`, {
    hint: 'The rules of the table have changed since the backup, or the bundle was edited.',
  });
}
