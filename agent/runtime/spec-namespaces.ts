/** What `linux.namespaces` says of each kind (config-linux.md, "Namespaces"). Nothing else reads that list. */
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';

type Listing = Pick<OciSpec, 'linux'>;

/** Listed, be it a new one or another's: not the one that the runtime is in. */
export function isListed({ linux }: Listing, type: OciNamespaceType): boolean {
  return linux.namespaces.some((namespace) => namespace.type === type);
}

/** Listed without a path, which callers in Go write as an empty one. */
export function isNew({ linux }: Listing, type: OciNamespaceType): boolean {
  return linux.namespaces.some((namespace) => namespace.type === type && !namespace.path);
}

/** Those of others that it is to be in. */
export function joinedNamespaces({ linux }: Listing): { type: OciNamespaceType; path: string }[] {
  return linux.namespaces.flatMap(({ type, path }) => (path ? [{ type, path }] : []));
}

/** Else its root is not the root of the mount namespace that it is in. */
export function ownsMounts(spec: Listing): boolean {
  return isNew(spec, 'mount');
}
