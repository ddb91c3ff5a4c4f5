/** The `docker run` line that does the same as a form. */
import type { Form } from './form.ts';
import { quoteWord, splitWords } from './shell-words.ts';

export function toRunLine(form: Form): string {
  return runLineParts(form).join(' ');
}

/** `docker run -d`, then each flag with its value, then the image with its command. */
export function runLineParts(form: Form): string[] {
  const words = ['docker run -d'];
  const flag = (name: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') words.push(`${name} ${quoteWord(String(value))}`);
  };
  const sign = (name: string, on: boolean) => on && words.push(name);

  flag('--name', form.name);
  sign('-it', form.openStdin && form.terminal);
  sign('-i', form.openStdin && !form.terminal);
  sign('-t', form.terminal && !form.openStdin);
  sign('--rm', form.autoRemove);
  sign('--init', form.init);
  for (const row of form.env.filter(({ name }) => name !== ''))
    flag('-e', `${row.name}=${row.value}`);
  for (const row of form.ports.filter(({ container }) => container !== ''))
    flag(
      '-p',
      `${row.host ? `${row.host}:` : ''}${row.container}${row.protocol === 'udp' ? '/udp' : ''}`,
    );
  for (const row of form.mounts.filter(({ target }) => target !== ''))
    flag('-v', [row.source, row.target, row.readOnly ? 'ro' : ''].filter(Boolean).join(':'));
  for (const entry of form.tmpfs) flag('--tmpfs', entry);
  if (form.network !== 'bridge') flag('--network', form.network);
  if (form.restart !== 'no') flag('--restart', restartWord(form));
  flag('--cpus', form.cpus);
  flag('--cpu-shares', form.cpuShares);
  flag('--cpuset-cpus', form.cpuset);
  flag('--memory', form.memoryBytes && bytesWord(form.memoryBytes));
  flag('--memory-swap', form.memoryWithSwapBytes && bytesWord(form.memoryWithSwapBytes));
  flag('--pids-limit', form.pids);
  if (form.diskBytes !== undefined) flag('--storage-opt', `size=${bytesWord(form.diskBytes)}`);
  if (form.diskInodes !== undefined) flag('--storage-opt', `inodes=${form.diskInodes}`);
  flag('--hostname', form.hostname);
  flag('--user', form.user);
  flag('--workdir', form.workingDirectory);
  for (const label of form.labels) flag('--label', label);
  sign('--read-only', form.readOnlyRootfs);
  sign('--privileged', form.privileged);
  for (const capability of form.addCapabilities) flag('--cap-add', capability);
  for (const capability of form.dropCapabilities) flag('--cap-drop', capability);
  // The docker command line lets no word but `host` through in --userns.
  if (form.root === 'own') flag('--security-opt', 'userns=auto');
  if (form.root === 'machine') words.push('--userns=host');
  for (const option of form.securityOptions) flag('--security-opt', option);

  const [program, ...entrypointArguments] = splitWords(form.entrypoint);
  flag('--entrypoint', program);
  // docker run takes one word as the entrypoint; the others lead the command.
  const command = [...entrypointArguments, ...splitWords(form.command)];
  words.push([form.image.trim() || 'IMAGE', ...command].map(quoteWord).join(' '));
  return words;
}

function restartWord({ restart, restartRetries }: Form): string {
  return restart === 'on-failure' && restartRetries > 0 ? `${restart}:${restartRetries}` : restart;
}

/** The largest unit that loses nothing. */
function bytesWord(bytes: number): string {
  // -1 is Docker's "no limit", and so is 0 of a disk.
  if (bytes <= 0) return String(bytes);
  if (bytes % 1024 ** 3 === 0) return `${bytes / 1024 ** 3}g`;
  if (bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2}m`;
  return bytes % 1024 === 0 ? `${bytes / 1024}k` : String(bytes);
}
