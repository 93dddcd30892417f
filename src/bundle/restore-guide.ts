/** RESTORE.md: what a person does who has this file, common tools and no Holdfast. */
import type { Manifest, ManifestDatabase, ManifestTable } from './manifest.ts';
import { databaseGuide } from './restore-guide-database.ts';
import { OPENED_FILE, sealedGuide } from './restore-guide-sealed.ts';

/** More tables than this are not listed one by one: manifest.json has them all. */
const MOST_LISTED = 200;

/** The text for one bundle. */
export function restoreGuide(manifest: Manifest): string {
  const { database, encryption } = manifest;
  const file = encryption.mode === 'NONE' ? 'backup.zip' : OPENED_FILE;
  const tools = manifest.compression === 'ZSTD' ? zstdTools(file) : deflateTools(file);
  return [
    introduction(manifest, tools),
    ...sealedGuide(encryption),
    firstOfAll(tools),
    ...(database === null ? [] : [...databaseGuide(database, tools.print), tableList(database)]),
    ...(manifest.trees.length === 0 && !manifest.envFile ? [] : [filesGuide(tools)]),
    '',
  ].join('\n');
}

/** The commands that read this bundle. */
interface Tools {
  readonly names: string;
  readonly check: string;
  readonly unpack: string;
  /** Prints an entry. */
  readonly print: string;
  readonly note: string;
}

function deflateTools(file: string): Tools {
  return {
    names: '`unzip`, `jq`, `sed`',
    check: `unzip -t ${file}`,
    unpack: `unzip ${file} -d unpacked`,
    print: `unzip -p ${file}`,
    note: '',
  };
}

function zstdTools(file: string): Tools {
  return {
    names: '`bsdtar` (libarchive 3.6 or later) or `7z` (7-Zip 24 or later), `jq`, `sed`',
    check: `bsdtar -xOf ${file} > /dev/null`,
    unpack: `mkdir unpacked && bsdtar -xpf ${file} -C unpacked`,
    print: `bsdtar -xOf ${file}`,
    note: `
The content of this backup is compressed with Zstandard (zip's method 93), which \`unzip\` and Python before 3.14 do
not know: they read this text, \`manifest.json\` and \`entries.ndjson\` only. \`bsdtar\` comes with libarchive
(\`apt install libarchive-tools\`; part of macOS and Windows); \`7z x -so ${file} NAME\` prints an entry as well.
`,
  };
}

/** Names come from the user's world: on one line and as code, they cannot pose as instructions. */
function code(text: string): string {
  return `\`${text.replaceAll(/[`\p{Cc}\p{Zl}\p{Zp}]/gu, '?')}\``;
}

function introduction(manifest: Manifest, tools: Tools): string {
  const { database } = manifest;
  const of =
    database === null ? 'files' : `the database ${code(database.name)} (${code(database.serverVersion)})`;
  return `# How to restore this backup by hand

This is a backup of ${code(manifest.source.name)}, made by Holdfast ${manifest.tool.version} at ${manifest.createdAt}. It holds ${of}${
    database !== null && manifest.trees.length > 0 ? ' and files' : ''
  }.
If Holdfast runs, let Holdfast restore it: it checks everything and changes all or nothing. Everything below
needs only ${tools.names} and the database's own client.
${tools.note}`;
}

function firstOfAll(tools: Tools): string {
  return `## Before anything else

1. Work on a copy of this file, and keep what you are about to overwrite.
2. \`${tools.check}\` checks that the file is whole. Every entry's SHA-256 stands in \`entries.ndjson\`:
   \`${tools.print} entries.ndjson | jq -r 'select(.sha256) | .sha256 + "  " + .entry' > SHA256SUMS\`, then
   unpack with \`${tools.unpack}\` and run \`cd unpacked && sha256sum -c ../SHA256SUMS\` (it names links
   too, whose sums are those of their targets' names: \`FAILED\` is expected for links).
3. \`manifest.json\` says what is inside: tables in the order in which they can be filled, columns and their types,
   sequences, trees, and what was left out and why.
`;
}

function filesGuide(tools: Tools): string {
  return `## The files

\`files/\` and \`config/\` hold one folder a tree; \`env/.env\` is the env file, if it was asked for. \`${tools.unpack}\`
restores them with modes and links. Names that not every file system takes are percent-encoded (\`%20\` is a space), names that
differ only in case got \`~2\`, \`~3\`, and very long names were cut and got \`~\` and a hash. The true name of every entry, with its mode and exact time,
stands in \`entries.ndjson\` as \`path\` (bytes that are no UTF-8 as \`\\udc80\` to \`\\udcff\`). To see which names differ:

    ${tools.print} entries.ndjson | jq -c 'select(.path and (.entry | endswith("/" + .path) or endswith("/" + .path + "/") | not)) | {entry, path}'

Links are restored as links. Look where they point before you let a program follow them.
`;
}

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
