import { execFile, execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, inject, type TestContext, test } from 'vitest';
import type { Sealing, Unlocking } from '../../../src/bundle/sealing.ts';
import { endRecords } from '../../../src/bundle/write-zip-records.ts';
import { openBundle, writeBundle } from '../sample-bundle.ts';
import { coverOf, replacePayload, splitBundle } from './cover.ts';
import {
  contentOf,
  KEY,
  keySealing,
  noise,
  openSealed,
  sample,
  sealedBundle,
  signer,
} from './sealed-sample.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../../../tools/open-bundle.mjs');
/** Types a passphrase into the terminal that a command asks on. */
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
    if b'passphrase' in asked.lower() and b':' in asked:
        asked = b''
        os.write(terminal, passphrase.encode() + b'\\n')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;

function missing(commands: readonly string[]): string | undefined {
  return commands.find((command) => {
    try {
      execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
}

/** Skips where a tool is missing, unless none may be. */
function needs(context: TestContext, ...commands: string[]): void {
  const absent = missing(commands);
  if (absent !== undefined && inject('serversRequired')) throw new Error(`${absent} is not installed`);
  context.skip(absent !== undefined, `${absent} is not installed`);
}

describe('a person without Holdfast opens a sealed bundle', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-by-hand-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const inShell = (command: string) => run('sh', ['-ec', command], { cwd: folder });

  async function put(sealing: Sealing): Promise<Buffer> {
    const bundle = await sealedBundle(sealing);
    await writeFile(join(folder, 'backup.zip'), bundle);
    return bundle;
  }

  /** The commands under a heading of RESTORE.md. */
  async function guide(heading: string): Promise<string[]> {
    const text = (await inShell('unzip -p backup.zip RESTORE.md')).stdout;
    const section = text.split('\n## ').find((part) => part.startsWith(`${heading}\n`)) ?? '';
    return section
      .split('\n')
      .filter((line) => line.startsWith('    '))
      .map((line) => line.trim());
  }

  /** content.zip is what was sealed, to the byte, and everything comes out of it. */
  async function checkContent(): Promise<void> {
    expect((await inShell('unzip -t content.zip')).stdout).toContain('No errors detected');
    const rows = await inShell("unzip -p content.zip db/orders.json | jq -c '.[] | .id' | tail -n 1");
    expect(rows.stdout).toBe('49\n');
    await inShell('unzip -q content.zip -d unpacked');
    expect(await readFile(join(folder, 'unpacked/files/app/dir/big'))).toEqual(noise(3 * 65_536 + 17));
    const sums = await inShell(
      `jq -r 'select(.sha256 and .kind != "SYMLINK") | .sha256 + "  " + .entry' unpacked/entries.ndjson > sums
      cd unpacked && sha256sum -c ../sums`,
    );
    expect(sums.stdout).not.toContain('FAILED');
    const manifest = JSON.parse((await inShell('unzip -p backup.zip manifest.json')).stdout);
    const list = await inShell('sha256sum < unpacked/entries.ndjson');
    expect(list.stdout.slice(0, 64)).toBe(manifest.entriesSha256);
  }

  test('that is sealed for a recipient, by the commands of RESTORE.md', async (context) => {
    needs(context, 'unzip', 'jq', 'age', 'age-keygen');
    await inShell('age-keygen -o identity.txt');
    const recipient = (await inShell('age-keygen -y identity.txt')).stdout.trim();
    await put({ mode: 'RECIPIENT', recipients: [await newRecipient(), recipient] });
    const [sum = '', expected = '', ...open] = await guide('Open it');
    expect((await inShell(sum)).stdout.slice(0, 64)).toBe((await inShell(expected)).stdout.trim());
    for (const command of open) await inShell(command);
    await checkContent();
  });

  test('that is sealed with a passphrase, by the commands of RESTORE.md', async (context) => {
    needs(context, 'unzip', 'jq', 'age', 'python3');
    await put({ mode: 'PASSPHRASE', passphrase: 'correct horse' });
    const [sum = '', expected = '', unpack = '', open = ''] = await guide('Open it');
    expect((await inShell(sum)).stdout.slice(0, 64)).toBe((await inShell(expected)).stdout.trim());
    await inShell(unpack);
    await run('python3', ['-c', TYPE, 'correct horse', ...open.split(' ')], { cwd: folder });
    await checkContent();
  });

  test('that is sealed with a key, by the script and a file with the key', async (context) => {
    needs(context, 'unzip', 'jq');
    await put(keySealing);
    const keys = `# keys\nother ${Buffer.alloc(32).toString('base64')}\nkey-1 ${KEY.toString('base64')}\n`;
    await writeFile(join(folder, 'keys.txt'), keys);
    await writeFile(join(folder, 'open-bundle.mjs'), await readFile(SCRIPT));
    const [open = ''] = await guide('Open it');
    const fingerprint = hash('sha256', signer.publicKey);
    expect((await inShell(open)).stdout).toContain(fingerprint);
    await checkContent();
    // What is there is never replaced.
    await expect(inShell(open)).rejects.toThrow();
    await inShell(
      `${open.replace('content.zip', 'again.zip')} --signer ${fingerprint} && cmp content.zip again.zip`,
    );
    await expect(
      inShell(`${open.replace('content.zip', 'x.zip')} --signer ${'0'.repeat(64)}`),
    ).rejects.toThrow('signed by another key');
  });

  test('the script refuses what was changed, and leaves nothing behind', async () => {
    const bundle = await sealedBundle(keySealing);
    const { payload, manifest } = splitBundle(bundle);
    const flipped = Buffer.from(bundle);
    const middle = Math.floor(bundle.length / 2);
    flipped[middle] = (flipped[middle] ?? 0) ^ 1;
    const cases: [string, Buffer, string][] = [
      ['flipped', flipped, 'damaged'],
      ['cut', bundle.subarray(0, middle), 'no whole bundle'],
      ['unsigned', await sealedBundle(keySealing, undefined, false), 'Nobody signed'],
      ['plain', await writeBundle(sample, undefined, undefined, { signer }), 'unzip opens it'],
      ['swapped', withEnd(coverOf(splitBundle(await sealedBundle(keySealing)).payload, manifest)), 'payload'],
      ['renamed', withEnd(coverOf(payload, { ...manifest, createdBy: 'x' })), 'not what was signed'],
      ['short', withEnd(replacePayload(bundle, payload.subarray(0, 65_633))), 'Nobody signed'],
    ];
    await writeFile(join(folder, 'keys'), `key-1 ${KEY.toString('base64')}`);
    await writeFile(join(folder, 'wrong'), `key-1 ${Buffer.alloc(32).toString('base64')}`);
    await writeFile(join(folder, 'none'), 'key-2 x');
    await writeFile(join(folder, 'good.zip'), bundle);
    const open = (name: string, keys = 'keys', ...more: string[]) =>
      run(process.execPath, [SCRIPT, `${name}.zip`, keys, 'out.zip', ...more], { cwd: folder });
    for (const [name, content, message] of cases) {
      await writeFile(join(folder, `${name}.zip`), content);
      await expect(open(name), name).rejects.toThrow(message);
    }
    await expect(open('short', 'keys', '--unsigned')).rejects.toThrow('not in its place');
    await expect(open('good', 'wrong')).rejects.toThrow('is not the one of this bundle');
    await expect(open('good', 'none')).rejects.toThrow('does not hold the key key-1');
    expect((await readdir(folder)).filter((name) => name.startsWith('out'))).toEqual([]);
    // An empty variable of a shell must not switch the check off.
    await expect(open('good', 'keys', '--signer')).rejects.toThrow('Usage');
    await expect(open('good', 'keys', '--signer', '')).rejects.toThrow('Usage');
    await open('good');
    expect((await readdir(folder)).filter((name) => name.startsWith('out'))).toEqual(['out.zip']);
  });

  test('what a bundle says does not steer the terminal of the script', async () => {
    const { payload, manifest } = splitBundle(await sealedBundle(keySealing));
    const encryption = { ...manifest.encryption, keyId: 'key\u001b[2J\u009b31m' };
    const hostile = coverOf(payload, { ...manifest, encryption, signature: null });
    await writeFile(join(folder, 'hostile.zip'), withEnd(hostile));
    await writeFile(join(folder, 'keys'), `key-1 ${KEY.toString('base64')}`);
    const refused = run(process.execPath, [SCRIPT, 'hostile.zip', 'keys', 'out.zip', '--unsigned'], {
      cwd: folder,
    });
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringMatching(/^keys does not hold the key key[^\p{Cc}]*\n$/u),
    });
  });

  test('what the program age makes opens here', async (context) => {
    needs(context, 'age', 'age-keygen', 'python3');
    const identity = await generateIdentity();
    const recipient = await identityToRecipient(identity);
    const bundle = await sealedBundle({ mode: 'RECIPIENT', recipients: [recipient] });
    await writeFile(join(folder, 'identity.txt'), `${identity}\n`);
    await writeFile(join(folder, 'payload.age'), splitBundle(bundle).payload);
    await inShell('age -d -i identity.txt -o plain payload.age');
    await inShell(`age -r ${await newRecipient()} -r ${recipient} -o again.age plain`);
    await run('python3', ['-c', TYPE, 'horse', 'age', '-p', '-o', 'typed.age', 'plain'], { cwd: folder });
    const plain = await openBundle(await writeBundle(sample));
    const opens = async (content: Buffer, unlock: Unlocking) => {
      const reader = await openSealed(content, { unlock });
      expect(await contentOf(reader)).toEqual(await contentOf(plain));
    };
    await opens(replacePayload(bundle, await readFile(join(folder, 'again.age'))), {
      identities: [identity],
    });
    const { encryption } = splitBundle(await sealedBundle({ mode: 'PASSPHRASE', passphrase: 'x' })).manifest;
    const { payload, manifest } = splitBundle(bundle);
    const typed = coverOf(payload, { ...manifest, encryption });
    await opens(replacePayload(typed, await readFile(join(folder, 'typed.age'))), { passphrase: 'horse' });
  });
});

/** With the Zip64 records at its end that Holdfast's zips have, and the script asks for. */
function withEnd(zip: Buffer): Buffer {
  const end = zip.length - 22;
  const [entries, bytes, offset] = [
    zip.readUInt16LE(end + 10),
    zip.readUInt32LE(end + 12),
    zip.readUInt32LE(end + 16),
  ];
  return Buffer.concat([zip.subarray(0, end), endRecords(entries, offset, bytes)]);
}

async function newRecipient(): Promise<string> {
  return identityToRecipient(await generateIdentity());
}
