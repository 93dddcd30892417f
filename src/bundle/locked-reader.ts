/** A sealed bundle that nothing was given for: its manifest can be read, and that it is whole can be checked. */
import { HoldfastError } from '../errors.ts';
import type { RandomAccess } from '../storage/storage.ts';
import type { BundledSchema, BundleReader, ContentReport, OnBundleProgress } from './bundle.ts';
import { checkSideBySide, type OnDamage } from './checks-side-by-side.ts';
import { drain, hashed } from './hashed-content.ts';
import type { EntryRecord, Manifest } from './manifest.ts';
import type { FoundPayload, RealEncryption } from './seal/open-payload.ts';
import type { ManifestSignature } from './sealing.ts';
import { entryContent } from './zip-content.ts';
import type { ZipEntry } from './zip-records.ts';

/** What a locked reader is made of. */
export interface LockedBundle {
  readonly file: RandomAccess;
  readonly manifest: Manifest;
  readonly signature: ManifestSignature;
  readonly encryption: RealEncryption;
  readonly payload: FoundPayload;
  /** RESTORE.md */
  readonly guide: ZipEntry;
}

const NEEDED: Readonly<Record<RealEncryption['mode'], string>> = {
  KEY: 'the key of the instance that made it, which its recovery kit holds as well',
  PASSPHRASE: 'the passphrase it was sealed with',
  RECIPIENT: 'the identity (AGE-SECRET-KEY-1…) of one of its recipients',
};

/** Everything about content throws DECRYPTION_FAILED and says what is needed. */
export class LockedBundleReader implements BundleReader {
  readonly manifest: Manifest;
  readonly signature: ManifestSignature;
  readonly locked = true;
  readonly #bundle: LockedBundle;

  constructor(bundle: LockedBundle) {
    this.#bundle = bundle;
    this.manifest = bundle.manifest;
    this.signature = bundle.signature;
  }

  entries(): AsyncIterable<EntryRecord> {
    return this.#refused();
  }

  readTable(): AsyncIterable<Buffer> {
    return this.#refused();
  }

  readRows(): AsyncIterable<Buffer> {
    return this.#refused();
  }

  async readSchema(): Promise<BundledSchema | null> {
    throw this.#refusal();
  }

  readFile(): AsyncIterable<Buffer> {
    return this.#refused();
  }

  async verifyContent(
    onProgress: OnBundleProgress,
    signal: AbortSignal,
    onDamage?: OnDamage,
  ): Promise<ContentReport> {
    const { file, payload, encryption, guide } = this.#bundle;
    const report = { contentChecked: false, entries: 1, rows: 0, bytes: 0, files: 0, tables: [] };
    const tell = (bytes: number): void => {
      report.bytes += bytes;
      onProgress({ bytes });
    };
    const checks = async function* (whole: AbortSignal) {
      const { entry, sha256 } = encryption.payload;
      const content = entryContent(file, payload.zip, whole);
      yield { entry, check: () => drain(hashed(content, sha256, entry), tell) };
      yield { entry: guide.name, check: () => drain(entryContent(file, guide, whole)) };
    };
    await checkSideBySide(checks, onDamage, signal);
    return report;
  }

  async close(): Promise<void> {
    await this.#bundle.file.close();
  }

  // biome-ignore lint/correctness/useYield: it ends before it gives anything out.
  async *#refused(): AsyncGenerator<never> {
    throw this.#refusal();
  }

  #refusal(): HoldfastError {
    const { encryption } = this.#bundle;
    const what = encryption.mode === 'KEY' ? `the key ${encryption.keyId}` : 'what opens it';
    return new HoldfastError('DECRYPTION_FAILED', `The bundle is sealed, and ${what} is not at hand.`, {
      hint: `Give ${NEEDED[encryption.mode]}.`,
    });
  }
}
