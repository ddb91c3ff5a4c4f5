/** Where a machine's `docker.sock` is on this computer, and what its context is called. */
import { join } from 'node:path';
import type { MachineEntry } from './contract/machines.ts';
import { createForwarding, type Forwarding } from './host/forwarding/forwarding.ts';
import type { Toggle } from './host/machine/toggle.ts';

export interface ForwardingPaths {
  /** A short path: a socket's has at most 107 bytes, on macOS 103. */
  socketDirectory: string;
  /** Whether published ports are on this computer; they are when nothing is said. */
  ports?: Toggle;
  environment?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
}

/** For every machine but this computer's own engine, whose socket is the agent's. */
export function forwardingFor(entry: MachineEntry, paths: ForwardingPaths): Forwarding {
  const { socketDirectory, platform = process.platform, ...others } = paths;
  return createForwarding({
    ...others,
    apiSocketPath:
      platform === 'win32'
        ? `\\\\.\\pipe\\corten-${entry.id}`
        : join(socketDirectory, `${entry.id}.sock`),
    contextName: contextNameOf(entry),
    isGuest: entry.kind !== 'remote',
  });
}

/** docker/cli takes letters, digits and `_.+-`. The id tells two machines of one name apart. */
function contextNameOf({ id, name, kind }: MachineEntry): string {
  if (kind !== 'remote') return id === 'local' ? 'corten' : `corten-${id}`;
  const word = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return word === '' ? `corten-${id}` : `corten-${word}-${id}`;
}
