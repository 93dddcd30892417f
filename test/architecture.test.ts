/** The direction of imports (ARCHITECTURE.md, "Which way imports point"); the rules are in architecture/rules.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkImports, type DeclaredPackages, type SourceTree } from './architecture/check-imports.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Every TypeScript file but the generated ones, which nobody writes by hand. */
function readTree(): Map<string, string> {
  const paths = ['src', 'client', 'test', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  );
  return new Map(
    paths
      .filter((path) => /\.tsx?$/.test(path) && !/^src\/\w+\/generated\//.test(path))
      .sort()
      .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
  );
}

function readDeclared(): DeclaredPackages {
  // package.json of this repository; its shape is known.
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  return { dependencies: Object.keys(dependencies), devDependencies: Object.keys(devDependencies) };
}

const declared = readDeclared();

function check(files: Record<string, string>): string[] {
  const tree: SourceTree = new Map(Object.entries(files));
  return checkImports(tree, declared);
}

test('every import points the way ARCHITECTURE.md draws', () => {
  const tree = readTree();
  expect(tree.size).toBeGreaterThan(200);
  const findings = checkImports(tree, declared);
  expect(findings, findings.join('\n')).toEqual([]);
});

describe('an import that points the wrong way is found, with its line', () => {
  test('when it is planted among the real files', () => {
    const tree = readTree();
    const path = 'src/engine/create-backup.ts';
    const planted = "import { buildSchema } from 'graphql';";
    tree.set(path, `${planted}\n${tree.get(path)}`);
    const found = checkImports(tree, declared).filter((finding) => finding.startsWith(`${path}:1:`));
    expect(found).toEqual([`${path}:1: ${planted}\n    only src/schema/, src/server/ may import graphql`]);
  });

  test.each([
    [
      'the engine imports an implementation',
      'src/engine/x.ts',
      "import { a } from '../storage/filesystem.ts';",
    ],
    ['the engine imports the schema', 'src/engine/x.ts', "import '../schema/builder.ts';"],
    ['the engine imports Prisma for a type', 'src/engine/x.ts', "import type { A } from '@prisma/client';"],
    ['the engine imports dynamically', 'src/engine/x.ts', "const a = await import('../app.ts');"],
    ['the engine asks for a type in place', 'src/engine/x.ts', "type A = import('../app.ts').App;"],
    ['a computed import', 'src/engine/x.ts', 'const a = await import(place);'],
    [
      'one implementation imports another',
      'src/source/files/x.ts',
      "export * from '../database/sqlite/sqlite.ts';",
    ],
    [
      'a source imports the catalog',
      'src/source/files/x.ts',
      "import type { A } from '../../catalog/catalog.ts';",
    ],
    ['the bundle knows a database', 'src/bundle/x.ts', "import type { A } from '../source/source.ts';"],
    ['the storage knows bundles', 'src/storage/x.ts', "export { a } from '../bundle/manifest.ts';"],
    ['the catalog imports the engine', 'src/catalog/x.ts', "import type { A } from '../engine/engine.ts';"],
    ['events import Prisma repositories', 'src/events/x.ts', "import { a } from '../catalog/rows.ts';"],
    ['the schema runs a verb itself', 'src/schema/x.ts', "import { a } from '../engine/create-backup.ts';"],
    [
      'the schema makes a Prisma client',
      'src/schema/x.ts',
      "import { PrismaClient } from '../catalog/generated/client.ts';",
    ],
    ['the server imports a driver', 'src/server/x.ts', "import pg from 'pg';"],
    ['the schema serves WebSockets', 'src/schema/x.ts', "import { useServer } from 'graphql-ws/use/ws';"],
    ['zlib outside of bundles', 'src/storage/x.ts', "import { gzip } from 'node:zlib';"],
    ['better-sqlite3 in PostgreSQL', 'src/source/database/postgres/x.ts', "import a from 'better-sqlite3';"],
    ['the client imports the program', 'client/sdk/x.ts', "import type { A } from '../../src/errors.ts';"],
    ['the browser client imports Node', 'client/sdk/x.ts', "import { readFile } from 'node:fs/promises';"],
    ['the program imports a test', 'src/engine/x.ts', "import '../../test/support/engine.ts';"],
    ['a package of the tests', 'src/engine/x.ts', "import fc from 'fast-check';"],
    ['a package that is not declared', 'test/x.test.ts', "import a from 'left-pad';"],
    ['the environment', 'src/engine/x.ts', "const debug = process.env['DEBUG'];"],
    ['the environment by index', 'src/engine/x.ts', "const { DEBUG } = process['env'];"],
    ['the environment in a spread', 'src/engine/x.ts', 'const all = { ...process.env };'],
    ['the environment by destructuring', 'src/engine/x.ts', 'const { env } = process;'],
    ['the environment as a module', 'src/engine/x.ts', "import { env } from 'node:process';"],
    ['a worker of another room', 'src/engine/x.ts', "new URL('../catalog/migrate.ts', import.meta.url)"],
    ['a file in no room', 'src/utils.ts', "import './errors.ts';"],
  ])('%s', (_name, path, line) => {
    const findings = check({ [path]: `// a first line\n\n${line}\n` });
    expect(findings).toHaveLength(1);
    expect(findings[0]).toContain(`${path}:3: ${line}\n`);
  });

  test('over several lines', () => {
    const text = "import {\n  a,\n  // from './b.ts'\n  b,\n} from '../schema/builder.ts';\n";
    expect(check({ 'src/engine/x.ts': text })[0]).toContain('src/engine/x.ts:1: import {');
  });

  test('when a line without a fault comes before it', () => {
    const text = "const quote = /[\"'`]/;\nconst half = `${[1, 2].map((n) => `${n}'`)}`;\nimport 'pg';\n";
    expect(check({ 'src/engine/x.ts': text })[0]).toContain("src/engine/x.ts:3: import 'pg';");
  });

  test('when two folders import each other', () => {
    const findings = check({
      'client/sdk/a.ts': "import '../demo/b.ts';",
      'client/demo/b.ts': "import '../sdk/a.ts';",
    });
    expect(findings.at(-1)).toContain('in a circle: client/sdk -> client/demo -> client/sdk');
    expect(findings.at(-1)).toContain('client/demo/b.ts imports client/sdk/a.ts');
  });
});

test.each([
  ['in a comment', "/* import 'pg'; */ // import 'graphql';\n"],
  ['in a string', 'const text = "import \'pg\'";\n'],
  ['in a template', "const text = `\nimport pg from 'pg';\n${1}\nimport 'pg';`;\n"],
  ['of a contract', "import type { Storage } from '../storage/storage.ts';\n"],
  ['of a sibling', "export { a } from './engine.ts';\nexport type A = { from: 'pg' };\n"],
  ['as the name of a method', "this.import('pg'); process.exit(1);\n"],
])('what is no wrong import is let through: %s', (_name, text) => {
  expect(check({ 'src/engine/x.ts': text })).toEqual([]);
});
