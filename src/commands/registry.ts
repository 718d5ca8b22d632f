/** The commands by oclif id, each loaded when it runs. */
import type { AlluxioCommand } from './command.ts'

type Load = () => Promise<typeof AlluxioCommand>
const one =
  <M>(load: () => Promise<M>, name: keyof M): Load =>
  async () =>
    (await load())[name] as typeof AlluxioCommand

export const COMMANDS: Readonly<Record<string, Load>> = {
  'block:inspect': one(() => import('./block-inspect.ts'), 'BlockInspect'),
  completion: one(() => import('./shell/completion.ts'), 'Completion'),
  'daemon:master': one(() => import('./launch/daemon.ts'), 'DaemonMaster'),
  'daemon:proxy': one(() => import('./launch/daemon.ts'), 'DaemonProxy'),
  'daemon:worker': one(() => import('./launch/daemon.ts'), 'DaemonWorker'),
  'extensions:install': one(() => import('./extensions/extensions.ts'), 'ExtensionsInstall'),
  'extensions:ls': one(() => import('./extensions/extensions.ts'), 'ExtensionsLs'),
  'extensions:uninstall': one(() => import('./extensions/extensions.ts'), 'ExtensionsUninstall'),
  format: one(() => import('./launch/format.ts'), 'FormatCommand'),
  'fs:cat': one(() => import('./fs/cat.ts'), 'Cat'),
  'fs:checkConsistency': one(() => import('./fs/check-consistency.ts'), 'CheckConsistency'),
  'fs:checksum': one(() => import('./fs/checksum.ts'), 'Checksum'),
  'fs:chgrp': one(() => import('./fs/ownership.ts'), 'Chgrp'),
  'fs:chmod': one(() => import('./fs/ownership.ts'), 'Chmod'),
  'fs:chown': one(() => import('./fs/ownership.ts'), 'Chown'),
  'fs:copyFromLocal': one(() => import('./fs/cp.ts'), 'CopyFromLocal'),
  'fs:copyToLocal': one(() => import('./fs/cp.ts'), 'CopyToLocal'),
  'fs:count': one(() => import('./fs/count.ts'), 'Count'),
  'fs:cp': one(() => import('./fs/cp.ts'), 'Cp'),
  'fs:du': one(() => import('./fs/du.ts'), 'Du'),
  'fs:free': one(() => import('./fs/free.ts'), 'Free'),
  'fs:getCapacityBytes': one(() => import('./fs/space.ts'), 'GetCapacityBytes'),
  'fs:getfacl': one(() => import('./fs/acl.ts'), 'GetFacl'),
  'fs:getSyncPathList': one(() => import('./fs/active-sync.ts'), 'GetSyncPathList'),
  'fs:getUsedBytes': one(() => import('./fs/space.ts'), 'GetUsedBytes'),
  'fs:head': one(() => import('./fs/head-tail.ts'), 'Head'),
  'fs:leader': one(() => import('./fs/leader.ts'), 'Leader'),
  'fs:load': one(() => import('./fs/load.ts'), 'LoadCommand'),
  'fs:loadMetadata': one(() => import('./fs/load-metadata.ts'), 'LoadMetadata'),
  'fs:location': one(() => import('./fs/location.ts'), 'Location'),
  'fs:ls': one(() => import('./fs/ls.ts'), 'Ls'),
  'fs:masterInfo': one(() => import('./fs/leader.ts'), 'MasterInfo'),
  'fs:mkdir': one(() => import('./fs/mkdir.ts'), 'Mkdir'),
  'fs:mount': one(() => import('./fs/mount.ts'), 'Mount'),
  'fs:mv': one(() => import('./fs/mv.ts'), 'Mv'),
  'fs:needsSync': one(() => import('./fs/active-sync.ts'), 'NeedsSync'),
  'fs:persist': one(() => import('./fs/persist.ts'), 'Persist'),
  'fs:pin': one(() => import('./fs/pin.ts'), 'Pin'),
  'fs:rm': one(() => import('./fs/rm.ts'), 'Rm'),
  'fs:setfacl': one(() => import('./fs/acl.ts'), 'SetFacl'),
  'fs:setReplication': one(() => import('./fs/replication.ts'), 'SetReplication'),
  'fs:setTtl': one(() => import('./fs/ttl.ts'), 'SetTtl'),
  'fs:startSync': one(() => import('./fs/active-sync.ts'), 'StartSync'),
  'fs:stat': one(() => import('./fs/stat.ts'), 'Stat'),
  'fs:stopSync': one(() => import('./fs/active-sync.ts'), 'StopSync'),
  'fs:tail': one(() => import('./fs/head-tail.ts'), 'Tail'),
  'fs:test': one(() => import('./fs/test.ts'), 'Test'),
  'fs:touch': one(() => import('./fs/touch.ts'), 'Touch'),
  'fs:unmount': one(() => import('./fs/mount.ts'), 'Unmount'),
  'fs:unpin': one(() => import('./fs/pin.ts'), 'Unpin'),
  'fs:unsetTtl': one(() => import('./fs/ttl.ts'), 'UnsetTtl'),
  'fs:updateMount': one(() => import('./fs/mount.ts'), 'UpdateMount'),
  'fsadmin:pathConf:add': one(() => import('./fsadmin/path-conf.ts'), 'PathConfAdd'),
  'fsadmin:pathConf:list': one(() => import('./fsadmin/path-conf.ts'), 'PathConfList'),
  'fsadmin:pathConf:remove': one(() => import('./fsadmin/path-conf.ts'), 'PathConfRemove'),
  'fsadmin:pathConf:show': one(() => import('./fsadmin/path-conf.ts'), 'PathConfShow'),
  'fsadmin:report': one(() => import('./fsadmin/summary.ts'), 'Report'),
  'fsadmin:report:capacity': one(() => import('./fsadmin/capacity.ts'), 'ReportCapacity'),
  'fsadmin:report:changes': one(() => import('./fsadmin/changes.ts'), 'ReportChanges'),
  'fsadmin:report:metrics': one(() => import('./fsadmin/metrics.ts'), 'ReportMetrics'),
  'fsadmin:report:summary': one(() => import('./fsadmin/summary.ts'), 'ReportSummary'),
  'fsadmin:report:ufs': one(() => import('./fsadmin/ufs.ts'), 'ReportUfs'),
  'fsadmin:ufs': one(() => import('./fsadmin/ufs.ts'), 'Ufs'),
  getConf: one(() => import('./get-conf.ts'), 'GetConf'),
  'plugins:build': one(() => import('./plugins/plugins.ts'), 'PluginsBuild'),
  'plugins:ls': one(() => import('./plugins/plugins.ts'), 'PluginsLs'),
  hints: one(() => import('./hints.ts'), 'HintsCommand'),
  'kubernetes:serve': one(() => import('./kubernetes/serve.ts'), 'KubernetesServe'),
  'mesos:run': one(() => import('./mesos/run.ts'), 'MesosRun'),
  quickstart: one(() => import('./quickstart/quickstart.ts'), 'Quickstart'),
  runTests: one(() => import('./trial/run-tests.ts'), 'RunTests'),
  runUfsTests: one(() => import('./trial/run-ufs-tests.ts'), 'RunUfsTests'),
  's3:credential:create': one(() => import('./s3/credential.ts'), 'CredentialCreate'),
  's3:credential:delete': one(() => import('./s3/credential.ts'), 'CredentialDelete'),
  's3:credential:ls': one(() => import('./s3/credential.ts'), 'CredentialList'),
  start: one(() => import('./launch/start.ts'), 'Start'),
  status: one(() => import('./launch/status.ts'), 'Status'),
  stop: one(() => import('./launch/stop.ts'), 'Stop'),
  version: one(() => import('./version.ts'), 'Version'),
}

/** Names that upstream once had, and what they stand for. */
export const DEPRECATED: Readonly<Record<string, readonly string[]>> = {
  'fs lsr': ['fs', 'ls', '-R'],
  'fs rmr': ['fs', 'rm', '-R'],
  'fs chgrpr': ['fs', 'chgrp', '-R'],
  'fs chmodr': ['fs', 'chmod', '-R'],
  'fs chownr': ['fs', 'chown', '-R'],
  'fs fileInfo': ['fs', 'stat'],
  'fs umount': ['fs', 'unmount'],
}

/** The command with the longest name that the words begin with, or the topic (`fs`) that they stop at. */
export function findCommand(words: readonly string[]): { id: string; argv: readonly string[] } | undefined {
  for (let length = Math.min(3, words.length); length > 0; length--) {
    const id = words.slice(0, length).join(':')
    if (Object.hasOwn(COMMANDS, id) && !id.includes(':-')) return { id, argv: words.slice(length) }
  }
  const topic = words.join(':')
  return Object.keys(COMMANDS).some((id) => id.startsWith(`${topic}:`)) ? { id: topic, argv: [] } : undefined
}
