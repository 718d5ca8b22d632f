import { systemRuntime } from '../../core/index.ts'
import { AlluxioCommand, Args, Flags } from '../command.ts'

/** Letters of access keys, as of base 32. */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const ACCESS_KEY_LETTERS = 20
const SECRET_BYTES = 30

export class CredentialCreate extends AlluxioCommand {
  static override summary = 'Make a key with which clients of the S3 gateway act as a user.'
  static override description =
    'The secret is shown once and never again. Gateways know the key at once. Others than the superuser make keys of their own only.'
  static override usage = 's3 credential create --user <name>'
  static override examples = ['alluxio s3 credential create --user alice --json']
  static override flags = {
    user: Flags.string({ required: true, helpValue: '<name>', summary: 'who its holder acts as' }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(CredentialCreate)
    const { user } = flags
    const accessKeyId = Array.from(random(ACCESS_KEY_LETTERS), (byte) => LETTERS[byte % LETTERS.length]).join(
      '',
    )
    const secretAccessKey = Buffer.from(random(SECRET_BYTES)).toString('base64url')
    await this.withFileSystem(async (fs) => {
      await fs.admin.credentials.put({ accessKeyId, secretAccessKey, user })
      this.output.emit(
        () => ({ user, accessKeyId, secretAccessKey }),
        () => `Access key: ${accessKeyId}\nSecret key: ${secretAccessKey}`,
      )
    })
  }
}

export class CredentialList extends AlluxioCommand {
  static override summary = 'List the keys of the S3 gateway, without their secrets.'
  static override usage = 's3 credential ls'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(CredentialList)
    await this.withFileSystem(async (fs) => {
      for (const credential of await fs.admin.credentials.list()) {
        const { accessKeyId, user, createdMs } = credential
        this.output.emit(
          () => credential,
          () => `${accessKeyId}  ${user}  ${new Date(createdMs).toISOString()}`,
        )
      }
    })
  }
}

export class CredentialDelete extends AlluxioCommand {
  static override summary = 'Delete a key of the S3 gateway; it is refused within seconds.'
  static override usage = 's3 credential delete <accessKeyId>'
  static override args = {
    accessKeyId: Args.string({ description: 'the access key', required: true, ignoreStdin: true }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(CredentialDelete)
    const { accessKeyId } = args
    await this.withFileSystem(async (fs) => {
      const deleted = await fs.admin.credentials.delete(accessKeyId)
      this.output.emit(
        () => ({ accessKeyId, deleted }),
        () => (deleted ? `Deleted ${accessKeyId}` : `There is no key ${accessKeyId}`),
      )
    })
  }
}

function random(bytes: number): Uint8Array {
  return systemRuntime.randomBytes(new Uint8Array(bytes))
}
