/** The real scheduler of Kubernetes, with its extender client, over objects in memory: `test/support/kube-lab`, built from the Go module proxy. */
import { fileURLToPath } from 'node:url'
import { ownGoProgram } from './binary.ts'
import { complete, ServerProcess } from './process.ts'

const SOURCES = fileURLToPath(new URL('../kube-lab/', import.meta.url))
const START_MS = 60_000

export interface KubeLabOptions {
  readonly port: number
  /** Path of a KubeSchedulerConfiguration. */
  readonly config: string
  /** Address of the admission webhook. */
  readonly webhook: string
  /** Path of the certificate that signs the webhook's. */
  readonly ca: string
}

export interface LabPod {
  readonly metadata: {
    readonly name: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: {
    readonly nodeName?: string
    readonly schedulingGates?: readonly { readonly name: string }[]
    readonly affinity?: { readonly nodeAffinity?: unknown }
  }
}

export class KubeLab {
  readonly url: string
  readonly #process: ServerProcess

  private constructor(url: string, process: ServerProcess) {
    this.url = url
    this.#process = process
  }

  /** @throws ServerMissing with the reason */
  static async program(): Promise<string> {
    return await ownGoProgram('kube-lab', SOURCES)
  }

  /** @throws ServerMissing with the reason */
  static async start({ port, config, webhook, ca }: KubeLabOptions): Promise<KubeLab> {
    const url = `http://127.0.0.1:${port}`
    const args = ['-listen', `127.0.0.1:${port}`, '-config', config, '-webhook', webhook, '-ca', ca]
    const command = { binary: await KubeLab.program(), args, startMs: START_MS }
    const process = new ServerProcess(command, async () => (await fetch(`${url}/api/v1/nodes`)).ok)
    await process.start()
    return new KubeLab(url, process)
  }

  /** Kinds of the objects in manifests, all fields of which Kubernetes knows. */
  static async kinds(files: readonly string[]): Promise<string[]> {
    const printed = await complete({ binary: await KubeLab.program(), args: files })
    return printed.trim().split('\n')
  }

  get output(): string {
    return this.#process.output
  }

  async addNode(name: string, address: string): Promise<void> {
    const room = { cpu: '8', memory: '16Gi', pods: '100' }
    await this.#call('POST', '/api/v1/nodes', {
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      status: {
        capacity: room,
        allocatable: room,
        addresses: [{ type: 'InternalIP', address }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    })
  }

  /** As `kubectl create`: what the webhook warned of comes back. */
  async addPod(
    name: string,
    annotations: Readonly<Record<string, string>>,
    spec: Readonly<Record<string, unknown>> = {},
  ): Promise<{ pod: LabPod; warning: string }> {
    const { value, headers } = await this.#call('POST', '/api/v1/namespaces/default/pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, annotations },
      spec: {
        containers: [
          {
            ...{ name: 'main', image: 'main', imagePullPolicy: 'Always', terminationMessagePolicy: 'File' },
            ...{ terminationMessagePath: '/dev/termination-log' },
          },
        ],
        ...{ restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', terminationGracePeriodSeconds: 30 },
        ...{ securityContext: {}, schedulerName: 'alluxio', enableServiceLinks: true },
        ...spec,
      },
    })
    return { pod: value as LabPod, warning: headers.get('warning') ?? '' }
  }

  async patchPod(name: string, operations: readonly unknown[]): Promise<void> {
    await this.#call('PATCH', `/api/v1/namespaces/default/pods/${name}`, operations)
  }

  async pod(name: string): Promise<LabPod> {
    const { value } = await this.#call('GET', '/api/v1/pods')
    return (value as { items: LabPod[] }).items.find(({ metadata }) => metadata.name === name)!
  }

  async stop(): Promise<void> {
    await this.#process.kill()
  }

  async #call(method: string, path: string, body?: unknown): Promise<{ value: unknown; headers: Headers }> {
    const request = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const answer = await fetch(this.url + path, request)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return { value: JSON.parse(text), headers: answer.headers }
  }
}
