/**
 * Pages of long lists by keyset: a cursor holds the sort value and the id of its row, so a page stays right while
 * rows before it come and go (a rotation deletes what a console is paging through).
 */
import { z } from 'zod';
import { HoldfastError } from '../errors.ts';

const DEFAULT_PAGE = 20;
const LARGEST_PAGE = 100;

/** The arguments of every connection. */
export interface ConnectionArguments {
  first?: number | null | undefined;
  last?: number | null | undefined;
  after?: string | null | undefined;
  before?: string | null | undefined;
}

/** How a list is sorted: a column that is never null, ties broken by id. */
export interface KeysetOrder<Row> {
  readonly column: string & keyof Row;
  readonly direction: 'asc' | 'desc';
}

/** What the reader of a page has to ask the catalog for; `where` is to be joined to the filter by AND. */
export interface KeysetPage {
  readonly where: object;
  readonly orderBy: object[];
  readonly take: number;
}

type SortValue = string | bigint | Date;

const cursorSchema = z.tuple([z.string(), z.enum(['s', 'b', 'd']), z.string(), z.string()]);

/** How many rows a page may have, for the complexity of its field. Never throws. */
export function pageSize(args: ConnectionArguments): number {
  const asked = args.first ?? args.last ?? DEFAULT_PAGE;
  return Math.min(Math.max(asked, 1), LARGEST_PAGE);
}

function encodeCursor(column: string, value: SortValue, id: string): string {
  const [kind, text] =
    value instanceof Date
      ? ['d', value.toISOString()]
      : typeof value === 'bigint'
        ? ['b', value.toString()]
        : ['s', value];
  return Buffer.from(JSON.stringify([column, kind, text, id])).toString('base64url');
}

function invalidCursor(name: string, message: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `${name}: ${message}`, {
    field: name,
    hint: 'Pass a cursor of the same list in the same order, or leave it out to start from the beginning.',
  });
}

function decodeCursor(name: 'after' | 'before', cursor: string, column: string): [SortValue, string] {
  let parsed: z.infer<typeof cursorSchema>;
  try {
    parsed = cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch (cause) {
    throw new HoldfastError('INVALID_INPUT', `${name}: this is no cursor of this list.`, {
      field: name,
      hint: 'Pass a cursor exactly as the API gave it, or leave it out to start from the beginning.',
      cause,
    });
  }
  const [cursorColumn, kind, text, id] = parsed;
  if (cursorColumn !== column) throw invalidCursor(name, 'this cursor belongs to a list in another order.');
  if (kind === 's') return [text, id];
  if (kind === 'b') {
    if (!/^-?\d{1,19}$/.test(text)) throw invalidCursor(name, 'this is no cursor of this list.');
    return [BigInt(text), id];
  }
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw invalidCursor(name, 'this is no cursor of this list.');
  return [date, id];
}

/** @throws {HoldfastError} INVALID_INPUT for counts out of range */
export function checkCounts({ first, last }: ConnectionArguments): void {
  for (const [name, count] of Object.entries({ first, last })) {
    if (count === null || count === undefined) continue;
    if (count < 1 || count > LARGEST_PAGE) {
      throw new HoldfastError('INVALID_INPUT', `${name}: must be 1 to ${LARGEST_PAGE}, not ${count}.`, {
        field: name,
        hint: 'Read long lists page by page, with the cursors of pageInfo.',
      });
    }
  }
  if (typeof first === 'number' && typeof last === 'number') {
    throw new HoldfastError('INVALID_INPUT', 'first and last cannot be used together.', { field: 'last' });
  }
}

function beyond(column: string, operator: 'lt' | 'gt', value: SortValue, id: string): object {
  return {
    OR: [{ [column]: { [operator]: value } }, { [column]: value, id: { [operator]: id } }],
  };
}

/**
 * Reads one page.
 * @param read asks the catalog for the rows of a page
 * @param count how many rows the whole list has; asked only when `totalCount` is selected
 * @throws {HoldfastError} INVALID_INPUT for counts out of range and cursors of another list
 */
export async function readConnection<Row extends { id: string }>(
  args: ConnectionArguments,
  order: KeysetOrder<Row>,
  read: (page: KeysetPage) => Promise<Row[]>,
  count: () => Promise<number>,
) {
  checkCounts(args);
  const { column, direction } = order;
  const backwards = typeof args.last === 'number';
  const size = pageSize(args);
  const forward = direction === 'asc' ? 'gt' : 'lt';
  const backward = direction === 'asc' ? 'lt' : 'gt';
  const bounds: object[] = [];
  if (args.after) bounds.push(beyond(column, forward, ...decodeCursor('after', args.after, column)));
  if (args.before) bounds.push(beyond(column, backward, ...decodeCursor('before', args.before, column)));
  const reading = backwards ? (direction === 'asc' ? 'desc' : 'asc') : direction;

  // One row more than the page tells whether another page follows.
  const rows = await read({
    where: { AND: bounds },
    orderBy: [{ [column]: reading }, { id: reading }],
    take: size + 1,
  });
  const more = rows.length > size;
  const page = rows.slice(0, size);
  if (backwards) page.reverse();
  const edges = page.map((node) => ({
    // Orders name columns of these kinds only.
    cursor: encodeCursor(column, node[column] as SortValue, node.id),
    node,
  }));
  return {
    edges,
    pageInfo: {
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
      hasNextPage: backwards ? Boolean(args.before) : more,
      hasPreviousPage: backwards ? more : Boolean(args.after),
    },
    totalCount: count,
  };
}
