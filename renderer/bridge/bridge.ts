/** The one bridge to the host that everything in the renderer speaks through. main.tsx provides it. */
import type { Bridge } from '../../electron/contract/bridge.ts';

let provided: Bridge | undefined;

export function provideBridge(bridge: Bridge): void {
  provided = bridge;
}

export function host(): Bridge {
  if (!provided) throw new Error('No bridge was provided: call provideBridge first.');
  return provided;
}
