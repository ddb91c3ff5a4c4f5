/** HTTP proxies: `PUT` and `GET /corten/v1/machine/proxies`. */

export interface ProxySettings {
  /** For addresses that begin with `http:`; the proxy's own address. Absent: none. */
  http?: string;
  https?: string;
  /** Names that are reached without, parted by commas, as in NO_PROXY. */
  noProxy?: string;
  /** New containers get them in their environment, where neither image nor request has its own. */
  containers: boolean;
}

/** Docker's words in the environment (docs.docker.com/engine/cli/proxy), each in both cases. */
export const proxyVariables = {
  http: 'HTTP_PROXY',
  https: 'HTTPS_PROXY',
  noProxy: 'NO_PROXY',
} as const;

/** Programs differ in which case they read; the small letters win, as in curl. */
export function proxiesFromEnvironment(
  environment: Record<string, string | undefined>,
): Pick<ProxySettings, 'http' | 'https' | 'noProxy'> {
  const read = (name: string) =>
    environment[name.toLowerCase()] || environment[name] || environment.ALL_PROXY || undefined;
  const found = {
    http: read(proxyVariables.http),
    https: read(proxyVariables.https),
    noProxy: environment.no_proxy || environment.NO_PROXY || undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
