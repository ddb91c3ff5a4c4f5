/** Creates, starts, awaits and removes a container of `/bin/true`: without a network, and with a published port. */
import { spawnSync } from 'node:child_process';
import { runOnce } from '../peers/engine-client.ts';
import { type Engine, starterImage } from '../peers/engines.ts';
import { type BenchmarkCase, goal, measureInTurns, type Result } from './measure.ts';

const floorLoops = 20;

export async function benchStart(engines: Engine[], runs: number): Promise<Result[]> {
  const bare = await measureInTurns([...cases(engines, bareSettings), floor()], runs);
  const published = await measureInTurns(cases(engines, publishedSettings), runs);
  return [
    {
      benchmark: 'start',
      what: 'create + start + wait + remove of /bin/true, no network',
      unit: 'ms',
      measurements: bare,
      goals: [
        ...goal(bare, 'dockerd', 1 / 20, 'under 1/20 of dockerd'),
        ...goal(bare, 'unshare', 3, 'under 3x the bare unshare floor'),
      ],
    },
    {
      benchmark: 'start-network',
      what: 'the same with a bridge network and a published port',
      unit: 'ms',
      measurements: published,
      goals: goal(published, 'dockerd', 1 / 15, 'under 1/15 of dockerd'),
    },
  ];
}

function bareSettings(): unknown {
  return { Image: starterImage, Cmd: ['/bin/true'], HostConfig: { NetworkMode: 'none' } };
}

function publishedSettings(): unknown {
  return {
    Image: starterImage,
    Cmd: ['/bin/true'],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '18080' }] } },
  };
}

function cases(engines: Engine[], settings: () => unknown): BenchmarkCase[] {
  return engines.map(({ name, client }) => ({ name, run: () => runOnce(client, settings()) }));
}

/** The same namespaces made by util-linux, as a lower bound of what the kernel alone needs. */
function floor(): BenchmarkCase {
  const loop = `i=0; while [ $i -lt ${floorLoops} ]; do unshare -mpiunC --fork /bin/true; i=$((i+1)); done`;
  return {
    name: 'unshare',
    // One shell runs them in a loop, so that its own start does not count.
    repeats: floorLoops,
    run: async () => {
      const { status } = spawnSync('sh', ['-c', loop]);
      if (status !== 0) throw new Error('unshare failed; are you root?');
    },
  };
}
