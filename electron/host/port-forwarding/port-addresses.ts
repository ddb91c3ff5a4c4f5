/** The addresses of this computer that a published port is on: the one that it needs, and one beside it. */
export const loopback = 'localhost';

/** Programs take `::1` for "localhost" first, so that IPv6 goes along where the address is not one of many. */
const beside: Record<string, [string, string]> = {
  '0.0.0.0': ['0.0.0.0', '::'],
  [loopback]: ['127.0.0.1', '::1'],
};

export function addressesOf(hostAddress: string): [needed: string, further?: string] {
  return beside[hostAddress] ?? [hostAddress];
}
