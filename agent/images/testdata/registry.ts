/** Debian's docker-registry on loopback, and a line to it that can be cut. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../network/testdata/free-port.ts';

/** The password is "secret"; bcrypt is all that the registry takes. */
const htpasswd = 'ann:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';

export interface TestRegistry {
  /** `127.0.0.1:5000`, the domain of its images. */
  domain: string;
  /** Where it keeps a blob's content. */
  blobPath: (digest: string) => string;
  stop: () => Promise<void>;
}

export async function startRegistry(
  directory: string,
  options: { password: boolean } = { password: false },
): Promise<TestRegistry> {
  mkdirSync(directory, { recursive: true });
  const domain = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(directory, 'htpasswd'), htpasswd);
  const auth = `auth: {htpasswd: {realm: corten, path: ${join(directory, 'htpasswd')}}}\n`;
  writeFileSync(
    join(directory, 'config.yml'),
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${join(directory, 'data')}}}
http: {addr: "${domain}"}
${options.password ? auth : ''}`,
  );
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: 'ignore',
  });
  await answering(domain, child);
  return {
    domain,
    blobPath: (digest) => {
      const hex = digest.slice('sha256:'.length);
      const blobs = join(directory, 'data/docker/registry/v2/blobs/sha256');
      return join(blobs, hex.slice(0, 2), hex, 'data');
    },
    stop: () =>
      new Promise((resolve) => {
        child.on('exit', () => resolve());
        child.kill();
      }),
  };
}

export interface CutLine {
  domain: string;
  /** Bytes that came from the registry so far. */
  receivedBytes: () => number;
  /** Cuts that have not happened yet. */
  cutsLeft: () => number;
  stop: () => void;
}

/** Cuts each of the first connections once so many bytes came through it; the later ones last. */
export async function cuttingProxy(target: string, cutAfterBytes: number[]): Promise<CutLine> {
  const sockets = new Set<Socket>();
  let received = 0;
  const cuts = [...cutAfterBytes];
  const server: Server = createServer((client) => {
    const [host, port] = target.split(':');
    const upstream = connect(Number(port), host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let through = 0;
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      received += chunk.length;
      through += chunk.length;
      client.write(chunk);
      if (cuts[0] !== undefined && through >= cuts[0]) {
        cuts.shift();
        client.destroySoon();
        upstream.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    domain: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    receivedBytes: () => received,
    cutsLeft: () => cuts.length,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function answering(domain: string, child: ChildProcess): Promise<void> {
  // It may start beside other work.
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    try {
      const response = await fetch(`http://${domain}/v2/`);
      await response.arrayBuffer();
      return;
    } catch {
      // Not listening yet.
      await sleep(50);
    }
  }
  throw new Error('docker-registry did not start');
}
