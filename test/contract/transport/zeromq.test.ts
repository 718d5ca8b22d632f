import { rpcSuite } from './rpc-suite.ts'
import { transportSuite } from './transport-suite.ts'
import { zeroMqWorld } from './worlds.ts'

transportSuite(zeroMqWorld)
rpcSuite(zeroMqWorld)
