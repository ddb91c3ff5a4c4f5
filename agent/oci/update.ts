/** The verb `update`: changes limits of a running container. */
import { readFileSync } from 'node:fs';
import type { OciResources } from '../contract/oci-runtime.ts';
import { conflict, invalid } from '../errors.ts';
import { type Call, idOf, numberOf, textOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { JsonReader } from './json-reader.ts';
import { applyOtherLimits, limitsOf } from './resources.ts';
import { readResources } from './resources-document.ts';

const number = { type: 'string' } as const;

export function updateVerb({ store }: Context): Verb {
  return {
    takes: '<id>',
    about: 'change the limits of a container',
    options: {
      resources: { type: 'string', short: 'r' },
      'blkio-weight': number,
      'cpu-period': number,
      'cpu-quota': number,
      'cpu-burst': number,
      'cpu-share': number,
      'cpu-idle': number,
      'cpu-rt-period': number,
      'cpu-rt-runtime': number,
      'cpuset-cpus': { type: 'string' },
      'cpuset-mems': { type: 'string' },
      memory: number,
      'memory-reservation': number,
      'memory-swap': number,
      'pids-limit': number,
    },
    run(call) {
      const container = Container.open(store, idOf(call));
      const status = container.status();
      if (status === 'stopped' || status === 'creating')
        throw conflict(`container "${container.id}" is ${status}; its limits cannot be changed`);
      const resources = resourcesOf(call);
      const cgroup = container.cgroup();
      cgroup.update(limitsOf(resources));
      applyOtherLimits(cgroup, resources);
      return 0;
    },
  };
}

function resourcesOf(call: Call): OciResources {
  const file = textOf(call, 'resources');
  if (file !== undefined) return readDocument(file === '-' ? 0 : file);
  return {
    blockIO: { weight: numberOf(call, 'blkio-weight') },
    cpu: {
      period: numberOf(call, 'cpu-period'),
      quota: numberOf(call, 'cpu-quota'),
      burst: numberOf(call, 'cpu-burst'),
      shares: numberOf(call, 'cpu-share'),
      idle: numberOf(call, 'cpu-idle'),
      realtimePeriod: numberOf(call, 'cpu-rt-period'),
      realtimeRuntime: numberOf(call, 'cpu-rt-runtime'),
      cpus: textOf(call, 'cpuset-cpus'),
      mems: textOf(call, 'cpuset-mems'),
    },
    memory: {
      limit: numberOf(call, 'memory'),
      reservation: numberOf(call, 'memory-reservation'),
      swap: numberOf(call, 'memory-swap'),
    },
    pids: { limit: numberOf(call, 'pids-limit') },
  };
}

function readDocument(file: string | number): OciResources {
  const text = readFileSync(file, 'utf8');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw invalid(`the document of --resources is not JSON: ${(error as Error).message}`, error);
  }
  return readResources(new JsonReader(document, 'resources'));
}
