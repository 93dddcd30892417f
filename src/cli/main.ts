/** The command line. */
import { parseArgs } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { inspect } from './inspect.ts';
import { newKey } from './new-key.ts';
import { serve } from './serve.ts';

const USAGE = `Usage: holdfast serve [--ready-file FILE]
       holdfast new-key
       holdfast inspect FILE [--json]

  serve               start the server; settings come from the environment (docs/operations.md)
  --ready-file FILE   write {"url", "apiKey"} to FILE (mode 0600) once the server listens
  new-key             make one more API key for the owner, and show it once; the server may be running
  inspect FILE        say what a bundle holds, who signed it and how it is sealed; needs no server and no key
  --json              as JSON, with everything its manifest says
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
    console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
    return FAILED;
  }
}

/** What the arguments ask for; undefined when it is none of the commands. */
function commandOf({ positionals, values }: ReturnType<typeof parse>): (() => Promise<void>) | undefined {
  const [command, ...rest] = positionals;
  const readyFile = values['ready-file'];
  const { json } = values;
  if (command === 'inspect' && readyFile === undefined) {
    const [file, ...others] = rest;
    if (file === undefined || others.length > 0) return undefined;
    return () => inspect(file, { json: json === true });
  }
  if (rest.length > 0 || json !== undefined) return undefined;
  if (command === 'serve') return () => serve({ readyFile });
  if (command === 'new-key' && readyFile === undefined) return newKey;
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
    },
  });
}
