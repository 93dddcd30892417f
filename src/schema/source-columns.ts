/** What the Json columns of a source hold, checked as it comes from the catalog. */
import { z } from 'zod';
import type { Source } from '../catalog/generated/client.ts';
import type { FileTree } from '../source/file-trees.ts';
import type { ClearedColumns, TableName } from '../source/source.ts';

// Objects may hold more than is known here: a newer Holdfast may have written them.
const tableName: z.ZodType<TableName> = z.object({ schema: z.string().nullable(), name: z.string() });
const tableNames: z.ZodType<TableName[]> = z.array(tableName);
const clearedColumns: z.ZodType<ClearedColumns[]> = z.array(
  z.object({ table: tableName, columns: z.array(z.string()) }),
);
const fileTrees: z.ZodType<FileTree[]> = z.array(
  z.object({
    name: z.string(),
    path: z.string(),
    include: z.array(z.string()),
    exclude: z.array(z.string()),
  }),
);

/** The tables a source leaves out. */
export function excludedTablesOf(source: Pick<Source, 'excludedTables'>): TableName[] {
  return parse(tableNames, source.excludedTables, 'excludedTables');
}

/** The columns a restore clears. */
export function clearedColumnsOf(source: Pick<Source, 'clearedColumns'>): ClearedColumns[] {
  return parse(clearedColumns, source.clearedColumns, 'clearedColumns');
}

/** The file trees of a source. */
export function treesOf(source: Pick<Source, 'trees'>): FileTree[] {
  return parse(fileTrees, source.trees, 'trees');
}

/** The configuration directories of a source. */
export function configTreesOf(source: Pick<Source, 'configTrees'>): FileTree[] {
  return parse(fileTrees, source.configTrees, 'configTrees');
}

function parse<T>(schema: z.ZodType<T>, value: unknown, column: string): T {
  const { data, error } = schema.safeParse(value);
  if (data !== undefined) return data;
  throw new Error(`The catalog is damaged: Source.${column} does not hold what was written to it.`, {
    cause: error,
  });
}
