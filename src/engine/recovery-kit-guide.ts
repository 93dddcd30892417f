/** RECOVER.md: what to do with a recovery kit, for somebody who has never seen Holdfast. */
import { KIT_FILES, type RecoveryKitContents } from './recovery-kit.ts';

/** Names come from people: none may end its line or its code. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}`]/gu, ' ');
}

function listOf(lines: readonly string[]): string {
  return lines.length === 0 ? '- (none)' : lines.map((line) => `- ${line}`).join('\n');
}

/** The guide of a kit. Passwords stand in kit.json alone. */
export function recoveryGuide({ origin, state }: RecoveryKitContents): string {
  const { workspace, encryptionKeys, sources, jobs } = state;
  const settings = Object.entries(origin.environment).map(([name, value]) => `\`${name}=${plain(value)}\``);
  return `# Recovery kit of the workspace "${plain(workspace.name)}"

Made ${origin.createdAt.toISOString()} by Holdfast ${origin.version}. **Whoever has these files can read every backup that was
made before, and reach every database below.** Keep them sealed, as they came, and delete what you unpacked of them.

The bundles themselves are not in here. They lie in the storage directory, in the folder \`${workspace.id}\`.

Sources:

${listOf(sources.map(({ name, id }) => `${plain(name)} (\`${id}\`)`))}

Jobs: ${jobs.length}. Keys of bundles: ${encryptionKeys.length}. Settings of the server:

${listOf(settings)}

## With Holdfast

On a machine with Holdfast and a copy of the storage, and no data directory yet:

    holdfast recover --kit recovery-kit.age --storage STORAGE --data DATA
    HOLDFAST_DATA=DATA HOLDFAST_STORAGE=STORAGE HOLDFAST_ROOTS=ROOTS holdfast serve

The first command asks for the passphrase of the kit (the file as it came, not unpacked), brings back keys, sources,
jobs and the catalog of every backup, shows an API key once, and changes nothing in the storage. ROOTS are the
directories that databases in files and trees lie in, separated by colons. Then restore as ever. Make a new kit
afterwards: new backups are sealed with a new key, which this kit does not hold.

## By hand

Each bundle holds RESTORE.md, which says how it is opened and loaded by \`unzip\`, \`jq\` and the database's own client:

    unzip -p BUNDLE.zip RESTORE.md

Bundles whose \`manifest.json\` says \`"mode":"KEY"\` are opened by a script that is in here and needs Node.js 18 or later alone:

    node ${KIT_FILES.script} BUNDLE.zip ${KIT_FILES.keys} content.zip --signer ${origin.signer.fingerprint}

\`--signer\` has it check that the bundle was made by the instance of this kit. The other modes are opened by \`age\`, with the
passphrase or the identity that they were sealed for: those are not in here, Holdfast never kept them.

## What is in here

- \`${KIT_FILES.contents}\`: sources with their connection strings, jobs, keys, trusted signers, settings
- \`${KIT_FILES.keys}\`: the keys of bundles, for the script
- \`${KIT_FILES.script}\`: the script
`;
}
