/** The names of all entries of one bundle, handed out as they are added. */
import { HoldfastError } from '../errors.ts';
import type { BundleFile, TreeArea } from './bundle.ts';
import { label, shorten, TreeNames, uniqueLabel } from './entry-names.ts';
import type { ManifestTable } from './manifest.ts';

/** The schema that file names of tables do not mention. */
const DEFAULT_SCHEMA = 'public';

/** Remembers what is taken: a name for each table, part and tree, but not for each file. */
export class BundleEntryNames {
  readonly #tableLabels = new Set<string>();
  readonly #trees = new Map<string, TreeNames>();
  readonly #treeLabels = { files: new Set<string>(), config: new Set<string>() };
  readonly #envLabels = new Set<string>();

  /** @param part from 1 */
  tablePart(table: Pick<ManifestTable, 'schema' | 'name'>, part: number): string {
    const { schema, name } = table;
    const inDefaultSchema = schema === null || schema === DEFAULT_SCHEMA;
    const plain = inDefaultSchema ? label(name) : `${label(schema)}.${label(name)}`;
    const numbered = part === 1 ? '' : `.part${part}`;
    return `db/${uniqueLabel(`${shorten(plain)}${numbered}`, '.json', this.#tableLabels)}`;
  }

  /** @throws INVALID_INPUT for an env file that is no regular file */
  file(file: BundleFile): string {
    if (file.area === 'env') {
      if (file.kind !== 'FILE') throw new HoldfastError('INVALID_INPUT', 'The env file is no regular file.');
      return `env/${uniqueLabel('.env', '', this.#envLabels)}`;
    }
    const names = this.#treeNames(file.area, file.tree);
    return file.kind === 'DIRECTORY' ? names.directory(file.path) : names.file(file.path);
  }

  #treeNames(area: TreeArea, tree: string): TreeNames {
    const key = `${area}/${tree}`;
    let names = this.#trees.get(key);
    if (names === undefined) {
      names = new TreeNames(`${area}/${uniqueLabel(label(tree), '', this.#treeLabels[area])}`);
      this.#trees.set(key, names);
    }
    return names;
  }
}
