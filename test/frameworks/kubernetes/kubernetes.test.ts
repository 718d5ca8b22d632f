/** `alluxio kubernetes serve` asked by the real scheduler of Kubernetes and by admission as the API server does it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, freePorts } from '../../support/cluster.ts'
import { guideBlock } from '../../support/guide.ts'
import { debianPrograms, run } from '../../support/servers/debian.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { KubeLab, type LabPod } from '../../support/servers/kube-lab.ts'
import { ServerProcess } from '../../support/servers/process.ts'

const HOSTS = ['127.0.0.1', '127.0.0.2']
const MANIFESTS = ['alluxio-kubernetes', 'webhook'].map((name) => resolve(`deploy/kubernetes/${name}.yaml`))
const GATE = { name: 'alluxio.org/warm' }

const { reason } = await ifAvailable(async () => {
  await debianPrograms(['openssl'], ['openssl'])
  await KubeLab.program()
})
const suite = reason === undefined ? describe : describe.skip
const folder = mkdtempSync(join(tmpdir(), 'alluxio-kubernetes-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A certificate for 127.0.0.1 that signs itself. */
async function certificate(): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  await run('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', cert])
  return { cert, key }
}

/** As kube-scheduler has to be told, but for where things are. */
function schedulerConfig(port: number, ca: string, nodeCacheCapable: boolean): string {
  let text = readFileSync(resolve('deploy/kubernetes/scheduler.yaml'), 'utf8')
  for (const [from, to] of [
    ['https://alluxio-kubernetes.alluxio.svc', `https://127.0.0.1:${port}`],
    ['/etc/kubernetes/alluxio-ca.crt', ca],
    ['nodeCacheCapable: true', `nodeCacheCapable: ${nodeCacheCapable}`],
    ['httpTimeout: 1s', 'httpTimeout: 3s'],
  ] as const) {
    expect(text).toContain(from)
    text = text.replace(from, to)
  }
  const file = join(folder, `scheduler-${nodeCacheCapable}.yaml`)
  writeFileSync(file, text)
  return file
}

function get(url: string, ca: string): Promise<string> {
  return new Promise((done, failed) => {
    const sent = request(url, { ca: readFileSync(ca) }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      answer.on('end', () => done(text))
    })
    sent.on('error', failed).end()
  })
}

