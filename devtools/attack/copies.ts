/** Archives into and out of a container, and images, that reach for what lies outside. */
import { mkdirSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { EngineClient } from '../peers/engine-client.ts';
import { type Entry, tar, withBox } from './box.ts';
import { importImage, removeImage } from './images.ts';
import type { Outside } from './outside.ts';
import { refusal, type Scenario } from './scenario.ts';

const sleeper = { Cmd: ['sleep', '1000'] };
/** More than any path here is deep. */
const up = '../../../../../../../../../..';

export const copies: Scenario[] = [
  {
    name: 'copy out through a link of the container (CVE-2018-15664)',
    run: (client, outside) =>
      withBox(client, linker(outside, '/'), async (box) => {
        await box.start();
        await box.ready();
        for (const path of ['/absolute/secret', '/relative/secret', '/file', '/absolute/.']) {
          const got = outside.reached(await box.get(path).catch(() => ''));
          if (got !== undefined) return `${path}: ${got}`;
        }
        return undefined;
      }),
  },
  {
    name: 'copy in through a link of the container',
    run: (client, outside) =>
      withBox(client, linker(outside, '/'), async (box) => {
        await box.start();
        await box.ready();
        for (const state of ['running', 'stopped']) {
          if (state === 'stopped') await box.kill();
          for (const path of ['/absolute', '/relative', '/absolute/secret', '/file'])
            await refusal(box.put(path, [{ name: 'written', content: 'x' }]));
          const got = outside.changed();
          if (got !== undefined) return `${state}: ${got}`;
        }
        return undefined;
      }),
  },
  {
    name: "copy through a link in a stopped container's volume (CVE-2026-42306)",
    run: (client, outside) => {
      const HostConfig = { Mounts: [{ Type: 'volume', Target: '/data' }] };
      return withBox(client, { ...linker(outside, '/data'), HostConfig }, async (box) => {
        await box.start();
        await box.ready();
        await box.kill();
        for (const path of ['/data/absolute', '/data/relative', '/data/file'])
          await refusal(box.put(path, [{ name: 'written', content: 'x' }]));
        const output = await box.get('/data/absolute/secret').catch(() => '');
        return outside.reached(output);
      });
    },
  },
  {
    name: 'copy of procfs through a link (CVE-2026-42306)',
    run: (client, outside) =>
      withBox(client, sleeper, async (box) => {
        const link = `/proc/1/root${outside.path}/secret`;
        await box.start();
        await box.exec(['ln', '-s', link, '/link']);
        for (const path of ['/link', link, `/proc/self/root${outside.path}/secret`]) {
          const got = outside.reached(await box.get(path).catch(() => ''));
          if (got !== undefined) return `${path}: ${got}`;
        }
        return undefined;
      }),
  },
  ...hostileArchives('an archive for docker cp', (client, outside, entries) =>
    withBox(client, sleeper, async (box) => {
      const archive = await tar(entries);
      // Compressed too: what unpacks must be the engine, not a program of the container (CVE-2026-41567).
      for (const bytes of [archive, gzipSync(archive)]) await refusal(box.putArchive('/', bytes));
      await refusal(box.start());
      await refusal(box.putArchive('/', archive));
      return outside.reached(await box.get('/hard').catch(() => ''));
    }),
  ),
  ...hostileArchives("an image's layer", async (client, outside, entries) => {
    const image = await importImage(client, entries).catch(() => undefined);
    if (image === undefined) return outside.changed();
    try {
      let output = '';
      const Cmd = ['cat', '/hard', '/link/secret'];
      await refusal(
        withBox(client, { Image: image, Cmd }, async (box) => {
          output = await box.run();
        }),
      );
      return outside.reached(output);
    } finally {
      await removeImage(client, image);
    }
  }),
  {
    name: 'a volume starts with what a link of the image leads to',
    run: async (client, outside) => {
      const image = await importImage(client, linksTo(outside));
      try {
        const HostConfig = { Mounts: [{ Type: 'volume', Target: '/absolute' }] };
        const settings = { Image: image, Cmd: ['cat', '/absolute/secret'], HostConfig };
        let output = '';
        await refusal(
          withBox(client, settings, async (box) => {
            output = await box.run();
          }),
        );
        return outside.reached(output);
      } finally {
        await removeImage(client, image);
      }
    },
  },
  {
    name: 'a bind of a path that does not exist is made where a link of the image leads',
    run: async (client, outside) => {
      const source = `${outside.path}-bound`;
      mkdirSync(source);
      const image = await importImage(client, linksTo(outside));
      try {
        const HostConfig = { Binds: [`${source}:/absolute/made`, `${source}:/relative/made/too`] };
        await refusal(
          withBox(client, { Image: image, Cmd: ['true'], HostConfig }, (box) => box.run()),
        );
        return outside.changed();
      } finally {
        await removeImage(client, image);
        rmSync(source, { recursive: true });
      }
    },
  },
  {
    name: 'the working directory is made where a link of the image leads',
    run: async (client, outside) => {
      const image = await importImage(client, linksTo(outside));
      try {
        const WorkingDir = '/absolute/made';
        await refusal(
          withBox(client, { Image: image, Cmd: ['true'], WorkingDir }, (box) => box.run()),
        );
        return outside.changed();
      } finally {
        await removeImage(client, image);
      }
    },
  },
  {
    name: 'the engine writes hosts and resolv.conf where links of the image lead',
    run: async (client, outside) => {
      const names = ['hosts', 'hostname', 'resolv.conf', 'mtab'];
      const image = await importImage(
        client,
        names.map((name) => ({
          name: `etc/${name}`,
          type: 'symlink',
          linkname: `${outside.path}/secret`,
        })),
      );
      try {
        let output = '';
        await refusal(
          withBox(client, { Image: image, Cmd: ['cat', '/etc/mtab'] }, async (box) => {
            output = await box.run();
          }),
        );
        return outside.reached(output);
      } finally {
        await removeImage(client, image);
      }
    },
  },
  {
    name: 'users are looked up where a link of the image leads',
    run: async (client, outside) => {
      const image = await importImage(client, [
        { name: 'etc/passwd', type: 'symlink', linkname: `${up}${outside.path}/secret` },
        { name: 'etc/group', type: 'symlink', linkname: `${up}${outside.path}/secret` },
      ]);
      try {
        const User = outside.secret;
        const refused = await refusal(
          withBox(client, { Image: image, Cmd: ['id'], User }, (box) => box.run()),
        );
        return refused === undefined ? 'a user was found outside' : outside.changed();
      } finally {
        await removeImage(client, image);
      }
    },
  },
];

/** A container that makes links to outside itself, as an engine would not let an archive. */
function linker(outside: Outside, directory: string): { Cmd: string[] } {
  const links = linksTo(outside).map(({ name, linkname }) => `ln -s ${linkname} ${name}`);
  return {
    Cmd: ['sh', '-c', `cd ${directory} && ${links.join(' && ')} && echo ready && sleep 1000`],
  };
}

function linksTo(outside: Outside): Entry[] {
  return [
    { name: 'absolute', type: 'symlink', linkname: outside.path },
    { name: 'relative', type: 'symlink', linkname: `${up}${outside.path}` },
    { name: 'file', type: 'symlink', linkname: `${outside.path}/secret` },
  ];
}

type Attempt = (
  client: EngineClient,
  outside: Outside,
  entries: Entry[],
) => Promise<string | undefined>;

/** What archives have been made to do since there are archives. */
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
    run: (client, outside) => attempt(client, outside, entries(outside.path)),
  }));
}
