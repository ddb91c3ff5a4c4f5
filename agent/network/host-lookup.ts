/**
 * Does what `dns.lookup` does, but with the host's resolver while the host is connected: pulls must find a registry
 * that only the host's VPN knows.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { decodeAnswer, encodeQuery, RecordType, ResponseCode } from '../contract/dns-message.ts';
import type { HostResolver } from './host-resolver.ts';

export function hostLookup(resolver: Pick<HostResolver, 'ask' | 'isConnected'>): LookupFunction {
  return (name, options, done) => {
    if (isIP(name) !== 0 || !resolver.isConnected) {
      systemLookup(name, options, done);
      return;
    }
    const families = [4, 6].filter((family) => isWanted(options.family, family));
    Promise.all(families.map((family) => ask(resolver, name, family))).then((found) => {
      const addresses = found.flatMap((each) => each ?? []);
      const [first] = addresses;
      // The host did not answer, but the machine's own name servers may.
      if (found.some((each) => each === undefined)) systemLookup(name, options, done);
      else if (first === undefined) done(notFound(name), '');
      else if (options.all) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}

function isWanted(asked: number | string | undefined, family: number): boolean {
  return !asked || asked === family || asked === `IPv${family}`;
}

/** Returns `undefined` when the host did not answer. */
async function ask(
  resolver: Pick<HostResolver, 'ask'>,
  name: string,
  family: number,
): Promise<LookupAddress[] | undefined> {
  const type = family === 4 ? RecordType.a : RecordType.aaaa;
  const message = await resolver.ask(encodeQuery(name, type));
  const answer = message && decodeAnswer(message);
  if (
    answer === undefined ||
    !(answer.code === ResponseCode.ok || answer.code === ResponseCode.noSuchName)
  )
    return undefined;
  return answer.records
    .filter((record) => record.type === type && record.data.length === (family === 4 ? 4 : 16))
    .map(({ data }) => ({ address: family === 4 ? data.join('.') : ipv6Text(data), family }));
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index));
  return groups.map((group) => group.toString(16)).join(':');
}

function notFound(name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: name,
  });
}