async function until<T>(look: () => Promise<T>, isRight: (found: T) => boolean, ms = 20_000): Promise<T> {
  for (const end = performance.now() + ms; ; await pause(50)) {
    const found = await look()
    if (isRight(found)) return found
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(found)}`)
  }
}

suite('kubernetes serve', () => {
  let cluster: Cluster
  let lab: KubeLab
  let whole: KubeLab
  let daemon: ServerProcess
  let port: number
  let cert: string

  beforeAll(async () => {
    const pair = await certificate()
    cert = pair.cert
    const [first, labPort, wholePort] = await freePorts(3)
    port = first!
    cluster = await Cluster.start({
      workers: 2,
      workerProperties: (i) => ({
        'alluxio.worker.hostname': HOSTS[i]!,
        'alluxio.worker.bind.host': HOSTS[i]!,
      }),
    })
    const webhook = `https://127.0.0.1:${port}/admission/pods`
    const start = async (at: number, nodeCacheCapable: boolean) => {
      const config = schedulerConfig(port, cert, nodeCacheCapable)
      const started = await KubeLab.start({ port: at, config, webhook, ca: cert })
      await started.addNode('n1', '127.0.0.1')
      await started.addNode('n2', '127.0.0.2')
      await started.addNode('n3', '10.0.0.3')
      return started
    }
    lab = await start(labPort!, true)
    whole = await start(wholePort!, false)
    const args = [
      ...['kubernetes', 'serve', ...cluster.flags],
      `-Dalluxio.kubernetes.port=${port}`,
      `-Dalluxio.kubernetes.tls.cert=${cert}`,
      `-Dalluxio.kubernetes.tls.key=${pair.key}`,
      `-Dalluxio.kubernetes.api.url=${lab.url}`,
      // Machines that run tests may be slow.
      '-Dalluxio.kubernetes.hints.timeout=1500ms',
    ]
    daemon = new ServerProcess({ binary: resolve('bin/alluxio'), args, env: cluster.env }, async () =>
      (await get(`https://127.0.0.1:${port}/healthz`, cert)).includes('serving'),
    )
    await daemon.start()
  }, 180_000)
  afterAll(async () => {
    await daemon?.kill()
    await lab?.stop()
    await whole?.stop()
    await cluster?.dispose()
  })

  const placed = async (of: KubeLab, name: string) =>
    (await until(
      () => of.pod(name),
      ({ spec }) => spec.nodeName !== undefined,
    )) as LabPod
  const nodeOf = async (of: KubeLab, name: string) => (await placed(of, name)).spec.nodeName
  const preferring = (...terms: [number, string][]) => ({
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: terms.map(([weight, ...values]) => ({
        weight,
        preference: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] },
      })),
    },
  })

  /** A file that the worker of one host holds. */
  async function write(host: number, path: string): Promise<void> {
    const fs = await cluster.connect({
      'alluxio.user.block.write.location.policy.class': 'SpecificHost',
      'alluxio.user.block.location.policy.specific.host': HOSTS[host]!,
    })
    const file = await fs.create(path, { recursive: true })
    await file.write(Buffer.alloc(1_000_000, path))
    await file.close()
  }

  test('Kubernetes knows every field of the manifests', async () => {
    expect(await KubeLab.kinds(MANIFESTS)).toEqual([
      ...['Namespace', 'ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Deployment', 'Service'],
      'MutatingWebhookConfiguration',
    ])
    const pod = join(folder, 'pod.yaml')
    writeFileSync(pod, guideBlock('kubernetes', 'pod.yaml'))
    expect(await KubeLab.kinds([pod])).toEqual(['Pod'])
  })

  test('a pod prefers the node that holds its inputs, and goes there', async () => {
    for (const host of [0, 1]) await write(host, `/on/${host}`)
    for (const [i, node] of [
      [0, 'n1'],
      [1, 'n2'],
    ] as const) {
      const { pod, warning } = await lab.addPod(`affine-${i}`, { 'alluxio.org/inputs': `/on/${i}` })
      expect(warning).toBe('')
      expect(pod.spec.affinity).toEqual(preferring([100, node]))
      expect(await nodeOf(lab, `affine-${i}`)).toBe(node)
    }
  })

  test.each([
    ['names of nodes', () => lab],
    ['whole nodes', () => whole],
  ])('the extender alone, asked with %s, brings pods beside their inputs', async (kind, of) => {
    const inputs = `/alone-${kind.replace(' ', '-')}`
    for (const host of [0, 1]) await write(host, `${inputs}/${host}`)
    for (let i = 0; i < 6; i++) {
      const name = `alone-${kind.slice(0, 5)}-${i}`
      // What is annotated after admission only the scheduler sees.
      await of().addPod(name, { other: 'x' }, { schedulingGates: [{ name: 'test/gate' }] })
      const required = i > 3 ? { 'alluxio.org/locality': 'required' } : {}
      await of().patchPod(name, [
        {
          op: 'add',
          path: '/metadata/annotations',
          value: { 'alluxio.org/inputs': `${inputs}/${i % 2}`, ...required },
        },
        { op: 'remove', path: '/spec/schedulingGates/0' },
      ])
      const pod = await placed(of(), name)
      expect(pod.spec.affinity).toBeUndefined()
      expect(pod.spec.nodeName).toBe(`n${(i % 2) + 1}`)
    }
  })

  test('a pod is held until its inputs are cached, then goes to them', async () => {
    writeFileSync(join(cluster.folder, 'ufs', 'cold'), Buffer.alloc(3_000_000))
    const { pod } = await lab.addPod('held', {
      'alluxio.org/inputs': '/cold',
      'alluxio.org/hold': 'true',
    })
    expect(pod.spec.schedulingGates).toEqual([GATE])
    expect(pod.metadata.labels).toEqual({ 'alluxio.org/held': 'true' })
    const { metadata, spec } = await placed(lab, 'held')
    expect(metadata.annotations).toMatchObject({ 'alluxio.org/warmed': 'true' })
    expect(metadata.labels ?? {}).toEqual({})
    expect(spec.affinity).toEqual(preferring([100, spec.nodeName!]))
    const fs = await cluster.connect()
    expect(await fs.getStatus('/cold')).toMatchObject({ inAlluxioPercentage: 100 })
    const [hint] = await fs.hints.rank(['/cold'])
    expect(spec.nodeName).toBe(hint!.hosts[0]!.host === HOSTS[0] ? 'n1' : 'n2')
  })

  test('nobody is held longer than its time, and who asks for what is not there is told', async () => {
    const began = performance.now()
    const { pod, warning } = await lab.addPod('late', {
      'alluxio.org/inputs': '/nowhere',
      'alluxio.org/hold': '2s',
    })
    expect(warning).toContain('/nowhere')
    expect(pod.spec.schedulingGates).toEqual([GATE])
    const { metadata } = await placed(lab, 'late')
    expect(metadata.annotations?.['alluxio.org/warmed']).toMatch(/^\/nowhere is not cached after 2000 ms: /)
    // Kubernetes tells when a pod was made in whole seconds.
    expect(performance.now() - began).toBeGreaterThan(1000)
  })

  test('metrics tell what was asked', async () => {
    const metrics = await get(`https://127.0.0.1:${port}/metrics`, cert)
    expect(metrics).toMatch(
      /alluxio_kubernetes_requests_total\{path="\/scheduler\/prioritize",status="200"\} [1-9]/,
    )
    expect(metrics).toMatch(
      /alluxio_kubernetes_requests_total\{path="\/admission\/pods",status="200"\} [1-9]/,
    )
    expect(metrics).toContain('alluxio_kubernetes_released_total{warm="true"} 1')
    expect(metrics).not.toContain('status="500"')
  })

  test('while the master hangs, and without the daemon, pods are made and scheduled all the same', async () => {
    cluster.master.signal('SIGSTOP')
    try {
      const { warning } = await lab.addPod('hanging', { 'alluxio.org/inputs': '/on/0' })
      expect(warning).toContain('did not answer within 1500 ms')
      await placed(lab, 'hanging')
    } finally {
      cluster.master.signal('SIGCONT')
    }
    await daemon.kill()
    const { warning } = await lab.addPod('alone', { 'alluxio.org/inputs': '/on/0' })
    expect(warning).not.toBe('')
    await placed(lab, 'alone')
  })
})
