/** Checks whether a host can run the engine, and what is installed there. It changes nothing. */
import { StageFailure } from '../machine/machine.ts';
import { ownMark, programDirectory, runDirectory, stateDirectory, unitPath } from './paths.ts';
import type { RemoteShell } from './remote-shell.ts';

export interface HostFacts {
  architecture: 'amd64' | 'arm64';
  kernel: string;
  cgroups: 'v1' | 'v2';
  hasSeccomp: boolean;
  hasNftables: boolean;
  hasSystemd: boolean;
  /** The engine version that the app has installed; undefined without one. */
  installed: string | undefined;
  /** True for a running agent that the app did not install; it is used unchanged. */
  hasOtherAgent: boolean;
}

/** Prints lines of `name=value`. `$1` is the sudo command or empty. A value that cannot be read stays empty. */
export const checkScript = `
say() { printf '%s=%s\\n' "$1" "$2"; }
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
say system "$(uname -s)"
say kernel "$(uname -r)"
say machine "$(uname -m)"
say uid "$(id -u)"
[ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && say sudo yes || say sudo no; }
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  say cgroups v2; say controllers "$(cat /sys/fs/cgroup/cgroup.controllers)"
elif [ -d /sys/fs/cgroup/memory ] || [ -d /sys/fs/cgroup/pids ]; then
  say cgroups v1; say controllers "$(ls /sys/fs/cgroup | tr '\\n' ' ')"
fi
grep -qw overlay /proc/filesystems && say overlay yes ||
  { [ -n "$(find "/lib/modules/$(uname -r)" -name 'overlay.ko*' 2>/dev/null)" ] && say overlay yes; }
say glibc "$(getconf GNU_LIBC_VERSION 2>/dev/null | tr -dc '0-9.')"
for place in /opt /var/lib; do
  on=$place; [ -d "$on" ] || on=/
  say "free$place" "$(df -Pk "$on" 2>/dev/null | awk 'NR == 2 { print $4 }')"
done
say tools "$(for tool in tar gzip sha256sum mktemp; do command -v $tool >/dev/null || printf '%s ' $tool; done)"
for library in /lib/*/libseccomp.so.2 /usr/lib/*/libseccomp.so.2 /lib64/libseccomp.so.2 \\
  /usr/lib64/libseccomp.so.2 /usr/lib/libseccomp.so.2; do
  [ -e "$library" ] && say seccomp yes && break
done
command -v nft >/dev/null && say nftables yes
[ -d /run/systemd/system ] && say systemd yes
if [ -e ${programDirectory} ]; then
  if [ -e ${programDirectory}/${ownMark} ]; then say installed "$(readlink ${programDirectory}/current)"
  else say foreign ${programDirectory}; fi
fi
if [ -e ${unitPath} ] && ! grep -q '^# Made by Corten' ${unitPath}; then say foreign ${unitPath}; fi
pid=$(cat ${runDirectory}/agent.lock 2>/dev/null)
[ -n "$pid" ] && [ -d "/proc/$pid" ] && say agent "$pid"
:
`;

const oldestKernel: [number, number] = [5, 10];
/** Node requires these versions. */
const oldestGlibc: [number, number] = [2, 28];
const neededProgramBytes = 400 * 1024 ** 2;
const neededStateBytes = 1024 ** 3;

export async function checkHost(shell: RemoteShell, host: string): Promise<HostFacts> {
  const { code, out, err } = await shell.run(checkScript);
  const said = parse(out);
  // The user's sudo password was accepted before.
  if (typeof shell.root === 'object') said.set('sudo', 'yes');
  if (code !== 0 || said.size === 0)
    throw new StageFailure(
      `${host} runs no commands for this login: ${err || out || `status ${code}`}`,
      'The login needs a shell. Use another user, or give this one a shell (chsh).',
    );
  return judge(said, host);
}

export function parse(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()] as const] : [];
    }),
  );
}

