/** Folders of this computer that its machines have. */
export const foldersWords = {
  'folders.title': 'Folders',
  'folders.about':
    'Containers in a machine reach these folders of this computer under the same paths: docker run -v {example}:/src',
  'folders.remote':
    'Containers on that computer reach these folders of this one below a path of their own: docker run -v {example}:/src',
  'folders.native':
    'This computer’s own engine reaches all folders. The list is for machines that are VMs here.',
  'folders.list': 'Shared folders',
  'folders.none': 'No folder is shared.',
  'folders.path': 'Path of a folder',
  'folders.readOnly': 'Read-only',
  'folders.isReadOnly': 'read-only',
  'folders.inMachine': 'in the machine {path}',
  'folders.add': 'Share',
  'folders.remove': 'Stop sharing {path}',
  'failed.folderRemove': 'The folder is still shared',
} as const;
