/**
 * Orchestrators: where Mesos and Kubernetes ask or are told to put work beside its bytes.
 *
 * Owns their protocols: a framework on Mesos' scheduler API that runs a command near each of its inputs, and for Kubernetes a scheduler
 * extender, an admission webhook and the loop that holds pods until their inputs are warm. Never ranks hosts itself
 * (`src/scheduler`), and never touches a block or metadata but through `src/client`. Without hints all of it goes on, and says why. Read
 * on in `mesos/framework.ts` and `kubernetes/gateway.ts`.
 */
export { HintSource } from './hint-source.ts'
export { KubeApi } from './kubernetes/api-server.ts'
export { KubernetesGateway } from './kubernetes/gateway.ts'
export { NodePlaces } from './kubernetes/node-places.ts'
export { WarmGate } from './kubernetes/warm-gate.ts'
export { checkedMaster, MesosFramework } from './mesos/framework.ts'
export type { InputTask, SavedRun } from './mesos/input-tasks.ts'
