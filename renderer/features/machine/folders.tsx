import { type FormEvent, useEffect, useState } from 'react';
import type { SharedFolderView } from '../../bridge/folders.ts';
import type { MachineKind } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { followFolders, shareFolder, unshareFolder, useFolders } from '../../stores/folders.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { CheckField } from '../../ui/checkbox.tsx';
import { TextField } from '../../ui/field.tsx';
import { Notice } from '../../ui/page.tsx';

/** Which folders of this computer its machines have. Another computer's machine has none of them. */
export function FoldersCard({ kind }: { kind: MachineKind }) {
  const t = useText();
  const { folders, notices } = useFolders();
  useEffect(() => {
    const abort = new AbortController();
    void followFolders(abort.signal);
    return () => abort.abort();
  }, []);
  if (kind === 'remote' || folders === undefined) return null;
  return (
    <section className="card machine-part" aria-label={t('folders.title')}>
      <h2>{t('folders.title')}</h2>
      <p className="muted">
        {kind === 'native'
          ? t('folders.native')
          : t('folders.about', { example: folders[0]?.mountPath ?? '/home' })}
      </p>
      {notices.map((notice) => (
        <Notice key={notice}>{notice}</Notice>
      ))}
      {folders.length === 0 ? <p className="muted">{t('folders.none')}</p> : null}
      <ul className="machine-folders" aria-label={t('folders.list')}>
        {folders.map((folder) => (
          <FolderRow key={folder.path} folder={folder} />
        ))}
      </ul>
      <NewFolder />
    </section>
  );
}

function FolderRow({ folder }: { folder: SharedFolderView }) {
  const t = useText();
  const { path, mountPath, readOnly, problem } = folder;
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
