/** Names of tables, as input and output. */
import { z } from 'zod';
import type { TableName } from '../source/source.ts';
import { builder } from './builder.ts';

export const TableNameType = builder.objectRef<TableName>('TableName').implement({
  description: 'Names one table.',
  fields: (t) => ({
    schema: t.exposeString('schema', {
      nullable: true,
      description: 'Null where the database has no schemas (SQLite).',
    }),
    name: t.exposeString('name', { description: 'The name within the schema.' }),
  }),
});

export const TableNameInput = builder.inputType('TableNameInput', {
  description: 'Names one table.',
  fields: (t) => ({
    schema: t.string({ description: 'Leave it out where the database has no schemas (SQLite).' }),
    name: t.string({
      required: true,
      description: 'The name within the schema.',
      validate: z.string().min(1, 'must not be empty').max(255, 'must have at most 255 characters'),
    }),
  }),
});

/** A table's name as the engine wants it. */
export function tableNameOf(input: typeof TableNameInput.$inferInput): TableName {
  return { schema: input.schema ?? null, name: input.name };
}
