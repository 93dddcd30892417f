/** The committed migrations, as files. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** One migration of prisma/migrations. */
export interface Migration {
  /** Name of its folder: `<UTC yyyymmddhhmmss>_<what>`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the SQL, hexadecimal, as the catalog keeps it. */
  readonly checksum: string;
}

/** The `prisma` folder of this program: two levels up from the sources, three from the compiled program. */
export function prismaDirectory(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'prisma');
    if (existsSync(join(candidate, 'migrations'))) return candidate;
    if (folder === dirname(folder)) {
      throw new Error('The folder prisma/migrations is missing; Holdfast is not installed completely.');
    }
  }
}

/** Reads every migration below `directory`, oldest first. Line ends are those of the repository everywhere. */
export async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(directory, name, 'migration.sql'), 'utf8');
      const sql = text.replaceAll('\r\n', '\n');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}
