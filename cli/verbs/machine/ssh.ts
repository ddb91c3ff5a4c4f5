/** `corten machine ssh` */
import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import type { MachineView } from '../../../electron/contract/machines.ts';
import { CommandFailure } from '../../failure.ts';
import type { Session } from '../../session.ts';

export function ssh(machine: Command, session: Session): void {
  machine
    .command('ssh')
    .description('open a shell on a remote machine, with ssh(1)')
    .argument('<machine>', 'name or id')
    .argument('[command...]', 'instead of a shell')
    .passThroughOptions()
    .action(async (word: string, command: string[]) => {
      const words = sshWords(await (await session.app()).machine(word));
      session.exitCode = await new Promise<number>((resolve, reject) => {
        const child = spawn('ssh', [...words, ...command], { stdio: 'inherit' });
        child.once('error', reject);
        child.once('exit', (code) => resolve(code ?? 1));
      });
    });
}

/** The arguments of ssh(1) that lead to the machine. */
export function sshWords({
  name,
  kind,
  remote,
}: Pick<MachineView, 'name' | 'kind' | 'remote'>): string[] {
  if (remote === undefined)
    throw new CommandFailure(
      `${name} is of kind ${kind}, which has no shell of its own.`,
      'Open one in a container: `corten shell`.',
    );
  const { host, port, user, keyFile } = remote;
  return [
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(keyFile === undefined ? [] : ['-i', keyFile]),
    user === undefined ? host : `${user}@${host}`,
  ];
}
