/** Statements that are only run where they can be. */
import type { Making } from './schema-object.ts';

/** The schema public belongs to the server in older versions. */
export const OWNS_PUBLIC = `(SELECT pg_catalog.pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = 'public')`;

/** A statement that does nothing where a condition does not hold. */
export function where(condition: string, sql: string): Making {
  const text = `BEGIN IF ${condition} THEN\n${sql};\nEND IF; END`;
  let tag = 'holdfast';
  while (text.includes(`$${tag}$`)) tag += '_';
  return { sql: `DO $${tag}$ ${text} $${tag}$`, compound: true };
}
