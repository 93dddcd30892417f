/** A small application with a database, two trees and an env file, of which a test can tell the whole content. */
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { DatabaseSettings, SourceDefinition } from '../../src/catalog/catalog.ts';
import { createTestDatabase as createMariadb } from './mariadb-database.ts';
import { createTestDatabase } from './postgres-database.ts';

/** What {@link Application.content} finds. */
export interface ApplicationContent {
  /** Name and rows of each table, by name. */
  readonly rows: readonly (readonly [table: string, rows: unknown])[];
  /** Name and definition of each thing in the database, by name. */
  readonly structure: readonly (readonly [name: string, definition: unknown])[];
  readonly uploads: unknown;
  readonly config: unknown;
}

/** How the content of one kind of database is told. */
type Telling = () => Promise<Pick<ApplicationContent, 'rows' | 'structure'>>;

/** What a restore has to bring back, and how a test looks at it. */
export interface Application {
  readonly directory: string;
  readonly definition: SourceDefinition;
  /** Every row of every table there is, the structure of the database, and every file with its content. */
  content(): Promise<ApplicationContent>;
  /** Changes database and files, so that {@link content} differs. May be repeated. */
  wreck(): Promise<void>;
  /** Runs SQL statements as the application. */
  execute(...statements: string[]): Promise<void>;
  /** Hidden things in the directory that no application put there. */
  leftovers(): Promise<string[]>;
  dispose(): Promise<void>;
}

const TABLES = `
  CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, session TEXT);
  CREATE TABLE book (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author (id), title TEXT);
  INSERT INTO author VALUES (1, 'Ada', 's1'), (2, 'Grace', NULL), (3, 'Barbara', 's3');
  INSERT INTO book VALUES (1, 1, 'Notes'), (2, 2, 'Compilers'), (3, 2, 'Bugs'), (4, 3, 'CLU');
`;

const WRECK = `
  DELETE FROM book WHERE id = 2;
  UPDATE author SET name = 'nobody' WHERE id = 1;
  DELETE FROM author WHERE id = 9;
  INSERT INTO author VALUES (9, 'Eve', NULL);
`;

/** With a SQLite database. */
export async function sqliteApplication(directory: string): Promise<Application> {
  const path = join(directory, 'app.sqlite');
  await mkdir(directory, { recursive: true });
  const execute = async (...statements: string[]): Promise<void> => {
    const database = new Database(path);
    try {
      for (const statement of statements) database.exec(statement);
    } finally {
      database.close();
    }
  };
  await execute('PRAGMA journal_mode = WAL', TABLES);
  const telling: Telling = async () => {
    const database = new Database(path, { readonly: true });
    try {
      const things = database
        .prepare<[], { type: string; name: string; sql: string | null }>(
          'SELECT type, name, sql FROM sqlite_schema ORDER BY name',
        )
        .all();
      return {
        rows: things
          .filter(({ type }) => type === 'table')
          .map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}" ORDER BY 1`).raw().all()]),
        structure: things.map(({ type, name, sql }) => [`${type} ${name}`, sql]),
      };
    } finally {
      database.close();
    }
  };
  return await application(directory, { kind: 'SQLITE', path }, telling, execute, async () => undefined);
}

/** With a PostgreSQL database, whose owner is no superuser. */
export async function postgresApplication(directory: string, maintenanceUrl: string): Promise<Application> {
  const database = await createTestDatabase(maintenanceUrl);
  await mkdir(directory, { recursive: true });
  await database.execute(TABLES);
  const telling: Telling = async () => {
    const names = await database.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    );
    const rows: [string, unknown][] = [];
    for (const [name] of names) {
      rows.push([name ?? '', await database.query(`SELECT * FROM "${name}" ORDER BY 1`)]);
    }
    const structure = await database.query(STRUCTURE_OF_POSTGRES);
    return { rows, structure: structure.map(([name, definition]) => [name ?? '', definition]) };
  };
  const settings = { kind: 'POSTGRESQL', url: database.url } as const;
  return await application(directory, settings, telling, database.execute, database.dispose);
}

