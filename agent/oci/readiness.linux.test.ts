/** NOTIFY_SOCKET of the caller: what of the container's words goes on, and how long `start` lasts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../e2e/until.ts';
import {
  bindDatagrams,
  connectDatagrams,
  receiveDatagram,
  sendDatagram,
} from '../kernel/datagram-socket.ts';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());
const said = join(bench.root, '..', 'said');
const program = join(import.meta.dirname, '../../scripts/oci-runtime');

/** Somebody who manages services. */
class Manager {
  readonly socket = join(bench.root, '..', 'manager');
  readonly #fd = bindDatagrams(this.socket);

  async hears(): Promise<string> {
    for (;;) {
      const text = this.hasHeard();
      if (text !== undefined) return text;
      await sleep(20);
    }
  }

  hasHeard(): string | undefined {
    return receiveDatagram(this.#fd, 1000)?.toString();
  }

  /** With every descriptor that came and nobody took. */
  close(): void {
    closeSync(this.#fd);
  }
}

/** Its caller's NOTIFY_SOCKET is `socket`; what it writes goes to the file `said`. */
function command(socket: string, ...args: string[]): ChildProcess {
  const fd = openSync(said, 'w');
  const child = spawn(program, ['--root', bench.root, ...args], {
    stdio: ['ignore', fd, 'inherit'],
    env: { ...process.env, NOTIFY_SOCKET: socket },
  });
  closeSync(fd);
  return child;
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('exit', resolve));
}

/** Into the socket that the container's program finds. */
async function say(id: string, inside: string, text: string): Promise<void> {
  const { pid } = JSON.parse(bench.ok('state', id));
  const path = `/proc/${pid}/root${inside}/notify`;
  await until(() => existsSync(path));
  const fd = connectDatagrams(path);
  sendDatagram(fd, text);
  closeSync(fd);
}

test('start lasts until the container is ready, and nothing else of what it says goes on', async () => {
  const manager = new Manager();
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  const made = command(manager.socket, 'run', '--detach', '--bundle', bundle.path, bundle.id);
  const code = ended(made);
  for (;;) {
    const { status, stdout } = bench.oci('state', bundle.id);
    if (status === 0 && JSON.parse(stdout).status === 'running') break;
    assert.equal(made.exitCode, null);
    await sleep(20);
  }
  await say(bundle.id, manager.socket, 'STATUS=hello\nSTOPPING=1\nMAINPID=1');
  await say(bundle.id, manager.socket, 'NOTREADY=1\nREADY=10');
  // Somebody else's commands are not held up.
  assert.equal(bench.ok('exec', bundle.id, 'echo', 'in'), 'in\n');
  assert.equal(made.exitCode, null);
  await say(bundle.id, manager.socket, 'STATUS=up\nREADY=1\n');
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  assert.equal(await manager.hears(), `READY=1\nMAINPID=${pid}`);
  assert.equal(await manager.hears(), 'BARRIER=1');
  manager.close();
  assert.equal(await code, 0);
  bench.ok('delete', '--force', bundle.id);
});

test('a container finds its folder read-only, and the variable names the socket', async () => {
  const manager = new Manager();
  const script = 'echo $NOTIFY_SOCKET; cd $(dirname $NOTIFY_SOCKET); ls; touch mine 2>&1';
  const bundle = bench.bundle(['/bin/sh', '-c', script]);
  const child = command(manager.socket, 'run', '--bundle', bundle.path, bundle.id);
  // It ends without having been ready, and so does the command.
  assert.equal(await ended(child), 1);
  const [name, list, refusal] = readFileSync(said, 'utf8').split('\n');
  assert.equal(name, `${manager.socket}/notify`);
  assert.equal(list, 'notify');
  assert.match(refusal ?? '', /Read-only file system/);
  assert.equal(manager.hasHeard(), undefined);
  manager.close();
});

test('create and start: only who starts it with the variable waits', async () => {
  const manager = new Manager();
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  assert.equal(
    await ended(command(manager.socket, 'create', '--bundle', bundle.path, bundle.id)),
    0,
  );
  const start = ended(command(manager.socket, 'start', bundle.id));
  await bench.until(bundle.id, 'running');
  await say(bundle.id, manager.socket, 'READY=1');
  assert.match(await manager.hears(), /^READY=1\n/);
  manager.close();
  assert.equal(await start, 0);
  bench.ok('delete', '--force', bundle.id);
  // Nobody made a socket for this one, so there is nothing to wait for.
  const other = bench.bundle(['/bin/sleep', '1000']);
  bench.create(other);
  assert.equal(await ended(command(manager.socket, 'start', other.id)), 0);
  bench.ok('delete', '--force', other.id);
});

test('a container that has a NOTIFY_SOCKET of its own keeps it', async () => {
  const manager = new Manager();
  const own = '/run/notify/notify.sock';
  const bundle = bench.bundle(['/bin/sh', '-c', 'env | grep -c NOTIFY; echo $NOTIFY_SOCKET'], {
    process: { env: ['PATH=/bin', `NOTIFY_SOCKET=${own}`] },
  });
  const child = command(manager.socket, 'run', '--bundle', bundle.path, bundle.id);
  assert.equal(await ended(child), 0);
  assert.equal(readFileSync(said, 'utf8'), `1\n${own}\n`);
  manager.close();
});
