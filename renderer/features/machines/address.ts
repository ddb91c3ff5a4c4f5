/** What people write for a host, and what it says. */
import type { RemoteAddress } from '../../bridge/machines.ts';
import type { MessageKey } from '../../messages/en.ts';

export interface AddressForm {
  host: string;
  user: string;
  port: string;
  keyFile: string;
}

export const emptyAddress: AddressForm = { host: '', user: '', port: '', keyFile: '' };

/** What is known of a machine, to be changed. */
export function formOf({ host, user, port, keyFile }: RemoteAddress = { host: '' }): AddressForm {
  return { host, user: user ?? '', port: port?.toString() ?? '', keyFile: keyFile ?? '' };
}

/** On one line: `me@box:2222`. */
export function addressLine({ host, user, port }: RemoteAddress): string {
  const place = port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return user === undefined ? place : `${user}@${place}`;
}

/** `ssh`'s own ways of writing: `user@host`, `host:port`, `ssh://user@host:port`, `[fe80::1]:22`. */
const written =
  /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(\[[^\]]+\]|[^:\s]+|[^\s]*:[^\s]*:[^\s]*?)(?::(\d+))?$/;

/** A field of its own says more than what the host's line has beside the host. */
export function addressOf({ host, user, port, keyFile }: AddressForm): RemoteAddress {
  const [, writtenUser, writtenHost = host.trim(), writtenPort] = written.exec(host.trim()) ?? [];
  const number = port.trim() || writtenPort;
  return {
    host: writtenHost.replace(/^\[|\]$/g, ''),
    ...(number ? { port: Number(number) } : {}),
    ...(user.trim() || writtenUser ? { user: user.trim() || writtenUser } : {}),
    ...(keyFile.trim() ? { keyFile: keyFile.trim() } : {}),
  };
}

export function problemsOf(form: AddressForm): Partial<Record<keyof AddressForm, MessageKey>> {
  const { host, port } = addressOf(form);
  return {
    ...(/^[\w.:%-]+$/.test(host) && !host.startsWith('-') ? {} : { host: 'add.noHost' }),
    ...(port === undefined || (Number.isInteger(port) && port > 0 && port < 65536)
      ? {}
      : { port: 'add.badPort' }),
  };
}
