/** The part of Kubernetes' objects that is read here. What a cluster sends has much more; nothing of it is sent back but as it came. */

export interface Metadata {
  readonly name?: string
  readonly namespace?: string
  readonly uid?: string
  readonly creationTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface NodeAffinity {
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly unknown[] | null
}

export interface Pod {
  readonly metadata: Metadata
  readonly spec: {
    readonly nodeName?: string
    readonly schedulingGates?: readonly { readonly name: string }[] | null
    readonly affinity?: { readonly nodeAffinity?: NodeAffinity | null } | null
  }
}

export interface Node {
  readonly metadata: Metadata
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] }
}

export interface List<T> {
  readonly metadata?: { readonly continue?: string }
  /** Of an empty list some servers write null. */
  readonly items: readonly T[] | null
}

/** RFC 6902. */
export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'test'
  readonly path: string
  readonly value?: unknown
}
