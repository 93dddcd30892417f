/** A small application with a database, two trees and an env file, of which a test can tell the whole content. */
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { DatabaseSettings, SourceDefinition } from '../../src/catalog/catalog.ts';
import { createTestDatabase as createMariadb } from './mariadb-database.ts';
import { createTestDatabase } from './postgres-database.ts';

/** What a restore has to bring back, and how a test looks at it. */
export interface Application {
  readonly directory: string;
  readonly definition: SourceDefinition;
  /** Every row of every table there is, and every file with its content. */
  content(): Promise<unknown>;
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
  CREATE TABLE book (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author, title TEXT);
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
  const rows = async (): Promise<unknown> => {
    const database = new Database(path, { readonly: true });
    try {
      return database
        .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .all()
        .map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}" ORDER BY 1`).raw().all()]);
    } finally {
      database.close();
    }
  };
  return await application(directory, { kind: 'SQLITE', path }, rows, execute, async () => undefined);
}

/** With a PostgreSQL database, whose owner is no superuser. */
export async function postgresApplication(directory: string, maintenanceUrl: string): Promise<Application> {
  const database = await createTestDatabase(maintenanceUrl);
  await mkdir(directory, { recursive: true });
  await database.execute(TABLES);
  const rows = async (): Promise<unknown> => {
    const names = await database.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    );
    const tables: unknown[] = [];
    for (const [name] of names)
      tables.push([name, await database.query(`SELECT * FROM "${name}" ORDER BY 1`)]);
    return tables;
  };
  const settings = { kind: 'POSTGRESQL', url: database.url } as const;
  return await application(directory, settings, rows, database.execute, database.dispose);
}

/** With a MariaDB database, whose user has all privileges on it and no others. */
export async function mariadbApplication(directory: string, serverUrl: string): Promise<Application> {
  const database = await createMariadb(serverUrl);
  await mkdir(directory, { recursive: true });
  const execute = async (...scripts: string[]): Promise<void> => {
    const statements = scripts.flatMap((script) => script.split(';')).filter((text) => text.trim() !== '');
    await database.execute(...statements);
  };
  await execute(
    TABLES.replace(
      'author_id INTEGER NOT NULL REFERENCES author',
      'author_id INTEGER NOT NULL REFERENCES author (id)',
    ),
    'CREATE TRIGGER shout BEFORE INSERT ON book FOR EACH ROW SET NEW.title = UPPER(NEW.title)',
  );
  const rows = async (): Promise<unknown> => {
    const tables: unknown[] = [];
    for (const [name] of await database.query('SHOW TABLES'))
      tables.push([name, await database.query(`SELECT * FROM \`${name}\` ORDER BY 1`)]);
    return [
      ...tables,
      await database.query(
        'SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1',
      ),
      await database.query('SHOW CREATE TABLE book'),
    ];
  };
  const settings = { kind: 'MARIADB', url: database.url } as const;
  return await application(directory, settings, rows, execute, database.dispose);
}

async function application(
  directory: string,
  database: DatabaseSettings,
  rows: () => Promise<unknown>,
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
      rows: await rows(),
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
