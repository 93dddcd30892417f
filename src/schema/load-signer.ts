/** Who signed a backup, as the workspace sees them now. One query for all backups of one turn of the event loop. */
import type { Manifest } from '../bundle/manifest.ts';
import type { BundleSigner } from '../engine/engine.ts';
import type { SchemaContext } from './context.ts';

const trusted = new WeakMap<SchemaContext, Promise<ReadonlySet<string>>>();

function readTrusted(context: SchemaContext): Promise<ReadonlySet<string>> {
  const known = trusted.get(context);
  if (known !== undefined) return known;
  const reading = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
    // Nothing is kept: a subscription's context lives long.
    trusted.delete(context);
    const signers = await context.prisma.trustedSigner.findMany({ select: { fingerprint: true } });
    return new Set(signers.map(({ fingerprint }) => fingerprint));
  });
  trusted.set(context, reading);
  return reading;
}

/** The signer of a catalogued manifest, whose signature was checked when it was made or imported. */
export async function loadSigner(context: SchemaContext, { signature }: Manifest): Promise<BundleSigner> {
  if (signature == null) return { state: 'UNSIGNED', fingerprint: null, publicKey: null };
  const { fingerprint, publicKey } = signature;
  if (fingerprint === context.engine.signer.fingerprint) return { state: 'OWN', fingerprint, publicKey };
  const state = (await readTrusted(context)).has(fingerprint) ? 'TRUSTED' : 'UNKNOWN';
  return { state, fingerprint, publicKey };
}
