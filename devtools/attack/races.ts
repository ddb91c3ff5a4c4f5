/**
 * A hostile container changes what a path means while the engine works with it. How often each race
 * is run is bounded: enough that an engine which resolves a path twice was caught every time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs } from '../../agent/e2e/patience.ts';
import type { EngineClient } from '../peers/engine-client.ts';
import { Box, probeInside, withBox, within } from './box.ts';
import type { Outside } from './outside.ts';
import { NotTriedError, refusal, type Scenario } from './scenario.ts';

const rounds = { starts: 15, execs: 20, copies: 60, ends: 5 };
/**
 * So many times these where every round was refused: of Corten's starts three in four are, so that
 * fifteen in a row are no wonder.
 */
const patience = 10;
/** Within which an engine answers that does not wait for ever. */
const answerMs = patienceMs / 4;

/** A directory and a link to outside that change places all the time, in the volume `/data`. */
function swapper(outside: Outside): string[] {
  const make = `mkdir real && echo harmless > real/secret && ln -s ${outside.path} other`;
  return ['sh', '-c', `cd /data && ${make} && exec ${probeInside} attack-swap real other`];
}

/** How often the engine did what was asked for, with the harmless one of the two. */
class Normal {
  #count = 0;

  /** The same output, for what looks at it next. */
  see<T extends string | Buffer>(output: T): T {
    if (output.includes('harmless')) this.#count++;
    return output;
  }

  get count(): number {
    return this.#count;
  }
}

export const races: Scenario[] = [
  {
    name: 'mounts below a path that is swapped during the start (CVE-2021-30465, 2024-45310)',
    run: (client, outside) =>
      besideSwapper(client, outside, rounds.starts, async ({ round, normal, volume }) => {
        // One at a time: a directory that must be made, a file that must be made, one that is there.
        const target = `/data/real/made${round}`;
        const mounts = [
          { Tmpfs: { [target]: '' } },
          { Binds: [`/dev/null:${target}`] },
          { Tmpfs: { '/data/real': '' } },
        ];
        const HostConfig = {
          Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }],
          ...mounts[round % mounts.length],
        };
        const Cmd = ['cat', '/data/real/secret', '/data/other/secret', '/proc/self/mountinfo'];
        return runAndLook(client, outside, normal, { Cmd, HostConfig });
      }),
  },
  {
    name: 'the working directory is swapped during the start',
    run: (client, outside) =>
      besideSwapper(client, outside, rounds.starts, async ({ round, normal, volume }) => {
        const HostConfig = { Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }] };
        const WorkingDir = round % 2 === 0 ? '/data/real' : `/data/real/made${round}`;
        const Cmd = ['cat', 'secret', '../secret'];
        return runAndLook(client, outside, normal, { Cmd, WorkingDir, HostConfig });
      }),
  },
  {
    name: 'the working directory is swapped during an exec',
    run: (client, outside) =>
      besideSwapper(client, outside, rounds.execs, async ({ normal, box }) => {
        let output = '';
        await refusal(
          box.exec(['cat', 'secret'], { WorkingDir: '/data/real' }).then((text) => {
            output = text;
          }),
        );
        return outside.reached(normal.see(output));
      }),
  },
  {
    name: 'a path is swapped during a copy out (CVE-2018-15664)',
    run: (client, outside) =>
      besideSwapper(client, outside, rounds.copies, async ({ round, normal, box }) => {
        const path = ['/data/real/secret', '/data/real', '/data'][round % 3] ?? '';
        return outside.reached(normal.see(await box.get(path).catch(() => '')));
      }),
  },
  {
    name: 'a path is swapped during a copy in (CVE-2018-15664)',
    run: (client, outside) =>
      besideSwapper(client, outside, rounds.copies, async ({ round, normal, box }) => {
        const path = ['/data/real', '/data'][round % 2] ?? '';
        const name = path === '/data' ? 'real/secret' : 'secret';
        const put = box.put(path, [{ name, content: 'overwritten' }, { name: `${name}2` }]);
        if ((await refusal(put)) === undefined) normal.see('harmless');
        return outside.changed();
      }),
  },
  {
    name: '/etc/passwd is swapped for a file outside during an exec',
    run: (client, outside) =>
      hostileRoot(client, ['/etc/passwd', '/etc/passwd2'], outside, async (box) => {
        for (let round = 0; round < rounds.execs; round++) {
          const refused = await refusal(
            box.exec(['id'], { User: outside.secret }).then((text) => {
              // The engine says no on the exec's own stream.
              if (!text.startsWith('uid=')) throw new Error(text);
            }),
          );
          if (refused === undefined) return `round ${round}: a user was found outside`;
        }
        return outside.changed();
      }),
  },
  {
    name: 'the container ends while it is entered',
    run: (client) =>
      withBox(client, { Cmd: ['sleep', '0.3'] }, async (box) => {
        for (let round = 0; round < rounds.ends; round++) {
          await box.start();
          const attempts = Array.from({ length: 4 }, () =>
            refusal(box.exec(['readlink', '/proc/self/ns/mnt'])),
          );
          await Promise.all([...attempts, box.wait()]);
        }
        return undefined;
      }),
  },
  // Last: an engine that waits here has this container on its hands for good.
  {
    name: 'an exec looks at a FIFO in the place of /etc/passwd',
    run: (client) =>
      withBox(client, { Cmd: ['sleep', '1000'] }, async (box) => {
        await box.start();
        await box.exec(['sh', '-c', 'rm /etc/passwd; mkfifo /etc/passwd']);
        // Whatever it answers: that it answers.
        const User = 'somebody';
        await refusal(within(box.exec(['true'], { User }), answerMs));
        return undefined;
      }),
  },
  {
    name: 'a start looks at a FIFO in the place of /etc/group',
    run: (client) =>
      withBox(client, { Cmd: ['sh', '-c', 'rm -f /etc/group; mkfifo /etc/group'] }, async (box) => {
        await box.run();
        await refusal(within(box.start(), answerMs));
        return undefined;
      }),
  },
];

