/**
 * What `linux.namespaces` lists (config-linux.md, "Namespaces"). Only this file reads that list.
 */
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';

type Listing = Pick<OciSpec, 'linux'>;

/**
 * Whether a type is listed, as a new namespace or another's. Otherwise the runtime's own is used.
 */
export function isListed({ linux }: Listing, type: OciNamespaceType): boolean {
  return linux.namespaces.some((namespace) => namespace.type === type);
}

/** Whether a type is listed without a path. Callers in Go write an empty path. */
export function isNew({ linux }: Listing, type: OciNamespaceType): boolean {
  return linux.namespaces.some((namespace) => namespace.type === type && !namespace.path);
}

/** The namespaces of others that the container joins. */
export function joinedNamespaces({ linux }: Listing): { type: OciNamespaceType; path: string }[] {
  return linux.namespaces.flatMap(({ type, path }) => (path ? [{ type, path }] : []));
}

/** Otherwise the container's root is not the root of its mount namespace. */
export function ownsMounts(spec: Listing): boolean {
  return isNew(spec, 'mount');
}
