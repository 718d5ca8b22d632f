/**
 * The file systems of the users for whom a gateway acts: one connection to the master each, those not used for long are closed. And
 * whether the master is there at all, which is asked before a request is begun: what is under way when it goes waits for it longer,
 * so that its outcome is known.
 */
import type { FileSystem, FileSystems } from '../client/index.ts'

/** Names as POSIX portable ones, with what Kerberos and mail addresses add. */
const USER = /^[A-Za-z0-9_][A-Za-z0-9._@$-]{0,127}$/

export interface UsersOptions {
  /** Users connected at once; one more ends the connection of the one who was not heard of for longest. @default 256 */
  readonly maxUsers?: number
  /** How long a request waits for a master that is away, ms. @default 1500 */
  readonly masterWaitMs?: number
}

export class Users {
  readonly #fileSystems: FileSystems
  readonly #maxUsers: number
  readonly #masterWaitMs: number
  /** Least lately used first. */
  readonly #known = new Map<string, FileSystem>()

  constructor(
    { maxUsers = 256, masterWaitMs = 1500 }: UsersOptions,
    { fileSystems }: { readonly fileSystems: FileSystems },
  ) {
    this.#fileSystems = fileSystems
    this.#maxUsers = maxUsers
    this.#masterWaitMs = masterWaitMs
  }

  static isName(user: string): boolean {
    return USER.test(user)
  }

  /** Undefined while the master is there; else resolves when it is. @throws UNAVAILABLE when it stays away */
  reachMaster(): Promise<void> | undefined {
    return this.#fileSystems.reachMaster(this.#masterWaitMs)
  }

  as(user: string): FileSystem {
    const known = this.#known.get(user)
    const fs = known ?? this.#fileSystems.as(user)
    if (known !== undefined) this.#known.delete(user)
    this.#known.set(user, fs)
    if (this.#known.size > this.#maxUsers) this.#forgetOldest()
    return fs
  }

  #forgetOldest(): void {
    const [user, fs] = this.#known.entries().next().value!
    this.#known.delete(user)
    // What is under way for it fails: with so many users at once more of them have to be allowed.
    void fs.close()
  }
}
