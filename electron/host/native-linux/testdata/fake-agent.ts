/**
 * An agent without an engine: the real SSH server, a small HTTP server in the engine's place, and
 * shells of this machine in the containers' place. Started like the real one.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openShellOverExec } from '../../../../agent/ssh/exec-shells.ts';
import { prepareKeys } from '../../../../agent/ssh/keys.ts';
import { createSshServer } from '../../../../agent/ssh/server.ts';
import { HostExec } from '../../../../agent/ssh/testdata/host-exec.ts';

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: '' },
    run: { type: 'string', default: '' },
    fail: { type: 'boolean', default: false },
  },
});

if (values.fail) {
  process.stderr.write('corten: the kernel has no overlayfs\n');
  process.exit(3);
}

let openStreams = 0;
let writtenBytes = 0;
const api = createServer((incoming, response) => {
  if (incoming.url === '/_ping') response.end('OK');
  else if (incoming.url === '/missing') {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"message":"No such container: missing"}');
  } else if (incoming.url === '/figures')
    response.end(JSON.stringify({ openStreams, writtenBytes }));
  else if (incoming.url === '/ticks') {
    openStreams += 1;
    response.once('close', () => {
      openStreams -= 1;
    });
    let tick = 0;
    const timer = setInterval(() => response.write(`${tick++}\n`), 5);
    response.once('close', () => clearInterval(timer));
  } else if (incoming.url === '/flood') {
    // 50 MB, each piece only when the last one was taken.
    const piece = Buffer.alloc(64 * 1024, 'f');
    let left = 800;
    const more = () => {
      while (left > 0) {
        left -= 1;
        writtenBytes += piece.length;
        if (!response.write(piece)) {
          response.once('drain', more);
          return;
        }
      }
      response.end();
    };
    more();
  } else incoming.pipe(response);
});

mkdirSync(values.run, { recursive: true });
const apiSocketPath = join(values.run, 'docker.sock');
rmSync(apiSocketPath, { force: true });
await new Promise<void>((resolve) => api.listen(apiSocketPath, resolve));

const keys = prepareKeys(join(values.root, 'ssh'));
const server = createSshServer({
  ...keys,
  apiSocketPath,
  sockets: { 'ssh.sock': async () => join(values.run, 'ssh.sock') },
  backend: { openShell: openShellOverExec(new HostExec()), isContainerAddress: () => false },
});
const ssh = await server.listen({ path: join(values.run, 'ssh.sock') });
process.stdout.write(`${JSON.stringify({ event: 'ready', socket: apiSocketPath, ssh })}\n`);
process.once('SIGTERM', () => process.exit(0));
