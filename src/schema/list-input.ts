/** What the inputs of all lists have alike. */
import { z } from 'zod';
import { builder } from './builder.ts';
import { OrderDirectionEnum } from './enums.ts';

type Types = typeof builder.$inferSchemaTypes;

/** The rule for texts to search for. */
export const searchRule = z.string().max(200, 'must have at most 200 characters');

/** The input that says how to sort a list of `things`, by one of the columns of `fields`. */
export function orderInput<Column extends string>(
  name: string,
  things: string,
  fields: PothosSchemaTypes.EnumRef<Types, Column, Column>,
) {
  return builder.inputType(name, {
    description: `How to sort ${things}.`,
    fields: (t) => ({
      field: t.field({ type: fields, required: true, description: 'What to sort by.' }),
      direction: t.field({ type: OrderDirectionEnum, required: true, description: 'Which way.' }),
    }),
  });
}
