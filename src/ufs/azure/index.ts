/**
 * Azure Blob Storage. Owns the requests to the blob service (signed with the account's key or a shared access signature), the
 * mapping of a tree onto blob names, and uploads in blocks. A directory is a name prefix, a marker blob with the metadata
 * `hdi_isfolder` as Hadoop and accounts with a hierarchical namespace have it, or both. Never retries a whole call.
 */
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import { HttpHandler } from '../http-transport/http-handler.ts'
import type { UfsFactory } from '../registry.ts'
import { setting } from '../settings.ts'
import { accountOf } from './account.ts'
import { AzureStore } from './azure-store.ts'
import { AzureClient } from './client.ts'

const CONTAINER = /^(\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62})$/

export const azureFactory: UfsFactory = {
  schemes: ['wasb', 'wasbs', 'abfs', 'abfss'],
  async open(uri, options, modules) {
    const [container = ''] = uri.authority.split('@')
    if (!CONTAINER.test(container)) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `"${uri.text}" names no container (3 to 63 lower-case letters, digits and hyphens): write wasbs://container@account.blob.core.windows.net/folder`,
        { reason: 'INVALID_UFS_URI' },
      )
    }
    const account = accountOf(uri, options, modules)
    const handler = new HttpHandler(
      {
        connections: setting(options, OPTIONS.UFS_AZURE_CONNECTIONS)!,
        stallMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
      },
      modules,
    )
    const client = new AzureClient({ container, account }, { ...modules, handler })
    return new AzureStore(
      {
        prefix: uri.path,
        leastBlockBytes: setting(options, OPTIONS.UFS_AZURE_BLOCK_SIZE)!,
        uploads: setting(options, OPTIONS.UFS_AZURE_UPLOADS)!,
      },
      client,
      modules,
    )
  },
}
