/** `corten limits` */
import { defaultPeriodMicros, type Limits } from '../../agent/contract/limits.ts';
import { withNextStep } from '../engine/each-container.ts';
import { type LimitOptions, limitsChange, withLimitOptions } from '../engine/limit-options.ts';
import { formatBytes } from '../sizes.ts';
import { aligned } from '../table.ts';
import type { Verb } from '../verb.ts';

export const limitsVerb: Verb = (program, session) => {
  const command = program
    .command('limits')
    .description('show the limits of a container, or change them while it runs')
    .argument('<container>', 'name or id')
    .option('--json', "the engine's own document, as JSON");
  withLimitOptions(command).action(
    async (container: string, { json, ...change }: LimitOptions & { json?: boolean }) => {
      const engine = await session.engine();
      const path = `/corten/v1/containers/${encodeURIComponent(container)}/limits`;
      try {
        const before = await engine.ask<Limits>('GET', path);
        if (Object.keys(change).length > 0)
          await engine.ask('POST', path, limitsChange(change, before));
        const limits = await engine.ask<Limits>('GET', path);
        if (json) session.printJson(limits);
        else session.print(aligned(rows(limits)));
      } catch (error) {
        throw withNextStep(error, 1);
      }
    },
  );
};

function rows({ cpu, memory, pids, disk }: Limits): string[][] {
  const none = 'not limited';
  const size = (bytes: number | null | undefined) => (bytes == null ? none : formatBytes(bytes));
  const { quotaMicros, periodMicros } = cpu ?? {};
  const cpus =
    quotaMicros == null ? none : `${quotaMicros / (periodMicros ?? defaultPeriodMicros)} CPUs`;
  return [
    ['CPU limit', cpus],
    ['Memory limit', size(memory?.maxBytes)],
    ['Process limit', pids == null ? none : String(pids)],
    ['Disk limit', size(disk?.maxBytes)],
  ];
}
