/** The verb `exec`: runs a further process in a container. */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pid as processId } from 'node:process';
import { withPlacement } from '../cgroup/placement.ts';
import { variableName, withoutThoseOf } from '../contract/environment.ts';
import type { OciProcess, OciSpec } from '../contract/oci-runtime.ts';
import { conflict, invalid } from '../errors.ts';
import { execDetached } from '../runtime/detached.ts';
import { parseConfig } from './bundle.ts';
import { type Call, idOf, type Options, textOf, textsOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { Foreground } from './foreground.ts';
import { withHome } from './home-variable.ts';
import { joinRdtPlace } from './intel-rdt.ts';
import { JsonReader } from './json-reader.ts';
import { readProcess } from './process-document.ts';
import {
  checkConsole,
  handTerminalOver,
  processOptions,
  processPlace,
  writePidFile,
} from './process-options.ts';
import { rightsOf, withChangedRights } from './rights.ts';

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;

const execOptions = {
  process: { type: 'string', short: 'p' },
  detach: { type: 'boolean', short: 'd' },
  tty: { type: 'boolean', short: 't' },
  cwd: text,
  env: { ...texts, short: 'e' },
  user: { type: 'string', short: 'u' },
  'additional-gids': { ...texts, short: 'g' },
  cap: { ...texts, short: 'c' },
  'no-new-privs': { type: 'boolean' },
  'ignore-paused': { type: 'boolean' },
  cgroup: text,
  apparmor: text,
  'process-label': text,
  ...processOptions,
} as const satisfies Options;

export function execVerb(context: Context): Verb {
  return {
    takes: '<id> [program [argument …]]',
    about: 'run one more process in a container',
    options: execOptions,
    run: (call) => exec(context, call),
  };
}

async function exec(context: Context, call: Call): Promise<number> {
  const container = Container.open(context.store, idOf(call));
  checkStatus(container, call);
  const place = processPlace(call, context.log.warn);
  const { spec } = parseConfig(context.store.configText(container.id), '/', () => {});
  const process = withHome(processOf(call, spec, context), `/proc/${container.handle().pid}/root`);
  const detached = call.values.detach === true;
  checkConsole(process.terminal, place.consoleSocket, detached);
  const foreground = detached ? undefined : new Foreground();
  const { pid, terminalFd } = await startIn(context, container, spec, process, {
    preservedFds: place.preservedFds.fds,
    below: textOf(call, 'cgroup'),
  });
  if (terminalFd !== undefined && place.consoleSocket !== undefined)
    handTerminalOver(terminalFd, place.consoleSocket);
  if (place.pidFile !== undefined) writePidFile(place.pidFile, pid);
  return foreground?.wait(pid, place.consoleSocket === undefined ? terminalFd : undefined) ?? 0;
}

function checkStatus(container: Container, { values }: Call): void {
  const status = container.status();
  if (status === 'paused' && !values['ignore-paused'])
    throw conflict(`container "${container.id}" is paused; resume it, or use --ignore-paused`);
  if (status === 'stopped' || status === 'creating')
    throw conflict(`container "${container.id}" is ${status}; nothing can be run in it`);
}

async function startIn(
  context: Context,
  container: Container,
  spec: OciSpec,
  process: OciProcess,
  { preservedFds, below }: { preservedFds: readonly number[]; below: string | undefined },
) {
  const runDirectory = join(container.directory, `exec-${randomUUID()}`);
  const { rdt } = container.record;
  // A new process is in this command's RDT class.
  if (rdt !== undefined) joinRdtPlace(rdt, processId);
  try {
    return await withPlacement(
      container.cgroup(),
      async (placement) =>
        execDetached(await context.tools(), container.handle(), {
          ...rightsOf(container, spec, process, placement),
          runDirectory,
          stdioFds: [0, 1, 2],
          preservedFds,
        }),
      { below, beside: container.record.process?.pid },
    );
  } finally {
    // The shim has ended, and nobody needs its files.
    rmSync(runDirectory, { recursive: true, force: true });
  }
}

/** Process of the exec: from a document, or the container's process with the changes of options. */
function processOf(call: Call, spec: OciSpec, { log }: Context): OciProcess {
  const file = textOf(call, 'process');
  if (file !== undefined) return readDocument(file, log.warn);
  const args = call.words.slice(1);
  if (args.length === 0) throw invalid('give the program to run, or a document with --process');
  const own = spec.process;
  const process: OciProcess = {
    ...own,
    args,
    terminal: call.values.tty === true,
    cwd: textOf(call, 'cwd') ?? own.cwd,
    env: replaced(own.env, textsOf(call, 'env')),
    user: userOf(call, own.user),
  };
  const changed = {
    capabilities: textsOf(call, 'cap'),
    noNewPrivileges: call.values['no-new-privs'] === true,
    apparmorProfile: textOf(call, 'apparmor'),
    selinuxLabel: textOf(call, 'process-label'),
  };
  return withChangedRights(process, changed, log.warn);
}

/** Programs use the first of two variables with one name, so that the old one must be replaced. */
function replaced(env: readonly string[], changes: readonly string[]): string[] {
  const last = changes.filter(
    (pair, index) =>
      changes.findLastIndex((other) => variableName(other) === variableName(pair)) === index,
  );
  return [...withoutThoseOf(env, changes), ...last];
}

function readDocument(file: string, warn: (text: string) => void): OciProcess {
  const content = readFileSync(file, 'utf8');
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch (error) {
    throw invalid(`${file} is not JSON: ${(error as Error).message}`, error);
  }
  return readProcess(new JsonReader(document, 'process'), warn);
}

/** Parses `uid[:gid]`. */
function userOf(call: Call, own: OciProcess['user']): OciProcess['user'] {
  const chosen = textOf(call, 'user');
  const groups = textsOf(call, 'additional-gids').flatMap((list) => list.split(','));
  const [uid, gid, rest] = (chosen ?? `${own.uid}:${own.gid}`).split(':');
  if (rest !== undefined) throw invalid(`--user takes uid[:gid], not "${chosen}"`);
  return {
    ...own,
    uid: idFrom(uid, '--user'),
    gid: gid === undefined ? own.gid : idFrom(gid, '--user'),
    additionalGids: [
      ...(own.additionalGids ?? []),
      ...groups.map((group) => idFrom(group, '--additional-gids')),
    ],
  };
}

function idFrom(word: string | undefined, option: string): number {
  if (word === undefined || !/^\d{1,10}$/.test(word))
    throw invalid(`${option} takes numbers, not "${word}"`);
  return Number(word);
}
