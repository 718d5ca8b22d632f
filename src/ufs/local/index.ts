/**
 * The local store: files below one folder. Owns the containment in that folder, atomic creation and paged listing; never
 * follows a link out of the folder, never shows a half-written file.
 */
import { UFS_LOCAL_SYNC, UFS_TEMPORARY_AGE } from '../../core/options/ufs.options.ts'
import type { UfsFactory } from '../registry.ts'
import { setting } from '../settings.ts'
import { LocalStore } from './local-store.ts'

export { LocalStore } from './local-store.ts'

export const localFactory: UfsFactory = {
  schemes: ['file'],
  open: async (uri, options, { runtime, log }) =>
    new LocalStore(
      {
        root: `/${uri.path}`,
        sync: setting(options, UFS_LOCAL_SYNC)!,
        temporaryAgeMs: setting(options, UFS_TEMPORARY_AGE)!,
      },
      { runtime, log },
    ),
}
