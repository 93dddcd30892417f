/** Names in the labels of objects: plain where they can be, quoted where two objects might read the same. */

/** A name of several parts, e.g. `public.film`. */
export function readable(...parts: readonly string[]): string {
  return parts.map((part) => (/^[^." ]+$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.');
}

/** The same as an SQL expression, of columns of type name. */
export function labelName(...columns: readonly string[]): string {
  return columns
    .map(
      (column) =>
        `CASE WHEN ${column} ~ '^[^." ]+$' THEN ${column}::text ELSE '"' || pg_catalog.replace(${column}::text, '"', '""') || '"' END`,
    )
    .map((part) => `(${part})`)
    .join(` || '.' || `);
}
