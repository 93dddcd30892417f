/**
 * Names of zip entries. A true name (of a table, a tree or a file) becomes a percent-encoded label that every
 * file system and every unzip takes; labels of one directory differ without regard to case. The true names are
 * data in entries.ndjson, so a label need not be decoded to get them back.
 */
import { createHash } from 'node:crypto';
import { trueBytes } from './true-path.ts';

/** Room for `~` and a counter below the 255 bytes of common file systems. */
const LONGEST_LABEL = 240;
const PLAIN = /^[A-Za-z0-9._@+=,-]*$/;
/** Windows has devices behind these names, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|$)/i;

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** One character, percent-encoded unless it is plain. */
function encodeCharacter(character: string): string {
  return PLAIN.test(character) ? character : Array.from(trueBytes(character), percent).join('');
}

/** The label of a true name; different names may share one, see {@link uniqueLabel}. */
export function label(name: string): string {
  let encoded = PLAIN.test(name) ? name : Array.from(name, encodeCharacter).join('');
  // No name of dots alone, none that ends in a dot (Windows drops it), and none of a device.
  encoded = encoded.replace(/\.$/, '%2E');
  if (DEVICE.test(encoded)) encoded = percent(encoded.charCodeAt(0)) + encoded.slice(1);
  return shorten(encoded);
}

/** Cuts a label that is too long for a file system; a hash of the whole keeps it apart from its like. */
export function shorten(encoded: string): string {
  if (encoded.length <= LONGEST_LABEL) return encoded;
  const hash = createHash('sha256').update(encoded).digest('hex').slice(0, 16);
  // Never cut within a %XX.
  return `${encoded.slice(0, 200).replace(/%.?$/, '')}~${hash}`;
}

/** Puts `~2`, `~3`, … on a label that `taken` holds in any case, before `extension`, and adds it to `taken`. */
export function uniqueLabel(plain: string, extension: string, taken: Set<string>): string {
  let unique = `${plain}${extension}`;
  // `~` is never part of an encoded name, so a suffixed label meets no natural one (long names apart).
  for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${plain}~${n}${extension}`;
  taken.add(unique.toLowerCase());
  return unique;
}

interface OpenDirectory {
  /** True name; the tree itself has none. */
  readonly name: string;
  /** Zip path with the closing slash. */
  readonly path: string;
  readonly taken: Set<string>;
}

/**
 * Hands out the names within one tree. Remembers only the directories from the root to the present one, which is
 * enough for a walk that comes depth first.
 */
export class TreeNames {
  readonly #open: OpenDirectory[];

  constructor(root: string) {
    this.#open = [{ name: '', path: `${root}/`, taken: new Set() }];
  }

  /** The zip name of a file or link. */
  file(path: string): string {
    const names = path.split('/');
    const parent = this.#enter(names.slice(0, -1));
    return parent.path + uniqueLabel(label(names.at(-1) ?? ''), '', parent.taken);
  }

  /** The zip name of a directory, ending in a slash; what comes next may lie in it. */
  directory(path: string): string {
    return this.#enter(path.split('/')).path;
  }

  #enter(names: readonly string[]): OpenDirectory {
    let depth = 0;
    while (depth < names.length && this.#open[depth + 1]?.name === names[depth]) depth++;
    this.#open.length = depth + 1;
    let present = this.#top();
    for (const name of names.slice(depth)) {
      const path = `${present.path}${uniqueLabel(label(name), '', present.taken)}/`;
      present = { name, path, taken: new Set() };
      this.#open.push(present);
    }
    return present;
  }

  #top(): OpenDirectory {
    const top = this.#open.at(-1);
    if (top === undefined) throw new Error('a tree without a root');
    return top;
  }
}
