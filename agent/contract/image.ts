/** Types of images, their configuration and the requests to a registry (OCI image-spec, distribution-spec). */

export interface ImageView {
  /** Digest of the image configuration: `sha256:…`. */
  id: string;
  tags: string[];
  repoDigests: string[];
  createdAt: Date | undefined;
  author: string;
  comment: string;
  architecture: string;
  variant?: string;
  os: string;
  /** Sum of the unpacked layers, in bytes. */
  sizeBytes: number;
  /** The configuration's `config` object, as the image has it (OCI image-spec config.md). */
  config: ImageConfig;
  diffIds: string[];
  /** Directories of the unpacked layers, the topmost first, as overlayfs takes them. */
  lowers: string[];
  lastTaggedAt: Date | undefined;
  containers: number;
}

export interface ImageConfig {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, Record<string, never>>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  Healthcheck?: {
    Test?: string[];
    Interval?: number;
    Timeout?: number;
    StartPeriod?: number;
    StartInterval?: number;
    Retries?: number;
  };
  Shell?: string[];
  OnBuild?: string[];
}

export interface HistoryEntry {
  id: string;
  createdAt: Date | undefined;
  createdBy: string;
  comment: string;
  sizeBytes: number;
  tags: string[];
  /** Of the layer that the step made; absent for a step that made none. */
  diffId?: string;
}

/** One instruction of an image, and the layer that it made (`/corten/v1/images/{name}/layers`). */
export interface ImageLayerDocument {
  /** As the image's history has it; empty where the history is shorter than the layers. */
  createdBy: string;
  comment: string;
  /** RFC 3339. */
  createdAt?: string;
  /** Bytes of the unpacked layer; 0 for an instruction that made none, absent where the history does not say. */
  sizeBytes?: number;
  /** Digest of the layer's plain archive; absent for an instruction that made none. */
  diffId?: string;
}

/** Entries of one directory of a layer, sorted by name. */
export interface LayerFilesDocument {
  files: LayerFile[];
  /** Whether more follow the last one. */
  hasMore: boolean;
}

export interface LayerFile {
  name: string;
  /** `removed`: the layer hides an entry of that name below it (a whiteout). */
  kind: 'file' | 'directory' | 'link' | 'device' | 'pipe' | 'socket' | 'removed';
  sizeBytes: number;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** RFC 3339. */
  modifiedAt: string;
  /** Where a symbolic link leads. */
  target?: string;
  /** The directory hides everything that lower layers have in it. */
  isOpaque?: boolean;
}

export interface RegistryCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  registryToken?: string;
  serverAddress?: string;
}

export interface PullRequest {
  /** `name`, `name:tag` or `name@digest`; no tag means `latest`. */
  reference: string;
  allTags: boolean;
  platform?: string;
  credentials?: RegistryCredentials;
  /** Cancels; what was fetched stays for the next try. */
  signal: AbortSignal;
}

export interface PushRequest {
  reference: string;
  credentials?: RegistryCredentials;
  signal: AbortSignal;
}

/** One line of a long work's progress, as Docker's JSON messages carry it. */
export interface Progress {
  /** Short layer id, or tag. */
  id?: string;
  status?: string;
  /** Text that is printed as it is (load, build). */
  stream?: string;
  currentBytes?: number;
  totalBytes?: number;
  error?: string;
  /** Extra data for tools, such as the pushed digest. */
  aux?: Record<string, unknown>;
}
