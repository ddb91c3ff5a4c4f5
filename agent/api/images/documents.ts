/** Translates an ImageView to Docker's documents. */
import type { HistoryResponseItem, ImageInspect, ImageSummary } from '../../contract/docker.ts';
import type { HistoryEntry, ImageView } from '../../contract/image.ts';
import { rfc3339, unixSeconds } from '../timestamps.ts';
import type { Wire } from '../wire.ts';

export function imageSummary(view: ImageView): Wire<ImageSummary> {
  return {
    Id: view.id,
    ParentId: '',
    RepoTags: view.tags,
    RepoDigests: view.repoDigests,
    Created: view.createdAt === undefined ? 0 : unixSeconds(view.createdAt),
    Size: view.sizeBytes,
    SharedSize: -1,
    Labels: view.config.Labels ?? null,
    Containers: view.containers,
  };
}

export function imageDocument(view: ImageView): Wire<ImageInspect> & Record<string, unknown> {
  const [upper = '', ...lowers] = view.lowers;
  return {
    Id: view.id,
    RepoTags: view.tags,
    RepoDigests: view.repoDigests,
    Parent: '',
    Comment: view.comment,
    Created: rfc3339(view.createdAt),
    DockerVersion: '',
    Author: view.author,
    Config: {
      Hostname: '',
      Domainname: '',
      User: '',
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: null,
      Cmd: null,
      Image: '',
      Volumes: null,
      WorkingDir: '',
      Entrypoint: null,
      OnBuild: null,
      Labels: null,
      ...view.config,
    } as Wire<ImageInspect>['Config'],
    Architecture: view.architecture,
    ...(view.variant === undefined ? {} : { Variant: view.variant }),
    Os: view.os,
    Size: view.sizeBytes,
    GraphDriver: {
      Name: 'overlay2',
      Data:
        lowers.length === 0 ? { UpperDir: upper } : { LowerDir: lowers.join(':'), UpperDir: upper },
    },
    RootFS: { Type: 'layers', Layers: view.diffIds },
    Metadata: { LastTagTime: rfc3339(view.lastTaggedAt) },
  };
}

export function historyDocument(entry: HistoryEntry): Wire<HistoryResponseItem> {
  return {
    Id: entry.id,
    Created: entry.createdAt === undefined ? 0 : unixSeconds(entry.createdAt),
    CreatedBy: entry.createdBy,
    Tags: entry.tags.length === 0 ? null : entry.tags,
    Size: entry.sizeBytes,
    Comment: entry.comment,
  };
}

export function deleteDocuments(removed: {
  untagged: readonly string[];
  deleted: readonly string[];
}): object[] {
  return [
    ...removed.untagged.map((name) => ({ Untagged: name })),
    ...removed.deleted.map((id) => ({ Deleted: id })),
  ];
}
