/** Attacks by `docker cp`, and by images, whose archives or links lead to the host. */
import { mkdirSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { EngineClient } from '../peers/engine-client.ts';
import type { HostCanary } from './host-canary.ts';
import { importImage, removeImage } from './images.ts';
import { refusal, type Scenario } from './scenario.ts';
import { type Entry, tar, withContainer } from './target-container.ts';

const sleeper = { Cmd: ['sleep', '1000'] };
/** Climbs beyond the root from any path of these tests. */
const up = '../../../../../../../../../..';

export const copies: Scenario[] = [
  {
    name: 'copy out through a link of the container (CVE-2018-15664)',
    run: (client, canary) =>
      withContainer(client, linker(canary, '/'), async (container) => {
        await container.start();
        await container.ready();
        for (const path of ['/absolute/secret', '/relative/secret', '/file', '/absolute/.']) {
          const got = canary.touched(await container.get(path).catch(() => ''));
          if (got !== undefined) return `${path}: ${got}`;
        }
        return undefined;
      }),
  },
  {
    name: 'copy in through a link of the container',
    run: (client, canary) =>
      withContainer(client, linker(canary, '/'), async (container) => {
        await container.start();
        await container.ready();
        for (const state of ['running', 'stopped']) {
          if (state === 'stopped') await container.kill();
          for (const path of ['/absolute', '/relative', '/absolute/secret', '/file'])
            await refusal(container.put(path, [{ name: 'written', content: 'x' }]));
          const got = canary.changed();
          if (got !== undefined) return `${state}: ${got}`;
        }
        return undefined;
      }),
  },
  {
    name: "copy through a link in a stopped container's volume (CVE-2026-42306)",
    run: (client, canary) => {
      const HostConfig = { Mounts: [{ Type: 'volume', Target: '/data' }] };
      return withContainer(
        client,
        { ...linker(canary, '/data'), HostConfig },
        async (container) => {
          await container.start();
          await container.ready();
          await container.kill();
          for (const path of ['/data/absolute', '/data/relative', '/data/file'])
            await refusal(container.put(path, [{ name: 'written', content: 'x' }]));
          const output = await container.get('/data/absolute/secret').catch(() => '');
          return canary.touched(output);
        },
      );
    },
  },
  {
    name: 'copy of procfs through a link (CVE-2026-42306)',
    run: (client, canary) =>
      withContainer(client, sleeper, async (container) => {
        const link = `/proc/1/root${canary.path}/secret`;
        await container.start();
        await container.exec(['ln', '-s', link, '/link']);
        for (const path of ['/link', link, `/proc/self/root${canary.path}/secret`]) {
          const got = canary.touched(await container.get(path).catch(() => ''));
          if (got !== undefined) return `${path}: ${got}`;
        }
        return undefined;
      }),
  },
  ...hostileArchives('an archive for docker cp', (client, canary, entries) =>
    withContainer(client, sleeper, async (container) => {
      const archive = await tar(entries);
      // Compressed too, since the engine must not unpack it with a program of the container (CVE-2026-41567).
      for (const bytes of [archive, gzipSync(archive)])
        await refusal(container.putArchive('/', bytes));
      await refusal(container.start());
      await refusal(container.putArchive('/', archive));
      return canary.touched(await container.get('/hard').catch(() => ''));
    }),
  ),
  ...hostileArchives("an image's layer", async (client, canary, entries) => {
    const image = await importImage(client, entries).catch(() => undefined);
    if (image === undefined) return canary.changed();
    try {
      let output = '';
      const Cmd = ['cat', '/hard', '/link/secret'];
      await refusal(
        withContainer(client, { Image: image, Cmd }, async (container) => {
          output = await container.run();
        }),
      );
      return canary.touched(output);
    } finally {
      await removeImage(client, image);
    }
  }),
  {
    name: 'a volume starts with what a link of the image leads to',
    run: async (client, canary) => {
      const image = await importImage(client, linksTo(canary));
      try {
        const HostConfig = { Mounts: [{ Type: 'volume', Target: '/absolute' }] };
        const settings = { Image: image, Cmd: ['cat', '/absolute/secret'], HostConfig };
        let output = '';
        await refusal(
          withContainer(client, settings, async (container) => {
            output = await container.run();
          }),
        );
        return canary.touched(output);
      } finally {
        await removeImage(client, image);
      }
    },
  },
  {
    name: 'a bind of a path that does not exist is made where a link of the image leads',
    run: async (client, canary) => {
      const source = `${canary.path}-bound`;
      mkdirSync(source);
      const image = await importImage(client, linksTo(canary));
      try {
        const HostConfig = { Binds: [`${source}:/absolute/made`, `${source}:/relative/made/too`] };
        await refusal(
          withContainer(client, { Image: image, Cmd: ['true'], HostConfig }, (container) =>
            container.run(),
          ),
        );
        return canary.changed();
      } finally {
        await removeImage(client, image);
        rmSync(source, { recursive: true });
      }
    },
  },
  {
    name: 'the working directory is made where a link of the image leads',
    run: async (client, canary) => {
      const image = await importImage(client, linksTo(canary));
      try {
        const WorkingDir = '/absolute/made';
        await refusal(
          withContainer(client, { Image: image, Cmd: ['true'], WorkingDir }, (container) =>
            container.run(),
          ),
        );
        return canary.changed();
      } finally {
        await removeImage(client, image);
      }
    },
  },
  {
    name: 'the engine writes hosts and resolv.conf where links of the image lead',
    run: async (client, canary) => {
      const names = ['hosts', 'hostname', 'resolv.conf', 'mtab'];
      const image = await importImage(
        client,
        names.map((name) => ({
          name: `etc/${name}`,
          type: 'symlink',
          linkname: `${canary.path}/secret`,
        })),
      );
      try {
        let output = '';
        await refusal(
          withContainer(client, { Image: image, Cmd: ['cat', '/etc/mtab'] }, async (container) => {
            output = await container.run();
          }),
        );
        return canary.touched(output);
      } finally {
        await removeImage(client, image);
      }
    },
  },
  {
    name: 'users are looked up where a link of the image leads',
    run: async (client, canary) => {
      const image = await importImage(client, [
        { name: 'etc/passwd', type: 'symlink', linkname: `${up}${canary.path}/secret` },
        { name: 'etc/group', type: 'symlink', linkname: `${up}${canary.path}/secret` },
      ]);
      try {
        const User = canary.secret;
        const refused = await refusal(
          withContainer(client, { Image: image, Cmd: ['id'], User }, (container) =>
            container.run(),
          ),
        );
        return refused === undefined ? 'a user was found outside' : canary.changed();
      } finally {
        await removeImage(client, image);
      }
    },
  },
];

/** The container makes the links to the host itself, since engines refuse them in archives. */
function linker(canary: HostCanary, directory: string): { Cmd: string[] } {
  const links = linksTo(canary).map(({ name, linkname }) => `ln -s ${linkname} ${name}`);
  return {
    Cmd: ['sh', '-c', `cd ${directory} && ${links.join(' && ')} && echo ready && sleep 1000`],
  };
}

function linksTo(canary: HostCanary): Entry[] {
  return [
    { name: 'absolute', type: 'symlink', linkname: canary.path },
    { name: 'relative', type: 'symlink', linkname: `${up}${canary.path}` },
    { name: 'file', type: 'symlink', linkname: `${canary.path}/secret` },
  ];
}

type Attempt = (
  client: EngineClient,
  canary: HostCanary,
  entries: Entry[],
) => Promise<string | undefined>;

/** The usual tricks of hostile tar archives. */
function hostileArchives(what: string, attempt: Attempt): Scenario[] {
  const attacks: [string, (path: string) => Entry[]][] = [
    ['climbs with dots', (path) => [{ name: `${up}${path}/written`, content: 'x' }]],
    ['has an absolute path', (path) => [{ name: `${path}/written`, content: 'x' }]],
    [
      'writes through its own link',
      (path) => [
        { name: 'link', type: 'symlink', linkname: path },
        { name: 'link/written', content: 'x' },
      ],
    ],
    [
      'writes over its own link to a file',
      (path) => [
        { name: 'link', type: 'symlink', linkname: `${path}/secret` },
        { name: 'link', content: 'overwritten' },
      ],
    ],
    [
      'links hard to a file outside',
      (path) => [{ name: 'hard', type: 'link', linkname: `${path}/secret` }],
    ],
    [
      'links hard through its own link',
      (path) => [
        { name: 'link', type: 'symlink', linkname: path },
        { name: 'hard', type: 'link', linkname: 'link/secret' },
      ],
    ],
    [
      'changes the mode of what its link leads to',
      (path) => [
        { name: 'link', type: 'symlink', linkname: path },
        { name: 'link/', type: 'directory', mode: 0o777 },
        { name: 'link/written/', type: 'directory', mode: 0o777 },
      ],
    ],
    [
      'removes by a whiteout through its own link',
      (path) => [
        { name: 'link', type: 'symlink', linkname: path },
        { name: 'link/.wh.secret', content: '' },
        { name: 'link/.wh..wh..opq', content: '' },
      ],
    ],
  ];
  return attacks.map(([how, entries]) => ({
    name: `${what} ${how}`,
    run: (client, canary) => attempt(client, canary, entries(canary.path)),
  }));
}
