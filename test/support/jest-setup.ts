// @oclif/core prints with the global console; jest swaps in its own, which output capture cannot see.
import nodeConsole from 'node:console'

globalThis.console = nodeConsole
