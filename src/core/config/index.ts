/** Owns options and configuration layers; never touches a daemon's state. See `../options/` for the declarations. */
export {
  Config,
  type ConfigInputs,
  type ConfigSource,
  editDistance,
  environment,
  environmentName,
} from './config.ts'
export {
  declaredOptions,
  type Option,
  type OptionScope,
  type OptionType,
} from './option.ts'
export { resolveSecret } from './reference.ts'
