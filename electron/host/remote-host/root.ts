/** Finds how the login's user becomes root: it is root, or uses sudo without or with a password. */
import type { Client } from 'ssh2';
import { StageFailure } from '../machine/machine.ts';
import { loginPassword } from './login/login.ts';
import type { Ask, Secrets } from './login/secrets.ts';
import type { HostPlan } from './login/ssh-config.ts';
import { type Root, remoteShell } from './remote-shell.ts';
import { openBySudo, WrongPassword } from './sudo.ts';

const passwordTries = 3;

export async function rootOf(
  client: Client,
  plan: HostPlan,
  secrets: Secrets,
  ask: Ask | undefined,
): Promise<Root> {
  const shell = remoteShell(client, 'is-root');
  if ((await shell.run('id -u')).out === '0') return 'is-root';
  const { code } = await shell.run('command -v sudo >/dev/null || exit 0; sudo -n true');
  // A host without sudo fails later, at its check.
  if (code === 0) return 'sudo';
  const { user, hostName: host, port } = plan;
  const place = `sudo of ${user}@${host}:${port}`;
  // The login's password is usually sudo's too.
  for (const kept of [secrets.get(place), secrets.get(loginPassword(plan))])
    if (kept !== undefined && (await isTaken(client, kept))) return { sudoPassword: kept };
  for (let tries = 0; tries < passwordTries && ask !== undefined; tries++) {
    const password = await ask({ kind: 'sudo', user, host, wrong: tries > 0 });
    if (password === undefined)
      throw new StageFailure('The start was cancelled.', 'Connect again when you want to.');
    if (!(await isTaken(client, password))) continue;
    secrets.keep(place, password);
    return { sudoPassword: password };
  }
  throw new StageFailure(
    `sudo on ${host} wants the password of "${user}", and ${ask === undefined ? 'nobody was there to give it' : 'did not take the ones it was given'}.`,
    'Connect again with the password that "sudo true" takes there.',
  );
}

async function isTaken(client: Client, password: string): Promise<boolean> {
  try {
    const { channel, ended } = await openBySudo(client, 'true', password);
    channel.resume();
    channel.stderr.resume();
    await ended;
    return true;
  } catch (error) {
    if (error instanceof WrongPassword) return false;
    throw error;
  }
}
