/** The verb `events --stats`: prints usage once, as one JSON line in runc's format. */
import { conflict, invalid } from '../errors.ts';
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { print } from './print.ts';

export function eventsVerb({ store }: Context): Verb {
  return {
    takes: '<id>',
    about: 'print what a container uses (only with --stats)',
    options: { stats: { type: 'boolean' }, interval: { type: 'string' } },
    run(call) {
      const container = Container.open(store, onlyIdOf(call));
      if (!call.values.stats) throw invalid('only events --stats is supported');
      if (!container.isAlive()) throw conflict(`container "${container.id}" is not running`);
      const { cpu, memory, pids } = container.cgroup().usage();
      const data = {
        cpu: {
          usage: {
            total: cpu.totalNanos,
            percpu: cpu.perCpuNanos ?? [],
            kernel: cpu.systemNanos,
            user: cpu.userNanos,
          },
          throttling: {
            periods: cpu.periods,
            throttledPeriods: cpu.throttledPeriods,
            throttledTime: cpu.throttledNanos,
          },
        },
        memory: {
          usage: {
            limit: memory.limitBytes ?? 0,
            usage: memory.usageBytes,
            max: memory.maxUsageBytes ?? 0,
            failcnt: memory.failures,
          },
          raw: memory.stat,
        },
        pids: { current: pids.current, limit: pids.limit ?? 0 },
      };
      print(JSON.stringify({ type: 'stats', id: container.id, data }));
      return 0;
    },
  };
}
