/** The release, as package.json has it. */
export const VERSION = '0.1.0'

/** Set by the build. */
declare const ALLUXIO_REVISION: string | undefined
/** The commit that was built; '' where the sources run as they are. */
export const REVISION = typeof ALLUXIO_REVISION === 'undefined' ? '' : ALLUXIO_REVISION
