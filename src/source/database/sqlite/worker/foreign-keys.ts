import type { ForeignKey } from '../../../source.ts';
import type { Connection } from './open-database.ts';
import { foldName } from './sql-names.ts';
import type { TableLayout } from './table-layout.ts';

interface ForeignKeyPart {
  readonly id: number;
  readonly seq: number;
  readonly table: string;
  readonly from: string;
  readonly to: string | null;
}

/**
 * The foreign keys of a table, in the order they are declared, named `fk_<id>` after SQLite's own number. Columns
 * that the declaration leaves out are the parent's primary key.
 *
 * @param findParent - the layout of a table by name; undefined when there is none
 */
export function foreignKeysOf(
  db: Connection,
  table: string,
  findParent: (name: string) => TableLayout | undefined,
): ForeignKey[] {
  const parts = db
    .prepare<[string], ForeignKeyPart>(
      'SELECT id, seq, "table", "from", "to" FROM pragma_foreign_key_list(?, \'main\') ORDER BY id DESC, seq',
    )
    .all(table);
  const keys = [...Map.groupBy(parts, (part) => part.id)];
  const deferred = deferredKeys(tableSql(db, table));
  return keys.map(([id, columns], place) => {
    const written = columns[0]?.table ?? '';
    const parent = findParent(written);
    const named = columns.flatMap((part) => (part.to === null ? [] : [part.to]));
    return {
      name: `fk_${id}`,
      columns: columns.map((part) => part.from),
      references: { schema: null, name: parent?.name ?? written },
      referencedColumns:
        named.length > 0 ? named.map((name) => ownSpelling(parent, name)) : primaryKeyOf(parent),
      deferrable: deferred[place] ?? false,
    };
  });
}

/** The columns of the primary key in its order. */
export function primaryKeyOf(layout: TableLayout | undefined): string[] {
  return (layout?.columns ?? [])
    .filter((column) => column.keyPlace > 0)
    .sort((a, b) => a.keyPlace - b.keyPlace)
    .map((column) => column.name);
}

function ownSpelling(layout: TableLayout | undefined, name: string): string {
  return layout?.columns.find((column) => foldName(column.name) === foldName(name))?.name ?? name;
}

function tableSql(db: Connection, table: string): string {
  const sql = db
    .prepare("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?")
    .pluck()
    .get(table);
  return typeof sql === 'string' ? sql : '';
}

/** For each REFERENCES of a CREATE TABLE, in order: whether it is DEFERRABLE INITIALLY DEFERRED. No PRAGMA tells. */
function deferredKeys(createTable: string): boolean[] {
  const bare = createTable.replace(
    /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/g,
    ' x ',
  );
  return bare
    .split(/\bREFERENCES\b/i)
    .slice(1)
    .map((clause) => /(?<!\bNOT\s+)\bDEFERRABLE\s+INITIALLY\s+DEFERRED\b/i.test(clause));
}
