/**
 * Prisma's schema engine as a WebAssembly module: writes migrations by comparing models, and applies them, as
 * `prisma migrate` would, but without its native binary.
 */
import { readFile } from 'node:fs/promises';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import type { SqlDriverAdapter, SqlQuery } from '@prisma/driver-adapter-utils';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import type { Migration } from './migrations.ts';

/** Milliseconds the engine waits for another process to let go of the file. */
const BUSY_WAIT_MS = 5_000;

type WasmExports = { readonly [name: string]: unknown; readonly __wbindgen_start?: unknown };

/** Node.js has it; TypeScript knows it from the DOM's types only, which have no place here. */
declare const WebAssembly: {
  instantiate(
    code: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ readonly instance: { readonly exports: WasmExports } }>;
};

type EngineModule = Pick<typeof import('@prisma/schema-engine-wasm/schema_engine_bg'), 'SchemaEngine'> & {
  __wbg_set_wasm(exports: WasmExports): void;
};

let loaded: Promise<EngineModule> | undefined;

async function loadEngine(): Promise<EngineModule> {
  const glueUrl = import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const code = await readFile(new URL('schema_engine_bg.wasm', glueUrl));
  const glue: EngineModule = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  // The module imports the functions of the glue, and the glue calls the exports of the module.
  const { instance } = await WebAssembly.instantiate(code, { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  const start = instance.exports.__wbindgen_start;
  if (typeof start !== 'function') throw new Error('The schema engine has no entry point.');
  start();
  return glue;
}

/** The engine plays whole scripts through `executeRaw` on its shadow database, which takes one statement only. */
function withScripts(connection: SqlDriverAdapter): SqlDriverAdapter {
  const executeRaw = connection.executeRaw.bind(connection);
  connection.executeRaw = async (query: SqlQuery): Promise<number> => {
    if (query.args.length > 0) return executeRaw(query);
    await connection.executeScript(query.sql);
    return 0;
  };
  return connection;
}

/**
 * Runs `work` with a schema engine on the SQLite database `file` (`:memory:` for none). Its connections, which it
 * would leave in exclusive locking mode, are closed before this resolves.
 */
export async function withSchemaEngine<T>(
  file: string,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  loaded ??= loadEngine();
  const { SchemaEngine: Engine } = await loaded;
  const inner = new PrismaBetterSqlite3({ url: file, timeout: BUSY_WAIT_MS });
  const connections: SqlDriverAdapter[] = [];
  const remember = (connection: SqlDriverAdapter): SqlDriverAdapter => {
    connections.push(connection);
    return connection;
  };
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: inner.provider,
    adapterName: inner.adapterName,
    connect: async () => remember(await inner.connect()),
    connectToShadowDb: async () => remember(withScripts(await inner.connectToShadowDb())),
  });
  try {
    const engine = await Engine.new({ datamodels: undefined }, () => {}, factory);
    try {
      return await work(engine);
    } finally {
      engine.free();
    }
  } finally {
    for (const connection of connections) await connection.dispose();
  }
}

/** Nothing is left out of a comparison. */
export const NO_FILTER = { externalTables: [], externalEnums: [] };

/** The form in which the engine takes migrations. */
export function toMigrationList(directory: string, migrations: readonly Migration[]): MigrationList {
  return {
    baseDir: directory,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "sqlite"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}
