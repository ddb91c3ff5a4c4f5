/** A machine in this process: the agent's real SSH server, and a link to it through a line that can be cut. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelServices } from '../../../../agent/ssh/forward.ts';
import { prepareKeys } from '../../../../agent/ssh/keys.ts';
import { createSshServer } from '../../../../agent/ssh/server.ts';
import { createSshLink, type SshLink } from '../link.ts';

export interface SshMachine {
  directory: string;
  /** Where the stand-in of the engine has to listen. */
  apiSocketPath: string;
  link: SshLink;
  /** Breaks the connection; the link makes it again. */
  cut(): void;
  close(): Promise<void>;
}

export async function startSshMachine(services: ChannelServices = {}): Promise<SshMachine> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-forward-'));
  const apiSocketPath = join(directory, 'engine.sock');
  const keys = prepareKeys(join(directory, 'keys'));
  const server = createSshServer({
    ...keys,
    apiSocketPath,
    services,
    backend: {
      openShell: () => Promise.reject(new Error('no containers here')),
      isContainerAddress: () => false,
    },
  });
  const path = await server.listen({ path: join(directory, 'ssh.sock') });
  const lines = new Set<Socket>();
  const link = createSshLink({
    dial: () => {
      const line = connect(path);
      lines.add(line);
      return line;
    },
    hostPublicKey: readFileSync(`${keys.hostKeyPath}.pub`, 'utf8'),
    clientPrivateKey: readFileSync(keys.clientKeyPath, 'utf8'),
  });
  await link.connect();
  return {
    directory,
    apiSocketPath,
    link,
    cut: () => {
      for (const line of lines) line.destroy();
      lines.clear();
    },
    close: async () => {
      link.close();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
