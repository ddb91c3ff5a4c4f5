/** `--publish` in the forms that `docker run` takes: `80`, `8080:80`, `127.0.0.1:8080:80`, each with `/udp` or `/tcp`. */
import { wrongUsage } from '../failure.ts';

export interface PortSettings {
  exposed: Record<string, object>;
  bindings: Record<string, { HostIp?: string; HostPort: string }[]>;
}

/** Throws wrong usage for a text that is none of the forms. */
export function portSettings(texts: readonly string[]): PortSettings {
  const settings: PortSettings = { exposed: {}, bindings: {} };
  for (const text of texts) {
    const match =
      /^(?:(?:(\[[^\]]+\]|\d+(?:\.\d+){3}):)?(\d{0,5}):)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(
        text,
      );
    if (match === null)
      throw wrongUsage(
        `"${text}" is no port to publish.`,
        'Write it as 8080:80 or 127.0.0.1:8080:80/udp.',
      );
    const [, address, hostPort = '', port, protocol = 'tcp'] = match;
    const key = `${port}/${protocol}`;
    settings.exposed[key] = {};
    const bindings = settings.bindings[key] ?? [];
    settings.bindings[key] = bindings;
    const HostIp = address?.replace(/^\[|\]$/g, '');
    bindings.push({ ...(HostIp !== undefined && { HostIp }), HostPort: hostPort });
  }
  return settings;
}
