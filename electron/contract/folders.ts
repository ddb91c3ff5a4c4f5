/** Folders of this computer that its machines have; the same for all machines that are VMs here. */

export interface SharedFolder {
  path: string;
  readOnly: boolean;
}

export interface SharedFolderView extends SharedFolder {
  /** Where containers name it; on Windows the drive is the first folder. */
  mountPath: string;
  /** Why no machine has it at the moment, and what to do. */
  problem?: string;
}

export interface SharedFolders {
  folders: SharedFolderView[];
  /** What is worth knowing of the list itself, such as that its file could not be read. */
  notices: string[];
}
