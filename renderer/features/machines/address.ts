/** What people write for a host, and what it says. */
import type { RemoteAddress } from '../../bridge/machines.ts';
import type { MessageKey } from '../../messages/en.ts';

export interface AddressForm {
  host: string;
  user: string;
  port: string;
  keyFile: string;
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
