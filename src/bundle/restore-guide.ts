/** RESTORE.md: what a person does who has this file, common tools and no Holdfast. */
import type { Manifest, ManifestDatabase, ManifestTable } from './manifest.ts';

/** More tables than this are not listed one by one: manifest.json has them all. */
const MOST_LISTED = 200;

/** The text for one bundle. */
export function restoreGuide(manifest: Manifest): string {
  const { database } = manifest;
  return [
    introduction(manifest),
    FIRST_OF_ALL,
    ...(database === null
      ? []
      : [DATABASE, database.kind === 'SQLITE' ? SQLITE : POSTGRESQL, tableList(database)]),
    ...(manifest.trees.length === 0 && !manifest.envFile ? [] : [FILES]),
    '',
  ].join('\n');
}

/** Names come from the user's world: on one line and as code, they cannot pose as instructions. */
function code(text: string): string {
  return `\`${text.replaceAll(/[`\p{Cc}\p{Zl}\p{Zp}]/gu, '?')}\``;
}

function introduction(manifest: Manifest): string {
  const { database } = manifest;
  const of =
    database === null ? 'files' : `the database ${code(database.name)} (${code(database.serverVersion)})`;
  return `# How to restore this backup by hand

This is a backup of ${code(manifest.source.name)}, made by Holdfast ${manifest.tool.version} at ${manifest.createdAt}. It holds ${of}${
    database !== null && manifest.trees.length > 0 ? ' and files' : ''
  }.
If Holdfast runs, let Holdfast restore it: it checks everything and changes all or nothing. Everything below
needs only \`unzip\`, \`jq\`, \`sed\` and the database's own client.
`;
}

const FIRST_OF_ALL = `## Before anything else

1. Work on a copy of this file, and keep what you are about to overwrite.
2. \`unzip -t backup.zip\` checks that the file is whole. Every entry's SHA-256 stands in \`entries.ndjson\`:
   \`unzip -p backup.zip entries.ndjson | jq -r 'select(.sha256) | .sha256 + "  " + .entry' > SHA256SUMS\`, then
   unpack with \`unzip backup.zip -d unpacked\` and run \`cd unpacked && sha256sum -c ../SHA256SUMS\` (it names links
   too, whose sums are those of their targets' names: \`FAILED\` is expected for links).
3. \`manifest.json\` says what is inside: tables in the order in which they can be filled, columns and their types,
   sequences, trees, and what was left out and why.
`;

const DATABASE = `## The database

Each table is a JSON array, one row a line, in \`db/\`. A big table goes on in \`….part2.json\`, \`….part3.json\`; the
manifest lists the parts of each table under \`parts\`. To get the bare rows, one JSON object a line:

    unzip -p backup.zip db/TABLE.json | sed -e 's/^\\[\\]$//' -e 's/^[][]$//' -e 's/,$//' -e '/^$/d' > TABLE.rows

Use sed and not jq for this: jq before 1.7 rounds integers beyond 2^53 and long decimals.
This backup holds rows, not the tables' definitions: make the tables first, with your application's migrations.
Fill them in the order of the manifest, parents before children. Where foreign keys form a circle, drop them first
and add them again at the end.
`;

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

const FILES = `## The files

\`files/\` and \`config/\` hold one folder a tree; \`env/.env\` is the env file, if it was asked for. \`unzip\` restores them
with modes and links. Names that not every file system takes are percent-encoded (\`%20\` is a space), names that
differ only in case got \`~2\`, \`~3\`, and very long names were cut and got \`~\` and a hash. The true name of every entry, with its mode and exact time,
stands in \`entries.ndjson\` as \`path\` (bytes that are no UTF-8 as \`\\udc80\` to \`\\udcff\`). To see which names differ:

    unzip -p backup.zip entries.ndjson | jq -c 'select(.path and (.entry | endswith("/" + .path) or endswith("/" + .path + "/") | not)) | {entry, path}'

Links are restored as links. Look where they point before you let a program follow them.
`;

function tableList(database: ManifestDatabase): string {
  const listed = database.tables.slice(0, MOST_LISTED).map(tableLine);
  const more = database.tables.length - listed.length;
  return `### Tables, in the order to fill them

${listed.join('\n')}${more > 0 ? `\n- and ${more} more, see manifest.json` : ''}
`;
}

function tableLine(table: ManifestTable): string {
  const name = table.schema === null ? table.name : `${table.schema}.${table.name}`;
  return `- ${code(name)}: ${table.rowCount} rows in ${table.parts.slice(0, 3).map(code).join(', ')}${
    table.parts.length > 3 ? `, … (${table.parts.length} parts)` : ''
  }`;
}
