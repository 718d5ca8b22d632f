/**
 * The daemon beside Kubernetes: one HTTP(S) door for its scheduler and its API server, and the loop that lets held pods go. Stateless:
 * any number may run. `main.ts` is its wiring.
 */
export { type KubernetesDaemon, startKubernetes } from './main.ts'
