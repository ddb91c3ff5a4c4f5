/** Create, start, wait and remove of `/bin/true`: without a network, and with a published port. */
import { spawnSync } from 'node:child_process';
import { runOnce } from '../peers/engine-client.ts';
import { type Engine, starterImage } from '../peers/engines.ts';
import { type Contestant, goal, type Result, race } from './measure.ts';

const floorLoops = 20;

export async function benchStart(engines: Engine[], runs: number): Promise<Result[]> {
  const bare = await race([...contestants(engines, bareSettings), floor()], runs);
  const published = await race(contestants(engines, publishedSettings), runs);
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

function contestants(engines: Engine[], settings: () => unknown): Contestant[] {
  return engines.map(({ name, client }) => ({ name, run: () => runOnce(client, settings()) }));
}

/** What the kernel alone takes, with util-linux: no engine can go below it by much. */
function floor(): Contestant {
  const loop = `i=0; while [ $i -lt ${floorLoops} ]; do unshare -mpiunC --fork /bin/true; i=$((i+1)); done`;
  return {
    name: 'unshare',
    // In a loop, so that starting the loop's shell is not part of the figure.
    repeats: floorLoops,
    run: async () => {
      const { status } = spawnSync('sh', ['-c', loop]);
      if (status !== 0) throw new Error('unshare failed; are you root?');
    },
  };
}
