import type { FileStatus } from '../../client/index.ts'
import type { AclChange } from '../../core/index.ts'
import { AlluxioCommand, Flags, PATH, PATHS } from '../command.ts'
import { usageError } from '../failure.ts'

export class GetFacl extends AlluxioCommand {
  static override summary = 'Show the access control lists of paths.'
  static override usage = 'fs getfacl <path> ...'
  static override shape = 'list' as const
  static override args = PATHS

  override async run(): Promise<void> {
    const { args } = await this.parse(GetFacl)
    await this.forEachPath(args.path, async (fs, path) => {
      const status = await fs.getStatus(path)
      const { owner, group, acl, defaultAcl } = status
      this.output.emit(
        () => ({ path: status.path, owner, group, acl, defaultAcl }),
        () => listText(status),
      )
    })
  }
}

function listText({ path, owner, group, acl, defaultAcl }: FileStatus): string {
  return [`# file: ${path}`, `# owner: ${owner}`, `# group: ${group}`, ...acl, ...defaultAcl].join('\n')
}

export class SetFacl extends AlluxioCommand {
  static override summary = 'Change the access control lists of a path.'
  static override description =
    'Entries, with commas between: user::rwx (the owner), user:alice:r-x, group::r-x (the owning group), group:dev:rwx, mask::r-x, other::---, and the same behind default: for what new children of a directory get. Without a mask of its own, a list that names somebody gets one that grants what its entries say.'
  static override usage = 'fs setfacl [-d] [-R] [--set | -m | -x <acl_entries> <path>] | [-b | -k <path>]'
  static override examples = [
    'alluxio fs setfacl -m user:alice:r-x,group:dev:rwx /data',
    'alluxio fs setfacl -R -x user:alice /data',
    'alluxio fs setfacl -d -m user:alice:r-x /data',
    'alluxio fs setfacl --set user::rwx,group::r-x,other::---,user:bob:r-- /data',
    'alluxio fs setfacl -b /data',
  ]
  static override shape = 'list' as const
  static override args = PATH
  static override flags = {
    default: Flags.boolean({ char: 'd', summary: 'the entries are of the default list' }),
    recursive: Flags.boolean({ char: 'R', summary: 'also everything below' }),
    set: Flags.string({ helpValue: '<acl_entries>', summary: 'these entries instead of all others' }),
    modify: Flags.string({
      char: 'm',
      helpValue: '<acl_entries>',
      summary: 'add these entries, or change those that are there',
    }),
    remove: Flags.string({
      char: 'x',
      helpValue: '<acl_entries>',
      summary: 'remove these entries, which have no permissions: user:alice',
    }),
    'remove-all': Flags.boolean({ char: 'b', summary: 'remove all that the mode does not say' }),
    'remove-default': Flags.boolean({ char: 'k', summary: 'remove the default list' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SetFacl)
    const changes: AclChange[] = []
    const add = (action: AclChange['action'], text: string | undefined): void => {
      if (text !== undefined) changes.push({ action, entries: entriesOf(text, flags.default) })
    }
    add('SET', flags.set)
    add('MODIFY', flags.modify)
    add('REMOVE', flags.remove)
    if (flags['remove-all'])
      changes.push({ action: flags.default ? 'REMOVE_DEFAULT' : 'REMOVE_ALL', entries: [] })
    if (flags['remove-default']) changes.push({ action: 'REMOVE_DEFAULT', entries: [] })
    const [acl] = changes
    if (acl === undefined || changes.length > 1) {
      throw usageError('setfacl takes one of --set, -m, -x, -b and -k', [`Usage: alluxio ${SetFacl.usage}`])
    }
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { acl, recursive: flags.recursive })
      this.output.emit(
        () => ({ path, ...acl }),
        () => `Changed the access control list of ${path}`,
      )
    })
  }
}

function entriesOf(text: string, isDefault: boolean): string[] {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  if (entries.length === 0) throw usageError('there is no ACL entry', [`Usage: alluxio ${SetFacl.usage}`])
  return isDefault
    ? entries.map((entry) => (/^d(efault)?:/i.test(entry) ? entry : `default:${entry}`))
    : entries
}
