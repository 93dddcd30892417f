/**
 * What every {@link Database} must do. An implementation's test file calls {@link describeDatabase} with a subject
 * that makes databases holding the tables of {@link libraryTables}, empty.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  Database,
  DatabaseDescription,
  DatabaseRestoreRequest,
  DatabaseSnapshot,
  RestoreTicket,
  SequenceState,
  Table,
  TableName,
} from '../../src/source/source.ts';

/** A database of its own, to be used as the application would use it. */
export interface DatabaseFixture {
  readonly database: Database;
  /** Runs statements one after the other on a connection that is neither the snapshot's nor the restore's. */
  execute(...statements: string[]): Promise<void>;
  /** Rows of a query, values as text. */
  query(sql: string): Promise<(string | null)[][]>;
  dispose(): Promise<void>;
}

/** What a killed process was doing. */
export interface InterruptedRestore {
  readonly request: DatabaseRestoreRequest;
  /** Row lines of each table of the request. */
  readonly rows: readonly string[];
  readonly sequences: readonly SequenceState[];
}

/** One kind of database. */
export interface DatabaseSubject {
  readonly kind: string;
  /** The schema the tables are in, null where the kind has none. */
  readonly schema: string | null;
  createFixture(): Promise<DatabaseFixture>;
  /** Runs a restore in another process up to the given point, kills it with SIGKILL and returns its ticket. */
  killRestore(
    fixture: DatabaseFixture,
    restore: InterruptedRestore,
    when: 'BEFORE COMMIT' | 'AFTER COMMIT',
  ): Promise<RestoreTicket>;
}

/**
 * The statements that make the tables: a chain (author, book, chapter), a cycle (team, person) and a reference to
 * itself (category). `counter` is how the kind declares a primary key that counts by itself.
 */
export function libraryTables(counter: string, forwardReferences: boolean): readonly string[] {
  const lead = forwardReferences ? 'integer REFERENCES person (id)' : 'integer';
  return [
    `CREATE TABLE author (id ${counter}, name text NOT NULL)`,
    `CREATE TABLE book (id ${counter}, author_id integer NOT NULL REFERENCES author (id), title text NOT NULL, session_ref text)`,
    `CREATE TABLE chapter (book_id integer NOT NULL REFERENCES book (id), number integer NOT NULL, heading text, PRIMARY KEY (book_id, number))`,
    `CREATE TABLE team (id integer PRIMARY KEY, lead_id ${lead})`,
    'CREATE TABLE person (id integer PRIMARY KEY, team_id integer NOT NULL REFERENCES team (id))',
    ...(forwardReferences
      ? []
      : ['ALTER TABLE team ADD CONSTRAINT team_lead_fkey FOREIGN KEY (lead_id) REFERENCES person (id)']),
    'CREATE TABLE category (id integer PRIMARY KEY, parent_id integer REFERENCES category (id), name text NOT NULL)',
  ];
}

const LIBRARY_ROWS: readonly string[] = [
  "INSERT INTO author (name) VALUES ('Ada'), ('Grace'), ('Ünïcödé 書 🎉')",
  "INSERT INTO book (author_id, title, session_ref) VALUES (1, 'Notes', 's-1'), (2, 'Compilers', 's-2'), (3, 'Tab\tand \\ and \"quote\"', NULL)",
  "INSERT INTO chapter (book_id, number, heading) VALUES (1, 1, 'One'), (1, 2, NULL), (2, 1, '')",
  'INSERT INTO team (id) VALUES (1), (2)',
  'INSERT INTO person (id, team_id) VALUES (10, 1), (20, 2)',
  'UPDATE team SET lead_id = id * 10',
  "INSERT INTO category (id, parent_id, name) VALUES (1, NULL, 'root')",
  "INSERT INTO category (id, parent_id, name) VALUES (3, 1, 'child')",
  "INSERT INTO category (id, parent_id, name) VALUES (2, 3, 'grandchild')",
];

