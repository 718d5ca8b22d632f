/**
 * Daemons of this machine as background processes: started detached, found again by their pid files, stopped in order.
 * Owns pid files (with the process's start, so that a pid that was given out again is never touched), log files and their
 * rotation, readiness and port conflicts. Never knows what a daemon does: it runs `alluxio daemon NAME`.
 */
export { type DaemonStatus, daemonStatus, startDaemon, stopDaemon } from './background.ts'
export { DAEMONS, type DaemonFacts, type DaemonName, daemonFacts, type LaunchModules } from './facts.ts'
export { type Formatting, format, refuseUnderDaemons, whatFormatDeletes } from './format.ts'
export { loggedBy, tailLog } from './log-file.ts'
export { claimPidFile, runningProcess } from './pid-file.ts'
export { portHolder } from './ports.ts'
