/** Runs a command that asks for a passphrase on a terminal, and types it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const TYPE = `
import os, pty, sys
passphrase, command = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0: os.execvp(command[0], command)
asked = b''
while True:
    try: read = os.read(terminal, 1024)
    except OSError: break
    if not read: break
    asked += read
    sys.stdout.buffer.write(read)
    if b'passphrase' in asked.lower() and b':' in asked:
        asked = b''
        os.write(terminal, passphrase.encode() + b'\\n')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;

/** Resolves to what the terminal showed; rejects when the command fails. */
export async function typePassphrase(
  passphrase: string,
  command: readonly string[],
  directory: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const started = promisify(execFile)('python3', ['-c', TYPE, passphrase, ...command], {
    cwd: directory,
    env: environment,
  });
  return (await started).stdout;
}
