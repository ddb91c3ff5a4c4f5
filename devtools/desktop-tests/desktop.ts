/** A Debian with systemd in an emulated machine (`scripts/setup desktop-test`), driven by ssh from here. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../agent/network/testdata/free-port.ts';

/** `ann` is an ordinary user, and `carol` may use sudo (devtools/desktop-tests/customize). */
export type Person = 'root' | 'ann' | 'carol';

export interface Desktop {
  /** The port on 127.0.0.1 that leads to the machine's sshd. */
  port: number;
  /** A home directory whose `.ssh` has a key for the machine, and no known hosts. */
  home: string;
  /** Resolves to the output of a shell script in a login session. Rejects with its stderr when it fails. */
  run(person: Person, script: string): Promise<string>;
  /** Ends the person's login session; each person has at most one. */
  logOut(person: Person): Promise<void>;
  /** Resolves to a local socket that is forwarded to one in the machine, as the person. */
  forward(person: Person, socket: string): Promise<string>;
  /** Restarts the machine and resolves when logins are possible again. */
  reboot(): Promise<void>;
  stop(): Promise<void>;
}

/** Generous, since an emulated machine may run beside other tests. */
const timeoutMs = 10 * 60_000;

/** Mounts this checkout at `/code` in the machine, with a `dist` that belongs to ann. */
const layCheckout = `
mkdir -p /code-disk /code /var/over/files /var/over/work
mount -t erofs -o ro /dev/disk/by-id/virtio-corten-code /code-disk
mount -t overlay -o lowerdir=/code-disk,upperdir=/var/over/files,workdir=/var/over/work code /code
chown ann:ann /code /code/dist /code/dist/.[a-z]*
for person in ann carol; do
  install -d -m 700 -o $person -g $person /home/$person/.ssh
  install -m 600 -o $person -g $person ~/.ssh/authorized_keys /home/$person/.ssh/authorized_keys
done
`;

export async function startDesktop(): Promise<Desktop> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-desktop-'));
  const home = join(directory, 'home');
  const keyFile = join(home, '.ssh/id_ed25519');
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', keyFile]);
  const port = await freePort();
  const key = readFileSync(`${keyFile}.pub`, 'utf8').trim();
  const boot = join(import.meta.dirname, 'boot');
  const machine = spawn(boot, [directory, String(port), key], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(machine, 'exit');

  const words = (person: Person) => [
    ...['-q', '-p', String(port), '-i', keyFile, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=30'],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
    ...['-o', 'ControlMaster=auto', '-o', 'ControlPersist=yes'],
    ...['-o', `ControlPath=${join(directory, person)}`, `${person}@127.0.0.1`],
  ];
  const run: Desktop['run'] = (person, script) =>
    ssh([...words(person), 'bash -es'], `main() {\n${script}\n}\nmain </dev/null\n`);
  const logOut: Desktop['logOut'] = async (person) => {
    // Without a login session there is nothing to end.
    await ssh([...words(person).slice(0, -1), '-O', 'exit', 'there'], '').catch(() => undefined);
  };

  async function answers(): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;)
      try {
        await run(
          'root',
          '! systemctl is-system-running | grep -Eq "starting|initializing|stopping"',
        );
        return;
      } catch (error) {
        if (machine.exitCode !== null || performance.now() > deadline)
          throw new Error(`The machine does not answer: ${readConsole(directory)}`, {
            cause: error,
          });
        await logOut('root');
        await sleep(1000);
      }
  }

  const desktop: Desktop = {
    port,
    home,
    run,
    logOut,
    async forward(person, socket) {
      const here = join(directory, `${person}.sock`);
      rmSync(here, { force: true });
      await run(person, ':');
      await ssh(
        [...words(person).slice(0, -1), '-O', 'forward', '-L', `${here}:${socket}`, 'there'],
        '',
      );
      return here;
    },
    async reboot() {
      const bootId = await run('root', 'cat /proc/sys/kernel/random/boot_id');
      await run('root', 'systemctl --no-block reboot');
      for (const person of ['ann', 'carol', 'root'] as const) await logOut(person);
      do {
        await answers();
      } while ((await run('root', 'cat /proc/sys/kernel/random/boot_id')) === bootId);
      await run('root', layCheckout);
    },
    async stop() {
      for (const person of ['ann', 'carol', 'root'] as const) await logOut(person);
      machine.kill('SIGKILL');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    await answers();
    await run('root', layCheckout);
    return desktop;
  } catch (error) {
    await desktop.stop();
    throw error;
  }
}

function ssh(words: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile('ssh', words, { timeout: timeoutMs }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else reject(new Error(`${error.message}\n${stdout}${stderr}`));
    });
    // An ssh that cannot connect does not read its stdin (EPIPE); its exit status is checked instead.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function readConsole(directory: string): string {
  try {
    return readFileSync(join(directory, 'console'), 'utf8').slice(-2000);
  } catch {
    // The machine ended before the file was written.
    return '';
  }
}
