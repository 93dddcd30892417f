/**
 * The databases that are measured, the same shape in both kinds: many narrow rows, rows of text and JSON, and rows
 * with a blob of 5 KB; an index and a foreign key, as applications have.
 */

/** Rows for each MB of database asked for: about a quarter narrow rows, half documents, a quarter blobs. */
const ROWS_PER_MB = { documents: 430, measurements: 3400, attachments: 49 } as const;

/** How many rows of each table make a database of about `megabytes`. */
function rowCounts(megabytes: number): Record<keyof typeof ROWS_PER_MB, number> {
  return {
    documents: ROWS_PER_MB.documents * megabytes,
    measurements: ROWS_PER_MB.measurements * megabytes,
    attachments: ROWS_PER_MB.attachments * megabytes,
  };
}

/** Statements that make the database, for PostgreSQL; it generates the rows itself. */
export function postgresStatements(megabytes: number): string[] {
  const { documents, measurements, attachments } = rowCounts(megabytes);
  return [
    `CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, tags jsonb NOT NULL,
       price numeric(12, 4), updated_at timestamptz NOT NULL)`,
    `INSERT INTO documents SELECT n, 'Document ' || n,
       (SELECT string_agg('word ' || md5((n * 20 + w)::text), E'\\n') FROM generate_series(1, 20) w),
       jsonb_build_object('author', md5((n % 1000)::text), 'list', jsonb_build_array(n, 'é', null), 'score', n * 1.5),
       n * 0.0001, timestamptz '2024-01-01' + n * interval '1.000001 s'
       FROM generate_series(1, ${documents}) n`,
    `CREATE TABLE measurements (id bigint PRIMARY KEY, document bigint NOT NULL REFERENCES documents,
       value double precision, flag boolean NOT NULL, taken_at timestamptz NOT NULL)`,
    `INSERT INTO measurements SELECT n, 1 + n % ${documents}, sqrt(n), n % 3 = 0,
       timestamptz '2025-01-01' + n * interval '0.1 s' FROM generate_series(1, ${measurements}) n`,
    'CREATE TABLE attachments (id bigint PRIMARY KEY, name text NOT NULL, content bytea NOT NULL)',
    `INSERT INTO attachments SELECT n, 'file ' || n,
       (SELECT string_agg(sha512((n * 80 + part)::text::bytea), '') FROM generate_series(1, 80) part)
       FROM generate_series(1, ${attachments}) n`,
    'CREATE INDEX measurements_document ON measurements (document)',
    'ANALYZE',
  ];
}

/** Statements that make the database, for SQLite. */
export function sqliteStatements(megabytes: number): string[] {
  const { documents, measurements, attachments } = rowCounts(megabytes);
  const numbers = (count: number): string =>
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})`;
  const words = Array.from({ length: 20 }, () => "'word ' || lower(hex(randomblob(16)))").join(
    ' || char(10) || ',
  );
  return [
    `CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, tags TEXT NOT NULL,
       price NUMERIC, updated_at TEXT NOT NULL)`,
    `${numbers(documents)} INSERT INTO documents SELECT n, 'Document ' || n, ${words},
       json_object('author', hex(randomblob(16)), 'list', json_array(n, 'é', NULL), 'score', n * 1.5),
       n * 0.0001, datetime('2024-01-01', n || ' seconds') FROM numbers`,
    `CREATE TABLE measurements (id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents,
       value REAL, flag INTEGER NOT NULL, taken_at TEXT NOT NULL)`,
    `${numbers(measurements)} INSERT INTO measurements SELECT n, 1 + n % ${documents}, sqrt(n), n % 3 = 0,
       datetime('2025-01-01', n || ' seconds') FROM numbers`,
    'CREATE TABLE attachments (id INTEGER PRIMARY KEY, name TEXT NOT NULL, content BLOB NOT NULL)',
    `${numbers(attachments)} INSERT INTO attachments SELECT n, 'file ' || n, randomblob(5120) FROM numbers`,
    'CREATE INDEX measurements_document ON measurements (document)',
  ];
}
