/** Loads a SQL script as psql would, `COPY … FROM stdin` blocks included. Small scripts only: held in memory. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

type Step = { readonly sql: string } | { readonly copy: string; readonly data: string };

/** Cuts a script at its COPY blocks; what is between goes to the server as it stands. */
function steps(script: string, skip: RegExp): Step[] {
  const result: Step[] = [];
  let sql: string[] = [];
  let copy: { statement: string; lines: string[] } | undefined;
  for (const line of script.split('\n')) {
    if (copy !== undefined) {
      if (line !== '\\.') {
        copy.lines.push(`${line}\n`);
        continue;
      }
      result.push({ copy: copy.statement, data: copy.lines.join('') });
      copy = undefined;
    } else if (/^COPY .* FROM stdin;\r?$/i.test(line)) {
      result.push({ sql: sql.join('\n') });
      sql = [];
      copy = { statement: line.replace(/;\r?$/, ''), lines: [] };
    } else if (!skip.test(line)) {
      sql.push(line);
    }
  }
  return [...result, { sql: sql.join('\n') }];
}

/** Runs the script at `path` on `url`; lines of SQL that match `skip` are left out. */
export async function loadScript(url: string, path: string, skip: RegExp = /^\\/): Promise<void> {
  const script = await readFile(path, 'utf8');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const step of steps(script, skip)) {
      if ('sql' in step) await client.query(step.sql);
      else await pipeline(Readable.from([step.data]), client.query(copyFrom(step.copy)));
    }
  } finally {
    await client.end();
  }
}
