/**
 * What must hold of all entries together before anything of a bundle is given out: zip, entries.ndjson and
 * manifest tell of the same things in the same order, no name can be taken for another, none leaves its tree, and
 * none lies below a link or a file.
 */
import { hash } from 'node:crypto';
import type { BundleLimits } from './bundle.ts';
import { Fingerprints } from './fingerprints.ts';
import type { EntryRecord, Manifest } from './manifest.ts';
import { malformedBundle, unsafeNames, unsafePath, wrongContent } from './refusal.ts';
import { checkLinkTarget, checkTruePath, trueBytes } from './true-path.ts';
import type { ZipDirectory } from './zip-directory.ts';
import type { ZipEntry } from './zip-records.ts';

/** They close every bundle, in this order, and are not in entries.ndjson. */
export const OWN_ENTRIES = ['entries.ndjson', 'RESTORE.md', 'manifest.json'] as const;

/** The alphabet of encoded names; see entry-names.ts. */
const ENTRY_NAME = /^[A-Za-z0-9._@+=,%~-]+(\/[A-Za-z0-9._@+=,%~-]+)*\/?$/;
const FILE_TYPE = 0o170000;
const TYPE_OF = {
  TABLE_PART: 0o100000,
  SCHEMA: 0o100000,
  FILE: 0o100000,
  DIRECTORY: 0o040000,
  SYMLINK: 0o120000,
} as const;
/** A tree has fewer directories than entries; a list that goes to and fro between deep paths is hostile. */
const ANCESTORS_PER_ENTRY = 8;

/** A record of a part of a table. */
export type TablePart = EntryRecord & { readonly kind: 'TABLE_PART' };
/** A record of one of the two scripts of the schema. */
export type SchemaEntry = EntryRecord & { readonly kind: 'SCHEMA' };

/** What is known of a bundle's database once its entries are checked. */
export interface CheckedEntries {
  /** By the names of their entries. */
  readonly parts: ReadonlyMap<string, TablePart>;
  /** Both or none. */
  readonly scripts: ReadonlyMap<SchemaEntry['place'], SchemaEntry>;
}

/** @throws UNSAFE_PATH for a zip name that Holdfast would not have written */
export function checkEntryName(name: string): void {
  const inside = name.split('/').every((segment) => segment !== '.' && segment !== '..');
  if (!inside) throw unsafePath(name, 'leaves its directory');
  if (!ENTRY_NAME.test(name)) throw unsafePath(name, 'is absolute or holds characters that are not allowed');
}

/** What tools make of the zip's link must be what the record says; the entry itself is held to its hash. */
function checkLink(link: EntryRecord & { readonly kind: 'SYMLINK' }): void {
  checkLinkTarget(link.path, link.target);
  const target = trueBytes(link.target);
  if (link.size !== target.length || link.sha256 !== hash('sha256', target)) {
    throw wrongContent(link.entry, 'is a link with two targets');
  }
}

/** Goes through all entries once, in the order of the zip. */
export class EntryCheck {
  readonly #manifest: Manifest;
  readonly #zip: Iterator<ZipEntry, void>;
  readonly #limits: BundleLimits;
  readonly #names = new Fingerprints();
  readonly #paths = new Fingerprints();
  readonly #leaves = new Fingerprints();
  readonly #ancestors = new Fingerprints();
  #lastParent: readonly string[] = [];
  readonly #trees: ReadonlySet<string>;
  readonly #partsToCome: Map<
    string,
    { readonly schema: string | null; readonly table: string; readonly part: number }
  >;
  readonly #parts = new Map<string, TablePart>();
  readonly #scriptsToCome = new Map<string, SchemaEntry['place']>();
  readonly #scripts = new Map<SchemaEntry['place'], SchemaEntry>();

