/** The authentication methods of a login, in the order in which ssh(1) tries them. */
import { existsSync, readFileSync } from 'node:fs';
import type { AnyAuthMethod, AuthenticationType, NextAuthHandler } from 'ssh2';
import ssh2 from 'ssh2';
import { NamedKeysAgent } from './named-keys-agent.ts';
import type { Ask, Secrets } from './secrets.ts';
import type { HostPlan } from './ssh-config.ts';

const passwordTries = 3;
const passphraseTries = 3;
/** ssh2 ends the login at `false`, which its types lack. */
const noMore = false as unknown as AnyAuthMethod;

export interface LoginWays {
  handler(
    left: AuthenticationType[] | null,
    partial: boolean | null,
    next: NextAuthHandler,
  ): undefined;
  /** The methods that were tried, for the error when all have failed. */
  tried(): string[];
  /** True once the person has answered a question with Cancel. */
  isCancelled(): boolean;
}

/** Without `ask`, as during a reconnect, only known secrets are tried. */
export function loginWays(plan: HostPlan, secrets: Secrets, ask: Ask | undefined): LoginWays {
  const tried: string[] = [];
  let left: readonly string[] = [];
  let isCancelled = false;
  const mayTry = (type: string) => left.length === 0 || left.includes(type);
  const username = plan.user;
  const host = plan.hostName;

  async function* ways(): AsyncGenerator<AnyAuthMethod> {
    yield { type: 'none', username };
    if (mayTry('publickey')) yield* keys();
    if (mayTry('password')) yield* passwords();
    else if (mayTry('keyboard-interactive')) yield interactive();
  }

  async function* keys(): AsyncGenerator<AnyAuthMethod> {
    if (plan.agent !== undefined) {
      tried.push('the SSH agent');
      const agent = plan.onlyNamedKeys
        ? new NamedKeysAgent(plan.agent, plan.keyFiles)
        : ssh2.createAgent(plan.agent);
      yield { type: 'agent', username, agent };
    }
    for (const { path, isNamed } of plan.keyFiles) {
      if (!existsSync(path)) {
        if (isNamed) tried.push(`${path} (there is no such file)`);
        continue;
      }
      const key = await readKey(path, isNamed);
      if (key === undefined || isCancelled) continue;
      tried.push(path);
      yield { type: 'publickey', username, key };
    }
  }

  async function readKey(path: string, isNamed: boolean) {
    const text = readText(path);
    if (text === undefined) {
      tried.push(`${path} (cannot be read)`);
      return undefined;
    }
    let parsed = ssh2.utils.parseKey(text, secrets.get(path));
    for (let tries = 0; parsed instanceof Error; tries++) {
      const isLocked = /encrypted|passphrase|bad decrypt/i.test(parsed.message);
      if (!isLocked || tries === passphraseTries || ask === undefined) {
        if (isNamed) tried.push(`${path} (${isLocked ? 'locked' : parsed.message})`);
        return undefined;
      }
      const passphrase = await ask({ kind: 'passphrase', keyFile: path, wrong: tries > 0 });
      if (passphrase === undefined) {
        isCancelled = true;
        return undefined;
      }
      parsed = ssh2.utils.parseKey(text, passphrase);
      if (!(parsed instanceof Error)) secrets.keep(path, passphrase);
    }
    return Array.isArray(parsed) ? parsed[0] : parsed;
  }

  async function* passwords(): AsyncGenerator<AnyAuthMethod> {
    const place = loginPassword(plan);
    const kept = secrets.get(place);
    if (kept !== undefined) yield { type: 'password', username, password: kept };
    // A return to this generator means that the password was refused.
    secrets.forget(place);
    for (let tries = 0; tries < passwordTries && ask !== undefined && !isCancelled; tries++) {
      const password = await ask({ kind: 'password', user: username, host, wrong: tries > 0 });
      if (password === undefined) {
        isCancelled = true;
        return;
      }
      if (tries === 0) tried.push('a password');
      secrets.keep(place, password);
      yield { type: 'password', username, password };
      secrets.forget(place);
    }
  }

  /** The server's own prompts, such as for a one-time code (RFC 4256). */
  function interactive(): AnyAuthMethod {
    tried.push('the server’s questions');
    return {
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => {
        void (async () => {
          const answers: string[] = [];
          for (const { prompt, echo = false } of prompts) {
            const answer = await ask?.({ kind: 'prompt', prompt, host, echo });
            if (answer === undefined) isCancelled = true;
            answers.push(answer ?? '');
          }
          finish(answers);
        })();
      },
    };
  }

  const sequence = ways();
  return {
    handler(allowed, _partial, next) {
      left = allowed ?? left;
      void sequence.next().then(
        ({ value, done }) => next(done || isCancelled ? noMore : value),
        () => next(noMore),
      );
      return undefined;
    },
    tried: () => tried,
    isCancelled: () => isCancelled,
  };
}

/** The name of the login's password among the secrets. */
export function loginPassword({ user, hostName, port }: HostPlan): string {
  return `password of ${user}@${hostName}:${port}`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The caller lists the file as one that could not be tried.
    return undefined;
  }
}