interface SwapRound {
  round: number;
  normal: Normal;
  volume: string;
  box: Box;
}

/**
 * A running container in whose volume two names are swapped all the time. Every round says what got
 * through. When the engine refused every one of them there was no race, and there are more.
 */
async function besideSwapper(
  client: EngineClient,
  outside: Outside,
  count: number,
  work: (round: SwapRound) => Promise<string | undefined>,
): Promise<string | undefined> {
  const volume = `attack-${outside.secret.slice(-12)}`;
  const HostConfig = { Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }] };
  return withBox(client, { Cmd: swapper(outside), HostConfig }, async (box) => {
    await box.start();
    await box.ready();
    const normal = new Normal();
    for (let round = 0; round < count || normal.count === 0; round++) {
      if (round === patience * count) throw new NotTriedError('the engine refused every round');
      const got = (await work({ round, normal, volume, box })) ?? outside.changed();
      if (got !== undefined) return `round ${round}: ${got}`;
    }
    return undefined;
  });
}

/** A running container that swaps two names of its own root, one of them a link to outside. */
async function hostileRoot(
  client: EngineClient,
  names: [string, string],
  outside: Outside,
  work: (box: Box) => Promise<string | undefined>,
): Promise<string | undefined> {
  const [real, link] = names;
  return withBox(
    client,
    { Cmd: [probeInside, 'attack-swap', real, link] },
    async (box) => {
      await box.start();
      await box.ready();
      return work(box);
    },
    [{ name: link.slice(1), type: 'symlink', linkname: `${outside.path}/secret` }],
  );
}

async function runAndLook(
  client: EngineClient,
  outside: Outside,
  normal: Normal,
  settings: Parameters<typeof Box.create>[1],
): Promise<string | undefined> {
  const body = {
    ...settings,
    HostConfig: { NetworkMode: 'none', ...(settings.HostConfig as object) },
  };
  let id = '';
  const refused = await refusal(
    within(
      client.call('POST', '/containers/create', { Image: 'corten/starter:latest', ...body }),
    ).then((created) => {
      id = (created as { Id: string }).Id;
    }),
  );
  if (refused !== undefined) return outside.changed();
  const box = Box.of(client, id);
  try {
    let output = '';
    await refusal(
      box.run().then((text) => {
        output = text;
      }),
    );
    return outside.reached(normal.see(output));
  } finally {
    await removed(box);
  }
}

/** A removal may meet the swap too, and is tried again. */
async function removed(box: Box): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    if ((await refusal(box.remove(false))) === undefined) return;
    await sleep(200);
  }
}
