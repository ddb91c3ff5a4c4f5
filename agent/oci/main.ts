/**
 * The OCI runtime command: runs containers of a bundle by the runtime specification, with the same runtime as the
 * engine. Only this file of the folder constructs and wires.
 */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { CortenError, invalid } from '../errors.ts';
import { ociVersion } from '../runtime/default-spec.ts';
import type { Tools } from '../runtime/detached.ts';
import {
  type Call,
  type Options,
  parseAnywhere,
  parseOptions,
  textOf,
  type Verb,
} from './command-line.ts';
import { ContainerStore } from './container-store.ts';
import type { Context } from './context.ts';
import { createLog, type Log } from './log.ts';
import { print } from './print.ts';

const packageFile = findPackageJSON(import.meta.url) ?? 'package.json';
const defaultRoot = '/run/corten-oci';

const globalOptions = {
  root: { type: 'string', default: defaultRoot },
  log: { type: 'string' },
  'log-format': { type: 'string', default: 'text' },
  debug: { type: 'boolean' },
  'systemd-cgroup': { type: 'boolean' },
  // crun has another option for the same choice.
  'cgroup-manager': { type: 'string', default: 'cgroupfs' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies Options;

/** Verbs are loaded on demand, because callers start this command several times per container. */
const verbs: Record<string, (context: Context) => Promise<Verb>> = {
  create: async (context) => (await import('./create.ts')).createVerb(context),
  start: async (context) => (await import('./start.ts')).startVerb(context),
  state: async (context) => (await import('./state.ts')).stateVerb(context),
  kill: async (context) => (await import('./kill.ts')).killVerb(context),
  delete: async (context) => (await import('./delete.ts')).deleteVerb(context),
  run: async (context) => (await import('./run.ts')).runVerb(context),
  exec: async (context) => (await import('./exec.ts')).execVerb(context),
  ps: async (context) => (await import('./ps.ts')).psVerb(context),
  list: async (context) => (await import('./list.ts')).listVerb(context),
  pause: async (context) => (await import('./pause.ts')).pauseVerb(context),
  resume: async (context) => (await import('./resume.ts')).resumeVerb(context),
  update: async (context) => (await import('./update.ts')).updateVerb(context),
  events: async (context) => (await import('./events.ts')).eventsVerb(context),
  checkpoint: async () => (await import('./checkpoint.ts')).checkpointVerb,
  restore: async () => (await import('./checkpoint.ts')).restoreVerb,
  features: async () => (await import('./features.ts')).featuresVerb,
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let log: Log = createLog({ file: undefined, format: 'text' });
  try {
    const call = parseOptions(args, globalOptions);
    const format = textOf(call, 'log-format');
    if (format !== 'text' && format !== 'json')
      throw invalid(`--log-format takes text or json, not "${format}"`);
    log = createLog({ file: textOf(call, 'log'), format });
    const context: Context = {
      store: new ContainerStore(resolve(textOf(call, 'root') ?? defaultRoot)),
      log,
      tools: lazily(openTools),
    };
    const [name, ...rest] = call.words;
    if (call.values.version) return printed(version());
    if (call.values.help || name === undefined) return printed(await usage(context));
    refuseOtherManagers(call);
    const verb = verbs[name];
    if (verb === undefined)
      throw invalid(`there is no command "${name}"\n\n${await usage(context)}`);
    return await run(name, await verb(context), rest);
  } catch (error) {
    log.error(error);
    return 1;
  }
}

/** Throws invalid unless cgroups are to be written through cgroupfs. */
function refuseOtherManagers(call: Call): void {
  const manager = textOf(call, 'cgroup-manager') ?? 'cgroupfs';
  if (!call.values['systemd-cgroup'] && manager === 'cgroupfs') return;
  const asked = call.values['systemd-cgroup'] ? '--systemd-cgroup' : `--cgroup-manager ${manager}`;
  throw invalid(`${asked} is not supported: choose the cgroupfs driver in the caller`);
}

async function run(name: string, verb: Verb, args: readonly string[]): Promise<number> {
  const options = { ...verb.options, help: { type: 'boolean', short: 'h' } } as const;
  // Parameters after the program's name belong to the program.
  const call =
    name === 'exec' || name === 'ps' ? parseOptions(args, options) : parseAnywhere(args, options);
  if (call.values.help) return printed(`Usage: oci-runtime ${name} [option …] ${verb.takes}\n`);
  if (process.getuid?.() !== 0 && name !== 'features')
    throw new CortenError('forbidden', 'creating containers needs root');
  return verb.run(call);
}

async function openTools(): Promise<Tools> {
  const { openProcfs } = await import('../kernel/procfs.ts');
  const { ShimStarter } = await import('../runtime/shim.ts');
  const procFd = openProcfs();
  const shimPath = join(dirname(packageFile), 'dist/shim/shim');
  return { procFd, starter: new ShimStarter(shimPath, procFd) };
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function printed(text: string): number {
  print(text);
  return 0;
}

function version(): string {
  const { version: own } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  return `oci-runtime version ${own}\nspec: ${ociVersion}`;
}

async function usage(context: Context): Promise<string> {
  const lines = Object.entries(verbs).map(async ([name, load]) => {
    const { takes, about } = await load(context);
    return `  ${`${name} ${takes}`.padEnd(36)}${about}`;
  });
  return `Usage: oci-runtime [--root DIR] [--log FILE] [--log-format text|json] COMMAND …

${(await Promise.all(lines)).join('\n')}`;
}
