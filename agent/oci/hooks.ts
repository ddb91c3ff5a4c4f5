/** Runs hooks (config.md, "POSIX-platform Hooks") in order, with the container's state on stdin. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { OciHook, OciHookName, OciHooks } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { memoryFile, sealedFile } from '../kernel/memfd.ts';
import { type HookProcess, runInContainer, type Tools } from '../runtime/detached.ts';
import type { Container, Status } from './container.ts';

/** Number of bytes of a hook's stderr that an error quotes. */
const quotedBytes = 2048;

interface Occasion {
  name: OciHookName;
  hooks: OciHooks | undefined;
  container: Container;
  status: Status;
}

/** Runs hooks in the runtime's namespaces. Throws at the first failure. */
export function runHooks(occasion: Occasion): void {
  for (const hook of occasion.hooks?.[occasion.name] ?? []) runHere(occasion, hook);
}

/** Does the same, but a failure only warns and the other hooks still run. */
export function tryHooks(occasion: Occasion, warn: (text: string) => void): void {
  for (const hook of occasion.hooks?.[occasion.name] ?? []) {
    try {
      runHere(occasion, hook);
    } catch (error) {
      warn((error as Error).message);
    }
  }
}

/**
 * Runs hooks in the namespaces of the container's process; with `rights` they are programs of its root, which the
 * image contains. Throws at the first failure.
 */
export async function runHooksInside(
  occasion: Occasion,
  tools: Tools,
  rights?: HookProcess['rights'],
): Promise<void> {
  for (const hook of occasion.hooks?.[occasion.name] ?? [])
    await runInside(occasion, hook, tools, rights);
}

function runHere({ name, container, status }: Occasion, hook: OciHook): void {
  withFiles(container.state(status), (stdin, stderr) => {
    const [argv0, ...args] = argumentsOf(hook);
    const {
      error,
      status: code,
      signal,
    } = spawnSync(hook.path, args, {
      argv0,
      env: environmentOf(hook),
      cwd: container.record.bundle,
      stdio: [stdin, 'ignore', stderr],
      killSignal: 'SIGKILL',
      ...(hook.timeout !== undefined && { timeout: hook.timeout * 1000 }),
    });
    const timedOut = error !== undefined && 'code' in error && error.code === 'ETIMEDOUT';
    if (timedOut) throw failure(name, hook, `took longer than ${hook.timeout} s`, stderr);
    if (error !== undefined) throw failure(name, hook, error.message, stderr);
    if (code !== 0) throw failure(name, hook, `ended with ${signal ?? code}`, stderr);
  });
}

async function runInside(
  { name, container, status }: Occasion,
  hook: OciHook,
  tools: Tools,
  rights: HookProcess['rights'],
) {
  // Inside, the state contains the PID of the process's own namespace (runtime.md, "State").
  const state = container.state(status, container.record.pidInside);
  await withFiles(state, async (stdin, stderr) => {
    const nothing = openSync('/dev/null', constants.O_WRONLY);
    try {
      const code = await runInContainer(tools, container.handle(), {
        program: hook.path,
        args: argumentsOf(hook),
        env: hook.env ?? (rights === undefined ? callersEnvironment() : []),
        stdioFds: [stdin, nothing, stderr],
        runDirectory: join(container.directory, 'hook'),
        timeoutMs: hook.timeout === undefined ? undefined : hook.timeout * 1000,
        rights,
      });
      if (code === undefined)
        throw failure(name, hook, `took longer than ${hook.timeout} s`, stderr);
      if (code !== 0) throw failure(name, hook, `ended with ${code}`, stderr);
    } finally {
      closeSync(nothing);
      rmSync(join(container.directory, 'hook'), { recursive: true, force: true });
    }
  });
}

function argumentsOf({ path, args }: OciHook): [string, ...string[]] {
  const [argv0 = path, ...rest] = args ?? [];
  return [argv0, ...rest];
}

/** Without an environment of its own a hook on the machine gets the caller's, as in runc and crun. */
function environmentOf({ env = callersEnvironment() }: OciHook): Record<string, string> {
  const pairs = env.map((pair) => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

function callersEnvironment(): string[] {
  // These variables of scripts/oci-runtime concern only this command.
  const { NODE_COMPILE_CACHE: _, CORTEN_CALLERS_FDS: __, ...env } = process.env;
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

/**
 * Passes the state as a file, so that a hook that does not read it breaks no pipe, and stderr as a file: a process
 * that a hook leaves behind would hold a pipe open forever.
 */
function withFiles<T>(state: object, use: (stdin: number, stderr: number) => T): T {
  const stdin = sealedFile('state', Buffer.from(JSON.stringify(state)));
  const stderr = memoryFile('hook-stderr');
  const close = () => {
    closeSync(stdin);
    closeSync(stderr);
  };
  let result: T;
  try {
    result = use(stdin, stderr);
  } catch (error) {
    close();
    throw error;
  }
  if (!(result instanceof Promise)) close();
  else return result.finally(close) as T;
  return result;
}

function failure(name: string, { path }: OciHook, reason: string, stderr: number): CortenError {
  const text = Buffer.alloc(Math.min(fstatSync(stderr).size, quotedBytes));
  readSync(stderr, text, 0, text.length, 0);
  const said = text.length === 0 ? '' : `: ${text.toString('utf8').trim()}`;
  return new CortenError('invalid', `the ${name} hook ${path} ${reason}${said}`);
}
