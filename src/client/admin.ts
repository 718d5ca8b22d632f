/** The cluster's state as operators ask for it. */
import type { Client, MasterAdmin, MasterFs } from '../rpc/index.ts'
import type { Admin } from './types.ts'

export function adminOf(master: Client<typeof MasterAdmin>, fs: Client<typeof MasterFs>): Admin {
  return {
    info: () => master.info({}),
    workers: async () => (await master.workers({})).workers,
    ufs: async () => (await master.ufs({})).mounts,
    metrics: async () => (await master.metrics({})).values,
    blockInfo: (blockId) => master.blockInfo({ blockId }),
    configuration: async () => (await master.configuration({})).values,
    setUfsMode: async (uri, mode) => (await master.setUfsMode({ uri, mode })).paths,
    cleanUfs: (uri) => master.cleanUfs({ uri }),
    storeChanges: async () => (await master.changes({})).changes,
    credentials: {
      put: async (credential) => {
        await master.putCredential({ ...credential })
      },
      list: async () => (await master.credentials({})).credentials,
      delete: async (accessKeyId) => (await master.deleteCredential({ accessKeyId })).deleted,
      signingKey: (accessKeyId, date, region) => master.signingKey({ accessKeyId, date, region }),
    },
    pathConf: async () => (await fs.pathConf({})).entries,
    setPathConf: async (path, { set = {}, remove = [] }) => {
      await master.setPathConf({ path, set: { ...set }, remove: [...remove] })
    },
  }
}
