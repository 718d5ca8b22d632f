/**
 * The proxy daemon: the S3 and the WebHDFS gateway of a machine. Stateless, any number of them; all it knows comes from the
 * master and the workers. Owns the wiring and nothing else.
 */
export { type Proxy, type ProxyModules, startProxy } from './main.ts'
