/** A container's resource usage, with the machine's counters that turn it into a percentage. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerUsage, NetworkUsage } from '../../api/containers/backend.ts';
import { type NetworkRates, nothingUsed } from '../../contract/limits.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { ticksPerSecond } from '../../kernel/process-stat.ts';
import { processorTicks } from '../../kernel/processor-times.ts';
import type { EngineContext } from '../context.ts';

const nanosPerTick = 1_000_000_000 / ticksPerSecond;

/** Returns zeroes for a container that does not run, as dockerd does. */
export function containerUsage(
  { containers, live, pressure }: Pick<EngineContext, 'containers' | 'live' | 'pressure'>,
  reference: string,
): ContainerUsage {
  const { id, state, settings } = containers.find(reference);
  const running = live.get(id);
  return {
    ...(pressure.usage(id) ?? nothingUsed),
    readAt: new Date(),
    status: state.status,
    // The sum includes idle time, as in Docker's `system_cpu_usage`.
    systemCpuNanos: processorTicks().reduce((sum, ticks) => sum + ticks, 0) * nanosPerTick,
    onlineCpus: availableParallelism(),
    networks:
      running === undefined || settings.network.mode === 'host'
        ? {}
        : interfacesOf(running.process.pid),
  };
}

/** Network rates of a container's process, in bytes per second, measured over 200 ms. */
export async function networkRates(pid: number): Promise<Required<NetworkRates>> {
  const count = () => {
    const all = Object.values(interfacesOf(pid));
    const sum = (of: 'rxBytes' | 'txBytes') => all.reduce((total, each) => total + each[of], 0);
    return { atMs: performance.now(), received: sum('rxBytes'), sent: sum('txBytes') };
  };
  const before = count();
  await sleep(200);
  const after = count();
  const seconds = (after.atMs - before.atMs) / 1000;
  return {
    egressBytesPerSecond: (after.sent - before.sent) / seconds,
    ingressBytesPerSecond: (after.received - before.received) / seconds,
  };
}

/** Counters of every interface except `lo` in the process's network namespace. */
function interfacesOf(pid: number): Record<string, NetworkUsage> {
  try {
    return parseInterfaces(readFileSync(`/proc/${pid}/net/dev`, 'utf8'));
  } catch (error) {
    // The process ended meanwhile.
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) return {};
    throw error;
  }
}

export function parseInterfaces(text: string): Record<string, NetworkUsage> {
  const interfaces: Record<string, NetworkUsage> = {};
  for (const line of text.split('\n').slice(2)) {
    const [name = '', counters] = line.split(':');
    if (counters === undefined || name.trim() === 'lo') continue;
    const values = counters.trim().split(/\s+/).map(Number);
    const at = (index: number) => values[index] ?? 0;
    interfaces[name.trim()] = {
      rxBytes: at(0),
      rxPackets: at(1),
      rxErrors: at(2),
      rxDropped: at(3),
      txBytes: at(8),
      txPackets: at(9),
      txErrors: at(10),
      txDropped: at(11),
    };
  }
  return interfaces;
}
