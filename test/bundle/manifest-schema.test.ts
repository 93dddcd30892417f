import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { manifestJsonSchema } from './manifest-json-schema.ts';

test('docs/manifest.schema.json says what the program checks', async () => {
  const documented = await readFile(new URL('../../docs/manifest.schema.json', import.meta.url), 'utf8');
  expect(
    JSON.parse(documented),
    'stale: node test/bundle/manifest-json-schema.ts > docs/manifest.schema.json && npx biome format --write docs',
  ).toEqual(manifestJsonSchema());
});
