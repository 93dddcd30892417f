/** The bundle room's door: what app.ts hands to the engine. */
import type { BundleFormat, BundleLimits } from './bundle.ts';
import { createBundleWriter } from './bundle-writer.ts';
import { DEFAULT_LIMITS, DEFAULT_PART_BYTES } from './limits.ts';
import { openBundleReader } from './open-bundle-reader.ts';

/** What can be set about the format; everything has a default. */
export interface BundleFormatOptions {
  /** More JSON than this goes into another part of a table, bytes. */
  readonly partBytes?: number;
  /** Bounds of what is written, and of what is read unless a reader is opened with its own. */
  readonly limits?: Partial<BundleLimits>;
}

/** Makes a format with bounds of its own. */
export function createBundleFormat(options: BundleFormatOptions = {}): BundleFormat {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const partBytes = options.partBytes ?? DEFAULT_PART_BYTES;
  return {
    createWriter: (writer) => createBundleWriter(writer, { limits, partBytes }),
    openReader: (file, signal, own) =>
      openBundleReader(file, signal, { limits: { ...limits, ...own?.limits }, unlock: own?.unlock }),
  };
}

/** Format version 1 with the default bounds. */
export const bundleFormat: BundleFormat = createBundleFormat();
