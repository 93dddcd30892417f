/** How the sealed part of a bundle is opened by hand: a part of RESTORE.md. */
import type { ManifestEncryption } from './manifest.ts';

/** What the commands of RESTORE.md call the zip that comes out of the payload. */
export const OPENED_FILE = 'content.zip';

/** The section that comes before all that needs {@link OPENED_FILE}; none for a bundle that is not sealed. */
export function sealedGuide(encryption: ManifestEncryption): string[] {
  switch (encryption.mode) {
    case 'NONE':
      return [];
    case 'KEY':
      return [keyGuide(encryption.keyId)];
    case 'PASSPHRASE':
      return [ageGuide(PASSPHRASE)];
    case 'RECIPIENT':
      return [ageGuide(RECIPIENT)];
  }
}

function keyGuide(keyId: string): string {
  return `## Open it

Everything but \`manifest.json\` and this text is sealed with the key \`${keyId}\`. It stands in
\`keys.txt\` of the recovery kit of the Holdfast that made this backup, as the line \`${keyId} BASE64-OF-THE-KEY\`. The script
\`open-bundle.mjs\` is in the kit too, and in \`tools/\` of Holdfast's repository; it needs Node.js 18 or later and nothing
else. It checks the signature, prints whose it is, and writes the content as an ordinary zip, complete or not at all:

    node open-bundle.mjs backup.zip keys.txt ${OPENED_FILE}

\`docs/bundle-format.md\` in the repository describes the sealed bytes, if you have to write such a script yourself.
`;
}

function ageGuide({ sealedFor, command, trust }: typeof PASSPHRASE): string {
  return `## Open it

Everything but \`manifest.json\` and this text is sealed in the age format (https://age-encryption.org), ${sealedFor}.
\`age\` is a package of most systems (\`apt install age\`, \`brew install age\`). The two sums must be the same:

    unzip -p backup.zip payload.zip.age | sha256sum
    unzip -p backup.zip manifest.json | jq -r .encryption.payload.sha256
    unzip backup.zip payload.zip.age
    ${command}

${trust}`;
}

const PASSPHRASE = {
  sealedFor: 'with a passphrase, for which `age` asks',
  command: `age -d -o ${OPENED_FILE} payload.zip.age`,
  trust: `Who does not know the passphrase can neither read what is in it nor change it.
`,
};

const RECIPIENT = {
  sealedFor: 'for the recipients in the manifest: `identity.txt` holds the AGE-SECRET-KEY-1… of one of them',
  command: `age -d -i identity.txt -o ${OPENED_FILE} payload.zip.age`,
  trust: `Only a recipient can read what is in it, but anybody can seal something for a recipient: be sure where this file
comes from before you run its scripts.
`,
};
