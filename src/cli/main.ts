/** The command line. */
import { parseArgs } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { inspect, plainText } from './inspect.ts';
import { newKey } from './new-key.ts';
import { recover } from './recover.ts';
import { serve } from './serve.ts';

const USAGE = `Usage: holdfast serve [--ready-file FILE]
       holdfast new-key
       holdfast inspect FILE [--json]
       holdfast recover --kit FILE [--storage DIR] [--data DIR] [--passphrase-file FILE]

  serve               start the server; settings come from the environment (docs/operations.md)
  --ready-file FILE   write {"url", "apiKey"} to FILE (mode 0600) once the server listens
  new-key             make one more API key for the owner, and show it once; the server may be running
  inspect FILE        say what a bundle holds, who signed it and how it is sealed; needs no server and no key
  --json              as JSON, with everything its manifest says
  recover             make a new data directory from a recovery kit and the storage, which is only read
  --kit FILE          the recovery kit, as it was downloaded
  --storage DIR       the directory of the bundles; HOLDFAST_STORAGE unless given
  --data DIR          the data directory to make; HOLDFAST_DATA unless given
  --passphrase-file   the passphrase is the first line of FILE; else HOLDFAST_KIT_PASSPHRASE, else it is asked for
`;

/** Exit codes: done, failed, usage. */
const DONE = 0;
const FAILED = 1;
const USAGE_ERROR = 2;

/** Runs one command; resolves to the exit code. */
export async function runCommand(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : 'The arguments are not understood.'}\n\n${USAGE}`,
    );
    return USAGE_ERROR;
  }
  if (parsed.values.help === true) {
    console.log(USAGE);
    return DONE;
  }
  const run = commandOf(parsed);
  if (run === undefined) {
    console.error(USAGE);
    return USAGE_ERROR;
  }
  try {
    await run();
    return DONE;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const lines = [`${error.code}: ${error.message}`, ...(error.hint === undefined ? [] : [error.hint])];
    console.error(lines.map(plainText).join('\n'));
    return FAILED;
  }
}

/** The options of each command. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  serve: ['ready-file'],
  'new-key': [],
  inspect: ['json'],
  recover: ['kit', 'storage', 'data', 'passphrase-file'],
};

/** What the arguments ask for; undefined when it is none of the commands. */
function commandOf({ positionals, values }: ReturnType<typeof parse>): (() => Promise<void>) | undefined {
  const [command = '', ...rest] = positionals;
  if (Object.keys(values).some((name) => !OPTIONS[command]?.includes(name))) return undefined;
  if (command === 'inspect') {
    const [file, ...others] = rest;
    return file === undefined || others.length > 0
      ? undefined
      : () => inspect(file, { json: values.json === true });
  }
  if (rest.length > 0) return undefined;
  const { kit, storage, data } = values;
  if (command === 'serve') return () => serve({ readyFile: values['ready-file'] });
  if (command === 'new-key') return newKey;
  if (command === 'recover' && kit !== undefined) {
    return () => recover({ kit, storage, data, passphraseFile: values['passphrase-file'] });
  }
  return undefined;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      'ready-file': { type: 'string' },
      json: { type: 'boolean' },
      kit: { type: 'string' },
      storage: { type: 'string' },
      data: { type: 'string' },
      'passphrase-file': { type: 'string' },
    },
  });
}
