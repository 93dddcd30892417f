/** How the structure of a target differs from the one in a bundle, object by object. Pure. */
import { createHash } from 'node:crypto';
import type { BundledStatement } from '../bundle/bundle.ts';
import type { SchemaDifference } from './engine.ts';

interface Script {
  readonly before: readonly BundledStatement[];
  readonly after: readonly BundledStatement[];
}

/** What is different, and what is there now instead. */
export interface ComparedScripts {
  /** In order of the objects' names. */
  readonly differences: readonly SchemaDifference[];
  /** SHA-256 in hex over the live statements of every object that differs; equal while they differ in the same way. */
  readonly fingerprint: string;
}

/** Compares the script of a bundle with that of the target. */
export function compareScripts(bundled: Script, live: Script): ComparedScripts {
  const then = byObject(bundled);
  const now = byObject(live);
  const differences = schemaDifferences(then, now);
  const present = differences.map(({ object }) => [object, now.get(object) ?? null]);
  return { differences, fingerprint: createHash('sha256').update(JSON.stringify(present)).digest('hex') };
}

function schemaDifferences(
  then: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): SchemaDifference[] {
  const differences: SchemaDifference[] = [];
  for (const [object, sql] of then) {
    const present = now.get(object);
    if (present === undefined) differences.push({ object, change: 'REMOVED' });
    else if (present !== sql) differences.push({ object, change: 'CHANGED' });
  }
  for (const object of now.keys()) if (!then.has(object)) differences.push({ object, change: 'ADDED' });
  return differences.sort((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0));
}

/** Several statements may make one object; together they are what it is. */
function byObject({ before, after }: Script): Map<string, string> {
  const objects = new Map<string, string>();
  for (const { object, sql } of [...before, ...after]) {
    const earlier = objects.get(object);
    objects.set(object, earlier === undefined ? sql : `${earlier};\n${sql}`);
  }
  return objects;
}
