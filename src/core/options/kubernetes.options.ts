import { option } from '../config/option.ts'

export const KUBERNETES_BIND_HOST = option('alluxio.kubernetes.bind.host', 'string', {
  default: '127.0.0.1',
  scope: 'all',
  doc: 'Address that "alluxio kubernetes serve" binds. Others than loopback need a certificate, or alluxio.security.transport=none.',
})
export const KUBERNETES_PORT = option('alluxio.kubernetes.port', 'port', {
  default: 9443,
  scope: 'all',
  doc: 'Port of "alluxio kubernetes serve": scheduler extender, admission webhook, metrics and health.',
})
export const KUBERNETES_TLS_CERT = option('alluxio.kubernetes.tls.cert', 'path', {
  default: undefined,
  scope: 'all',
  doc: 'File with the certificate (PEM) of "alluxio kubernetes serve", read again when it changes. Admission webhooks have to have one.',
})
export const KUBERNETES_TLS_KEY = option('alluxio.kubernetes.tls.key', 'path', {
  default: undefined,
  scope: 'all',
  doc: 'File with the private key (PEM) of the certificate.',
})
export const KUBERNETES_API_URL = option('alluxio.kubernetes.api.url', 'string', {
  default: '',
  scope: 'all',
  doc: 'Address of the API server. Empty: that of the cluster whose pod this is; outside of one, none: then pods are not held, and hosts are called what their workers call them.',
})
export const KUBERNETES_API_TOKEN = option('alluxio.kubernetes.api.token.file', 'path', {
  default: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  scope: 'all',
  doc: 'File with the token that the API server is called with; none if there is no such file.',
})
export const KUBERNETES_API_CA = option('alluxio.kubernetes.api.ca.file', 'path', {
  default: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
  scope: 'all',
  doc: 'File with the certificate of who signs that of the API server; if there is no such file, those that Node trusts.',
})
export const KUBERNETES_HINTS_TIMEOUT = option('alluxio.kubernetes.hints.timeout', 'duration', {
  default: 500,
  scope: 'all',
  doc: 'Longest that the scheduler or the API server waits for hints; then pods are placed without. Below the httpTimeout of the extender and the timeoutSeconds of the webhook.',
  min: 1,
})
export const KUBERNETES_HOLD_MAX = option('alluxio.kubernetes.hold.max', 'duration', {
  default: 1_800_000,
  scope: 'all',
  doc: 'Longest that a pod is held until its inputs are cached.',
  min: 0,
})
export const KUBERNETES_NODE_LABEL = option('alluxio.kubernetes.node.label', 'string', {
  default: 'kubernetes.io/hostname',
  scope: 'all',
  doc: 'Label of nodes that the preferred node affinity of pods compares.',
})
