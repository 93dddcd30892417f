/** Global ids: base64url of `<type>:<id>`. Opaque to clients. */
import { HoldfastError } from '../errors.ts';

const NODE_TYPES = ['Source', 'Backup', 'Record'] as const;
/** Types a global id can name: the nodes, and what is no node but is referred to. */
export type IdType = (typeof NODE_TYPES)[number] | 'Upload' | 'TrustedSigner';

/** True when `node(id:)` can answer for this type. */
export function isNodeType(typename: string): boolean {
  return NODE_TYPES.some((type) => type === typename);
}

/** The id clients see. */
export function encodeGlobalId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString('base64url');
}

/** What a client's id names; two empty strings when it was not made here. */
export function decodeGlobalId(globalId: string): { typename: string; id: string } {
  const text = Buffer.from(globalId, 'base64url').toString();
  const colon = text.indexOf(':');
  if (colon < 1 || encodeGlobalId(text.slice(0, colon), text.slice(colon + 1)) !== globalId) {
    return { typename: '', id: '' };
  }
  return { typename: text.slice(0, colon), id: text.slice(colon + 1) };
}

/** The catalog's id when `globalId` names a `type`, else undefined. */
export function findId(type: IdType, globalId: string): string | undefined {
  const { typename, id } = decodeGlobalId(globalId);
  return typename === type && id !== '' ? id : undefined;
}

/**
 * The catalog's id of a `type`.
 * @throws {HoldfastError} NOT_FOUND when `globalId` names nothing of this type.
 */
export function idOf(type: IdType, globalId: string): string {
  const id = findId(type, globalId);
  if (id === undefined) {
    throw new HoldfastError('NOT_FOUND', `There is no ${type.toLowerCase()} with this id.`, {
      hint: `Pass the id exactly as the API gave it; it must be the id of a ${type.toLowerCase()}.`,
    });
  }
  return id;
}
