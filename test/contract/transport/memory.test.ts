import { rpcSuite } from './rpc-suite.ts'
import { transportSuite } from './transport-suite.ts'
import { memoryWorld } from './worlds.ts'

transportSuite(memoryWorld)
rpcSuite(memoryWorld)
