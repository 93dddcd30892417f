/** Makes the structure of a backup in the transaction of a restore: in an empty database, or in place of what stands. */
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaStatement } from '../../../schema-script.ts';
import type { DatabaseRestoreRequest } from '../../../source.ts';
import type { PostgresSession } from '../session.ts';
import { checkStatements } from './check-statements.ts';
import { isEmpty } from './empty.ts';
import { planReplacement, type Replacement } from './plan-replacement.ts';
import { checkRequirements } from './requirements.ts';
import { runStatements } from './run-statements.ts';
import { settingStatements } from './settings.ts';

/** Bars the owner from reading its own rows back, so it comes when that is done. */
const LATE = /^FORCED ROW SECURITY /;
const NOTHING: Replacement = { drops: [], keep: new Set(), putBack: [], owners: [] };

/** A structure that is about to be made. */
export class SchemaApplication {
  readonly #session: PostgresSession;
  readonly #before: readonly SchemaStatement[];
  readonly #after: readonly SchemaStatement[];
  readonly #replacement: Replacement;
  #late: readonly SchemaStatement[];

  private constructor(
    session: PostgresSession,
    before: readonly SchemaStatement[],
    after: readonly SchemaStatement[],
    replacement: Replacement,
  ) {
    const made = (statement: SchemaStatement): boolean => !replacement.keep.has(statement.object);
    this.#session = session;
    this.#before = before.filter(made);
    this.#after = after.filter((statement) => made(statement) && !LATE.test(statement.object));
    this.#late = [...after.filter(made), ...replacement.putBack].filter((statement) =>
      LATE.test(statement.object),
    );
    this.#replacement = replacement;
  }

  /**
   * Looks at the database and finds what has to be done; changes nothing but bodies of functions. The tables to be
   * replaced are locked already.
   * @throws HoldfastError INVALID_MANIFEST for statements that no backup writes; INVALID_INPUT for what takes a
   *   superuser; SCHEMA_MISMATCH for what cannot be replaced.
   */
  static async plan(
    session: PostgresSession,
    request: DatabaseRestoreRequest,
    signal: AbortSignal,
  ): Promise<SchemaApplication | undefined> {
    const { schema } = request;
    if (schema === undefined) return undefined;
    checkStatements(schema.script);
    await checkRequirements(session, schema.script, signal);
    await runStatements(session, settingStatements(), 'made', signal);
    if (schema.mode === 'CREATE' && !(await isEmpty(session, signal))) {
      throw new HoldfastError('SCHEMA_MISMATCH', 'The database is not empty any more.', {
        hint: 'Empty it, or restore into the structure it has.',
      });
    }
    const replacement =
      schema.mode === 'CREATE'
        ? { ...NOTHING, keep: await presentSchemas(session, signal) }
        : await planReplacement(session, schema.script, request, signal);
    return new SchemaApplication(session, schema.script.before, schema.script.after, replacement);
  }

  /** The first half: removes what is to be replaced, and makes everything that rows need. */
  async before(signal: AbortSignal): Promise<void> {
    await runStatements(this.#session, this.#replacement.drops, 'removed', signal);
    await runStatements(this.#session, this.#before, 'made', signal);
  }

  /** The second half, and what was in the way and is put back. */
  async after(signal: AbortSignal): Promise<void> {
    await runStatements(this.#session, this.#after, 'made', signal);
    const putBack = this.#replacement.putBack.filter((statement) => !LATE.test(statement.object));
    await runStatements(this.#session, putBack, 'put back', signal);
    await runStatements(this.#session, this.#replacement.owners, 'put back', signal);
  }

  /** What hides rows from the session itself. Does nothing the second time. */
  async late(signal: AbortSignal): Promise<void> {
    const statements = this.#late;
    this.#late = [];
    await runStatements(this.#session, statements, 'made', signal);
  }
}

/** Schemas that were made for extensions: making them again takes a right that the session may not have. */
async function presentSchemas(session: PostgresSession, signal: AbortSignal): Promise<Set<string>> {
  const rows = await session.query<{ label: string }>(
    `SELECT 'SCHEMA ' || nspname AS label FROM pg_catalog.pg_namespace`,
    [],
    signal,
  );
  return new Set(rows.map((row) => row.label));
}
