/**
 * The driver adapter of the embedded catalog: Prisma's better-sqlite3 adapter with what it leaves open.
 *
 * There is one connection. Prisma's adapter lets a statement from outside run in the middle of somebody else's
 * interactive transaction on it, so that it would see uncommitted rows and be undone by a rollback that is not
 * its own. Here every statement takes its turn, and a transaction holds the turn until it ends. Transactions
 * begin IMMEDIATE, so that they never fail half-way because another process wrote in between, and SQLITE_BUSY is
 * waited out without blocking the event loop.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import type {
  IsolationLevel,
  SqlDriverAdapter,
  SqlDriverAdapterFactory,
  SqlQuery,
  SqlResultSet,
  Transaction,
} from '@prisma/driver-adapter-utils';

/** Milliseconds SQLite itself waits for a lock; it blocks the event loop meanwhile, hence short. */
const SQLITE_WAIT_MS = 100;
/** Milliseconds after which a busy catalog is an error. */
const BUSY_LIMIT_MS = 20_000;

/**
 * FULL, not NORMAL: a subscriber that was told of an event asks for what came after it, so an event must not be
 * undone by a power cut once it was published.
 */
const PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
`;

/** Lets one caller in at a time, in the order of arrival. */
class Turnstile {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it is the caller's turn, to the function that ends it. */
  async enter(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return resolve;
  }
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'DriverAdapterError') return false;
  const { cause } = error;
  // The adapter reports SQLITE_BUSY and its variants under this kind, and nothing else.
  return typeof cause === 'object' && cause !== null && 'kind' in cause && cause.kind === 'SocketTimeout';
}

async function waitOutBusy<T>(run: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + BUSY_LIMIT_MS;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      await sleep(5 + Math.random() * 20);
    }
  }
}

/** A transaction that holds the turn. Prisma sends COMMIT and ROLLBACK as statements and then says that it did. */
class CatalogTransaction implements Transaction {
  readonly provider = 'sqlite';
  readonly adapterName: string;
  readonly options = { usePhantomQuery: false };
  readonly #inner: SqlDriverAdapter;
  readonly #leave: () => void;

  constructor(inner: SqlDriverAdapter, leave: () => void) {
    this.adapterName = inner.adapterName;
    this.#inner = inner;
    this.#leave = leave;
  }

  queryRaw(query: SqlQuery): Promise<SqlResultSet> {
    return this.#inner.queryRaw(query);
  }

  executeRaw(query: SqlQuery): Promise<number> {
    return this.#inner.executeRaw(query);
  }

  async commit(): Promise<void> {
    this.#leave();
  }

  async rollback(): Promise<void> {
    try {
      // After a COMMIT that failed nobody has rolled back yet, and the connection serves others next.
      await this.#inner.executeScript('ROLLBACK');
    } catch {
      // No transaction was open any more: the usual case.
    } finally {
      this.#leave();
    }
  }

  async createSavepoint(name: string): Promise<void> {
    await this.#inner.executeScript(`SAVEPOINT ${name}`);
  }

  async rollbackToSavepoint(name: string): Promise<void> {
    await this.#inner.executeScript(`ROLLBACK TO ${name}`);
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#inner.executeScript(`RELEASE SAVEPOINT ${name}`);
  }
}

class CatalogAdapter implements SqlDriverAdapter {
  readonly provider = 'sqlite';
  readonly adapterName: string;
  readonly #inner: SqlDriverAdapter;
  readonly #turnstile = new Turnstile();

  constructor(inner: SqlDriverAdapter) {
    this.adapterName = inner.adapterName;
    this.#inner = inner;
  }

  queryRaw(query: SqlQuery): Promise<SqlResultSet> {
    return this.#inTurn(() => this.#inner.queryRaw(query));
  }

  executeRaw(query: SqlQuery): Promise<number> {
    return this.#inTurn(() => this.#inner.executeRaw(query));
  }

  executeScript(script: string): Promise<void> {
    return this.#inTurn(() => this.#inner.executeScript(script));
  }

  async startTransaction(isolationLevel?: IsolationLevel): Promise<Transaction> {
    if (isolationLevel !== undefined && isolationLevel !== 'SERIALIZABLE') {
      throw new Error(`SQLite transactions are always SERIALIZABLE, not ${isolationLevel}.`);
    }
    const leave = await this.#turnstile.enter();
    try {
      // In an async arrow: the inner adapter throws synchronously.
      await waitOutBusy(async () => this.#inner.executeScript('BEGIN IMMEDIATE'));
    } catch (error) {
      leave();
      throw error;
    }
    return new CatalogTransaction(this.#inner, leave);
  }

  dispose(): Promise<void> {
    return this.#inner.dispose();
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const leave = await this.#turnstile.enter();
    try {
      return await waitOutBusy(async () => run());
    } finally {
      leave();
    }
  }
}

/**
 * An adapter factory for `new PrismaClient({ adapter })` on the SQLite file `file`, which may or may not exist.
 * Inside an interactive transaction use its own client only: the outer one waits until the transaction ends.
 */
export function catalogAdapter(file: string): SqlDriverAdapterFactory {
  const inner = new PrismaBetterSqlite3({ url: file, timeout: SQLITE_WAIT_MS });
  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    async connect() {
      const connection = await inner.connect();
      await waitOutBusy(async () => connection.executeScript(PRAGMAS));
      return new CatalogAdapter(connection);
    },
  };
}
