/**
 * What the app asks of a remote host beside the agent, over a plain SSH command: a way to the agent's
 * sockets where the host's sshd opens none, and an orderly end of containers before the engine goes.
 */
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const usage = `Usage: main.js bridge SOCKET          standard input and output to a unix socket
       main.js wait SOCKET SECONDS    until an SSH server greets there
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
      // Else a standard input that stays open keeps this process.
      process.stdin.destroy();
      resolve();
    });
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
}

/** A socket file says nothing, and a process that just dies still accepts: only a greeting counts. */
async function waitFor(path: string, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    if (await greets(path)) return;
    if (performance.now() > deadline)
      throw new Error(`Nothing answered at ${path} for ${seconds} seconds.`);
    await sleep(retryMs);
  }
}

function greets(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(3000, () => answer(false));
    socket.once('data', () => answer(true));
    socket.once('end', () => answer(false));
    socket.once('error', () => answer(false));
  });
}

async function runningIds(socketPath: string): Promise<string[]> {
  const filters = encodeURIComponent('{"status":["running","paused","restarting"]}');
  const containers = (await ask(socketPath, 'GET', `/containers/json?filters=${filters}`)) as {
    Id: string;
  }[];
  return containers.map(({ Id }) => Id);
}

async function stop(socketPath: string, id: string): Promise<void> {
  await ask(socketPath, 'POST', `/containers/${id}/stop`);
}

function ask(socketPath: string, method: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path }, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        const { statusCode = 0 } = response;
        // 304: it has stopped by itself meanwhile.
        if (statusCode >= 400) reject(new Error(`The engine answered ${path} with ${statusCode}.`));
        else resolve(text === '' ? undefined : JSON.parse(text));
      });
    });
    asked.once('error', reject);
    asked.end();
  });
}
