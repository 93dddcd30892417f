/**
 * Where the entries of a bundle go: into its zip, or into a zip of their own that is sealed on its way into the
 * one entry that they share.
 */
import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { HoldfastError } from '../../errors.ts';
import { letGo } from '../../let-go.ts';
import type { ManifestEncryption, ManifestPayload } from '../manifest.ts';
import { STORE } from '../packing.ts';
import type { Sealing } from '../sealing.ts';
import { ZipOutput } from '../zip-output.ts';
import { newPassphraseHead, newRecipientHead } from './age-payload.ts';
import { SCRYPT_LOG_N } from './age-scrypt.ts';
import { newKeyHead } from './key-payload.ts';
import type { PayloadHead } from './payload-head.ts';
import { SealingStream } from './sealing-stream.ts';

/** The zips a bundle is made of: one and the same unless it is sealed. */
export interface BundleOutput {
  /** Takes what a bundle holds, and entries.ndjson at its end. */
  readonly content: ZipOutput;
  /** Takes what can be read without a key; begun only after {@link seal}, and ended by the caller. */
  readonly cover: ZipOutput;
  readonly sealed: boolean;
  /** Ends the content; tells for the manifest how it was sealed. */
  seal(signal: AbortSignal): Promise<ManifestEncryption>;
  /** Stops in the middle. Idempotent; never throws. */
  destroy(): Promise<void>;
}

/** Where a bundle is written to, and with what it is sealed. */
export interface BundleOutputOptions {
  readonly sink: Writable;
  readonly spoolDirectory: string;
  readonly sealing?: Sealing | undefined;
}

/** Begins a bundle. */
export function openBundleOutput({ sink, spoolDirectory, sealing }: BundleOutputOptions): BundleOutput {
  const cover = new ZipOutput(sink, spoolDirectory);
  if (sealing !== undefined && sealing.mode !== 'NONE') {
    return new SealedOutput(cover, spoolDirectory, sealing);
  }
  return {
    content: cover,
    cover,
    sealed: false,
    seal: async () => ({ mode: 'NONE' }),
    destroy: () => cover.destroy(),
  };
}

type RealSealing = Exclude<Sealing, { readonly mode: 'NONE' }>;

class SealedOutput implements BundleOutput {
  readonly content: ZipOutput;
  readonly cover: ZipOutput;
  readonly sealed = true;
  readonly #sealing: RealSealing;
  readonly #stream: SealingStream;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  readonly #given = new AbortController();
  readonly #writing: Promise<void>;

  constructor(cover: ZipOutput, spoolDirectory: string, sealing: RealSealing) {
    this.cover = cover;
    this.#sealing = sealing;
    this.#stream = new SealingStream(headFor(sealing));
    this.content = new ZipOutput(this.#stream, spoolDirectory);
    const entry = { name: entryName(sealing), kind: 'FILE', mode: 0o600, modifiedAt: Date.now() } as const;
    this.#writing = cover.add(entry, this.#payload(), STORE, this.#given.signal);
    // Whoever writes content next meets the failure; seal passes it on as well.
    this.#writing.catch((error: Error) => this.#stream.destroy(error));
  }

  async seal(signal: AbortSignal): Promise<ManifestEncryption> {
    const onAbort = () => this.#given.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await this.content.end(signal);
      await this.#writing;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    const payload = {
      entry: entryName(this.#sealing),
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
    };
    return describe(this.#sealing, payload);
  }

  async destroy(): Promise<void> {
    this.#given.abort();
    await Promise.allSettled([this.content.destroy(), this.cover.destroy()]);
  }

  async *#payload(): AsyncGenerator<Buffer> {
    // Not destroyed with the loop: the failure that ended it is for the stream's writer to see.
    for await (const chunk of this.#stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      this.#bytes += chunk.length;
      this.#hash.update(chunk);
      yield chunk;
      // The zip has copied it into a block.
      letGo(chunk);
    }
  }
}

async function headFor(sealing: RealSealing): Promise<PayloadHead> {
  switch (sealing.mode) {
    case 'KEY':
      return newKeyHead(sealing.keyId, sealing.key);
    case 'PASSPHRASE':
      if (sealing.passphrase.length === 0) {
        throw new HoldfastError('INVALID_INPUT', 'The passphrase to seal with is empty.');
      }
      return await newPassphraseHead(sealing.passphrase);
    case 'RECIPIENT':
      if (sealing.recipients.length === 0) {
        throw new HoldfastError('INVALID_INPUT', 'There is no recipient to seal for.');
      }
      return await newRecipientHead(sealing.recipients);
  }
}

function entryName({ mode }: RealSealing): ManifestPayload['entry'] {
  return mode === 'KEY' ? 'payload.zip.aesgcm' : 'payload.zip.age';
}

function describe(sealing: RealSealing, payload: ManifestPayload): ManifestEncryption {
  switch (sealing.mode) {
    case 'KEY':
      return { mode: 'KEY', cipher: 'AES-256-GCM', keyId: sealing.keyId, payload };
    case 'PASSPHRASE':
      return { mode: 'PASSPHRASE', cipher: 'age', kdf: { name: 'scrypt', logN: SCRYPT_LOG_N }, payload };
    case 'RECIPIENT':
      return { mode: 'RECIPIENT', cipher: 'age', recipients: [...sealing.recipients], payload };
  }
}
