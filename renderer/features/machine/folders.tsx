import { type FormEvent, useEffect, useState } from 'react';
import type { SharedFolderView } from '../../bridge/folders.ts';
import type { MachineKind } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { followFolders, shareFolder, unshareFolder, useFolders } from '../../stores/folders.ts';
import { useShownMachine } from '../../stores/machines.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { CheckField } from '../../ui/checkbox.tsx';
import { TextField } from '../../ui/field.tsx';
import { Notice } from '../../ui/page.tsx';

/** Which folders of this computer its machines have. Another computer has them when that is chosen. */
export function FoldersCard({ kind }: { kind: MachineKind }) {
  const t = useText();
  const { folders, notices } = useFolders();
  const { choices, foldersAt = '' } = useShownMachine() ?? {};
  useEffect(() => {
    const abort = new AbortController();
    void followFolders(abort.signal);
    return () => abort.abort();
  }, []);
  if (folders === undefined || choices?.foldersThere === false) return null;
  const example = `${foldersAt}${folders[0]?.mountPath ?? '/home'}`;
  return (
    <section className="card machine-part" aria-label={t('folders.title')}>
      <h2>{t('folders.title')}</h2>
      <p className="muted">
        {kind === 'native'
          ? t('folders.native')
          : t(kind === 'remote' ? 'folders.remote' : 'folders.about', { example })}
      </p>
      {notices.map((notice) => (
        <Notice key={notice}>{notice}</Notice>
      ))}
      {folders.length === 0 ? <p className="muted">{t('folders.none')}</p> : null}
      <ul className="machine-folders" aria-label={t('folders.list')}>
        {folders.map((folder) => (
          <FolderRow key={folder.path} folder={folder} at={foldersAt} />
        ))}
      </ul>
      <NewFolder />
    </section>
  );
}

function FolderRow({ folder, at }: { folder: SharedFolderView; at: string }) {
  const t = useText();
  const { path, readOnly, problem } = folder;
  const mountPath = `${at}${folder.mountPath}`;
  const facts = [
    readOnly ? t('folders.isReadOnly') : undefined,
    mountPath === path ? undefined : t('folders.inMachine', { path: mountPath }),
  ].filter((fact) => fact !== undefined);
  return (
    <li>
      <span className="mono">{path}</span>
      <span className="muted">{facts.join(', ')}</span>
      <span className="spacer" />
      <IconButton
        icon="remove"
        label={t('folders.remove', { path })}
        onClick={() => void unshareFolder(path)}
      />
      {problem === undefined ? null : <Notice kind="warn">{problem}</Notice>}
    </li>
  );
}

function NewFolder() {
  const t = useText();
  const [path, setPath] = useState('');
  const [readOnly, setReadOnly] = useState(false);
  const [problem, setProblem] = useState<string>();
  const share = async (event: FormEvent) => {
    event.preventDefault();
    const refusal = await shareFolder({ path: path.trim(), readOnly });
    setProblem(refusal);
    if (refusal === undefined) setPath('');
  };
  return (
    <form className="machine-new-folder" onSubmit={(event) => void share(event)}>
      <TextField
        label={t('folders.path')}
        value={path}
        mono
        error={problem}
        onChange={(text) => {
          setPath(text);
          setProblem(undefined);
        }}
      />
      <CheckField label={t('folders.readOnly')} checked={readOnly} onChange={setReadOnly} />
      <Button type="submit" disabled={path.trim() === ''}>
        {t('folders.add')}
      </Button>
    </form>
  );
}
