/** EXPOSE: `80`, `53/udp`, `8000-8003/tcp`; addresses and ports of the host, which mean nothing there, are read past. */
import { isIP } from 'node:net';
import { rules } from '../../dockerfile/lint-rules.ts';
import type { Linter } from '../../dockerfile/linter.ts';
import type { ParsedInstruction } from '../../dockerfile/parser.ts';

/** `80/tcp` for each port. Throws an Error. */
export function exposedPorts(text: string, { range }: ParsedInstruction, linter: Linter): string[] {
  const { address, hostPort, containerPort } = partsOf(text);
  const [ports = '', protocol = 'tcp'] = cut(containerPort, '/');
  if (ports === '') throw new Error(`invalid port: ${JSON.stringify(text)}: no port specified`);
  const lower = (protocol || 'tcp').toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(lower))
    throw new Error(`invalid port: ${JSON.stringify(text)}: invalid proto: ${protocol}`);
  if (protocol !== protocol.toLowerCase())
    linter.run(
      rules.exposeProtoCasing,
      range,
      `Defined protocol '${text}' in EXPOSE instruction should be lowercase`,
    );
  if (address !== '' || hostPort !== '')
    linter.run(
      rules.exposeInvalidFormat,
      range,
      `EXPOSE instruction should not define an IP address or host-port mapping, found '${text}'`,
    );
  if (address !== '' && isIP(address.replace(/^\[(.*)\]$/, '$1')) === 0)
    throw new Error(`invalid IP address: ${address}`);
  const [first, last] = portRange(ports, 'containerPort');
  if (hostPort !== '') {
    const [hostFirst, hostLast] = portRange(hostPort, 'hostPort');
    if (last !== first && last - first !== hostLast - hostFirst)
      throw new Error(
        `invalid ranges specified for container and host Ports: ${ports} and ${hostPort}`,
      );
  }
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${lower}`);
}

function partsOf(text: string): { address: string; hostPort: string; containerPort: string } {
  const parts = text.split(':');
  const containerPort = parts.pop()!;
  const hostPort = parts.pop() ?? '';
  return { address: parts.join(':'), hostPort, containerPort };
}

const highestPort = 65_535;

function portRange(text: string, what: string): [first: number, last: number] {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const from = Number(first);
  const to = Number(last);
  if (!(from <= to && to <= highestPort)) throw new Error(`invalid ${what}: ${text}`);
  return [from, to];
}

function cut(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
