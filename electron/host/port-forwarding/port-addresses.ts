/** The addresses of this computer that a published port listens on: the one asked for, and its IPv6 counterpart. */
export const loopback = 'localhost';

/** Many programs resolve "localhost" to `::1` first, so loopback and wildcard ports listen on IPv6 too. */
const beside: Record<string, [string, string]> = {
  '0.0.0.0': ['0.0.0.0', '::'],
  [loopback]: ['127.0.0.1', '::1'],
};

export function addressesOf(hostAddress: string): [needed: string, further?: string] {
  return beside[hostAddress] ?? [hostAddress];
}
