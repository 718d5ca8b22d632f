// The layers of docs/ARCHITECTURE.md. Imports point down only; a module is entered by its index.ts; each outside package
// has one door.
const layers = [
  ['core'],
  ['rpc', 'arrow', 'ufs', 'metastore'],
  ['namespace', 'store', 'lineage', 'policy'],
  ['client', 'scheduler'],
  ['gateway'],
  ['orchestrators'],
  ['daemon'],
  ['commands', 'tui'],
]
const upward = layers.flatMap((modules, level) => {
  const above = layers.slice(level + 1).flat()
  return above.length === 0
    ? []
    : [{
        name: `no-upward-from-${modules.join('-')}`,
        severity: 'error',
        from: { path: `^src/(${modules.join('|')})/` },
        to: { path: `^src/(${above.join('|')})/` },
      }]
})
const sideways = layers.flatMap((modules) =>
  modules.map((module) => ({
    name: `no-sideways-from-${module}`,
    severity: 'error',
    from: { path: `^src/${module}/` },
    to: { path: `^src/(${modules.filter((other) => other !== module).join('|') || 'none'})/`, pathNot: '/(types|store)\\.ts$' },
  })),
)
const doors = {
  zeromq: '^src/rpc/transport/',
  'apache-arrow': '^src/arrow/',
  '@aws-sdk': '^src/ufs/s3/',
  webhdfs: '^src/ufs/webhdfs/',
  lmdb: '^src/metastore/',
  // Maps of files; the size of a pipe; libgfapi, which is the only way to GlusterFS without a mount.
  koffi: '^src/(arrow/|commands/pipe.ts|ufs/gluster/library.ts)',
  '@oclif/core': '^src/commands/',
  esbuild: '^bin/',
}
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    ...upward,
    ...sideways,
    ...Object.entries(doors).map(([name, door]) => ({
      name: `one-door-${name}`,
      severity: 'error',
      from: { path: '^src/', pathNot: [door, '\\.test\\.ts$'] },
      to: { path: `node_modules/${name}(/|$)` },
    })),
    {
      name: 'entered-by-index',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/([^/]+)/.+', pathNot: ['^src/$1/', '/index\\.ts$', '^src/core/', '/types\\.ts$', '/store\\.ts$'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
