/** `corten machine resize` */
import type { Command } from 'commander';
import type { MachineSettings } from '../../../electron/contract/machine.ts';
import { wrongUsage } from '../../failure.ts';
import type { Session } from '../../session.ts';
import { readCount, readSize } from '../../sizes.ts';

export function resize(machine: Command, session: Session): void {
  machine
    .command('resize')
    .description('change the size of one')
    .argument('<machine>', 'name or id')
    .option('--cpus <number>', 'processors', readCount)
    .option('--memory <size>', 'memory, such as 4g', readSize)
    .option('--disk <size>', 'disk, such as 100g; it can only become larger', readSize)
    .action(async (word: string, { cpus, memory, disk }) => {
      const settings: Partial<MachineSettings> = {
        ...(cpus !== undefined && { cpus }),
        ...(memory !== undefined && { memoryBytes: memory }),
        ...(disk !== undefined && { diskBytes: disk }),
      };
      if (Object.keys(settings).length === 0)
        throw wrongUsage('Nothing is to change.', 'Give --cpus, --memory or --disk.');
      const app = await session.app();
      const { id, name } = await app.machine(word);
      const { afterRestart } = await app.request('machine.change', { machine: id, settings });
      const later = afterRestart.length > 0 ? ': in force when it is started again' : '';
      session.print(`${name}${later}`);
    });
}
