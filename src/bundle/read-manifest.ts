/** manifest.json from bytes that nobody vouches for. */
import { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import { checkUnique } from './check-unique.ts';
import { DEEPEST_JSON, MOST_JSON_OBJECTS } from './limits.ts';
import { FORMAT_VERSION, type Manifest, manifestSchema, oldestReadBy } from './manifest.ts';
import { malformedBundle } from './refusal.ts';

/** All that can be expected of a manifest of any version. */
const anyVersion = z.looseObject({ formatVersion: z.int().positive() });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = new Set(['[', '{'].map((bracket) => bracket.charCodeAt(0)));
const CLOSING = new Set([']', '}'].map((bracket) => bracket.charCodeAt(0)));

/** Every bracket outside of strings. */
function* brackets(json: Buffer): Generator<number> {
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPENING.has(byte) || CLOSING.has(byte)) yield byte;
  }
}

/** Before anything is parsed. @throws INVALID_MANIFEST for more objects and lists, or deeper ones, than there may be */
function checkNesting(json: Buffer): void {
  let depth = 0;
  let opened = 0;
  for (const bracket of brackets(json)) {
    depth += OPENING.has(bracket) ? 1 : -1;
    if (depth > DEEPEST_JSON) throw malformedBundle('its manifest is nested too deep');
    if (OPENING.has(bracket) && ++opened > MOST_JSON_OBJECTS) {
      throw malformedBundle('its manifest holds too many objects');
    }
  }
}

function parseJson(json: Buffer): unknown {
  checkNesting(json);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (error) {
    throw malformedBundle('its manifest is no JSON', error);
  }
}

/**
 * Refuses a version outside of the window.
 * @param newest the version that the reader writes itself
 * @throws FORMAT_TOO_NEW, FORMAT_TOO_OLD
 */
export function checkFormatVersion(formatVersion: number, newest: number = FORMAT_VERSION): void {
  if (formatVersion > newest) {
    throw new HoldfastError(
      'FORMAT_TOO_NEW',
      `The bundle has format version ${formatVersion}; this Holdfast reads up to ${newest}.`,
      { hint: 'Update Holdfast, then try again.' },
    );
  }
  const oldest = oldestReadBy(newest);
  if (formatVersion < oldest) {
    throw new HoldfastError(
      'FORMAT_TOO_OLD',
      `The bundle has format version ${formatVersion}; this Holdfast reads from ${oldest} on.`,
      { hint: 'Restore it with an older Holdfast, or by hand as its RESTORE.md says.' },
    );
  }
}

/**
 * Reads a manifest; the version is looked at before anything else, so that a bundle of another age is told apart
 * from a damaged one.
 * @throws FORMAT_TOO_NEW, FORMAT_TOO_OLD, INVALID_MANIFEST
 */
export function readManifest(bytes: Buffer): Manifest {
  const json = parseJson(bytes);
  const loose = anyVersion.safeParse(json);
  if (!loose.success) throw malformedBundle('its manifest tells no format version');
  const { formatVersion } = loose.data;
  checkFormatVersion(formatVersion);
  const manifest = manifestSchema.safeParse(json);
  if (manifest.success) {
    checkUnique(manifest.data);
    return manifest.data;
  }
  const [issue] = manifest.error.issues;
  const where = issue === undefined ? '' : ` at ${issue.path.join('.') || 'its top'}: ${issue.message}`;
  throw malformedBundle(`its manifest is malformed${where.slice(0, 300)}`, manifest.error);
}
