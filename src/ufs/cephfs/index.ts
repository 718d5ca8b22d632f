/**
 * CephFS, mounted by the system (kernel client or ceph-fuse) at a folder that an option names. Owns nothing but the check of
 * that mount; the files are the local store's. Never mounts anything. Objects of Ceph's gateway are the S3 store's.
 */
import { AlluxioError } from '../../core/index.ts'
import { UFS_CEPHFS_MOUNT, UFS_LOCAL_SYNC, UFS_TEMPORARY_AGE } from '../../core/options/ufs.options.ts'
import { type MountedStoreModules, mountedStore } from '../local/mounted.ts'
import type { UfsFactory } from '../registry.ts'
import { setting } from '../settings.ts'

/** The kernel's client, ceph-fuse, and what mount.fuse.ceph names it. */
const TYPES: ReadonlySet<string> = new Set(['ceph', 'fuse.ceph-fuse', 'fuse.ceph'])

/** `mounts` is for tests where no CephFS can be mounted. */
export function cephfsFactory(mounts?: MountedStoreModules['mounts']): UfsFactory {
  return {
    schemes: ['cephfs'],
    async open(uri, options, { runtime, log }) {
      const folder = setting(options, UFS_CEPHFS_MOUNT)!
      if (folder === '') {
        throw new AlluxioError(
          'INVALID_ARGUMENT',
          `${UFS_CEPHFS_MOUNT.key} is missing: mount the file system (mount -t ceph, or ceph-fuse) on every master and worker and name the folder, for example --option ${UFS_CEPHFS_MOUNT.key}=/mnt/cephfs; objects of Ceph's gateway are s3://bucket`,
          { reason: 'INVALID_UFS_OPTION' },
        )
      }
      return mountedStore(
        {
          scheme: 'cephfs',
          folder,
          option: UFS_CEPHFS_MOUNT.key,
          sync: setting(options, UFS_LOCAL_SYNC)!,
          temporaryAgeMs: setting(options, UFS_TEMPORARY_AGE)!,
          expected: 'CephFS',
          root: ({ type }) =>
            TYPES.has(type) ? [folder.replace(/\/+$/, ''), uri.path].filter(Boolean).join('/') : undefined,
        },
        { runtime, log, ...(mounts === undefined ? {} : { mounts }) },
      )
    },
  }
}
