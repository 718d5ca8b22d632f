/** The small tree that all clients work in. */
/** Cache only: nothing below it ever reaches the under-store, so the namespace alone answers. */
export const CACHE_ROOT = '/lin0'
/** All write types: the namespace and the under-store change together. */
export const STORE_ROOT = '/lin1'
/** Directories that are checked for linearizability, each by itself: renames never leave one. */
export const LIN_ROOTS = [CACHE_ROOT, STORE_ROOT] as const
export const FILE_NAMES = ['a', 'b'] as const
export const DIRECTORY_NAMES = ['d', 'e'] as const
/** Files here are written once by one client, under a name of their own, and never removed. */
export const KEEP_ROOT = '/keep'
