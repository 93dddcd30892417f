/** JSON in the one form that is signed: RFC 8785 (JSON Canonicalization Scheme). */

/** What JSON can hold. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The canonical text of a value: no white space, members sorted by the UTF-16 units of their names; numbers and
 * strings as ECMAScript writes them, which is what the RFC asks for. A lone surrogate, which the RFC leaves out,
 * stands as `\udXXX`.
 */
export function canonicalJson(value: unknown): Buffer {
  // What came out of JSON, or goes into it, is JSON; stringify refuses the rest.
  return Buffer.from(canonical(JSON.parse(JSON.stringify(value)) as Json));
}

function canonical(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

/** Array.isArray does not tell a readonly array from other objects. */
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
