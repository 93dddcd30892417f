/** Which parts of a source or bundle an operation covers. */
import type { Selection } from '../engine/engine.ts';
import { builder } from './builder.ts';
import { TableNameInput, tableNameOf } from './database-names.ts';

export const SelectionInput = builder.inputType('SelectionInput', {
  description: 'Which parts of a source or bundle to take. Left out, it means everything but the env file.',
  fields: (t) => ({
    database: t.boolean({ required: true, defaultValue: true, description: 'Whether to take the database.' }),
    tables: t.field({
      type: [TableNameInput],
      description: 'Only these tables; all when left out. Foreign keys that reach outside become warnings.',
    }),
    trees: t.stringList({ description: 'Only the file trees of these names; all when left out.' }),
    configTrees: t.stringList({
      description: 'Only the configuration directories of these names; all when left out.',
    }),
    envFile: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether to take the env file. It holds secrets, so only when asked for.',
    }),
  }),
});

/** A selection as the engine wants it. */
export function selectionOf(input: typeof SelectionInput.$inferInput | null | undefined): Selection {
  return {
    database: input?.database ?? true,
    tables: input?.tables?.map(tableNameOf) ?? null,
    trees: input?.trees ?? null,
    configTrees: input?.configTrees ?? null,
    envFile: input?.envFile ?? false,
  };
}
