/**
 * Stores of third parties. Owns finding them (`catalogue.ts`: the modules that the configuration names, the packages that are
 * installed), installing them (`extensions.ts`), and running each in a thread of its own (`plug-in.ts`, `session.ts`; `thread.ts`
 * is the other side): one that hangs, throws, loops or leaks is ended, and the error names it. Never trusts them with the
 * daemon's own thread, and never takes the name of code from a mount: it comes from the site's configuration and the folder of
 * extensions alone. A thread is no wall against ill will: it shares the process's rights, files and environment.
 */
export { StorePlugIns } from './catalogue.ts'
export { type Extension, type ExtensionState, Extensions } from './extensions.ts'
