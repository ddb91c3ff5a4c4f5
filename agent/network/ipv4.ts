/** Parses and formats IPv4 addresses and subnets as numbers, as strictly as inet_pton(3). */
import { invalid } from '../errors.ts';

export interface Subnet {
  /** Address of the network, with the host bits cleared. */
  base: number;
  prefixLength: number;
}

export function parseAddress(address: string): number {
  const parts = address.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256))
    throw invalid(`"${address}" is not an IPv4 address; write four numbers like 172.20.0.5`);
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** The address in network byte order, as netlink expects it. */
export function addressBytes(address: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(parseAddress(address), 0);
  return bytes;
}

export function parseSubnet(subnet: string): Subnet {
  const [address, prefix, rest] = subnet.split('/');
  if (rest !== undefined || prefix === undefined || !/^\d{1,2}$/.test(prefix) || +prefix > 32)
    throw invalid(`"${subnet}" is not an IPv4 subnet; write it like 172.20.0.0/16`);
  const prefixLength = Number(prefix);
  return { base: baseOf(parseAddress(address ?? ''), prefixLength), prefixLength };
}

export const formatSubnet = (subnet: Subnet) =>
  `${formatAddress(subnet.base)}/${subnet.prefixLength}`;

export const sizeOf = (subnet: Subnet) => 2 ** (32 - subnet.prefixLength);

export const lastOf = (subnet: Subnet) => subnet.base + sizeOf(subnet) - 1;

export const contains = (subnet: Subnet, address: number) =>
  address >= subnet.base && address <= lastOf(subnet);

export const overlaps = (a: Subnet, b: Subnet) => a.base <= lastOf(b) && b.base <= lastOf(a);

function baseOf(address: number, prefixLength: number): number {
  const size = 2 ** (32 - prefixLength);
  return address - (address % size);
}
