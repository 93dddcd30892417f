/**
 * The databases that are measured, the same shape in every kind: many narrow rows, rows of text and JSON, rows with a
 * blob of 5 KB, and rows of arrays; an index and a foreign key, as applications have. 1,400 MB are about five million
 * narrow rows, half a million of text and JSON, 40,000 blobs and 200,000 rows of arrays. The databases make the rows
 * themselves.
 */

/** Rows for each MB of database asked for. */
const ROWS_PER_MB = { documents: 350, measurements: 3500, attachments: 28, vectors: 140 } as const;
/** Words of a document, and numbers of a vector. */
const WORDS = 20;
const NUMBERS = 60;

/** How many rows of each table make a database of about `megabytes`. */
function rowCounts(megabytes: number): Record<keyof typeof ROWS_PER_MB, number> {
  return {
    documents: ROWS_PER_MB.documents * megabytes,
    measurements: ROWS_PER_MB.measurements * megabytes,
    attachments: ROWS_PER_MB.attachments * megabytes,
    vectors: ROWS_PER_MB.vectors * megabytes,
  };
}

/** Statements that make the database, for PostgreSQL. */
export function postgresStatements(megabytes: number): string[] {
  const { documents, measurements, attachments, vectors } = rowCounts(megabytes);
  return [
    `CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, tags jsonb NOT NULL,
       price numeric(12, 4), updated_at timestamptz NOT NULL)`,
    `INSERT INTO documents SELECT n, 'Document ' || n,
       (SELECT string_agg('word ' || md5((n * 20 + w)::text), E'\\n') FROM generate_series(1, ${WORDS}) w),
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
    `CREATE TABLE vectors (id bigint PRIMARY KEY, counts integer[] NOT NULL, amounts numeric[] NOT NULL,
       labels text[] NOT NULL)`,
    `INSERT INTO vectors SELECT n,
       (SELECT array_agg((n::bigint * w * 7919 % 1000003)::integer) FROM generate_series(1, ${NUMBERS}) w),
       (SELECT array_agg(round((n * w)::numeric / 997, 4)) FROM generate_series(1, 20) w),
       ARRAY['red', md5(n::text), NULL, 'with "quotes", commas']
       FROM generate_series(1, ${vectors}) n`,
    'CREATE INDEX measurements_document ON measurements (document)',
  ];
}

/** Statements that make the database, for SQLite; arrays are JSON there. */
export function sqliteStatements(megabytes: number): string[] {
  const { documents, measurements, attachments, vectors } = rowCounts(megabytes);
  const numbers = (count: number): string =>
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})`;
  const words = repeated(WORDS, () => "'word ' || lower(hex(randomblob(16)))").join(' || char(10) || ');
  const list = repeated(NUMBERS, (w) => `(n * ${w * 7919}) % 1000003`).join(', ');
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
    'CREATE TABLE vectors (id INTEGER PRIMARY KEY, counts TEXT NOT NULL, labels TEXT NOT NULL)',
    `${numbers(vectors)} INSERT INTO vectors SELECT n, json_array(${list}),
       json_array('red', hex(randomblob(16)), NULL, 'with "quotes", commas') FROM numbers`,
    'CREATE INDEX measurements_document ON measurements (document)',
  ];
}

/** Statements that make the database, for MariaDB; arrays are JSON there. */
export function mariadbStatements(megabytes: number): string[] {
  const { documents, measurements, attachments, vectors } = rowCounts(megabytes);
  const words = repeated(WORDS, (w) => `concat('word ', md5(seq * 20 + ${w}))`).join(', ');
  const blob = repeated(80, (part) => `unhex(sha2(seq * 80 + ${part}, 512))`).join(', ');
  const list = repeated(NUMBERS, (w) => `(seq * ${w * 7919}) % 1000003`).join(', ');
  return [
    `CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, tags json NOT NULL,
       price decimal(12, 4), updated_at datetime(6) NOT NULL)`,
    `INSERT INTO documents SELECT seq, concat('Document ', seq), concat_ws('\\n', ${words}),
       json_object('author', md5(seq % 1000), 'list', json_array(seq, 'é', NULL), 'score', seq * 1.5),
       seq * 0.0001, timestamp '2024-01-01 00:00:00' + INTERVAL seq * 1.000001 SECOND FROM seq_1_to_${documents}`,
    `CREATE TABLE measurements (id bigint PRIMARY KEY, document bigint NOT NULL, value double, flag boolean NOT NULL,
       taken_at datetime(6) NOT NULL)`,
    `INSERT INTO measurements SELECT seq, 1 + seq % ${documents}, sqrt(seq), seq % 3 = 0,
       timestamp '2025-01-01 00:00:00' + INTERVAL seq * 0.1 SECOND FROM seq_1_to_${measurements}`,
    'CREATE TABLE attachments (id bigint PRIMARY KEY, name text NOT NULL, content blob NOT NULL)',
    `INSERT INTO attachments SELECT seq, concat('file ', seq), concat(${blob}) FROM seq_1_to_${attachments}`,
    'CREATE TABLE vectors (id bigint PRIMARY KEY, counts json NOT NULL, labels json NOT NULL)',
    `INSERT INTO vectors SELECT seq, json_array(${list}),
       json_array('red', md5(seq), NULL, 'with "quotes", commas') FROM seq_1_to_${vectors}`,
    `ALTER TABLE measurements ADD KEY measurements_document (document),
       ADD CONSTRAINT measurements_of FOREIGN KEY (document) REFERENCES documents (id)`,
  ];
}

function repeated(count: number, term: (n: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => term(index + 1));
}
