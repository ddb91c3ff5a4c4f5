/** Restrictions that the user set on a container, tried in an exec and by a copy too. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NotTriedError, refusal, type Scenario } from './scenario.ts';
import { probeInside, withContainer } from './target-container.ts';

const sleeper = { Cmd: ['sleep', '1000'] };
const status = ['grep', '-E', '^(Cap|NoNewPrivs|Seccomp:|Groups)', '/proc/self/status'];
/** A profile that allows everything but mkdir(2), which the default profile allows. */
const profile = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
});

export const settings: Scenario[] = [
  {
    name: 'dropped capabilities come back in an exec',
    run: (client) =>
      withContainer(client, { ...sleeper, HostConfig: { CapDrop: ['ALL'] } }, async (container) => {
        await container.start();
        const sets = (await container.exec(status)).match(/^Cap\w+:\t\w+$/gm) ?? [];
        if (sets.length !== 5) throw new NotTriedError('the exec did not show its capabilities');
        return sets.find((set) => !set.endsWith('\t0000000000000000'));
      }),
  },
  {
    name: 'no_new_privs, when asked for, is off in an exec',
    run: (client) => {
      const HostConfig = { SecurityOpt: ['no-new-privileges:true'] };
      return withContainer(client, { ...sleeper, HostConfig }, async (container) => {
        await container.start();
        const line = /^NoNewPrivs:.*$/m.exec(await container.exec(status))?.[0];
        return line === 'NoNewPrivs:\t1' ? undefined : (line ?? 'unknown');
      });
    },
  },
  {
    name: 'a filter of one’s own does not hold in an exec',
    run: (client) =>
      withContainer(
        client,
        { ...sleeper, HostConfig: { SecurityOpt: [`seccomp=${profile}`] } },
        async (container) => {
          await container.start();
          const output = await container.exec(['sh', '-c', 'mkdir /tmp/made && echo made']);
          return output.includes('made\n') && !/not permitted/.test(output) ? output : undefined;
        },
      ),
  },
  {
    name: 'an exec has groups of the engine',
    run: (client) =>
      withContainer(client, { ...sleeper, User: '1000:1000' }, async (container) => {
        await container.start();
        const groups = /^Groups:\t(.*?) *$/m.exec(await container.exec(status))?.[1] ?? 'unknown';
        return groups === '' || groups === '1000' ? undefined : groups;
      }),
  },
  {
    name: 'a read-only root is written by a copy or an exec',
    run: (client) =>
      withContainer(
        client,
        { ...sleeper, HostConfig: { ReadonlyRootfs: true } },
        async (container) => {
          for (const state of ['stopped', 'running']) {
            if (state === 'running') await container.start();
            await refusal(container.put('/root', [{ name: `by-copy-${state}`, content: 'x' }]));
          }
          await container.exec(['sh', '-c', 'echo x > /root/by-exec']);
          return /^by-.*$/m.exec(await container.exec(['ls', '/root']))?.[0];
        },
      ),
  },
  {
    name: 'a read-only bind is written by a copy, an exec or a remount',
    run: (client, canary) => {
      const HostConfig = { Binds: [`${canary.path}:/data:ro`] };
      return withContainer(client, { ...sleeper, HostConfig }, async (container) => {
        for (const state of ['stopped', 'running']) {
          if (state === 'running') await container.start();
          await refusal(container.put('/data', [{ name: 'by-copy', content: 'x' }]));
          await refusal(container.put('/data', [{ name: 'secret', content: 'x' }]));
          const got = canary.changed();
          if (got !== undefined) return `${state}: ${got}`;
        }
        await container.exec([
          'sh',
          '-c',
          'mount -o remount,rw,bind /data; echo x > /data/by-exec',
        ]);
        return canary.changed();
      });
    },
  },
  {
    name: 'a mount below a read-only bind is written',
    run: async (client, canary) => {
      const below = join(`${canary.path}-tree`, 'below');
      mkdirSync(below, { recursive: true });
      spawnSync('mount', ['-t', 'tmpfs', 'below', below]);
      try {
        const HostConfig = { Binds: [`${canary.path}-tree:/data:ro`] };
        return await withContainer(client, { ...sleeper, HostConfig }, async (container) => {
          await container.start();
          await container.exec(['sh', '-c', 'echo x > /data/below/written']);
          return readdirSync(below)[0];
        });
      } finally {
        spawnSync('umount', [below]);
        spawnSync('rm', ['-r', `${canary.path}-tree`]);
      }
    },
  },
  {
    name: 'a tmpfs without options runs setuid programs or opens devices',
    run: (client) =>
      withContainer(
        client,
        { ...sleeper, HostConfig: { Tmpfs: { '/scratch': '' } } },
        async (container) => {
          await container.start();
          const line = (
            await container.exec(['grep', ' /scratch ', '/proc/self/mountinfo'])
          ).trim();
          if (line === '') throw new NotTriedError('there is no tmpfs');
          const missing = ['nosuid', 'nodev', 'noexec'].filter((flag) => !line.includes(flag));
          return missing.length === 0 ? undefined : `without ${missing.join(', ')}`;
        },
      ),
  },
  {
    name: 'a device that was given for reading is written',
    run: async (client) => {
      // Opening one of these has no effect on the host.
      const device = ['/dev/loop-control', '/dev/fuse', '/dev/rtc0'].find((path) =>
        existsSync(path),
      );
      if (device === undefined) throw new NotTriedError('there is no device to give');
      const Devices = [
        { PathOnHost: device, PathInContainer: '/dev/given', CgroupPermissions: 'r' },
      ];
      return withContainer(client, { ...sleeper, HostConfig: { Devices } }, async (container) => {
        await container.start();
        const output = await container.exec([
          'sh',
          '-c',
          ': < /dev/given && echo read; : > /dev/given && echo written',
        ]);
        if (!output.includes('read')) throw new NotTriedError(output.trim());
        return output.includes('written') ? 'opened for writing' : undefined;
      });
    },
  },
  {
    name: 'a privileged exec keeps what the container must not have',
    run: (client) =>
      withContainer(client, sleeper, async (container) => {
        await container.start();
        // The privileged exec may do anything; the one after it must be unprivileged again.
        await refusal(container.exec(['true'], { Privileged: true }));
        const output = await container.exec([probeInside, 'processes']);
        return /^capabilities beyond .*\topen.*$/m.exec(output)?.[0];
      }),
  },
];
