/** A person at the app who adds a remote host, says yes to one that is not known, and mistypes a password once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { MachineQuestion } from '../../../contract/machines.ts';
import { createMachine } from '../../machine/lifecycle.ts';
import type { Machine } from '../../machine/machine.ts';
import { type RemoteBackend, type RemoteMachineOptions, remoteBackend } from '../backend.ts';
import type { Bundle } from '../install.ts';

export interface Person {
  machine: Machine;
  asked: MachineQuestion['kind'][];
}

/** Whose machine may come to be at another address. */
export interface MovingPerson extends Person {
  moveTo: RemoteBackend['moveTo'];
}

/** Where the host is: its sshd on 127.0.0.1, and a home whose `.ssh` opens it. */
export interface ReachedHost {
  port: number;
  home: string;
}

const repository = resolve(import.meta.dirname, '../../../..');

export function makeBundle(): Bundle {
  const manifest = execFileSync(join(repository, 'scripts/remote-bundle'), { encoding: 'utf8' });
  const { version, sizeBytes, sha256, architecture } = JSON.parse(manifest);
  const path = join(repository, 'dist/remote', architecture, 'bundle.tar.gz');
  return { version, sizeBytes, sha256, path };
}

function answerTo(question: MachineQuestion): string {
  if (question.kind !== 'sudo') return 'yes';
  return question.wrong ? 'open sesame' : 'open semolina';
}

export function personAt(
  host: ReachedHost,
  bundle: Bundle,
  options: Partial<RemoteMachineOptions> = {},
): MovingPerson {
  const backend = remoteBackend({
    address: { host: '127.0.0.1', port: host.port, user: 'root' },
    knownHostsFile: join(host.home, 'app-known-hosts'),
    bundleFor: async () => bundle,
    home: host.home,
    ...options,
  });
  const machine = createMachine({ backend });
  const asked: Person['asked'] = [];
  void (async () => {
    let last: string | undefined;
    for await (const { question } of machine.watch(new AbortController().signal))
      if (question !== undefined && question.id !== last) {
        last = question.id;
        asked.push(question.kind);
        setImmediate(() => machine.answer(question.id, answerTo(question)));
      }
  })();
  return { machine, asked, moveTo: backend.moveTo };
}

export async function connected(person: Person): Promise<Person> {
  const state = await person.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  return person;
}

export async function engine<T>({ machine }: Person, path: string, body?: object): Promise<T> {
  const response = await machine.engine().request({
    method: body === undefined ? 'GET' : 'POST',
    path,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = new TextDecoder().decode(response.body);
  assert.ok(response.status < 400, `${path}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

export async function runContainer(on: Person, name: string, settings = {}): Promise<void> {
  await engine(on, `/containers/create?name=${name}`, {
    Image: 'corten/starter:latest',
    Cmd: ['sleep', '600'],
    StopSignal: 'SIGKILL',
    ...settings,
  });
  await engine(on, `/containers/${name}/start`, {});
}

export const isRunning = async (on: Person, name: string) =>
  (await engine<{ State: { Running: boolean } }>(on, `/containers/${name}/json`)).State.Running;
