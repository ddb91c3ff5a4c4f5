/** Normalises and limits names inside a layer, and recognises whiteouts (OCI layer.md). */
import type { FileName } from '../kernel/files.ts';
import { LayerError } from './layer-error.ts';

/** The kernel accepts paths of up to 4096 bytes with the NUL (path_resolution(7)). */
const maxPathBytes = 4095;
const maxDepth = 256;

const whiteoutPrefix = '.wh.';
/** Prefix of AUFS's own files, which Docker ignores too; only `.wh..wh..opq` of them has a meaning. */
const auxiliaryPrefix = '.wh..wh.';
const opaqueMarker = '.wh..wh..opq';

/**
 * Components of a name. Names are relative to the layer's root, even with a leading slash: ko and `tar -P` write them
 * so, and all tools read them so. Throws LayerError for a name that climbs above the root.
 */
export function componentsOf(name: string): string[] {
  if (name.length > maxPathBytes)
    throw new LayerError('a path is longer than the kernel takes', name);
  if (name.includes('\0')) throw new LayerError('a path holds a NUL', name);
  const components: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') components.push(part);
    else if (components.pop() === undefined) throw new LayerError('a path leaves the layer', name);
  }
  if (components.length > maxDepth)
    throw new LayerError(`a path is nested more than ${maxDepth} deep`, name);
  return components;
}

export type Marking =
  | { kind: 'none' }
  | { kind: 'opaque' }
  | { kind: 'whiteout'; name: string }
  | { kind: 'auxiliary' };

/** Meaning of a base name: a file, a whiteout or one of AUFS's own. */
export function markingOf(base: string, wholeName: string): Marking {
  if (base === opaqueMarker) return { kind: 'opaque' };
  if (base.startsWith(auxiliaryPrefix)) return { kind: 'auxiliary' };
  if (!base.startsWith(whiteoutPrefix)) return { kind: 'none' };
  const name = base.slice(whiteoutPrefix.length);
  if (name === '' || name === '.' || name === '..')
    throw new LayerError('a whiteout names nothing', wholeName);
  return { kind: 'whiteout', name };
}

/** Converts bytes (one character each) to what the kernel takes; ASCII stays a string. */
export function kernelName(bytes: string): FileName {
  return /^[\x01-\x7f]*$/.test(bytes) ? bytes : Buffer.from(`${bytes}\0`, 'latin1');
}
