/** What a machine has on this computer: the docker CLI's context and published ports. */

export interface DockerContextState {
  name: string;
  /** What the context leads to, in the docker CLI's words: `unix:///…` or `npipe:////./pipe/…`. */
  host: string;
  isSetUp: boolean;
  /** Whether a bare `docker` asks it. */
  isCurrent: boolean;
  /** An environment variable that makes the CLI look at no context. */
  overriddenBy?: string;
  /** Why `host` does not lead to the machine now, such as another program that has the path. */
  socketCause?: string;
}

/** A container's port on this computer. */
export interface ForwardedPort {
  containerId: string;
  protocol: 'tcp' | 'udp';
  hostAddress: string;
  hostPort: number;
  containerPort: number;
  status: 'open' | 'failed';
  /** Why it is not open, or what of it is not (IPv6); then also what to do. */
  cause?: string;
  nextStep?: string;
}