  constructor(manifest: Manifest, directory: Pick<ZipDirectory, 'entries'>, limits: BundleLimits) {
    this.#manifest = manifest;
    this.#zip = directory.entries();
    this.#limits = limits;
    this.#trees = new Set(manifest.trees.map((tree) => `${tree.area}/${tree.name}`));
    this.#partsToCome = new Map();
    for (const { schema, name, parts } of manifest.database?.tables ?? []) {
      for (const [index, entry] of parts.entries()) {
        if (this.#partsToCome.has(entry)) throw malformedBundle(`its manifest names ${entry} twice`);
        this.#partsToCome.set(entry, { schema, table: name, part: index + 1 });
      }
    }
    const scripts = manifest.database?.schema;
    if (scripts === undefined || scripts === null) return;
    if (scripts.before === scripts.after) throw malformedBundle(`its manifest names ${scripts.after} twice`);
    this.#scriptsToCome.set(scripts.before, 'BEFORE').set(scripts.after, 'AFTER');
  }

  /** Takes the next record of entries.ndjson. */
  take(record: EntryRecord): void {
    const zip = this.#nextZipEntry(record.entry);
    if (
      (zip.mode & FILE_TYPE) !== TYPE_OF[record.kind] ||
      zip.name.endsWith('/') !== (record.kind === 'DIRECTORY')
    ) {
      throw malformedBundle(`${record.entry} is not the kind of entry that entries.ndjson says`);
    }
    const size = record.kind === 'DIRECTORY' ? 0 : record.size;
    if (zip.size !== size) throw wrongContent(record.entry, `has ${zip.size} bytes instead of ${size}`);
    if (record.kind === 'TABLE_PART') this.#takePart(record);
    else if (record.kind === 'SCHEMA') this.#takeScript(record);
    else this.#takeFile(record);
  }

  /** To be called after the last record. */
  finish(): CheckedEntries {
    for (const name of OWN_ENTRIES) {
      if ((this.#nextZipEntry(name).mode & FILE_TYPE) !== TYPE_OF.FILE) {
        throw malformedBundle(`${name} is no regular file`);
      }
    }
    if (this.#zip.next().done !== true) throw malformedBundle('it holds an entry after its manifest');
    for (const [entry] of [...this.#partsToCome, ...this.#scriptsToCome])
      throw malformedBundle(`${entry} of its manifest is missing`);
    if (this.#names.hasDuplicate()) throw unsafeNames('two entries have names that differ in case at most');
    if (this.#paths.hasDuplicate()) throw malformedBundle('it holds a file twice');
    if (this.#leaves.meets(this.#ancestors)) {
      throw unsafeNames('an entry lies below a link or a file of the same bundle');
    }
    this.#checkTables();
    return { parts: this.#parts, scripts: this.#scripts };
  }

  #nextZipEntry(expected: string): ZipEntry {
    const next = this.#zip.next();
    if (next.done === true) throw malformedBundle(`${expected} is missing`);
    const { name } = next.value;
    checkEntryName(name);
    this.#names.add(name.replace(/\/$/, '').toLowerCase());
    if (name !== expected) throw malformedBundle(`it holds ${name} where ${expected} should be`);
    return next.value;
  }

  #takePart(record: TablePart): void {
    const expected = this.#partsToCome.get(record.entry);
    const known =
      record.entry.startsWith('db/') &&
      expected?.schema === record.schema &&
      expected.table === record.table &&
      expected.part === record.part;
    if (!known) throw malformedBundle(`${record.entry} is no part of a table of its manifest`);
    this.#partsToCome.delete(record.entry);
    this.#parts.set(record.entry, record);
  }

  #takeScript(record: SchemaEntry): void {
    const known = record.entry.startsWith('db/') && this.#scriptsToCome.get(record.entry) === record.place;
    if (!known) throw malformedBundle(`${record.entry} is no script of its manifest`);
    const { schemaBytes } = this.#limits;
    if (record.size > schemaBytes) {
      throw malformedBundle(`${record.entry} has ${record.size} bytes; the limit is ${schemaBytes}`);
    }
    this.#scriptsToCome.delete(record.entry);
    this.#scripts.set(record.place, record);
  }

  #takeFile(record: Exclude<EntryRecord, TablePart | SchemaEntry>): void {
    const { area, tree, path } = record;
    checkTruePath(path);
    if (record.kind === 'SYMLINK') checkLink(record);
    const known =
      record.entry.startsWith(`${area}/`) &&
      (area === 'env'
        ? this.#manifest.envFile && record.kind === 'FILE'
        : this.#trees.has(`${area}/${tree}`));
    if (!known) throw malformedBundle(`${record.entry} belongs to nothing in its manifest`);
    const root = `${area}\0${tree}\0`;
    this.#paths.add(root + path);
    if (record.kind !== 'DIRECTORY') this.#leaves.add(root + path);
    this.#addAncestors(root, path);
  }

  /** Adds the directories above a path, but for those that the entry before was in as well. */
  #addAncestors(root: string, path: string): void {
    const parent = [root, ...path.split('/').slice(0, -1)];
    let same = 0;
    while (same < parent.length && parent[same] === this.#lastParent[same]) same++;
    for (let depth = Math.max(same, 1); depth < parent.length; depth++) {
      this.#ancestors.add(root + parent.slice(1, depth + 1).join('/'));
    }
    this.#lastParent = parent;
    if (this.#ancestors.count > ANCESTORS_PER_ENTRY * this.#limits.entries) {
      throw malformedBundle('its files are not listed directory by directory');
    }
  }

  #checkTables(): void {
    for (const table of this.#manifest.database?.tables ?? []) {
      const parts = table.parts.flatMap((entry) => this.#parts.get(entry) ?? []);
      const rows = parts.reduce((sum, part) => sum + part.rows, 0);
      const bytes = parts.reduce((sum, part) => sum + part.size, 0);
      if (rows !== table.rowCount || bytes !== table.bytes) {
        throw wrongContent(table.parts.join(', '), `holds ${rows} rows instead of ${table.rowCount}`);
      }
    }
  }
}
