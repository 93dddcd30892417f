/** The documents say what is true: operations, settings, scripts, phases, links and paths. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSchema, isEnumType, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { CONFIG_KEYS } from '../src/config.ts';
import { documents, operationsOf, root, sectionOf, textOf } from './docs/markdown.ts';

const schema = buildSchema(textOf('schema.graphql'));

/** The text without fenced blocks, whose brackets and paths are somebody else's. */
const prose = (path: string): string => textOf(path).replaceAll(/^```[\s\S]*?^```$/gm, '');

/** As GitHub makes them. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const withOperations = documents.filter((path) => operationsOf(textOf(path)).length > 0);

test.each(withOperations)('every GraphQL operation in %s is valid', (path) => {
  const faults = operationsOf(textOf(path)).flatMap((operation) =>
    validate(schema, parse(operation)).map((error) => `${error.message} in ${operation}`),
  );
  expect(faults).toEqual([]);
});

test('the README has operations to check', () => {
  expect(operationsOf(textOf('README.md')).length).toBeGreaterThan(7);
});

describe('docs/operations.md', () => {
  const operations = textOf('docs/operations.md');

  test('describes every setting as the program does, and no other', () => {
    const rows = sectionOf(operations, 'Settings')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    const expected = Object.entries(CONFIG_KEYS).map(([key, [fallback, meaning]]) => {
      const shown = fallback.startsWith('(') ? fallback : `\`${fallback}\``;
      return `| \`${key}\` | ${shown} | ${meaning} |`;
    });
    expect(rows).toEqual(expected);
  });

  test('names every phase', () => {
    const phases = schema.getType('PhaseName');
    if (!isEnumType(phases)) throw new Error('PhaseName is no enum');
    const missing = phases.getValues().filter(({ name }) => !operations.includes(`\`${name}\``));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

test('the README has every npm script in its table, and no other', () => {
  // package.json of this repository; its shape is known.
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const listed = [...sectionOf(textOf('README.md'), 'Commands').matchAll(/^\| `npm (?:run )?([\w-]+)/gm)];
  // `npm ci` runs it by itself.
  // npm runs these by itself.
  const { prepare: _prepare, prestart: _prestart, prebench: _prebench, ...callable } = scripts;
  expect(listed.map(([, name]) => name).sort()).toEqual(Object.keys(callable).sort());
});

test.each(documents)('every link in %s leads somewhere', (path) => {
  const dead = [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => {
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(root, linked))) return true;
      if (anchor === undefined) return false;
      return ![...textOf(linked).matchAll(/^#+ (.+)$/gm)].some(
        ([, heading = '']) => anchorOf(heading) === anchor,
      );
    });
  expect(dead).toEqual([]);
});

test.each(documents)('every path of the repository named in %s is there', (path) => {
  const named = [...prose(path).matchAll(/`((?:src|test|client|docs|prisma|bench|\.ci)\/[\w./-]*)`/g)];
  expect(named.map(([, name = '']) => name).filter((name) => !existsSync(join(root, name)))).toEqual([]);
});

test('no document names a setting of the server that does not exist', () => {
  const known = new Set([
    ...Object.keys(CONFIG_KEYS),
    'HOLDFAST_TEST_POSTGRES_URL',
    'HOLDFAST_TEST_MARIADB_URL',
    'HOLDFAST_TEST_REQUIRE_SERVERS',
    'HOLDFAST_TEST_FUZZ_SEED',
    'HOLDFAST_TEST_FUZZ_RUNS',
  ]);
  // docs/client.md speaks of the environment of programs that use the client.
  const unknown = documents
    .filter((path) => path !== 'docs/client.md')
    .flatMap((path) =>
      [...textOf(path).matchAll(/HOLDFAST_[A-Z_]+/g)]
        .filter(([name]) => !known.has(name))
        .map(([name]) => `${path}: ${name}`),
    );
  expect(unknown).toEqual([]);
});

test('ARCHITECTURE.md draws every folder of src/ that there is', () => {
  const drawn = sectionOf(textOf('ARCHITECTURE.md'), 'The rooms');
  const folders = 'cli schema server engine source bundle storage catalog events'.split(' ');
  expect(folders.filter((folder) => !drawn.includes(`  ${folder}/`))).toEqual([]);
});
