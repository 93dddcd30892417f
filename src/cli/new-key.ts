/** `holdfast new-key`: one more API key for the owner, for when the first one was lost. */
import { newOwnerKey } from '../app.ts';
import { readConfig } from '../config.ts';

/** Makes the key and prints it: alone on stdout, so that it can be piped; the words about it go to stderr. */
export async function newKey(): Promise<void> {
  const apiKey = await newOwnerKey(readConfig());
  console.error(
    'This is a further API key of the owner. It is shown once and kept nowhere; earlier keys stay good.',
  );
  console.log(apiKey);
}
