/**
 * Races (TOCTOU): a hostile container changes what a path leads to while the engine uses it. The number of rounds is
 * such that an engine which resolves a path twice was caught every time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs } from '../../agent/e2e/patience.ts';
import type { EngineClient } from '../peers/engine-client.ts';
import { withTimeout } from '../peers/timeout.ts';
import type { HostCanary } from './host-canary.ts';
import { NotTriedError, refusal, type Scenario } from './scenario.ts';
import { probeInside, TargetContainer, withContainer } from './target-container.ts';

const rounds = { starts: 15, execs: 20, copies: 60, ends: 5 };
/**
 * Rounds go on up to this factor while the engine has refused all of them. Corten refuses three of four starts, so 15
 * refusals in a row do happen.
 */
const mostExtraRounds = 10;
/** An engine that has not answered after this time is waiting for ever. */
const answerMs = patienceMs / 4;

/** Keeps exchanging a directory and a link to the host's directory, in the volume `/data`. */
function swapper(canary: HostCanary): string[] {
  const make = `mkdir real && echo harmless > real/secret && ln -s ${canary.path} other`;
  return ['sh', '-c', `cd /data && ${make} && exec ${probeInside} attack-swap real other`];
}

/** Counts the rounds in which the engine used the directory and not the link. */
class HarmlessCounter {
  #count = 0;

  /** Counts `output` if it is the harmless file's, and returns it. */
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
    run: (client, canary) =>
      withSwapper(client, canary, rounds.starts, async ({ round, harmless, volume }) => {
        // In turn: a directory to create, a file to create, and a directory that exists.
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
        return runAndCheck(client, canary, harmless, { Cmd, HostConfig });
      }),
  },
  {
    name: 'the working directory is swapped during the start',
    run: (client, canary) =>
      withSwapper(client, canary, rounds.starts, async ({ round, harmless, volume }) => {
        const HostConfig = { Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }] };
        const WorkingDir = round % 2 === 0 ? '/data/real' : `/data/real/made${round}`;
        const Cmd = ['cat', 'secret', '../secret'];
        return runAndCheck(client, canary, harmless, { Cmd, WorkingDir, HostConfig });
      }),
  },
  {
    name: 'the working directory is swapped during an exec',
    run: (client, canary) =>
      withSwapper(client, canary, rounds.execs, async ({ harmless, container }) => {
        let output = '';
        await refusal(
          container.exec(['cat', 'secret'], { WorkingDir: '/data/real' }).then((text) => {
            output = text;
          }),
        );
        return canary.touched(harmless.see(output));
      }),
  },
  {
    name: 'a path is swapped during a copy out (CVE-2018-15664)',
    run: (client, canary) =>
      withSwapper(client, canary, rounds.copies, async ({ round, harmless, container }) => {
        const path = ['/data/real/secret', '/data/real', '/data'][round % 3] ?? '';
        return canary.touched(harmless.see(await container.get(path).catch(() => '')));
      }),
  },
  {
    name: 'a path is swapped during a copy in (CVE-2018-15664)',
    run: (client, canary) =>
      withSwapper(client, canary, rounds.copies, async ({ round, harmless, container }) => {
        const path = ['/data/real', '/data'][round % 2] ?? '';
        const name = path === '/data' ? 'real/secret' : 'secret';
        const put = container.put(path, [{ name, content: 'overwritten' }, { name: `${name}2` }]);
        if ((await refusal(put)) === undefined) harmless.see('harmless');
        return canary.changed();
      }),
  },
  {
    name: '/etc/passwd is swapped for a file outside during an exec',
    run: (client, canary) =>
      hostileRoot(client, ['/etc/passwd', '/etc/passwd2'], canary, async (container) => {
        for (let round = 0; round < rounds.execs; round++) {
          const refused = await refusal(
            container.exec(['id'], { User: canary.secret }).then((text) => {
              // A refusal comes on the exec's output stream, with a status of success.
              if (!text.startsWith('uid=')) throw new Error(text);
            }),
          );
          if (refused === undefined) return `round ${round}: a user was found outside`;
        }
        return canary.changed();
      }),
  },
  {
    name: 'the container ends while it is entered',
    run: (client) =>
      withContainer(client, { Cmd: ['sleep', '0.3'] }, async (container) => {
        for (let round = 0; round < rounds.ends; round++) {
          await container.start();
          const attempts = Array.from({ length: 4 }, () =>
            refusal(container.exec(['readlink', '/proc/self/ns/mnt'])),
          );
          await Promise.all([...attempts, container.wait()]);
        }
        return undefined;
      }),
  },
  // These come last, since an engine that waits for ever here cannot remove the container.
  {
    name: 'an exec looks at a FIFO in the place of /etc/passwd',
    run: (client) =>
      withContainer(client, { Cmd: ['sleep', '1000'] }, async (container) => {
        await container.start();
        await container.exec(['sh', '-c', 'rm /etc/passwd; mkfifo /etc/passwd']);
        // Any answer will do; none within the time is the finding.
        const User = 'somebody';
        await refusal(withTimeout(container.exec(['true'], { User }), answerMs));
        return undefined;
      }),
  },
  {
    name: 'a start looks at a FIFO in the place of /etc/group',
    run: (client) =>
      withContainer(
        client,
        { Cmd: ['sh', '-c', 'rm -f /etc/group; mkfifo /etc/group'] },
        async (container) => {
          await container.run();
          await refusal(withTimeout(container.start(), answerMs));
          return undefined;
        },
      ),
  },
];

