/** Runs the statements of a script, and says which object it was when one fails. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaStatement } from '../../../schema-script.ts';
import { isConnectionLoss, statementRefusal } from '../refusal.ts';
import type { PostgresSession } from '../session.ts';

/** What was being done to the object, for the message. */
export type Deed = 'made' | 'removed' | 'put back';

/** Runs them in order, in the open transaction. A second statement behind a semicolon is refused by the server. */
export async function runStatements(
  session: PostgresSession,
  statements: readonly SchemaStatement[],
  deed: Deed,
  signal: AbortSignal,
): Promise<void> {
  for (const { object, sql } of statements) {
    try {
      await session.executeOne(sql, signal);
    } catch (error) {
      throw refusal(error, object, deed);
    }
  }
}

function refusal(error: unknown, object: string, deed: Deed): unknown {
  if (!(error instanceof DatabaseError) || isConnectionLoss(error)) return statementRefusal(error);
  const state = error.code ?? '';
  if (/^(53|40|55P03|57014|25006)/.test(state)) return statementRefusal(error);
  // What fails inside the server says nothing of the structure.
  if (state === '58030' || state.startsWith('XX')) {
    return new HoldfastError(
      'SOURCE_UNREACHABLE',
      `PostgreSQL failed while ${object} was ${deed}: ${error.message} (SQLSTATE ${state}).`,
      { hint: "The server's log tells more.", cause: error },
    );
  }
  if (state === '42501') {
    return new HoldfastError('INVALID_INPUT', `${object} cannot be ${deed}: ${error.message}.`, {
      hint: 'A restore that makes the structure has to connect as a role that may create it, and that owns what it replaces.',
      cause: error,
    });
  }
  // What does not convert stands in the message, and no rows belong there.
  const why = state.startsWith('22') ? `a row does not fit (SQLSTATE ${state})` : error.message;
  const key = /^235?03|^23505/.test(state) ? ` ${(error.detail ?? '').slice(0, 200)}` : '';
  return new HoldfastError('SCHEMA_MISMATCH', `${object} cannot be ${deed}: ${why}.${key}`.trimEnd(), {
    hint:
      deed === 'put back'
        ? 'It is not in the backup and does not fit what the backup holds; drop it first, or restore into an empty database.'
        : 'Restore into an empty database, or bring the database to the structure of the backup first.',
    cause: error,
  });
}
