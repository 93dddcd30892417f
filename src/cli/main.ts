/** The command line. */
import { parseArgs } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { serve } from './serve.ts';

const USAGE = `Usage: holdfast serve [--ready-file FILE]

  serve               start the server; settings come from the environment (docs/operations.md)
  --ready-file FILE   write {"url", "apiKey"} to FILE (mode 0600) once the server listens
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
  if (parsed.positionals.length !== 1 || parsed.positionals[0] !== 'serve') {
    console.error(USAGE);
    return USAGE_ERROR;
  }
  try {
    await serve({ readyFile: parsed.values['ready-file'] });
    return DONE;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
    return FAILED;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' }, 'ready-file': { type: 'string' } },
  });
}
