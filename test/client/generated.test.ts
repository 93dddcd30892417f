import { readFile } from 'node:fs/promises';
import { generate } from '@graphql-codegen/cli';
import { expect, test } from 'vitest';
import config from '../../codegen.ts';

test('the generated client is what schema.graphql and the operations give (else: npm run codegen)', async () => {
  const files = await generate({ ...config, silent: true }, false);
  expect(files.length).toBeGreaterThan(0);
  for (const { filename, content } of files) {
    expect(await readFile(filename, 'utf8')).toBe(content);
  }
});