/** Throws StageFailure for the first requirement that is not met. */
export function judge(said: ReadonlyMap<string, string>, host: string): HostFacts {
  const word = (name: string) => said.get(name) ?? '';
  const refuse = (cause: string, nextStep: string): never => {
    throw new StageFailure(cause, nextStep);
  };

  if (word('system') !== 'Linux')
    refuse(
      `${host} runs ${word('system') || 'an unknown system'}, and containers need Linux.`,
      'Choose a computer with Linux, or a virtual machine with Linux on that one.',
    );
  const architecture = architectures[word('machine')];
  if (architecture === undefined)
    refuse(
      `${host} has a processor of the kind ${word('machine')}, for which there is no engine.`,
      'Choose a computer with an x86_64 or aarch64 processor.',
    );
  if (isOlder(word('kernel'), oldestKernel))
    refuse(
      `${host} has the kernel ${word('kernel')}, and the engine needs ${oldestKernel.join('.')} or newer.`,
      'Upgrade its system.',
    );
  if (word('uid') !== '0' && word('sudo') !== 'yes')
    refuse(
      `This user is not root on ${host}, and may not use sudo.`,
      `Log in as root, or let this user use sudo there: echo "$USER ALL=(ALL) NOPASSWD: ALL" | sudo tee /etc/sudoers.d/corten`,
    );
  const cgroups = word('cgroups');
  if (cgroups !== 'v1' && cgroups !== 'v2')
    refuse(
      `${host} has no control groups mounted at /sys/fs/cgroup.`,
      'Mount them (mount -t cgroup2 none /sys/fs/cgroup), or start its system with systemd.',
    );
  const lacking = ['cpu', 'memory', 'pids'].filter(
    (one) => !new RegExp(`\\b${one}\\b`).test(word('controllers')),
  );
  if (lacking.length > 0)
    refuse(
      `The kernel of ${host} does not limit ${lacking.join(', ')}: these control groups are off.`,
      'Turn them on at its boot, such as cgroup_enable=memory on a Raspberry Pi.',
    );
  if (word('overlay') !== 'yes')
    refuse(
      `The kernel of ${host} has no overlay file system.`,
      'Install the kernel module "overlay" there (often in linux-modules-extra).',
    );
  if (word('glibc') === '')
    refuse(
      `${host} has no GNU C library, which the engine’s Node needs (it may be Alpine).`,
      'Choose a computer with Debian, Ubuntu, Fedora or another system with glibc.',
    );
  if (isOlder(word('glibc'), oldestGlibc))
    refuse(
      `${host} has the C library glibc ${word('glibc')}, and the engine needs ${oldestGlibc.join('.')} or newer.`,
      'Upgrade its system.',
    );
  if (word('tools') !== '')
    refuse(
      `${host} lacks ${word('tools')}.`,
      'Install it there, such as by coreutils, tar and gzip.',
    );
  if (said.has('foreign'))
    refuse(
      `${word('foreign')} on ${host} was not made by Corten, and is not touched.`,
      'Move it away if it is not needed there, and connect again.',
    );
  refuseFull(host, '/opt', word('free/opt'), neededProgramBytes, said.has('installed'));
  refuseFull(host, stateDirectory, word('free/var/lib'), neededStateBytes, said.has('installed'));
  return {
    architecture: architecture as 'amd64' | 'arm64',
    kernel: word('kernel'),
    cgroups: cgroups as 'v1' | 'v2',
    hasSeccomp: said.has('seccomp'),
    hasNftables: said.has('nftables'),
    hasSystemd: said.has('systemd'),
    installed: said.get('installed') || undefined,
    hasOtherAgent: said.has('agent') && !said.has('installed'),
  };
}

const architectures: Record<string, 'amd64' | 'arm64' | undefined> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
};

function isOlder(version: string, [major, minor]: [number, number]): boolean {
  const [hasMajor = 0, hasMinor = 0] = version.split(/[.-]/).map(Number);
  return hasMajor < major || (hasMajor === major && hasMinor < minor);
}

/** An installed engine needs no further space; an upgrade reports a full disk by itself. */
function refuseFull(
  host: string,
  place: string,
  freeKib: string,
  neededBytes: number,
  isInstalled: boolean,
): void {
  if (freeKib === '' || isInstalled || Number(freeKib) * 1024 >= neededBytes) return;
  const inMib = (bytes: number) => Math.floor(bytes / 1024 ** 2);
  throw new StageFailure(
    `${host} has ${inMib(Number(freeKib) * 1024)} MiB left for ${place}, and ${inMib(neededBytes)} MiB are needed.`,
    'Free some space there, and connect again.',
  );
}
