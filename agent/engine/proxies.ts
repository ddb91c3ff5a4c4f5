/** The machine's proxies, used for pulls and pushes and, if the user wants it, in containers. */
import { isIP } from 'node:net';
import { type ProxySettings, proxyVariables } from '../contract/proxies.ts';
import { invalid } from '../errors.ts';

export interface ProxiesOptions {
  initial: ProxySettings;
  /** The address of the host as seen from this machine. Undefined when this machine is the host. */
  hostAddress: () => string | undefined;
  /** Makes pulls and pushes use the proxies. */
  apply: (settings: ProxySettings) => void;
}

const shownPassword = 'xxxxx';

export class Proxies {
  readonly #options: ProxiesOptions;
  #settings: ProxySettings;

  constructor(options: ProxiesOptions) {
    this.#options = options;
    this.#settings = options.initial;
    options.apply(this.#settings);
  }

  /** Throws invalid for settings that are not proxies. */
  set(given: ProxySettings): void {
    const { http, https, noProxy } = given;
    if (noProxy !== undefined && /[\r\n\0]/.test(noProxy))
      throw invalid('noProxy is one line of names, parted by commas.');
    this.#settings = {
      ...(http && { http: this.#reachable(http) }),
      ...(https && { https: this.#reachable(https) }),
      ...(noProxy && { noProxy }),
      containers: given.containers,
    };
    this.#options.apply(this.#settings);
  }

  /** The settings without passwords, to be shown to users. */
  shown(): ProxySettings {
    const { http, https, ...rest } = this.#settings;
    return {
      ...(http && { http: withoutPassword(http) }),
      ...(https && { https: withoutPassword(https) }),
      ...rest,
    };
  }

  /** `NAME=value` in upper and lower case. Empty when containers do not use the proxies. */
  environment(): string[] {
    if (!this.#settings.containers) return [];
    return (['http', 'https', 'noProxy'] as const).flatMap((key) => {
      const value = this.#settings[key];
      const name = proxyVariables[key];
      // A container cannot reach a proxy on the machine's loopback, so it gets none and at least
      // reaches what needs no proxy.
      const isUseless = key !== 'noProxy' && isLoopback(URL.parse(value ?? '')?.hostname ?? '');
      return value === undefined || isUseless
        ? []
        : [`${name}=${value}`, `${name.toLowerCase()}=${value}`];
    });
  }

  /** Replaces the host's loopback address, which a machine inside the host cannot reach. */
  #reachable(text: string): string {
    const url = URL.parse(text.includes('://') ? text : `http://${text}`);
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '')
      throw invalid(
        `A proxy is an address such as http://proxy.example:3128, not ${JSON.stringify(text)}.`,
      );
    const hostAddress = this.#options.hostAddress();
    if (hostAddress !== undefined && isLoopback(url.hostname)) url.hostname = hostAddress;
    return url.href.replace(/\/$/, '');
  }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || (isIP(name) === 4 && name.startsWith('127.'));
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  if (url.password !== '') url.password = shownPassword;
  return url.href.replace(/\/$/, '');
}
