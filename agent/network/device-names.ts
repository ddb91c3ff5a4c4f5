/**
 * Names of our devices. They carry the agent's suffix, so that two agents on a machine never touch
 * each other's, and an agent that restarts knows its own. At most 15 bytes (IFNAMSIZ).
 */
import { createHash } from 'node:crypto';
import { invalid } from '../errors.ts';

export interface DeviceNames {
  table: string;
  bridge(networkId: string, networkName: string): string;
  veth(endpointId: string): string;
  /** What an endpoint sends is led through it while its rate is limited. */
  shaper(endpointId: string): string;
  /** Both, which its rates are kept by. */
  rateDevices(endpointId: string): { veth: string; shaper: string };
  isBridge(name: string): boolean;
  isVeth(name: string): boolean;
  isShaper(name: string): boolean;
}

/** The network that containers join when nobody says otherwise; Docker's name for it. */
export const defaultNetworkName = 'bridge';

export function deviceNames(suffix: string): DeviceNames {
  if (!/^[0-9a-z]{1,5}$/.test(suffix))
    throw invalid(`device suffix "${suffix}" must be one to five small letters or digits`);
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

/** A suffix for an agent whose state lives in `root`. */
export const suffixOf = (root: string) => short(root, 5);

const short = (text: string, length: number) =>
  createHash('sha256').update(text).digest('hex').slice(0, length);
