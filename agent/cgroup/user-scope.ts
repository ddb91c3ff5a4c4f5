/**
 * A control group for an ordinary user's agent, where systemd runs: a scope of the user's own manager that is
 * handed over with all below it (systemd.scope(5); Delegate= in systemd.resource-control(5)). It lives as long
 * as anything in it, and an agent that is started again goes to where its containers still run.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../kernel/libc.ts';
import { hasSystemd } from '../kernel/systemd.ts';
import { writeControl } from './control-file.ts';
import { unifiedPath } from './delegated.ts';
import { leafName } from './delegation.ts';

/** Calls systemd's manager. Tests replace it. */
export type CallManager = (method: string, ...words: readonly string[]) => void;

const mount = '/sys/fs/cgroup';
/** How long to wait for the manager, in milliseconds, on a busy machine. */
const patienceMs = 20_000;
const pauseMs = 20;

/**
 * Moves this process into a scope, whose name is kept in `run`. Returns undefined on success or
 * without systemd, otherwise the reason.
 */
export async function joinUserScope(
  run: string,
  call: CallManager = callManager,
): Promise<string | undefined> {
  if (!hasSystemd() || !existsSync(`${mount}/cgroup.controllers`)) return undefined;
  const record = join(run, 'scope');
  try {
    if (goBack(recordedScope(record), call)) return undefined;
    const scope = `corten-${randomBytes(6).toString('hex')}.scope`;
    call('StartTransientUnit', ...newScope(scope));
    await arrived(scope);
    makeLeaf();
    writeFileSync(record, scope, { mode: 0o600 });
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Moves into the leaf, because the scope takes no processes once containers have cgroups below it.
 */
function goBack(scope: string, call: CallManager): boolean {
  if (scope === '') return false;
  try {
    call('AttachProcessesToUnit', 'ssau', scope, `/${leafName}`, '1', String(process.pid));
    return true;
  } catch {
    // The scope ended with its last process.
    return false;
  }
}

function newScope(name: string): string[] {
  const properties = [
    ['PIDs', 'au', '1', String(process.pid)],
    ['Delegate', 'b', 'true'],
    ['Description', 's', 'Corten containers'],
    // Containers have limits of their own; DefaultTasksMax is meant for one program.
    ['TasksMax', 't', '18446744073709551615'],
    ['CollectMode', 's', 'inactive-or-failed'],
  ];
  const count = String(properties.length);
  return ['ssa(sv)a(sa(sv))', name, 'fail', count, ...properties.flat(), '0'];
}

/** The manager answers before it has moved the process. */
async function arrived(scope: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (basename(ownPath()) !== scope) {
    if (performance.now() > deadline)
      throw new Error(`systemd did not start ${scope} within ${patienceMs / 1000} s`);
    await sleep(pauseMs);
  }
}

function makeLeaf(): void {
  const leaf = `${mount}${ownPath()}/${leafName}`;
  mkdirSync(leaf);
  writeControl(leaf, 'cgroup.procs', process.pid);
}

const ownPath = () => unifiedPath(readFileSync('/proc/self/cgroup', 'utf8'));

function recordedScope(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

/**
 * Uses the bus of this process's user, even after `su`, which leaves another's in the environment.
 */
function callManager(method: string, ...words: readonly string[]): void {
  const runtime = `/run/user/${process.getuid?.()}`;
  const systemd = 'org.freedesktop.systemd1';
  const place = [systemd, '/org/freedesktop/systemd1', `${systemd}.Manager`];
  execFileSync('busctl', ['--user', '--quiet', 'call', ...place, method, ...words], {
    env: {
      ...process.env,
      XDG_RUNTIME_DIR: runtime,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${runtime}/bus`,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
}

function reasonOf(error: unknown): string {
  if (hasErrno(error, 'ENOENT')) return 'busctl is missing, which asks systemd for one';
  if (!(error instanceof Error)) return String(error);
  const said = 'stderr' in error ? String(error.stderr).trim().replace(/\.$/, '') : '';
  return said === '' ? error.message : `your systemd was asked for one and refused (${said})`;
}
