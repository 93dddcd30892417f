/** Small steps that tests of the PostgreSQL source share. */
import type { DatabaseRestoreRequest } from '../../src/source/source.ts';
import type { TestDatabase } from './postgres-database.ts';

/** A URL with something changed. */
export function changedUrl(url: string, change: (url: URL) => void): string {
  const copy = new URL(url);
  change(copy);
  return copy.href;
}

/** A request to replace tables of the schema public that have a single column, `id`. */
export function requestIds(
  names: readonly string[],
  changes: Partial<DatabaseRestoreRequest> = {},
): DatabaseRestoreRequest {
  return {
    tables: names.map((name) => ({ schema: 'public', name, columns: ['id'] })),
    clearedColumns: [],
    lockTimeoutMs: 200,
    endSessions: false,
    restoreId: 'restore-1',
    ...changes,
  };
}

/** Reads to the end; returns the number of bytes. */
export async function drain(chunks: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

/** Resolves when a session of the named application waits for a lock. */
export async function waitUntilBlocked(database: TestDatabase, application: string): Promise<void> {
  for (;;) {
    const rows = await database.query(
      `SELECT pid FROM pg_stat_activity WHERE application_name = '${application}' AND wait_event_type = 'Lock' AND datname = current_database()`,
    );
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Ends the sessions of Holdfast as a dying server would. */
export async function endHoldfast(database: TestDatabase): Promise<void> {
  await database.asAdmin(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'holdfast' AND datname = current_database()",
  );
}
