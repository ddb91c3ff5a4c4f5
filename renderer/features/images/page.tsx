import { type FormEvent, useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { ImageSummary } from '../../bridge/images.ts';
import { formatAge, formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { deleteImage, loadImages, useImages } from '../../stores/images.ts';
import { forgetPull, type Pull, pull, usePulls } from '../../stores/pulls.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { SearchField, TextField } from '../../ui/field.tsx';
import { Empty, LoadFailure, Notice, Page, Skeleton } from '../../ui/page.tsx';
import '../../ui/list-table.css';
import { PullProgress } from '../../ui/pull-progress.tsx';
import { useNow } from '../../ui/use-now.ts';
import './images.css';

interface Line {
  reference: string;
  image: ImageSummary;
}

export function ImagesPage() {
  const t = useText();
  const { images, loaded, error } = useImages();
  const pulls = usePulls((state) => state.pulls);
  const [filter, setFilter] = useState('');
  const lines = useMemo(() => toLines(images, filter), [images, filter]);
  return (
    <Page
      title={t('images.title')}
      tools={
        <>
          <span className="spacer" />
          <div className="filter">
            <SearchField label={t('images.filter')} value={filter} onChange={setFilter} />
          </div>
        </>
      }
    >
      <div className="page-body images">
        <PullForm />
        {Object.values(pulls).map((one) => (
          <PullCard key={one.reference} pull={one} />
        ))}
        {error ? (
          <LoadFailure
            error={error}
            retryLabel={t('action.retry')}
            onRetry={() => void loadImages()}
          />
        ) : null}
        {!loaded && !error ? <Skeleton lines={6} label={t('images.loading')} /> : null}
        {loaded && lines.length === 0 ? (
          <Empty title={t('images.empty')}>{t('images.emptyHelp')}</Empty>
        ) : null}
        {lines.length > 0 ? <ImageTable lines={lines} /> : null}
      </div>
    </Page>
  );
}

function ImageTable({ lines }: { lines: Line[] }) {
  const t = useText();
  const nowMs = useNow(10_000);
  return (
    <table className="plain-table list-table images-table">
      <thead>
        <tr>
          <th>{t('images.column.name')}</th>
          <th>{t('images.column.id')}</th>
          <th className="number">{t('images.column.size')}</th>
          <th>{t('images.column.created')}</th>
          <th>
            <span className="unseen">{t('containers.column.actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ reference, image }) => (
          <tr key={`${image.Id} ${reference}`}>
            <td className="truncate">{reference}</td>
            <td className="mono muted">{shortId(image.Id)}</td>
            <td className="number">{formatBytes(image.Size)}</td>
            <td className="muted">
              {image.Created > 0 ? formatAge(nowMs - image.Created * 1000) : '–'}
            </td>
            <td className="list-actions">
              <Link
                className="button"
                href={`/new/${encodeURIComponent(reference)}`}
                aria-label={t('images.run', { name: reference })}
              >
                {t('images.runShort')}
              </Link>
              <IconButton
                icon="remove"
                label={t('images.remove', { name: reference })}
                onClick={() => void deleteImage(reference)}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function PullForm() {
  const t = useText();
  const [reference, setReference] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = reference.trim();
    if (wanted === '') return;
    setReference('');
    void pull(wanted);
  };
  return (
    <form className="pull-form" onSubmit={submit}>
      <TextField
        hideLabel
        mono
        label={t('images.pullLabel')}
        placeholder={t('images.pullPlaceholder')}
        value={reference}
        onChange={setReference}
      />
      <Button type="submit" icon="download" disabled={reference.trim() === ''}>
        {t('images.pull')}
      </Button>
    </form>
  );
}

function PullCard({ pull: one }: { pull: Pull }) {
  const t = useText();
  const done = one.layers.reduce((sum, layer) => sum + layer.currentBytes, 0);
  const total = one.layers.reduce((sum, layer) => sum + layer.totalBytes, 0);
  const seconds = Math.max(1, (Date.now() - one.startedAtMs) / 1000);
  return (
    <section className="card pull-card" aria-label={t('images.pulling', { name: one.reference })}>
      <div className="pull-head">
        <h2 className="truncate">{one.reference}</h2>
        <span className="muted" role="status">
          {one.state === 'running'
            ? t('pull.rate', {
                done: formatBytes(done),
                total: formatBytes(total),
                rate: formatBytes(done / seconds),
              })
            : t(`pull.${one.state}`)}
        </span>
        <span className="spacer" />
        {one.state === 'running' ? (
          <Button onClick={one.cancel}>{t('pull.cancel')}</Button>
        ) : (
          <>
            {one.state === 'done' ? null : (
              <Button icon="restart" onClick={() => void pull(one.reference)}>
                {t('action.retry')}
              </Button>
            )}
            <IconButton
              icon="close"
              label={t('action.dismiss')}
              onClick={() => forgetPull(one.reference)}
            />
          </>
        )}
      </div>
      {one.error ? <Notice>{one.error}</Notice> : null}
      {one.state === 'running' ? <PullProgress layers={one.layers} /> : null}
    </section>
  );
}

function toLines(images: ImageSummary[], filter: string): Line[] {
  const wanted = filter.toLowerCase();
  return images
    .flatMap((image) => {
      const tags = (image.RepoTags ?? []).filter((tag) => !tag.startsWith('<none>'));
      return (tags.length > 0 ? tags : [shortId(image.Id)]).map((reference) => ({
        reference,
        image,
      }));
    })
    .filter((line) => line.reference.toLowerCase().includes(wanted))
    .sort((a, b) => a.reference.localeCompare(b.reference));
}

function shortId(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}