interface SwapRound {
  round: number;
  harmless: HarmlessCounter;
  volume: string;
  container: TargetContainer;
}

/**
 * Runs rounds of `work` beside a container that keeps exchanging two names in a volume, until one of them reached the host.
 * Rounds that the engine refuses are no race, so there are more of them until it has accepted one.
 */
async function withSwapper(
  client: EngineClient,
  canary: HostCanary,
  count: number,
  work: (round: SwapRound) => Promise<string | undefined>,
): Promise<string | undefined> {
  const volume = `attack-${canary.secret.slice(-12)}`;
  const HostConfig = { Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }] };
  return withContainer(client, { Cmd: swapper(canary), HostConfig }, async (container) => {
    await container.start();
    await container.ready();
    const harmless = new HarmlessCounter();
    for (let round = 0; round < count || harmless.count === 0; round++) {
      if (round === mostExtraRounds * count)
        throw new NotTriedError('the engine refused every round');
      const got = (await work({ round, harmless, volume, container })) ?? canary.changed();
      if (got !== undefined) return `round ${round}: ${got}`;
    }
    return undefined;
  });
}

/** Runs `work` with a container that keeps exchanging two names of its root, one of them a link to the host. */
async function hostileRoot(
  client: EngineClient,
  names: [string, string],
  canary: HostCanary,
  work: (container: TargetContainer) => Promise<string | undefined>,
): Promise<string | undefined> {
  const [real, link] = names;
  return withContainer(
    client,
    { Cmd: [probeInside, 'attack-swap', real, link] },
    async (container) => {
      await container.start();
      await container.ready();
      return work(container);
    },
    [{ name: link.slice(1), type: 'symlink', linkname: `${canary.path}/secret` }],
  );
}

async function runAndCheck(
  client: EngineClient,
  canary: HostCanary,
  harmless: HarmlessCounter,
  settings: Parameters<typeof TargetContainer.create>[1],
): Promise<string | undefined> {
  const body = {
    ...settings,
    HostConfig: { NetworkMode: 'none', ...(settings.HostConfig as object) },
  };
  let id = '';
  const refused = await refusal(
    withTimeout(
      client.call('POST', '/containers/create', { Image: 'corten/starter:latest', ...body }),
    ).then((created) => {
      id = (created as { Id: string }).Id;
    }),
  );
  if (refused !== undefined) return canary.changed();
  const container = TargetContainer.of(client, id);
  try {
    let output = '';
    await refusal(
      container.run().then((text) => {
        output = text;
      }),
    );
    return canary.touched(harmless.see(output));
  } finally {
    await removed(container);
  }
}

/** The removal may fail because of the exchange too, so it is repeated. */
async function removed(container: TargetContainer): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    if ((await refusal(container.remove(false))) === undefined) return;
    await sleep(200);
  }
}
