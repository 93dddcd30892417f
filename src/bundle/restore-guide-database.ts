/** How rows and structure of each kind of database come back by hand: a part of RESTORE.md. */
import type { ManifestDatabase } from './manifest.ts';

/**
 * The sections about the database.
 * @param print the command that prints an entry of the bundle, e.g. `unzip -p backup.zip`
 */
export function databaseGuide(database: ManifestDatabase, print: string): string[] {
  const { kind, schema } = database;
  const structure = schema === null ? WITHOUT_STRUCTURE : structureGuide(kind, print);
  return [rowsGuide(print), structure, LOADING[kind]];
}

function rowsGuide(print: string): string {
  return `## The database

Each table is a JSON array, one row a line, in \`db/\`. A big table goes on in \`….part2.json\`, \`….part3.json\`; the
manifest lists the parts of each table under \`parts\`. To get the bare rows, one JSON object a line:

    ${print} db/TABLE.json | sed -e 's/^\\[\\]$//' -e 's/^[][]$//' -e 's/,$//' -e '/^$/d' > TABLE.rows

Use sed and not jq for this: jq before 1.7 rounds integers beyond 2^53 and long decimals.
`;
}

const WITHOUT_STRUCTURE = `This backup holds rows, not the tables' definitions: make the tables first, with your application's migrations.
Fill them in the order of the manifest, parents before children. Where foreign keys form a circle, drop them first
and add them again at the end.
`;

const CLIENT: Readonly<Record<ManifestDatabase['kind'], string>> = {
  POSTGRESQL: "PGOPTIONS='-c check_function_bodies=off' psql -X -v ON_ERROR_STOP=1 -d NEW_DATABASE -f",
  SQLITE: 'sqlite3 -bail NEW.db <',
  MARIADB: "mariadb --default-character-set=utf8mb4 --init-command='SET foreign_key_checks=0' NEW_DATABASE <",
};

function structureGuide(kind: ManifestDatabase['kind'], print: string): string {
  return `The structure stands in two scripts, for an **empty** database: \`db/schema.sql\` makes what rows need,
\`db/schema-after.sql\` the rest (indexes, foreign keys, views, triggers). What they could not carry is listed in the manifest
under \`database.schema.notCarried\`. They are programs that run with all your rights: read them first, unless this
backup comes from your own Holdfast.

    ${print} db/schema.sql > schema.sql
    ${print} db/schema-after.sql > schema-after.sql
    ${CLIENT[kind]} schema.sql

Fill the tables as below, then:

    ${CLIENT[kind]} schema-after.sql
`;
}

const POSTGRESQL = `### PostgreSQL

Numbers and booleans are JSON's own, NULL is null. Every other value is a JSON string that holds PostgreSQL's own
text form (\`bytea\` as \`\\x…\` hexadecimal, arrays as \`{…}\`, \`json\` and \`jsonb\` as their text, NaN and Infinity as
words), so each goes back through its type's input. With a TABLE.rows from above, in \`psql\`, for a table with the
columns id, name and payload of the types integer, text and jsonb (names and types are in the manifest):

    BEGIN;
    CREATE TEMP TABLE bundle_rows (line json);
    \\copy bundle_rows FROM 'TABLE.rows' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
    INSERT INTO public.my_table (id, name, payload) OVERRIDING SYSTEM VALUE
      SELECT (line->>'id')::integer, (line->>'name')::text, (line->>'payload')::jsonb FROM bundle_rows;
    COMMIT;

Afterwards set each sequence to its value in the manifest, or the next INSERT of your application fails:

    SELECT setval('public.my_table_id_seq', LASTVALUE, ISCALLED);
`;

const SQLITE = `### SQLite

Numbers are JSON's own, NULL is null, text is a string, a blob is \`{"$blob":"<hexadecimal>"}\`, and text that is no
valid UTF-8 or holds a NUL is \`{"$text":"<hexadecimal>"}\`. 9e999 and -9e999 are the infinities. With TABLE.json
unpacked, in \`sqlite3\` (3.41 or later for blobs, which need unhex), for a table with the columns id, name and photo:

    PRAGMA foreign_keys = OFF;
    BEGIN;
    INSERT INTO my_table (id, name, photo)
      SELECT value->>'$.id', value->>'$.name',
             CASE json_type(value, '$.photo') WHEN 'object' THEN unhex(value->>'$.photo."$blob"') ELSE value->>'$.photo' END
      FROM json_each(readfile('TABLE.json'));
    COMMIT;
    PRAGMA foreign_key_check;

Afterwards set the AUTOINCREMENT counters in \`sqlite_sequence\` to the \`sequences\` of the manifest.
`;

const MARIADB = `### MariaDB

Numbers are JSON's own, NULL is null, text, times and JSON are strings, bytes, bits and geometry are strings of
hexadecimal digits, and text that Unicode cannot hold is \`{"$hex":"<hexadecimal>"}\`. With a TABLE.rows from above,
in \`mariadb --local-infile NEW_DATABASE\`, for a table with the columns id, name and photo, of which photo is a blob:

    SET NAMES utf8mb4;
    SET foreign_key_checks = 0, time_zone = '+00:00', sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
    CREATE TEMPORARY TABLE bundle_rows (line LONGTEXT CHARACTER SET utf8mb4);
    LOAD DATA LOCAL INFILE 'TABLE.rows' INTO TABLE bundle_rows CHARACTER SET utf8mb4
      FIELDS TERMINATED BY X'01' ESCAPED BY '' LINES TERMINATED BY '\\n';
    INSERT INTO my_table (id, name, photo)
      SELECT JSON_VALUE(line, '$.id'), JSON_VALUE(line, '$.name'), UNHEX(JSON_VALUE(line, '$.photo')) FROM bundle_rows;
    DROP TEMPORARY TABLE bundle_rows;

(MySQL's JSON_VALUE gives 512 characters unless it is told \`RETURNING CHAR(…)\`.) Afterwards set each counter to its
value in the manifest, plus one where \`isCalled\` is true:

    ALTER TABLE my_table AUTO_INCREMENT = LASTVALUE;
`;

const LOADING: Readonly<Record<ManifestDatabase['kind'], string>> = { POSTGRESQL, SQLITE, MARIADB };
