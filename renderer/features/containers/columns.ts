import {
  createColumnHelper,
  createSortedRowModel,
  rowSelectionFeature,
  rowSortingFeature,
  tableFeatures,
} from '@tanstack/react-table';
import type { ContainerRow } from '../../stores/container-row.ts';

export const features = tableFeatures({
  rowSortingFeature,
  rowSelectionFeature,
  sortedRowModel: createSortedRowModel(),
});

const helper = createColumnHelper<typeof features, ContainerRow>();

type Compare = (a: ContainerRow, b: ContainerRow) => number;
const by = (compare: Compare) => (a: { original: ContainerRow }, b: { original: ContainerRow }) =>
  compare(a.original, b.original);

/** Running first, gone last. */
const statusOrder = ['running', 'restarting', 'paused', 'created', 'exited', 'removing', 'dead'];

/** The columns that sort. `header` is the message key's last part. */
export const columns = helper.columns([
  helper.accessor('name', {
    header: 'name',
    sortFn: by((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })),
  }),
  helper.accessor('image', {
    header: 'image',
    sortFn: by((a, b) => a.image.localeCompare(b.image)),
  }),
  helper.accessor('status', {
    header: 'status',
    sortFn: by((a, b) => statusOrder.indexOf(a.status) - statusOrder.indexOf(b.status)),
  }),
  helper.display({ id: 'cpu', header: 'cpu', enableSorting: false }),
  helper.display({ id: 'memory', header: 'memory', enableSorting: false }),
  helper.display({ id: 'ports', header: 'ports', enableSorting: false }),
  helper.accessor('createdAtMs', {
    header: 'age',
    sortFn: by((a, b) => b.createdAtMs - a.createdAtMs),
    sortDescFirst: false,
  }),
]);
