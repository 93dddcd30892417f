/**
 * Large objects as the rows of one table, which every database has: `pg_catalog.pg_largeobject`. Its rows are
 * pages of an object; an empty object has one empty page. Owners and privileges are not carried: an object that
 * is there keeps its own when it is filled again.
 */
import { HoldfastError } from '../../../errors.ts';
import type { Table, TableName } from '../../source.ts';
import { quoteText, tableLabel } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** Bytes of a page; not the 2 kB of the server's own pages, which would make thirty times as many rows. */
const PAGE_BYTES = 64 * 1024;
/** How many unreadable objects are named. */
const NAMED = 5;
/** The server's constants for opening an object. */
const READ = 0x40000;
const WRITE = 0x20000;

const NAME = { schema: 'pg_catalog', name: 'pg_largeobject' } as const;
const COLUMNS = [
  { name: 'loid', type: 'oid' },
  { name: 'pageno', type: 'integer' },
  { name: 'data', type: 'bytea' },
] as const;

/** Whether a table is the one that stands for large objects. */
export function holdsLargeObjects(table: TableName): boolean {
  return table.schema === NAME.schema && table.name === NAME.name;
}

const UNREADABLE = `
SELECT pg_catalog.count(*)::float8 AS objects,
       (pg_catalog.array_agg(m.oid::text ORDER BY m.oid) FILTER (WHERE NOT (
         pg_catalog.pg_has_role(m.lomowner, 'USAGE') OR EXISTS (
           SELECT FROM pg_catalog.aclexplode(m.lomacl) AS a
            WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))))))[1:${NAMED + 1}] AS unreadable
  FROM pg_catalog.pg_largeobject_metadata m`;

/** The table as this session sees it. Its estimate is the number of objects, each of which has a row at least. */
export async function describeLargeObjects(session: PostgresSession, signal: AbortSignal): Promise<Table> {
  const [found] = await session.query<{ objects: number; unreadable: string[] | null }>(
    UNREADABLE,
    [],
    signal,
  );
  const unreadable = found?.unreadable ?? [];
  const names = unreadable.length > NAMED ? [...unreadable.slice(0, NAMED), 'others'] : unreadable;
  return {
    ...NAME,
    columns: COLUMNS.map((column) => ({ ...column, nullable: false, hasDefault: false, generated: false })),
    primaryKey: ['loid', 'pageno'],
    foreignKeys: [],
    rowEstimate: found?.objects ?? 0,
    implicit: true,
    ...(names.length === 0
      ? {}
      : { unreadable: `SELECT privilege is missing on the large objects ${names.join(', ')}` }),
  };
}

/** Objects with the numbers of their pages, in order. The fences (OFFSET 0) keep open, seek and close in order. */
const PAGES = `
(SELECT m.oid, (SELECT sought.bytes + pg_catalog.lo_close(sought.fd)
                  FROM (SELECT opened.fd, pg_catalog.lo_lseek64(opened.fd, 0, 2) AS bytes
                          FROM (SELECT pg_catalog.lo_open(m.oid, ${READ}) AS fd OFFSET 0) AS opened OFFSET 0) AS sought) AS bytes
   FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid OFFSET 0) AS object,
LATERAL pg_catalog.generate_series(0, (greatest(object.bytes, 1) - 1) / ${PAGE_BYTES}) AS page(number)`;

/** The COPY that writes the row lines. */
export const LARGE_OBJECTS_EXPORT = `COPY (SELECT pg_catalog.concat(
  '{"loid":"', object.oid, '","pageno":', page.number, ${quoteText(',"data":"\\')},
  pg_catalog.lo_get(object.oid, page.number * ${PAGE_BYTES}, ${PAGE_BYTES}), '"}')
  FROM ${PAGES}) TO STDOUT (FORMAT binary)`;

/** How many rows {@link LARGE_OBJECTS_EXPORT} would write. */
export const LARGE_OBJECTS_COUNT = `SELECT pg_catalog.count(*)::float8 AS rows FROM ${PAGES}`;

/** Removes what is between two objects, and makes the second empty. */
const BEGIN_OBJECT = `
SELECT (SELECT pg_catalog.count(pg_catalog.lo_unlink(m.oid)) FROM pg_catalog.pg_largeobject_metadata m
         WHERE m.oid > $1::oid AND m.oid < $2::oid) AS removed,
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = $2::oid)
            THEN (SELECT pg_catalog.lo_close(cut.fd) + cut.done
                    FROM (SELECT opened.fd, pg_catalog.lo_truncate64(opened.fd, 0) AS done
                            FROM (SELECT pg_catalog.lo_open($2::oid, ${WRITE}) AS fd OFFSET 0) AS opened OFFSET 0) AS cut)::text
            ELSE pg_catalog.lo_create($2::oid)::text END AS made`;

/**
 * Replaces all large objects by those of `rows`, within the open transaction; returns the number of rows. Objects
 * come in ascending order, so that what is not among them is found without keeping a list.
 * @throws HoldfastError INVALID_CHECKSUM naming a row that is none, or out of order.
 */
export async function loadLargeObjects(
  session: PostgresSession,
  rows: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  let current = 0;
  for await (const line of lines(rows)) {
    count += 1;
    const { loid, pageno, data } = readPage(line, count);
    if (loid < current) throw malformed(count, 'it comes before a smaller number');
    if (loid !== current) await session.query(BEGIN_OBJECT, [current, loid], signal);
    current = loid;
    await session.query(
      'SELECT pg_catalog.lo_put($1::oid, $2::int8, $3::bytea)',
      [loid, pageno * PAGE_BYTES, data],
      signal,
    );
  }
  await session.query(
    'SELECT pg_catalog.count(pg_catalog.lo_unlink(m.oid)) FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid > $1::oid',
    [current],
    signal,
  );
  return count;
}

async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pending: Buffer[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)]).toString('utf8');
      pending = [];
      start = end + 1;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length > 0) yield Buffer.concat(pending).toString('utf8');
}

function readPage(line: string, row: number): { loid: number; pageno: number; data: Buffer } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw malformed(row, 'it is no JSON');
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== COLUMNS.length) {
    throw malformed(row, 'it does not have the columns of a page');
  }
  const page: Readonly<Record<string, unknown>> = { ...value };
  const { loid, pageno, data } = page;
  const id = typeof loid === 'string' && /^\d{1,10}$/.test(loid) ? Number(loid) : 0;
  if (id < 1 || id > 0xffff_ffff) throw malformed(row, 'its loid is no number of an object');
  if (typeof pageno !== 'number' || !Number.isInteger(pageno) || pageno < 0 || pageno > 0x7fff_ffff) {
    throw malformed(row, 'its pageno is no number of a page');
  }
  if (typeof data !== 'string' || !/^\\x(?:[0-9a-f]{2})*$/.test(data) || data.length > 2 + 2 * PAGE_BYTES) {
    throw malformed(row, 'its data is no page');
  }
  return { loid: id, pageno, data: Buffer.from(data.slice(2), 'hex') };
}

function malformed(row: number, problem: string): HoldfastError {
  return new HoldfastError(
    'INVALID_CHECKSUM',
    `Row ${row} of table ${tableLabel(NAME)} is not a valid row: ${problem}.`,
    { hint: 'The bundle was damaged or edited; restore another backup.' },
  );
}
