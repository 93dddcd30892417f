/** The version of this program, as its package.json has it; written into every manifest. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { z } from 'zod';

function readVersion(): string {
  // Looked up rather than imported: the way to package.json differs between src/ and dist/.
  const path = findPackageJSON(import.meta.url);
  if (path === undefined) throw new Error('package.json of Holdfast is missing');
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(path, 'utf8'))).version;
}

/** E.g. `0.1.0`. */
export const TOOL_VERSION: string = readVersion();
