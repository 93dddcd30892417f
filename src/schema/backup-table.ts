/** One table of a backup, and its rows page by page. */
import { z } from 'zod';
import type { ManifestTable } from '../bundle/manifest.ts';
import type { BundledRow } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { builder } from './builder.ts';
import { checkCounts, pageSize } from './connection.ts';
import { actorOf } from './context.ts';
import { UnlockInput, unlockOf } from './encryption.ts';
import { ManifestColumnType } from './manifest.ts';

/** A table and the backup that holds it. */
interface BackupTable {
  readonly backupId: string;
  readonly table: ManifestTable;
}

/** A page of rows. */
interface RowPage {
  readonly rows: readonly BundledRow[];
  readonly of: BackupTable;
}

const cursorSchema = z.tuple([z.string().nullable(), z.string(), z.int().nonnegative()]);

function encodeCursor({ table }: BackupTable, index: number): string {
  return Buffer.from(JSON.stringify([table.schema, table.name, index])).toString('base64url');
}

/** How many rows come before those that follow a cursor. @throws {HoldfastError} INVALID_INPUT */
function rowsBefore(after: string, { table }: BackupTable): number {
  let cursor: z.infer<typeof cursorSchema> | undefined;
  try {
    cursor = cursorSchema.parse(JSON.parse(Buffer.from(after, 'base64url').toString()));
  } catch {
    // Refused below, with those of other tables.
  }
  const [schema, name, index] = cursor ?? [];
  if (index === undefined || schema !== table.schema || name !== table.name || index >= table.rowCount) {
    throw new HoldfastError('INVALID_INPUT', 'after: this is no cursor of the rows of this table.', {
      field: 'after',
      hint: 'Pass a cursor exactly as the API gave it, or leave it out to start from the beginning.',
    });
  }
  return index + 1;
}

const RowEdgeType = builder.objectRef<{ row: BundledRow; of: BackupTable }>('BackupTableRowEdge').implement({
  description: 'A row in its table.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Pass it as `after` to go on from here.',
      resolve: ({ row, of }) => encodeCursor(of, row.index),
    }),
    node: t.field({
      type: 'JSON',
      nullable: true,
      description:
        'Values by column, as the bundle writes them; numbers of more than 15 digits are strings. Null when the row is larger than 1 MiB: the bundle, downloaded, has it.',
      resolve: ({ row }) => row.row,
    }),
    sizeBytes: t.field({
      type: 'BigInt',
      description: 'Bytes of the row in the bundle, before compression.',
      resolve: ({ row }) => row.sizeBytes,
    }),
  }),
});

const RowConnectionType = builder.objectRef<RowPage>('BackupTableRowConnection').implement({
  description: 'A page of the rows of a table.',
  fields: (t) => ({
    edges: t.field({
      type: [RowEdgeType],
      description: 'The rows of this page, each with its cursor.',
      // The field of the connection has already multiplied by the size of the page.
      complexity: { field: 0, multiplier: 1 },
      resolve: ({ rows, of }) => rows.map((row) => ({ row, of })),
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where this page stands in the table.',
      resolve: ({ rows, of }) => {
        const [first, last] = [rows[0], rows.at(-1)];
        return {
          startCursor: first === undefined ? null : encodeCursor(of, first.index),
          endCursor: last === undefined ? null : encodeCursor(of, last.index),
          hasNextPage: last !== undefined && last.index + 1 < of.table.rowCount,
          hasPreviousPage: first !== undefined && first.index > 0,
        };
      },
    }),
    totalCount: t.field({
      type: 'BigInt',
      description: 'How many rows the table has.',
      resolve: ({ of }) => of.table.rowCount,
    }),
  }),
});

export const BackupTableType = builder.objectRef<BackupTable>('BackupTable').implement({
  description: 'A table that a backup holds.',
  fields: (t) => ({
    schema: t.string({
      nullable: true,
      description: 'Null where there are no schemas.',
      resolve: ({ table }) => table.schema,
    }),
    name: t.string({ description: 'Its name.', resolve: ({ table }) => table.name }),
    columns: t.field({
      type: [ManifestColumnType],
      description: 'The columns held, in order.',
      resolve: ({ table }) => table.columns,
    }),
    rowCount: t.field({
      type: 'BigInt',
      description: 'How many rows the backup holds.',
      resolve: ({ table }) => table.rowCount,
    }),
    rows: t.field({
      type: RowConnectionType,
      nullable: true,
      authScopes: { admin: true },
      description:
        'Its rows, read from the bundle in the order they stand there: at most 100, and 4 MiB of JSON, a page. Needs ADMIN.',
      args: {
        first: t.arg.int({ description: 'How many: 1 to 100; 20 when left out.' }),
        after: t.arg.string({ description: 'Only what comes after this cursor.' }),
        unlock: t.arg({
          type: UnlockInput,
          description: 'What opens the bundle, where its key is not kept here.',
        }),
      },
      complexity: (args) => ({ field: 5, multiplier: pageSize(args) }),
      resolve: async (of, args, context) => {
        checkCounts(args);
        const from = args.after == null ? 0 : rowsBefore(args.after, of);
        const { schema, name } = of.table;
        const range = { from, count: pageSize(args) };
        const { engine, signal } = context;
        const unlock = unlockOf(args.unlock);
        const table = { schema, name };
        const rows = await engine.readRows(actorOf(context), of.backupId, table, range, signal, unlock);
        return { rows, of };
      },
    }),
  }),
});
