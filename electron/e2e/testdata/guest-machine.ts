/** A virtual machine as the app makes it (electron/machine-factories.ts), in a directory of its own. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createForwarding } from '../../host/forwarding/forwarding.ts';
import { guestClock } from '../../host/host-settings/guest-clock.ts';
import { createMachine } from '../../host/machine/lifecycle.ts';
import type { Machine } from '../../host/machine/machine.ts';
import { qemuBackend } from '../../host/qemu/backend.ts';
import type { QemuMachineOptions } from '../../host/qemu/session.ts';
import { openFolderList } from '../../host/shared-folders/folder-list.ts';
import { createFolderSharing } from '../../host/shared-folders/share-folders.ts';

const base = join(import.meta.dirname, '..', '..', '..');
/** What scripts/vm-image built for a kind of processor. */
export const systemOf = (architecture: 'amd64' | 'arm64') =>
  join(base, 'dist/vm-image', architecture);
export const imageDirectory = systemOf(process.arch === 'arm64' ? 'arm64' : 'amd64');

export interface GuestMachine {
  machine: Machine;
  /** A folder of this computer that the machine has at the same path. */
  shared: string;
  /** The docker CLI's, so that it asks this machine. */
  environment: NodeJS.ProcessEnv;
  /** The docker CLI through this computer's socket. */
  docker(...words: string[]): Promise<string>;
  ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T>;
}

export function makeGuestMachine(
  directory: string,
  agentArguments: readonly string[],
  change: Partial<QemuMachineOptions> = {},
): GuestMachine {
  const apiSocketPath = join(directory, 'docker.sock');
  const shared = join(directory, 'shared');
  mkdirSync(shared);
  const listFile = join(directory, 'folders.json');
  writeFileSync(listFile, JSON.stringify({ folders: [{ path: shared, readOnly: false }] }));
  const { companion } = createForwarding({
    apiSocketPath,
    contextName: 'corten-vm-test',
    isGuest: true,
    environment: { DOCKER_CONFIG: join(directory, 'docker') },
  });
  assert.ok(companion);
  const machine = createMachine({
    backend: qemuBackend({
      directory: join(directory, 'machine'),
      runDirectory: join(directory, 'run'),
      imageDirectory,
      settings: {
        cpus: 2,
        memoryBytes: 768 * 1024 ** 2,
        diskBytes: 4 * 1024 ** 3,
        pauseAfterMs: null,
      },
      agentArguments,
      ...change,
    }),
    companions: [
      guestClock(),
      createFolderSharing({ list: openFolderList(listFile) }).companion,
      companion,
    ],
  });
  const environment = { ...process.env, DOCKER_HOST: `unix://${apiSocketPath}` };
  return {
    machine,
    shared,
    environment,
    async docker(...words) {
      const { stdout } = await promisify(execFile)('docker', words, {
        env: environment,
        encoding: 'utf8',
      });
      return stdout.trim();
    },
    async ask<T>(method: 'GET' | 'POST', path: string, body?: object) {
      const { status, body: answer } = await machine.engine().request({
        method,
        path,
        ...(body && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
      });
      const text = Buffer.from(answer).toString('utf8');
      assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
  };
}

/** A program that needs nothing of the image it runs in. */
export function buildStatic(source: string, program: string): void {
  execFileSync('gcc', ['-O1', '-static', '-o', program, source]);
}

/** Asks again until there is an answer: what is asked may have just begun. */
export async function answerOf<T>(question: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    await sleep(50);
  }
}
