/** Holds imports to the rules; every finding names file, line and text. */
import { posix } from 'node:path';
import { type Import, readSource } from './read-imports.ts';
import { covers, ENVIRONMENT_READERS, PACKAGES, PUBLISHED, ROOMS } from './rules.ts';

/** The source text of files, by path relative to the repository. */
export type SourceTree = ReadonlyMap<string, string>;

/** What package.json declares. */
export interface DeclaredPackages {
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/** An import between two files of the tree. */
interface Edge {
  readonly from: string;
  readonly to: string;
}

/** Checks a tree; an empty list means that every import points the right way. */
export function checkImports(tree: SourceTree, declared: DeclaredPackages): string[] {
  const findings: string[] = [];
  const edges: Edge[] = [];
  for (const [path, text] of tree) {
    const lines = text.split('\n');
    const report = (line: number, why: string): void => {
      findings.push(`${path}:${line}: ${lines[line - 1]?.trim() ?? ''}\n    ${why}`);
    };
    const facts = readSource(text);
    for (const found of facts.imports) {
      const why = refusal(path, found, declared);
      if (why !== undefined) report(found.line, why);
      const to = targetOf(path, found);
      if (to !== undefined) edges.push({ from: path, to });
    }
    if (path.startsWith('src/') && !ENVIRONMENT_READERS.some((place) => covers(place, path))) {
      for (const line of facts.environmentLines) report(line, 'only src/config.ts reads the environment');
    }
  }
  const shipped = edges.filter(({ from, to }) => /^(src|client)\//.test(from) && /^(src|client)\//.test(to));
  return [...findings, ...folderCycles(shipped)];
}

/** The file of this repository that an import names; undefined for packages. */
function targetOf(path: string, { specifier }: Import): string | undefined {
  return specifier?.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
}

function refusal(path: string, found: Import, declared: DeclaredPackages): string | undefined {
  if (found.specifier === undefined) {
    return path.startsWith('test/') ? undefined : 'a computed import cannot be held to the architecture';
  }
  const target = targetOf(path, found);
  return target === undefined
    ? packageRefusal(path, found.specifier, declared)
    : roomRefusal(path, target, found.typeOnly);
}

function roomRefusal(path: string, target: string, typeOnly: boolean): string | undefined {
  const room = ROOMS.find(({ place }) => covers(place, path));
  if (room === undefined) return `${path} belongs to no room of test/architecture/rules.ts`;
  // Data files and programs to be started are no code that is imported.
  if (!/^(src|client|test|bench)\//.test(target) || (target === 'src/main.ts' && room.place === 'client/')) {
    return undefined;
  }
  const allowed = [room.place, ...room.may, ...(typeOnly ? (room.mayAsType ?? []) : [])];
  if (allowed.some((place) => covers(place, target))) return undefined;
  return (room.mayAsType ?? []).some((place) => covers(place, target))
    ? `${room.place} may import ${target} with "import type" only`
    : `${room.place} may import nothing but ${['itself', ...room.may].join(', ')}`;
}

function packageRefusal(path: string, specifier: string, declared: DeclaredPackages): string | undefined {
  const name = packageName(specifier);
  if (!specifier.startsWith('node:')) {
    const published = PUBLISHED.some((place) => covers(place, path));
    const known = published
      ? declared.dependencies
      : [...declared.dependencies, ...declared.devDependencies, 'holdfast'];
    if (!known.includes(name)) {
      return `${name} is not among the ${published ? '' : 'dev'}dependencies of package.json`;
    }
  }
  if (!/^(src|client)\//.test(path)) return undefined;
  const scope = /^(node:|@[^/]+\/)/.exec(name)?.[0] ?? name;
  const places = PACKAGES[name] ?? PACKAGES[scope];
  if (places === undefined) return `${name} has no place in test/architecture/rules.ts yet`;
  return places.some((place) => covers(place, path))
    ? undefined
    : `only ${places.join(', ')} may import ${name}`;
}

/** `@scope/name/deep` is `@scope/name`, `name/deep` is `name`, `node:fs/promises` stays. */
function packageName(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The folder of `src/` or `client/` a file lies in; contracts and single files stand for themselves. */
function folderOf(path: string): string {
  if (/^src\/source\/[^/]+$/.test(path)) return 'src/source/*';
  return path.split('/').slice(0, 2).join('/');
}

/** Folders that reach themselves again through others. */
function folderCycles(edges: readonly Edge[]): string[] {
  const graph = new Map<string, Set<string>>();
  const example = new Map<string, Edge>();
  for (const edge of edges) {
    const [from, to] = [folderOf(edge.from), folderOf(edge.to)];
    if (from === to) continue;
    graph.set(from, (graph.get(from) ?? new Set()).add(to));
    example.set(`${from} ${to}`, edge);
  }
  for (const start of graph.keys()) {
    const way = wayBack(graph, start);
    if (way === undefined) continue;
    const steps = way.slice(1).map((to, index) => {
      const edge = example.get(`${way[index]} ${to}`);
      return `    ${edge?.from} imports ${edge?.to}`;
    });
    return [`folders import each other in a circle: ${way.join(' -> ')}\n${steps.join('\n')}`];
  }
  return [];
}

/** The shortest way from a folder back to itself. */
function wayBack(graph: ReadonlyMap<string, ReadonlySet<string>>, start: string): string[] | undefined {
  const ways = [[start]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const next of graph.get(way.at(-1) ?? '') ?? []) {
      if (next === start) return [...way, next];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return undefined;
}
