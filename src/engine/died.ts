import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { sayTheyAreGone } from './request-secrets.ts';

/** Why a record fails whose process died in its middle. `state` says what is left of it. */
export function died(row: RecordRow, state: string, hint: string): HoldfastError {
  const phase = row.phases.at(-1)?.name;
  const where = phase === undefined ? 'before the record began' : `in phase ${phase}`;
  return new HoldfastError('INTERNAL', `The server stopped ${where}. ${state}`, {
    hint: `${hint}${sayTheyAreGone(row)}`,
  });
}