const STRUCTURE_OF_POSTGRES = `
  WITH relation AS (SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace)
  SELECT 'column ' || relname || '.' || attname,
         concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
    FROM relation JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  UNION ALL SELECT 'constraint ' || relname || '.' || conname, pg_get_constraintdef(pg_constraint.oid)
    FROM relation JOIN pg_constraint ON conrelid = relation.oid
  UNION ALL SELECT 'index ' || relname, pg_get_indexdef(oid) FROM relation WHERE relkind = 'i'
  UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid) FROM relation WHERE relkind = 'v'
  UNION ALL SELECT 'trigger ' || relname || '.' || tgname, pg_get_triggerdef(pg_trigger.oid) || tgenabled::text
    FROM relation JOIN pg_trigger ON tgrelid = relation.oid AND NOT tgisinternal
  UNION ALL SELECT 'schema ' || nspname, NULL FROM pg_namespace WHERE nspname !~ '^pg_'
  ORDER BY 1`;

/** With a MariaDB database, whose user may do everything in it and nothing elsewhere. */
export async function mariadbApplication(directory: string, serverUrl: string): Promise<Application> {
  const database = await createMariadb(serverUrl);
  await mkdir(directory, { recursive: true });
  const execute = async (...statements: string[]): Promise<void> => {
    await database.execute(...statements.flatMap((text) => text.split(/;\n/).filter((sql) => sql.trim())));
  };
  await execute(TABLES);
  const telling: Telling = async () => {
    const things = await database.query(
      `SELECT IF(TABLE_TYPE = 'VIEW', 'VIEW', 'TABLE'), TABLE_NAME FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = DATABASE()
       UNION ALL SELECT 'TRIGGER', TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
       ORDER BY 2, 1`,
    );
    const rows: [string, unknown][] = [];
    const structure: [string, unknown][] = [];
    for (const [kind, name] of things) {
      if (kind === 'TABLE') {
        rows.push([name ?? '', await database.query(`SELECT * FROM \`${name}\` ORDER BY 1`)]);
      }
      const [shown] = await database.query(`SHOW CREATE ${kind} \`${name}\``);
      structure.push([`${kind} ${name}`, shown?.[kind === 'TRIGGER' ? 2 : 1]]);
    }
    // A restore may make databases beside the application's.
    const schemas = await database.query("SHOW DATABASES LIKE '%holdfast%'");
    return {
      rows,
      structure: [...structure, ...schemas.map(([name]): [string, null] => [`DATABASE ${name}`, null])],
    };
  };
  const settings = { kind: 'MARIADB', url: database.url } as const;
  return await application(directory, settings, telling, execute, database.dispose);
}

async function application(
  directory: string,
  database: DatabaseSettings,
  telling: Telling,
  execute: (...statements: string[]) => Promise<void>,
  dispose: () => Promise<void>,
): Promise<Application> {
  const uploads = join(directory, 'uploads');
  const config = join(directory, 'config');
  const env = join(directory, 'env');
  await mkdir(join(uploads, 'nested'), { recursive: true });
  await mkdir(config);
  await mkdir(env);
  await writeFile(join(uploads, 'a.txt'), 'alpha');
  await writeFile(join(uploads, 'nested/b.txt'), 'beta');
  await symlink('nested/b.txt', join(uploads, 'link'));
  await writeFile(join(config, 'app.json'), '{"port":1}');
  await writeFile(join(env, '.env'), 'SECRET=1\n');
  return {
    directory,
    definition: {
      name: 'Shop',
      database,
      excludedTables: [],
      clearedColumns: [],
      trees: [{ name: 'uploads', path: uploads, include: [], exclude: ['**/*.log'] }],
      configTrees: [{ name: 'config', path: config, include: [], exclude: [] }],
      envFile: { path: join(env, '.env'), restorePath: join(env, '.env.restored') },
    },
    execute,
    dispose,
    content: async () => ({
      ...(await telling()),
      uploads: await filesIn(uploads),
      config: await filesIn(config),
    }),
    async wreck() {
      await execute(WRECK);
      await rm(join(uploads, 'a.txt'), { force: true });
      await writeFile(join(uploads, 'new.txt'), 'new');
      await writeFile(join(uploads, 'nested/b.txt'), 'changed');
      await writeFile(join(config, 'app.json'), '{"port":2}');
    },
    async leftovers() {
      const names = await readdir(directory, { recursive: true });
      return names.filter((name) => name.includes('holdfast'));
    },
  };
}

/** Every path below a directory, with its content. */
export async function filesIn(directory: string): Promise<unknown> {
  const names = (await readdir(directory, { recursive: true })).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const stats = await lstat(path);
      const content = stats.isFile()
        ? await readFile(path, 'utf8')
        : stats.isSymbolicLink()
          ? await readlink(path)
          : null;
      return [name, stats.mode, content];
    }),
  );
}
