/**
 * Names of the agent's network devices. They contain the agent's suffix, so that two agents on one machine never
 * touch each other's devices, and a restarted agent knows its own. A name has at most 15 bytes (IFNAMSIZ).
 */
import { createHash } from 'node:crypto';
import { invalid } from '../errors.ts';

export interface DeviceNames {
  table: string;
  bridge(networkId: string, networkName: string): string;
  veth(endpointId: string): string;
  /** Name of the ifb device that queues what the endpoint sends while its rate is limited. */
  shaper(endpointId: string): string;
  /** Names of both devices that limit the endpoint's rates. */
  rateDevices(endpointId: string): { veth: string; shaper: string };
  isBridge(name: string): boolean;
  isVeth(name: string): boolean;
  isShaper(name: string): boolean;
}

/** Docker's name of the network that containers join by default. */
export const defaultNetworkName = 'bridge';

export function deviceNames(suffix: string): DeviceNames {
  if (!/^[0-9a-z]{1,5}$/.test(suffix))
    throw invalid(`device suffix "${suffix}" must be one to five lower-case letters or digits`);
  const veth = (endpointId: string) => `cv${suffix}-${short(endpointId, 7)}`;
  const shaper = (endpointId: string) => `cs${suffix}-${short(endpointId, 7)}`;
  return {
    table: `corten_${suffix}`,
    bridge: (networkId, networkName) =>
      networkName === defaultNetworkName ? `ct${suffix}-0` : `ct${suffix}-${short(networkId, 7)}`,
    veth,
    shaper,
    rateDevices: (endpointId) => ({ veth: veth(endpointId), shaper: shaper(endpointId) }),
    isBridge: (name) => name.startsWith(`ct${suffix}-`),
    isVeth: (name) => name.startsWith(`cv${suffix}-`),
    isShaper: (name) => name.startsWith(`cs${suffix}-`),
  };
}

/** Suffix of the agent whose state directory is `root`. */
export const suffixOf = (root: string) => short(root, 5);

const short = (text: string, length: number) =>
  createHash('sha256').update(text).digest('hex').slice(0, length);