/** Parents first; the cycle in any order. */
const ORDER = ['author', 'book', 'chapter', 'team', 'person', 'category'];

/** Everything a backup would keep, held in memory (the tables are tiny). */
interface Kept {
  readonly tables: readonly Table[];
  readonly rows: readonly string[];
  readonly sequences: readonly SequenceState[];
}

/** The text of an iterable of bytes. */
export async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts).toString('utf8');
}

/** The bytes of a text, cut into pieces of `size` bytes. */
export async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** Carried columns of a table. */
export function columnsOf(table: Table): readonly string[] {
  return table.columns.filter((column) => !column.generated).map((column) => column.name);
}

const never = new AbortController().signal;

/** The suite. */
export function describeDatabase(subject: DatabaseSubject): void {
  describe(`${subject.kind} as a Database`, () => {
    let fixture: DatabaseFixture;
    beforeEach(async () => {
      fixture = await subject.createFixture();
      await fixture.execute(...LIBRARY_ROWS);
    });
    afterEach(async () => {
      await fixture.dispose();
    });

    const named = (name: string): TableName => ({ schema: subject.schema, name });

    /** The tables that somebody made. */
    function namesOf(description: DatabaseDescription): string[] {
      return description.tables
        .filter((table) => table.implicit !== true)
        .map((table) => table.name)
        .sort();
    }

    function find(tables: readonly Table[], name: string): Table {
      const table = tables.find(
        (candidate) => candidate.name === name && candidate.schema === subject.schema,
      );
      if (table === undefined) throw new Error(`no table ${name}`);
      return table;
    }

    async function withSnapshot<T>(work: (snapshot: DatabaseSnapshot) => Promise<T>): Promise<T> {
      const snapshot = await fixture.database.openSnapshot(never);
      try {
        return await work(snapshot);
      } finally {
        await snapshot.close();
      }
    }

    function keep(names: readonly string[] = ORDER): Promise<Kept> {
      return withSnapshot(async (snapshot) => {
        const tables = names.map((name) => find(snapshot.description.tables, name));
        const rows: string[] = [];
        for (const table of tables) rows.push(await textOf(snapshot.readRows(table, never)));
        return { tables, rows, sequences: await snapshot.readSequences(tables, never) };
      });
    }

    function requestFor(kept: Kept, changes: Partial<DatabaseRestoreRequest> = {}): DatabaseRestoreRequest {
      return {
        tables: kept.tables.map((table) => ({
          schema: table.schema,
          name: table.name,
          columns: columnsOf(table),
        })),
        clearedColumns: [],
        lockTimeoutMs: 2_000,
        endSessions: false,
        restoreId: 'restore-1',
        ...changes,
      };
    }

    async function restoreUntilFinish(kept: Kept, changes: Partial<DatabaseRestoreRequest> = {}) {
      const request = requestFor(kept, changes);
      const restore = await fixture.database.beginRestore(request, never);
      try {
        await restore.clear(never);
        const counts: number[] = [];
        for (const [n, table] of request.tables.entries()) {
          counts.push(await restore.load(table, inPieces(kept.rows[n] ?? '', 7), never));
        }
        await restore.finish(kept.sequences, never);
        return { restore, request, counts };
      } catch (error) {
        await restore.rollback();
        throw error;
      }
    }

    async function commitRestore(
      kept: Kept,
      changes: Partial<DatabaseRestoreRequest> = {},
    ): Promise<number[]> {
      const { restore, counts } = await restoreUntilFinish(kept, changes);
      await restore.ticket();
      await restore.commit();
      return counts;
    }

    async function wreck(): Promise<void> {
      await fixture.execute(
        'DELETE FROM chapter',
        'DELETE FROM book',
        "UPDATE author SET name = 'nobody'",
        "INSERT INTO author (name) VALUES ('extra')",
        'UPDATE team SET lead_id = NULL',
        'DELETE FROM person',
        'UPDATE category SET parent_id = NULL',
        'DELETE FROM category WHERE id <> 1',
      );
    }

    it('describes tables with columns, keys and estimates', async () => {
      const description = await fixture.database.describe(never);
      expect(description.kind).toBe(subject.kind);
      expect(namesOf(description)).toEqual([...ORDER].sort());
      const book = find(description.tables, 'book');
      expect(book.columns.map((column) => [column.name, column.nullable])).toEqual([
        ['id', false],
        ['author_id', false],
        ['title', false],
        ['session_ref', true],
      ]);
      expect(book.columns[0]?.hasDefault).toBe(true);
      expect(book.primaryKey).toEqual(['id']);
      expect(book.foreignKeys).toMatchObject([
        { columns: ['author_id'], references: named('author'), referencedColumns: ['id'] },
      ]);
      expect(find(description.tables, 'chapter').primaryKey).toEqual(['book_id', 'number']);
      expect(book.rowEstimate).toBe(3);
    });

    it('counts rows exactly', async () => {
      expect(await fixture.database.countRows([named('author'), named('chapter')], never)).toEqual([3, 3]);
    });

    it('writes one JSON object a row, in column order', async () => {
      const { rows } = await keep(['book']);
      const lines = (rows[0] ?? '').split('\n');
      expect(lines.pop()).toBe('');
      expect(lines.map((line) => JSON.parse(line))).toEqual([
        { id: 1, author_id: 1, title: 'Notes', session_ref: 's-1' },
        { id: 2, author_id: 2, title: 'Compilers', session_ref: 's-2' },
        { id: 3, author_id: 3, title: 'Tab\tand \\ and "quote"', session_ref: null },
      ]);
      expect(Object.keys(JSON.parse(lines[0] ?? ''))).toEqual(['id', 'author_id', 'title', 'session_ref']);
    });

    it('shows a snapshot as of its beginning while others write', async () => {
      const before = await keep();
      await withSnapshot(async (snapshot) => {
        await fixture.execute("INSERT INTO author (name) VALUES ('late')", 'DELETE FROM chapter');
        for (const [n, table] of before.tables.entries()) {
          expect(await textOf(snapshot.readRows(table, never))).toBe(before.rows[n]);
        }
      });
      expect((await keep(['author'])).rows[0]).toContain('late');
    });

    it('tells that a table of the selection is not there', async () => {
      const [author] = (await keep(['author'])).tables;
      if (author === undefined) throw new Error('no author');
      await withSnapshot(async (snapshot) => {
        await expect(textOf(snapshot.readRows({ ...author, name: 'gone' }, never))).rejects.toMatchObject({
          code: 'SCHEMA_MISMATCH',
          message: expect.stringContaining('gone'),
        });
      });
    });

    it('stops reading when it is canceled, and closes', async () => {
      const snapshot = await fixture.database.openSnapshot(never);
      const controller = new AbortController();
      const author = find(snapshot.description.tables, 'author');
      controller.abort();
      await expect(textOf(snapshot.readRows(author, controller.signal))).rejects.toMatchObject({
        code: 'CANCELED',
      });
      await snapshot.close();
      await snapshot.close();
    });

    it('brings back every row, chains, cycles and self references included', async () => {
      const before = await keep();
      await wreck();
      expect(await commitRestore(before)).toEqual([3, 3, 3, 2, 2, 3]);
      expect((await keep()).rows).toEqual(before.rows);
    });

    it('keeps the rules of the tables in force after a restore', async () => {
      await commitRestore(await keep());
      await expect(fixture.execute("INSERT INTO book (author_id, title) VALUES (99, 'x')")).rejects.toThrow();
      await expect(fixture.execute('UPDATE team SET lead_id = 99')).rejects.toThrow();
      await expect(fixture.execute('UPDATE category SET parent_id = 99')).rejects.toThrow();
      const { tables } = await fixture.database.describe(never);
      expect(find(tables, 'team').foreignKeys).toMatchObject([{ references: named('person') }]);
    });

    it('reads the loaded rows back before they are visible to others', async () => {
      const before = await keep();
      await wreck();
      const { restore, request } = await restoreUntilFinish(before);
      for (const [n, table] of request.tables.entries()) {
        expect(await textOf(restore.readRows(table, never))).toBe(before.rows[n]);
      }
      await restore.rollback();
    });

    it('leaves everything as it was after a rollback, counters included', async () => {
      const kept = await keep();
      await fixture.execute("INSERT INTO author (name) VALUES ('a'), ('b'), ('c'), ('d')");
      await wreck();
      const wrecked = await keep();
      const { restore } = await restoreUntilFinish(kept);
      await restore.ticket();
      await restore.rollback();
      await restore.rollback();
      const after = await keep();
      expect(after.rows).toEqual(wrecked.rows);
      expect(after.sequences).toEqual(wrecked.sequences);
    });

    it('lets the next insert after a restore take the next number', async () => {
      const before = await keep();
      await wreck();
      await commitRestore(before);
      await fixture.execute("INSERT INTO author (name) VALUES ('next')");
      expect(await fixture.query("SELECT id FROM author WHERE name = 'next'")).toEqual([['4']]);
    });

    it('clears the named columns while loading', async () => {
      const before = await keep();
      await commitRestore(before, {
        clearedColumns: [{ table: named('book'), columns: ['session_ref'] }],
      });
      expect(await fixture.query('SELECT title, session_ref FROM book WHERE id = 1')).toEqual([
        ['Notes', null],
      ]);
    });

    it('touches only the tables of the request', async () => {
      const before = await keep(['category']);
      await fixture.execute("UPDATE author SET name = 'changed'", "UPDATE category SET name = 'changed'");
      await commitRestore(before);
      expect(await fixture.query('SELECT DISTINCT name FROM author')).toEqual([['changed']]);
      expect(await fixture.query("SELECT count(*) FROM category WHERE name = 'changed'")).toEqual([['0']]);
    });

    it('refuses rows of another table that would point to nothing, and changes nothing', async () => {
      const before = await keep(['author']);
      const withoutAda = {
        ...before,
        rows: [`${(before.rows[0] ?? '').split('\n').slice(1, -1).join('\n')}\n`],
      };
      await expect(commitRestore(withoutAda)).rejects.toMatchObject({
        code: 'SCHEMA_MISMATCH',
        message: expect.stringContaining('book'),
      });
      expect((await keep(['author'])).rows).toEqual(before.rows);
    });

    it('refuses a row that breaks a rule, naming its table, and changes nothing', async () => {
      const before = await keep();
      const rows = [...before.rows];
      rows[0] = `${rows[0] ?? ''}{"id":1,"name":"twice"}\n`;
      await expect(commitRestore({ ...before, rows })).rejects.toMatchObject({
        code: 'SCHEMA_MISMATCH',
        message: expect.stringContaining('author'),
      });
      expect((await keep()).rows).toEqual(before.rows);
    });

    it.each([
      ['is no JSON', '{"id":1,"name":\n', 'INVALID_CHECKSUM'],
      ['is cut off', '{"id":1,"name":"a', 'INVALID_CHECKSUM'],
      ['lacks a column', '{"id":1}\n', 'SCHEMA_MISMATCH'],
      ['has a column too many', '{"id":1,"name":"a","more":1}\n', 'SCHEMA_MISMATCH'],
    ])('refuses a row that %s, naming its table', async (_, line, code) => {
      const before = await keep(['author', 'book']);
      const rows = [line, before.rows[1] ?? ''];
      await expect(commitRestore({ ...before, rows })).rejects.toMatchObject({
        code,
        message: expect.stringContaining('author'),
      });
      expect((await keep(['author'])).rows[0]).toBe(before.rows[0]);
    });

    it('takes rows whose keys come in another order, with spaces between', async () => {
      const before = await keep(['category']);
      const rows = ['{ "name" : "only" , "parent_id" : null , "id" : 7 }\n'];
      await commitRestore({ ...before, rows });
      expect(await fixture.query('SELECT id, parent_id, name FROM category')).toEqual([['7', null, 'only']]);
    });

    it('refuses a table or column that the database does not have', async () => {
      const kept = await keep(['author']);
      const missing = [
        { schema: subject.schema, name: 'nothing', columns: ['id'] },
        { schema: subject.schema, name: 'author', columns: ['id', 'nothing'] },
      ];
      for (const table of missing) {
        await expect(
          fixture.database.beginRestore(requestFor(kept, { tables: [table] }), never),
        ).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH', message: expect.stringContaining('nothing') });
      }
    });

    it('leaves everything as it was when a load is canceled', async () => {
      const before = await keep();
      const request = requestFor(before);
      const restore = await fixture.database.beginRestore(request, never);
      await restore.clear(never);
      const controller = new AbortController();
      async function* endless(): AsyncGenerator<Buffer> {
        for (let id = 100; ; id += 1) {
          if (id === 1_000) controller.abort();
          yield Buffer.from(`{"id":${id},"name":"x"}\n`);
        }
      }
      const [author] = request.tables;
      if (author === undefined) throw new Error('no author');
      await expect(restore.load(author, endless(), controller.signal)).rejects.toMatchObject({
        code: 'CANCELED',
      });
      await restore.rollback();
      expect((await keep()).rows).toEqual(before.rows);
    });

    it('leaves everything as it was when the rows end in an error', async () => {
      const before = await keep();
      const request = requestFor(before);
      const restore = await fixture.database.beginRestore(request, never);
      await restore.clear(never);
      async function* broken(): AsyncGenerator<Buffer> {
        yield Buffer.from('{"id":100,"name":"x"}\n');
        throw new Error('the bundle cannot be read');
      }
      const [author] = request.tables;
      if (author === undefined) throw new Error('no author');
      await expect(restore.load(author, broken(), never)).rejects.toThrow('the bundle cannot be read');
      await restore.rollback();
      expect((await keep()).rows).toEqual(before.rows);
    });

    it('knows that a restore whose process was killed before COMMIT was rolled back', async () => {
      const kept = await keep();
      await wreck();
      const wrecked = await keep();
      const interrupted = { request: requestFor(kept), rows: kept.rows, sequences: kept.sequences };
      const ticket = await subject.killRestore(fixture, interrupted, 'BEFORE COMMIT');
      expect(await fixture.database.outcome(ticket, never)).toBe('ROLLED_BACK');
      expect(await fixture.database.outcome(ticket, never)).toBe('ROLLED_BACK');
      expect((await keep()).rows).toEqual(wrecked.rows);
      await fixture.database.forget(ticket, never);
      await fixture.database.forget(ticket, never);
    });

    it('knows that a restore whose process was killed after COMMIT took effect', async () => {
      const kept = await keep();
      await wreck();
      const interrupted = { request: requestFor(kept), rows: kept.rows, sequences: kept.sequences };
      const ticket = await subject.killRestore(fixture, interrupted, 'AFTER COMMIT');
      expect(await fixture.database.outcome(ticket, never)).toBe('COMMITTED');
      expect((await keep()).rows).toEqual(kept.rows);
      await fixture.database.forget(ticket, never);
      expect(namesOf(await fixture.database.describe(never))).toEqual([...ORDER].sort());
    });

    it('ends a restore that is still open when its outcome is asked', async () => {
      const kept = await keep();
      const { restore } = await restoreUntilFinish(kept);
      const ticket = await restore.ticket();
      expect(await fixture.database.outcome(ticket, never)).toBe('ROLLED_BACK');
      await expect(restore.commit()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
      await restore.rollback();
      expect((await keep()).rows).toEqual(kept.rows);
    });
  });
}
