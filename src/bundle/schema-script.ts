/**
 * DDL as text that the database's own client runs, and back. Before each statement stands a comment line with a
 * JSON header; the reader cuts statements out by the length in it and never looks for their end, so that no
 * statement can be taken for two, whatever is in it.
 */
import { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import type { BundledStatement } from './bundle.ts';
import type { ManifestDatabase } from './manifest.ts';
import { malformedBundle } from './refusal.ts';

const TITLE = Buffer.from(
  '-- A script of a Holdfast bundle. The comment before a statement tells what it makes and its bytes.\n',
);
const HEADER_START = Buffer.from('-- {');
const COMMENT_START = '-- ';
const NEWLINE = 0x0a;
/** Names have 64 characters at most, some twenty of them in a chain, and JSON may escape each; SQLite alone sets no limit. */
const LONGEST_HEADER = 64 * 1024;
/** On a line of its own, since the statement may end in a comment. */
const STATEMENT_END = '\n;\n\n';

const headerSchema = z.strictObject({
  object: z.string(),
  bytes: z.int().positive(),
  compound: z.literal(true).optional(),
  /** Of the client, around this statement alone; only the mariadb client knows such a thing. */
  delimiter: z
    .string()
    .regex(/^[;/$0-9]{2,24}$/)
    .optional(),
});
type Header = z.infer<typeof headerSchema>;

/** The text around a statement. */
function frame({ delimiter }: Header): { readonly before: string; readonly after: string } {
  return delimiter === undefined
    ? { before: '', after: STATEMENT_END }
    : { before: `DELIMITER ${delimiter}\n`, after: `\n${delimiter}\nDELIMITER ;\n\n` };
}

/** One that the statement does not hold. */
function delimiterFor(sql: string): string {
  let delimiter = ';;';
  for (let n = 0; sql.includes(delimiter); n++) delimiter = `$${n}$`;
  return delimiter;
}

function checkStatement({ object, sql }: BundledStatement): void {
  const why =
    sql === ''
      ? 'is empty'
      : sql.includes('\0')
        ? 'holds a NUL'
        : sql.isWellFormed() && object.isWellFormed()
          ? undefined
          : 'is not well-formed Unicode';
  if (why === undefined) return;
  throw new HoldfastError('INVALID_INPUT', `The definition of ${JSON.stringify(object)} ${why}.`, {
    hint: 'Mend the object in the database, then try again.',
  });
}

/** SQLite sets no limit; a reader has one. */
function nameTooLong(object: string): HoldfastError {
  return new HoldfastError(
    'INVALID_INPUT',
    `The name of ${JSON.stringify(object.slice(0, 80))}… is too long for a bundle.`,
    { hint: 'Rename it in the database, then try again.' },
  );
}

/**
 * The text of a script.
 * @param kind of the database: the mariadb client has to be told where a compound statement ends
 * @throws INVALID_INPUT when a statement is empty or holds what no client takes, or a name is too long for a reader
 */
export function writeSchemaScript(
  statements: readonly BundledStatement[],
  kind: ManifestDatabase['kind'] | undefined,
): Buffer {
  const pieces = [TITLE];
  for (const statement of statements) {
    checkStatement(statement);
    const sql = Buffer.from(statement.sql);
    const compound = statement.compound === true;
    const header: Header = {
      object: statement.object,
      bytes: sql.length,
      ...(compound ? { compound } : {}),
      ...(compound && kind === 'MARIADB' ? { delimiter: delimiterFor(statement.sql) } : {}),
    };
    const { before, after } = frame(header);
    // JSON escapes every line end that a client knows, so no name leaves the comment.
    const headerLine = Buffer.from(`${COMMENT_START}${JSON.stringify(header)}\n`);
    if (headerLine.length > LONGEST_HEADER) throw nameTooLong(statement.object);
    pieces.push(headerLine, Buffer.from(before), sql, Buffer.from(after));
  }
  return Buffer.concat(pieces);
}

/**
 * The statements of a script.
 * @throws INVALID_MANIFEST when it is not exactly what {@link writeSchemaScript} writes
 */
export function readSchemaScript(script: Buffer, entry: string): BundledStatement[] {
  const malformed = (what: string, cause?: unknown) => malformedBundle(`${entry} ${what}`, cause);
  const statements: BundledStatement[] = [];
  let at = 0;
  const skip = (expected: Buffer): void => {
    if (!script.subarray(at, at + expected.length).equals(expected)) {
      throw malformed(`is no script of a bundle at byte ${at}`);
    }
    at += expected.length;
  };
  const header = (): Header => {
    const end = script.subarray(at, at + LONGEST_HEADER).indexOf(NEWLINE);
    if (end < 0 || !script.subarray(at, at + HEADER_START.length).equals(HEADER_START)) {
      throw malformed(`has no header at byte ${at}`);
    }
    try {
      const parsed = headerSchema.parse(
        JSON.parse(script.toString('utf8', at + COMMENT_START.length, at + end)),
      );
      at += end + 1;
      return parsed;
    } catch (error) {
      throw malformed(`has a malformed header at byte ${at}`, error);
    }
  };
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const text = (bytes: number): string => {
    if (at + bytes > script.length) throw malformed('is shorter than its headers say');
    const piece = script.subarray(at, at + bytes);
    at += bytes;
    if (piece.includes(0)) throw malformed('holds a NUL');
    try {
      return utf8.decode(piece);
    } catch (error) {
      throw malformed('is no UTF-8', error);
    }
  };
  skip(TITLE);
  while (at < script.length) {
    const statement = header();
    const { before, after } = frame(statement);
    skip(Buffer.from(before));
    const sql = text(statement.bytes);
    skip(Buffer.from(after));
    const { object, compound } = statement;
    statements.push({ object, sql, ...(compound ? { compound } : {}) });
  }
  return statements;
}
