/** Everything that the renderer can ask for, once, for both shells. */
import type { ShellFacts } from '../contract/bridge.ts';
import type { HostChannels } from '../contract/host-channels.ts';
import type { Machine } from './machine/machine.ts';
import { openTerminal } from './terminal.ts';

export interface HostCoreOptions {
  machine: Machine;
  facts: ShellFacts;
  /** Shows a checked http(s) address in the person's browser. */
  openAddress(url: string): Promise<void>;
}

export function createHostCore({ machine, facts, openAddress }: HostCoreOptions): HostChannels {
  return {
    requests: {
      'engine.request': async (request) => machine.engine().request(request),
      'machine.state': async () => machine.state(),
      'machine.start': () => machine.start(),
      'machine.stop': () => machine.stop(),
      'shell.facts': async () => facts,
      'shell.open': async (url) => openAddress(webAddress(url)),
    },
    streams: {
      'engine.stream': (request, signal) => machine.engine().stream(request, signal),
      'machine.watch': (_request, signal) => machine.watch(signal),
    },
    duplexes: {
      'terminal.open': (request, emit) => openTerminal(machine.endpoint(), request, emit),
    },
  };
}

/** Any other scheme could start a program on the person's computer. */
function webAddress(text: string): string {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`Only http and https addresses are opened, not "${url.protocol}".`);
  return url.href;
}
