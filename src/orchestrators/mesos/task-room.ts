/** How many tasks fit into an offer, and what a task takes of it. */
import type { Resource, ResourceOffer } from './scheduler-api.ts'

export interface TaskNeeds {
  readonly cpus: number
  readonly memoryMb: number
}

/** Resources of one kind of reservation: a task takes all of its own from one. */
interface Pool {
  readonly cpus: readonly Resource[]
  readonly mem: readonly Resource[]
  tasks: number
}

export class TaskRoom {
  readonly #needs: TaskNeeds
  readonly #pools: Pool[]

  constructor({ resources }: ResourceOffer, needs: TaskNeeds) {
    this.#needs = needs
    const pools = new Map<string, Resource[]>()
    for (const resource of resources) {
      if (resource.scalar === undefined || resource.disk !== undefined) continue
      // What can be taken away from a task, or is shared, is left to others.
      if (resource.revocable !== undefined || resource.shared !== undefined) continue
      const key = JSON.stringify(resource.reservations ?? [])
      const pool = pools.get(key)
      if (pool === undefined) pools.set(key, [resource])
      else pool.push(resource)
    }
    this.#pools = [...pools.values()].map((pool) => {
      const cpus = pool.filter(({ name }) => name === 'cpus')
      const mem = pool.filter(({ name }) => name === 'mem')
      return { cpus, mem, tasks: Math.min(times(cpus, needs.cpus), times(mem, needs.memoryMb)) }
    })
  }

  get slots(): number {
    return this.#pools.reduce((sum, { tasks }) => sum + tasks, 0)
  }

  /** Resources of one task more; there has to be a slot. */
  take(): Resource[] {
    const pool = this.#pools.find(({ tasks }) => tasks > 0)!
    pool.tasks--
    return [amount(pool.cpus[0]!, this.#needs.cpus), amount(pool.mem[0]!, this.#needs.memoryMb)]
  }
}

function times(resources: readonly Resource[], need: number): number {
  const sum = resources.reduce((total, { scalar }) => total + (scalar?.value ?? 0), 0)
  // Mesos counts in thousandths.
  return Math.floor((sum + 0.0005) / need)
}

function amount({ name, type, reservations }: Resource, value: number): Resource {
  return { name, type, scalar: { value }, ...(reservations === undefined ? {} : { reservations }) }
}
