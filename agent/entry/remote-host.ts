/**
 * A program that the app runs on a remote host with an SSH command: it connects to the agent's sockets when the
 * host's sshd refuses stream-local forwarding, and it stops all containers before the engine is removed.
 */
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const usage = `Usage: main.js bridge SOCKET          standard input and output to a unix socket
       main.js wait SOCKET SECONDS    until an SSH server answers there
       main.js running API-SOCKET     prints how many containers run
       main.js stop-all API-SOCKET    stops every container that runs
`;

const retryMs = 50;

try {
  await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

async function run([verb, socket = '', seconds = '60']: string[]): Promise<void> {
  switch (verb) {
    case 'bridge':
      return bridge(socket);
    case 'wait':
      return waitFor(socket, Number(seconds));
    case 'running':
      process.stdout.write(`${(await runningIds(socket)).length}\n`);
      return;
    case 'stop-all':
      await Promise.all((await runningIds(socket)).map((id) => stop(socket, id)));
      return;
    default:
      process.stderr.write(usage);
      process.exitCode = 2;
  }
}

function bridge(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('close', () => {
      // A standard input that stays open would keep this process alive.
      process.stdin.destroy();
      resolve();
    });
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
}

/** The file of a socket may be stale, and a dying process still accepts: only the SSH server's first bytes count. */
async function waitFor(path: string, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    if (await sendsBytes(path)) return;
    if (performance.now() > deadline)
      throw new Error(`Nothing answered at ${path} for ${seconds} seconds.`);
    await sleep(retryMs);
  }
}

function sendsBytes(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (hasAnswered: boolean) => {
      socket.destroy();
      resolve(hasAnswered);
    };
    socket.setTimeout(3000, () => finish(false));
    socket.once('data', () => finish(true));
    socket.once('end', () => finish(false));
    socket.once('error', () => finish(false));
  });
}

async function runningIds(socketPath: string): Promise<string[]> {
  const filters = encodeURIComponent('{"status":["running","paused","restarting"]}');
  const containers = (await engineRequest(
    socketPath,
    'GET',
    `/containers/json?filters=${filters}`,
  )) as {
    Id: string;
  }[];
  return containers.map(({ Id }) => Id);
}

async function stop(socketPath: string, id: string): Promise<void> {
  await engineRequest(socketPath, 'POST', `/containers/${id}/stop`);
}

function engineRequest(socketPath: string, method: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path }, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        const { statusCode = 0 } = response;
        // The engine answers 304 when the container has stopped by itself meanwhile.
        if (statusCode >= 400) reject(new Error(`The engine answered ${path} with ${statusCode}.`));
        else resolve(text === '' ? undefined : JSON.parse(text));
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}
