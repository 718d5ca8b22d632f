/** Every option of the system, declared once. Import `OPTIONS`-style constants from here. */
export * from './cluster.options.ts'
export * from './hints.options.ts'
export * from './kubernetes.options.ts'
export * from './master.options.ts'
export * from './proxy.options.ts'
export * from './ufs.options.ts'
export * from './user.options.ts'
export * from './worker.options.ts'
