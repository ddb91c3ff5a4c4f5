/** Limits that are neither the cgroup's nor rlimits: disk and network. */
import type { OtherLimitFact } from '../../contract/isolation.ts';
import type { NetworkRates, SpaceUsage } from '../../contract/limits.ts';

export interface NetworkLimit {
  network: string;
  rates: NetworkRates;
}

/** `space` is the usage of the writable layer. Undefined when the disk driver does not count. */
export function describeOtherLimits(
  space: SpaceUsage | undefined,
  networks: readonly NetworkLimit[],
): OtherLimitFact[] {
  return [describeDisk(space), ...networks.map(describeNetwork)];
}

function describeDisk(space: SpaceUsage | undefined): OtherLimitFact {
  const { maxBytes = null, maxInodes = null } = space ?? {};
  const isLimited = maxBytes !== null || maxInodes !== null;
  return {
    id: `other-limit.disk.${isLimited ? 'limited' : 'none'}`,
    name: 'disk',
    values: [
      { what: 'maxBytes', value: maxBytes },
      { what: 'maxInodes', value: maxInodes },
    ],
    meaning: isLimited
      ? 'How much its own files can take of the machine’s disk, so that it cannot fill it.'
      : 'Its own files can fill the disk that they lie on.',
  };
}

function describeNetwork({ network, rates }: NetworkLimit): OtherLimitFact {
  const { egressBytesPerSecond = null, ingressBytesPerSecond = null } = rates;
  const isLimited = egressBytesPerSecond !== null || ingressBytesPerSecond !== null;
  return {
    id: `other-limit.network.${isLimited ? 'limited' : 'none'}`,
    name: 'network',
    subject: network,
    values: [
      { what: 'egressBytesPerSecond', value: egressBytesPerSecond },
      { what: 'ingressBytesPerSecond', value: ingressBytesPerSecond },
    ],
    meaning: isLimited
      ? 'How fast it can send and receive there, so that it leaves something to others.'
      : 'It can send and receive there as fast as the machine can.',
  };
}
