/** Sets of names for questions about all entries of a bundle at once, at eight bytes a name. */
import { hash } from 'node:crypto';

/** 64 bits of SHA-256: among a million names two share them by chance once in forty million bundles. */
function fingerprint(name: string): bigint {
  // As UTF-16, since UTF-8 would make all lone surrogates one.
  return hash('sha256', Buffer.from(name, 'utf16le'), 'buffer').readBigUInt64LE(0);
}

/** Collects names, then answers. */
export class Fingerprints {
  #values = new BigUint64Array(1024);
  #count = 0;

  /** How many names were added. */
  get count(): number {
    return this.#count;
  }

  add(name: string): void {
    if (this.#count === this.#values.length) {
      const grown = new BigUint64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = fingerprint(name);
  }

  /** Whether a name was added twice. */
  hasDuplicate(): boolean {
    const sorted = this.#sorted();
    for (let index = 1; index < sorted.length; index++) if (sorted[index] === sorted[index - 1]) return true;
    return false;
  }

  /** Whether a name stands in both. */
  meets(other: Fingerprints): boolean {
    const [a, b] = [this.#sorted(), other.#sorted()];
    for (let i = 0, j = 0; i < a.length && j < b.length; ) {
      const [left, right] = [a[i] ?? 0n, b[j] ?? 0n];
      if (left === right) return true;
      if (left < right) i++;
      else j++;
    }
    return false;
  }

  #sorted(): BigUint64Array {
    return this.#values.subarray(0, this.#count).sort();
  }
}
