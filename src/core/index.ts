/**
 * The ground of every layer: errors, runtime ports, ids, paths, units, log, metrics, the supervisor. Never imports another
 * layer. Configuration stands in `config/`, the declared options in `options/`.
 */
export * from './acl.ts'
export * from './block-file-name.ts'
export * from './consistency.ts'
export * from './each-limited.ts'
export * from './errors.ts'
export * from './file-record.ts'
export * from './ids.ts'
export * from './log.ts'
export * from './metrics.ts'
export * from './path-properties.ts'
export * from './paths.ts'
export * from './rendezvous.ts'
export * from './runtime.ts'
export * from './supervisor.ts'
export * from './units.ts'
