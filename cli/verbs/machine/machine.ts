/** `corten machine …`: the machines of the running app, over the bridge that the UI speaks. */
import { type Command, Option } from 'commander';
import type { MachineKind } from '../../../electron/contract/machines.ts';
import { CommandFailure, wrongUsage } from '../../failure.ts';
import type { Session } from '../../session.ts';
import { formatBytes } from '../../sizes.ts';
import { table } from '../../table.ts';
import type { Verb } from '../../verb.ts';
import { resize } from './resize.ts';
import { ssh } from './ssh.ts';

const machineKinds: MachineKind[] = ['qemu', 'wsl2', 'apple', 'remote'];

export const machineVerbs: Verb = (program, session) => {
  const machine = program.command('machine').description('the machines that run containers');
  for (const add of [list, create, start, stop, resize, compact, remove, ssh])
    add(machine, session);
};

function list(machine: Command, session: Session): void {
  machine
    .command('list')
    .description('list them')
    .option('--json', 'as JSON')
    .action(async ({ json }) => {
      const machines = await (await session.app()).machines();
      if (json) return session.printJson(machines);
      const rows = machines.map(({ id, name, kind, state }) => [id, name, kind, state.status]);
      session.print(table(['ID', 'NAME', 'KIND', 'STATUS'], rows));
    });
}

function create(machine: Command, session: Session): void {
  machine
    .command('create')
    .description('add one')
    .argument('<name>', 'its name')
    .addOption(
      new Option('--kind <kind>', 'default: the virtual machine that this app makes').choices(
        machineKinds,
      ),
    )
    .option('--host <host>', 'only for remote: as it stands after ssh, such as me@server')
    .action(async (name: string, { kind: chosen, host }: { kind?: MachineKind; host?: string }) => {
      if (chosen === 'remote' && host === undefined)
        throw wrongUsage('A remote machine needs --host.');
      const app = await session.app();
      const kind = kindFor(chosen, (await app.machineList()).kinds);
      const [, user, address = ''] = /^(?:([^@]+)@)?(.+)$/.exec(host ?? '') ?? [];
      const remote = { host: address, ...(user !== undefined && { user }) };
      const entry = { name, kind, ...(kind === 'remote' && { remote }) };
      session.print((await app.request('machines.add', entry)).id);
    });
}

/** Throws a failure where the app makes no machine of that kind, or no virtual machine at all. */
function kindFor(chosen: MachineKind | undefined, kinds: readonly MachineKind[]): MachineKind {
  const kind = chosen ?? kinds.find((each) => each !== 'remote');
  if (kind !== undefined && kinds.includes(kind)) return kind;
  throw new CommandFailure(
    kind === undefined
      ? 'This app makes no virtual machines: the engine runs on this Linux itself.'
      : `This app makes no machines of kind ${kind}, only ${kinds.join(', ')}.`,
    'Start it with `corten start --kind qemu`, or add another computer with --kind remote.',
  );
}

function start(machine: Command, session: Session): void {
  machine
    .command('start')
    .description('start one')
    .argument('<machine>', 'name or id')
    .action(async (word: string) => {
      const app = await session.app();
      const { id, name } = await app.machine(word);
      const { failure } = await app.request('machine.start', { machine: id });
      if (failure !== undefined) throw new CommandFailure(failure.cause, failure.nextStep);
      session.print(name);
    });
}

function stop(machine: Command, session: Session): void {
  machine
    .command('stop')
    .description('stop one, with its containers')
    .argument('<machine>', 'name or id')
    .option('-f, --force', 'as if its power were cut')
    .action(async (word: string, { force = false }: { force?: boolean }) => {
      const app = await session.app();
      const { id, name } = await app.machine(word);
      await app.request('machine.stop', { machine: id, force });
      session.print(name);
    });
}

function compact(machine: Command, session: Session): void {
  machine
    .command('compact')
    .description("give back what the disk's file takes and nothing uses")
    .argument('<machine>', 'name or id')
    .action(async (word: string) => {
      const app = await session.app();
      const { id } = await app.machine(word);
      let freedBytes = 0;
      for await (const progress of app.stream('machine.compact', { machine: id }))
        ({ freedBytes } = progress as { freedBytes: number });
      session.print(`${formatBytes(freedBytes)} freed.`);
    });
}

function remove(machine: Command, session: Session): void {
  machine
    .command('delete')
    .description('remove one; its images, containers and volumes stay unless --state is given')
    .argument('<machine>', 'name or id')
    .option('--state', 'also its images, containers and volumes')
    .action(async (word: string, { state = false }: { state?: boolean }) => {
      const app = await session.app();
      const { id, name, removable } = await app.machine(word);
      if (!removable) throw new CommandFailure(`${name} cannot be removed.`);
      await app.request('machine.remove', { machine: id, state });
      session.print(name);
    });
}
